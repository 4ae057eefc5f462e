//! Browse and search in one: words, filters, a sort, keyset pages. The address is the state, read by
//! [`asked`]; a member's [`bookmarks`] are the same list.

use axum::extract::{Query, State};
use domain::Permission;
use maud::{Markup, html};
use projections::category::Category;
use projections::page::Page as Rows;
use projections::tag::Tag;
use projections::torrent::list::{self, Column, Eyes, Row, Wanted};
use time::OffsetDateTime;

use super::component::{age, empty, notice, size, tags};
use super::layout::{Theme, framed};
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::{Asks, SignedIn};

mod asked;
pub(crate) mod bookmarks;

pub(super) use asked::Asked;
pub(crate) use asked::sort;
use asked::{AGES, COLUMNS};

/// Rows of a page.
const ROWS: i64 = 50;
/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/torrents", Who::Member, torrents)
        .get("/bookmarks", Who::Member, bookmarks::page)
        .post("/torrents/{id}/bookmark", Who::Member, bookmarks::change)
}

/// What the page shows.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) asked: Asked,
    pub(super) tree: Vec<Category>,
    pub(super) tags: Vec<Tag>,
    pub(super) rows: Rows<Row>,
    /// What was asked for and can't be.
    pub(super) wrong: Vec<String>,
}

async fn torrents(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let shown = read(&app, &signed_in, asked).await?;
    framed(
        &app,
        theme,
        &signed_in,
        ("Torrents", "/torrents"),
        &body(&shown),
    )
    .await
}

/// Reads what a page asks for.
async fn read(app: &App, signed_in: &SignedIn, asked: Asked) -> Result<Shown, Problem> {
    let tree = projections::category::tree(&app.reads).await?;
    let tags = projections::tag::all(&app.reads).await?;
    let read = asked.read(app, &tree).await?;
    let wanted = Wanted {
        eyes: eyes(signed_in),
        limit: ROWS,
        ..read.wanted
    };
    let rows = list::list(&app.reads, &wanted, app.swarms.as_ref()).await?;
    Ok(Shown {
        asked,
        tree: tree.to_vec(),
        tags: tags.to_vec(),
        rows,
        wrong: read.wrong,
    })
}

/// Tells whose eyes a list is for.
pub(crate) fn eyes(asks: &impl Asks) -> Eyes {
    if asks.may(Permission::Torrents) {
        Eyes::Staff
    } else {
        Eyes::Member(asks.profile().id)
    }
}

pub(super) fn body(shown: &Shown) -> Markup {
    let Shown { asked, rows, .. } = shown;
    html! {
        h1 { "Torrents" }
        (filters(shown))
        div data-region="torrents" aria-live="polite" {
            @for wrong in &shown.wrong { (notice("bad", &html! { (wrong) })) }
            @if rows.rows.is_empty() {
                (nothing(asked))
            } @else {
                (table(&rows.rows, "Torrents", Some(asked)))
            }
            (pager(asked, rows))
            p.more { a href=(asked.feed()) { "Follow this search in a feed reader" } }
        }
    }
}

/// The ways to the first page and the next one.
pub(super) fn pager(asked: &Asked, rows: &Rows<Row>) -> Markup {
    let first = || asked.address(&asked.sort, &asked.dir, None);
    html! {
        @if let Some(next) = &rows.next {
            nav.pager aria-label="Pages" {
                @if !asked.from.is_empty() { a href=(first()) { "First page" } }
                a.button rel="next" href=(asked.address(&asked.sort, &asked.dir, Some(next))) { "Next page" }
            }
        } @else if !asked.from.is_empty() {
            nav.pager aria-label="Pages" { a href=(first()) { "First page" } }
        }
    }
}

fn filters(shown: &Shown) -> Markup {
    let asked = &shown.asked;
    html! {
        form.filters action="/torrents" method="get" data-filters="torrents" {
            div.field {
                label for="q" { "Words" }
                input id="q" name="q" type="search" value=(asked.q) autocomplete="off" placeholder="Name, tag, file, description, hash";
            }
            div.field {
                label for="category" { "Category" }
                select id="category" name="category" {
                    option value="" { "All" }
                    @for one in &shown.tree {
                        option value=(one.slug) selected[one.slug == asked.category] {
                            @if one.depth > 0 { "– " } (one.name) @if one.retired { " (retired)" }
                        }
                    }
                }
            }
            @if !asked.sort.is_empty() {
                input type="hidden" name="sort" value=(asked.sort);
                input type="hidden" name="dir" value=(asked.dir);
            }
            button.primary type="submit" { "Search" }
            (more(shown))
        }
    }
}

/// The filters that are asked for less often.
fn more(shown: &Shown) -> Markup {
    let asked = &shown.asked;
    let text = |name: &str, label: &str, value: &str, placeholder: &str| {
        html! {
            div.field {
                label for=(name) { (label) }
                input id=(name) name=(name) type="text" value=(value) placeholder=(placeholder) autocomplete="off";
            }
        }
    };
    let choice = |name: &str, label: &str, value: &str, choices: &[(&str, &str)]| {
        html! {
            div.field {
                label for=(name) { (label) }
                select id=(name) name=(name) {
                    option value="" { "Any" }
                    @for (word, label) in choices { option value=(word) selected[*word == value] { (label) } }
                }
            }
        }
    };
    html! {
        details.wide open[asked.is_narrow()] {
            summary { "More filters" }
            div.fields {
                div.field {
                    label for="tag" { "Tag" }
                    select id="tag" name="tag" {
                        option value="" { "Any" }
                        @for tag in &shown.tags {
                            option value=(tag.id) selected[tag.id.to_string() == asked.tag] { (tag.name) @if tag.retired { " (retired)" } }
                        }
                    }
                }
                (text("uploader", "Uploaded by", &asked.uploader, "A member's name"))
                (text("least", "At least", &asked.least, "700 MiB"))
                (text("most", "At most", &asked.most, "4.5 GiB"))
                (choice("age", "Added within", &asked.age, &AGES))
                (choice("seeds", "Seeders", &asked.seeds, &[("yes", "Some"), ("no", "None")]))
                (choice("free", "Freeleech", &asked.free, &[("yes", "Freeleech alone")]))
            }
        }
    }
}

fn nothing(asked: &Asked) -> Markup {
    if asked.is_anything() {
        empty(
            "No torrent was uploaded yet.",
            &html! { "Be the first: " a href="/upload" { "upload one" } "." },
        )
    } else {
        empty(
            "Nothing fits.",
            &html! { "Try fewer or other words and filters, or " a href="/torrents" { "see all torrents" } "." },
        )
    }
}

/// Torrents as a table; as cards where there is no room. Heads sort where the list can be asked.
pub(super) fn table(rows: &[Row], caption: &str, asked: Option<&Asked>) -> Markup {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    html! {
        div.scroller {
            table.torrents {
                caption.visually-hidden { (caption) }
                thead {
                    tr {
                        @for (column, name, label) in COLUMNS { (head(column, name, label, asked)) }
                    }
                }
                tbody { @for row in rows { (line(row, now)) } }
            }
        }
    }
}

fn head(column: Column, name: &str, label: &str, asked: Option<&Asked>) -> Markup {
    let is_text = matches!(column, Column::Name | Column::Category);
    let numeric = (!is_text).then_some("num");
    let Some(asked) = asked else {
        return html! { th scope="col" class=[numeric] { (label) } };
    };
    let sort = asked.sort();
    let sorted = sort.by == column;
    // A name begins at A, everything else at the greatest; a second press turns it round.
    let ascending = if sorted { !sort.ascending } else { is_text };
    let state = match (sorted, sort.ascending) {
        (false, _) => None,
        (true, true) => Some("ascending"),
        (true, false) => Some("descending"),
    };
    let address = asked.address(name, if ascending { "asc" } else { "desc" }, None);
    html! { th scope="col" class=[numeric] aria-sort=[state] { a href=(address) { (label) } } }
}

fn line(row: &Row, now: i64) -> Markup {
    html! {
        tr {
            td data-label="Category" { a.badge href={ "/torrents?category=" (row.category) } { (row.category_name) } }
            td.name {
                a href={ "/torrents/" (row.id) } { (row.name) }
                @if row.review.is_some() { " " span.badge.warn { "waits for approval" } }
                @if row.free_until.is_some_and(|until| now < until) { " " span.badge.good { "freeleech" } }
                span.by { " by " a href={ "/members/" (row.uploader_name) } { (row.uploader_name) } }
                (tags(&row.tags))
            }
            td.num data-label="Size" { (size(row.size)) }
            td.num data-label="Added" { (age(row.uploaded_at)) }
            td.num.good data-label="Seeders" { (row.swarm.seeders) }
            td.num.warn data-label="Leechers" { (row.swarm.leechers) }
            td.num data-label="Snatches" { (row.snatches) }
        }
    }
}
