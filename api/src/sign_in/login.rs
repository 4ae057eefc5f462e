//! The sign-in itself: the password's proof, and a code of the member's device where there is a second
//! factor.
//!
//! Who proved the password and needs a code gets a ticket, which is good for nothing but to bring it. A
//! recovery code does in place of the device's, once.

use std::time::Duration;

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
use serde::{Deserialize, Serialize};
use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::{Answer, Body, folded, now, proved, scram, second_factor, unauthorized};
use crate::app::App;
use crate::limit::{Client, Try};
use crate::network;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session;

/// Where a code is brought.
pub(crate) const BRING: &str = "/api/auth/second-factor";
/// How long a ticket holds.
const TICKET: Duration = Duration::from_mins(5);

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
    if member.totp_secret.is_some() {
        let ticket = ticket(&app, member.id, tried.counted()).await?;
        let answer =
            json!({ "success": false, "secondFactor": ticket, "serverSignature": signature });
        return Ok(Json(answer).into_response());
    }
    let begun = begin(&app, &member, (client, &headers), Some(signature)).await?;
    tried.succeeded(&app).await;
    Ok(begun)
}

/// What whoever proved the password may do: bring a code.
#[derive(Serialize, Deserialize)]
struct Ticket {
    member: MemberId,
    /// Seconds since 1970.
    at: i64,
    /// Whether the try counts for the name till the code succeeds.
    counted: bool,
}

fn ticket_key(ticket: &str) -> String {
    format!("sign-in-ticket:{}", hex::encode(Sha256::digest(ticket)))
}

async fn ticket(app: &App, member: MemberId, counted: bool) -> Result<String, Problem> {
    let mut random = [0; 32];
    app.random.fill(&mut random);
    let text = hex::encode(random);
    let at = session::proved_at(app, member).await?;
    let ticket = Ticket {
        member,
        at,
        counted,
    };
    let ticket = serde_json::to_vec(&ticket).unwrap_or_default();
    app.ephemera
        .put(&ticket_key(&text), &ticket, TICKET)
        .await?;
    Ok(text)
}

/// Tells since when a member's password holds, where it isn't the first one.
async fn proves_since(app: &App, member: MemberId) -> Result<Option<i64>, Problem> {
    let profile = projections::user::profile(&app.reads, member).await?;
    Ok(profile.and_then(|profile| profile.proves_since))
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
    let over = || unauthorized("This took too long. Load the page and sign in again.");
    let key = ticket_key(&brought.ticket);
    let kept = app.ephemera.get(&key).await?;
    let ticket = kept.and_then(|kept| serde_json::from_slice::<Ticket>(&kept).ok());
    let ticket = ticket.ok_or_else(over)?;
    let member = let_in(&app, ticket.member, client).await?;
    let tried = Try::guess(&app, client, &member.name.folded()).await?;
    let since = proves_since(&app, member.id).await?;
    if since.is_some_and(|since| ticket.at <= since) {
        return Err(over());
    }
    if !second_factor::accepts(&app, &member, &brought.code).await? {
        return Err(second_factor::wrong());
    }
    app.ephemera.take(&key).await?.ok_or_else(over)?;
    let begun = begin(&app, &member, (client, &headers), None).await?;
    tried.succeeded(&app).await;
    if ticket.counted {
        Try::forget(&app, &member.name.folded()).await;
    }
    Ok(begun)
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
