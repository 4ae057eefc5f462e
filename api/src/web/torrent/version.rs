//! What a torrent's page said before: its versions, each beside today's, and the way back to it.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::id::{CategoryId, TagId, TorrentId};
use domain::torrent::version::{Version, versions};
use domain::{Permission, Position};
use maud::{Markup, html};
use projections::category::{self, Category};
use projections::tag::Tag;
use projections::torrent::{self, Detail};

use super::difference::beside;
use super::{is_hidden, may_change, read_id};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::session::{Asks, SignedIn};
use crate::web::audit::{self, Names};
use crate::web::component::{age, notice};
use crate::web::form::token;
use crate::web::layout::{Theme, framed};

/// What the pages show.
pub(crate) struct Shown {
    pub(crate) torrent: TorrentId,
    pub(crate) name: String,
    /// Every version, the first first.
    pub(crate) versions: Vec<Version>,
    pub(crate) tree: Vec<Category>,
    pub(crate) tags: Vec<Tag>,
    pub(crate) names: Names,
    /// Whether the member may go back to one.
    pub(crate) may_change: bool,
}

pub(super) async fn list(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let shown = read(&app, &signed_in, &id).await?;
    framed(
        &app,
        theme,
        &signed_in,
        ("Versions", "/torrents"),
        &list_body(&shown),
    )
    .await
}

pub(super) async fn one(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path((id, number)): Path<(String, String)>,
) -> Result<Markup, Problem> {
    let shown = read(&app, &signed_in, &id).await?;
    let token = signed_in.form_token();
    let body = one_body(&shown, read_number(&number)?, token).ok_or_else(Problem::not_found)?;
    framed(&app, theme, &signed_in, ("Version", "/torrents"), &body).await
}

fn read_number(number: &str) -> Result<usize, Problem> {
    number.parse().map_err(|_| Problem::not_found())
}

pub(crate) async fn read(app: &App, asks: &impl Asks, id: &str) -> Result<Shown, Problem> {
    let detail = reachable(app, asks, read_id(id)?).await?;
    let mut stream = app.history.stream("torrent", detail.id.0).await?;
    // A site that is shown as it once stood ends there.
    let end = app.site.as_of.unwrap_or(Position(i64::MAX));
    stream.retain(|event| event.position <= end);
    if detail.uploader != asks.profile().id {
        audit::note(app, asks, &format!("torrent-{}", detail.id)).await?;
    }
    Ok(Shown {
        torrent: detail.id,
        versions: versions(&stream),
        tree: category::tree(&app.reads).await?.to_vec(),
        tags: projections::tag::all(&app.reads).await?.to_vec(),
        names: audit::names(app, &stream).await?,
        may_change: may_change(asks, &detail),
        name: detail.name,
    })
}

/// Gives a torrent whose versions the member may see: their own, and any to the staff.
async fn reachable(app: &App, asks: &impl Asks, id: TorrentId) -> Result<Detail, Problem> {
    let found = torrent::detail(&app.reads, id).await?;
    let detail = found.ok_or_else(Problem::not_found)?;
    if may_change(asks, &detail) || asks.may(Permission::Audit) {
        Ok(detail)
    } else if is_hidden(&detail) {
        Err(Problem::not_found())
    } else {
        Err(Problem::forbidden(
            "Only its uploader and the staff may see what a torrent's page said before.",
        ))
    }
}

impl Shown {
    fn category(&self, id: CategoryId) -> &str {
        let found = self.tree.iter().find(|one| one.id == id);
        found.map_or("a category that is gone", |one| one.name.as_str())
    }

    /// Names tags, in the order of all.
    fn named(&self, ids: &[TagId]) -> String {
        let some = self.tags.iter().filter(|tag| ids.contains(&tag.id));
        let names: Vec<&str> = some.map(|tag| tag.name.as_str()).collect();
        if names.is_empty() {
            "none".to_owned()
        } else {
            names.join(", ")
        }
    }

    fn address(&self, version: &Version) -> String {
        format!("/torrents/{}/versions/{}", self.torrent, version.number)
    }
}

pub(crate) fn list_body(shown: &Shown) -> Markup {
    let earlier = std::iter::once(None).chain(shown.versions.iter().map(Some));
    let rows: Vec<_> = shown.versions.iter().zip(earlier).collect();
    html! {
        h1 { "Versions" }
        p.lead { "What the page of " a href={ "/torrents/" (shown.torrent) } { (shown.name) } " said, the latest first." }
        div.scroller {
            table.events {
                caption.visually-hidden { "Versions, the latest first" }
                thead { tr {
                    th scope="col" { "Version" } th scope="col" { "By" } th.num scope="col" { "When" }
                } }
                tbody { @for (version, earlier) in rows.iter().rev() {
                    tr {
                        td.name {
                            a href=(shown.address(version)) { "Version " (version.number) }
                            @if version.number == shown.versions.len() { " " span.badge.good { "today" } }
                            " " span.hint { (changed(version, *earlier)) }
                        }
                        td data-label="By" { (audit::actor(version.by, &shown.names)) }
                        td.num data-label="When" { (age(version.at)) }
                    }
                } }
            }
        }
    }
}

fn changed(version: &Version, earlier: Option<&Version>) -> Markup {
    let now = &version.said;
    let differs = earlier.map(|earlier| &earlier.said).map(|before| {
        [
            (before.category != now.category, "the category"),
            (before.tags != now.tags, "the tags"),
            (before.description != now.description, "the description"),
        ]
    });
    let what: Vec<&str> = match differs {
        None => vec!["the upload"],
        Some(parts) => {
            let parts = parts.into_iter();
            parts
                .filter_map(|(differs, what)| differs.then_some(what))
                .collect()
        }
    };
    html! { (what.join(" and ")) @if let Some(number) = version.brings_back { ", back to version " (number) } }
}

/// One version beside today's; nothing, where there is no such version.
pub(crate) fn one_body(shown: &Shown, number: usize, form_token: &str) -> Option<Markup> {
    let version = shown.versions.iter().find(|one| one.number == number)?;
    let today = shown.versions.last()?;
    let (then, now) = (&version.said, &today.said);
    let [old, new] = [then, now].map(|said| shown.category(said.category));
    Some(html! {
        h1 { "Version " (number) " of " (shown.versions.len()) }
        p.lead {
            "The page of " a href={ "/torrents/" (shown.torrent) } { (shown.name) } " as "
            (audit::actor(version.by, &shown.names)) " left it " (age(version.at)) ", beside today."
        }
        @if then == now { (notice("info", &html! { "The page says the same today." })) }
        div.actions {
            @if then != now && shown.may_change {
                form.inline action=(shown.address(version)) method="post" {
                    (token(form_token))
                    button.primary type="submit" { "Go back to this version" }
                }
            }
            a.button href={ "/torrents/" (shown.torrent) "/versions" } { "All versions" }
        }
        section.card {
            h2 { "Category" }
            @if old == new { p { (old) } } @else { p.differences { del { (old) } " " ins { (new) } } }
        }
        @if !(then.tags.is_empty() && now.tags.is_empty()) {
            section.card {
                h2 { "Tags" }
                @if then.tags == now.tags { p { (shown.named(&now.tags)) } }
                @else { p.differences { del { (shown.named(&then.tags)) } " " ins { (shown.named(&now.tags)) } } }
            }
        }
        section.card {
            h2 { "Description" }
            (beside(&then.description, &now.description))
        }
    })
}

/// Lets the page say again what it said then.
pub(super) async fn bring_back(
    State(app): State<App>,
    Path((id, number)): Path<(String, String)>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let (by, number) = (form.signed_in.profile.id, read_number(&number)?);
    let done = app.commands.bring_back(by, read_id(&id)?, number).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/torrents/{}/versions", done.of)))
}
