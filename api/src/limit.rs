//! How much somebody may ask: counted before anything is done, refused with when to come again.
//!
//! Who shows a session or a key that was good a moment ago counts as that member, wherever they are;
//! everybody else counts as their address. So a member who clicks fast, or a tool with a key, fills no
//! window of the address, and a forged cookie buys nothing. Assets and health don't count, and what
//! another site's page makes a browser ask for is refused before.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Once};
use std::time::Duration;

use axum::extract::{ConnectInfo, FromRequestParts, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Uri};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use commands::limit::{Limiter, Past, Question, Rules, Subject, Verdict, Window};
use domain::{Keyed, Purpose, address};
use serde::{Deserialize, Serialize};

use crate::app::{App, Site};
use crate::csrf;
use crate::problem::Problem;

pub mod attack;
mod by_name;
mod class;
mod drag;
mod known;
mod refusal;

pub(crate) use by_name::{Try, again};
pub use class::Class;
use class::REGISTER;
use drag::Drag;
pub(crate) use known::Credential;
use known::{Known, Member};
use refusal::{blocked, seconds, too_often};

const MINUTE: Duration = Duration::from_mins(1);
/// The time in which sign-ins are counted.
const SIGN_IN: Duration = Duration::from_mins(5);
/// How many members share an address before it is full of what each of them may write.
const HOUSEHOLD: u32 = 5;

/// The limits of requests; 0 turns one off.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Requests a minute for pages and the API from one address, of who isn't signed in.
    pub pages: u32,
    /// Requests a minute for pages and the API of a member, by session or key.
    pub member_pages: u32,
    /// Requests within ten seconds from one address, of who isn't signed in, past which it is blocked.
    pub flood: u32,
    /// Writes a minute of a member, or from an address of who isn't signed in; each repeat within the hour doubles the wait.
    pub writes: u32,
    /// Writes a minute of a member of the staff.
    pub staff_writes: u32,
    /// Sign-ins and recoveries that fail, and registrations, within five minutes from one address and for one name.
    pub sign_ins: u32,
    /// Refused sign-ins past that limit with which an address is blocked.
    pub violations: u32,
    /// Points within ten minutes, for requests that look like attacks, with which an address is blocked.
    pub score: u32,
    /// Seconds of an address's first block; each further one is twice as long.
    pub block: u64,
    /// Seconds of the longest block.
    pub longest_block: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            pages: 100,
            member_pages: 600,
            flood: 100,
            writes: 10,
            staff_writes: 60,
            sign_ins: 5,
            violations: 3,
            score: 30,
            block: 300,
            longest_block: 86_400,
        }
    }
}

impl Limits {
    /// Gives when addresses are blocked.
    pub fn rules(&self) -> Rules {
        Rules {
            flood: self.flood,
            flood_span: Duration::from_secs(10),
            score: self.score,
            score_span: Duration::from_mins(10),
            strikes: self.violations,
            first: Duration::from_secs(self.block.max(1)),
            longest: Duration::from_secs(self.longest_block.max(self.block).max(1)),
        }
    }
}

/// Where a request comes from: behind the proxies that are trusted.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Client(pub(crate) IpAddr);

impl Client {
    /// Finds the client of a connection's request.
    pub(crate) fn of(peer: IpAddr, headers: &HeaderMap, site: &Site) -> Self {
        let named = ["x-forwarded-for", "forwarded"]
            .into_iter()
            .find(|name| headers.contains_key(*name));
        let plain = address::plain(peer);
        if named.is_some() && plain.is_loopback() && !site.trusted_proxies.contains(&plain) {
            static TOLD: Once = Once::new();
            TOLD.call_once(|| {
                tracing::warn!(
                    "a proxy on this machine isn't named in site.trusted_proxies: all its clients count as one"
                );
            });
        }
        let lines: Vec<&str> = named
            .into_iter()
            .flat_map(|name| headers.get_all(name))
            .filter_map(|line| line.to_str().ok())
            .collect();
        Self(address::behind(
            peer,
            lines.into_iter(),
            &site.trusted_proxies,
        ))
    }
}

impl<S: Sync> FromRequestParts<S> for Client {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        if let Some(client) = parts.extensions.get::<Self>() {
            return Ok(*client);
        }
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>();
        let unknown = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
        Ok(Self(peer.map_or(unknown, |peer| peer.0.ip())))
    }
}

/// The limits, who counts, and who was recognised lately.
#[derive(Debug)]
pub struct Shield {
    limits: Limits,
    limiter: Arc<dyn Limiter>,
    keys: Arc<dyn Keyed>,
    known: Known,
    drag: Drag,
    refusals: [AtomicU64; 3],
    blocked: AtomicU64,
    made: AtomicU64,
}

impl Shield {
    /// Begins without anybody known.
    pub fn new(limits: Limits, limiter: Arc<dyn Limiter>, keys: Arc<dyn Keyed>) -> Self {
        Self {
            limits,
            limiter,
            keys,
            known: Known::default(),
            drag: Drag::default(),
            refusals: Default::default(),
            blocked: AtomicU64::new(0),
            made: AtomicU64::new(0),
        }
    }

    /// Gives who counts.
    pub fn limiter(&self) -> &Arc<dyn Limiter> {
        &self.limiter
    }

    /// Notes that a session or key is a member's.
    pub(crate) fn recognise(&self, by: Credential, profile: &projections::user::Profile) {
        self.known.note(by, Member::of(profile));
    }

    fn subject(&self, kind: &[u8], of: &[u8]) -> Subject {
        let mac = self
            .keys
            .mac(Purpose::Address, &[b"limit ", kind, of].concat());
        mac.first_chunk().copied().unwrap_or_default()
    }

    /// Hides an address.
    pub fn address(&self, address: IpAddr) -> Subject {
        let (network, version) = address::network(address);
        self.subject(&[version], &network.to_be_bytes())
    }

    fn windows(&self, class: Class, address: Subject, member: Option<Member>) -> Vec<Window> {
        let limits = &self.limits;
        let window = |name, whose, most, span, past| Window {
            name,
            whose,
            most,
            span,
            past,
        };
        match (class, member) {
            (Class::Pages, Some(member)) => {
                let most = limits.member_pages;
                vec![window("pages", member.id, most, MINUTE, Past::Wait)]
            }
            (Class::Pages, None) => {
                vec![window("pages", address, limits.pages, MINUTE, Past::Wait)]
            }
            (Class::Writes, Some(member)) => {
                let most = if member.staff {
                    limits.staff_writes
                } else {
                    limits.writes
                };
                let shared = limits.writes.max(limits.staff_writes);
                let shared = shared.saturating_mul(HOUSEHOLD);
                let shared = if most == 0 { 0 } else { shared };
                vec![
                    window("writes", member.id, most, MINUTE, Past::Double),
                    window("household", address, shared, MINUTE, Past::Wait),
                ]
            }
            (Class::Writes, None) => {
                vec![window(
                    "writes",
                    address,
                    limits.writes,
                    MINUTE,
                    Past::Double,
                )]
            }
            (Class::SignIn, _) => {
                let most = limits.sign_ins;
                vec![window("sign-in", address, most, SIGN_IN, Past::Strike)]
            }
        }
    }

    /// Gives the window of who tries to sign in by a name.
    fn by_name(&self, folded: &str) -> Window {
        Window {
            name: "name",
            whose: self.subject(b"name ", folded.as_bytes()),
            most: self.limits.sign_ins,
            span: SIGN_IN,
            past: Past::Wait,
        }
    }

    /// Gives the window of who guesses at the second factor of a name, and knows its password.
    fn by_code(&self, folded: &str) -> Window {
        Window {
            whose: self.subject(b"code ", folded.as_bytes()),
            ..self.by_name(folded)
        }
    }

    /// Gives the window of a session by which its member's own password is proved anew.
    fn proof(&self, session: &str) -> Window {
        Window {
            name: "proof",
            whose: self.subject(b"proof ", session.as_bytes()),
            ..self.by_name("")
        }
    }

    /// Counts a guess in a window until it is forgiven, or refuses it.
    async fn guess(&self, window: &Window) -> Result<(), Problem> {
        let question = Question {
            // Whether the address is blocked was asked before.
            address: window.whose,
            floods: false,
            points: 0,
            about: "",
            windows: &[*window],
        };
        if let Ok(Verdict::Waits { wait, .. }) = self.limiter.ask(&question).await {
            self.refused(Class::SignIn);
            return Err(too_often(Class::SignIn, window.name, wait));
        }
        Ok(())
    }

    /// Takes back what was counted in a window.
    async fn forgive(&self, window: &Window) {
        if let Err(error) = self.limiter.forgive(window).await {
            tracing::debug!(%error, "a sign-in still counts");
        }
    }

    fn refused(&self, class: Class) {
        if let Some(count) = self.refusals.get(usize::from(class.place())) {
            count.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Decides on a request; `None` where it can't be decided, so that it passes.
    async fn decide(&self, asked: &Asked<'_>, class: Class) -> (Vec<Window>, Option<Verdict>) {
        let member =
            Credential::of(asked.uri, asked.headers).and_then(|one| self.known.whose(&one));
        let found = attack::look(asked.uri, asked.headers, member.is_some());
        let address = self.address(asked.client.0);
        let windows = self.windows(class, address, member);
        let question = Question {
            address,
            floods: member.is_none(),
            points: found.points,
            about: &found.about(),
            windows: &windows,
        };
        let verdict = self.limiter.ask(&question).await.ok();
        match verdict {
            Some(Verdict::Waits { .. }) => self.refused(class),
            Some(Verdict::Blocked { fresh, why, .. }) => {
                self.blocked.fetch_add(1, Ordering::Relaxed);
                if fresh {
                    self.made.fetch_add(1, Ordering::Relaxed);
                    let name = hex::encode(address.get(..6).unwrap_or_default());
                    tracing::warn!(address = name, why = why.name(), "an address is blocked");
                }
            }
            Some(Verdict::Passes { .. }) | None => {}
        }
        (windows, verdict)
    }

    /// Gives what was refused since the start, by class, what blocked addresses asked for, and how many
    /// blocks were made.
    pub(crate) fn counts(&self) -> (BTreeMap<&'static str, u64>, u64) {
        let classes = [Class::Pages, Class::Writes, Class::SignIn];
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        let mut counts: BTreeMap<&'static str, u64> = classes
            .into_iter()
            .zip(&self.refusals)
            .map(|(class, count)| (class.name(), read(count)))
            .collect();
        counts.insert("blocked", read(&self.blocked));
        (counts, read(&self.made))
    }
}

/// A request, as far as it is looked at.
struct Asked<'a> {
    client: Client,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

/// Counts a request before anything is done for it.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let Some(class) = Class::of(request.method(), request.uri().path()) else {
        return next.run(request).await;
    };
    // A visitor isn't held to what the page of another site asks for.
    if csrf::is_drawn_in(request.method(), request.headers()) {
        return csrf::foreign().into_response();
    }
    let joins = request.uri().path() == REGISTER;
    let unknown = Client(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    let asked = Asked {
        client: request.extensions().get().copied().unwrap_or(unknown),
        uri: request.uri(),
        headers: request.headers(),
    };
    let (windows, verdict) = app.shield.decide(&asked, class).await;
    let mut response = match verdict {
        Some(Verdict::Waits { wait, window }) => {
            let name = windows.get(window).map_or("", |one| one.name);
            too_often(class, name, wait).into_response()
        }
        Some(Verdict::Blocked { left, why, .. }) => {
            app.shield.drag.wait().await;
            return blocked(why, left).into_response();
        }
        Some(Verdict::Passes { .. }) | None => next.run(request).await,
    };
    // A sign-in that succeeds isn't one of those that are limited; another member is.
    if class == Class::SignIn
        && !joins
        && response.status().is_success()
        && let Some(window) = windows.first()
    {
        app.shield.forgive(window).await;
    }
    if let Some(verdict) = verdict {
        told(&mut response, &windows, verdict);
    }
    response
}

/// Tells the policy and what is left of it (draft-ietf-httpapi-ratelimit-headers-10).
fn told(response: &mut Response, windows: &[Window], verdict: Verdict) {
    let (at, left, resets) = match verdict {
        Verdict::Passes { left, resets } => (0, left, resets),
        Verdict::Waits { wait, window } => (window, 0, wait),
        Verdict::Blocked { .. } => return,
    };
    let Some(window) = windows.get(at).filter(|window| window.most > 0) else {
        return;
    };
    let (name, span) = (window.name, window.span.as_secs());
    let resets = seconds(resets);
    for (header, text) in [
        (POLICY, format!("\"{name}\";q={};w={span}", window.most)),
        (LEFT, format!("\"{name}\";r={left};t={resets}")),
    ] {
        if let Ok(value) = HeaderValue::from_str(&text) {
            response.headers_mut().insert(header, value);
        }
    }
}

/// The header of the limit that a request counts towards.
pub(crate) const POLICY: &str = "ratelimit-policy";
/// The header of what is left of it.
pub(crate) const LEFT: &str = "ratelimit";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_is_told_of_the_window_that_is_full() {
        let window = |name, most| Window {
            name,
            whose: [0; 16],
            most,
            span: MINUTE,
            past: Past::Wait,
        };
        let policy = |verdict| {
            let mut response = Response::default();
            told(
                &mut response,
                &[window("writes", 10), window("household", 50)],
                verdict,
            );
            let header = response.headers().get(POLICY).unwrap();
            header.to_str().unwrap().to_owned()
        };
        let wait = MINUTE;
        assert_eq!(
            policy(Verdict::Waits { window: 1, wait }),
            "\"household\";q=50;w=60"
        );
        assert_eq!(
            policy(Verdict::Waits { window: 0, wait }),
            "\"writes\";q=10;w=60"
        );
    }
}
