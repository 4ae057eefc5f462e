//! The sign-in itself: the password's proof, and a code of the member's device where there is a second
//! factor.
//!
//! Who proved the password and needs more gets a [`ticket`], which is good for nothing but to bring it: a code,
//! a recovery code in its place, once, or the signature of a [`super::security_key`].

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use commands::user::Member;
use domain::Permission;
use domain::id::MemberId;
use domain::user::{Ban, Credentials};
use serde::Deserialize;
use serde_json::json;

use super::ticket::{self, Ticket};
use super::{Answer, Body, folded, now, proved, scram, second_factor};
use crate::app::App;
use crate::limit::{Client, Try};
use crate::network;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session;

/// Where a code is brought.
pub(crate) const BRING: &str = "/api/auth/second-factor";

/// Gives the routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .post("/api/auth/login", Who::Anyone, login)
        .post(BRING, Who::Anyone, bring_code)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Login {
    username: String,
    challenge: String,
    proof: String,
    client_nonce: String,
}

async fn login(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(login): Body<Login>,
) -> Result<Response, Problem> {
    let tried = Try::begin(&app, client, &folded(&login.username)).await?;
    let answer = Answer {
        username: &login.username,
        challenge: &login.challenge,
        proof: &login.proof,
        client_nonce: &login.client_nonce,
    };
    let (member, signature) = proved(&app, scram::Purpose::SignIn, &answer).await?;
    let member = let_in(&app, member, client).await?;
    let signature = STANDARD.encode(signature);
    if member.has_second_factor() {
        let ticket = ticket::make(&app, member.id, tried.counted(), false).await?;
        let answer = json!({
            "success": false, "secondFactor": ticket, "serverSignature": signature,
            "securityKeys": !member.security_keys.is_empty(),
        });
        return Ok(Json(answer).into_response());
    }
    let begun = begin(&app, &member, (client, &headers), Some(signature)).await?;
    tried.succeeded(&app).await;
    Ok(begun)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Brought {
    ticket: String,
    code: String,
}

async fn bring_code(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(brought): Body<Brought>,
) -> Result<Response, Problem> {
    let second = Second::begin(&app, client, &brought.ticket).await?;
    if !second_factor::accepts(&app, &second.member, &brought.code).await? {
        return Err(second_factor::wrong());
    }
    second.succeeded(&app, client, &headers).await
}

/// A second factor that is brought for a ticket.
pub(super) struct Second<'a> {
    pub(super) member: Member,
    text: &'a str,
    ticket: Ticket,
    tried: Try,
}

impl<'a> Second<'a> {
    /// Counts a try with a ticket that is good, or refuses it.
    pub(super) async fn begin(app: &App, client: Client, text: &'a str) -> Result<Self, Problem> {
        let ticket = ticket::read(app, text).await?;
        let member = let_in(app, ticket.member, client).await?;
        let tried = Try::guess(app, client, &member.name.folded()).await?;
        ticket::check(app, &ticket).await?;
        if ticket.recovers {
            return Err(second_factor::refused("Sign in with the new password."));
        }
        Ok(Self {
            member,
            text,
            ticket,
            tried,
        })
    }

    /// Begins the session; of many at once, one does.
    pub(super) async fn succeeded(
        self,
        app: &App,
        client: Client,
        headers: &HeaderMap,
    ) -> Result<Response, Problem> {
        ticket::spend(app, self.text).await?;
        let begun = begin(app, &self.member, (client, headers), None).await?;
        self.tried.succeeded(app).await;
        if self.ticket.counted {
            Try::forget(app, &self.member.name.folded()).await;
        }
        Ok(begun)
    }
}

/// Gives a member who proved the password, unless they, or where they come from, are banned.
async fn let_in(app: &App, member: MemberId, client: Client) -> Result<Member, Problem> {
    let found = app.commands.member(member).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    if let Some(ban) = found.ban.as_ref().filter(|ban| ban.holds(now())) {
        return Err(banned(ban));
    }
    // Who can lift it gets in.
    let permissions = app.commands.permissions(member).await?;
    if !permissions.has(Permission::Members) {
        network::check(app, client).await?;
    }
    Ok(found)
}

async fn begin(
    app: &App,
    member: &Member,
    (client, headers): (Client, &HeaderMap),
    signature: Option<String>,
) -> Result<Response, Problem> {
    let cookie = session::begin(app, member.id, client, headers).await?;
    let answer = json!({
        "success": true, "serverSignature": signature,
        "user": { "id": member.id, "name": member.name.as_str(), "role": member.role },
    });
    Ok(([(header::SET_COOKIE, cookie)], Json(answer)).into_response())
}

/// Says that a member is shut out, why, and until when.
fn banned(ban: &Ban) -> Problem {
    let reason = ban.reason.trim_end_matches('.');
    let detail = format!("You are banned: {reason}.{}", network::ends(ban.until));
    Problem::new(StatusCode::FORBIDDEN, "banned", "You are banned", &detail)
}

/// Reads what is sent to sign in and checks the proof against credentials that nobody knows.
pub(crate) fn reads_login(body: &[u8], credentials: &Credentials) -> Option<[u8; 32]> {
    let login: Login = serde_json::from_slice(body).ok()?;
    let proof = STANDARD.decode(login.proof).ok()?.try_into().ok()?;
    let transcript = scram::transcript(&scram::Exchange {
        purpose: scram::Purpose::SignIn,
        origin: "https://tracker.example",
        username: &login.username,
        credentials,
        challenge: &login.challenge,
        client_nonce: &login.client_nonce,
    });
    scram::verify(credentials, &transcript, &proof)
}
