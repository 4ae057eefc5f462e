//! The forum: sections, topics and posts, to read and to write.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use commands::Refusal;
use domain::api_key::Scope;
use domain::id::TopicId;
use domain::topic::Rejection;
use projections::section::Section;
use projections::topic::list::{self, Row};
use projections::topic::page;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Asked, Body, Listed, Named, Paged};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::web::forum::section::section as find;
use crate::web::forum::{is_staff, read_id, seen};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let (read, write) = (Who::Key(Scope::Read, None), Who::Key(Scope::Upload, None));
    Routes::new()
        .api(read, sections, __path_sections)
        .api(read, topics, __path_topics)
        .api(write, open, __path_open)
        .api(read, topic, __path_topic)
        .api(write, reply, __path_reply)
}

/// A section of the forum.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Section)]
pub(crate) struct Board {
    id: Uuid,
    /// What stands in addresses.
    slug: String,
    name: String,
    description: String,
    /// Whether the staff alone sees it.
    staff_only: bool,
    /// Whether it takes no new topics.
    retired: bool,
    /// Topics that are shown.
    topics: i64,
    /// Posts in them.
    posts: i64,
}

/// A topic.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Topic {
    id: Uuid,
    title: String,
    /// The slug of its section.
    section: String,
    /// The name of who opened it.
    author: String,
    #[serde(with = "time::serde::rfc3339")]
    opened_at: OffsetDateTime,
    /// Whether it stands before the others.
    pinned: bool,
    /// Whether the staff alone writes in it.
    locked: bool,
    /// Posts, the first one too.
    posts: i32,
    /// When something was said in it last.
    #[serde(with = "time::serde::rfc3339")]
    last_at: OffsetDateTime,
}

/// A post.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Post {
    id: Uuid,
    /// Its place in the topic; the first is 1.
    number: i32,
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

/// A topic with one of its pages.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Opened {
    id: Uuid,
    title: String,
    /// The slug of its section.
    section: String,
    pinned: bool,
    locked: bool,
    /// The page's posts.
    posts: Vec<Post>,
    /// How many pages there are.
    pages: i32,
}

fn board(one: Section) -> Board {
    Board {
        id: one.id.0,
        slug: one.slug,
        name: one.board.name,
        description: one.board.description,
        staff_only: one.board.staff_only,
        retired: one.retired,
        topics: one.topics,
        posts: one.posts,
    }
}

fn listed(row: Row) -> Topic {
    Topic {
        id: row.id.0,
        title: row.title,
        section: row.section,
        author: row.author_name,
        opened_at: row.opened_at,
        pinned: row.pinned,
        locked: row.locked,
        posts: row.posts,
        last_at: row.last_at,
    }
}

fn post(one: page::Post) -> Post {
    Post {
        id: one.id.0,
        number: one.number,
        author: one.author_name,
        text: one.removed.is_none().then_some(one.text),
        at: one.at,
        edited_at: one.edited_at,
    }
}

/// Gives the sections that the member sees, in their order.
#[utoipa::path(
    get, path = "/api/v1/forum/sections", tag = "forum",
    responses((status = 200, description = "The sections", body = Vec<Board>))
)]
async fn sections(State(app): State<App>, caller: Caller) -> Result<Json<Vec<Board>>, Problem> {
    let sections = projections::section::list(&app.reads, is_staff(&caller)).await?;
    Ok(Json(sections.into_iter().map(board).collect()))
}

/// Gives a section's topics: the pinned first, then by what was said last.
#[utoipa::path(
    get, path = "/api/v1/forum/sections/{slug}/topics", tag = "forum",
    params(("slug" = String, Path, description = "The section"), Paged),
    responses((status = 200, description = "A page of topics", body = Listed<Topic>))
)]
async fn topics(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Named(slug): Named<String>,
    Asked(paged): Asked<Paged>,
) -> Result<Json<Listed<Topic>>, Problem> {
    let section = find(&app, &caller, &slug).await?;
    let (from, limit) = (paged.cursor(), paged.limit()?);
    let rows = list::of_section(&app.reads, section.id, from.as_ref(), limit).await?;
    Ok(Json(Listed::of(&uri, rows, listed)))
}

/// A topic to be opened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Opening {
    #[schema(min_length = 1, max_length = 200)]
    title: String,
    /// Markdown.
    #[schema(min_length = 1, max_length = 50000)]
    text: String,
}

/// Opens a topic in a section.
#[utoipa::path(
    post, path = "/api/v1/forum/sections/{slug}/topics", tag = "forum", request_body = Opening,
    params(("slug" = String, Path, description = "The section")),
    responses((status = 201, description = "The topic with its first page", body = Opened))
)]
async fn open(
    State(app): State<App>,
    caller: Caller,
    Named(slug): Named<String>,
    Body(opening): Body<Opening>,
) -> Result<(StatusCode, Json<Opened>), Problem> {
    let section = find(&app, &caller, &slug).await?;
    let Opening { title, text } = opening;
    let opened = (app.commands).open_topic(caller.profile.id, section.id, title, text);
    let done = opened.await.map_err(refused)?;
    app.reads.wait_for(done.position).await;
    let opened = shown(&app, &caller, done.of, 1).await?;
    Ok((StatusCode::CREATED, Json(opened)))
}

/// Which page of a topic.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Leaf {
    /// From 1 to the topic's `pages`; the first without.
    #[param(minimum = 1)]
    page: Option<i32>,
}

/// Gives a topic and a page of its posts.
#[utoipa::path(
    get, path = "/api/v1/forum/topics/{id}", tag = "forum",
    params(("id" = Uuid, Path, description = "The topic"), Leaf),
    responses((status = 200, description = "The topic with a page of its posts", body = Opened))
)]
async fn topic(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
    Asked(leaf): Asked<Leaf>,
) -> Result<Json<Opened>, Problem> {
    let page = leaf.page.unwrap_or(1);
    Ok(Json(shown(&app, &caller, read_id(&id)?, page).await?))
}

async fn shown(app: &App, caller: &Caller, id: TopicId, number: i32) -> Result<Opened, Problem> {
    let head = seen(app, caller, id).await?;
    let pages = page::page_of(head.posts);
    if !(1..=pages).contains(&number) {
        return Err(Problem::not_found());
    }
    let posts = page::posts(&app.reads, id, number).await?;
    Ok(Opened {
        id: head.id.0,
        title: head.title,
        section: head.slug,
        pinned: head.pinned,
        locked: head.locked,
        posts: posts.into_iter().map(post).collect(),
        pages,
    })
}

/// What is to be said.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Answer)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// Markdown.
    #[schema(min_length = 1, max_length = 50000)]
    text: String,
}

/// Answers in a topic.
#[utoipa::path(
    post, path = "/api/v1/forum/topics/{id}/posts", tag = "forum", request_body = Said,
    params(("id" = Uuid, Path, description = "The topic")),
    responses((status = 201, description = "The post", body = Post))
)]
async fn reply(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
    Body(said): Body<Said>,
) -> Result<(StatusCode, Json<Post>), Problem> {
    let head = seen(&app, &caller, read_id(&id)?).await?;
    let answered = app.commands.reply(caller.profile.id, head.id, said.text);
    let done = answered.await.map_err(refused)?;
    app.reads.wait_for(done.position).await;
    let found = page::post(&app.reads, done.of).await?;
    let answer = found.ok_or_else(Problem::unavailable)?;
    Ok((StatusCode::CREATED, Json(post(answer))))
}

/// Says beside which field what is wrong stands.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
fn refused(refusal: Refusal<Rejection>) -> Problem {
    match refusal {
        Refusal::Rejected(rejection @ Rejection::Title) => {
            Problem::field("title", &sentence(&rejection))
        }
        Refusal::Rejected(rejection @ (Rejection::Empty | Rejection::TooLong)) => {
            Problem::field("text", &sentence(&rejection))
        }
        other => other.into(),
    }
}
