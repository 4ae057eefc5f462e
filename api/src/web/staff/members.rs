//! Members, for who keeps order among them: found by name, warned, banned and let in again.

use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use commands::sanction::Sanction;
use domain::Permission;
use domain::user::{Ban, Name};
use maud::{Markup, html};
use projections::page::{Cursor, Page as Rows};
use projections::user::sanction::{Kind, Sanction as Imposed};
use projections::user::{self, Names, Profile};
use serde::Deserialize;
use time::OffsetDateTime;

use super::super::component::{age, empty, instant};
use super::super::form::token;
use super::super::layout::{Theme, framed};
use super::roles;
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::network;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Rows of a page.
const ROWS: i64 = 50;

/// Gives the routes.
pub(super) fn routes() -> Routes {
    let order = Who::May(Permission::Members);
    Routes::new()
        .get("/staff/members", order, list)
        .post("/members/{name}/sanction", order, sanction)
        .post(
            "/members/{name}/invites",
            Who::May(Permission::Invites),
            grant,
        )
}

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Asked {
    pub(in super::super) q: String,
    from: String,
}

async fn list(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let from = Some(Cursor(asked.from.clone())).filter(|cursor| !cursor.0.is_empty());
    let found = user::list(&app.reads, asked.q.trim(), from.as_ref(), ROWS).await?;
    framed(
        &app,
        theme,
        &signed_in,
        ("Members", "/staff"),
        &body(&asked, &found),
    )
    .await
}

pub(in super::super) fn body(asked: &Asked, found: &Rows<Profile>) -> Markup {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let encoded = |text: &str| {
        percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
    };
    html! {
        h1 { "Members" }
        form.filters action="/staff/members" method="get" {
            div.field {
                label for="q" { "Name begins with" }
                input id="q" type="search" name="q" value=(asked.q) autocapitalize="none" autocomplete="off";
            }
            button type="submit" { "Find" }
        }
        @if found.rows.is_empty() {
            (empty("Nobody's name begins so.", &html! { a href="/staff/members" { "All members" } }))
        } @else {
            ul.rows {
                @for one in &found.rows {
                    li {
                        span {
                            a href={ "/members/" (one.name) } { (one.name) } " " span.badge { (one.role.name()) }
                            @for role in &one.roles { " " (roles::badge(role)) }
                            @if one.is_banned(now) { " " span.badge.bad { "banned" } }
                        }
                        span.hint { "joined " (age(one.joined)) }
                    }
                }
            }
            @if let Some(next) = &found.next {
                nav.pager aria-label="Pages" {
                    a.button rel="next" href={ "/staff/members?q=" (encoded(&asked.q)) "&from=" (next.0) } { "Next page" }
                }
            }
        }
    }
}

/// The lengths of a ban that are offered, in hours.
const LENGTHS: [(&str, i64); 5] = [
    ("for a day", 24),
    ("for a week", 168),
    ("for a month", 720),
    ("for a year", 8_760),
    ("for ever", 0),
];

/// What was imposed on a member, and what who may can do about them.
pub(in super::super) fn sanctions(
    profile: &Profile,
    imposed: &[Imposed],
    names: &Names,
    form_token: Option<&str>,
) -> Markup {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    html! {
        @if !imposed.is_empty() || form_token.is_some() {
            section.card {
                h2 { "Sanctions" }
                @if imposed.is_empty() { p.hint { "There were none." } }
                ul.rows { @for one in imposed { (row(one, names)) } }
                @if let Some(form_token) = form_token { (acts(profile, now, form_token)) }
            }
        }
    }
}

fn row(one: &Imposed, names: &Names) -> Markup {
    html! {
        li {
            span {
                @match one.kind {
                    Kind::Warning => span.badge { "warned" },
                    Kind::Ban => span.badge.bad { "banned" },
                    Kind::Lifted => span.badge.good { "let in again" },
                }
                " " (one.reason)
                @if let Some(until) = one.until { " (until " (instant(until)) ")" }
                @if one.by_address { " " span.badge { "and their address" } }
            }
            span.hint {
                @if let Some(name) = one.by.and_then(|by| names.get(&by)) { (name) ", " }
                (age(one.at))
            }
        }
    }
}

fn acts(profile: &Profile, now: i64, form_token: &str) -> Markup {
    html! {
        form action={ "/members/" (profile.name) "/sanction" } method="post" {
            (token(form_token))
            div.field {
                label for="reason" { "Reason" }
                input id="reason" type="text" name="reason" maxlength="500" required autocomplete="off" aria-describedby="reason-hint";
                p.hint id="reason-hint" { "The member reads it." }
            }
            div.field {
                label for="hours" { "A ban holds" }
                select id="hours" name="hours" { @for (said, hours) in LENGTHS { option value=(hours) { (said) } } }
            }
            div.field.check {
                input id="address" type="checkbox" name="address" value="yes" aria-describedby="address-hint";
                label for="address" { "It covers the address from which they signed in last" }
                p.hint id="address-hint" { "Nobody joins from there meanwhile, and nobody signs in but who may ban. No address is kept or shown, only what this site's keys make of it." }
            }
            div.actions {
                button type="submit" name="act" value="warn" { "Warn" }
                button.danger type="submit" name="act" value="ban" { "Ban" }
                @if profile.is_banned(now) { button type="submit" name="act" value="lift" { "Let in again" } }
            }
        }
    }
}

pub(super) async fn find(app: &App, name: &str) -> Result<Profile, Problem> {
    let name = Name::parse(name).map_err(|_| Problem::not_found())?;
    let found = user::named(&app.reads, &name).await?;
    found.ok_or_else(Problem::not_found)
}

async fn sanction(
    State(app): State<App>,
    Path(name): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let member = find(&app, &name).await?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let reason = form.field("reason").trim().to_owned();
    let sanction = match form.field("act") {
        "warn" => Sanction::Warn(reason),
        "lift" => Sanction::Lift(reason),
        "ban" => Sanction::Ban(Ban {
            reason,
            until: end(form.field("hours"), now)?,
            network: match form.field("address") {
                "" => None,
                _ => Some(network::last(&app, member.id).await?),
            },
        }),
        _ => {
            return Err(Problem::invalid(
                "A member is warned, banned or let in again.",
            ));
        }
    };
    let by = form.signed_in.profile.id;
    let done = app.commands.sanction(by, member.id, sanction, now).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/members/{}", member.name)))
}

/// Reads after how many hours a ban ends; never after none.
fn end(hours: &str, now: i64) -> Result<Option<i64>, Problem> {
    let hours: Option<i64> = hours.parse().ok();
    let hours = hours.filter(|hours| (0..=876_000).contains(hours));
    let hours = hours
        .ok_or_else(|| Problem::invalid("A ban holds for so many hours; 0 means for ever."))?;
    Ok((hours > 0).then_some(now + hours * 3_600))
}

async fn grant(
    State(app): State<App>,
    Path(name): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let member = find(&app, &name).await?;
    let count = form.field("count").parse();
    let count =
        count.map_err(|_| Problem::invalid("From 1 to 100 invites are granted at once."))?;
    let by = form.signed_in.profile.id;
    let done = app.commands.grant_invites(by, member.id, count).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/members/{}", member.name)))
}
