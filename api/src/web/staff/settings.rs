//! The site's settings, a form for each section, and who changed what.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use commands::Refusal;
use domain::Permission;
use domain::setting::{self, Key, Kind, Section};
use domain::site::{Changes, Command, Rejection};
use maud::{Markup, html};
use projections::site::{Change, Settings as Site};
use projections::user::{Names, names};

use super::super::component::{age, notice};
use super::super::form::{submit, token};
use super::super::layout::{Theme, framed};
use super::beside_settings;
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// The latest changes that are shown.
const CHANGES: i64 = 30;

/// Gives the routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/staff/settings", Who::May(Permission::Settings), settings)
        .post(
            "/staff/settings/{section}",
            Who::May(Permission::Settings),
            change,
        )
}

/// What the page shows.
#[derive(Default)]
pub(in super::super) struct Shown {
    pub(in super::super) site: Site,
    /// Whether the forms beside the settings stand here, for who sees no other page with them.
    pub(in super::super) alone: bool,
    pub(in super::super) changes: Vec<Change>,
    pub(in super::super) names: Names,
    pub(in super::super) token: String,
    /// What somebody typed that can't be, and why.
    pub(in super::super) typed: Vec<(Key, String, Option<String>)>,
}

async fn settings(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    show(&app, theme, &signed_in, vec![]).await
}

async fn show(
    app: &App,
    theme: Theme,
    signed_in: &SignedIn,
    typed: Vec<(Key, String, Option<String>)>,
) -> Result<Markup, Problem> {
    let changes = projections::site::changes(&app.reads, CHANGES).await?;
    let members = changes.iter().filter_map(|change| change.member);
    let shown = Shown {
        site: projections::site::settings(&app.reads)
            .await?
            .as_ref()
            .clone(),
        alone: !signed_in.may(Permission::Administer),
        names: names(&app.reads, members).await?,
        changes,
        token: signed_in.form_token().to_owned(),
        typed,
    };
    framed(
        app,
        theme,
        signed_in,
        ("Settings of the site", "/staff"),
        &body(&shown),
    )
    .await
}

async fn change(
    State(app): State<App>,
    theme: Theme,
    Path(section): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let section = Section::ALL
        .into_iter()
        .find(|one| slug(*one) == section)
        .ok_or_else(Problem::not_found)?;
    let mut changes = Changes::new();
    let mut typed = vec![];
    for key in of(section) {
        let text = form.field(key.name()).to_owned();
        match setting::read(key, &text) {
            Ok(value) => {
                changes.insert(key, value);
                typed.push((key, text, None));
            }
            Err(wrong) => typed.push((key, text, Some(sentence(&wrong)))),
        }
    }
    if typed.iter().all(|(_, _, wrong)| wrong.is_none()) {
        let by = form.signed_in.profile.id;
        match app.commands.set_site(by, Command::Change(changes)).await {
            Ok(done) => {
                app.reads.wait_for(done.position).await;
                let to = format!("/staff/settings#{}", slug(section));
                return Ok(Redirect::to(&to).into_response());
            }
            Err(Refusal::Rejected(Rejection::Setting { key, reason })) => {
                for (_, _, wrong) in typed.iter_mut().filter(|(one, ..)| *one == key) {
                    *wrong = Some(sentence(&reason));
                }
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let page = show(&app, theme, &form.signed_in, typed).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

fn of(section: Section) -> impl Iterator<Item = Key> {
    let all = Key::ALL.iter().copied();
    all.filter(move |key| key.section() == section)
}

/// What stands for a section in addresses.
fn slug(section: Section) -> &'static str {
    match section {
        Section::Joining => "joining",
        Section::SignIn => "sign-in",
        Section::Ratio => "ratio",
        Section::HitAndRun => "hit-and-run",
        Section::Torrents => "torrents",
        Section::Tracker => "tracker",
        Section::Branding => "branding",
        Section::Home => "home",
    }
}

pub(in super::super) fn body(shown: &Shown) -> Markup {
    html! {
        h1 { "Settings of the site" }
        p.lead { "They hold on every node within a second. What is left empty is the default." }
        @if shown.typed.iter().any(|(_, _, wrong)| wrong.is_some()) {
            (notice("bad", &html! { "Nothing was changed. What is wrong stands below the field." }))
        }
        @if shown.alone { (beside_settings(&shown.site, &shown.token)) }
        @for section in Section::ALL {
            section.card id=(slug(section)) {
                h2 { (section.title()) }
                form action={ "/staff/settings/" (slug(section)) } method="post" {
                    (token(&shown.token))
                    @for key in of(section) { (field(shown, key)) }
                    (submit("Save"))
                }
            }
        }
        section {
            h2 { "Changes" }
            (history(shown))
        }
    }
}

fn field(shown: &Shown, key: Key) -> Markup {
    let typed = shown.typed.iter().find(|(one, ..)| *one == key);
    let set = shown
        .site
        .values
        .get(key)
        .map(|value| setting::write(key, value));
    let value = typed.map_or_else(|| set.unwrap_or_default(), |(_, text, _)| text.clone());
    let wrong = typed.and_then(|(_, _, wrong)| wrong.as_deref());
    let (hint, error) = (
        format!("{}-hint", key.name()),
        format!("{}-error", key.name()),
    );
    let described = match (key.hint().is_empty(), wrong) {
        (true, None) => None,
        (false, None) => Some(hint.clone()),
        (true, Some(_)) => Some(error.clone()),
        (false, Some(_)) => Some(format!("{hint} {error}")),
    };
    html! {
        div.field {
            label for=(key.name()) { (key.label()) }
            (input(key, &value, described.as_deref(), wrong.is_some()))
            @if !key.hint().is_empty() { p.hint id=(hint) { (key.hint()) } }
            @if let Some(wrong) = wrong { p.hint.bad id=(error) { (wrong) } }
        }
    }
}

fn input(key: Key, value: &str, described: Option<&str>, wrong: bool) -> Markup {
    let invalid = wrong.then_some("true");
    let options = |words: &[&str], default: &str| {
        html! {
            select id=(key.name()) name=(key.name()) aria-describedby=[described] aria-invalid=[invalid] {
                option value="" selected[value.is_empty()] { "default (" (default) ")" }
                @for word in words { option value=(word) selected[value == *word] { (word) } }
            }
        }
    };
    match key.kind() {
        Kind::Switch { default } => options(&["on", "off"], if default { "on" } else { "off" }),
        Kind::Choice(words) => options(words, words.first().copied().unwrap_or_default()),
        Kind::Text {
            lines: true, most, ..
        } => html! {
            textarea id=(key.name()) name=(key.name()) rows="3" maxlength=(most)
                aria-describedby=[described] aria-invalid=[invalid] { (value) }
        },
        Kind::Clients => html! {
            textarea.code id=(key.name()) name=(key.name()) rows="4" spellcheck="false"
                aria-describedby=[described] aria-invalid=[invalid] { (value) }
        },
        kind @ (Kind::Count { .. } | Kind::Text { .. }) => html! {
            input id=(key.name()) name=(key.name()) type="text" value=(value) placeholder=(default(key, kind))
                autocomplete="off" aria-describedby=[described] aria-invalid=[invalid];
        },
    }
}

/// What stands in an empty field.
fn default(key: Key, kind: Kind) -> String {
    match kind {
        Kind::Count { default, .. } => setting::write(key, &setting::Value::Count(default)),
        Kind::Switch { .. } | Kind::Text { .. } | Kind::Choice(_) | Kind::Clients => String::new(),
    }
}

fn history(shown: &Shown) -> Markup {
    html! {
        @if shown.changes.is_empty() {
            p.hint { "Nothing was changed yet." }
        } @else {
            ul.rows {
                @for change in &shown.changes {
                    li {
                        span { strong { (change.key.label()) } " "
                            @match &change.value {
                                Some(value) => code { (value.chars().take(80).collect::<String>()) },
                                None => "back to the default",
                            }
                        }
                        span.hint {
                            @if let Some(name) = change.member.and_then(|member| shown.names.get(&member)) { (name) ", " }
                            (age(change.at))
                        }
                    }
                }
            }
        }
    }
}
