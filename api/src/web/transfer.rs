//! What downloads owe: a member's own, and for the staff everybody's, with what looks wrong.

use axum::extract::{Query, State};
use axum::response::Redirect;
use commands::transfer::Act;
use domain::Permission;
use domain::amount::Seconds;
use domain::transfer::{Kind, Pair, Standing, Suspicion};
use maud::{Markup, html};
use projections::page::{Cursor, Page as Rows};
use projections::transfer::{self, Flag, Owed};
use serde::Deserialize;
use time::OffsetDateTime;

use super::component::{age, duration, empty, instant, size};
use super::form::token;
use super::layout::{Theme, framed};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Rows of a page.
const ROWS: i64 = 50;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let staff = Who::May(Permission::Traffic);
    Routes::new()
        .get("/hit-and-runs", Who::Member, own)
        .get("/staff/hit-and-runs", staff, list)
        .get("/staff/flags", staff, flags)
        .post("/staff/transfers", staff, settle)
}

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    pub(super) standing: String,
    from: String,
}

impl Asked {
    fn from(&self) -> Option<Cursor> {
        Some(Cursor(self.from.clone())).filter(|cursor| !cursor.0.is_empty())
    }

    fn standing(&self) -> Standing {
        Standing::named(&self.standing).unwrap_or(Standing::Marked)
    }
}

async fn own(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let from = asked.from();
    let owed = transfer::of_member(&app.reads, signed_in.profile.id, from.as_ref(), ROWS).await?;
    framed(
        &app,
        theme,
        &signed_in,
        ("Your hit-and-runs", "/members"),
        &own_body(&owed, OffsetDateTime::now_utc()),
    )
    .await
}

pub(super) fn own_body(owed: &Rows<Owed>, now: OffsetDateTime) -> Markup {
    html! {
        h1 { "Your hit-and-runs" }
        p.lead { "Whoever completes a download gives it back for a while. What is seeded counts wherever and whenever you do it." }
        @if owed.rows.is_empty() {
            (empty("You owe nothing.", &html! { "What you complete stands here with the seed time that it asks for." }))
        } @else {
            div.scroller {
                table.ledger {
                    caption.visually-hidden { "Downloads that ask or asked for seed time, the latest first" }
                    thead { tr {
                        th scope="col" { "Torrent" } th scope="col" { "Standing" } th.num scope="col" { "Seeded" }
                        th.num scope="col" { "Owed" } th.num scope="col" { "Time left" } th.num scope="col" { "Completed" }
                    } }
                    tbody { @for one in &owed.rows { tr {
                        td.name { a href={ "/torrents/" (one.of.torrent) } { (one.torrent) } }
                        td data-label="Standing" { (badge(one.standing)) }
                        td.num data-label="Seeded" { (duration(one.seeded)) }
                        td.num data-label="Owed" { (duration(one.owes)) }
                        td.num data-label="Time left" { (left(one, now)) }
                        td.num data-label="Completed" { (age(one.completed_at)) }
                    } } }
                }
            }
            (pager("/hit-and-runs?", owed.next.as_ref()))
        }
    }
}

/// How much time is left, where it is owed in time.
fn left(owed: &Owed, now: OffsetDateTime) -> Markup {
    let left = owed.due - now.unix_timestamp();
    html! {
        @match owed.standing {
            Standing::Owing if left > 0 => span title="until the grace period ends" { (duration(Seconds(left.unsigned_abs()))) },
            Standing::Owing | Standing::Marked => "over",
            Standing::Exempt | Standing::Met => "–",
        }
    }
}

fn badge(standing: Standing) -> Markup {
    let (class, said) = match standing {
        Standing::Owing => ("badge", "owed"),
        Standing::Marked => ("badge bad", "hit-and-run"),
        Standing::Exempt => ("badge", "exempt"),
        Standing::Met => ("badge good", "met"),
    };
    html! { span class=(class) { (said) } }
}

fn pager(to: &str, next: Option<&Cursor>) -> Markup {
    html! {
        @if let Some(next) = next {
            nav.pager aria-label="Pages" { a.button rel="next" href={ (to) "from=" (next.0) } { "Next page" } }
        }
    }
}

async fn list(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let from = asked.from();
    let owed = transfer::standing(&app.reads, asked.standing(), from.as_ref(), ROWS).await?;
    let body = list_body(&owed, asked.standing(), signed_in.form_token());
    framed(&app, theme, &signed_in, ("Hit-and-runs", "/staff"), &body).await
}

pub(super) fn list_body(owed: &Rows<Owed>, shown: Standing, form_token: &str) -> Markup {
    let name = |standing| match standing {
        Standing::Marked => "Hit-and-runs",
        Standing::Owing => "Owed",
        Standing::Exempt => "Exempt",
        Standing::Met => "Met",
    };
    html! {
        h1 { "Hit-and-runs" }
        nav.actions aria-label="Standings" {
            @for one in Standing::ALL {
                a.button href={ "/staff/hit-and-runs?standing=" (one.name()) } aria-current=[(one == shown).then_some("page")] { (name(one)) }
            }
            a.button href="/staff/flags" { "Flagged traffic" }
        }
        @if owed.rows.is_empty() {
            (empty("There are none.", &html! { "What members owe is marked by itself when its grace period ends." }))
        } @else {
            ul.rows {
                @for one in &owed.rows {
                    li {
                        span {
                            a href={ "/members/" (one.member) } { (one.member) } " on "
                            a href={ "/torrents/" (one.of.torrent) } { (one.torrent) } " " (badge(one.standing))
                            br;
                            span.hint {
                                (duration(one.seeded)) " of " (duration(one.owes)) ", completed " (age(one.completed_at))
                                ", due " (instant(one.due))
                                @if let Some(reason) = &one.reason { ": " (reason) }
                            }
                        }
                        @if matches!(one.standing, Standing::Owing | Standing::Marked) {
                            (acts(one, form_token))
                        }
                    }
                }
            }
            (pager(&format!("/staff/hit-and-runs?standing={}&", shown.name()), owed.next.as_ref()))
        }
    }
}

fn acts(owed: &Owed, form_token: &str) -> Markup {
    let id = format!("reason-{}-{}", owed.of.member, owed.of.torrent);
    html! {
        form.inline action="/staff/transfers" method="post" {
            (token(form_token)) (hidden(owed.of))
            label.visually-hidden for=(id) { "Reason" }
            input id=(id) type="text" name="reason" maxlength="500" placeholder="Reason" autocomplete="off";
            @if owed.standing == Standing::Marked {
                button type="submit" name="act" value="clear" { "Clear" }
            }
            button type="submit" name="act" value="exempt" { "Exempt" }
        }
    }
}

fn hidden(of: Pair) -> Markup {
    html! {
        input type="hidden" name="member" value=(of.member);
        input type="hidden" name="torrent" value=(of.torrent);
    }
}

async fn flags(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let flags = transfer::flags(&app.reads, asked.from().as_ref(), ROWS).await?;
    framed(
        &app,
        theme,
        &signed_in,
        ("Flagged traffic", "/staff"),
        &flags_body(&flags, signed_in.form_token()),
    )
    .await
}

pub(super) fn flags_body(flags: &Rows<Flag>, form_token: &str) -> Markup {
    html! {
        h1 { "Flagged traffic" }
        p.lead { "What looks wrong about what clients reported. Nothing follows from it by itself: look at the facts, and at the member's ledger." }
        @if flags.rows.is_empty() {
            (empty("Nothing is flagged.", &html! { "What looks wrong stands here within a minute." }))
        } @else {
            ul.rows {
                @for flag in &flags.rows {
                    li {
                        span {
                            a href={ "/members/" (flag.member) } { (flag.member) } " on "
                            a href={ "/torrents/" (flag.of.torrent) } { (flag.torrent) } ", " (age(flag.at))
                            br;
                            (facts(&flag.suspicion))
                        }
                        form.inline action="/staff/transfers" method="post" {
                            (token(form_token)) (hidden(flag.of))
                            input type="hidden" name="kind" value=(flag.suspicion.kind().name());
                            button type="submit" name="act" value="dismiss" { "Looked at" }
                        }
                    }
                }
            }
            (pager("/staff/flags?", flags.next.as_ref()))
        }
    }
}

fn facts(suspicion: &Suspicion) -> Markup {
    html! {
        @match suspicion {
            Suspicion::Shrunk { before, then } => {
                "Totals shrank within a run: from " (size(before.0)) " up and " (size(before.1)) " down to "
                (size(then.0)) " and " (size(then.1)) "."
            }
            Suspicion::TooFast { moved, within } => {
                "Faster than a line carries: " (size(*moved)) " in " (duration(*within)) "."
            }
            Suspicion::NobodyThere { sent, within } => {
                "Sent " (size(*sent)) " in " (duration(*within)) " while nobody was there to receive."
            }
        }
    }
}

async fn settle(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let unknown = || Problem::invalid("There is no such member or torrent.");
    let of = Pair {
        member: form.field("member").parse().map_err(|_| unknown())?,
        torrent: form.field("torrent").parse().map_err(|_| unknown())?,
    };
    let act = match (form.field("act"), Kind::named(form.field("kind"))) {
        ("clear", _) => Act::Clear,
        ("exempt", _) => Act::Exempt,
        ("dismiss", Some(kind)) => Act::Dismiss(kind),
        _ => return Err(Problem::invalid("This can't be done about it.")),
    };
    let reason = form.field("reason").trim();
    if reason.chars().count() > 500 {
        return Err(Problem::invalid("A reason has at most 500 characters."));
    }
    let reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
    let by = form.signed_in.profile.id;
    let done = app.commands.settle(by, of, act, reason).await?;
    app.reads.wait_for(done.position).await;
    let back = match act {
        Act::Clear | Act::Exempt => "/staff/hit-and-runs",
        Act::Dismiss(_) => "/staff/flags",
    };
    Ok(Redirect::to(back))
}
