//! The administrators' page: whether strangers may register, what every member is told, and how far
//! the projections are.

use axum::Router;
use axum::extract::State;
use axum::response::Redirect;
use axum::routing::{get, post};
use domain::amount::Seconds;
use domain::site::{Command, Registration};
use maud::{Markup, html};
use projections::progress::Standing;
use projections::site::Settings;

use super::component::duration;
use super::form::token;
use super::layout::{Page, Theme, document};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::session::SignedIn;

/// Gives the routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/staff", get(staff))
        .route("/staff/registration", post(set_registration))
        .route("/staff/announcement", post(announce))
        .route("/staff/projections/retry", post(retry))
}

async fn staff(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    signed_in.administrator()?;
    let viewer = signed_in.viewer(&app).await?;
    let settings = projections::site::settings(&app.reads).await?;
    let standing = standing(&app).await?;
    let page = Page {
        title: "Staff",
        site: &app.site,
        viewer: Some(&viewer),
        theme,
        section: "/staff",
    };
    Ok(document(&page, &body(&settings, &standing, &viewer.token)))
}

/// How far a projection is.
pub(super) struct Projected {
    pub(super) name: &'static str,
    pub(super) standing: Standing,
    /// Positions that it hasn't applied.
    pub(super) behind: i64,
    /// Since how many milliseconds the first of them waits.
    pub(super) waits: i64,
}

async fn standing(app: &App) -> Result<Vec<Projected>, Problem> {
    let head = app.feed.head().await?;
    let progress = app.reads.progress().borrow().clone();
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
        });
    }
    Ok(projected)
}

pub(super) fn body(settings: &Settings, standing: &[Projected], form_token: &str) -> Markup {
    let open = settings.registration == Registration::Open;
    html! {
        h1 { "Staff" }
        section.card {
            h2 { "Registration" }
            p { "Registration is " strong { @if open { "open" } @else { "closed" } } "." }
            form action="/staff/registration" method="post" {
                (token(form_token))
                @if open {
                    button type="submit" name="registration" value="closed" { "Close registration" }
                } @else {
                    button.primary type="submit" name="registration" value="open" { "Open registration" }
                }
            }
        }
        section.card {
            h2 { "Announcement" }
            form action="/staff/announcement" method="post" {
                (token(form_token))
                div.field {
                    label for="text" { "What every member reads on the first page" }
                    textarea id="text" name="text" rows="5" maxlength="5000" aria-describedby="text-hint" { (settings.announcement) }
                    p.hint id="text-hint" { "Markdown. Leave it empty to say nothing." }
                }
                button.primary type="submit" { "Save" }
            }
        }
        section.card {
            h2 { "Projections" }
            p { "What members read is derived from the event log by these." }
            ul.rows {
                @for one in standing {
                    li {
                        span { strong { (one.name) } " at " span.num { (one.standing.position) } }
                        @if one.behind > 0 {
                            span.hint { (one.behind) " behind, for " (duration(Seconds(one.waits.unsigned_abs() / 1_000))) }
                        }
                        @if let Some(reason) = &one.standing.stopped {
                            span.badge.bad { "stopped: " (reason) }
                            form.inline action="/staff/projections/retry" method="post" {
                                (token(form_token))
                                button type="submit" name="name" value=(one.name) { "Try again" }
                            }
                        } @else { span.badge.good { "living" } }
                    }
                }
            }
        }
    }
}

async fn retry(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    form.signed_in.administrator()?;
    app.reads.retry(form.field("name")).await?;
    Ok(Redirect::to("/staff"))
}

async fn set_registration(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let wanted = match form.field("registration") {
        "open" => Registration::Open,
        "closed" => Registration::Closed,
        _ => return Err(Problem::invalid("Registration is either open or closed.")),
    };
    change(&app, &form, Command::SetRegistration(wanted)).await
}

async fn announce(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    change(
        &app,
        &form,
        Command::Announce(form.field("text").trim().to_owned()),
    )
    .await
}

async fn change(app: &App, form: &CheckedForm, command: Command) -> Result<Redirect, Problem> {
    let done = app
        .commands
        .set_site(form.signed_in.profile.id, command)
        .await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to("/staff"))
}
