//! Tags, for who may change them: made, changed, put in order, retired and reopened.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::Permission;
use domain::id::TagId;
use domain::tag::{Colour, Label, Turn};
use maud::{Markup, html};
use projections::tag::Tag;

use super::super::component::{empty, notice};
use super::super::form::{retire_form, submit, token};
use super::super::layout::{Theme, framed, unfit};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// The title and the section of the pages.
const HERE: (&str, &str) = ("Tags", "/staff");

/// What is said where another one has the name.
const TAKEN: &str = "Another tag has this name.";

/// Gives the routes.
pub(super) fn routes() -> Routes {
    let who = Who::May(Permission::Categories);
    Routes::new()
        .get("/staff/tags", who, page)
        .post("/staff/tags", who, create)
        .get("/staff/tags/{id}", who, one)
        .post("/staff/tags/{id}", who, change)
        .get("/staff/tags/{id}/retire", who, confirm)
        .post("/staff/tags/{id}/retire", who, retire)
        .post("/staff/tags/{id}/reopen", who, reopen)
}

/// What the form of a tag holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) colour: Colour,
    pub(crate) order: String,
    pub(crate) error: Option<String>,
}

impl Draft {
    fn sent(form: &CheckedForm) -> Self {
        Self {
            name: form.field("name").trim().to_owned(),
            colour: Colour::named(form.field("colour")).unwrap_or_default(),
            order: form.field("order").trim().to_owned(),
            error: None,
        }
    }

    fn of(tag: &Tag) -> Self {
        Self {
            name: tag.name.clone(),
            colour: tag.colour,
            order: tag.rank.to_string(),
            error: None,
        }
    }

    /// Reads what was sent; the order is a number.
    fn read(&self) -> Result<Label, String> {
        let rank = super::order(&self.order)?;
        Ok(Label {
            name: self.name.clone(),
            colour: self.colour,
            rank,
        })
    }
}

async fn tag(app: &App, id: &str) -> Result<Tag, Problem> {
    let id: TagId = id.parse().map_err(|_| Problem::not_found())?;
    let all = projections::tag::all(&app.reads).await?;
    let found = all.iter().find(|one| one.id == id);
    found.cloned().ok_or_else(Problem::not_found)
}

async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let tags = projections::tag::all(&app.reads).await?;
    let last = tags.iter().map(|one| one.rank).max().unwrap_or(0);
    let draft = Draft {
        order: last.saturating_add(1).to_string(),
        ..Draft::default()
    };
    let body = body(&tags, &draft, signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn body(tags: &[Tag], draft: &Draft, form_token: &str) -> Markup {
    html! {
        h1 { "Tags" }
        @if tags.is_empty() {
            (empty("There is no tag yet.", &html! { "Make the first one below; uploaders mark their torrents with it." }))
        } @else {
            ul.rows {
                @for tag in tags {
                    li {
                        span {
                            span class={ "tag " (tag.colour.name()) } { (tag.name) }
                            @if tag.retired { " " span.badge { "retired" } }
                        }
                        a.button href={ "/staff/tags/" (tag.id) } { "Change" span.visually-hidden { " " (tag.name) } }
                    }
                }
            }
        }
        section.card {
            h2 { "Make a tag" }
            form action="/staff/tags" method="post" {
                (token(form_token))
                (fields(draft))
                (submit("Make it"))
            }
        }
    }
}

fn fields(draft: &Draft) -> Markup {
    html! {
        @if let Some(error) = &draft.error { (notice("bad", &html! { (error) })) }
        div.field {
            label for="name" { "Name" }
            input id="name" name="name" type="text" value=(draft.name) required maxlength="50" autocomplete="off";
        }
        (super::colour_field(draft.colour))
        (super::order_field(&draft.order))
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
        Ok(label) => match app.commands.create_tag(by, label).await {
            Ok(done) => {
                app.reads.wait_for(done.position).await;
                return Ok(Redirect::to("/staff/tags").into_response());
            }
            Err(refusal) => super::told(refusal, TAKEN)?,
        },
    };
    draft.error = Some(error);
    let tags = projections::tag::all(&app.reads).await?;
    let body = body(&tags, &draft, form.signed_in.form_token());
    unfit(&app, theme, &form.signed_in, HERE, &body).await
}

async fn one(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let tag = tag(&app, &id).await?;
    let body = one_body(&tag, &Draft::of(&tag), signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn one_body(tag: &Tag, draft: &Draft, form_token: &str) -> Markup {
    let here = format!("/staff/tags/{}", tag.id);
    html! {
        section.narrow {
            h1 { "Change a tag" }
            @if tag.retired {
                @if let Some(error) = &draft.error { (notice("bad", &html! { (error) })) }
                p { span class={ "tag " (tag.colour.name()) } { (tag.name) } " is retired: nothing more is marked with it." }
                form action={ (here) "/reopen" } method="post" {
                    (token(form_token))
                    button type="submit" { "Reopen it" }
                }
            } @else {
                form action=(here) method="post" {
                    (token(form_token))
                    (fields(draft))
                    (submit("Save"))
                }
                p.more { a.button href={ (here) "/retire" } { "Retire it" } }
            }
            p.more { a href="/staff/tags" { "All tags" } }
        }
    }
}

async fn change(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let draft = Draft::sent(&form);
    match draft.read() {
        Err(error) => {
            again(
                &app,
                theme,
                &form,
                &id,
                Draft {
                    error: Some(error),
                    ..draft
                },
            )
            .await
        }
        Ok(label) => turn(&app, theme, &form, &id, (Turn::Change(label), draft)).await,
    }
}

async fn again(
    app: &App,
    theme: Theme,
    form: &CheckedForm,
    id: &str,
    draft: Draft,
) -> Result<Response, Problem> {
    let tag = tag(app, id).await?;
    let body = one_body(&tag, &draft, form.signed_in.form_token());
    unfit(app, theme, &form.signed_in, HERE, &body).await
}

async fn turn(
    app: &App,
    theme: Theme,
    form: &CheckedForm,
    id: &str,
    (asked, draft): (Turn, Draft),
) -> Result<Response, Problem> {
    let tag = tag(app, id).await?;
    let by = form.signed_in.profile.id;
    match app.commands.change_tag(by, tag.id, asked).await {
        Ok(done) => {
            app.reads.wait_for(done.position).await;
            Ok(Redirect::to("/staff/tags").into_response())
        }
        Err(refusal) => {
            let error = Some(super::told(refusal, TAKEN)?);
            again(app, theme, form, id, Draft { error, ..draft }).await
        }
    }
}

async fn confirm(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let tag = tag(&app, &id).await?;
    let body = confirmation(&tag, signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn confirmation(tag: &Tag, form_token: &str) -> Markup {
    html! {
        section.narrow {
            h1 { "Retire a tag" }
            p { span class={ "tag " (tag.colour.name()) } { (tag.name) } }
            (notice("bad", &html! {
                "Nothing more is marked with it, and its name is free for another. What is marked with it stays so. It can be reopened."
            }))
            (retire_form(&format!("/staff/tags/{}", tag.id), "Keep it open", form_token))
        }
    }
}

async fn retire(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let asked = (Turn::Retire, Draft::default());
    turn(&app, theme, &form, &id, asked).await
}

async fn reopen(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let asked = (Turn::Reopen, Draft::default());
    turn(&app, theme, &form, &id, asked).await
}
