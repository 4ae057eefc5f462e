//! A member's own settings: the announce URL with its passkey, and the sessions.

use axum::extract::State;
use axum::response::Redirect;
use maud::{Markup, html};
use time::OffsetDateTime;

use super::component::{age, notice};
use super::form::token;
use super::layout::{Theme, framed};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::{self, Session, SignedIn};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/settings", Who::Member, settings)
        .get("/settings/passkey/reset", Who::Member, confirm)
        .post("/settings/passkey/reset", Who::Member, reset)
        .post("/settings/sessions/revoke", Who::Member, revoke)
        .post(
            "/settings/sessions/revoke-others",
            Who::Member,
            revoke_others,
        )
}

/// What the page shows.
pub(super) struct Shown {
    pub(super) announces: Vec<String>,
    /// Whether a device of the member's makes codes.
    pub(super) codes: bool,
    /// How many security keys the member has.
    pub(super) keys: usize,
    pub(super) sessions: Vec<(String, Session)>,
    pub(super) current: String,
    pub(super) token: String,
}

async fn settings(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let member = app
        .commands
        .member(signed_in.profile.id)
        .await?
        .ok_or_else(Problem::not_found)?;
    let shown = Shown {
        codes: member.totp_secret.is_some(),
        keys: member.security_keys.len(),
        announces: app.site.announces(&member.passkey),
        sessions: session::list(&app, member.id).await?,
        current: signed_in.key().to_owned(),
        token: signed_in.form_token().to_owned(),
    };
    framed(
        &app,
        theme,
        &signed_in,
        ("Settings", "/settings"),
        &body(&shown),
    )
    .await
}

pub(super) fn body(shown: &Shown) -> Markup {
    html! {
        h1 { "Settings" }
        section.card {
            h2 { "Your announce URL" }
            p { "It stands in every .torrent file that you download here. Keep it to yourself: who has it downloads in your name." }
            details {
                summary { "Show it" }
                @for url in &shown.announces { p.copy { code data-copy { (url) } } }
            }
            p { a.button href="/settings/passkey/reset" { "Get another one" } }
        }
        section.card {
            h2 { "Password" }
            p { "Change it, and keep recovery codes for the day on which you forget it: there is no other way back." }
            p { a.button href="/settings/password" { "Password and recovery codes" } }
        }
        section.card {
            h2 { "Second factor" }
            p {
                @match (shown.codes, shown.keys > 0) {
                    (true, true) => "It is on: sign-ins ask for a code of your device, or a security key.",
                    (true, false) => "It is on: sign-ins ask for a code of your device.",
                    (false, true) => "It is on: sign-ins ask for a security key.",
                    (false, false) => "A code of your device or a security key besides the password, so that who learns the password isn't in.",
                }
            }
            div.actions {
                a.button href="/settings/second-factor" { @if shown.codes { "Codes of your device" } @else { "Set up a device" } }
                a.button href="/settings/security-keys" { "Security keys" @if shown.keys > 0 { " (" (shown.keys) ")" } }
            }
        }
        section.card {
            h2 { "API keys" }
            p { "For scripts that act for you." }
            p { a.button href="/settings/keys" { "API keys" } }
        }
        section.card {
            h2 { "Feeds" }
            p { "What is new, for feed readers and tools." }
            p { a.button href="/settings/feeds" { "Your feeds" } }
        }
        section.card {
            h2 { "Leaving" }
            p { "Everything personal is made unreadable, for ever." }
            p { a.button href="/settings/erase" { "Erase yourself" } }
        }
        section.card #sessions {
            h2 { "Where you are signed in" }
            ul.rows {
                @for (key, session) in &shown.sessions { (row(shown, key, session)) }
            }
            form action="/settings/sessions/revoke-others" method="post" {
                (token(&shown.token))
                button type="submit" { "Sign out everywhere else" }
            }
        }
    }
}

fn row(shown: &Shown, key: &str, session: &Session) -> Markup {
    let instant = |seconds: i64| {
        OffsetDateTime::from_unix_timestamp(seconds).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    };
    html! {
        li {
            span { strong { (session.device) } " · signed in " (age(instant(session.begun))) ", seen " (age(instant(session.seen))) }
            @if key == shown.current {
                span.badge { "this browser" }
            } @else {
                form action="/settings/sessions/revoke" method="post" {
                    (token(&shown.token))
                    input type="hidden" name="session" value=(key);
                    button.quiet type="submit" { "Sign out" }
                }
            }
        }
    }
}

async fn confirm(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    framed(
        &app,
        theme,
        &signed_in,
        ("Another announce URL", "/settings"),
        &confirmation(signed_in.form_token()),
    )
    .await
}

pub(super) fn confirmation(form_token: &str) -> Markup {
    html! {
        section.narrow {
            h1 { "Get another announce URL" }
            (notice("bad", &html! {
                "The old one stops working within a second, in all your clients. Download your .torrent files again, "
                "or replace the announce URL in your clients."
            }))
            form action="/settings/passkey/reset" method="post" {
                (token(form_token))
                button.danger type="submit" { "Replace my announce URL" }
                a.button href="/settings" { "Keep it" }
            }
        }
    }
}

async fn reset(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let done = app
        .commands
        .reset_passkey(form.signed_in.profile.id)
        .await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to("/settings"))
}

async fn revoke(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    session::revoke(&app, form.signed_in.profile.id, form.field("session")).await?;
    Ok(Redirect::to("/settings"))
}

async fn revoke_others(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let (member, this) = (form.signed_in.profile.id, form.signed_in.key());
    session::end_others(&app, member, Some(this)).await?;
    Ok(Redirect::to("/settings"))
}
