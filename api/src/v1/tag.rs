//! The tags with which torrents are marked.

use axum::Json;
use axum::extract::State;
use domain::api_key::Scope;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new().api(Who::Key(Scope::Read, None), tags, __path_tags)
}

/// A tag.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tag {
    id: Uuid,
    name: String,
    /// `grey`, `red`, `orange`, `yellow`, `green`, `teal`, `blue`, `violet` or `pink`.
    colour: &'static str,
    /// Whether nothing more is marked with it.
    retired: bool,
}

/// Gives every tag in order.
#[utoipa::path(
    get, path = "/api/v1/tags", tag = "torrents",
    responses((status = 200, description = "The tags", body = Vec<Tag>))
)]
async fn tags(State(app): State<App>) -> Result<Json<Vec<Tag>>, Problem> {
    let tags = projections::tag::all(&app.reads).await?;
    let tag = |one: projections::tag::Tag| Tag {
        id: one.id.0,
        name: one.name,
        colour: one.colour.name(),
        retired: one.retired,
    };
    Ok(Json(tags.iter().cloned().map(tag).collect()))
}
