//! One post: how it stands in its topic, its permanent address, its wordings, its removal and the way back.

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use commands::Refusal;
use domain::id::{MemberId, PostId, TopicId};
use maud::{Markup, html};
use projections::topic::page::{self, Head, Post, Removed, Wording};

use super::compose::{Draft, fields, is_preview, once, said};
use super::{is_staff, path, read_id, seen};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::session::SignedIn;
use crate::web::audit;
use crate::web::component::{age, notice};
use crate::web::form::token;
use crate::web::layout::{Theme, framed};
use crate::web::markdown::Known;
use crate::web::staff::roles::badges;
use crate::web::torrent::difference;

/// The most characters of a post that are quoted.
const QUOTED: usize = 2_000;
/// The most characters of a reason.
const LONGEST_REASON: usize = 500;

/// Who looks at posts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Looks {
    pub(crate) member: MemberId,
    pub(crate) is_staff: bool,
    /// Whether the topic is locked.
    pub(crate) locked: bool,
}

impl Looks {
    fn own(&self, post: &Post) -> bool {
        self.is_staff || post.author == self.member
    }

    fn may_change(&self, post: &Post) -> bool {
        self.own(post) && (self.is_staff || !self.locked)
    }
}

/// Gives the address at which a post stands in its topic.
pub(super) fn address(topic: TopicId, page: i32, post: PostId) -> String {
    match page {
        1 => format!("/forum/topics/{topic}#post-{post}"),
        page => format!("/forum/topics/{topic}?page={page}#post-{post}"),
    }
}

/// Gives a post that the member may read, with its topic.
pub(super) async fn visible(
    app: &App,
    signed_in: &SignedIn,
    id: &str,
) -> Result<(Head, Post), Problem> {
    let (head, post) = placed(app, signed_in, id).await?;
    let own = is_staff(signed_in) || post.author == signed_in.profile.id;
    if post.removed.is_some() && !own {
        return Err(Problem::not_found());
    }
    Ok((head, post))
}

/// Gives a post of a topic that the member may see; of a removed one the place alone is for everybody.
pub(crate) async fn placed(
    app: &App,
    signed_in: &SignedIn,
    id: &str,
) -> Result<(Head, Post), Problem> {
    let post = page::post(&app.reads, read_id(id)?).await?;
    let post = post.ok_or_else(Problem::not_found)?;
    Ok((seen(app, signed_in, post.topic).await?, post))
}

/// Gives a post of the member's own, or any to the staff.
async fn own(app: &App, signed_in: &SignedIn, id: &str) -> Result<(Head, Post), Problem> {
    let (head, post) = visible(app, signed_in, id).await?;
    if post.author == signed_in.profile.id || is_staff(signed_in) {
        Ok((head, post))
    } else {
        Err(Problem::forbidden(
            "Only its author and the staff may do this with a post.",
        ))
    }
}

/// A post in its topic.
pub(super) fn article(
    post: &Post,
    head: &Head,
    looks: &Looks,
    known: &Known,
    form_token: &str,
) -> Markup {
    html! {
        article.post.gone[post.removed.is_some()] id={ "post-" (post.id) } aria-label={ "Post " (post.number) } {
            header {
                span.who {
                    a href={ "/members/" (post.author_name) } { (post.author_name) }
                    (badges(post.role, &post.own_roles))
                    @if post.author == head.author && post.number > 1 { " " span.badge { "opened it" } }
                }
                span.when {
                    (age(post.at))
                    @if let Some(edited) = post.edited_at {
                        ", edited " (age(edited))
                        @if looks.own(post) { " " a href={ "/forum/posts/" (post.id) "/history" } { "what it said before" } }
                    }
                    " " a.num href={ "/forum/posts/" (post.id) } { span.visually-hidden { "Permanent address of post " } "#" (post.number) }
                }
            }
            @match &post.removed {
                None => (said(&post.text, known)),
                Some(removed) => {
                    p.hint { "This post " (gone(removed)) }
                    @if looks.own(post) { details { summary { "What it said" } (said(&post.text, known)) } }
                }
            }
            (acts(post, head, looks, form_token))
        }
    }
}

fn acts(post: &Post, head: &Head, looks: &Looks, form_token: &str) -> Markup {
    let is_gone = post.removed.is_some() || post.number == 1 && head.removed.is_some();
    let here = format!("/forum/posts/{}", post.id);
    html! {
        footer.actions {
            @if !is_gone && head.removed.is_none() && (looks.is_staff || !looks.locked) {
                a.button href={ "/forum/topics/" (head.id) "/reply?quote=" (post.id) } { "Quote" span.visually-hidden { " post " (post.number) } }
            }
            @if !is_gone && post.author != looks.member {
                a.button href={ "/report/post/" (post.id) } { "Report" span.visually-hidden { " post " (post.number) } }
            }
            @if looks.may_change(post) {
                @if is_gone {
                    form.inline action={ (here) "/restore" } method="post" {
                        (token(form_token))
                        button type="submit" { "Restore" span.visually-hidden { " post " (post.number) } }
                    }
                } @else if head.removed.is_none() {
                    a.button href={ (here) "/edit" } { "Edit" span.visually-hidden { " post " (post.number) } }
                    a.button href={ (here) "/remove" } { "Remove" span.visually-hidden { " post " (post.number) } }
                }
            }
        }
    }
}

/// Says by whom something was removed, and why.
pub(super) fn gone(removed: &Removed) -> Markup {
    html! {
        "was removed by "
        @if removed.by_staff { "the staff" } @else { "its author" }
        @match &removed.reason { Some(reason) => { ": " q { (reason) } "." } None => "." }
    }
}

/// Writes a quotation with its source, ready to be answered.
pub(super) fn quotation(post: &Post) -> String {
    let mut text: String = post.text.chars().take(QUOTED).collect();
    if text.len() < post.text.len() {
        text.push('…');
    }
    // What the quoted post quotes itself is left out.
    let own = text
        .lines()
        .filter(|line| !line.trim_start().starts_with('>'));
    let lines: Vec<String> = own.map(|line| format!("> {line}")).collect();
    let (name, id) = (&post.author_name, post.id);
    format!(
        "> **{name}** [wrote](/forum/posts/{id}):\n>\n{}\n\n",
        lines.join("\n")
    )
}

pub(super) async fn permalink(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Redirect, Problem> {
    let (head, post) = placed(&app, &signed_in, &id).await?;
    Ok(Redirect::to(&address(head.id, post.page(), post.id)))
}

pub(super) async fn compose(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let (head, post) = own(&app, &signed_in, &id).await?;
    let mut draft = Draft::new(&app, signed_in.form_token());
    draft.text.clone_from(&post.text);
    let body = compose_body(&head, post.id, &draft);
    framed(&app, theme, &signed_in, ("Edit a post", "/forum"), &body).await
}

fn around(head: &Head) -> Markup {
    path(&[
        (&head.section_name, format!("/forum/{}", head.slug)),
        (&head.title, format!("/forum/topics/{}", head.id)),
    ])
}

pub(crate) fn compose_body(head: &Head, post: PostId, draft: &Draft) -> Markup {
    html! {
        (around(head))
        section.narrow.wide {
            h1 { "Edit a post" }
            form action={ "/forum/posts/" (post) "/edit" } method="post" {
                (fields(draft, "What it says", "Save"))
                p.hint { "What it says today stays to be seen by its author and the staff. " a href={ "/forum/posts/" (post) } { "Leave it as it is" } "." }
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
    let (head, post) = own(&app, &form.signed_in, &id).await?;
    let mut draft = Draft::sent(&form);
    let mut status = StatusCode::OK;
    if is_preview(&form) {
        draft = draft.previewed(&app).await?;
    } else {
        let by = form.signed_in.profile.id;
        let editing = app
            .commands
            .edit_post(by, head.id, post.id, draft.text.clone());
        match once(&form, &format!("edit {}", post.id), editing).await {
            Ok(done) => {
                app.reads.wait_for(done.position).await;
                return Ok(Redirect::to(&format!("/forum/posts/{}", done.of)).into_response());
            }
            Err(Refusal::Rejected(rejection)) => {
                status = StatusCode::UNPROCESSABLE_ENTITY;
                draft.error = Some(sentence(&rejection));
            }
            Err(refusal) => return Err(refusal.into()),
        }
    }
    let body = compose_body(&head, post.id, &draft);
    let page = framed(
        &app,
        theme,
        &form.signed_in,
        ("Edit a post", "/forum"),
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
    let (head, post) = own(&app, &signed_in, &id).await?;
    let wordings = page::wordings(&app.reads, post.id).await?;
    if post.author != signed_in.profile.id {
        audit::note(&app, &signed_in, &format!("topic-{}", head.id)).await?;
    }
    let body = history_body(&head, &post, &wordings);
    framed(
        &app,
        theme,
        &signed_in,
        ("What a post said", "/forum"),
        &body,
    )
    .await
}

pub(crate) fn history_body(head: &Head, post: &Post, wordings: &[Wording]) -> Markup {
    let before = std::iter::once(None).chain(wordings.iter().map(Some));
    let pairs: Vec<_> = wordings.iter().zip(before).collect();
    html! {
        (around(head))
        h1 { "What post " (post.number) " said" }
        p.lead { "Each wording beside the one before, the latest first. " a href={ "/forum/posts/" (post.id) } { "Back to the post" } "." }
        @for (wording, before) in pairs.iter().rev() {
            section.card id={ "version-" (wording.version) } {
                h2 { "Wording " (wording.version) }
                p.by { (age(wording.at)) " by " a href={ "/members/" (wording.by_name) } { (wording.by_name) } }
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
    let (head, post) = own(&app, &signed_in, &id).await?;
    let body = confirmation(&head, &post, signed_in.form_token());
    framed(&app, theme, &signed_in, ("Remove", "/forum"), &body).await
}

pub(crate) fn confirmation(head: &Head, post: &Post, form_token: &str) -> Markup {
    let is_topic = post.number == 1;
    html! {
        (around(head))
        section.narrow {
            h1 { @if is_topic { "Remove a topic" } @else { "Remove a post" } }
            p { strong { (head.title) } @if !is_topic { ", post " (post.number) " by " (post.author_name) } }
            (notice("bad", &html! {
                @if is_topic {
                    "The topic goes with its first post: it leaves the section, the search and every list"
                    @if head.posts > 1 { ", with all " (head.posts) " posts" } ". "
                } @else { "Others see that a post was here, and why it went, and no longer what it said. " }
                "It can be restored: by the staff, and by its author if they removed it themselves."
            }))
            form action={ "/forum/posts/" (post.id) "/remove" } method="post" {
                (token(form_token))
                div.field {
                    label for="reason" { "Why (optional)" }
                    input id="reason" name="reason" type="text" maxlength=(LONGEST_REASON) autocomplete="off" aria-describedby="reason-hint";
                    p.hint id="reason-hint" { "Who sees the place sees the reason." }
                }
                div.actions {
                    button.danger type="submit" { "Remove it" }
                    a.button href={ "/forum/posts/" (post.id) } { "Keep it" }
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
    let (head, post) = own(&app, &form.signed_in, &id).await?;
    let reason = form.field("reason").trim();
    let reason: String = reason.chars().take(LONGEST_REASON).collect();
    let reason = Some(reason).filter(|reason| !reason.is_empty());
    let by = form.signed_in.profile.id;
    let done = app.commands.remove_post(by, head.id, post.id, reason);
    app.reads.wait_for(done.await?.position).await;
    Ok(Redirect::to(&address(head.id, post.page(), post.id)))
}

/// Shows a removed post again, or with the first one the topic.
pub(super) async fn restore(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let (head, post) = own(&app, &form.signed_in, &id).await?;
    let by = form.signed_in.profile.id;
    let done = app.commands.restore_post(by, head.id, post.id).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&address(head.id, post.page(), post.id)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::web::samples::post;

    #[test]
    fn a_quotation_names_its_source_and_leaves_out_what_was_quoted() {
        let mut quoted = post(2);
        quoted.text = "> **a** [wrote](/x):\n> old\n\nmine, @bob\nand more".into();
        let written = quotation(&quoted);
        assert!(written.starts_with(&format!(
            "> **zoë_42** [wrote](/forum/posts/{}):\n",
            quoted.id
        )));
        assert!(written.ends_with("> mine, @bob\n> and more\n\n") && !written.contains("old"));
        assert_eq!(domain::mention::names(&written), vec![]);
        assert!(domain::mention::quoted(&written).contains(&quoted.id));
        quoted.text = "é".repeat(60_000);
        assert_eq!(quotation(&quoted).matches('é').count(), QUOTED);
    }
}
