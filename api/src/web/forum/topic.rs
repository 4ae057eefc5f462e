//! A topic: its posts in numbered pages, the answer below, and what the staff may do.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use commands::Refusal;
use commands::topic::Moderation;
use domain::Permission;
use domain::id::TopicId;
use maud::{Markup, html};
use projections::section::Section;
use projections::topic::page::{self as topic, Head, Post, page_of};
use serde::Deserialize;

use super::compose::{self, Draft, fields, is_preview, once};
use super::{Seen, badges, is_staff, path, post, read_id, seen};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::session::SignedIn;
use crate::web::audit::behind;
use crate::web::component::notice;
use crate::web::form::token;
use crate::web::layout::{Theme, framed};
use crate::web::markdown::Known;

/// Which page of a topic is asked for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Asked {
    page: Option<String>,
    quote: Option<String>,
}

/// What the page shows.
pub(crate) struct Shown {
    pub(crate) head: Head,
    pub(crate) posts: Vec<Post>,
    pub(crate) page: i32,
    pub(crate) known: Known,
    pub(crate) looks: post::Looks,
    /// Where the staff may move it; empty for everybody else.
    pub(crate) sections: Vec<Section>,
    /// The answer below, where one may be written.
    pub(crate) draft: Option<Draft>,
    /// Whether the member may look behind it.
    pub(crate) may_audit: bool,
}

pub(super) async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let head = seen(&app, &signed_in, read_id(&id)?).await?;
    let page = asked.page.as_deref().unwrap_or("1");
    let page: i32 = page.parse().map_err(|_| Problem::not_found())?;
    if !(1..=page_of(head.posts)).contains(&page) {
        return Err(Problem::not_found());
    }
    let posts = topic::posts(&app.reads, head.id, page).await?;
    let read = posts.iter().map(|post| post.position).max().unwrap_or(0);
    let reading = Seen::by(&app, &signed_in.profile).await?;
    reading.note(&app, head.id, read).await?;
    let looks = post::Looks {
        member: signed_in.profile.id,
        is_staff: is_staff(&signed_in),
        locked: head.locked,
    };
    let may_answer = head.removed.is_none() && (looks.is_staff || !head.locked);
    let shown = Shown {
        known: compose::known(&app, posts.iter().map(|post| post.text.as_str())).await?,
        sections: if looks.is_staff {
            projections::section::list(&app.reads, true).await?
        } else {
            vec![]
        },
        draft: may_answer.then(|| Draft::new(&app, signed_in.form_token())),
        may_audit: signed_in.may(Permission::Audit),
        head,
        posts,
        page,
        looks,
    };
    let title = shown.head.title.clone();
    let body = body(&shown, signed_in.form_token());
    framed(&app, theme, &signed_in, (&title, "/forum"), &body).await
}

pub(crate) fn body(shown: &Shown, form_token: &str) -> Markup {
    let head = &shown.head;
    html! {
        (path(&[(&head.section_name, format!("/forum/{}", head.slug))]))
        h1 { (head.title) (badges(head.pinned, head.locked)) @if head.staff_only { " " span.badge { "staff" } } }
        @if let Some(removed) = &head.removed {
            (notice("bad", &html! { "This topic " (post::gone(removed)) " Only its author and the staff see this page." }))
        }
        @if shown.looks.is_staff { (staff(shown, form_token)) }
        (pages(head, shown.page))
        @for one in &shown.posts { (post::article(one, head, &shown.looks, &shown.known, form_token)) }
        (pages(head, shown.page))
        @match &shown.draft {
            Some(draft) => section.card.answer {
                h2 id="answer" { "Answer" }
                form action={ "/forum/topics/" (head.id) "/reply" } method="post" { (fields(draft, "What you want to say", "Post it")) }
            },
            None if head.locked && head.removed.is_none() => p.hint { "This topic is locked: only the staff writes in it." },
            None => {}
        }
        @if shown.may_audit { (behind(&format!("topic-{}", head.id))) }
    }
}

/// Links to the pages around this one, and to the first and the last.
fn pages(head: &Head, page: i32) -> Markup {
    let last = page_of(head.posts);
    let near = |one: &i32| *one == 1 || *one == last || (one - page).abs() <= 2;
    let link = |one: i32, label: &str| {
        html! { a.button rel=[(label != one.to_string()).then_some(if one > page { "next" } else { "prev" })] href={ "/forum/topics/" (head.id) "?page=" (one) } { (label) } }
    };
    let shown: Vec<i32> = [1]
        .into_iter()
        .chain((page - 2).max(2)..=(page + 2).min(last))
        .chain([last])
        .filter(near)
        .collect();
    let mut numbers = shown;
    numbers.dedup();
    html! {
        @if last > 1 {
            nav.pager.numbered aria-label="Pages" {
                @if page > 1 { (link(page - 1, "Previous")) }
                @for one in numbers {
                    @if one == page { span.here aria-current="page" { (one) } } @else { (link(one, &one.to_string())) }
                }
                @if page < last { (link(page + 1, "Next")) }
            }
        }
    }
}

fn staff(shown: &Shown, form_token: &str) -> Markup {
    let head = &shown.head;
    let act =
        |act: &str, label: &str| html! { button type="submit" name="act" value=(act) { (label) } };
    html! {
        form.actions.staff action={ "/forum/topics/" (head.id) "/staff" } method="post" aria-label="For the staff" {
            (token(form_token))
            @if head.pinned { (act("unpin", "Unpin")) } @else { (act("pin", "Pin")) }
            @if head.locked { (act("unlock", "Unlock")) } @else { (act("lock", "Lock")) }
            span.inline {
                label for="section" { "Section" }
                select id="section" name="section" {
                    @for section in shown.sections.iter().filter(|one| !one.retired || one.id == head.section) {
                        option value=(section.id) selected[section.id == head.section] { (section.board.name) }
                    }
                }
                (act("move", "Move"))
            }
        }
    }
}

/// Leads to the first post that is new to the member, or to the last.
pub(super) async fn unread(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Redirect, Problem> {
    let head = seen(&app, &signed_in, read_id(&id)?).await?;
    let upto = Seen::by(&app, &signed_in.profile).await?.upto(head.id);
    let next = topic::next(&app.reads, head.id, upto).await?;
    let (page, post) = next.map_or((page_of(head.posts), head.last_post), |(number, post)| {
        (page_of(number), post)
    });
    Ok(Redirect::to(&post::address(head.id, page, post)))
}

pub(super) async fn compose(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let head = seen(&app, &signed_in, read_id(&id)?).await?;
    let mut draft = Draft::new(&app, signed_in.form_token());
    if let Some(quoted) = asked.quote {
        let (_, quoted) = post::visible(&app, &signed_in, &quoted).await?;
        draft.text = post::quotation(&quoted);
    }
    let body = compose_body(&head, &draft);
    framed(&app, theme, &signed_in, ("Answer", "/forum"), &body).await
}

pub(crate) fn compose_body(head: &Head, draft: &Draft) -> Markup {
    html! {
        (path(&[(&head.section_name, format!("/forum/{}", head.slug)), (&head.title, format!("/forum/topics/{}", head.id))]))
        section.narrow.wide {
            h1 { "Answer" }
            form action={ "/forum/topics/" (head.id) "/reply" } method="post" { (fields(draft, "What you want to say", "Post it")) }
        }
    }
}

pub(super) async fn reply(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let head = seen(&app, &form.signed_in, read_id(&id)?).await?;
    let mut draft = Draft::sent(&form);
    let mut status = StatusCode::OK;
    if is_preview(&form) {
        draft = draft.previewed(&app).await?;
    } else {
        let by = form.signed_in.profile.id;
        let answering = app.commands.reply(by, head.id, draft.text.clone());
        match once(&form, &format!("reply {}", head.id), answering).await {
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
    let body = compose_body(&head, &draft);
    let page = framed(&app, theme, &form.signed_in, ("Answer", "/forum"), &body).await?;
    Ok((status, page).into_response())
}

/// Pins, locks or moves a topic.
pub(super) async fn moderate(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let id: TopicId = read_id(&id)?;
    let moderation = match form.field("act") {
        "pin" => Moderation::Pin(true),
        "unpin" => Moderation::Pin(false),
        "lock" => Moderation::Lock(true),
        "unlock" => Moderation::Lock(false),
        "move" => Moderation::Move(read_id(form.field("section"))?),
        _ => {
            return Err(Problem::invalid(
                "A topic is pinned, unpinned, locked, unlocked or moved.",
            ));
        }
    };
    let by = form.signed_in.profile.id;
    let done = app.commands.moderate(by, id, moderation).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/forum/topics/{id}")))
}
