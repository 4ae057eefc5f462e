//! Invites: a member's own with their links and whom they brought, and for who may grant them everybody's.

use std::collections::BTreeMap;

use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use domain::Permission;
use domain::id::InviteId;
use domain::invite::Code;
use maud::{Markup, html};
use projections::invite::{self, Guest, Invite, Standing};
use projections::page::{Cursor, Page as Rows};
use serde::Deserialize;
use time::OffsetDateTime;

use super::component::{age, empty, instant};
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
    Routes::new()
        .get("/invites", Who::Member, own)
        .post("/invites", Who::Member, make)
        .post("/invites/{id}/revoke", Who::Member, revoke)
        .get("/staff/invites", Who::May(Permission::Invites), all)
}

/// What the page shows.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) left: i64,
    pub(super) invites: Vec<Invite>,
    /// The links of those that may be used.
    pub(super) links: BTreeMap<InviteId, String>,
    pub(super) next: Option<Cursor>,
    pub(super) guests: Vec<Guest>,
    pub(super) inviter: Option<String>,
    pub(super) token: String,
}

/// Where a page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    from: String,
}

impl From {
    fn cursor(self) -> Option<Cursor> {
        Some(Cursor(self.from)).filter(|cursor| !cursor.0.is_empty())
    }
}

async fn own(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(from): Query<From>,
) -> Result<Markup, Problem> {
    let member = signed_in.profile.id;
    let Rows { rows, next } =
        invite::list(&app.reads, Some(member), from.cursor().as_ref(), ROWS).await?;
    let link = |code: &Code| format!("{}/register?invite={}", app.site.origin(), code.reveal());
    let codes = app.commands.invite_codes(member).await?;
    let shown = Shown {
        left: invite::left(&app.reads, member).await?,
        links: codes
            .iter()
            .map(|(invite, code)| (*invite, link(code)))
            .collect(),
        invites: rows,
        next,
        guests: invite::tree(&app.reads, member).await?,
        inviter: invite::inviter(&app.reads, member).await?,
        token: signed_in.form_token().to_owned(),
    };
    let now = OffsetDateTime::now_utc().unix_timestamp();
    framed(
        &app,
        theme,
        &signed_in,
        ("Invites", "/members"),
        &body(&shown, now),
    )
    .await
}

pub(super) fn body(shown: &Shown, now: i64) -> Markup {
    html! {
        h1 { "Invites" }
        p.lead {
            "You may invite " strong { (shown.left) } @if shown.left == 1 { " more person." } @else { " more people." }
            " One that nobody uses in time comes back to you."
        }
        @if shown.left > 0 {
            form.actions action="/invites" method="post" {
                (token(&shown.token))
                button.primary type="submit" { "Make an invite" }
            }
        }
        @if shown.invites.is_empty() {
            (empty("You made no invite yet.", &html! { "Its link lets one person join, whoever opens it first." }))
        } @else {
            ul.rows { @for one in &shown.invites { (row(shown, one, now)) } }
            @if let Some(next) = &shown.next {
                nav.pager aria-label="Pages" { a.button rel="next" href={ "/invites?from=" (next.0) } { "Next page" } }
            }
        }
        section.card {
            h2 { "Whom you brought" }
            @if let Some(inviter) = &shown.inviter {
                p { "You joined by an invite of " a href={ "/members/" (inviter) } { (inviter) } "." }
            }
            @if shown.guests.is_empty() { p.hint { "Nobody joined by your invites yet." } }
            @else { (guests(&shown.guests)) }
        }
    }
}

fn row(shown: &Shown, one: &Invite, now: i64) -> Markup {
    let open = one.standing == Standing::Open && now < one.expires;
    html! {
        li {
            span { (badge(one, now)) " made " (age(one.issued_at)) @if open { ", holds until " (instant(one.expires)) } }
            @if let Some(link) = shown.links.get(&one.id).filter(|_| open) {
                div.copy { code data-copy { (link) } }
                form.inline action={ "/invites/" (one.id) "/revoke" } method="post" {
                    (token(&shown.token))
                    button type="submit" { "Revoke" }
                }
            }
        }
    }
}

fn badge(one: &Invite, now: i64) -> Markup {
    html! {
        @match &one.standing {
            Standing::Open if now < one.expires => span.badge.good { "open" },
            Standing::Open | Standing::Expired => span.badge { "expired" },
            Standing::Used(name) => { span.badge { "used" } " by " a href={ "/members/" (name) } { (name) } },
            Standing::Revoked => span.badge { "revoked" },
        }
    }
}

/// Who invited whom, each below who invited them.
fn guests(guests: &[Guest]) -> Markup {
    html! {
        ul.tree {
            @for guest in guests {
                li.file {
                    span {
                        @for _ in 1..guest.depth { span aria-hidden="true" { "└ " } }
                        a href={ "/members/" (guest.name) } { (guest.name) }
                        @if guest.depth > 1 { span.visually-hidden { " invited at depth " (guest.depth) } }
                    }
                    span.hint { "joined " (age(guest.joined)) }
                }
            }
        }
    }
}

async fn make(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let done = app.commands.invite(form.signed_in.profile.id, now).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to("/invites"))
}

async fn revoke(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let invite: InviteId = id.parse().map_err(|_| Problem::not_found())?;
    let by = form.signed_in.profile.id;
    let done = app.commands.revoke_invite(by, invite).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to("/invites"))
}

async fn all(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(from): Query<From>,
) -> Result<Markup, Problem> {
    let invites = invite::list(&app.reads, None, from.cursor().as_ref(), ROWS).await?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    framed(
        &app,
        theme,
        &signed_in,
        ("All invites", "/staff"),
        &all_body(&invites, now),
    )
    .await
}

pub(super) fn all_body(invites: &Rows<Invite>, now: i64) -> Markup {
    html! {
        h1 { "All invites" }
        p.lead { "More invites are given on a member's page." }
        @if invites.rows.is_empty() {
            (empty("Nobody made an invite yet.", &html! { "Members make them under " a href="/invites" { "Invites" } "." }))
        } @else {
            ul.rows {
                @for one in &invites.rows {
                    li {
                        span { a href={ "/members/" (one.issuer_name) } { (one.issuer_name) } " " (badge(one, now)) }
                        span.hint { "made " (age(one.issued_at)) ", until " (instant(one.expires)) }
                    }
                }
            }
            @if let Some(next) = &invites.next {
                nav.pager aria-label="Pages" { a.button rel="next" href={ "/staff/invites?from=" (next.0) } { "Next page" } }
            }
        }
    }
}
