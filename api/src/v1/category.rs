//! The category tree.

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
    Routes::new().api(Who::Key(Scope::Read, None), categories, __path_categories)
}

/// A category.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Category {
    id: Uuid,
    /// What stands in addresses, and in what is uploaded.
    slug: String,
    name: String,
    /// How deep it stands: 0 at the top.
    depth: i32,
    /// Whether nothing more is put into it.
    retired: bool,
}

/// Gives the category tree, each category behind the one above it.
#[utoipa::path(
    get, path = "/api/v1/categories", tag = "torrents",
    responses((status = 200, description = "The tree", body = Vec<Category>))
)]
async fn categories(State(app): State<App>) -> Result<Json<Vec<Category>>, Problem> {
    let tree = projections::category::tree(&app.reads).await?;
    let category = |one: projections::category::Category| Category {
        id: one.id.0,
        slug: one.slug,
        name: one.name,
        depth: one.depth,
        retired: one.retired,
    };
    Ok(Json(tree.iter().cloned().map(category).collect()))
}
