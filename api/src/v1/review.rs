//! What the staff says of a torrent that waits.

use axum::Json;
use axum::extract::State;
use domain::Permission;
use domain::api_key::Scope;
use domain::torrent::Verdict;
use serde::Deserialize;
use utoipa::ToSchema;

use super::torrent::{Whole, settled};
use super::{Body, Named};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::web::torrent::{read_id, visible};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let staff = Who::Key(Scope::Moderate, Some(Permission::Torrents));
    Routes::new().api(staff, review, __path_review)
}

/// What is decided.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Decision {
    /// Every member may have it.
    Approve,
    /// Others don't get it.
    Reject,
    /// Its uploader should change something first.
    AskForChanges,
}

/// What is decided, and why.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    verdict: Decision,
    /// Why it is rejected, or what should change; its uploader reads it.
    #[schema(max_length = 1000)]
    reason: Option<String>,
}

/// Approves a torrent that waits, rejects it, or asks its uploader for changes.
#[utoipa::path(
    post, path = "/api/v1/torrents/{id}/review", tag = "torrents", request_body = Said,
    params(("id" = uuid::Uuid, Path, description = "The torrent")),
    responses(
        (status = 200, description = "The torrent as it is now", body = Whole),
        (status = 422, description = "It doesn't wait, or there is no reason"),
    )
)]
async fn review(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
    Body(said): Body<Said>,
) -> Result<Json<Whole>, Problem> {
    let id = visible(&app, &caller, read_id(&id)?).await?.id;
    let reason = said.reason.unwrap_or_default();
    let verdict = match said.verdict {
        Decision::Approve => Verdict::Approve,
        Decision::Reject => Verdict::Reject(reason),
        Decision::AskForChanges => Verdict::AskForChanges(reason),
    };
    let reviewed = app.commands.review(caller.profile.id, id, verdict).await;
    settled(&app, &caller, reviewed).await
}
