//! Joining, where the site lets strangers.

use axum::extract::{Query, State};
use domain::site::Registration;
use maud::{Markup, html};
use serde::Deserialize;

use super::component::empty;
use super::form::{Field, field, kept_here, progress, submit};
use super::layout::{Page, Theme, document};
use crate::app::App;
use crate::limit::Client;
use crate::network;
use crate::problem::Problem;
use crate::route::{Routes, Who};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/register", Who::Anyone, register)
}

/// What the address brings.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Brought {
    invite: String,
}

async fn register(
    State(app): State<App>,
    client: Client,
    theme: Theme,
    Query(brought): Query<Brought>,
) -> Result<Markup, Problem> {
    network::check(&app, client).await?;
    let registration = projections::site::settings(&app.reads).await?.registration;
    let page = Page {
        title: "Register",
        site: &app.site,
        viewer: None,
        theme,
        section: "/register",
    };
    let body = body(registration, &brought.invite, app.site.iterations);
    Ok(document(&page, &body))
}

pub(super) fn body(registration: Registration, invite: &str, iterations: u32) -> Markup {
    html! {
        section.narrow {
            h1 { "Register" }
            @if registration != Registration::Closed {
                p.lead { "No e-mail, no phone: a name and a password that only you know." }
                (join_form("/api/auth/register", "Register", iterations, &code(registration, invite)))
                p.hint { "A member already? " a href="/sign-in" { "Sign in" } "." }
            } @else {
                (empty("Registration is closed.", &html! {
                    "The staff opens it from time to time. A member already? " a href="/sign-in" { "Sign in" } "."
                }))
            }
        }
    }
}

/// The field of an invite's code.
fn code(registration: Registration, invite: &str) -> Markup {
    let hint = if registration == Registration::ByInvite {
        "Joining needs an invite of a member: 32 letters and digits."
    } else {
        "Where a member gave you one. Nothing is needed to join."
    };
    html! {
        div.field {
            label for="invite-code" { "Invite" }
            input id="invite-code" type="text" value=(invite) maxlength="32" autocomplete="off"
                required[registration == Registration::ByInvite] aria-describedby="invite-code-hint" autocapitalize="none" spellcheck="false";
            p.hint id="invite-code-hint" { (hint) }
        }
    }
}

/// The form by which somebody joins, with more fields if it has some; a module sends it.
pub(super) fn join_form(to: &str, label: &str, iterations: u32, more: &Markup) -> Markup {
    html! {
        form data-join=(to) data-iterations=(iterations) {
            (field(&Field {
                name: "username", label: "Name", kind: "text", autocomplete: "username",
                hint: "3 to 20 letters, digits, _ or -. Everybody here sees it.", ..Field::default()
            }))
            (kept_here(&Field {
                name: "password", label: "Password", kind: "password", autocomplete: "new-password",
                hint: "At least 10 characters. It never leaves your browser, so nobody can reset it by e-mail.",
                ..Field::default()
            }))
            (kept_here(&Field {
                name: "password-again", label: "Password, once more", kind: "password",
                autocomplete: "new-password", ..Field::default()
            }))
            (more)
            (progress())
            (submit(label))
        }
    }
}
