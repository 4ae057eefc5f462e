//! The first page: what is new, and what the member should know.

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use projections::topic::list as topics;
use projections::torrent::list::{self, Column, Row, Sort, Wanted};
use serde::Deserialize;

use super::component::{empty, notice, sanitised};
use super::layout::{Page, Theme, Viewer, document};
use super::{forum, markdown, torrents};
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/", Who::Member, home)
        .post("/theme", Who::Anyone, theme)
}

/// What the page shows.
pub(super) struct Home {
    pub(super) announcement: String,
    pub(super) latest: Vec<Row>,
    pub(super) seeded: Vec<Row>,
    pub(super) forum: Vec<topics::Row>,
}

async fn home(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let viewer = signed_in.viewer(&app).await?;
    let seeders = Sort {
        by: Column::Seeders,
        ascending: false,
    };
    let home = Home {
        announcement: projections::site::settings(&app.reads).await?.announcement,
        latest: top(&app, &signed_in, Sort::default()).await?,
        seeded: top(&app, &signed_in, seeders)
            .await?
            .into_iter()
            .filter(|row| row.swarm.seeders > 0)
            .collect(),
        forum: topics::latest(&app.reads, forum::is_staff(&signed_in), 6).await?,
    };
    let page = Page {
        title: "Home",
        site: &app.site,
        viewer: Some(&viewer),
        theme,
        section: "/",
    };
    Ok(document(&page, &body(&home, &viewer)))
}

async fn top(app: &App, signed_in: &SignedIn, sort: Sort) -> Result<Vec<Row>, Problem> {
    let wanted = Wanted {
        sort,
        eyes: torrents::eyes(signed_in),
        limit: 8,
        ..Wanted::default()
    };
    Ok(list::list(&app.reads, &wanted, app.swarms.as_ref())
        .await?
        .rows)
}

pub(super) fn body(home: &Home, viewer: &Viewer) -> Markup {
    html! {
        h1 { "Welcome, " (viewer.profile.name) }
        @if !home.announcement.trim().is_empty() {
            (notice("info", &sanitised(&markdown::render(&home.announcement))))
        }
        div.columns {
            section {
                h2 { "Latest torrents" }
                @if home.latest.is_empty() {
                    (empty("No torrent was uploaded yet.", &html! { "Be the first: " a href="/upload" { "upload one" } "." }))
                } @else {
                    (torrents::table(&home.latest, "The latest torrents", None))
                    p.more { a href="/torrents" { "All torrents" } }
                }
            }
            section {
                h2 { "Most seeded" }
                @if home.seeded.is_empty() {
                    (empty("Nobody is seeding just now.", &html! {
                        "Open a torrent of yours in your client: it shows here within seconds."
                    }))
                } @else {
                    (torrents::table(&home.seeded, "The torrents with the most seeders", None))
                }
            }
            section {
                h2 { "Latest in the forum" }
                @if home.forum.is_empty() {
                    (empty("Nothing was said yet.", &html! { "Say something: " a href="/forum" { "go to the forum" } "." }))
                } @else {
                    (forum::section::table(&home.forum, "The topics in which something was said last", None))
                    p.more { a href="/forum" { "The whole forum" } }
                }
            }
        }
    }
}

#[derive(Deserialize)]
pub(crate) struct Chosen {
    theme: String,
}

/// Keeps the visitor's choice of a theme and goes back to where they were.
pub(crate) async fn theme(headers: HeaderMap, Form(chosen): Form<Chosen>) -> Response {
    let name = match chosen.theme.as_str() {
        "light" => "light",
        "dark" => "dark",
        _ => "system",
    };
    let back = headers
        .get(header::REFERER)
        .and_then(|value| value.to_str().ok());
    // Of the address only what is on this site counts.
    let path = back
        .and_then(|back| back.splitn(4, '/').nth(3))
        .map_or("/".to_owned(), |path| format!("/{path}"));
    let path = if path.starts_with("//") {
        "/".to_owned()
    } else {
        path
    };
    let cookie = format!("theme={name}; Path=/; Max-Age=31536000; SameSite=Lax");
    let cookie = HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static("theme=system"));
    ([(header::SET_COOKIE, cookie)], Redirect::to(&path)).into_response()
}
