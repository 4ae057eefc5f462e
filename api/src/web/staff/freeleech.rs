//! Freeleech for the whole site: downloads that aren't charged, with an end or without one.

use axum::extract::State;
use axum::response::Redirect;
use domain::Permission;
use domain::site::{Command, Freeleech};
use maud::{Markup, html};
use time::OffsetDateTime;

use super::super::component::instant;
use super::super::form::token;
use super::super::layout::{Theme, framed};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Gives the routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get(
            "/staff/freeleech",
            Who::May(Permission::Settings),
            freeleech,
        )
        .post("/staff/freeleech", Who::May(Permission::Settings), change)
}

async fn freeleech(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let now = projections::site::settings(&app.reads).await?.freeleech;
    framed(
        &app,
        theme,
        &signed_in,
        ("Freeleech", "/staff"),
        &body(now, signed_in.form_token()),
    )
    .await
}

/// The lengths that are offered, in hours.
const LENGTHS: [(&str, i64); 4] = [
    ("for a day", 24),
    ("for three days", 72),
    ("for a week", 168),
    ("until somebody ends it", 0),
];

pub(in super::super) fn body(now: Option<Freeleech>, form_token: &str) -> Markup {
    let at = OffsetDateTime::now_utc().unix_timestamp();
    let holds = now.filter(|freeleech| freeleech.holds(at));
    html! {
        h1 { "Freeleech" }
        p.lead { "While it holds, what members download is written into the ledger and counts nothing against their ratio." }
        section.card {
            @match holds {
                Some(Freeleech { until: Some(until) }) => p { "Freeleech holds on the whole site until " (instant(until)) "." },
                Some(Freeleech { until: None }) => p { "Freeleech holds on the whole site until somebody ends it." },
                None => p { "Downloads are charged." },
            }
            form action="/staff/freeleech" method="post" {
                (token(form_token))
                div.field {
                    label for="hours" { "Charge nothing" }
                    select id="hours" name="hours" {
                        @for (said, hours) in LENGTHS { option value=(hours) { (said) } }
                    }
                }
                div.actions {
                    button.primary type="submit" name="act" value="begin" { @if holds.is_some() { "Change the end" } @else { "Begin" } }
                    @if holds.is_some() { button type="submit" name="act" value="end" { "End it now" } }
                }
            }
        }
    }
}

async fn change(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let command = match form.field("act") {
        "end" => Command::EndFreeleech,
        _ => begin(form.field("hours"))?,
    };
    let by = form.signed_in.profile.id;
    let done = app.commands.set_site(by, command).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to("/staff/freeleech"))
}

fn begin(hours: &str) -> Result<Command, Problem> {
    let hours: i64 = hours
        .parse()
        .ok()
        .filter(|hours| (0..=87_600).contains(hours))
        .ok_or_else(|| Problem::invalid("Freeleech ends after so many hours; 0 means no end."))?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let until = (hours > 0).then_some(now + hours * 3_600);
    Ok(Command::BeginFreeleech { until, now })
}
