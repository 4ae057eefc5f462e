//! Erasing a member for ever: themself, or another one by an administrator.
//!
//! Who asks types the phrase and proves the password anew, by a challenge that is good for nothing
//! else. The page is `api::web::erasure`.

use axum::Json;
use axum::extract::{Path, State};
use axum::http::header::SET_COOKIE;
use axum::response::{IntoResponse as _, Response};
use domain::user::Name;
use domain::{Actor, Permission};
use projections::user::{self, Profile};
use serde::Deserialize;
use serde_json::json;

use super::{Answer, Body, proved_again, scram};
use crate::app::App;
use crate::network;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::{self, SignedIn};

/// Where a member erases themself.
pub(crate) const OWN: &str = "/api/auth/erase";

/// Gives the routes.
pub(super) fn routes() -> Routes {
    Routes::new().post(OWN, Who::Member, own).post(
        "/api/admin/members/{name}/erase",
        Who::May(Permission::Administer),
        other,
    )
}

/// Gives what is typed to erase a member of a name.
pub(crate) fn phrase(name: &str) -> String {
    format!("ERASE {name}")
}

/// Gives the profile of a name; an erased member has none.
pub(crate) async fn named(app: &App, name: &str) -> Result<Profile, Problem> {
    let name = Name::parse(name).map_err(|_| Problem::not_found())?;
    let found = user::named(&app.reads, &name).await?;
    found.ok_or_else(Problem::not_found)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Asked {
    confirm: String,
    challenge: String,
    proof: String,
    client_nonce: String,
}

async fn own(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(asked): Body<Asked>,
) -> Result<Response, Problem> {
    erase(&app, &signed_in, &signed_in.profile, &asked).await?;
    let answer = Json(json!({ "success": true }));
    Ok(([(SET_COOKIE, session::ended(&app)?)], answer).into_response())
}

async fn other(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    Body(asked): Body<Asked>,
) -> Result<Response, Problem> {
    let member = named(&app, &name).await?;
    erase(&app, &signed_in, &member, &asked).await?;
    Ok(Json(json!({ "success": true })).into_response())
}

async fn erase(app: &App, by: &SignedIn, member: &Profile, asked: &Asked) -> Result<(), Problem> {
    let phrase = phrase(&member.name);
    if asked.confirm != phrase {
        return Err(Problem::invalid(&format!(
            "Type {phrase} exactly as it stands here. Nothing was changed."
        )));
    }
    let answer = Answer {
        username: &by.profile.name,
        challenge: &asked.challenge,
        proof: &asked.proof,
        client_nonce: &asked.client_nonce,
    };
    proved_again(app, scram::Purpose::Erasure, by, &answer).await?;
    let actor = Actor::Member(by.profile.id);
    let done = app.commands.erase_member(actor, member.id).await?;
    app.reads.wait_for(done.position).await;
    // Where this fails, the session itself finds that its member is no more.
    network::forget(app, member.id).await?;
    session::end_others(app, member.id, None).await
}
