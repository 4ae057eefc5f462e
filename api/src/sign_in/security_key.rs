//! Security keys: added, asked at the sign-in, and removed; the JSON behind `api::web::security_key`.
//!
//! What a key is asked is kept where tickets are, five minutes, and taken away before its answer is looked at:
//! it is good once, on one node. To add or remove one the password is proved anew.

use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::Response;
use commands::Refusal;
use commands::user::Member;
use domain::user::{Opaque, Rejection};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use webauthn_rs::Webauthn;
use webauthn_rs::prelude::{
    PublicKeyCredential, RegisterPublicKeyCredential, SecurityKeyAuthentication,
    SecurityKeyRegistration,
};

use super::login::Second;
use super::password::Proved;
use super::relying_party::{self, NotGood};
use super::second_factor::{first_codes, refused};
use super::{Body, now, scram, ticket};
use crate::app::App;
use crate::limit::Client;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::{self, SignedIn};

pub(crate) mod reads;

/// Where they are listed, added and removed.
pub(crate) const SET_UP: &str = "/settings/security-keys";
/// Where another one is asked for.
pub(crate) const BEGIN: &str = "/api/auth/security-key/begin";
/// Where another one answers.
pub(crate) const ADD: &str = "/api/auth/security-key/add";
/// Where one is removed.
pub(crate) const REMOVE: &str = "/api/auth/security-key/remove";
/// Where a signature is asked for.
pub(crate) const CHALLENGE: &str = "/api/auth/security-key/challenge";
/// Where a signature is brought.
pub(crate) const BRING: &str = "/api/auth/security-key";

/// How long what was asked waits for its answer.
const WAITS: Duration = Duration::from_mins(5);

/// Gives the routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .post(BEGIN, Who::Member, begin)
        .post(ADD, Who::Member, add)
        .post(REMOVE, Who::Member, remove)
        .post(CHALLENGE, Who::Anyone, challenge)
        .post(BRING, Who::Anyone, bring)
}

fn party(app: &App) -> Result<Webauthn, Problem> {
    let party = relying_party::party(&app.site);
    party.ok_or_else(|| {
        Problem::invalid(
            "Security keys know a site by its name. This one is reached by an address.",
        )
    })
}

fn late() -> Problem {
    refused("This took too long, or was tried before. Begin again.")
}

fn not_good(why: NotGood) -> Problem {
    match why {
        NotGood::Wrong => refused("The key's answer isn't good. Begin again."),
        NotGood::Copied => copied(),
    }
}

fn copied() -> Problem {
    refused(
        "This key's counter went back, so it may be a copy. Sign in another way, and remove the key.",
    )
}

async fn keep<T: Serialize + Sync>(app: &App, place: &str, asked: &T) -> Result<(), Problem> {
    let asked = serde_json::to_vec(asked).unwrap_or_default();
    Ok(app.ephemera.put(place, &asked, WAITS).await?)
}

async fn take<T: DeserializeOwned>(app: &App, place: &str) -> Result<T, Problem> {
    let kept = app.ephemera.take(place).await?;
    let read = kept.and_then(|kept| serde_json::from_slice(&kept).ok());
    read.ok_or_else(late)
}

/// A key that is asked for.
#[derive(Serialize, Deserialize)]
struct Begun {
    name: String,
    state: SecurityKeyRegistration,
}

fn place(by: &SignedIn) -> String {
    format!("security-key-setup:{}", by.key())
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Begin {
    proof: Proved,
    name: String,
}

async fn begin(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(asked): Body<Begin>,
) -> Result<Json<Value>, Problem> {
    let party = party(&app)?;
    let purpose = scram::Purpose::SecondFactor;
    asked.proof.check(&app, &signed_in, purpose).await?;
    let member = app.commands.member(signed_in.profile.id).await?;
    let member = member.ok_or_else(Problem::not_found)?;
    let held = member.security_keys.into_iter();
    let held = held.map(|one| one.key.id.0).collect();
    let whose = (member.id.0, member.name.as_str());
    let begun = relying_party::ask_for_new(&party, whose, held);
    let (options, state) = begun.map_err(not_good)?;
    let name = asked.name;
    keep(&app, &place(&signed_in), &Begun { name, state }).await?;
    Ok(Json(json!(options)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Add {
    credential: RegisterPublicKeyCredential,
}

async fn add(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(asked): Body<Add>,
) -> Result<(StatusCode, Json<Value>), Problem> {
    let (party, by) = (party(&app)?, signed_in.profile.id);
    let Begun { name, state } = take(&app, &place(&signed_in)).await?;
    let key = relying_party::take(&party, &asked.credential, &state, (name, now()));
    let key = key.map_err(not_good)?;
    let member = app.commands.member(by).await?;
    let member = member.ok_or_else(Problem::not_found)?;
    let done = app.commands.add_security_key(by, key).await?;
    app.reads.wait_for(done.position).await;
    if !member.has_second_factor() {
        // What was begun by the password alone is over by the event itself.
        session::renew(&app, &signed_in).await?;
        session::end_others(&app, by, Some(signed_in.key())).await?;
    }
    let codes = first_codes(&app, &member).await?;
    let answer = json!({ "success": true, "codes": codes });
    Ok((StatusCode::CREATED, Json(answer)))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Remove {
    proof: Proved,
    key: Opaque,
}

async fn remove(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(asked): Body<Remove>,
) -> Result<Json<Value>, Problem> {
    let (by, purpose) = (signed_in.profile.id, scram::Purpose::SecondFactor);
    asked.proof.check(&app, &signed_in, purpose).await?;
    let done = app.commands.remove_security_key(by, asked.key).await?;
    app.reads.wait_for(done.position).await;
    Ok(Json(json!({ "success": true })))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Asked {
    ticket: String,
}

async fn challenge(
    State(app): State<App>,
    Body(asked): Body<Asked>,
) -> Result<Json<Value>, Problem> {
    let party = party(&app)?;
    let ticket = ticket::read(&app, &asked.ticket).await?;
    ticket::check(&app, &ticket).await?;
    let member = app.commands.member(ticket.member).await?;
    let held = member
        .map(|member| member.security_keys)
        .unwrap_or_default();
    if held.is_empty() {
        return Err(refused("You have no security key. Bring a code."));
    }
    let held = held.into_iter().map(|one| one.key);
    let (options, state) = relying_party::ask(&party, held).map_err(not_good)?;
    keep(&app, &asked_by(&asked.ticket), &state).await?;
    Ok(Json(json!(options)))
}

fn asked_by(ticket: &str) -> String {
    ticket::key("security-key-challenge", ticket)
}

/// A signature that is brought for a ticket.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Brought {
    pub(super) ticket: String,
    credential: PublicKeyCredential,
}

async fn bring(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Body(brought): Body<Brought>,
) -> Result<Response, Problem> {
    let second = Second::begin(&app, client, &brought.ticket).await?;
    accepts(&app, &second.member, &brought).await?;
    second.succeeded(&app, client, &headers).await
}

/// Checks the signature of a member's key, and notes that it was used.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
pub(super) async fn accepts(app: &App, member: &Member, brought: &Brought) -> Result<(), Problem> {
    let party = party(app)?;
    let state: SecurityKeyAuthentication = take(app, &asked_by(&brought.ticket)).await?;
    let signed = relying_party::check(&party, &brought.credential, &state).map_err(not_good)?;
    // A site that is shown as it once stood can't note that one was used.
    if app.site.as_of.is_some() {
        return Ok(());
    }
    let used = app
        .commands
        .use_security_key(member.id, &signed.id, signed.counter, now());
    used.await.map_err(|refusal| match refusal {
        Refusal::Rejected(Rejection::KeyCopied) => copied(),
        Refusal::Rejected(Rejection::KeyUnknown) => not_good(NotGood::Wrong),
        other => other.into(),
    })?;
    Ok(())
}
