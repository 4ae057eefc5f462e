//! What a member is told, and what of it is new to them.
//!
//! That everything is read is the member's own word, and an event. That they looked at one of them is kept
//! beside the sessions: a bounded list, which may get lost. Then some are told to be new once more.

use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use domain::Permission;
use domain::id::MemberId;
use maud::{Markup, html};
use projections::notification::{self, Eyes, KEPT, Kind, Notification};
use projections::page::{Cursor, Page as Rows};
use serde::Deserialize;

use super::component::{age, empty};
use super::form::token;
use super::layout::{Theme, framed};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::{Asks, SignedIn};

/// Rows of a page.
const ROWS: i64 = 30;
/// How long it is known at which ones a member looked.
const KEEP: Duration = Duration::from_hours(90 * 24);

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/notifications", Who::Member, page)
        .post("/notifications/read", Who::Member, read_all)
        .get("/notifications/{position}", Who::Member, follow)
}

fn key(member: MemberId) -> String {
    format!("notification-read:{member}")
}

/// Gives those at which a member looked one by one.
pub(crate) async fn looked(app: &App, member: MemberId) -> Result<Vec<i64>, Problem> {
    let kept = app.ephemera.get(&key(member)).await?.unwrap_or_default();
    let (positions, _) = kept.as_chunks::<8>();
    Ok(positions.iter().copied().map(i64::from_be_bytes).collect())
}

/// Tells who asks of notifications.
pub(crate) fn eyes<'a>(asks: &impl Asks, looked: &'a [i64]) -> Eyes<'a> {
    Eyes {
        member: asks.profile().id,
        is_forum_staff: asks.may(Permission::Forum),
        looked,
    }
}

/// Where a page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    from: String,
}

async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(from): Query<From>,
) -> Result<Markup, Problem> {
    let from = Some(Cursor(from.from)).filter(|cursor| !cursor.0.is_empty());
    let looked = looked(&app, signed_in.profile.id).await?;
    let eyes = eyes(&signed_in, &looked);
    let rows = notification::list(&app.reads, eyes, from.as_ref(), ROWS).await?;
    let body = body(&rows, signed_in.form_token());
    let frame = ("Notifications", "/notifications");
    framed(&app, theme, &signed_in, frame, &body).await
}

pub(super) fn body(rows: &Rows<Notification>, form_token: &str) -> Markup {
    html! {
        h1 { "Notifications" }
        @if rows.rows.is_empty() {
            (empty("Nothing to tell you.", &html! { "Answers, mentions, comments on your torrents and words of the staff show here." }))
        } @else {
            ul.rows.notifications { @for one in &rows.rows { (row(one)) } }
            div.actions.below {
                form.inline action="/notifications/read" method="post" {
                    (token(form_token))
                    button type="submit" { "Mark everything as read" }
                }
            }
            p.hint { "The latest " (KEPT) " are kept." }
            @if let Some(next) = &rows.next {
                nav.pager aria-label="Pages" { a.button rel="next" href={ "/notifications?from=" (next.0) } { "Earlier ones" } }
            }
        }
    }
}

fn row(one: &Notification) -> Markup {
    html! {
        li.new[one.unread] {
            span {
                a href={ "/notifications/" (one.position) } { (said(one)) }
                @if one.unread { " " span.badge.good { "new" } }
                @if let Some(reason) = &one.reason { p.by { (reason) } }
                @if one.kind.is_alert() {
                    p.by { "Not you? " a href="/settings#sessions" { "End all other sessions" } ", then " a href="/settings/password" { "change your password" } "." }
                }
            }
            span.hint { (age(one.at)) }
        }
    }
}

/// Says what happened, in a sentence without its end.
pub(crate) fn said(one: &Notification) -> String {
    let by = one.by_name.as_deref().unwrap_or("Somebody");
    let title = one.title.as_deref();
    let topic = title.unwrap_or("a topic");
    let torrent = title.unwrap_or("a torrent");
    match one.kind {
        Kind::Named => format!("{by} mentioned you in {topic}"),
        Kind::NamedBelow => format!("{by} mentioned you below {torrent}"),
        Kind::Quoted => format!("{by} quoted you in {topic}"),
        Kind::Answered => format!("{by} answered in {topic}"),
        Kind::Commented => format!("{by} commented on {torrent}"),
        Kind::Approved => format!("The staff approved {torrent}"),
        Kind::Rejected => format!("The staff rejected {torrent}"),
        Kind::ChangesAsked => format!("The staff asks for changes of {torrent}"),
        Kind::Withdrawn => format!("The staff withdrew {torrent}"),
        Kind::Resolved => "Your report was resolved".to_owned(),
        Kind::Dismissed => "Your report was dismissed".to_owned(),
        Kind::Warned => "The staff warned you".to_owned(),
        Kind::LetIn => "Your ban was lifted".to_owned(),
        Kind::HitAndRun => format!("A hit-and-run was marked for {torrent}"),
        Kind::NewDevice => {
            let device = one.device.as_deref().unwrap_or("somewhere");
            format!("You signed in from a new place: {device}")
        }
        Kind::PasswordChanged => "Your password was changed".to_owned(),
        Kind::FactorOn => "Your second factor was set up".to_owned(),
        Kind::FactorOff => "Your second factor was turned off".to_owned(),
        Kind::KeyAdded => "A security key was added, which can sign you in".to_owned(),
        Kind::KeyRemoved => "A security key of yours was removed".to_owned(),
    }
}

/// Gives the address to which a notification of a member leads.
pub(crate) fn address(one: &Notification, name: &str) -> String {
    let subject = one.subject.unwrap_or_default();
    match one.kind {
        Kind::Named | Kind::Quoted | Kind::Answered => format!("/forum/posts/{subject}"),
        Kind::NamedBelow | Kind::Commented => format!("/comments/{subject}"),
        Kind::Approved | Kind::Rejected | Kind::ChangesAsked | Kind::Withdrawn => {
            format!("/torrents/{subject}")
        }
        Kind::Resolved | Kind::Dismissed => format!("/reports/{subject}"),
        Kind::Warned | Kind::LetIn => format!("/members/{name}"),
        Kind::HitAndRun => "/hit-and-runs".to_owned(),
        Kind::NewDevice
        | Kind::PasswordChanged
        | Kind::FactorOn
        | Kind::FactorOff
        | Kind::KeyAdded
        | Kind::KeyRemoved => "/settings#sessions".to_owned(),
    }
}

/// Leads to what a notification is about, and notes that the member looked.
async fn follow(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(position): Path<String>,
) -> Result<Redirect, Problem> {
    let position = position.parse().map_err(|_| Problem::not_found())?;
    let member = signed_in.profile.id;
    let mut looked = looked(&app, member).await?;
    let found = notification::one(&app.reads, eyes(&signed_in, &looked), position).await?;
    let found = found.ok_or_else(Problem::not_found)?;
    if found.unread && app.site.as_of.is_none() {
        looked.push(position);
        looked.sort_unstable_by_key(|position| std::cmp::Reverse(*position));
        looked.truncate(usize::try_from(KEPT).unwrap_or(0));
        let kept: Vec<u8> = looked.iter().copied().flat_map(i64::to_be_bytes).collect();
        app.ephemera.put(&key(member), &kept, KEEP).await?;
    }
    Ok(Redirect::to(&address(&found, &signed_in.profile.name)))
}

async fn read_all(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let upto = app.feed.head().await?;
    let done = app
        .commands
        .read_notifications(form.signed_in.profile.id, upto);
    app.reads.wait_for(done.await?).await;
    Ok(Redirect::to("/notifications"))
}
