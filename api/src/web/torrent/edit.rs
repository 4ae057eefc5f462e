//! Editing what a torrent's page says: its category, its tags and its description.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use commands::Refusal;
use domain::id::TorrentId;
use domain::torrent::Edit;
use maud::{Markup, html};
use projections::torrent::Detail;

use super::{may_change, read_id, visible};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::session::SignedIn;
use crate::web::component::notice;
use crate::web::form::token;
use crate::web::layout::{Theme, framed};
use crate::web::upload::draft::{Draft, TAG, buttons, fields};

/// What the form holds when it is shown, at first or again.
pub(crate) struct Shown {
    pub(crate) torrent: TorrentId,
    pub(crate) name: String,
    pub(crate) draft: Draft,
    pub(crate) token: String,
    pub(crate) error: Option<String>,
}

pub(super) async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let detail = editable(&app, &signed_in, &id).await?;
    let fresh = Draft::new(&app).await?;
    let shelves = fresh.tree.iter();
    let mut shelves = shelves.filter(|one| one.id == detail.category);
    let shown = Shown {
        torrent: detail.id,
        name: detail.name,
        draft: Draft {
            category: shelves
                .next()
                .map(|one| one.slug.clone())
                .unwrap_or_default(),
            description: detail.description,
            chosen: detail.tags.iter().map(|tag| tag.id).collect(),
            ..fresh
        },
        token: String::new(),
        error: None,
    };
    show(&app, theme, &signed_in, shown).await
}

/// Gives a torrent whose page the member may change.
async fn editable(app: &App, signed_in: &SignedIn, id: &str) -> Result<Detail, Problem> {
    let detail = visible(app, signed_in, read_id(id)?).await?;
    if may_change(signed_in, &detail) {
        Ok(detail)
    } else {
        Err(Problem::forbidden(
            "Only its uploader and the staff may edit a torrent.",
        ))
    }
}

async fn show(
    app: &App,
    theme: Theme,
    signed_in: &SignedIn,
    mut shown: Shown,
) -> Result<Markup, Problem> {
    signed_in.form_token().clone_into(&mut shown.token);
    framed(app, theme, signed_in, ("Edit", "/torrents"), &body(&shown)).await
}

pub(crate) fn body(shown: &Shown) -> Markup {
    html! {
        section.narrow {
            h1 { "Edit a torrent" }
            p { strong { (shown.name) } }
            @if let Some(error) = &shown.error { (notice("bad", &html! { (error) })) }
            form action={ "/torrents/" (shown.torrent) "/edit" } method="post" {
                (token(&shown.token))
                (fields(&shown.draft))
                p.hint { "The file stays what it is, and so does its name. What the page says today stays among its versions." }
                (buttons("Save"))
                " " a.button href={ "/torrents/" (shown.torrent) } { "Leave it as it is" }
            }
        }
    }
}

pub(super) async fn save(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let detail = editable(&app, &form.signed_in, &id).await?;
    let chosen = form.named(TAG);
    let draft = Draft {
        // Browsers send line ends as CR LF.
        description: form.field("description").replace("\r\n", "\n"),
        category: form.field("category").to_owned(),
        chosen: chosen.iter().filter_map(|tag| tag.parse().ok()).collect(),
        preview: !form.field("preview").is_empty(),
        ..Draft::new(&app).await?
    };
    let shelf = draft.tree.iter().find(|one| one.slug == draft.category);
    let (status, error) = match shelf {
        _ if draft.preview => (StatusCode::OK, None),
        None => (
            StatusCode::UNPROCESSABLE_ENTITY,
            Some("Choose a category.".to_owned()),
        ),
        Some(chosen) => {
            let edit = Edit {
                category: chosen.id,
                description: draft.description.clone(),
                tags: draft.chosen.clone(),
            };
            let by = form.signed_in.profile.id;
            match app.commands.edit(by, detail.id, edit).await {
                Ok(done) => {
                    app.reads.wait_for(done.position).await;
                    return Ok(Redirect::to(&format!("/torrents/{}", done.of)).into_response());
                }
                Err(Refusal::Rejected(rejection)) => {
                    (StatusCode::UNPROCESSABLE_ENTITY, Some(sentence(&rejection)))
                }
                Err(refusal) => return Err(refusal.into()),
            }
        }
    };
    let shown = Shown {
        torrent: detail.id,
        name: detail.name,
        draft,
        token: String::new(),
        error,
    };
    let page = show(&app, theme, &form.signed_in, shown).await?;
    Ok((status, page).into_response())
}
