//! The first page: what is new, and what the member should know.

use axum::Form;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use domain::setting::{Key, Settings};
use maud::{Markup, html};
use projections::topic::list as topics;
use projections::torrent::list::{self, Column, Row, Sort, Wanted};
use serde::Deserialize;

use super::component::{empty, sanitised};
use super::layout::{Page, Theme, Viewer, document, framed};
use super::{forum, markdown, torrents};
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/", Who::Member, home)
        .get("/rules", Who::Member, rules)
        .post("/theme", Who::Anyone, theme)
}

/// What the page shows.
pub(super) struct Home {
    /// What the site set, of which the texts are shown.
    pub(super) texts: Settings,
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
    let site = projections::site::settings(&app.reads).await?;
    let home = Home {
        texts: site.values.clone(),
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

/// The texts that the site set, those that it did.
fn texts(texts: &Settings) -> Markup {
    let boxes = [
        (Key::Feature1Title, Key::Feature1Text),
        (Key::Feature2Title, Key::Feature2Text),
        (Key::Feature3Title, Key::Feature3Text),
    ];
    let boxes = boxes.map(|(title, text)| (texts.text(title), texts.text(text)));
    let (hero, below) = (texts.text(Key::HeroTitle), texts.text(Key::HeroSubtitle));
    let status = texts.text(Key::StatusBadge);
    html! {
        @if !hero.is_empty() || !below.is_empty() || !status.is_empty() {
            section.card {
                @if !hero.is_empty() { h2 { (hero) } }
                @if !below.is_empty() { p.lead { (below) } }
                @if !status.is_empty() { p { span.badge.good { (status) } } }
            }
        }
        @for (title, text) in boxes.iter().filter(|(title, text)| !title.is_empty() || !text.is_empty()) {
            section.card { @if !title.is_empty() { h2 { (title) } } p { (text) } }
        }
        @if !texts.text(Key::Rules).is_empty() { p { a href="/rules" { "The rules of this site" } } }
    }
}

/// The site's rules, as it set them.
async fn rules(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let site = projections::site::settings(&app.reads).await?;
    let text = site.values.text(Key::Rules);
    let body = html! {
        h1 { "Rules" }
        @if text.is_empty() { (empty("No rules were written down.", &html! { "The staff writes them under Settings." })) }
        @else { section.card { (sanitised(&markdown::render(text))) } }
    };
    framed(&app, theme, &signed_in, ("Rules", "/"), &body).await
}

/// Gives the first torrents of an order.
pub(super) async fn top(app: &App, signed_in: &SignedIn, sort: Sort) -> Result<Vec<Row>, Problem> {
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
        @let subtitle = home.texts.text(Key::SiteSubtitle);
        @if !subtitle.is_empty() { p.lead { (subtitle) } }
        (texts(&home.texts))
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
    let cookie = format!("theme={name}; Path=/; HttpOnly; Max-Age=31536000; SameSite=Lax");
    let cookie = HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static("theme=system"));
    (
        [(header::SET_COOKIE, cookie)],
        Redirect::to(&back(&headers)),
    )
        .into_response()
}

/// Gives the page that a form was sent from, as a path on this site.
pub(super) fn back(headers: &HeaderMap) -> String {
    let from = headers
        .get(header::REFERER)
        .and_then(|value| value.to_str().ok());
    // Of the address only what is on this site counts.
    let path = from
        .and_then(|from| from.splitn(4, '/').nth(3))
        .map(|path| format!("/{path}"));
    path.filter(|path| !path.starts_with("//"))
        .unwrap_or("/".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_a_page_of_this_site_and_nowhere_else() {
        for (from, to) in [
            (Some("https://x/torrents?a=1"), "/torrents?a=1"),
            (Some("https://x//evil"), "/"),
            (Some("https://x"), "/"),
            (Some("x"), "/"),
            (None, "/"),
        ] {
            let mut headers = HeaderMap::new();
            if let Some(from) = from {
                headers.insert(header::REFERER, HeaderValue::from_static(from));
            }
            assert_eq!(back(&headers), to, "{from:?}");
        }
    }
}
