//! What the key's member is told.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use domain::Position;
use domain::api_key::Scope;
use projections::notification;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::{Asked, Body, Listed, Paged};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::web::notification::{address, eyes, looked, said};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .api(
            Who::Key(Scope::Read, None),
            notifications,
            __path_notifications,
        )
        .api(
            Who::Key(Scope::Upload, None),
            read_notifications,
            __path_read_notifications,
        )
}

/// Something that the member is told.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Notification {
    /// Where the event stands that tells it.
    position: i64,
    /// What happened, such as `answered`.
    kind: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The same in words.
    text: String,
    /// Why, in the words of the staff.
    reason: Option<String>,
    /// The path to which it leads.
    path: String,
    /// Whether it is new.
    unread: bool,
}

/// Gives what the key's member is told, the latest first.
#[utoipa::path(
    get, path = "/api/v1/notifications", tag = "notifications", params(Paged),
    responses((status = 200, description = "A page of notifications", body = Listed<Notification>))
)]
async fn notifications(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Asked(paged): Asked<Paged>,
) -> Result<Json<Listed<Notification>>, Problem> {
    let (from, limit) = (paged.cursor(), paged.limit()?);
    let looked = looked(&app, caller.profile.id).await?;
    let eyes = eyes(&caller, &looked);
    let rows = notification::list(&app.reads, eyes, from.as_ref(), limit).await?;
    let shown = |one: notification::Notification| Notification {
        text: said(&one),
        path: address(&one, &caller.profile.name),
        position: one.position,
        kind: one.kind.name().to_owned(),
        at: one.at,
        reason: one.reason,
        unread: one.unread,
    };
    Ok(Json(Listed::of(&uri, rows, shown)))
}

/// Up to where everything is read.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Read {
    /// The position of the latest notification that was seen.
    #[schema(minimum = 0)]
    upto: i64,
}

/// Notes that every notification up to a position is read.
#[utoipa::path(
    post, path = "/api/v1/notifications/read", tag = "notifications", request_body = Read,
    responses((status = 204, description = "It is noted"))
)]
async fn read_notifications(
    State(app): State<App>,
    caller: Caller,
    Body(read): Body<Read>,
) -> Result<StatusCode, Problem> {
    // What isn't there yet can't be read.
    let head = app.feed.head().await?;
    let upto = Position(read.upto.clamp(0, head.0));
    let done = app.commands.read_notifications(caller.profile.id, upto);
    app.reads.wait_for(done.await?).await;
    Ok(StatusCode::NO_CONTENT)
}
