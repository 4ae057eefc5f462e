//! Who is asking: sessions behind a cookie.
//!
//! The cookie holds the member's id and 256 random bits; only the bits' SHA-256 is kept, under the
//! member, so that a member's sessions can be listed and revoked. Names and roles are at each request
//! what the read tables say.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::COOKIE;
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method};
use axum::response::{IntoResponse, Redirect, Response};
use domain::id::MemberId;
use domain::{Permission, Purpose};
use projections::user::Profile;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use time::OffsetDateTime;

use crate::app::App;
use crate::limit::{Client, Credential};
use crate::network;
use crate::problem::{self, Problem};
use crate::web::layout::Viewer;
use crate::web::{banner, notification, staff};

mod device;

/// A session ends after this time without a request.
const IDLE: Duration = Duration::from_hours(24);
/// A session ends after this time whatever happens.
const LONGEST: i64 = 7 * 24 * 3600;
/// A session's last request is noted this often.
const NOTE_EVERY: i64 = 60;

/// A session as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Session {
    /// Seconds since 1970.
    pub(crate) begun: i64,
    /// Seconds since 1970.
    pub(crate) seen: i64,
    /// Which browser on which system, in two words.
    pub(crate) device: String,
}

/// A signed-in member.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn {
    /// Who it is, as of this request.
    pub(crate) profile: Profile,
    key: String,
    form_token: String,
    dismissed: Option<String>,
}

impl SignedIn {
    /// Gives the token that forms of this session carry.
    pub(crate) fn form_token(&self) -> &str {
        &self.form_token
    }

    /// Gives the name under which this session is kept.
    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    /// Gives what the masthead shows.
    pub(crate) async fn viewer(&self, app: &App) -> Result<Viewer, Problem> {
        let looked = notification::looked(app, self.profile.id).await?;
        let eyes = notification::eyes(self, &looked);
        Ok(Viewer {
            figures: projections::viewer::figures(&app.reads, eyes).await?,
            swarm: app.swarms.of_member(self.profile.id),
            reports: staff::reports::waiting(app, self).await?,
            profile: self.profile.clone(),
            token: self.form_token.clone(),
            dismissed: self.dismissed.clone(),
        })
    }

    /// Ends this session.
    pub(crate) async fn end(&self, app: &App) -> Result<(), Problem> {
        app.ephemera.take(&self.key).await?;
        Ok(())
    }
}

/// Who asks: by a session, or by a key.
pub(crate) trait Asks {
    /// Gives who it is, as of this request.
    fn profile(&self) -> &Profile;

    /// Tells whether they may do something here and now.
    fn may(&self, permission: Permission) -> bool;
}

impl Asks for SignedIn {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn may(&self, permission: Permission) -> bool {
        self.profile.permissions().has(permission)
    }
}

/// Begins a session and gives its cookie.
pub(crate) async fn begin(
    app: &App,
    member: MemberId,
    client: Client,
    headers: &HeaderMap,
) -> Result<HeaderValue, Problem> {
    // No session begins of which its member can't be told.
    device::note(app, member, client, headers).await?;
    let mut token = [0; 32];
    app.random.fill(&mut token);
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let device = device::of(headers);
    keep(
        app,
        &key(member, &token),
        &Session {
            begun: proved_at(app, member).await?,
            seen: now,
            device,
        },
    )
    .await?;
    network::note(app, member, client).await?;
    cookie(app, &written(member, &token), LONGEST)
}

/// Gives a cookie that ends the browser's session.
pub(crate) fn ended(app: &App) -> Result<HeaderValue, Problem> {
    cookie(app, "", 0)
}

/// Gives a member's sessions with the names under which they are kept, the latest first; none that another
/// password or factor ended, wherever that was set.
pub(crate) async fn list(app: &App, member: MemberId) -> Result<Vec<(String, Session)>, Problem> {
    let kept = kept(app, member).await?;
    let profile = projections::user::profile(&app.reads, member).await?;
    let since = profile.and_then(|profile| profile.proves_since);
    let holds = |(_, session): &(String, Session)| since.is_none_or(|since| session.begun > since);
    let mut sessions: Vec<(String, Session)> = kept.into_iter().filter(holds).collect();
    sessions.sort_by_key(|(_, session)| std::cmp::Reverse(session.seen));
    Ok(sessions)
}

/// Gives all that is kept of a member's sessions.
async fn kept(app: &App, member: MemberId) -> Result<Vec<(String, Session)>, Problem> {
    let kept = app.ephemera.list(&format!("session:{member}:")).await?;
    let read = |(key, value): (String, Vec<u8>)| Some((key, serde_json::from_slice(&value).ok()?));
    Ok(kept.into_iter().filter_map(read).collect())
}

/// Ends one of a member's sessions.
pub(crate) async fn revoke(app: &App, member: MemberId, key: &str) -> Result<(), Problem> {
    if !key.starts_with(&format!("session:{member}:")) {
        return Err(Problem::not_found());
    }
    app.ephemera.take(key).await?;
    Ok(())
}

/// Lets a session count as begun after the password that its member just changed.
pub(crate) async fn renew(app: &App, signed_in: &SignedIn) -> Result<(), Problem> {
    let kept = app.ephemera.get(signed_in.key()).await?;
    let session = kept.and_then(|value| serde_json::from_slice::<Session>(&value).ok());
    let Some(session) = session else {
        return Ok(());
    };
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let begun = proved_at(app, signed_in.profile.id).await?.max(now + 1);
    keep(app, signed_in.key(), &Session { begun, ..session }).await
}

/// Gives the present second, or the first one after the member's proofs became what they are, whatever the
/// clocks of two nodes say.
pub(crate) async fn proved_at(app: &App, member: MemberId) -> Result<i64, Problem> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let profile = projections::user::profile(&app.reads, member).await?;
    let since = profile.and_then(|profile| profile.proves_since);
    Ok(since.map_or(now, |since| now.max(since + 1)))
}

/// Ends a member's sessions, but one where one is named.
pub(crate) async fn end_others(
    app: &App,
    member: MemberId,
    but: Option<&str>,
) -> Result<(), Problem> {
    for (key, _) in kept(app, member).await? {
        if but != Some(key.as_str()) {
            revoke(app, member, &key).await?;
        }
    }
    Ok(())
}

async fn keep(app: &App, key: &str, session: &Session) -> Result<(), Problem> {
    let value = serde_json::to_vec(session).unwrap_or_default();
    app.ephemera.put(key, &value, IDLE).await?;
    Ok(())
}

fn written(member: MemberId, token: &[u8]) -> String {
    format!("{}.{}", member.0.simple(), hex::encode(token))
}

fn key(member: MemberId, token: &[u8]) -> String {
    format!("session:{member}:{}", hex::encode(Sha256::digest(token)))
}

/// The prefix binds the cookie to this host; a browser takes it over TLS alone.
fn cookie_name(app: &App) -> &'static str {
    if app.site.is_secure() {
        "__Host-ot_session"
    } else {
        "ot_session"
    }
}

fn cookie(app: &App, value: &str, seconds: i64) -> Result<HeaderValue, Problem> {
    let secure = if app.site.is_secure() { "; Secure" } else { "" };
    let name = cookie_name(app);
    let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
    HeaderValue::from_str(&text).map_err(|_| Problem::invalid("The session can't be kept."))
}

/// Finds a cookie's value.
pub(crate) fn cookie_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let all = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok());
    all.flat_map(|line| line.split(';')).find_map(|pair| {
        pair.trim()
            .strip_prefix(name)
            .and_then(|rest| rest.strip_prefix('='))
    })
}

/// Finds out who asks; `None` for a guest, an error text for a session that is over.
async fn recognise(app: &App, headers: &HeaderMap) -> Result<Option<SignedIn>, Over> {
    let Some(value) = cookie_value(headers, cookie_name(app)).filter(|value| !value.is_empty())
    else {
        return Ok(None);
    };
    let (member, token) = value.split_once('.').ok_or(Over::Expired)?;
    let member: MemberId = member.parse().map_err(|_| Over::Expired)?;
    let token = hex::decode(token).map_err(|_| Over::Expired)?;
    let key = key(member, &token);
    let kept = app.ephemera.get(&key).await.map_err(away)?;
    let session: Session = kept
        .and_then(|value| serde_json::from_slice(&value).ok())
        .ok_or(Over::Expired)?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    if now - session.begun > LONGEST {
        return Err(Over::Expired);
    }
    if now - session.seen > NOTE_EVERY {
        keep(
            app,
            &key,
            &Session {
                seen: now,
                ..session
            },
        )
        .await
        .map_err(away)?;
    }
    let profile = projections::user::profile(&app.reads, member)
        .await
        .map_err(away)?;
    let Some(profile) = profile.filter(|profile| !profile.erased) else {
        // Where a crash of the database emptied the table just now, the session goes on afterwards.
        let lost = app.reads.know_nobody().await.map_err(away)?;
        return Err(if lost {
            away(Problem::unavailable())
        } else {
            Over::Expired
        });
    };
    // It was begun by another password than the one that holds.
    if profile
        .proves_since
        .is_some_and(|since| session.begun <= since)
    {
        return Err(Over::Expired);
    }
    if profile.is_banned(now) {
        app.ephemera.take(&key).await.map_err(away)?;
        return Err(Over::Expired);
    }
    let shown = Credential::shown(&written(member, &token));
    app.shield.recognise(shown, &profile);
    Ok(Some(SignedIn {
        profile,
        form_token: form_token(app, &key),
        key,
        dismissed: cookie_value(headers, banner::COOKIE).map(str::to_owned),
    }))
}

/// Makes the token of a session's forms.
fn form_token(app: &App, key: &str) -> String {
    let mac = app.keys.mac(Purpose::Form, key.as_bytes());
    hex::encode(mac.get(..16).unwrap_or_default())
}

fn away(error: impl Into<Problem>) -> Over {
    Over::Away(error.into())
}

/// Why nobody was recognised though a cookie was there.
enum Over {
    Expired,
    Away(Problem),
}

/// Why a request for members isn't answered: a page leads to the sign-in, anything else is told.
#[derive(Debug)]
pub(crate) enum NotSignedIn {
    Page(String),
    Told(Problem),
}

impl IntoResponse for NotSignedIn {
    fn into_response(self) -> Response {
        match self {
            Self::Page(next) => Redirect::to(&next).into_response(),
            Self::Told(problem) => problem.into_response(),
        }
    }
}

impl From<NotSignedIn> for Problem {
    fn from(not: NotSignedIn) -> Self {
        match not {
            NotSignedIn::Page(_) => Self::signed_out("Sign in and try again."),
            NotSignedIn::Told(problem) => problem,
        }
    }
}

impl FromRequestParts<App> for SignedIn {
    type Rejection = NotSignedIn;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, NotSignedIn> {
        if let Some(signed_in) = parts.extensions.get::<Self>() {
            return Ok(signed_in.clone());
        }
        let why = match recognise(app, &parts.headers).await {
            Ok(Some(signed_in)) => {
                // Asked by layers, the guard and the handler, and looked up once.
                parts.extensions.insert(signed_in.clone());
                return Ok(signed_in);
            }
            Ok(None) => "",
            Err(Over::Expired) => "&expired=1",
            Err(Over::Away(problem)) => return Err(NotSignedIn::Told(problem)),
        };
        if parts.method == Method::GET && problem::reads_html(&parts.headers) {
            let path = parts
                .uri
                .path_and_query()
                .map_or("/", axum::http::uri::PathAndQuery::as_str);
            let next =
                percent_encoding::utf8_percent_encode(path, percent_encoding::NON_ALPHANUMERIC);
            return Err(NotSignedIn::Page(format!("/sign-in?next={next}{why}")));
        }
        let detail = if why.is_empty() {
            "This is for members. Sign in and try again."
        } else {
            "Your session has ended. Sign in and try again; nothing was changed."
        };
        Err(NotSignedIn::Told(Problem::signed_out(detail)))
    }
}

/// What the masthead shows of who asks on a page for everybody; nothing of a guest, or while nobody can tell.
pub(crate) struct Visitor(pub(crate) Option<Viewer>);

impl FromRequestParts<App> for Visitor {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Infallible> {
        let Ok(signed_in) = SignedIn::from_request_parts(parts, app).await else {
            return Ok(Self(None));
        };
        Ok(Self(signed_in.viewer(app).await.ok()))
    }
}

impl SignedIn {
    /// Tells whether the member may do something.
    pub(crate) fn may(&self, permission: Permission) -> bool {
        self.profile.permissions().has(permission)
    }
}
