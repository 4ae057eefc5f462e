//! The forum's sections, for who may change them: made, changed, put in order, retired and reopened.

use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use commands::Refusal;
use domain::Permission;
use domain::id::SectionId;
use domain::section::{Board, Command, LONGEST_DESCRIPTION, LONGEST_NAME};
use maud::{Markup, html};
use projections::section::Section;

use super::super::component::{empty, notice};
use super::super::form::{retire_form, submit, token};
use super::super::layout::{Theme, framed, unfit};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// The title and the section of the pages.
const HERE: (&str, &str) = ("Sections of the forum", "/staff");

/// Gives the routes.
pub(super) fn routes() -> Routes {
    let who = Who::May(Permission::Categories);
    Routes::new()
        .get("/staff/sections", who, page)
        .post("/staff/sections", who, create)
        .get("/staff/sections/{id}", who, one)
        .post("/staff/sections/{id}", who, change)
        .get("/staff/sections/{id}/retire", who, confirm)
        .post("/staff/sections/{id}/retire", who, retire)
        .post("/staff/sections/{id}/reopen", who, reopen)
}

/// What the form of a section holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) description: String,
    pub(crate) order: String,
    pub(crate) staff_only: bool,
    pub(crate) error: Option<String>,
}

impl Draft {
    fn sent(form: &CheckedForm) -> Self {
        Self {
            name: form.field("name").trim().to_owned(),
            description: form.field("description").trim().to_owned(),
            order: form.field("order").trim().to_owned(),
            staff_only: form.field("staff_only") == "yes",
            error: None,
        }
    }

    fn of(section: &Section) -> Self {
        Self {
            name: section.board.name.clone(),
            description: section.board.description.clone(),
            order: section.rank.to_string(),
            staff_only: section.board.staff_only,
            error: None,
        }
    }

    /// Reads what was sent; the order is a number.
    fn read(&self) -> Result<(Board, i32), String> {
        let order = self.order.parse().ok();
        let rank = order.filter(|rank| (0..=10_000).contains(rank));
        let board = Board {
            name: self.name.clone(),
            description: self.description.clone(),
            staff_only: self.staff_only,
        };
        let refused = || "The order is a whole number from 0 to 10,000.".to_owned();
        Ok((board, rank.ok_or_else(refused)?))
    }
}

async fn sections(app: &App) -> Result<Vec<Section>, Problem> {
    Ok(projections::section::list(&app.reads, true).await?)
}

async fn section(app: &App, id: &str) -> Result<Section, Problem> {
    let id: SectionId = id.parse().map_err(|_| Problem::not_found())?;
    let all = sections(app).await?;
    let found = all.into_iter().find(|one| one.id == id);
    found.ok_or_else(Problem::not_found)
}

async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let sections = sections(&app).await?;
    let last = sections.iter().map(|one| one.rank).max().unwrap_or(0);
    let draft = Draft {
        order: last.saturating_add(1).to_string(),
        ..Draft::default()
    };
    let body = body(&sections, &draft, signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn body(sections: &[Section], draft: &Draft, form_token: &str) -> Markup {
    html! {
        h1 { "Sections of the forum" }
        @if sections.is_empty() {
            (empty("There is no section yet.", &html! { "Make the first one below." }))
        } @else {
            ul.rows {
                @for section in sections {
                    li {
                        span {
                            strong { (section.board.name) } " " span.hint { (section.board.description) }
                            @if section.board.staff_only { " " span.badge { "staff" } }
                            @if section.retired { " " span.badge { "retired" } }
                        }
                        span.actions {
                            span.hint { (topics(section)) }
                            a.button href={ "/staff/sections/" (section.id) } { "Change" span.visually-hidden { " " (section.board.name) } }
                        }
                    }
                }
            }
        }
        section.card {
            h2 { "Make a section" }
            form action="/staff/sections" method="post" {
                (token(form_token))
                (fields(draft))
                (submit("Make it"))
            }
        }
    }
}

fn topics(section: &Section) -> String {
    match section.topics {
        1 => "1 topic".to_owned(),
        topics => format!("{topics} topics"),
    }
}

fn fields(draft: &Draft) -> Markup {
    html! {
        @if let Some(error) = &draft.error { (notice("bad", &html! { (error) })) }
        div.field {
            label for="name" { "Name" }
            input id="name" name="name" type="text" value=(draft.name) required maxlength=(LONGEST_NAME) autocomplete="off";
        }
        div.field {
            label for="description" { "What it is for" }
            input id="description" name="description" type="text" value=(draft.description) maxlength=(LONGEST_DESCRIPTION) autocomplete="off";
        }
        div.field {
            label for="order" { "Order" }
            input id="order" name="order" type="number" value=(draft.order) required min="0" max="10000" aria-describedby="order-hint";
            p.hint id="order-hint" { "The smallest number stands first." }
        }
        div.field.check {
            input id="staff_only" name="staff_only" type="checkbox" value="yes" checked[draft.staff_only] aria-describedby="staff-hint";
            label for="staff_only" { "For the forum's staff alone" }
            p.hint id="staff-hint" { "Nobody else sees it, nor anything that stands in it." }
        }
    }
}

async fn create(
    State(app): State<App>,
    theme: Theme,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let mut draft = Draft::sent(&form);
    let by = form.signed_in.profile.id;
    let error = match draft.read() {
        Err(error) => error,
        Ok((board, rank)) => match app.commands.create_section(by, board, rank).await {
            Ok(done) => {
                app.reads.wait_for(done.position).await;
                return Ok(Redirect::to("/staff/sections").into_response());
            }
            Err(refusal) => super::told(
                refusal,
                "Another section has this name, or one that is written alike.",
            )?,
        },
    };
    draft.error = Some(error);
    let sections = sections(&app).await?;
    let body = body(&sections, &draft, form.signed_in.form_token());
    unfit(&app, theme, &form.signed_in, HERE, &body).await
}

async fn one(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let section = section(&app, &id).await?;
    let body = one_body(&section, &Draft::of(&section), signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn one_body(section: &Section, draft: &Draft, form_token: &str) -> Markup {
    let here = format!("/staff/sections/{}", section.id);
    html! {
        section.narrow {
            h1 { "Change a section" }
            p.hint { "It stands at " code { "/forum/" (section.slug) } ", whatever it is called." }
            form action=(here) method="post" {
                (token(form_token))
                (fields(draft))
                (submit("Save"))
            }
        }
        section.narrow {
            @if section.retired {
                form action={ (here) "/reopen" } method="post" {
                    (token(form_token))
                    p { "It is retired: it takes no new topics." }
                    button type="submit" { "Reopen it" }
                }
            } @else { p { a.button href={ (here) "/retire" } { "Retire it" } } }
            p { a href="/staff/sections" { "All sections" } }
        }
    }
}

async fn change(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let section = section(&app, &id).await?;
    let mut draft = Draft::sent(&form);
    let by = form.signed_in.profile.id;
    let error = match draft.read() {
        Err(error) => error,
        Ok((board, rank)) => {
            let command = Command::Change { board, rank };
            match app.commands.change_section(by, section.id, command).await {
                Ok(done) => {
                    app.reads.wait_for(done.position).await;
                    return Ok(Redirect::to("/staff/sections").into_response());
                }
                Err(Refusal::Rejected(rejection)) => sentence(&rejection),
                Err(refusal) => return Err(refusal.into()),
            }
        }
    };
    draft.error = Some(error);
    let body = one_body(&section, &draft, form.signed_in.form_token());
    unfit(&app, theme, &form.signed_in, HERE, &body).await
}

async fn confirm(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let section = section(&app, &id).await?;
    let body = confirmation(&section, signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn confirmation(section: &Section, form_token: &str) -> Markup {
    html! {
        section.narrow {
            h1 { "Retire a section" }
            p { strong { (section.board.name) } ", with " (topics(section)) }
            (notice("bad", &html! {
                "It takes no new topics, and none is moved into it. What stands in it stays, and may be answered. "
                "It can be reopened."
            }))
            (retire_form(&format!("/staff/sections/{}", section.id), "Keep it open", form_token))
        }
    }
}

async fn retire(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    turn(&app, &id, &form, Command::Retire).await
}

async fn reopen(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    turn(&app, &id, &form, Command::Reopen).await
}

async fn turn(
    app: &App,
    id: &str,
    form: &CheckedForm,
    command: Command,
) -> Result<Redirect, Problem> {
    let section = section(app, id).await?;
    let by = form.signed_in.profile.id;
    let done = app.commands.change_section(by, section.id, command);
    app.reads.wait_for(done.await?.position).await;
    Ok(Redirect::to("/staff/sections"))
}
