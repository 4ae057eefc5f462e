//! The second factor: set up by a picture and a first code, and turned off, one's own or another's.

use axum::extract::{Path, State};
use domain::Permission;
use domain::user::TotpSecret;
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::component::notice;
use super::form::{Field, kept_here, progress, submit};
use super::layout::{Theme, framed};
use super::qr;
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;
use crate::sign_in::erasure::named;
use crate::sign_in::second_factor::{SET_UP, is_missing, pending};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new().get(SET_UP, Who::Member, own).get(
        "/members/{name}/second-factor",
        Who::May(Permission::Administer),
        other,
    )
}

/// What is to be scanned or typed.
pub(super) struct Setup {
    /// What the member is called here.
    pub(super) name: String,
    /// What the site is called.
    pub(super) site: String,
    pub(super) secret: TotpSecret,
    /// Whether nothing else is shown before.
    pub(super) needed: bool,
}

async fn own(State(app): State<App>, theme: Theme, signed_in: SignedIn) -> Result<Markup, Problem> {
    let member = app.commands.member(signed_in.profile.id).await?;
    let member = member.ok_or_else(Problem::not_found)?;
    let name = signed_in.profile.name.clone();
    let left = member.recovery.len();
    let body = if member.totp_secret.is_some() {
        is_on(&name, left)
    } else {
        set_up(&Setup {
            name,
            site: app.site.name(),
            secret: pending(&app, &signed_in).await?,
            needed: is_missing(&app, &signed_in.profile),
        })
    };
    framed(
        &app,
        theme,
        &signed_in,
        ("Second factor", "/settings"),
        &body,
    )
    .await
}

/// Gives what the picture says, as every device reads it.
fn address(setup: &Setup) -> String {
    let text = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let (site, name, secret) = (text(&setup.site), text(&setup.name), setup.secret.reveal());
    format!("otpauth://totp/{site}:{name}?secret={secret}&issuer={site}")
}

pub(super) fn set_up(setup: &Setup) -> Markup {
    let (address, secret) = (address(setup), setup.secret.reveal());
    let groups: Vec<&str> = (0..secret.len())
        .step_by(4)
        .filter_map(|at| secret.get(at..at + 4))
        .collect();
    html! {
        section.narrow {
            h1 { "Second factor" }
            @if setup.needed {
                (notice("info", &html! { "The staff of this site needs one. Set it up to go on." }))
            }
            p.lead { "Sign-ins ask for six digits besides the password, which an app on your device makes anew every 30 seconds." }
            section.card data-before {
                h2 { "Give the secret to your app" }
                (qr::drawn(&address, "QR code with the secret below"))
                p { "Scan it with an authenticator app, " a href=(address) { "open it in one on this device" } ", or type:" }
                p.copy { code data-secret { (groups.join(" ")) } }
                p.hint { "Based on time, SHA-1, 6 digits, 30 seconds. Nobody is shown it again." }
            }
            section.card data-before {
                h2 { "Show that it works" }
                form data-second-factor=(setup.name) data-ask="/api/auth/second-factor/enable" data-then=(SET_UP) autocomplete="off" {
                    (kept_here(&Field {
                        name: "code", label: "The code that the app shows", kind: "text", autocomplete: "one-time-code",
                        ..Field::default()
                    }))
                    (password())
                    (progress())
                    (submit("Turn it on"))
                }
                p.hint { "Everywhere else where you are signed in, you are signed out. Have you no recovery codes yet, you get some with it." }
            }
            (made("It is on. Keep these recovery codes", "device", SET_UP))
            (or_keys())
            p { a href="/settings" { "Back to the settings" } }
        }
    }
}

/// What is shown once, where the first second factor brings recovery codes; a module fills it in.
pub(super) fn made(title: &str, without: &str, then: &str) -> Markup {
    html! {
        section.card data-made hidden {
            h2 tabindex="-1" { (title) }
            (notice("info", &html! { "Each lets you in once without your " (without) ", or sets another password together with it. Write them down or print them: they are shown this once." }))
            ol data-list {}
            div.actions {
                button type="button" data-print hidden { "Print this page" }
                a.button href=(then) { "Go on" }
            }
        }
    }
}

fn or_keys() -> Markup {
    html! {
        p { "A security key, or this phone or computer by its own lock, does as well: " a href="/settings/security-keys" { "security keys" } "." }
    }
}

pub(super) fn is_on(name: &str, codes: usize) -> Markup {
    html! {
        section.narrow {
            h1 { "Second factor" }
            (notice("good", &html! { "It is on: sign-ins ask for a code of your device." }))
            section.card {
                h2 { "Without the device" }
                p {
                    "A recovery code lets you in once in its place. "
                    @match codes {
                        0 => strong { "You have none: make some now." },
                        1 => "One is left.",
                        codes => { "You have " (codes) "." }
                    }
                    " Where both are lost, administrators can turn the second factor off."
                }
                p { a.button href="/settings/password" { "Recovery codes" } }
            }
            section.card {
                h2 { "Turn it off" }
                (turn_off(name, "/api/auth/second-factor/disable", SET_UP))
            }
            (or_keys())
            p { a href="/settings" { "Back to the settings" } }
        }
    }
}

fn turn_off(by: &str, ask: &str, then: &str) -> Markup {
    html! {
        form data-second-factor=(by) data-ask=(ask) data-then=(then) autocomplete="off" {
            (password())
            (progress())
            button.danger type="submit" { "Turn it off" }
        }
    }
}

fn password() -> Markup {
    kept_here(&Field {
        name: "password",
        label: "Your own password",
        kind: "password",
        autocomplete: "current-password",
        hint: "Your browser proves that you know it, and never sends it.",
        ..Field::default()
    })
}

async fn other(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(name): Path<String>,
) -> Result<Markup, Problem> {
    let member = named(&app, &name).await?;
    let body = locked_out(&member.name, &signed_in.profile.name, member.second_factor);
    framed(&app, theme, &signed_in, ("Second factor", "/staff"), &body).await
}

/// Lets `by` turn off another's.
pub(super) fn locked_out(name: &str, by: &str, is_on: bool) -> Markup {
    let profile = format!("/members/{name}");
    html! {
        section.narrow {
            h1 { "Second factor of " (name) }
            @if is_on {
                p.lead { "For who has lost the device or every security key, and has no recovery code. Codes and keys end alike. Be sure that it is them who ask: the password alone lets them in then." }
                (turn_off(by, &format!("/api/admin/members/{name}/second-factor/disable"), &profile))
            } @else {
                p.lead { "There is none." }
            }
            p { a href=(profile) { "Back to the profile" } }
        }
    }
}
