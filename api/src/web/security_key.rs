//! A member's security keys: listed, added and removed.

use axum::extract::State;
use domain::user::{HeldKey, MOST_SECURITY_KEYS};
use maud::{Markup, html};
use time::OffsetDateTime;

use super::component::{age, notice};
use super::form::{Field, kept_here, progress, submit};
use super::layout::{Theme, framed};
use super::second_factor::made;
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;
use crate::sign_in::relying_party;
use crate::sign_in::second_factor::is_missing;
use crate::sign_in::security_key::SET_UP;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new().get(SET_UP, Who::Member, own)
}

/// What the page shows.
pub(super) struct Shown {
    /// What the member is called.
    pub(super) name: String,
    pub(super) keys: Vec<HeldKey>,
    /// How many recovery codes are left.
    pub(super) codes: usize,
    /// Whether a key can know the site.
    pub(super) possible: bool,
    /// Whether nothing else is shown before.
    pub(super) needed: bool,
}

async fn own(State(app): State<App>, theme: Theme, signed_in: SignedIn) -> Result<Markup, Problem> {
    let member = app.commands.member(signed_in.profile.id).await?;
    let member = member.ok_or_else(Problem::not_found)?;
    let shown = Shown {
        name: signed_in.profile.name.clone(),
        codes: member.recovery.len(),
        keys: member.security_keys,
        possible: relying_party::origin(&app.site).is_some(),
        needed: is_missing(&app, &signed_in.profile),
    };
    let body = body(&shown);
    framed(
        &app,
        theme,
        &signed_in,
        ("Security keys", "/settings"),
        &body,
    )
    .await
}

pub(super) fn body(shown: &Shown) -> Markup {
    html! {
        section.narrow {
            h1 { "Security keys" }
            @if shown.needed {
                (notice("info", &html! { "The staff of this site needs a second factor. Add a key, or " a href="/settings/second-factor" { "set up a device" } ", to go on." }))
            }
            p.lead { "A key signs you in beside the password: one that you plug in or hold near, or your phone or computer itself, by its own lock." }
            p.hint { "Browsers call the latter passkeys; they have nothing to do with the passkey of your announce URL. Adding a key and signing in by it need JavaScript." }
            (list(&shown.keys))
            (add(shown))
            (made("The key is added. Keep these recovery codes", "key", SET_UP))
            @if !shown.keys.is_empty() {
                (without(shown.codes))
                (remove(shown))
            }
            p { a href="/settings" { "Back to the settings" } }
        }
    }
}

fn list(keys: &[HeldKey]) -> Markup {
    let at = |seconds: i64| {
        age(OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH))
    };
    html! {
        section.card data-before {
            h2 { "Your keys" }
            @if keys.is_empty() { p { "You have none yet." } } @else {
                ul.rows {
                    @for HeldKey { key, used } in keys {
                        li {
                            span {
                                strong { (key.name) } " · added " (at(key.added)) ", "
                                @if let Some(used) = used { "signed in " (at(*used)) } @else { "not used yet" }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn add(shown: &Shown) -> Markup {
    html! {
        section.card data-before {
            h2 { "Add a key" }
            @if !shown.possible {
                p { "A key knows a site by its name, and this one is reached by an address alone. Whoever runs it can give it a name." }
            } @else if shown.keys.len() >= MOST_SECURITY_KEYS {
                p { "You have " (MOST_SECURITY_KEYS) ", which is the most. Remove one first." }
            } @else {
                form data-add-key=(shown.name) autocomplete="off" {
                    (kept_here(&Field {
                        name: "key-name", label: "What you call it", kind: "text", autocomplete: "off",
                        hint: "Such as: the blue one on my key ring. 40 characters at most.", ..Field::default()
                    }))
                    (password("add-password"))
                    (progress())
                    (submit("Add it"))
                }
                @if shown.keys.is_empty() {
                    p.hint { "With your first second factor, you are signed out everywhere else." }
                } @else {
                    p.hint { "A second key, kept elsewhere, is the best help when one is lost." }
                }
            }
        }
    }
}

fn without(codes: usize) -> Markup {
    html! {
        section.card data-before {
            h2 { "Without a key" }
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
    }
}

fn remove(shown: &Shown) -> Markup {
    html! {
        section.card data-before {
            h2 { "Remove a key" }
            p { "It signs you in no more. Where it is the last and no device makes codes, the password alone lets in." }
            form data-remove-key=(shown.name) autocomplete="off" {
                div.field {
                    label for="removed-key" { "Which one" }
                    select id="removed-key" {
                        @for HeldKey { key, .. } in &shown.keys { option value=(key.id) { (key.name) } }
                    }
                }
                (password("remove-password"))
                (progress())
                button.danger type="submit" { "Remove it" }
            }
        }
    }
}

fn password(name: &str) -> Markup {
    kept_here(&Field {
        name,
        label: "Your own password",
        kind: "password",
        autocomplete: "current-password",
        hint: "Your browser proves that you know it, and never sends it.",
        ..Field::default()
    })
}
