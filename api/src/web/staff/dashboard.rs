//! The top of the administrators' page: what waits, whether all is well, and how much happened.

use maud::{Markup, html};
use projections::backup::{self, OLD, Run, Runs};
use projections::statistic::{Room, room};
use projections::{report, torrent, transfer};
use time::OffsetDateTime;

use super::super::component::{age, size};
use super::super::layout::counted;
use super::super::statistic::{self, Shown, charts, facts};
use super::Projected;
use crate::app::App;
use crate::problem::Problem;
use crate::session::SignedIn;

/// What the administrators see first.
pub(crate) struct Dashboard {
    /// Uploads, reports and flags that wait, as far as they are counted.
    pub(crate) waiting: [i64; 3],
    pub(crate) backups: Runs,
    pub(crate) statistics: Shown,
    pub(crate) room: Room,
}

/// Where what waits is, what it is called, and how far it is counted.
const WAITING: [(&str, &str, i64); 3] = [
    (
        "/staff/queue",
        "Uploads that wait",
        torrent::queue::MOST_COUNTED,
    ),
    ("/staff/reports", "Reports that wait", report::MOST_COUNTED),
    ("/staff/flags", "Flagged traffic", transfer::MOST_COUNTED),
];

/// Reads it.
pub(super) async fn read(
    app: &App,
    signed_in: &SignedIn,
    asked: &statistic::Asked,
) -> Result<Dashboard, Problem> {
    Ok(Dashboard {
        waiting: [
            torrent::queue::count(&app.reads).await?,
            super::reports::waiting(app, signed_in).await?,
            transfer::flagged(&app.reads).await?,
        ],
        backups: backup::last(&app.reads).await?,
        statistics: statistic::read(app, asked.range()).await?,
        room: room(&app.reads).await?,
    })
}

pub(super) fn section(dashboard: &Dashboard, standing: &[Projected]) -> Markup {
    html! {
        section aria-labelledby="now" {
            h2 id="now" { "Now" }
            dl.facts.even {
                @for ((path, name, most), count) in WAITING.iter().zip(dashboard.waiting) {
                    div { dt { a href=(path) { (name) } } dd.num class=[(count > 0).then_some("warn")] { (counted(count, *most)) } }
                }
                div { dt { a href="#projections" { "Projections" } } dd { (health(standing)) } }
                div { dt { a href="#backups" { "Last backup" } } dd { (last(dashboard.backups.made)) } }
                div { dt { "The log takes" } dd { (size(dashboard.room.log)) } }
                div { dt { "Read tables take" } dd { (size(dashboard.room.read)) } }
            }
        }
        section aria-labelledby="in-all" { h2 id="in-all" { "In all" } (facts(&dashboard.statistics)) }
        (charts("/staff", &dashboard.statistics))
    }
}

fn health(standing: &[Projected]) -> Markup {
    let stopped = standing.iter().filter(|one| one.standing.stopped.is_some());
    let (stopped, behind) = (
        stopped.count(),
        standing.iter().map(|one| one.behind).max().unwrap_or(0),
    );
    html! {
        @if stopped > 0 { span.badge.bad { (stopped) " stopped" } }
        @else if behind > 1_000 { span.badge.warn { (behind) " behind" } }
        @else { span.badge.good { "all living" } }
    }
}

fn last(made: Option<Run>) -> Markup {
    let is_old = |run: &Run| (OffsetDateTime::now_utc() - run.at).whole_seconds() > OLD;
    html! {
        @match made {
            None => span.badge.warn { "none yet" },
            Some(run) if is_old(&run) => span.badge.bad { (age(run.at)) },
            Some(run) => span.badge.good { (age(run.at)) },
        }
    }
}

/// What is known of backups; they are made and proved at the command line.
pub(super) fn backups(runs: &Runs) -> Markup {
    let told = |run: &Run| html! { (age(run.at)) ", up to event " span.num { (run.upto) } };
    html! {
        section.card id="backups" {
            h2 { "Backups" }
            dl.facts.even {
                div { dt { "Made" } dd { @match &runs.made { Some(run) => (told(run)), None => "not yet" } } }
                div { dt { "Proved" } dd { @match &runs.verified { Some(run) => (told(run)), None => "not yet" } } }
            }
            p.hint { code { "opentracker backup create" } " makes one, " code { "opentracker backup verify" } " restores it into a scratch database and proves it." }
        }
    }
}
