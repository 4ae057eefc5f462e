//! Browse and search in one: words, a category, a sort, keyset pages. The address is the state.

use axum::extract::{Query, State};
use domain::id::CategoryId;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use projections::category::Category;
use projections::page::{Cursor, Page as Rows};
use projections::torrent::list::{self, Column, Row, Sort, Wanted};
use serde::Deserialize;

use super::component::{age, empty, size};
use super::layout::{Page, Theme, document};
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Rows of a page.
const ROWS: i64 = 50;
/// The columns by which the list can be sorted, with the words of the address and the head.
const COLUMNS: [(Column, &str, &str); 6] = [
    (Column::Name, "name", "Name"),
    (Column::Size, "size", "Size"),
    (Column::Added, "added", "Added"),
    (Column::Seeders, "seeders", "Seeders"),
    (Column::Leechers, "leechers", "Leechers"),
    (Column::Snatches, "snatches", "Snatches"),
];

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/torrents", Who::Member, torrents)
}

/// What the address asks for.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub(super) q: String,
    pub(super) category: String,
    pub(super) sort: String,
    pub(super) dir: String,
    pub(super) from: String,
}

impl Asked {
    fn sort(&self) -> Sort {
        sort(&self.q, &self.sort, &self.dir)
    }

    /// Writes the address of the same question with another sort or another page.
    fn address(&self, sort: &str, dir: &str, from: Option<&Cursor>) -> String {
        let from = from.map_or("", |cursor| cursor.0.as_str());
        let pairs = [
            ("q", self.q.as_str()),
            ("category", &self.category),
            ("sort", sort),
            ("dir", dir),
            ("from", from),
        ];
        let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let said = pairs.iter().filter(|(_, value)| !value.is_empty());
        let query: Vec<String> = said
            .map(|(name, value)| format!("{name}={}", encoded(value)))
            .collect();
        if query.is_empty() {
            "/torrents".to_owned()
        } else {
            format!("/torrents?{}", query.join("&"))
        }
    }
}

/// Reads by which column to sort; without a name the best fit or the newest is first.
pub(crate) fn sort(words: &str, name: &str, dir: &str) -> Sort {
    let named = COLUMNS.iter().find(|(_, one, _)| *one == name);
    let without = if words.trim().is_empty() {
        Column::Added
    } else {
        Column::Relevance
    };
    Sort {
        by: named.map_or(without, |(column, _, _)| *column),
        ascending: dir == "asc",
    }
}

/// What the page shows.
pub(super) struct Shown {
    pub(super) asked: Asked,
    pub(super) tree: Vec<Category>,
    pub(super) rows: Rows<Row>,
}

async fn torrents(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let viewer = signed_in.viewer(&app).await?;
    let tree = projections::category::tree(&app.reads).await?;
    let category: Option<CategoryId> = tree
        .iter()
        .find(|one| one.slug == asked.category)
        .map(|one| one.id);
    let wanted = Wanted {
        words: Some(asked.q.clone()).filter(|words| !words.trim().is_empty()),
        category,
        uploader: None,
        sort: asked.sort(),
        from: Some(Cursor(asked.from.clone())).filter(|cursor| !cursor.0.is_empty()),
        limit: ROWS,
    };
    let rows = list::list(&app.reads, &wanted, app.swarms.as_ref()).await?;
    let page = Page {
        title: "Torrents",
        site: &app.site,
        viewer: Some(&viewer),
        theme,
        section: "/torrents",
    };
    Ok(document(&page, &body(&Shown { asked, tree, rows })))
}

pub(super) fn body(shown: &Shown) -> Markup {
    let Shown { asked, rows, .. } = shown;
    html! {
        h1 { "Torrents" }
        (filters(shown))
        div data-region="torrents" aria-live="polite" {
            @if rows.rows.is_empty() {
                (nothing(asked))
            } @else {
                (table(&rows.rows, "Torrents", Some(asked)))
            }
            @if let Some(next) = &rows.next {
                nav.pager aria-label="Pages" {
                    @if !asked.from.is_empty() { a href=(asked.address(&asked.sort, &asked.dir, None)) { "First page" } }
                    a.button rel="next" href=(asked.address(&asked.sort, &asked.dir, Some(next))) { "Next page" }
                }
            } @else if !asked.from.is_empty() {
                nav.pager aria-label="Pages" { a href=(asked.address(&asked.sort, &asked.dir, None)) { "First page" } }
            }
        }
    }
}

fn filters(shown: &Shown) -> Markup {
    let asked = &shown.asked;
    html! {
        form.filters action="/torrents" method="get" data-filters="torrents" {
            div.field {
                label for="q" { "Words" }
                input id="q" name="q" type="search" value=(asked.q) autocomplete="off" placeholder="Name, file or description";
            }
            div.field {
                label for="category" { "Category" }
                select id="category" name="category" {
                    option value="" { "All" }
                    @for one in &shown.tree {
                        option value=(one.slug) selected[one.slug == asked.category] {
                            @if one.depth > 0 { "– " } (one.name)
                        }
                    }
                }
            }
            @if !asked.sort.is_empty() {
                input type="hidden" name="sort" value=(asked.sort);
                input type="hidden" name="dir" value=(asked.dir);
            }
            button.primary type="submit" { "Search" }
        }
    }
}

fn nothing(asked: &Asked) -> Markup {
    if asked.q.trim().is_empty() && asked.category.is_empty() {
        empty(
            "No torrent was uploaded yet.",
            &html! { "Be the first: " a href="/upload" { "upload one" } "." },
        )
    } else {
        empty(
            "Nothing fits.",
            &html! { "Try fewer or other words, or " a href="/torrents" { "see all torrents" } "." },
        )
    }
}

/// Torrents as a table; as cards where there is no room. Heads sort where the list can be asked.
pub(super) fn table(rows: &[Row], caption: &str, asked: Option<&Asked>) -> Markup {
    html! {
        div.scroller {
            table.torrents {
                caption.visually-hidden { (caption) }
                thead {
                    tr {
                        th scope="col" { "Category" }
                        @for (column, name, label) in COLUMNS { (head(column, name, label, asked)) }
                    }
                }
                tbody { @for row in rows { (line(row)) } }
            }
        }
    }
}

fn head(column: Column, name: &str, label: &str, asked: Option<&Asked>) -> Markup {
    let numeric = (column != Column::Name).then_some("num");
    let Some(asked) = asked else {
        return html! { th scope="col" class=[numeric] { (label) } };
    };
    let sort = asked.sort();
    let sorted = sort.by == column;
    // A name begins at A, everything else at the greatest; a second press turns it round.
    let ascending = if sorted {
        !sort.ascending
    } else {
        column == Column::Name
    };
    let state = match (sorted, sort.ascending) {
        (false, _) => None,
        (true, true) => Some("ascending"),
        (true, false) => Some("descending"),
    };
    let address = asked.address(name, if ascending { "asc" } else { "desc" }, None);
    html! { th scope="col" class=[numeric] aria-sort=[state] { a href=(address) { (label) } } }
}

fn line(row: &Row) -> Markup {
    html! {
        tr {
            td data-label="Category" { a.badge href={ "/torrents?category=" (row.category) } { (row.category_name) } }
            td.name {
                a href={ "/torrents/" (row.id) } { (row.name) }
                span.by { " by " a href={ "/members/" (row.uploader_name) } { (row.uploader_name) } }
            }
            td.num data-label="Size" { (size(row.size)) }
            td.num data-label="Added" { (age(row.uploaded_at)) }
            td.num.good data-label="Seeders" { (row.swarm.seeders) }
            td.num.warn data-label="Leechers" { (row.swarm.leechers) }
            td.num data-label="Snatches" { (row.snatches) }
        }
    }
}
