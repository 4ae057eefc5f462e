//! Comments below a torrent: how they stand there, their permanent addresses, their wordings, their
//! removal and the way back.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use commands::Refusal;
use domain::comment::LONGEST;
use domain::comment::wording::{Wording, wordings};
use domain::id::{CommentId, MemberId, TorrentId};
use domain::{Permission, Position};
use maud::{Markup, html};
use projections::comment::{self, Comment, Removed};
use projections::page::{Cursor, Page as Rows};
use projections::torrent::Detail;

use super::difference;
use super::{read_id, visible};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::session::SignedIn;
use crate::web::audit;
use crate::web::component::{age, empty, notice};
use crate::web::form::token;
use crate::web::forum::compose::{Draft, is_preview, known, once, said};
use crate::web::layout::{Theme, framed};
use crate::web::markdown::Known;
use crate::web::staff::roles::badges;

/// Comments of a page.
const ROWS: i64 = 25;

/// What a torrent's page shows of its comments.
#[derive(Default)]
pub(crate) struct Shown {
    pub(crate) rows: Rows<Comment>,
    /// How many are shown to everybody.
    pub(crate) count: i64,
    pub(crate) known: Known,
    /// Who looks.
    pub(crate) looks: Looks,
    /// The form in which one more is written; nothing where none may be.
    pub(crate) draft: Option<Draft>,
    /// Whether the page isn't the first.
    pub(crate) later: bool,
}

/// Who looks at comments.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Looks {
    pub(crate) member: Option<MemberId>,
    pub(crate) is_staff: bool,
}

impl Looks {
    fn of(signed_in: &SignedIn) -> Self {
        Self {
            member: Some(signed_in.profile.id),
            is_staff: signed_in.may(Permission::Forum),
        }
    }

    fn own(&self, comment: &Comment) -> bool {
        self.is_staff || Some(comment.author) == self.member
    }
}

/// Reads a page of a torrent's comments.
pub(super) async fn read(
    app: &App,
    signed_in: &SignedIn,
    torrent: &Detail,
    from: &str,
) -> Result<Shown, Problem> {
    let from = Some(Cursor(from.to_owned())).filter(|cursor| !cursor.0.is_empty());
    let rows = comment::list(&app.reads, torrent.id, from.as_ref(), ROWS).await?;
    let texts = rows.rows.iter().map(|comment| comment.text.as_str());
    let is_open = torrent.withdrawn.is_none() && !super::is_rejected(torrent);
    Ok(Shown {
        known: known(app, texts).await?,
        count: comment::count(&app.reads, torrent.id).await?,
        looks: Looks::of(signed_in),
        draft: is_open.then(|| Draft::new(app, signed_in.form_token())),
        later: from.is_some(),
        rows,
    })
}

/// The comments on a torrent's page.
pub(super) fn section(torrent: TorrentId, shown: &Shown, form_token: &str) -> Markup {
    html! {
        section id="comments" {
            h2 { "Comments" @if shown.count > 0 { " " span.hint { (shown.count) } } }
            @if let Some(draft) = &shown.draft {
                form action={ "/torrents/" (torrent) "/comments" } method="post" { (fields(draft, "Write a comment", "Comment")) }
            }
            @if shown.rows.rows.is_empty() {
                (empty("Nobody commented yet.", &html! { @if shown.draft.is_some() { "Say what you think, or ask." } @else { "They may have, had it stayed." } }))
            }
            @for comment in &shown.rows.rows { (article(comment, shown, form_token)) }
            @if shown.later || shown.rows.next.is_some() {
                nav.pager aria-label="Pages of comments" {
                    @if shown.later { a href={ "/torrents/" (torrent) "#comments" } { "Latest comments" } }
                    @if let Some(next) = &shown.rows.next {
                        a.button rel="next" href={ "/torrents/" (torrent) "?comments=" (next.0) "#comments" } { "Earlier comments" }
                    }
                }
            }
        }
    }
}

fn article(comment: &Comment, shown: &Shown, form_token: &str) -> Markup {
    let own = shown.looks.own(comment);
    html! {
        article.post.gone[comment.removed.is_some()] id={ "comment-" (comment.id) } aria-label={ "Comment by " (comment.author_name) } {
            header {
                span.who {
                    a href={ "/members/" (comment.author_name) } { (comment.author_name) }
                    (badges(comment.role, &comment.own_roles))
                }
                span.when {
                    a href={ "/comments/" (comment.id) } { span.visually-hidden { "Permanent address, written " } (age(comment.at)) }
                    @if let Some(edited) = comment.edited_at {
                        ", edited " (age(edited))
                        @if own { " " a href={ "/comments/" (comment.id) "/history" } { "what it said before" } }
                    }
                }
            }
            @match comment.removed {
                None => (said(&comment.text, &shown.known)),
                Some(removed) => {
                    p.hint { "This comment was removed by " @match removed { Removed::ByStaff => "the staff.", Removed::ByAuthor => "its author." } }
                    @if own { details { summary { "What it said" } (said(&comment.text, &shown.known)) } }
                }
            }
            footer.actions {
                @if comment.removed.is_none() && Some(comment.author) != shown.looks.member {
                    a.button href={ "/report/comment/" (comment.id) } { "Report" span.visually-hidden { " the comment by " (comment.author_name) } }
                }
                @if own { (acts(comment, form_token)) }
            }
        }
    }
}

fn acts(comment: &Comment, form_token: &str) -> Markup {
    let here = format!("/comments/{}", comment.id);
    let whose = html! { span.visually-hidden { " the comment by " (comment.author_name) } };
    html! {
        @if comment.removed.is_some() {
            form.inline action={ (here) "/restore" } method="post" {
                (token(form_token))
                button type="submit" { "Restore" (whose) }
            }
        } @else {
            a.button href={ (here) "/edit" } { "Edit" (whose) }
            a.button href={ (here) "/remove" } { "Remove" (whose) }
        }
    }
}

fn fields(draft: &Draft, label: &str, send: &str) -> Markup {
    html! {
        (token(&draft.token))
        input type="hidden" name="nonce" value=(draft.nonce);
        @if let Some(error) = &draft.error { (notice("bad", &html! { (error) })) }
        @if let Some(preview) = &draft.preview {
            section.card.preview aria-label="Preview" tabindex="-1" { h2 { "Preview" } (preview) }
        }
        div.field {
            label for="text" { (label) }
            textarea id="text" name="text" rows="4" required maxlength=(LONGEST) aria-describedby="text-hint" { (draft.text) }
            p.hint id="text-hint" { "Markdown. @name leads to a member." }
        }
        div.actions {
            button.primary type="submit" name="act" value="send" { (send) }
            button type="submit" name="act" value="preview" { "Preview" }
        }
    }
}

/// Writes a comment.
pub(super) async fn write(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let detail = visible(&app, &form.signed_in, read_id(&id)?).await?;
    let by = form.signed_in.profile.id;
    let mut draft = Draft::sent(&form);
    let mut status = StatusCode::OK;
    if is_preview(&form) {
        draft = draft.previewed(&app).await?;
    } else {
        let writing = app.commands.comment(by, detail.id, draft.text.clone());
        match once(&form, &format!("comment {}", detail.id), writing).await {
            Ok(done) => {
                app.reads.wait_for(done.position).await;
                return Ok(Redirect::to(&format!("/comments/{}", done.of)).into_response());
            }
            Err(Refusal::Rejected(rejection)) => {
                status = StatusCode::UNPROCESSABLE_ENTITY;
                draft.error = Some(sentence(&rejection));
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let to = format!("/torrents/{}/comments", detail.id);
    let body = compose_body(&detail, &to, "Write a comment", &draft);
    let page = framed(
        &app,
        theme,
        &form.signed_in,
        ("Comment", "/torrents"),
        &body,
    )
    .await?;
    Ok((status, page).into_response())
}

pub(crate) fn compose_body(detail: &Detail, to: &str, title: &str, draft: &Draft) -> Markup {
    html! {
        section.narrow.wide {
            h1 { (title) }
            p { "Below " a href={ "/torrents/" (detail.id) "#comments" } { (detail.name) } }
            form action=(to) method="post" { (fields(draft, "What it says", "Save")) }
        }
    }
}

/// Gives a comment that the member may read, with its torrent.
pub(crate) async fn placed(
    app: &App,
    signed_in: &SignedIn,
    id: &str,
) -> Result<(Detail, Comment), Problem> {
    let id: CommentId = id.parse().map_err(|_| Problem::not_found())?;
    let found = comment::one(&app.reads, id).await?;
    let comment = found.ok_or_else(Problem::not_found)?;
    Ok((visible(app, signed_in, comment.torrent).await?, comment))
}

/// Gives a comment of the member's own, or any to the staff.
async fn own(app: &App, signed_in: &SignedIn, id: &str) -> Result<(Detail, Comment), Problem> {
    let (detail, comment) = placed(app, signed_in, id).await?;
    if Looks::of(signed_in).own(&comment) {
        Ok((detail, comment))
    } else {
        Err(Problem::forbidden(
            "Only its author and the staff may do this with a comment.",
        ))
    }
}

/// Leads to the place where a comment stands.
pub(super) async fn permalink(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Redirect, Problem> {
    let (detail, comment) = placed(&app, &signed_in, &id).await?;
    let first = comment::list(&app.reads, detail.id, None, ROWS).await?;
    let is_latest = first.rows.iter().any(|one| one.id == comment.id);
    let from = match comment.cursor() {
        Some(cursor) if !is_latest => format!("?comments={}", cursor.0),
        _ => String::new(),
    };
    let (torrent, id) = (detail.id, comment.id);
    Ok(Redirect::to(&format!(
        "/torrents/{torrent}{from}#comment-{id}"
    )))
}

pub(super) async fn compose(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let (detail, comment) = own(&app, &signed_in, &id).await?;
    let mut draft = Draft::new(&app, signed_in.form_token());
    draft.text.clone_from(&comment.text);
    let to = format!("/comments/{}/edit", comment.id);
    let body = compose_body(&detail, &to, "Edit a comment", &draft);
    framed(
        &app,
        theme,
        &signed_in,
        ("Edit a comment", "/torrents"),
        &body,
    )
    .await
}

pub(super) async fn save(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let (detail, comment) = own(&app, &form.signed_in, &id).await?;
    let by = form.signed_in.profile.id;
    let mut draft = Draft::sent(&form);
    let mut status = StatusCode::OK;
    if is_preview(&form) {
        draft = draft.previewed(&app).await?;
    } else {
        let editing = app
            .commands
            .edit_comment(by, comment.id, draft.text.clone());
        match once(&form, &format!("edit {}", comment.id), editing).await {
            Ok(done) => {
                app.reads.wait_for(done.position).await;
                return Ok(Redirect::to(&format!("/comments/{}", done.of)).into_response());
            }
            Err(Refusal::Rejected(rejection)) => {
                status = StatusCode::UNPROCESSABLE_ENTITY;
                draft.error = Some(sentence(&rejection));
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let to = format!("/comments/{}/edit", comment.id);
    let body = compose_body(&detail, &to, "Edit a comment", &draft);
    let page = framed(
        &app,
        theme,
        &form.signed_in,
        ("Edit a comment", "/torrents"),
        &body,
    )
    .await?;
    Ok((status, page).into_response())
}

pub(super) async fn history(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let (detail, comment) = own(&app, &signed_in, &id).await?;
    let mut stream = app.history.stream("comment", comment.id.0).await?;
    // A site that is shown as it once stood ends there.
    let end = app.site.as_of.unwrap_or(Position(i64::MAX));
    stream.retain(|event| event.position <= end);
    if comment.author != signed_in.profile.id {
        audit::note(&app, &signed_in, &format!("comment-{}", comment.id)).await?;
    }
    let names = audit::names(&app, &stream).await?;
    let body = history_body(&detail, &comment, &wordings(&stream), &names);
    framed(
        &app,
        theme,
        &signed_in,
        ("What a comment said", "/torrents"),
        &body,
    )
    .await
}

pub(crate) fn history_body(
    detail: &Detail,
    comment: &Comment,
    wordings: &[Wording],
    names: &audit::Names,
) -> Markup {
    let before = std::iter::once(None).chain(wordings.iter().map(Some));
    let pairs: Vec<_> = wordings.iter().zip(before).collect();
    html! {
        h1 { "What a comment said" }
        p.lead {
            "By " (comment.author_name) " below " a href={ "/comments/" (comment.id) } { (detail.name) }
            ", each wording beside the one before, the latest first."
        }
        @for (wording, before) in pairs.iter().rev() {
            section.card {
                h2 { "Wording " (wording.number) }
                p.by { (age(wording.at)) " by " (audit::actor(wording.by, names)) }
                @match before {
                    Some(before) => (difference::named(&before.text, &wording.text, ["Before", "Then"])),
                    None => pre.said { (wording.text) },
                }
            }
        }
    }
}

pub(super) async fn confirm(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let (detail, comment) = own(&app, &signed_in, &id).await?;
    let body = confirmation(&detail, &comment, signed_in.form_token());
    framed(&app, theme, &signed_in, ("Remove", "/torrents"), &body).await
}

pub(crate) fn confirmation(detail: &Detail, comment: &Comment, form_token: &str) -> Markup {
    html! {
        section.narrow {
            h1 { "Remove a comment" }
            p { "By " (comment.author_name) " below " strong { (detail.name) } }
            (notice("bad", &html! {
                "Others see that a comment was here, and no longer what it said. "
                "It can be restored: by the staff, and by its author if they removed it themselves."
            }))
            form action={ "/comments/" (comment.id) "/remove" } method="post" {
                (token(form_token))
                div.actions {
                    button.danger type="submit" { "Remove it" }
                    a.button href={ "/comments/" (comment.id) } { "Keep it" }
                }
            }
        }
    }
}

pub(super) async fn remove(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let (_, comment) = own(&app, &form.signed_in, &id).await?;
    let by = form.signed_in.profile.id;
    let done = app.commands.remove_comment(by, comment.id).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/comments/{}", done.of)))
}

pub(super) async fn restore(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let (_, comment) = own(&app, &form.signed_in, &id).await?;
    let by = form.signed_in.profile.id;
    let done = app.commands.restore_comment(by, comment.id).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/comments/{}", done.of)))
}
