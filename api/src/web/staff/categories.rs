//! The tree of categories, for who may change them: made, renamed, moved, put in order, retired and reopened.

use axum::extract::{Path, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use domain::Permission;
use domain::category::{Command, Shelf};
use domain::id::CategoryId;
use maud::{Markup, html};
use projections::category::{Category, tree};

use super::super::component::{empty, notice};
use super::super::form::{retire_form, submit, token};
use super::super::layout::{Theme, framed, unfit};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// The title and the section of the pages.
const HERE: (&str, &str) = ("Categories", "/staff");

/// What is said where another one has the name.
const TAKEN: &str = "Another category has this in its links.";

/// Gives the routes.
pub(super) fn routes() -> Routes {
    let who = Who::May(Permission::Categories);
    Routes::new()
        .get("/staff/categories", who, page)
        .post("/staff/categories", who, create)
        .get("/staff/categories/{id}", who, one)
        .post("/staff/categories/{id}", who, change)
        .get("/staff/categories/{id}/retire", who, confirm)
        .post("/staff/categories/{id}/retire", who, retire)
        .post("/staff/categories/{id}/reopen", who, reopen)
}

/// What the form of a category holds.
#[derive(Debug, Clone, Default)]
pub(crate) struct Draft {
    pub(crate) name: String,
    pub(crate) slug: String,
    /// The slug of the category above it; empty at the top.
    pub(crate) above: String,
    pub(crate) order: String,
    pub(crate) error: Option<String>,
}

impl Draft {
    fn sent(form: &CheckedForm) -> Self {
        Self {
            name: form.field("name").trim().to_owned(),
            slug: form.field("slug").trim().to_owned(),
            above: form.field("above").to_owned(),
            order: form.field("order").trim().to_owned(),
            error: None,
        }
    }

    fn of(category: &Category, tree: &[Category]) -> Self {
        let above = tree.iter().find(|one| Some(one.id) == category.parent);
        Self {
            name: category.name.clone(),
            slug: category.slug.clone(),
            above: above.map(|one| one.slug.clone()).unwrap_or_default(),
            order: category.rank.to_string(),
            error: None,
        }
    }

    /// Reads what was sent; the order is a number, and what stands above it is there.
    fn read(&self, tree: &[Category]) -> Result<Shelf, String> {
        let rank = super::order(&self.order)?;
        let above = tree.iter().find(|one| one.slug == self.above);
        if above.is_none() && !self.above.is_empty() {
            return Err("The category above it is gone.".to_owned());
        }
        Ok(Shelf {
            slug: self.slug.clone(),
            name: self.name.clone(),
            parent: above.map(|one| one.id),
            rank,
        })
    }
}

fn find<'a>(tree: &'a [Category], id: &str) -> Result<&'a Category, Problem> {
    let id: CategoryId = id.parse().map_err(|_| Problem::not_found())?;
    let found = tree.iter().find(|one| one.id == id);
    found.ok_or_else(Problem::not_found)
}

async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let tree = tree(&app.reads).await?;
    let last = tree.iter().map(|one| one.rank).max().unwrap_or(0);
    let draft = Draft {
        order: last.saturating_add(1).to_string(),
        ..Draft::default()
    };
    let body = body(&tree, &draft, signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn body(tree: &[Category], draft: &Draft, form_token: &str) -> Markup {
    html! {
        h1 { "Categories" }
        @if tree.is_empty() {
            (empty("There is no category yet.", &html! { "Make the first one below." }))
        } @else {
            ul.rows {
                @for one in tree {
                    li {
                        span {
                            @if one.depth > 0 { span.hint { "– " } }
                            strong { (one.name) } " " code.hint { (one.slug) }
                            @if one.retired { " " span.badge { "retired" } }
                        }
                        a.button href={ "/staff/categories/" (one.id) } { "Change" span.visually-hidden { " " (one.name) } }
                    }
                }
            }
        }
        section.card {
            h2 { "Make a category" }
            form action="/staff/categories" method="post" {
                (token(form_token))
                (fields(tree, draft, None))
                (submit("Make it"))
            }
        }
    }
}

fn fields(tree: &[Category], draft: &Draft, changed: Option<&Category>) -> Markup {
    let is_top = changed.is_some_and(|one| one.parent.is_none());
    let tops = tree.iter().filter(|one| one.depth == 0 && !one.retired);
    html! {
        @if let Some(error) = &draft.error { (notice("bad", &html! { (error) })) }
        div.field {
            label for="name" { "Name" }
            input id="name" name="name" type="text" value=(draft.name) required maxlength="60" autocomplete="off";
        }
        @if changed.is_some() {
            input type="hidden" name="slug" value=(draft.slug);
        } @else {
            div.field {
                label for="slug" { "What stands in links" }
                input id="slug" name="slug" type="text" value=(draft.slug) required maxlength="40" pattern="[a-z0-9\\-]+" autocomplete="off"
                    autocapitalize="none" spellcheck="false" aria-describedby="slug-hint";
                p.hint id="slug-hint" { "Lower-case letters, digits and hyphens. It stays as it is." }
            }
        }
        @if is_top {
            p.hint { "It stands at the top, and stays there: others may stand below it." }
        } @else {
            div.field {
                label for="above" { "Below" }
                select id="above" name="above" {
                    option value="" { "Nothing: it stands at the top" }
                    @for one in tops { option value=(one.slug) selected[one.slug == draft.above] { (one.name) } }
                }
            }
        }
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
    let tree = tree(&app.reads).await?;
    let error = match draft.read(&tree) {
        Err(error) => error,
        Ok(shelf) => match app.commands.create_category(by, shelf).await {
            Ok(done) => {
                app.reads.wait_for(done.position).await;
                return Ok(Redirect::to("/staff/categories").into_response());
            }
            Err(refusal) => super::told(refusal, TAKEN)?,
        },
    };
    draft.error = Some(error);
    let body = body(&tree, &draft, form.signed_in.form_token());
    unfit(&app, theme, &form.signed_in, HERE, &body).await
}

async fn one(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let tree = tree(&app.reads).await?;
    let category = find(&tree, &id)?;
    let draft = Draft::of(category, &tree);
    let body = one_body(category, &tree, &draft, signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn one_body(
    category: &Category,
    tree: &[Category],
    draft: &Draft,
    form_token: &str,
) -> Markup {
    let here = format!("/staff/categories/{}", category.id);
    html! {
        section.narrow {
            h1 { "Change a category" }
            p.hint { "In links it is " code { (category.slug) } ", whatever it is called." }
            @if category.retired {
                @if let Some(error) = &draft.error { (notice("bad", &html! { (error) })) }
                p { strong { (category.name) } " is retired: nothing more is put into it." }
                form action={ (here) "/reopen" } method="post" {
                    (token(form_token))
                    button type="submit" { "Reopen it" }
                }
            } @else {
                form action=(here) method="post" {
                    (token(form_token))
                    (fields(tree, draft, Some(category)))
                    (submit("Save"))
                }
                p.more { a.button href={ (here) "/retire" } { "Retire it" } }
            }
            p.more { a href="/staff/categories" { "All categories" } }
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
    match draft.read(&tree(&app.reads).await?) {
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
        Ok(shelf) => turn(&app, theme, &form, &id, (Command::Change(shelf), draft)).await,
    }
}

async fn again(
    app: &App,
    theme: Theme,
    form: &CheckedForm,
    id: &str,
    draft: Draft,
) -> Result<Response, Problem> {
    let tree = tree(&app.reads).await?;
    let category = find(&tree, id)?;
    let body = one_body(category, &tree, &draft, form.signed_in.form_token());
    unfit(app, theme, &form.signed_in, HERE, &body).await
}

async fn turn(
    app: &App,
    theme: Theme,
    form: &CheckedForm,
    id: &str,
    (command, draft): (Command, Draft),
) -> Result<Response, Problem> {
    let category = find(&tree(&app.reads).await?, id)?.id;
    let by = form.signed_in.profile.id;
    match app.commands.change_category(by, category, command).await {
        Ok(done) => {
            app.reads.wait_for(done.position).await;
            Ok(Redirect::to("/staff/categories").into_response())
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
    let tree = tree(&app.reads).await?;
    let body = confirmation(find(&tree, &id)?, signed_in.form_token());
    framed(&app, theme, &signed_in, HERE, &body).await
}

pub(in super::super) fn confirmation(category: &Category, form_token: &str) -> Markup {
    html! {
        section.narrow {
            h1 { "Retire a category" }
            p { strong { (category.name) } }
            (notice("bad", &html! {
                "Nothing more is put into it. What stands in it stays, and is found as before; so do the categories below it. It can be reopened."
            }))
            (retire_form(&format!("/staff/categories/{}", category.id), "Keep it open", form_token))
        }
    }
}

async fn retire(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let asked = (Command::Retire, Draft::default());
    turn(&app, theme, &form, &id, asked).await
}

async fn reopen(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let asked = (Command::Reopen, Draft::default());
    turn(&app, theme, &form, &id, asked).await
}
