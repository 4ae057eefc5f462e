//! A second factor: set up, asked, and turned off; the JSON behind `api::web::second_factor`.
//!
//! A code counts once, on every node and after a restart: its step is an event. What sets a second factor up
//! or turns it off needs the password, proved anew. Other sessions end when it is set up: they were begun
//! without it. Who gets a first one and has no recovery codes gets those too.

use std::time::Duration;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse as _, Redirect, Response};
use commands::Refusal;
use commands::user::Member;
use domain::id::MemberId;
use domain::setting::Key;
use domain::user::{RecoveryCode, Rejection, TotpSecret};
use domain::{Actor, Permission};
use projections::user::Profile;
use serde::Deserialize;
use serde_json::{Value, json};

use super::erasure::named;
use super::password::{Asked, Proved};
use super::{Body, now, scram, security_key};
use crate::app::App;
use crate::panic;
use crate::problem::{self, Problem};
use crate::route::{Routes, Who};
use crate::session::{self, SignedIn};

/// How long it is known that a code was used: longer than any is good.
const SPENT: Duration = Duration::from_mins(3);
/// How long a secret waits for its first code.
const WAITS: Duration = Duration::from_hours(1);

pub(crate) const ENABLE: &str = "/api/auth/second-factor/enable";
/// Where a member turns their own off.
pub(crate) const DISABLE: &str = "/api/auth/second-factor/disable";
/// Where it is set up.
pub(crate) const SET_UP: &str = "/settings/second-factor";

/// Gives the routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .post(ENABLE, Who::Member, enable)
        .post(DISABLE, Who::Member, disable)
        .post(
            "/api/admin/members/{name}/second-factor/disable",
            Who::May(Permission::Administer),
            disable_other,
        )
}

/// Tells whether a member is of the staff and lacks the second factor that the site asks of the staff.
pub(crate) fn is_missing(app: &App, profile: &Profile) -> bool {
    !profile.second_factor
        && profile.permissions().are_of_the_staff()
        && (app.site.live.get().values).switch(Key::StaffSecondFactor)
}

/// Gives the refusal for whom it is asked of, but where they set it up, leave, or press for a panic, which
/// waits for nothing.
pub(crate) fn refusal(app: &App, profile: &Profile, parts: &Parts) -> Option<Response> {
    let path = parts.uri.path();
    let free = [
        SET_UP,
        ENABLE,
        security_key::SET_UP,
        security_key::BEGIN,
        security_key::ADD,
        "/api/auth/logout",
        "/sign-out",
        "/staff/panic",
        panic::PRESS,
    ];
    if free.contains(&path) || !is_missing(app, profile) {
        return None;
    }
    if parts.method == Method::GET && problem::reads_html(&parts.headers) {
        return Some(Redirect::to(SET_UP).into_response());
    }
    let (title, detail) = (
        "A second factor is needed",
        "The staff of this site needs one. Set it up at /settings/second-factor; until then you may do nothing else here.",
    );
    let status = StatusCode::FORBIDDEN;
    Some(Problem::new(status, "second-factor-needed", title, detail).into_response())
}

/// Says that a code wasn't good.
pub(super) fn wrong() -> Problem {
    refused("The code is wrong, or was used before. Wait for the next one.")
}

/// Says what is wrong with the second factor.
pub(super) fn refused(detail: &str) -> Problem {
    let title = "Your second factor is needed";
    Problem::new(StatusCode::UNAUTHORIZED, "second-factor", title, detail)
}

/// Spends a code of a member's device, or a recovery code in place of it; tells whether it was good.
pub(super) async fn accepts(app: &App, member: &Member, code: &str) -> Result<bool, Problem> {
    if let Some(secret) = &member.totp_secret
        && spend(app, member.id, secret, code).await?
    {
        return Ok(true);
    }
    // A site that is shown as it once stood can't note that one was used.
    let Some(code) = RecoveryCode::parse(code)
        .ok()
        .filter(|_| app.site.as_of.is_none())
    else {
        return Ok(false);
    };
    match app.commands.use_recovery_code(member.id, &code).await {
        Ok(_) => Ok(true),
        Err(Refusal::Rejected(Rejection::RecoveryCode)) => Ok(false),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Spends a code of a device; tells whether it was good.
pub(super) async fn spend(
    app: &App,
    member: MemberId,
    secret: &TotpSecret,
    code: &str,
) -> Result<bool, Problem> {
    let Some(step) = step(secret, code) else {
        return Ok(false);
    };
    // A site that is shown as it once stood can't note that one was used.
    if app.site.as_of.is_some() {
        let spent = format!("totp:{member}:{step}");
        return Ok(app.ephemera.put_new(&spent, b"", SPENT).await?);
    }
    match app.commands.use_device_code(member, step).await {
        Ok(_) => Ok(true),
        Err(Refusal::Rejected(Rejection::CodeUsed)) => Ok(false),
        Err(refusal) => Err(refusal.into()),
    }
}

/// Finds the step of a code as it was typed.
fn step(secret: &TotpSecret, code: &str) -> Option<i64> {
    let digits = code.chars().filter(|c| !c.is_whitespace());
    let code: String = digits.take(7).collect();
    secret.step(&code, now())
}

/// Makes recovery codes for who gets a second factor and has none.
pub(super) async fn first_codes(app: &App, member: &Member) -> Result<Vec<String>, Problem> {
    if member.has_second_factor() || !member.recovery.is_empty() {
        return Ok(vec![]);
    }
    let made = app.commands.make_recovery_codes(member.id).await?;
    Ok(made.of.iter().map(RecoveryCode::written).collect())
}

fn waiting(by: &SignedIn) -> String {
    format!("totp-setup:{}", by.key())
}

/// Gives the secret that waits for its first code in this session; makes one where there is none.
pub(crate) async fn pending(app: &App, by: &SignedIn) -> Result<TotpSecret, Problem> {
    let mut random = [0; 20];
    app.random.fill(&mut random);
    let new = TotpSecret::new(random).reveal();
    let key = waiting(by);
    app.ephemera.put_new(&key, new.as_bytes(), WAITS).await?;
    let kept = app.ephemera.get(&key).await?;
    read(kept).ok_or_else(Problem::unavailable)
}

fn read(kept: Option<Vec<u8>>) -> Option<TotpSecret> {
    TotpSecret::try_from(String::from_utf8(kept?).ok()?).ok()
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Enable {
    proof: Proved,
    code: String,
}

async fn enable(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(asked): Body<Enable>,
) -> Result<Json<Value>, Problem> {
    let (by, key) = (signed_in.profile.id, waiting(&signed_in));
    let secret = read(app.ephemera.get(&key).await?);
    let secret = secret
        .ok_or_else(|| refused("This took too long. Load the page: it shows another secret."))?;
    let purpose = scram::Purpose::SecondFactor;
    asked.proof.check(&app, &signed_in, purpose).await?;
    let step = step(&secret, &asked.code).ok_or_else(wrong)?;
    let member = app.commands.member(by).await?;
    let member = member.ok_or_else(Problem::not_found)?;
    let enabled = app.commands.enable_second_factor(by, secret, step);
    let done = enabled.await?;
    app.reads.wait_for(done.position).await;
    // What was begun by the password alone is over by the event itself.
    session::renew(&app, &signed_in).await?;
    app.ephemera.take(&key).await?;
    session::end_others(&app, by, Some(signed_in.key())).await?;
    let codes = first_codes(&app, &member).await?;
    Ok(Json(json!({ "success": true, "codes": codes })))
}

async fn disable(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(asked): Body<Asked>,
) -> Result<Json<Value>, Problem> {
    turn_off(&app, &signed_in, signed_in.profile.id, &asked).await
}

async fn disable_other(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<Json<Value>, Problem> {
    let member = named(&app, &name).await?;
    turn_off(&app, &signed_in, member.id, &asked).await
}

async fn turn_off(
    app: &App,
    by: &SignedIn,
    member: MemberId,
    asked: &Asked,
) -> Result<Json<Value>, Problem> {
    let purpose = scram::Purpose::SecondFactor;
    asked.proof.check(app, by, purpose).await?;
    let by = Actor::Member(by.profile.id);
    let done = app.commands.disable_second_factor(by, member).await?;
    app.reads.wait_for(done.position).await;
    Ok(Json(json!({ "success": true })))
}
