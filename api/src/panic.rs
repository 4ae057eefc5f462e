//! The panic, for programs and for the page's own module: how the vault stands, and the press.
//!
//! Who presses types the phrase and proves the login anew, by a challenge that is good for nothing
//! else: a session that somebody left open isn't enough.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use domain::Permission;
use serde::{Deserialize, Serialize};
use serde_json::json;
use utoipa::ToSchema;

use crate::app::App;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::session::SignedIn;
use crate::sign_in::{self, Answer, Body, scram};
use crate::vault::{NotDone, PHRASE, Standing};

pub(crate) mod strength;

/// Where the panic is asked for.
pub(crate) const PRESS: &str = "/api/admin/panic/encrypt";
/// Where the way back is asked for.
pub(crate) const RESTORE: &str = "/api/admin/panic/restore";

/// Gives the routes of the living site.
pub(crate) fn routes() -> Routes {
    let leads_back = async || Redirect::to("/");
    Routes::new()
        .api(Who::Anyone, standing, __path_standing)
        .post(PRESS, Who::May(Permission::Administer), press)
        .post(RESTORE, Who::Anyone, nothing_to_restore)
        // Where the sealed page was: it leads to the site, which is back.
        .get("/restore", Who::Anyone, leads_back)
        .post("/restore", Who::Anyone, leads_back)
}

/// Writes how the vault stands.
pub(crate) fn told(standing: &Standing) -> Json<Told> {
    Json(Told {
        state: standing.state.name(),
        doing: standing.doing.clone(),
        done: standing.done,
        total: standing.total,
        trouble: standing.trouble.clone(),
    })
}

/// How the vault stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Vault)]
pub(crate) struct Told {
    /// What is being done about it, in a few words.
    doing: String,
    /// How much of that is done.
    done: i64,
    /// `open`, `sealing`, `sealed` or `restoring`.
    state: &'static str,
    /// How much there is to do.
    total: i64,
    /// Why this node doesn't serve, or why the work waits.
    trouble: Option<String>,
}

/// Tells how the vault stands, also while the site is sealed.
#[utoipa::path(
    get, path = "/api/v1/panic", tag = "site",
    responses((status = 200, description = "How the vault stands", body = Told))
)]
async fn standing(State(app): State<App>) -> Response {
    told(&app.vault.standing().borrow()).into_response()
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Press {
    confirm: String,
    challenge: String,
    proof: String,
    client_nonce: String,
}

async fn press(
    State(app): State<App>,
    signed_in: SignedIn,
    Body(press): Body<Press>,
) -> Result<Response, Problem> {
    if press.confirm != PHRASE {
        return Err(Problem::invalid(&format!(
            "Type {PHRASE} exactly as it stands here. Nothing was changed."
        )));
    }
    let name = signed_in.profile.name.as_str();
    let answer = Answer {
        username: name,
        challenge: &press.challenge,
        proof: &press.proof,
        client_nonce: &press.client_nonce,
    };
    sign_in::proved_again(&app, scram::Purpose::Panic, &signed_in, &answer).await?;
    let by = signed_in.profile.id;
    tracing::warn!(member = %by, "an administrator seals the site");
    // It is carried out to its end, whether or not the browser waits for it.
    let vault = std::sync::Arc::clone(&app.vault);
    let sealed = tokio::spawn(async move { vault.seal(by).await }).await;
    sealed.unwrap_or(Err(NotDone::Away)).map_err(not_done)?;
    Ok(Json(json!({ "state": "sealing" })).into_response())
}

async fn nothing_to_restore() -> Problem {
    let detail = "The site is open, so there is nothing to restore.";
    Problem::conflict("open", "Nothing to restore", detail)
}

/// Says why the vault didn't do it.
pub(crate) fn not_done(why: NotDone) -> Problem {
    match why {
        NotDone::Wrong => Problem::new(
            StatusCode::UNAUTHORIZED,
            "wrong-password",
            "This isn't the Panic Password",
            "This isn't the Panic Password. Nothing was changed. Try again, and look at capital letters and spaces.",
        ),
        NotDone::Busy => Problem::too_often(
            "Somebody else is trying a Panic Password just now. Nothing was changed. Try again in a moment.",
            2,
        ),
        NotDone::Refused(why) => Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "rejected",
            "This can't be done",
            &sentence(&why),
        ),
        NotDone::Away => Problem::unavailable(),
    }
}
