//! The forum: its sections, and what its pages share. A section's topics are [`section`]'s, a topic's
//! posts [`topic`]'s, one post's pages [`post`]'s.

use axum::extract::{DefaultBodyLimit, State};
use axum::handler::Handler as _;
use axum::response::Redirect;
use domain::Permission;
use domain::id::TopicId;
use maud::{Markup, html};
use projections::section::Section;
use projections::topic::page::{self, Head};

use super::component::{age, empty, icon};
use super::form::token;
use super::layout::{Theme, framed};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::{Asks, SignedIn};

pub(crate) mod compose;
pub(crate) mod post;
pub(crate) mod search;
pub(crate) mod section;
pub(crate) mod topic;
mod unread;

pub(crate) use unread::Seen;

/// The largest form: a text of the longest kind, each letter four bytes, each byte written as three.
const LARGEST_BODY: usize = 1024 * 1024;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let written = || DefaultBodyLimit::max(LARGEST_BODY);
    Routes::new()
        .get("/forum", Who::Member, sections)
        .post("/forum/read", Who::Member, read_all)
        .get("/forum/search", Who::Member, search::page)
        .get("/forum/{slug}", Who::Member, section::page)
        .get("/forum/{slug}/new", Who::Member, section::compose)
        .post(
            "/forum/{slug}/new",
            Who::Member,
            section::open.layer(written()),
        )
        .get("/forum/topics/{id}", Who::Member, topic::page)
        .get("/forum/topics/{id}/unread", Who::Member, topic::unread)
        .get("/forum/topics/{id}/reply", Who::Member, topic::compose)
        .post(
            "/forum/topics/{id}/reply",
            Who::Member,
            topic::reply.layer(written()),
        )
        .post(
            "/forum/topics/{id}/staff",
            Who::May(Permission::Forum),
            topic::moderate,
        )
        .get("/forum/posts/{id}", Who::Member, post::permalink)
        .get("/forum/posts/{id}/edit", Who::Member, post::compose)
        .post(
            "/forum/posts/{id}/edit",
            Who::Member,
            post::save.layer(written()),
        )
        .get("/forum/posts/{id}/history", Who::Member, post::history)
        .get("/forum/posts/{id}/remove", Who::Member, post::confirm)
        .post("/forum/posts/{id}/remove", Who::Member, post::remove)
        .post("/forum/posts/{id}/restore", Who::Member, post::restore)
}

/// Tells whether a member is of the forum's staff, who see every section.
pub(crate) fn is_staff(signed_in: &impl Asks) -> bool {
    signed_in.may(Permission::Forum)
}

/// Gives a topic that the member may see: one in a section that they see, and a removed one if they
/// opened it or are of the staff.
pub(crate) async fn seen(app: &App, signed_in: &impl Asks, id: TopicId) -> Result<Head, Problem> {
    let found = page::head(&app.reads, id).await?;
    let head = found.ok_or_else(Problem::not_found)?;
    let hidden = head.staff_only || head.removed.is_some() && head.author != signed_in.profile().id;
    if hidden && !is_staff(signed_in) {
        return Err(Problem::not_found());
    }
    Ok(head)
}

/// Reads an id of an address; anything else is nothing.
pub(crate) fn read_id<T: std::str::FromStr>(id: &str) -> Result<T, Problem> {
    id.parse().map_err(|_| Problem::not_found())
}

/// What leads back from a page of the forum: names with their addresses.
fn path(steps: &[(&str, String)]) -> Markup {
    html! {
        nav.path aria-label="Where this is" {
            a href="/forum" { "Forum" }
            @for (name, address) in steps { span aria-hidden="true" { "›" } a href=(address) { (name) } }
        }
    }
}

/// What the page of all sections shows.
pub(crate) struct Shown {
    pub(crate) sections: Vec<Section>,
    pub(crate) seen: Seen,
    pub(crate) may_administer: bool,
    pub(crate) token: String,
}

async fn sections(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let sections = projections::section::list(&app.reads, is_staff(&signed_in)).await?;
    let shown = Shown {
        sections,
        seen: Seen::by(&app, &signed_in.profile).await?,
        may_administer: signed_in.may(Permission::Categories),
        token: signed_in.form_token().to_owned(),
    };
    framed(&app, theme, &signed_in, ("Forum", "/forum"), &body(&shown)).await
}

pub(crate) fn body(shown: &Shown) -> Markup {
    html! {
        h1 { "Forum" }
        (search::form(""))
        @if shown.sections.is_empty() {
            (empty("There is no section yet.", &html! {
                @if shown.may_administer { a href="/staff/sections" { "Make one" } "." }
                @else { "The staff makes them." }
            }))
        } @else {
            div.scroller {
                table.topics {
                    caption.visually-hidden { "Sections of the forum" }
                    thead { tr {
                        th scope="col" { "Section" } th.num scope="col" { "Topics" } th.num scope="col" { "Posts" }
                        th scope="col" { "Said last" }
                    } }
                    tbody { @for section in &shown.sections { (row(section, &shown.seen)) } }
                }
            }
            div.actions.below {
                form.inline action="/forum/read" method="post" {
                    (token(&shown.token))
                    button type="submit" { "Mark everything as read" }
                }
                @if shown.may_administer { a.button href="/staff/sections" { "Change the sections" } }
            }
        }
    }
}

fn row(section: &Section, seen: &Seen) -> Markup {
    let latest = section.latest.as_ref();
    let is_new = latest.is_some_and(|said| seen.is_new(said.topic, said.activity, said.at));
    html! {
        tr {
            td.name {
                a href={ "/forum/" (section.slug) } { (section.board.name) }
                @if section.board.staff_only { " " span.badge { "staff" } }
                @if section.retired { " " span.badge { "retired" } }
                @if is_new { " " span.badge.good { "new" } }
                @if !section.board.description.is_empty() { p.by { (section.board.description) } }
            }
            td.num data-label="Topics" { (section.topics) }
            td.num data-label="Posts" { (section.posts) }
            td.last data-label="Said last" {
                @if let Some(said) = latest {
                    a href={ "/forum/posts/" (said.post) } { (said.title) }
                    p.by { (age(said.at)) " by " a href={ "/members/" (said.by_name) } { (said.by_name) } }
                } @else { span.hint { "Nothing yet" } }
            }
        }
    }
}

async fn read_all(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    let upto = app.feed.head().await?;
    let done = app.commands.read_forum(form.signed_in.profile.id, upto);
    app.reads.wait_for(done.await?).await;
    Ok(Redirect::to("/forum"))
}

/// Signs of a topic beside its title.
fn badges(pinned: bool, locked: bool) -> Markup {
    html! {
        @if pinned { " " span.badge { (icon("pin")) "pinned" } }
        @if locked { " " span.badge { (icon("lock")) "locked" } }
    }
}
