//! A member's own ledger: each credited run, and the sums that add up.

use axum::extract::{Query, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse as _, Response};
use domain::id::TorrentId;
use maud::{Markup, html};
use projections::page::{Cursor, Page as Rows};
use projections::traffic::{self, Line, Totals};
use serde::Deserialize;
use time::format_description::well_known::Rfc3339;

use super::super::component::{age, duration, empty, size};
use super::super::layout::{Page, Theme, document};
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Rows of a page.
const ROWS: i64 = 50;
/// Rows that are read at once for a download.
const AT_ONCE: i64 = 1_000;

/// Gives the routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/ledger", Who::Member, ledger)
        .get("/ledger.csv", Who::Member, download)
}

/// Which torrent's runs are asked for, and where the page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Asked {
    torrent: String,
    from: String,
}

impl Asked {
    fn torrent(&self) -> Option<TorrentId> {
        self.torrent.parse().ok()
    }

    fn from(&self) -> Option<Cursor> {
        Some(Cursor(self.from.clone())).filter(|cursor| !cursor.0.is_empty())
    }
}

async fn ledger(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let viewer = signed_in.viewer(&app).await?;
    let (member, from) = (signed_in.profile.id, asked.from());
    let (torrent, from) = (asked.torrent(), from.as_ref());
    let (lines, sums) = traffic::ledger_with_sums(&app.reads, member, torrent, from, ROWS).await?;
    let page = Page {
        title: "Ledger",
        site: &app.site,
        viewer: Some(&viewer),
        theme,
        section: "/members",
    };
    Ok(document(&page, &body(&lines, &sums, torrent)))
}

pub(in super::super) fn body(
    lines: &Rows<Line>,
    totals: &Totals,
    torrent: Option<TorrentId>,
) -> Markup {
    html! {
        h1 { "Your ledger" }
        p.lead {
            "Each line is one run of one client, from its start to its stop, with what it reported in all. "
            "Reports that come twice or late add nothing. The lines add up to your figures."
        }
        p.actions {
            a.button href="/ledger.csv" { "Download all of it as CSV" }
            @if torrent.is_some() { a.button href="/ledger" { "All torrents" } }
        }
        @if lines.rows.is_empty() {
            (empty("Nothing was credited yet.", &html! { "Download a torrent from " a href="/torrents" { "the list" } " and open it in your client." }))
        } @else {
            div.scroller {
                table.ledger {
                    caption.visually-hidden { "Credited runs, the latest first" }
                    thead { tr {
                        th scope="col" { "Torrent" } th scope="col" { "Client" } th.num scope="col" { "Up" }
                        th.num scope="col" { "Down" } th.num scope="col" { "Charged" } th.num scope="col" { "Seeded" } th.num scope="col" { "Leeched" }
                        th.num scope="col" { "Last" }
                    } }
                    tbody { @for line in &lines.rows { (row(line)) } }
                    tfoot { tr {
                        th scope="row" colspan="2" { "All runs" }
                        td.num data-label="Up" { (size(totals.uploaded)) } td.num data-label="Down" { (size(totals.downloaded)) }
                        td.num data-label="Charged" { (size(totals.charged)) }
                        td.num data-label="Seeded" { (duration(totals.seeded)) } td.num data-label="Leeched" { (duration(totals.leeched)) }
                        td {}
                    }
                    @if totals.credit.0 > 0 { tr {
                        th scope="row" colspan="2" { "Given besides" }
                        td.num data-label="Up" { (size(totals.credit)) } td colspan="5" {}
                    } } }
                }
            }
            @if let Some(next) = &lines.next {
                nav.pager aria-label="Pages" { a.button rel="next" href={ "/ledger?" @if let Some(torrent) = torrent { "torrent=" (torrent) "&" } "from=" (next.0) } { "Next page" } }
            }
        }
    }
}

fn row(line: &Line) -> Markup {
    html! {
        tr {
            td.name { a href={ "/ledger?torrent=" (line.torrent) } { (line.name) } @if line.completed { " " span.badge.good { "completed" } } }
            td data-label="Client" { code title={ "client " (line.client) ", run " (line.run) } { (line.client.chars().take(6).collect::<String>()) "/" (line.run) } }
            td.num data-label="Up" { (size(line.uploaded)) }
            td.num data-label="Down" { (size(line.downloaded)) }
            td.num data-label="Charged" { (size(line.charged)) }
            td.num data-label="Seeded" { (duration(line.seeded)) }
            td.num data-label="Leeched" { (duration(line.leeched)) }
            td.num data-label="Last" { (age(line.last_at)) }
        }
    }
}

/// Gives the whole ledger as comma-separated values (RFC 4180).
async fn download(State(app): State<App>, signed_in: SignedIn) -> Result<Response, Problem> {
    let mut table = String::from(
        "torrent,name,client,run,uploaded,downloaded,charged,seeded,leeched,completed,first,last\r\n",
    );
    let mut from = None;
    loop {
        let member = signed_in.profile.id;
        let lines = traffic::ledger(&app.reads, member, None, from.as_ref(), AT_ONCE).await?;
        lines.rows.iter().for_each(|line| write(&mut table, line));
        from = lines.next;
        if from.is_none() {
            break;
        }
    }
    let kind = HeaderValue::from_static("text/csv; charset=utf-8");
    let name = HeaderValue::from_static("attachment; filename=\"ledger.csv\"");
    let headers = [
        (header::CONTENT_TYPE, kind),
        (header::CONTENT_DISPOSITION, name),
    ];
    Ok((headers, table).into_response())
}

fn write(table: &mut String, line: &Line) {
    use std::fmt::Write as _;
    let at = |at: time::OffsetDateTime| at.format(&Rfc3339).unwrap_or_default();
    // A spreadsheet takes what begins so for a formula.
    let guard = if line.name.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        "'"
    } else {
        ""
    };
    let name = line.name.replace('"', "\"\"");
    // Writing to memory can't fail.
    let _written = write!(
        table,
        "{},\"{guard}{name}\",{},{},{},{},{},{},{},{},{},{}\r\n",
        line.torrent,
        line.client,
        line.run,
        line.uploaded.0,
        line.downloaded.0,
        line.charged.0,
        line.seeded.0,
        line.leeched.0,
        line.completed,
        at(line.first_at),
        at(line.last_at),
    );
}
