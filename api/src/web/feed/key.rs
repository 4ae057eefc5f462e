//! A member's feed key, and the addresses of their feeds.

use axum::extract::{Query, State};
use axum::response::Redirect;
use maud::{Markup, html};
use projections::category::Category;

use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;
use crate::web::component::notice;
use crate::web::form::token;
use crate::web::layout::{Theme, framed};
use crate::web::torrents::Asked;

/// Gives the routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/settings/feeds", Who::Member, page)
        .post("/settings/feeds", Who::Member, make)
        .get("/settings/feeds/reset", Who::Member, confirm)
        .post("/settings/feeds/revoke", Who::Member, revoke)
}

/// What the page shows.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) origin: String,
    /// The key, where there is one.
    pub(crate) key: Option<String>,
    /// The filters of a search that is to be followed; empty for none.
    pub(crate) search: String,
    pub(crate) tree: Vec<Category>,
    pub(crate) token: String,
}

impl Shown {
    fn address(&self, of: &str, query: &str) -> String {
        let key = self.key.as_deref().unwrap_or_default();
        let query = if query.is_empty() {
            String::new()
        } else {
            format!("{query}&")
        };
        format!("{}/rss/{of}?{query}key={key}", self.origin)
    }
}

async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let key = app.commands.feed_key(signed_in.profile.id).await?;
    let shown = Shown {
        origin: app.site.origin().to_owned(),
        key: key.map(|key| key.reveal().to_owned()),
        search: asked.query(),
        tree: projections::category::tree(&app.reads).await?.to_vec(),
        token: signed_in.form_token().to_owned(),
    };
    framed(
        &app,
        theme,
        &signed_in,
        ("Feeds", "/settings"),
        &body(&shown),
    )
    .await
}

pub(crate) fn body(shown: &Shown) -> Markup {
    html! {
        h1 { "Feeds" }
        p.lead {
            "What is new, for feed readers and clients that download by themselves. The addresses hold your feed key: "
            "who has them reads the site and downloads in your name, but announces nothing."
        }
        @if shown.key.is_none() {
            section.card {
                h2 { "You have no feed key" }
                form action="/settings/feeds" method="post" {
                    (token(&shown.token))
                    button.primary type="submit" { "Make a feed key" }
                }
            }
        } @else {
            (addresses(shown))
            section.card {
                h2 { "Your feed key" }
                p { "If somebody else has it, replace it, or do without." }
                div.actions {
                    a.button href="/settings/feeds/reset" { "Replace it" }
                    form.inline action="/settings/feeds/revoke" method="post" {
                        (token(&shown.token))
                        button type="submit" { "Make it void" }
                    }
                }
            }
        }
    }
}

fn addresses(shown: &Shown) -> Markup {
    let line = |label: &str, address: &str| {
        html! { h3 { (label) } p.copy { code data-copy { (address) } } }
    };
    html! {
        @if !shown.search.is_empty() {
            section.card {
                h2 { "Your search" }
                p.copy { code data-copy { (shown.address("search", &shown.search)) } }
                p { a href={ "/torrents?" (shown.search) } { "See it" } }
            }
        }
        section.card {
            h2 { "RSS" }
            (line("The latest", &shown.address("latest", "")))
            (line("Your bookmarks", &shown.address("bookmarks", "")))
            details {
                summary { "By category" }
                @for one in &shown.tree { (line(&one.name, &shown.address(&format!("category/{}", one.slug), ""))) }
            }
            p.hint { "Search for something in " a href="/torrents" { "the list" } " to follow just that. “&limit=100” gives up to a hundred at once." }
        }
        section.card {
            h2 { "Torznab" }
            p { "For Prowlarr, Sonarr, Radarr and their like: this address, and the key as its API key." }
            (line("Address", &format!("{}/api/torznab", shown.origin)))
            (line("API key", shown.key.as_deref().unwrap_or_default()))
        }
    }
}

async fn confirm(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    framed(
        &app,
        theme,
        &signed_in,
        ("Another feed key", "/settings"),
        &confirmation(signed_in.form_token()),
    )
    .await
}

pub(crate) fn confirmation(form_token: &str) -> Markup {
    html! {
        section.narrow {
            h1 { "Replace your feed key" }
            (notice("bad", &html! { "The old one stops working at once, in every reader and tool that has it." }))
            form action="/settings/feeds" method="post" {
                (token(form_token))
                div.actions {
                    button.danger type="submit" { "Replace it" }
                    a.button href="/settings/feeds" { "Keep it" }
                }
            }
        }
    }
}

async fn make(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let by = form.signed_in.profile.id;
    app.commands.make_feed_key(by).await?;
    Ok(Redirect::to("/settings/feeds"))
}

async fn revoke(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let by = form.signed_in.profile.id;
    app.commands.revoke_feed_key(by).await?;
    Ok(Redirect::to("/settings/feeds"))
}
