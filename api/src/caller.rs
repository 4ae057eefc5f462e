//! Which script asks: an API key in `Authorization: Bearer`, which acts for its member.
//!
//! A key does what its scopes say, as far as its member may at this moment: roles are read anew at
//! each request.

use std::time::Duration;

use axum::extract::FromRequestParts;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use domain::Permission;
use domain::api_key::Scope;
use domain::id::ApiKeyId;
use projections::api_key::{self, ApiKey};
use projections::user::{self, Profile};
use time::OffsetDateTime;

use crate::app::App;
use crate::limit::Credential;
use crate::problem::Problem;
use crate::route::missing;
use crate::session::Asks;

/// A key's last use is noted this often.
const NOTE_EVERY: i64 = 60;
/// A key's last use is remembered for so long.
const REMEMBERED: Duration = Duration::from_hours(24 * 90);
/// No key's text is longer.
const LONGEST: usize = 100;

/// A script that asks for a member.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// For whom, as of this request.
    pub(crate) profile: Profile,
    /// By which key.
    pub(crate) key: ApiKey,
}

impl Asks for Caller {
    fn profile(&self) -> &Profile {
        &self.profile
    }

    fn may(&self, permission: Permission) -> bool {
        self.profile.permissions().has(permission)
            && self.key.scopes.contains(&Scope::of(permission))
    }
}

impl Caller {
    /// Refuses where the key or its member's role doesn't reach.
    pub(crate) fn require(
        &self,
        scope: Scope,
        permission: Option<Permission>,
    ) -> Result<(), Problem> {
        if !self.key.scopes.contains(&scope) {
            return Err(narrow(scope));
        }
        match permission {
            Some(permission) if !self.profile.permissions().has(permission) => {
                Err(missing(permission))
            }
            Some(permission) if !self.may(permission) => Err(narrow(Scope::of(permission))),
            Some(_) | None => Ok(()),
        }
    }
}

fn narrow(scope: Scope) -> Problem {
    let detail = format!(
        "This key hasn't the scope `{}`. Make one that has it in your settings.",
        scope.name()
    );
    Problem {
        challenge: Some("Bearer error=\"insufficient_scope\""),
        ..Problem::new(
            StatusCode::FORBIDDEN,
            "missing-scope",
            "The key doesn't reach so far",
            &detail,
        )
    }
}

fn unknown(kind: &'static str, challenge: &'static str, detail: &str) -> Problem {
    Problem {
        challenge: Some(challenge),
        ..Problem::new(
            StatusCode::UNAUTHORIZED,
            kind,
            "A key is needed here",
            detail,
        )
    }
}

impl FromRequestParts<App> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(caller) = parts.extensions.get::<Self>() {
            return Ok(caller.clone());
        }
        let text = bearer(&parts.headers).ok_or_else(|| {
            let detail = "Send `Authorization: Bearer` with one of your API keys, which you make in your settings.";
            unknown("no-key", "Bearer", detail)
        })?;
        let shown = Credential::shown(text);
        let caller = recognise(app, text).await?.ok_or_else(|| {
            let detail =
                "This key was revoked, or never was one. Make another one in your settings.";
            unknown("wrong-key", "Bearer error=\"invalid_token\"", detail)
        })?;
        if caller
            .profile
            .is_banned(OffsetDateTime::now_utc().unix_timestamp())
        {
            let detail = "The key's member is banned. It works again when that ends.";
            let status = StatusCode::FORBIDDEN;
            return Err(Problem::new(status, "banned", "You are banned", detail));
        }
        // Asked by layers, the guard and the handler, and looked up once.
        parts.extensions.insert(caller.clone());
        app.shield.recognise(shown, &caller.profile);
        Ok(caller)
    }
}

/// Finds the key that a script shows.
pub(crate) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, text) = headers
        .get(AUTHORIZATION)?
        .to_str()
        .ok()?
        .trim()
        .split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| text.trim())
}

async fn recognise(app: &App, text: &str) -> Result<Option<Caller>, Problem> {
    if text.is_empty() || text.len() > LONGEST {
        return Ok(None);
    }
    let hash = app.commands.api_key_hash(text);
    let Some(key) = api_key::hashed(&app.reads, hash).await? else {
        return Ok(None);
    };
    let profile = user::profile(&app.reads, key.member).await?;
    let Some(profile) = profile.filter(|profile| !profile.erased) else {
        return Ok(None);
    };
    note(app, key.id).await;
    Ok(Some(Caller { profile, key }))
}

fn noted(key: ApiKeyId) -> String {
    format!("api-key:{key}")
}

/// Gives when a key was last used, in seconds since 1970, as far as that is remembered.
pub(crate) async fn last_use(app: &App, key: ApiKeyId) -> Option<i64> {
    let kept = app.ephemera.get(&noted(key)).await.ok()??;
    std::str::from_utf8(&kept).ok()?.parse().ok()
}

/// Notes the use; where that can't be kept, the script's work goes on.
async fn note(app: &App, key: ApiKeyId) {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let last = last_use(app, key).await;
    if last.is_none_or(|last| now - last > NOTE_EVERY) {
        let kept = app
            .ephemera
            .put(&noted(key), now.to_string().as_bytes(), REMEMBERED)
            .await;
        if let Err(error) = kept {
            tracing::debug!(%error, "a key's use wasn't noted");
        }
    }
}
