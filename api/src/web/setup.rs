//! The first start: the first administrator, and nobody afterwards.

use std::sync::atomic::Ordering;

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Redirect, Response};
use maud::{Markup, html};

use super::form::{Field, field, kept_here, strength};
use super::layout::{Page, Theme, document};
use super::register::join_form;
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/setup", Who::Anyone, setup)
}

/// Leads every page to the set-up while the site has no administrator.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let free = [
        "/setup",
        "/assets/",
        "/api/",
        "/health/",
        "/csp-report",
        "/theme",
    ];
    if app.is_set_up.load(Ordering::Relaxed) || free.iter().any(|free| path.starts_with(free)) {
        return next.run(request).await;
    }
    match app.commands.is_set_up().await {
        Ok(true) => {
            app.is_set_up.store(true, Ordering::Relaxed);
            next.run(request).await
        }
        Ok(false) if request.method() == Method::GET => Redirect::to("/setup").into_response(),
        Ok(false) => Problem::forbidden("The site has no administrator yet. Open /setup first.")
            .into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}

async fn setup(State(app): State<App>, theme: Theme) -> Result<Response, Problem> {
    if app.commands.is_set_up().await? {
        return Ok(Redirect::to("/").into_response());
    }
    let page = Page {
        title: "Set up",
        site: &app.site,
        viewer: None,
        theme,
        section: "",
    };
    let body = body(app.site.iterations, app.site.asks_code);
    Ok(document(&page, &body).into_response())
}

pub(super) fn body(iterations: u32, asks_code: bool) -> Markup {
    let more = html! {
        (panic_password())
        @if asks_code { (code()) }
    };
    html! {
        section.narrow {
            h1 { "Make this site yours" }
            p.lead { "The first account is its administrator. Registration stays closed until you open it." }
            (join_form("/api/auth/setup", "Make the administrator", iterations, &more))
        }
    }
}

/// The field of the code that shows who runs the machine.
fn code() -> Markup {
    field(&Field {
        name: "setup-code",
        label: "Set-up code",
        kind: "text",
        autocomplete: "off",
        hint: "It stands in the file setup-code in the site's data directory, where nobody but who runs the site can read it.",
        ..Field::default()
    })
}

/// The fields of the Panic Password.
fn panic_password() -> Markup {
    html! {
        fieldset.way-back {
            legend { "The way back after a panic" }
            p {
                "If this site ever has to be dark at once, an administrator encrypts everything on it. The "
                strong { "Panic Password is the only way back" }
                " then: it is kept nowhere, nobody can reset it, and without it everything is lost. Choose another one "
                "than your own, and write it down."
            }
            (kept_here(&Field {
                name: "panic-password", label: "Panic Password", kind: "password", autocomplete: "off",
                hint: "12 to 128 characters. A few words that don't belong together are best.",
                ..Field::default()
            }))
            (strength("panic-password"))
            (kept_here(&Field {
                name: "panic-password-again", label: "Panic Password, once more", kind: "password",
                autocomplete: "off", ..Field::default()
            }))
        }
    }
}
