//! Words in topics' titles and in posts, the best fit first.

use axum::extract::{Query, State};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use projections::page::{Cursor, Page as Rows};
use projections::topic::list::{self, Hit};
use serde::Deserialize;

use super::{is_staff, path};
use crate::app::App;
use crate::problem::Problem;
use crate::session::SignedIn;
use crate::web::component::{age, empty};
use crate::web::layout::{Theme, framed};
use crate::web::markdown;

/// Posts of a page.
const ROWS: i64 = 25;
/// Characters of a post that are shown.
const SHOWN: usize = 240;

/// What is looked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    pub(crate) q: String,
    pub(crate) from: String,
}

pub(super) async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let from = Some(Cursor(asked.from.clone())).filter(|cursor| !cursor.0.is_empty());
    let (words, staff) = (asked.q.trim(), is_staff(&signed_in));
    let hits = list::find(&app.reads, words, staff, from.as_ref(), ROWS).await?;
    let body = body(&asked, &hits);
    framed(
        &app,
        theme,
        &signed_in,
        ("Search the forum", "/forum"),
        &body,
    )
    .await
}

/// The form that leads here.
pub(super) fn form(words: &str) -> Markup {
    html! {
        form.actions.forum-search role="search" aria-label="Forum" action="/forum/search" method="get" {
            label.visually-hidden for="q" { "Search the forum" }
            input id="q" name="q" type="search" value=(words) autocomplete="off" placeholder="Words of a title or a post";
            button type="submit" { "Search" }
        }
    }
}

pub(crate) fn body(asked: &Asked, hits: &Rows<Hit>) -> Markup {
    let encoded = utf8_percent_encode(&asked.q, NON_ALPHANUMERIC);
    html! {
        (path(&[]))
        h1 { "Search the forum" }
        (form(&asked.q))
        @if asked.q.trim().is_empty() {
            p.hint { "Titles and posts are searched. Words may be begun, or misspelt by a letter." }
        } @else if hits.rows.is_empty() {
            (empty("Nothing fits these words.", &html! { "Use fewer of them, or look through " a href="/forum" { "the sections" } "." }))
        } @else {
            (listed(&hits.rows))
            @if let Some(next) = &hits.next {
                nav.pager aria-label="Pages" { a.button rel="next" href={ "/forum/search?q=" (encoded) "&from=" (next.0) } { "More" } }
            }
        }
    }
}

/// Posts with the beginning of what they say.
pub(crate) fn listed(hits: &[Hit]) -> Markup {
    html! {
        ul.hits {
            @for hit in hits {
                li {
                    a href={ "/forum/posts/" (hit.post) } { (hit.title) }
                    p.by { "by " a href={ "/members/" (hit.author_name) } { (hit.author_name) } ", " (age(hit.at)) ", in " (hit.section_name) }
                    p { (markdown::plain(&hit.text, SHOWN)) }
                }
            }
        }
    }
}
