//! What waits for approval, for the staff; and what a member uploaded, with how it stands.

use axum::extract::{Query, State};
use domain::Permission;
use domain::torrent::Review;
use maud::{Markup, html};
use projections::page::{Cursor, Page as Rows};
use projections::torrent::queue::{self, Row};
use serde::Deserialize;

use super::component::{age, empty, size};
use super::layout::{Theme, framed};
use super::torrent::review::approve;
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Rows of a page.
const ROWS: i64 = 50;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/staff/queue", Who::May(Permission::Torrents), waiting)
        .get("/uploads", Who::Member, uploads)
}

/// Where a page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    from: String,
}

impl From {
    fn cursor(self) -> Option<Cursor> {
        Some(Cursor(self.from)).filter(|cursor| !cursor.0.is_empty())
    }
}

async fn waiting(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(from): Query<From>,
) -> Result<Markup, Problem> {
    let rows = queue::waiting(&app.reads, from.cursor().as_ref(), ROWS).await?;
    framed(
        &app,
        theme,
        &signed_in,
        ("Queue", "/staff/queue"),
        &waiting_body(&rows, signed_in.form_token()),
    )
    .await
}

pub(super) fn waiting_body(rows: &Rows<Row>, form_token: &str) -> Markup {
    html! {
        h1 { "Queue" }
        p.lead { "What waits for approval, the longest first. Other members see it once it is approved." }
        @if rows.rows.is_empty() {
            (empty("Nothing waits.", &html! { "What members upload shows here. Who may upload at once, and whether anybody waits, is up to the roles and the settings." }))
        } @else {
            div.scroller {
                table.events {
                    caption.visually-hidden { "Torrents that wait, the longest first" }
                    thead { tr {
                        th scope="col" { "Torrent" } th scope="col" { "Category" } th.num scope="col" { "Size" }
                        th.num scope="col" { "Uploaded" } th scope="col" { "Decide" }
                    } }
                    tbody { @for row in &rows.rows { tr {
                        td.name {
                            a href={ "/torrents/" (row.id) } { (row.name) }
                            span.by { " by " a href={ "/members/" (row.uploader_name) } { (row.uploader_name) } }
                            @if let Some(Review::ChangesAsked { reason }) = &row.review { " " span.badge.warn { "changes asked" } " " span.hint { (reason) } }
                        }
                        td data-label="Category" { (row.category_name) }
                        td.num data-label="Size" { (size(row.size)) }
                        td.num data-label="Uploaded" { (age(row.uploaded_at)) }
                        td data-label="Decide" {
                            span.actions {
                                (approve(row.id, form_token))
                                a.button href={ "/torrents/" (row.id) "/review" } aria-label={ "Reject or ask for changes of " (row.name) } { "Reject or ask" }
                            }
                        }
                    } } }
                }
            }
            (pager("/staff/queue", rows))
        }
    }
}

async fn uploads(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(from): Query<From>,
) -> Result<Markup, Problem> {
    let by = signed_in.profile.id;
    let rows = queue::uploads(&app.reads, by, from.cursor().as_ref(), ROWS).await?;
    framed(
        &app,
        theme,
        &signed_in,
        ("Your uploads", "/upload"),
        &uploads_body(&rows),
    )
    .await
}

pub(super) fn uploads_body(rows: &Rows<Row>) -> Markup {
    html! {
        h1 { "Your uploads" }
        @if rows.rows.is_empty() {
            (empty("You uploaded nothing yet.", &html! { a href="/upload" { "Upload a torrent" } "." }))
        } @else {
            div.scroller {
                table.events {
                    caption.visually-hidden { "What you uploaded, the latest first" }
                    thead { tr {
                        th scope="col" { "Torrent" } th scope="col" { "State" } th.num scope="col" { "Size" } th.num scope="col" { "Uploaded" }
                    } }
                    tbody { @for row in &rows.rows { tr {
                        td.name {
                            a href={ "/torrents/" (row.id) } { (row.name) }
                            @if let Some(reason) = reason(row) { span.by { " " (reason) } }
                        }
                        td data-label="State" { (state(row)) }
                        td.num data-label="Size" { (size(row.size)) }
                        td.num data-label="Uploaded" { (age(row.uploaded_at)) }
                    } } }
                }
            }
            (pager("/uploads", rows))
        }
    }
}

/// The last word on why others don't get it.
fn reason(row: &Row) -> Option<&str> {
    match &row.withdrawn {
        Some(withdrawn) => withdrawn.reason.as_deref(),
        None => row.review.as_ref().and_then(Review::reason),
    }
}

fn state(row: &Row) -> Markup {
    let (kind, said) = match (&row.withdrawn, &row.review) {
        (Some(withdrawn), _) if withdrawn.by_staff => ("bad", "withdrawn by the staff"),
        (Some(_), _) => ("", "withdrawn"),
        (None, None) => ("good", "offered"),
        (None, Some(Review::Waiting)) => ("", "waits for approval"),
        (None, Some(Review::ChangesAsked { .. })) => ("warn", "changes asked"),
        (None, Some(Review::Rejected { .. })) => ("bad", "rejected"),
    };
    html! { span class={ "badge " (kind) } { (said) } }
}

fn pager(path: &str, rows: &Rows<Row>) -> Markup {
    html! {
        @if let Some(next) = &rows.next {
            nav.pager aria-label="Pages" { a.button rel="next" href={ (path) "?from=" (next.0) } { "Next page" } }
        }
    }
}
