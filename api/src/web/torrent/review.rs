//! What the staff says of a torrent that waits: approved, rejected, or changes asked for.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use commands::Refusal;
use domain::id::TorrentId;
use domain::torrent::{Review, Verdict};
use maud::{Markup, html};
use projections::torrent::Detail;

use super::{read_id, visible};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::session::SignedIn;
use crate::web::component::{age, notice, size};
use crate::web::form::token;
use crate::web::layout::{Theme, framed};

/// What the form holds when it is shown, at first or again.
pub(crate) struct Shown {
    pub(crate) detail: Detail,
    pub(crate) reason: String,
    pub(crate) token: String,
    pub(crate) error: Option<String>,
}

/// Says on a torrent's page how it stands, and what can be done about it.
pub(super) fn state(id: TorrentId, review: &Review, may_review: bool, form_token: &str) -> Markup {
    let (kind, said) = match review {
        Review::Waiting => (
            "info",
            "This torrent waits for approval. Only its uploader and the staff see it, and only they can download and announce it.",
        ),
        Review::ChangesAsked { .. } => (
            "info",
            "The staff asks for changes before other members see this torrent. Saved changes put it before the staff again.",
        ),
        Review::Rejected { .. } => (
            "bad",
            "This torrent was rejected. Only its uploader and the staff see this page, and its announces are refused.",
        ),
    };
    let is_asked = matches!(review, Review::ChangesAsked { .. });
    let is_rejected = matches!(review, Review::Rejected { .. });
    html! {
        (notice(kind, &html! {
            p { (said) }
            @if let Some(reason) = review.reason() { p { strong { "Reason: " } (reason) } }
        }))
        div.actions {
            @if may_review && !is_rejected { (approve(id, form_token)) a.button href={ "/torrents/" (id) "/review" } { "Reject or ask for changes" } }
            @if may_review && is_rejected { (act(id, "restore", "Look at it anew", form_token)) }
            @if is_asked { (act(id, "submit", "Submit it again", form_token)) }
        }
    }
}

/// The button that approves a torrent.
pub(crate) fn approve(id: TorrentId, form_token: &str) -> Markup {
    html! {
        form.inline action={ "/torrents/" (id) "/review" } method="post" {
            (token(form_token))
            button.primary type="submit" name="verdict" value="approve" { "Approve" }
        }
    }
}

fn act(id: TorrentId, act: &str, label: &str, form_token: &str) -> Markup {
    html! {
        form.inline action={ "/torrents/" (id) "/" (act) } method="post" {
            (token(form_token))
            button type="submit" { (label) }
        }
    }
}

pub(super) async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let detail = visible(&app, &signed_in, read_id(&id)?).await?;
    let shown = Shown {
        detail,
        reason: String::new(),
        token: String::new(),
        error: None,
    };
    show(&app, theme, &signed_in, shown).await
}

async fn show(
    app: &App,
    theme: Theme,
    signed_in: &SignedIn,
    mut shown: Shown,
) -> Result<Markup, Problem> {
    signed_in.form_token().clone_into(&mut shown.token);
    framed(
        app,
        theme,
        signed_in,
        ("Review", "/staff/queue"),
        &body(&shown),
    )
    .await
}

pub(crate) fn body(shown: &Shown) -> Markup {
    let detail = &shown.detail;
    let wrong = shown.error.is_some();
    html! {
        section.narrow {
            h1 { "Review a torrent" }
            p {
                a href={ "/torrents/" (detail.id) } { strong { (detail.name) } }
                ", " (size(detail.size)) " in " (detail.category_name) ", uploaded " (age(detail.uploaded_at)) " by "
                a href={ "/members/" (detail.uploader_name) } { (detail.uploader_name) }
            }
            form action={ "/torrents/" (detail.id) "/review" } method="post" {
                (token(&shown.token))
                div.field {
                    label for="reason" { "Why, or what should change" }
                    textarea id="reason" name="reason" rows="4" maxlength="1000" aria-invalid=[wrong.then_some("true")]
                        aria-describedby=(if wrong { "reason-error reason-hint" } else { "reason-hint" }) { (shown.reason) }
                    @if let Some(error) = &shown.error { p.hint.bad id="reason-error" { (error) } }
                    p.hint id="reason-hint" {
                        "The uploader reads it. Who is asked for changes edits the torrent, and it comes back to the queue. "
                        "A rejected torrent leaves the queue, its announces are refused, and the same may be uploaded again."
                    }
                }
                div.actions {
                    button.primary type="submit" name="verdict" value="changes" { "Ask for changes" }
                    button.danger type="submit" name="verdict" value="reject" { "Reject it" }
                    a.button href="/staff/queue" { "Leave it waiting" }
                }
            }
        }
    }
}

/// Carries out what the staff decides.
pub(super) async fn review(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let id = read_id(&id)?;
    let reason = form.field("reason").replace("\r\n", "\n");
    let verdict = match form.field("verdict") {
        "approve" => Verdict::Approve,
        "reject" => Verdict::Reject(reason.clone()),
        "changes" => Verdict::AskForChanges(reason.clone()),
        _ => {
            return Err(Problem::invalid(
                "Approve it, reject it, or ask for changes.",
            ));
        }
    };
    let by = form.signed_in.profile.id;
    match app.commands.review(by, id, verdict).await {
        Ok(done) => {
            app.reads.wait_for(done.position).await;
            Ok(Redirect::to("/staff/queue").into_response())
        }
        Err(Refusal::Rejected(rejection)) => {
            let shown = Shown {
                detail: visible(&app, &form.signed_in, id).await?,
                reason,
                token: String::new(),
                error: Some(sentence(&rejection)),
            };
            let page = show(&app, theme, &form.signed_in, shown).await?;
            Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
        }
        Err(refusal) => Err(refusal.into()),
    }
}

/// Puts a torrent before the staff once more.
pub(super) async fn submit(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let by = form.signed_in.profile.id;
    let done = app.commands.submit(by, read_id(&id)?).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/torrents/{}", done.of)))
}
