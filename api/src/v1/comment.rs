//! Comments below torrents.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use commands::Refusal;
use domain::api_key::Scope;
use projections::comment;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Asked, Body, Listed, Named, Paged};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::web::torrent::{read_id, visible};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .api(Who::Key(Scope::Read, None), comments, __path_comments)
        .api(Who::Key(Scope::Upload, None), write, __path_write)
}

/// A comment.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Comment {
    id: Uuid,
    /// The name of who wrote it.
    author: String,
    /// Markdown, as written; nothing once it was removed.
    text: Option<String>,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// When it was edited last.
    #[serde(with = "time::serde::rfc3339::option")]
    edited_at: Option<OffsetDateTime>,
}

fn shown(one: comment::Comment) -> Comment {
    Comment {
        id: one.id.0,
        author: one.author_name,
        text: one.removed.is_none().then_some(one.text),
        at: one.at,
        edited_at: one.edited_at,
    }
}

/// Gives what is said below a torrent, the latest first.
#[utoipa::path(
    get, path = "/api/v1/torrents/{id}/comments", tag = "torrents",
    params(("id" = Uuid, Path, description = "The torrent"), Paged),
    responses((status = 200, description = "A page of comments", body = Listed<Comment>))
)]
async fn comments(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Named(id): Named<String>,
    Asked(paged): Asked<Paged>,
) -> Result<Json<Listed<Comment>>, Problem> {
    let id = visible(&app, &caller, read_id(&id)?).await?.id;
    let (from, limit) = (paged.cursor(), paged.limit()?);
    let rows = comment::list(&app.reads, id, from.as_ref(), limit).await?;
    Ok(Json(Listed::of(&uri, rows, shown)))
}

/// What is to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// Markdown.
    #[schema(min_length = 1, max_length = 5000)]
    text: String,
}

/// Writes a comment below a torrent.
#[utoipa::path(
    post, path = "/api/v1/torrents/{id}/comments", tag = "torrents", request_body = Said,
    params(("id" = Uuid, Path, description = "The torrent")),
    responses((status = 201, description = "The comment", body = Comment))
)]
async fn write(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
    Body(said): Body<Said>,
) -> Result<(StatusCode, Json<Comment>), Problem> {
    let id = visible(&app, &caller, read_id(&id)?).await?.id;
    let written = app.commands.comment(caller.profile.id, id, said.text).await;
    let done = match written {
        Err(Refusal::Rejected(rejection)) => {
            return Err(Problem::field("text", &sentence(&rejection)));
        }
        written => written?,
    };
    app.reads.wait_for(done.position).await;
    let found = comment::one(&app.reads, done.of).await?;
    let comment = found.ok_or_else(Problem::unavailable)?;
    Ok((StatusCode::CREATED, Json(shown(comment))))
}
