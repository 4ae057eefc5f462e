//! A member's profile, and their own ledger: each credited run, and the sums that add up.

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use axum::routing::{get, post};
use domain::user::{Name, Role};
use domain::{Actor, Permission};
use maud::{Markup, html};
use projections::page::{Cursor, Page as Rows};
use projections::swarm::Count;
use projections::torrent::list::{self, Row, Wanted};
use projections::traffic::{self, Line, Totals};
use projections::user::{self, Profile};
use serde::Deserialize;

use super::component::{age, duration, empty, ratio, size};
use super::form::token;
use super::layout::{Page, Theme, document};
use super::{audit, torrents};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::session::SignedIn;

/// Rows of a page of the ledger.
const ROWS: i64 = 50;

/// Gives the routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/members/{name}", get(profile))
        .route("/members/{name}/role", post(assign_role))
        .route("/ledger", get(ledger))
}

/// What the profile shows.
pub(super) struct Shown {
    pub(super) profile: Profile,
    pub(super) totals: Totals,
    pub(super) swarm: Count,
    pub(super) uploads: Vec<Row>,
    pub(super) own: bool,
    /// Who looks, where they may look behind it.
    pub(super) staff: Option<Staff>,
}

/// What auditors and administrators find on a profile besides.
pub(super) struct Staff {
    pub(super) may_assign: bool,
    pub(super) token: String,
}

async fn profile(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(name): Path<String>,
) -> Result<Markup, Problem> {
    let viewer = signed_in.viewer(&app).await?;
    let name = Name::parse(&name).map_err(|_| Problem::not_found())?;
    let profile = user::named(&app.reads, &name)
        .await?
        .ok_or_else(Problem::not_found)?;
    let wanted = Wanted {
        uploader: Some(profile.id),
        limit: 20,
        ..Wanted::default()
    };
    let shown = Shown {
        totals: traffic::totals(&app.reads, profile.id).await?,
        swarm: app.swarms.of_member(profile.id),
        uploads: list::list(&app.reads, &wanted, app.swarms.as_ref())
            .await?
            .rows,
        own: profile.id == signed_in.profile.id,
        staff: signed_in.may(Permission::Audit).then(|| Staff {
            may_assign: signed_in.may(Permission::Administer) && profile.id != signed_in.profile.id,
            token: viewer.token.clone(),
        }),
        profile,
    };
    let section = if shown.own { "/members" } else { "" };
    let title = shown.profile.name.clone();
    let page = Page {
        title: &title,
        site: &app.site,
        viewer: Some(&viewer),
        theme,
        section,
    };
    Ok(document(&page, &body(&shown)))
}

pub(super) fn body(shown: &Shown) -> Markup {
    let Shown {
        profile,
        totals,
        swarm,
        ..
    } = shown;
    html! {
        h1 { (profile.name) @if profile.role != Role::Member { " " span.badge { (profile.role.name()) } } }
        dl.facts {
            div { dt { "Joined" } dd { (age(profile.joined)) } }
            div { dt { "Uploaded" } dd { (size(totals.uploaded)) } }
            div { dt { "Downloaded" } dd { (size(totals.downloaded)) } }
            div { dt { "Ratio" } dd { (ratio(totals.ratio())) } }
            div { dt { "Seed time" } dd.num { (duration(totals.seeded)) } }
            div { dt { "Snatches" } dd.num { (totals.snatches) } }
            div { dt { "Seeding" } dd.num { (swarm.seeders) } }
            div { dt { "Leeching" } dd.num { (swarm.leechers) } }
        }
        @if shown.own { p { a.button href="/ledger" { "Your ledger: every credited byte" } } }
        @if let Some(staff) = &shown.staff { (behind(profile, staff)) }
        section {
            h2 { "Uploads" }
            @if shown.uploads.is_empty() {
                (empty("No uploads yet.", &html! { @if shown.own { a href="/upload" { "Upload a torrent" } "." } @else { "They may come." } }))
            } @else {
                (torrents::table(&shown.uploads, "Torrents that this member uploaded", None))
            }
        }
    }
}

/// The member's history, and the role for who may assign it.
fn behind(profile: &Profile, staff: &Staff) -> Markup {
    html! {
        (audit::behind(&format!("user-{}", profile.id)))
        @if staff.may_assign {
            div.actions {
                form.inline action={ "/members/" (profile.name) "/role" } method="post" {
                    (token(&staff.token))
                    label for="role" { "Role" }
                    select id="role" name="role" {
                        @for role in Role::ALL { option value=(role.name()) selected[role == profile.role] { (role.name()) } }
                    }
                    button type="submit" { "Assign" }
                }
            }
        }
    }
}

async fn assign_role(
    State(app): State<App>,
    Path(name): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let name = Name::parse(&name).map_err(|_| Problem::not_found())?;
    let role = Role::named(form.field("role"))
        .ok_or_else(|| Problem::invalid("There is no such role."))?;
    let member = user::named(&app.reads, &name)
        .await?
        .ok_or_else(Problem::not_found)?;
    let by = Actor::Member(form.signed_in.profile.id);
    let done = app.commands.assign_role(by, member.id, role).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/members/{}", member.name)))
}

/// Where a page of the ledger begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    from: String,
}

async fn ledger(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(from): Query<From>,
) -> Result<Markup, Problem> {
    let viewer = signed_in.viewer(&app).await?;
    let from = Some(Cursor(from.from)).filter(|cursor| !cursor.0.is_empty());
    let lines = traffic::ledger(&app.reads, signed_in.profile.id, from.as_ref(), ROWS).await?;
    let page = Page {
        title: "Ledger",
        site: &app.site,
        viewer: Some(&viewer),
        theme,
        section: "/members",
    };
    Ok(document(&page, &ledger_body(&lines, &viewer.totals)))
}

pub(super) fn ledger_body(lines: &Rows<Line>, totals: &Totals) -> Markup {
    html! {
        h1 { "Your ledger" }
        p.lead {
            "Each line is one run of one client, from its start to its stop, with what it reported in all. "
            "Reports that come twice or late add nothing. The lines add up to your figures."
        }
        @if lines.rows.is_empty() {
            (empty("Nothing was credited yet.", &html! { "Download a torrent from " a href="/torrents" { "the list" } " and open it in your client." }))
        } @else {
            div.scroller {
                table.ledger {
                    caption.visually-hidden { "Credited runs, the latest first" }
                    thead { tr {
                        th scope="col" { "Torrent" } th scope="col" { "Client" } th.num scope="col" { "Up" }
                        th.num scope="col" { "Down" } th.num scope="col" { "Seeded" } th.num scope="col" { "Leeched" }
                        th.num scope="col" { "Last" }
                    } }
                    tbody { @for line in &lines.rows { (row(line)) } }
                    tfoot { tr {
                        th scope="row" colspan="2" { "All runs" }
                        td.num data-label="Up" { (size(totals.uploaded)) } td.num data-label="Down" { (size(totals.downloaded)) }
                        td.num data-label="Seeded" { (duration(totals.seeded)) } td.num data-label="Leeched" { (duration(totals.leeched)) }
                        td {}
                    } }
                }
            }
            @if let Some(next) = &lines.next {
                nav.pager aria-label="Pages" { a.button rel="next" href={ "/ledger?from=" (next.0) } { "Next page" } }
            }
        }
    }
}

fn row(line: &Line) -> Markup {
    html! {
        tr {
            td.name { a href={ "/torrents/" (line.torrent) } { (line.name) } @if line.completed { " " span.badge.good { "completed" } } }
            td data-label="Client" { code title={ "client " (line.client) ", run " (line.run) } { (line.client.chars().take(6).collect::<String>()) "/" (line.run) } }
            td.num data-label="Up" { (size(line.uploaded)) }
            td.num data-label="Down" { (size(line.downloaded)) }
            td.num data-label="Seeded" { (duration(line.seeded)) }
            td.num data-label="Leeched" { (duration(line.leeched)) }
            td.num data-label="Last" { (age(line.last_at)) }
        }
    }
}
