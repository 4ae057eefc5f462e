//! The projections: how far they are, a rebuild, another try.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use domain::Permission;
use domain::api_key::Scope;
use projections::rebuild::Rebuilding;
use serde::Serialize;
use utoipa::ToSchema;

use super::Named;
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::web::staff::{Projected, standing};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let administer = Who::Key(Scope::Administer, Some(Permission::Administer));
    Routes::new()
        .api(administer, projections, __path_projections)
        .api(administer, rebuild, __path_rebuild)
        .api(administer, retry, __path_retry)
}

/// How far a projection is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Projection {
    name: String,
    /// The last position that it applied.
    position: i64,
    /// Positions that it hasn't applied.
    behind: i64,
    /// Since how many milliseconds the first of them waits.
    waits_ms: i64,
    /// Why it stopped, where it did.
    stopped: Option<String>,
    /// How far it is filled anew, while it is.
    rebuilding: Option<Progress>,
}

/// How far a rebuild is.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Progress {
    /// The last position that is filled in.
    position: Option<i64>,
    /// The position that it must reach.
    of: Option<i64>,
    /// Why it failed, where it did.
    failed: Option<String>,
}

fn progress(rebuilding: Rebuilding) -> Progress {
    match rebuilding {
        Rebuilding::At { position, of } => Progress {
            position: Some(position.0),
            of: Some(of.0),
            failed: None,
        },
        Rebuilding::Failed(reason) => Progress {
            position: None,
            of: None,
            failed: Some(reason),
        },
    }
}

fn shown(one: Projected) -> Projection {
    Projection {
        name: one.name.to_owned(),
        position: one.standing.position.0,
        behind: one.behind,
        waits_ms: one.waits,
        stopped: one.standing.stopped,
        rebuilding: one.rebuilding.map(progress),
    }
}

/// Gives how far every projection is.
#[utoipa::path(
    get, path = "/api/v1/projections", tag = "site",
    responses((status = 200, description = "Every projection", body = Vec<Projection>))
)]
async fn projections(State(app): State<App>) -> Result<Json<Vec<Projection>>, Problem> {
    let all = standing(&app).await?;
    Ok(Json(all.into_iter().map(shown).collect()))
}

/// Fills a projection anew beside the living one.
#[utoipa::path(
    post, path = "/api/v1/projections/{name}/rebuild", tag = "site",
    params(("name" = String, Path, description = "The projection's name")),
    responses((status = 202, description = "It goes on, and `GET /api/v1/projections` tells how far it is"))
)]
async fn rebuild(
    State(app): State<App>,
    Named(name): Named<String>,
) -> Result<StatusCode, Problem> {
    let started = app.rebuilds.start(&name).then_some(StatusCode::ACCEPTED);
    started.ok_or_else(Problem::not_found)
}

/// Lets a stopped projection try again.
#[utoipa::path(
    post, path = "/api/v1/projections/{name}/retry", tag = "site",
    params(("name" = String, Path, description = "The projection's name")),
    responses((status = 202, description = "It tries, if it was stopped"))
)]
async fn retry(State(app): State<App>, Named(name): Named<String>) -> Result<StatusCode, Problem> {
    let known = standing(&app).await?.iter().any(|one| one.name == name);
    if !known {
        return Err(Problem::not_found());
    }
    app.reads.retry(&name).await?;
    Ok(StatusCode::ACCEPTED)
}
