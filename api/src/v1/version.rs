//! What a torrent's page said before, and the way back.

use axum::Json;
use axum::extract::State;
use domain::Actor;
use domain::api_key::Scope;
use projections::user::Names;
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::Named;
use super::torrent::{Whole, changeable, settled};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::web::torrent::{read_id, version};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .api(Who::Key(Scope::Read, None), versions, __path_versions)
        .api(Who::Key(Scope::Upload, None), bring_back, __path_bring_back)
}

/// What a torrent's page said from one event to the next.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Version {
    /// Its number, starting at 1.
    number: usize,
    /// Where the event stands that made it.
    position: i64,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The name of who wrote it.
    by: Option<String>,
    /// The number of the earlier version that it brought back.
    brings_back: Option<usize>,
    /// The category's slug; nothing for one that is gone.
    category: Option<String>,
    /// Markdown, as written.
    description: String,
}

pub(super) fn named(actor: Actor, names: &Names) -> Option<String> {
    match actor {
        Actor::Member(member) => names.get(&member).cloned(),
        Actor::Operator | Actor::System => None,
    }
}

/// Gives what a torrent's page said at any time, to its uploader and the staff.
#[utoipa::path(
    get, path = "/api/v1/torrents/{id}/versions", tag = "torrents",
    params(("id" = uuid::Uuid, Path, description = "The torrent")),
    responses((status = 200, description = "Every version, the first first", body = Vec<Version>))
)]
async fn versions(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<Vec<Version>>, Problem> {
    let read = version::read(&app, &caller, &id).await?;
    let slug = |category| {
        let found = read.tree.iter().find(|one| one.id == category);
        found.map(|one| one.slug.clone())
    };
    let shown = read.versions.iter().map(|one| Version {
        number: one.number,
        position: one.position.0,
        at: one.at,
        by: named(one.by, &read.names),
        brings_back: one.brings_back,
        category: slug(one.said.category),
        description: one.said.description.clone(),
    });
    Ok(Json(shown.collect()))
}

/// Lets a torrent's page say again what a version of it said.
#[utoipa::path(
    post, path = "/api/v1/torrents/{id}/versions/{number}", tag = "torrents",
    params(
        ("id" = uuid::Uuid, Path, description = "The torrent"),
        ("number" = u32, Path, description = "The version's number"),
    ),
    responses(
        (status = 200, description = "The torrent as it is now", body = Whole),
        (status = 422, description = "It can't be edited now"),
    )
)]
async fn bring_back(
    State(app): State<App>,
    caller: Caller,
    Named((id, number)): Named<(String, String)>,
) -> Result<Json<Whole>, Problem> {
    let id = read_id(&id)?;
    let number = number.parse().map_err(|_| Problem::not_found())?;
    changeable(&app, &caller, id).await?;
    let by = caller.profile.id;
    let brought = app.commands.bring_back(by, id, number).await;
    settled(&app, &caller, brought).await
}
