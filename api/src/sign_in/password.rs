//! Another password, and recovery codes for who forgets it: the JSON behind `api::web::password`.
//!
//! Both need the present password, proved anew: a session that somebody left open isn't enough. What
//! changes the password ends the member's other sessions, also by itself: one that was begun before
//! is none ([`session`]).

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commands::Refusal;
use domain::user::{
    Credentials, FEWEST_ITERATIONS, MOST_ITERATIONS, Name, RecoveryCode, Rejection,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Answer, Body, proved_again, scram, unauthorized};
use crate::app::App;
use crate::problem::Problem;
use crate::proof_of_work::{self, Purpose};
use crate::route::{Routes, Who};
use crate::session::{self, SignedIn};

/// Gives the routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .post("/api/auth/password", Who::Member, change)
        .post("/api/auth/recovery-codes", Who::Member, make_codes)
        .post("/api/auth/recover", Who::Anyone, recover)
}

/// Reads what the site shall keep of a password: salt, verifier and server key are 32 bytes in base64
/// each.
pub(super) fn credentials(
    scheme: &str,
    iterations: u32,
    [salt, verifier, server_key]: [&str; 3],
) -> Result<Credentials, Problem> {
    if scheme != scram::SCHEME {
        return Err(Problem::invalid("`authScheme` must be v2."));
    }
    if !(FEWEST_ITERATIONS..=MOST_ITERATIONS).contains(&iterations) {
        return Err(Problem::invalid(
            "`authIterations` must be from 100,000 to 10,000,000.",
        ));
    }
    let bytes = |field: &str, text: &str| {
        let decoded = STANDARD.decode(text).ok();
        let bytes = decoded.and_then(|bytes| <[u8; 32]>::try_from(bytes).ok());
        bytes.ok_or_else(|| Problem::invalid(&format!("`{field}` must be 32 bytes in base64.")))
    };
    Ok(Credentials {
        salt: bytes("authSalt", salt)?,
        iterations,
        verifier: bytes("authVerifier", verifier)?,
        server_key: bytes("authServerKey", server_key)?,
    })
}

/// What the site shall keep of another password.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
#[expect(clippy::struct_field_names, reason = "as in a registration")]
struct Kept {
    auth_salt: String,
    auth_verifier: String,
    auth_server_key: String,
    auth_iterations: u32,
    auth_scheme: String,
}

impl Kept {
    fn credentials(&self) -> Result<Credentials, Problem> {
        let parts = [&self.auth_salt, &self.auth_verifier, &self.auth_server_key];
        let parts = parts.map(String::as_str);
        credentials(&self.auth_scheme, self.auth_iterations, parts)
    }
}

/// The answer to a challenge.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Proved {
    challenge: String,
    proof: String,
    client_nonce: String,
}

impl Proved {
    /// Has the member prove the present password.
    async fn check(&self, app: &App, by: &SignedIn) -> Result<(), Problem> {
        let answer = Answer {
            username: &by.profile.name,
            challenge: &self.challenge,
            proof: &self.proof,
            client_nonce: &self.client_nonce,
        };
        proved_again(app, scram::Purpose::Password, by, &answer).await
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    proof: Proved,
    kept: Kept,
}

async fn change(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(change): Body<Change>,
) -> Result<Json<Value>, Problem> {
    let (by, kept) = (signed_in.profile.id, change.kept.credentials()?);
    change.proof.check(&app, &signed_in).await?;
    app.commands.change_credentials(by, kept).await?;
    session::renew(&app, &signed_in).await?;
    session::end_others(&app, by, Some(signed_in.key())).await?;
    Ok(Json(json!({ "success": true })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    proof: Proved,
}

async fn make_codes(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(asked): Body<Codes>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    asked.proof.check(&app, &signed_in).await?;
    let made = app.commands.make_recovery_codes(signed_in.profile.id);
    let codes: Vec<String> = made.await?.of.iter().map(RecoveryCode::written).collect();
    Ok((StatusCode::CREATED, Json(json!({ "codes": codes }))))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Recovery {
    username: String,
    code: String,
    kept: Kept,
    pow_challenge: String,
    pow_nonce: String,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
async fn recover(
    State(app): State<App>,
    Body(asked): Body<Recovery>,
) -> Result<Json<Value>, Problem> {
    let kept = asked.kept.credentials()?;
    let (challenge, nonce) = (&asked.pow_challenge, &asked.pow_nonce);
    proof_of_work::redeem(&app, Purpose::Recovery, challenge, nonce).await?;
    // Which of the two is wrong isn't told.
    let wrong = || unauthorized("The name or the code is wrong, or the code was used before.");
    let name = Name::parse(&asked.username).map_err(|_| wrong())?;
    let code = RecoveryCode::parse(&asked.code).map_err(|_| wrong())?;
    let recovered = app.commands.recover(&name, &code, kept).await;
    let done = recovered.map_err(|refusal| match refusal {
        Refusal::NotFound | Refusal::Rejected(Rejection::RecoveryCode) => wrong(),
        other => other.into(),
    })?;
    session::end_others(&app, done.of, None).await?;
    Ok(Json(json!({ "success": true })))
}
