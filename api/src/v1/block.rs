//! Addresses that are blocked.

use axum::Json;
use axum::extract::State;
use commands::limit::Block as Held;
use domain::api_key::Scope;
use domain::{Actor, Permission};
use serde::Serialize;
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::Named;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::web::staff::blocks::lifted;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let order = Who::Key(Scope::Moderate, Some(Permission::Members));
    Routes::new()
        .api(order, blocks, __path_blocks)
        .api(order, lift, __path_lift)
}

/// A blocked address.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Block {
    /// A name that only this site can make of the address.
    name: String,
    /// `flood`, `sign-in` or `attack`.
    kind: String,
    /// Why, in words.
    reason: String,
    #[serde(with = "time::serde::rfc3339")]
    since: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    until: OffsetDateTime,
    /// Which block of this address it is.
    times: u32,
}

fn shown(block: &Held) -> Block {
    let at = |seconds| {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    Block {
        name: block.name().to_owned(),
        kind: block.why.name().to_owned(),
        reason: block.reason(),
        since: at(block.since),
        until: at(block.until),
        times: block.times,
    }
}

/// Gives the addresses that are blocked, the longest first.
#[utoipa::path(
    get, path = "/api/v1/blocks", tag = "members",
    responses((status = 200, description = "The blocks", body = Vec<Block>))
)]
async fn blocks(State(app): State<App>) -> Result<Json<Vec<Block>>, Problem> {
    let blocks = app.shield.limiter().blocks().await?;
    Ok(Json(blocks.iter().map(shown).collect()))
}

/// Lifts a block.
#[utoipa::path(
    delete, path = "/api/v1/blocks/{name}", tag = "members",
    params(("name" = String, Path, description = "The block's name")),
    responses((status = 200, description = "The block that was lifted", body = Block))
)]
async fn lift(
    State(app): State<App>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Json<Block>, Problem> {
    let by = Actor::Member(caller.profile.id);
    Ok(Json(shown(&lifted(&app, by, &name).await?)))
}
