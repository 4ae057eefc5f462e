//! Signing in and out.

use axum::extract::{Query, State};
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use maud::{Markup, html};
use serde::Deserialize;

use super::component::notice;
use super::form::{Field, field, kept_here, progress, submit};
use super::layout::{Page, Theme, document};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/sign-in", Who::Anyone, sign_in)
        .post("/sign-out", Who::Member, sign_out)
}

/// Where to go after signing in, and why it is asked.
#[derive(Debug, Default, Deserialize)]
pub(super) struct Asked {
    next: Option<String>,
    expired: Option<String>,
    recovered: Option<String>,
}

async fn sign_in(State(app): State<App>, theme: Theme, Query(asked): Query<Asked>) -> Markup {
    let page = Page {
        title: "Sign in",
        site: &app.site,
        viewer: None,
        theme,
        section: "/sign-in",
    };
    document(&page, &body(&asked))
}

pub(super) fn body(asked: &Asked) -> Markup {
    // Only a path of this site is followed.
    let local =
        |next: &&str| next.starts_with('/') && !next.starts_with("//") && !next.contains('\\');
    let next = asked.next.as_deref().filter(local).unwrap_or("/");
    html! {
        section.narrow {
            h1 { "Sign in" }
            @if asked.expired.is_some() {
                (notice("info", &html! { "Your session has ended. Sign in to go on where you were." }))
            }
            @if asked.recovered.is_some() {
                (notice("good", &html! { "The new password holds. Sign in with it." }))
            }
            form data-sign-in=(next) {
                fieldset data-step-first {
                    (field(&Field {
                        name: "username", label: "Name", kind: "text", autocomplete: "username", ..Field::default()
                    }))
                    (kept_here(&Field {
                        name: "password", label: "Password", kind: "password", autocomplete: "current-password",
                        hint: "Your browser proves that you know it; the password itself is never sent.",
                        ..Field::default()
                    }))
                }
                fieldset data-step-second disabled hidden {
                    (kept_here(&Field {
                        name: "code", label: "Code of your device", kind: "text", autocomplete: "one-time-code",
                        hint: "Six digits; each code is good once. Without your device or key, a recovery code does.",
                        ..Field::default()
                    }))
                }
                (progress())
                div.actions {
                    (submit("Sign in"))
                    button type="submit" formnovalidate data-by-key hidden { "Use a security key" }
                }
            }
            p.hint { "Not a member? " a href="/register" { "Register" } "." }
            p.hint { "Forgot the password? " a href="/recover" { "Come back by a recovery code" } "." }
        }
    }
}

async fn sign_out(State(app): State<App>, form: CheckedForm) -> Result<Response, Problem> {
    form.signed_in.end(&app).await?;
    Ok((
        [(header::SET_COOKIE, session::ended(&app)?)],
        Redirect::to("/sign-in"),
    )
        .into_response())
}
