//! A section: its topics in keyset pages, and opening one.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use commands::Refusal;
use maud::{Markup, html};
use projections::page::{Cursor, Page as Rows};
use projections::section::Section;
use projections::topic::list::{self, Row};
use serde::Deserialize;

use super::compose::{Draft, fields, is_preview, once};
use super::{Seen, badges, is_staff, path};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::session::{Asks, SignedIn};
use crate::web::component::{age, empty, notice};
use crate::web::layout::{Theme, framed};

/// Topics of a page.
const ROWS: i64 = 30;

/// Where a page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct From {
    from: String,
}

/// What the page shows.
pub(crate) struct Shown {
    pub(crate) section: Section,
    pub(crate) topics: Rows<Row>,
    pub(crate) seen: Seen,
}

/// Gives a section that who asks may see.
pub(crate) async fn section(
    app: &App,
    signed_in: &impl Asks,
    slug: &str,
) -> Result<Section, Problem> {
    let all = projections::section::list(&app.reads, is_staff(signed_in)).await?;
    let found = all.into_iter().find(|section| section.slug == slug);
    found.ok_or_else(Problem::not_found)
}

pub(super) async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(slug): Path<String>,
    Query(from): Query<From>,
) -> Result<Markup, Problem> {
    let section = section(&app, &signed_in, &slug).await?;
    let from = Some(Cursor(from.from)).filter(|cursor| !cursor.0.is_empty());
    let shown = Shown {
        topics: list::of_section(&app.reads, section.id, from.as_ref(), ROWS).await?,
        seen: Seen::by(&app, &signed_in.profile).await?,
        section,
    };
    let title = shown.section.board.name.clone();
    framed(&app, theme, &signed_in, (&title, "/forum"), &body(&shown)).await
}

pub(crate) fn body(shown: &Shown) -> Markup {
    let (board, slug) = (&shown.section.board, &shown.section.slug);
    html! {
        (path(&[]))
        h1 { (board.name) @if board.staff_only { " " span.badge { "staff" } } }
        @if !board.description.is_empty() { p.lead { (board.description) } }
        @if shown.section.retired {
            (notice("info", &html! { "This section is retired: it takes no new topics. What stands in it stays." }))
        } @else {
            div.actions { a.button.primary href={ "/forum/" (slug) "/new" } { "Open a topic" } }
        }
        @if shown.topics.rows.is_empty() {
            (empty("No topic stands here yet.", &html! {
                @if shown.section.retired { a href="/forum" { "See the other sections" } "." }
                @else { "Be the first: " a href={ "/forum/" (slug) "/new" } { "open one" } "." }
            }))
        } @else {
            (table(&shown.topics.rows, "Topics, the pinned first, then by what was said last", Some(&shown.seen)))
            @if let Some(next) = &shown.topics.next {
                nav.pager aria-label="Pages" { a.button rel="next" href={ "/forum/" (slug) "?from=" (next.0) } { "Older topics" } }
            }
        }
    }
}

/// A table of topics; where nothing is known of what is read, their sections stand beside them.
pub(crate) fn table(rows: &[Row], caption: &str, seen: Option<&Seen>) -> Markup {
    html! {
        div.scroller {
            table.topics {
                caption.visually-hidden { (caption) }
                thead { tr {
                    th scope="col" { "Topic" } th.num scope="col" { "Posts" } th scope="col" { "Said last" }
                } }
                tbody { @for row in rows { (topic(row, seen)) } }
            }
        }
    }
}

fn topic(row: &Row, seen: Option<&Seen>) -> Markup {
    let is_new = seen.is_some_and(|seen| seen.is_new(row.id, row.activity, row.last_at));
    html! {
        tr {
            td.name {
                a href={ "/forum/topics/" (row.id) } { (row.title) }
                (badges(row.pinned, row.locked))
                @if is_new { " " a.badge.good href={ "/forum/topics/" (row.id) "/unread" } { "new" span.visually-hidden { " posts in " (row.title) } } }
                p.by {
                    "by " a href={ "/members/" (row.author_name) } { (row.author_name) } ", " (age(row.opened_at))
                    @if seen.is_none() { ", in " a href={ "/forum/" (row.section) } { (row.section_name) } }
                }
            }
            td.num data-label="Posts" { (row.posts) }
            td.last data-label="Said last" {
                a href={ "/forum/posts/" (row.last_post) } { (age(row.last_at)) }
                p.by { "by " a href={ "/members/" (row.last_name) } { (row.last_name) } }
            }
        }
    }
}

pub(super) async fn compose(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(slug): Path<String>,
) -> Result<Markup, Problem> {
    let section = section(&app, &signed_in, &slug).await?;
    let mut draft = Draft::new(&app, signed_in.form_token());
    draft.title = Some(String::new());
    let body = compose_body(&section, &draft);
    framed(&app, theme, &signed_in, ("Open a topic", "/forum"), &body).await
}

pub(crate) fn compose_body(section: &Section, draft: &Draft) -> Markup {
    html! {
        (path(&[(&section.board.name, format!("/forum/{}", section.slug))]))
        section.narrow.wide {
            h1 { "Open a topic" }
            @if section.retired {
                (notice("info", &html! { "This section is retired: it takes no new topics." }))
            } @else {
                form action={ "/forum/" (section.slug) "/new" } method="post" { (fields(draft, "What you want to say", "Open it")) }
            }
        }
    }
}

pub(super) async fn open(
    State(app): State<App>,
    theme: Theme,
    Path(slug): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let section = section(&app, &form.signed_in, &slug).await?;
    let mut draft = Draft::sent(&form);
    let title = form.field("title").to_owned();
    draft.title = Some(title.clone());
    let mut status = StatusCode::OK;
    if is_preview(&form) {
        draft = draft.previewed(&app).await?;
    } else {
        let by = form.signed_in.profile.id;
        let opening = app
            .commands
            .open_topic(by, section.id, title, draft.text.clone());
        match once(&form, &format!("open {}", section.id), opening).await {
            Ok(done) => {
                app.reads.wait_for(done.position).await;
                return Ok(Redirect::to(&format!("/forum/topics/{}", done.of)).into_response());
            }
            Err(Refusal::Rejected(rejection)) => {
                status = StatusCode::UNPROCESSABLE_ENTITY;
                draft.error = Some(sentence(&rejection));
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let body = compose_body(&section, &draft);
    let page = framed(
        &app,
        theme,
        &form.signed_in,
        ("Open a topic", "/forum"),
        &body,
    )
    .await?;
    Ok((status, page).into_response())
}
