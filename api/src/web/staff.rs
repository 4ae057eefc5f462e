//! The administrators' page: whether strangers may register, what every member is told, and how far
//! the projections are.

use axum::extract::{Query, State};
use axum::response::Redirect;
use commands::Refusal;
use domain::Permission;
use domain::amount::Seconds;
use domain::site::{Command, Registration};
use domain::tag::Colour;
use maud::{Markup, html};
use projections::progress::Standing;
use projections::rebuild::Rebuilding;
use projections::site::Settings;

use super::component::duration;
use super::form::token;
use super::layout::{Theme, framed};
use super::statistic;
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::session::SignedIn;

pub(crate) mod blocks;
pub(super) mod categories;
pub(super) mod dashboard;
pub(super) mod freeleech;
pub(crate) mod logo;
pub(super) mod members;
pub(crate) mod reports;
pub(super) mod roles;
pub(super) mod sections;
pub(super) mod settings;
pub(super) mod tags;

use dashboard::Dashboard;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/staff", Who::May(Permission::Administer), staff)
        .post(
            "/staff/registration",
            Who::May(Permission::Settings),
            set_registration,
        )
        .post(
            "/staff/announcement",
            Who::May(Permission::Settings),
            announce,
        )
        .post(
            "/staff/projections/retry",
            Who::May(Permission::Administer),
            retry,
        )
        .post(
            "/staff/projections/rebuild",
            Who::May(Permission::Administer),
            start_rebuild,
        )
        .merge(blocks::routes())
        .merge(categories::routes())
        .merge(freeleech::routes())
        .merge(logo::routes())
        .merge(tags::routes())
        .merge(reports::routes())
        .merge(sections::routes())
        .merge(members::routes())
        .merge(roles::routes())
        .merge(settings::routes())
}

async fn staff(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<statistic::Asked>,
) -> Result<Markup, Problem> {
    let settings = projections::site::settings(&app.reads).await?;
    let standing = standing(&app).await?;
    let dashboard = dashboard::read(&app, &signed_in, &asked).await?;
    framed(
        &app,
        theme,
        &signed_in,
        ("Staff", "/staff"),
        &body(&settings, &standing, &dashboard, signed_in.form_token()),
    )
    .await
}

/// Reads where something stands among its neighbours.
fn order(text: &str) -> Result<i32, String> {
    let order = text.parse().ok();
    let order = order.filter(|order| (0..=10_000).contains(order));
    order.ok_or_else(|| "The order is a whole number from 0 to 10,000.".to_owned())
}

/// The field of where something stands among its neighbours.
/// Says what can be mended in a form; `taken` is said where a name is another's.
fn told<R: std::error::Error>(refusal: Refusal<R>, taken: &str) -> Result<String, Problem>
where
    Problem: From<Refusal<R>>,
{
    match refusal {
        Refusal::Rejected(rejection) => Ok(sentence(&rejection)),
        Refusal::Taken { .. } => Ok(taken.to_owned()),
        refusal @ (Refusal::Forbidden
        | Refusal::NotFound
        | Refusal::Conflict
        | Refusal::Unavailable(_)) => Err(refusal.into()),
    }
}

fn colour_field(chosen: Colour) -> Markup {
    html! {
        div.field {
            label for="colour" { "Colour" }
            select id="colour" name="colour" {
                @for colour in Colour::ALL { option value=(colour.name()) selected[colour == chosen] { (colour.name()) } }
            }
        }
    }
}

fn order_field(value: &str) -> Markup {
    html! {
        div.field {
            label for="order" { "Order" }
            input id="order" name="order" type="number" value=(value) required min="0" max="10000" aria-describedby="order-hint";
            p.hint id="order-hint" { "The smallest number stands first." }
        }
    }
}

/// How far a projection is.
pub(crate) struct Projected {
    pub(crate) name: &'static str,
    pub(crate) standing: Standing,
    /// Positions that it hasn't applied.
    pub(crate) behind: i64,
    /// Since how many milliseconds the first of them waits.
    pub(crate) waits: i64,
    /// How far it is filled anew, while it is.
    pub(crate) rebuilding: Option<Rebuilding>,
}

pub(crate) async fn standing(app: &App) -> Result<Vec<Projected>, Problem> {
    let head = app.feed.head().await?;
    let progress = app.reads.progress().borrow().clone();
    let rebuilding = app.rebuilds.standing();
    let mut projected = vec![];
    for (name, standing) in progress.standing() {
        let behind = (head.0 - standing.position.0).max(0);
        let waits = match behind {
            0 => 0,
            _ => app.feed.age_ms(standing.position).await?,
        };
        projected.push(Projected {
            name,
            standing: standing.clone(),
            behind,
            waits,
            rebuilding: rebuilding.get(name).cloned(),
        });
    }
    Ok(projected)
}

pub(super) fn body(
    settings: &Settings,
    standing: &[Projected],
    dashboard: &Dashboard,
    form_token: &str,
) -> Markup {
    html! {
        h1 { "Staff" }
        (dashboard::section(dashboard, standing))
        (registration(settings.registration, form_token))
        section.card {
            h2 { "Settings" }
            p { "Ratio, hit-and-run, clients, approval, names and texts." }
            p.actions {
                a.button href="/staff/settings" { "Settings" }
                a.button href="/staff/freeleech" { "Freeleech" }
                a.button href="/staff/hit-and-runs" { "Hit-and-runs" }
                a.button href="/staff/flags" { "Flagged traffic" }
                a.button href="/staff/sections" { "Forum" }
                a.button href="/staff/queue" { "Queue" }
                a.button href="/staff/reports" { "Reports" }
                a.button href="/staff/categories" { "Categories" }
                a.button href="/staff/tags" { "Tags" }
                a.button href="/staff/members" { "Members" }
                a.button href="/staff/roles" { "Roles" }
                a.button href="/staff/blocks" { "Blocks" }
                a.button href="/staff/invites" { "Invites" }
            }
        }
        (announcement(&settings.announcement, form_token))
        (logo::section(settings, form_token))
        section.card id="projections" {
            h2 { "Projections" }
            p { "What members read is derived from the event log by these." }
            div data-region="projections" data-live { (projections(standing, form_token)) }
        }
        (dashboard::backups(&dashboard.backups))
        section.card {
            h2 { "Panic" }
            p { "The Panic Password, its recovery sheet, and the panic itself: everything dark at once." }
            p { a.button href="/staff/panic" { "Panic and restore" } }
        }
    }
}

/// The forms beside the settings, for who may change those and doesn't see the overview.
fn beside_settings(settings: &Settings, form_token: &str) -> Markup {
    html! {
        (registration(settings.registration, form_token))
        (announcement(&settings.announcement, form_token))
        (logo::section(settings, form_token))
    }
}

fn announcement(text: &str, form_token: &str) -> Markup {
    html! {
        section.card {
            h2 { "Announcement" }
            form action="/staff/announcement" method="post" {
                (token(form_token))
                div.field {
                    label for="text" { "What every member reads above each page, until they put it away" }
                    textarea id="text" name="text" rows="5" maxlength="5000" aria-describedby="text-hint" { (text) }
                    p.hint id="text-hint" { "Markdown. Leave it empty to say nothing." }
                }
                button.primary type="submit" { "Save" }
            }
        }
    }
}

/// Whether strangers may register, and the ways to change it.
fn registration(now: Registration, form_token: &str) -> Markup {
    let said = |one: Registration| match one {
        Registration::Open => ("open to everybody", "Open it to everybody"),
        Registration::ByInvite => ("by invite", "Let invited people register"),
        Registration::Closed => ("closed", "Close it"),
    };
    html! {
        section.card {
            h2 { "Registration" }
            p { "Registration is " strong { (said(now).0) } "." }
            form.actions action="/staff/registration" method="post" {
                (token(form_token))
                @for one in Registration::ALL.into_iter().filter(|one| *one != now) {
                    button type="submit" name="registration" value=(one.name()) { (said(one).1) }
                }
            }
        }
    }
}

/// The list that refreshes itself; `data-moving` says that it changes by the second.
fn projections(standing: &[Projected], form_token: &str) -> Markup {
    let moving =
        |one: &Projected| one.behind > 0 || matches!(one.rebuilding, Some(Rebuilding::At { .. }));
    html! {
        ul.rows data-moving[standing.iter().any(moving)] {
            @for one in standing {
                li {
                    span { strong { (one.name) } " at " span.num { (one.standing.position) } }
                    @if one.behind > 0 {
                        span.hint { (one.behind) " behind, for " (duration(Seconds(one.waits.unsigned_abs() / 1_000))) }
                    }
                    @match &one.standing.stopped {
                        Some(reason) => span.badge.bad { "stopped: " (reason) },
                        None => span.badge.good { "living" },
                    }
                    (rebuild(one, form_token))
                }
            }
        }
    }
}

/// What can be done about a projection, or how far that is.
fn rebuild(one: &Projected, form_token: &str) -> Markup {
    let act = |act: &str, label: &str| {
        html! {
            form.inline action={ "/staff/projections/" (act) } method="post" {
                (token(form_token))
                button type="submit" name="name" value=(one.name) { (label) }
            }
        }
    };
    html! {
        @match &one.rebuilding {
            Some(Rebuilding::At { position, of }) => span.rebuild {
                progress max=(of.0.max(1)) value=(position.0) aria-label={ "Rebuilding " (one.name) } {}
                span.num { (position) " of " (of) }
            },
            rebuilding => {
                @if let Some(Rebuilding::Failed(reason)) = rebuilding { span.badge.bad { "rebuild failed: " (reason) } }
                @if one.standing.stopped.is_some() { (act("retry", "Try again")) }
                // The index makes itself anew where it has to, at a start.
                @if one.name != "search" { (act("rebuild", "Rebuild")) }
            }
        }
    }
}

async fn start_rebuild(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    if app.rebuilds.start(form.field("name")) {
        Ok(Redirect::to("/staff"))
    } else {
        Err(Problem::invalid("There is no such projection."))
    }
}

async fn retry(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    app.reads.retry(form.field("name")).await?;
    Ok(Redirect::to("/staff"))
}

async fn set_registration(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let wanted = Registration::named(form.field("registration"))
        .ok_or_else(|| Problem::invalid("Registration is open, by invite, or closed."))?;
    change(&app, &form.signed_in, Command::SetRegistration(wanted)).await
}

async fn announce(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let command = Command::Announce(form.field("text").trim().to_owned());
    change(&app, &form.signed_in, command).await
}

async fn change(app: &App, by: &SignedIn, command: Command) -> Result<Redirect, Problem> {
    let done = app.commands.set_site(by.profile.id, command).await?;
    app.reads.wait_for(done.position).await;
    // The frame of the next page shows them from memory.
    let changed = projections::site::changed(&app.reads).await?;
    app.site.live.wait_for(changed).await;
    let here = if by.may(Permission::Administer) {
        "/staff"
    } else {
        "/staff/settings"
    };
    Ok(Redirect::to(here))
}
