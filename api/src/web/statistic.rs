//! How much happened when, and what goes on just now: charts drawn here, each with its numbers in a table.

use axum::extract::{Query, State};
use domain::amount::Bytes;
use maud::{Markup, html};
use projections::statistic::{self, Range, Tally};
use projections::swarm::Count;
use projections::torrent::list::{Column, Row, Sort};
use serde::Deserialize;
use time::OffsetDateTime;
use time::macros::format_description;

use super::component::{empty, size};
use super::layout::{Theme, framed};
use super::{home, torrents};
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// How high a chart is drawn.
const HEIGHT: u64 = 60;
/// How wide a step is drawn, with the gap behind it.
const STEP: usize = 10;
/// How wide that gap is.
const GAP: usize = 2;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/statistics", Who::Member, page)
}

/// Which range the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Asked {
    range: String,
}

impl Asked {
    /// Gives the range, or the usual one.
    pub(crate) fn range(&self) -> Range {
        Range::named(&self.range).unwrap_or_default()
    }
}

/// How much happened in a range and in all, and what goes on just now.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) range: Range,
    pub(crate) totals: Tally,
    pub(crate) series: Vec<(OffsetDateTime, Tally)>,
    pub(crate) live: Live,
}

/// What goes on just now.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Live {
    /// Torrents with a peer.
    pub(crate) swarms: usize,
    /// Peers with nothing left to download.
    pub(crate) seeders: u64,
    /// Peers that still download.
    pub(crate) leechers: u64,
}

impl Live {
    /// Asks the tracker.
    pub(crate) fn now(app: &App) -> Self {
        let live = app.swarms.live();
        let sum = |of: fn(&Count) -> u32| live.iter().map(|(_, count)| u64::from(of(count))).sum();
        Self {
            swarms: live.len(),
            seeders: sum(|count| count.seeders),
            leechers: sum(|count| count.leechers),
        }
    }
}

/// Reads how much happened.
pub(crate) async fn read(app: &App, range: Range) -> Result<Shown, Problem> {
    let now = OffsetDateTime::now_utc();
    Ok(Shown {
        range,
        totals: statistic::totals(&app.reads).await?,
        series: statistic::series(&app.reads, range, now).await?,
        live: Live::now(app),
    })
}

async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let shown = read(&app, asked.range()).await?;
    let seeders = Sort {
        by: Column::Seeders,
        ascending: false,
    };
    let seeded = home::top(&app, &signed_in, seeders).await?;
    let body = body(&shown, &seeded);
    framed(
        &app,
        theme,
        &signed_in,
        ("Statistics", "/statistics"),
        &body,
    )
    .await
}

pub(super) fn body(shown: &Shown, seeded: &[Row]) -> Markup {
    let seeded: Vec<Row> = seeded
        .iter()
        .filter(|row| row.swarm.seeders > 0)
        .cloned()
        .collect();
    html! {
        h1 { "Statistics" }
        (facts(shown))
        (charts("/statistics", shown))
        section {
            h2 { "Most seeded" }
            @if seeded.is_empty() { (empty("Nobody seeds just now.", &html! { a href="/torrents" { "Download something" } " and be the first." })) }
            @else { (torrents::table(&seeded, "The torrents with the most seeders", None)) }
        }
    }
}

/// What there is in all, and what goes on.
pub(super) fn facts(shown: &Shown) -> Markup {
    let (totals, live) = (&shown.totals, &shown.live);
    html! {
        dl.facts.even {
            div { dt { "Members" } dd.num { (totals.members) } }
            div { dt { "Torrents added" } dd.num { (totals.torrents) } }
            div { dt { "Completed" } dd.num { (totals.snatches) } }
            div { dt { "Posts" } dd.num { (totals.posts) } }
            div { dt { "Comments" } dd.num { (totals.comments) } }
            div { dt { "Uploaded" } dd { (size(totals.uploaded)) } }
            div { dt { "Downloaded" } dd { (size(totals.downloaded)) } }
        }
        dl.facts.even {
            div { dt { "Swarms now" } dd.num { (live.swarms) } }
            div { dt { "Seeders now" } dd.num { (live.seeders) } }
            div { dt { "Leechers now" } dd.num { (live.leechers) } }
        }
    }
}

/// Something that is counted.
struct Measure {
    name: &'static str,
    of: fn(&Tally) -> u64,
    is_bytes: bool,
}

impl Measure {
    const fn count(name: &'static str, of: fn(&Tally) -> u64) -> Self {
        Self {
            name,
            of,
            is_bytes: false,
        }
    }

    const fn bytes(name: &'static str, of: fn(&Tally) -> u64) -> Self {
        Self {
            name,
            of,
            is_bytes: true,
        }
    }

    fn write(&self, value: u64) -> String {
        if self.is_bytes {
            Bytes(value).to_string()
        } else {
            value.to_string()
        }
    }
}

/// What is counted, in the order in which it is shown.
const MEASURES: [Measure; 7] = [
    Measure::count("Members", |tally| tally.members.unsigned_abs()),
    Measure::count("Torrents", |tally| tally.torrents.unsigned_abs()),
    Measure::count("Completed", |tally| tally.snatches.unsigned_abs()),
    Measure::count("Posts", |tally| tally.posts.unsigned_abs()),
    Measure::count("Comments", |tally| tally.comments.unsigned_abs()),
    Measure::bytes("Uploaded", |tally| tally.uploaded.0),
    Measure::bytes("Downloaded", |tally| tally.downloaded.0),
];

/// What a range is called, and what the whole of it is.
fn worded(range: Range) -> (&'static str, &'static str) {
    match range {
        Range::Hour => ("By the hour", "the last two days by the hour"),
        Range::Day => ("By the day", "the last month by the day"),
        Range::Week => ("By the week", "the last half year by the week"),
        Range::Month => ("By the month", "the last year by the month"),
        Range::Year => ("The year", "the last year by the day"),
    }
}

/// The charts of a range, the ways to other ranges, and the numbers.
pub(super) fn charts(path: &str, shown: &Shown) -> Markup {
    let (_, whole) = worded(shown.range);
    html! {
        section id="charts" {
            h2 { "New in " (whole) }
            nav.actions aria-label="Range" {
                @for range in Range::ALL {
                    a.button href={ (path) "?range=" (range.name()) "#charts" } aria-current=[(range == shown.range).then_some("true")] { (worded(range).0) }
                }
            }
            div.charts { @for measure in &MEASURES { (chart(measure, shown)) } }
            details.below { summary { "The numbers in a table" } (table(shown)) }
        }
    }
}

/// A chart of bars; whole numbers, since nothing finer can be seen.
fn chart(measure: &Measure, shown: &Shown) -> Markup {
    let values: Vec<u64> = shown
        .series
        .iter()
        .map(|(_, tally)| (measure.of)(tally))
        .collect();
    let (most, sum) = (
        values.iter().copied().max().unwrap_or(0),
        values
            .iter()
            .fold(0, |sum: u64, one| sum.saturating_add(*one)),
    );
    let height = |value: u64| {
        let scaled = (u128::from(value) * u128::from(HEIGHT)).div_ceil(u128::from(most.max(1)));
        u64::try_from(scaled).unwrap_or(HEIGHT)
    };
    let (sum, most) = (measure.write(sum), measure.write(most));
    let edge = |step: Option<&(OffsetDateTime, Tally)>| {
        step.map_or_else(String::new, |(at, _)| label(shown.range, *at))
    };
    html! {
        figure.chart {
            figcaption { span { (measure.name) } span.num { (sum) } }
            svg viewBox={ "0 0 " (values.len() * STEP) " " (HEIGHT) } preserveAspectRatio="none" role="img"
                aria-label={ (measure.name) ", " (worded(shown.range).1) ": " (sum) " in all, at most " (most) " at once" } {
                @for (number, value) in values.iter().enumerate().filter(|(_, value)| **value > 0) {
                    rect x=(number * STEP) y=(HEIGHT - height(*value)) width=(STEP - GAP) height=(height(*value)) {}
                }
            }
            p.axis aria-hidden="true" { span { (edge(shown.series.first())) } span { "at most " (most) } span { (edge(shown.series.last())) } }
        }
    }
}

/// Names a step.
fn label(range: Range, at: OffsetDateTime) -> String {
    let written = match range {
        Range::Hour => at.format(format_description!(
            "[month repr:short] [day padding:none], [hour]:00"
        )),
        Range::Day | Range::Week => {
            at.format(format_description!("[month repr:short] [day padding:none]"))
        }
        Range::Month => at.format(format_description!("[month repr:short] [year]")),
        Range::Year => at.format(format_description!(
            "[month repr:short] [day padding:none], [year]"
        )),
    };
    written.unwrap_or_default()
}

fn table(shown: &Shown) -> Markup {
    html! {
        div.scroller {
            table.events.numbers {
                caption.visually-hidden { "New in " (worded(shown.range).1) ", the latest first; times in UTC" }
                thead { tr { th scope="col" { "From" } @for measure in &MEASURES { th.num scope="col" { (measure.name) } } } }
                tbody { @for (at, tally) in shown.series.iter().rev() { tr {
                    td.name { (label(shown.range, *at)) }
                    @for measure in &MEASURES { td.num data-label=(measure.name) { (measure.write((measure.of)(tally))) } }
                } } }
            }
        }
    }
}
