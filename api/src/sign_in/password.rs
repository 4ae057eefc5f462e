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
use commands::user::Member;
use domain::user::{
    Credentials, FEWEST_ITERATIONS, MOST_ITERATIONS, Name, RecoveryCode, Rejection,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Answer, Body, folded, proved_again, scram, second_factor, security_key, ticket, unauthorized,
};
use crate::app::App;
use crate::limit::{Client, Try};
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
pub(super) struct Proved {
    challenge: String,
    proof: String,
    client_nonce: String,
}

impl Proved {
    /// Has the member prove the present password.
    pub(super) async fn check(
        &self,
        app: &App,
        by: &SignedIn,
        purpose: scram::Purpose,
    ) -> Result<(), Problem> {
        let answer = Answer {
            username: &by.profile.name,
            challenge: &self.challenge,
            proof: &self.proof,
            client_nonce: &self.client_nonce,
        };
        proved_again(app, purpose, by, &answer).await
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
    let purpose = scram::Purpose::Password;
    change.proof.check(&app, &signed_in, purpose).await?;
    let done = app.commands.change_credentials(by, kept).await?;
    app.reads.wait_for(done.position).await;
    session::renew(&app, &signed_in).await?;
    session::end_others(&app, by, Some(signed_in.key())).await?;
    Ok(Json(json!({ "success": true })))
}

/// What a proof alone is asked for.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Asked {
    pub(super) proof: Proved,
}

async fn make_codes(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(asked): Body<Asked>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let purpose = scram::Purpose::Password;
    asked.proof.check(&app, &signed_in, purpose).await?;
    let made = app.commands.make_recovery_codes(signed_in.profile.id);
    let codes: Vec<String> = made.await?.of.iter().map(RecoveryCode::written).collect();
    Ok((StatusCode::CREATED, Json(json!({ "codes": codes }))))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Recovery {
    username: String,
    code: String,
    /// A code of the device, of who has one.
    second_factor: Option<String>,
    /// What a security key signed, of who has one.
    security_key: Option<security_key::Brought>,
    kept: Kept,
    pow_challenge: String,
    pow_nonce: String,
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
async fn recover(
    State(app): State<App>,
    client: Client,
    Body(asked): Body<Recovery>,
) -> Result<Json<Value>, Problem> {
    let tried = Try::begin(&app, client, &folded(&asked.username)).await?;
    let kept = asked.kept.credentials()?;
    let (challenge, nonce) = (&asked.pow_challenge, &asked.pow_nonce);
    proof_of_work::redeem(&app, Purpose::Recovery, challenge, nonce).await?;
    // Which of the two is wrong isn't told.
    let wrong = || unauthorized("The name or the code is wrong, or the code was used before.");
    let name = Name::parse(&asked.username).map_err(|_| wrong())?;
    let code = RecoveryCode::parse(&asked.code).map_err(|_| wrong())?;
    let counted = tried.counted();
    if let Some(ticket) = check_factor(&app, client, (&asked, counted), (&name, &code)).await? {
        let answer = json!({ "success": false, "secondFactor": ticket, "securityKeys": true });
        return Ok(Json(answer));
    }
    let recovered = app.commands.recover(&name, &code, kept).await;
    let done = recovered.map_err(|refusal| match refusal {
        Refusal::NotFound | Refusal::Rejected(Rejection::RecoveryCode) => wrong(),
        other => other.into(),
    })?;
    app.reads.wait_for(done.position).await;
    session::end_others(&app, done.of, None).await?;
    tried.succeeded(&app).await;
    Ok(Json(json!({ "success": true })))
}

/// Asks who has a second factor for it: a recovery code stands for the password alone. Nobody learns whether
/// somebody has one who has no code of theirs. Who has a key and brought nothing gets a ticket for it.
async fn check_factor(
    app: &App,
    client: Client,
    (asked, counted): (&Recovery, bool),
    (name, code): (&Name, &RecoveryCode),
) -> Result<Option<String>, Problem> {
    let member = app.commands.member_named(name).await?;
    let member = member.filter(|member| app.commands.is_recovery_code(member, code));
    let Some(member) = member.filter(Member::has_second_factor) else {
        return Ok(None);
    };
    let device = asked.second_factor.as_deref().unwrap_or_default();
    if asked.security_key.is_none() && device.is_empty() && !member.security_keys.is_empty() {
        return Ok(Some(ticket::make(app, member.id, counted, true).await?));
    }
    let tried = Try::guess(app, client, &name.folded()).await?;
    if let Some(brought) = &asked.security_key {
        check_key(app, &member, brought).await?;
    } else {
        check_device(app, &member, device).await?;
    }
    tried.succeeded(app).await;
    Ok(None)
}

async fn check_key(
    app: &App,
    member: &Member,
    brought: &security_key::Brought,
) -> Result<(), Problem> {
    let ticket = ticket::read(app, &brought.ticket).await?;
    ticket::check(app, &ticket).await?;
    if !ticket.recovers || ticket.member != member.id {
        return Err(second_factor::refused(
            "Begin again, with the name and the code.",
        ));
    }
    security_key::accepts(app, member, brought).await?;
    ticket::spend(app, &brought.ticket).await?;
    if ticket.counted {
        Try::forget(app, &member.name.folded()).await;
    }
    Ok(())
}

async fn check_device(app: &App, member: &Member, device: &str) -> Result<(), Problem> {
    if let Some(secret) = &member.totp_secret
        && second_factor::spend(app, member.id, secret, device).await?
    {
        return Ok(());
    }
    Err(second_factor::refused(
        "You have a second factor: type the code that your device shows now. It counts once.",
    ))
}
