//! A member's password: another one, recovery codes, and the way back in by one of them.

use axum::extract::State;
use maud::{Markup, html};

use super::component::notice;
use super::form::{Field, field, kept_here, progress, submit};
use super::layout::{Page, Theme, document, framed};
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/settings/password", Who::Member, password)
        .get("/recover", Who::Anyone, recover)
}

async fn password(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let member = app.commands.member(signed_in.profile.id).await?;
    let left = member.map_or(0, |member| member.recovery.len());
    let body = body(&signed_in.profile.name, app.site.iterations, left);
    framed(&app, theme, &signed_in, ("Password", "/settings"), &body).await
}

/// Two forms, each sent by a module; `left` is how many codes there are.
pub(super) fn body(name: &str, iterations: u32, left: usize) -> Markup {
    html! {
        section.narrow {
            h1 { "Password and recovery codes" }
            (another(name, iterations))
            (codes(name, left))
            p { a href="/settings" { "Back to the settings" } }
        }
    }
}

fn another(name: &str, iterations: u32) -> Markup {
    html! {
        section.card {
            h2 { "Another password" }
            p { "Everywhere else where you are signed in, you are signed out." }
            form data-password=(name) data-iterations=(iterations) {
                (present("password"))
                (chosen())
                (progress())
                (submit("Change my password"))
            }
            div.notice.good data-changed role="status" hidden { "The new password holds. Everywhere else you are signed out." }
        }
    }
}

fn codes(name: &str, left: usize) -> Markup {
    html! {
        section.card {
            h2 { "Recovery codes" }
            p data-before {
                @match left {
                    0 => "You have none. Who forgets the password and has no code can't come back.",
                    1 => "One is left. Get others before it is used.",
                    left => { "You have " (left) ". Each is good once, for another password." }
                }
            }
            form data-codes=(name) data-before {
                (present("codes-password"))
                (progress())
                (submit(if left == 0 { "Make recovery codes" } else { "Make others; these are void then" }))
            }
            div data-made hidden {
                (notice("info", &html! { "Write them down or print them, and keep them where you keep keys. They are shown this once." }))
                ol data-list {}
                p { button type="button" data-print hidden { "Print this page" } }
            }
        }
    }
}

fn present(name: &str) -> Markup {
    kept_here(&Field {
        name,
        label: "Your password now",
        kind: "password",
        autocomplete: "current-password",
        hint: "Your browser proves that you know it.",
        ..Field::default()
    })
}

/// The fields of a password that somebody chooses.
fn chosen() -> Markup {
    html! {
        (kept_here(&Field {
            name: "new-password", label: "New password", kind: "password", autocomplete: "new-password",
            hint: "At least 10 characters. It never leaves your browser.", ..Field::default()
        }))
        (kept_here(&Field {
            name: "new-password-again", label: "New password, once more", kind: "password",
            autocomplete: "new-password", ..Field::default()
        }))
    }
}

async fn recover(State(app): State<App>, theme: Theme) -> Markup {
    let page = Page {
        title: "Come back",
        site: &app.site,
        viewer: None,
        theme,
        section: "/sign-in",
    };
    document(&page, &back(app.site.iterations))
}

pub(super) fn back(iterations: u32) -> Markup {
    html! {
        section.narrow {
            h1 { "Come back by a recovery code" }
            p.lead { "For who forgot the password and kept codes." }
            form data-recover data-iterations=(iterations) {
                (field(&Field {
                    name: "username", label: "Name", kind: "text", autocomplete: "username", ..Field::default()
                }))
                (kept_here(&Field {
                    name: "code", label: "Recovery code", kind: "text", autocomplete: "off",
                    hint: "20 digits and letters from a to f, such as 1a2b3-c4d5e-…", ..Field::default()
                }))
                (kept_here(&Field {
                    name: "second-factor", label: "Code of your device", kind: "text", autocomplete: "one-time-code",
                    hint: "For who has a second factor: a recovery code stands for the password alone. Who has a security key may leave it empty, and is asked for the key.",
                    optional: true, ..Field::default()
                }))
                (chosen())
                (progress())
                (submit("Set the new password"))
            }
            p.hint { "No code is left? The staff can't reset a password that they never had; ask whoever runs the site." }
            p.hint { a href="/sign-in" { "Back to signing in" } }
        }
    }
}
