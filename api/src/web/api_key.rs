//! A member's API keys: made for a script, shown once, revoked.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use commands::Refusal;
use domain::Permissions;
use domain::api_key::{Scope, Text};
use domain::id::ApiKeyId;
use maud::{Markup, html};
use projections::api_key::{self, ApiKey};
use time::OffsetDateTime;

use super::component::{age, empty, notice};
use super::form::{submit, token};
use super::layout::{Page, Theme, document};
use crate::app::App;
use crate::caller;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/settings/keys", Who::Member, keys)
        .post("/settings/keys", Who::Member, make)
        .post("/settings/keys/revoke", Who::Member, revoke)
}

/// What the page shows.
#[derive(Default)]
pub(super) struct Shown {
    /// Each key with when it was last used, in seconds since 1970.
    pub(super) keys: Vec<(ApiKey, Option<i64>)>,
    /// What the member may do, by which scopes are offered.
    pub(super) permissions: Permissions,
    /// The text of a key that was made just now.
    pub(super) made: Option<Text>,
    /// What was typed, and why it can't be.
    pub(super) label: String,
    pub(super) scopes: Vec<Scope>,
    pub(super) wrong: Option<String>,
    pub(super) token: String,
}

async fn keys(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Response, Problem> {
    show(&app, theme, &signed_in, Shown::default()).await
}

async fn show(
    app: &App,
    theme: Theme,
    signed_in: &SignedIn,
    mut shown: Shown,
) -> Result<Response, Problem> {
    let viewer = signed_in.viewer(app).await?;
    for key in api_key::of_member(&app.reads, signed_in.profile.id).await? {
        let used = caller::last_use(app, key.id).await;
        shown.keys.push((key, used));
    }
    shown.permissions = signed_in.profile.permissions();
    shown.token.clone_from(&viewer.token);
    let page = Page {
        title: "API keys",
        site: &app.site,
        viewer: Some(&viewer),
        theme,
        section: "/settings",
    };
    let status = match shown.wrong {
        Some(_) => StatusCode::UNPROCESSABLE_ENTITY,
        None => StatusCode::OK,
    };
    Ok((status, document(&page, &body(&shown))).into_response())
}

pub(super) fn body(shown: &Shown) -> Markup {
    html! {
        h1 { "API keys" }
        p.lead {
            "A key lets a script act for you at " code { "/api/v1" } ", as far as you may yourself and no further than "
            "it says. " a href="/api/docs" { "What scripts can do" } "."
        }
        @if let Some(text) = &shown.made {
            (notice("good", &html! {
                p { "Your key. " strong { "It is shown this once" } ": copy it now, and keep it as you keep a password." }
                p.copy { code data-copy { (text.reveal()) } }
            }))
        }
        section.card {
            h2 { "Make a key" }
            (form(shown))
        }
        section.card {
            h2 { "Your keys" }
            @if shown.keys.is_empty() {
                (empty("You have no key.", &html! { "Make one above when a script needs it." }))
            } @else {
                ul.rows { @for (key, used) in &shown.keys { (row(key, *used, &shown.token)) } }
            }
        }
        p { a href="/settings" { "Back to the settings" } }
    }
}

fn form(shown: &Shown) -> Markup {
    let offered = |scope: &Scope| {
        let needed = shown.permissions.iter().map(Scope::of);
        matches!(scope, Scope::Read | Scope::Upload) || needed.into_iter().any(|one| one == *scope)
    };
    let wrong = shown.wrong.as_deref();
    html! {
        form action="/settings/keys" method="post" {
            (token(&shown.token))
            div.field {
                label for="label" { "What is it for?" }
                input id="label" name="label" type="text" value=(shown.label) maxlength="60" required autocomplete="off"
                    aria-describedby=[wrong.map(|_| "label-error")] aria-invalid=[wrong.map(|_| "true")];
                @if let Some(wrong) = wrong { p.hint.bad id="label-error" { (wrong) } }
            }
            fieldset.choices {
                legend { "What may it do?" }
                @for scope in Scope::ALL.iter().filter(|scope| offered(scope)) {
                    div.choice {
                        input id={ "scope-" (scope.name()) } name={ "scope-" (scope.name()) } type="checkbox" value="1"
                            checked[shown.scopes.contains(scope)];
                        label for={ "scope-" (scope.name()) } { strong { (scope.name()) } " " (scope.about()) }
                    }
                }
            }
            (submit("Make the key"))
        }
    }
}

fn row(key: &ApiKey, used: Option<i64>, form_token: &str) -> Markup {
    let used = used.and_then(|used| OffsetDateTime::from_unix_timestamp(used).ok());
    html! {
        li {
            span {
                strong { (key.label) }
                @for scope in &key.scopes { " " span.badge { (scope.name()) } }
                " · made " (age(key.made)) ", "
                @match used { Some(used) => { "last used " (age(used)) }, None => "not used lately" }
            }
            form action="/settings/keys/revoke" method="post" {
                (token(form_token))
                input type="hidden" name="key" value=(key.id);
                button.quiet type="submit" aria-label={ "Revoke " (key.label) } { "Revoke" }
            }
        }
    }
}

async fn make(
    State(app): State<App>,
    theme: Theme,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let by = form.signed_in.profile.id;
    let ticked = |scope: &Scope| !form.field(&format!("scope-{}", scope.name())).is_empty();
    let scopes: Vec<Scope> = Scope::ALL.into_iter().filter(ticked).collect();
    let label = form.field("label").to_owned();
    let made = app.commands.make_api_key(by, &label, scopes.clone()).await;
    let shown = match made {
        Ok(done) => {
            app.reads.wait_for(done.position).await;
            Shown {
                made: Some(done.of),
                ..Shown::default()
            }
        }
        Err(Refusal::Rejected(rejection)) => Shown {
            wrong: Some(sentence(&rejection)),
            label,
            scopes,
            ..Shown::default()
        },
        Err(refusal) => return Err(refusal.into()),
    };
    show(&app, theme, &form.signed_in, shown).await
}

async fn revoke(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let key: ApiKeyId = form
        .field("key")
        .parse()
        .map_err(|_| Problem::not_found())?;
    let by = form.signed_in.profile.id;
    let done = app.commands.revoke_api_key(by, key).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to("/settings/keys"))
}
