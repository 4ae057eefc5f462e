//! Reporting what is wrong: the form, and what became of the member's own reports.

use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Redirect, Response};
use commands::Refusal;
use domain::Permission;
use domain::id::ReportId;
use domain::report::{Kind, LONGEST, Reason, Rejection, SHORTEST, Target};
use domain::user::Name;
use maud::{Markup, html};
use projections::page::{Cursor, Page as Rows};
use projections::report::{self, Eyes, Report, State as Standing};
use serde::Deserialize;

use super::component::{age, empty, notice};
use super::form::token;
use super::forum::compose::once;
use super::layout::{Theme, framed};
use super::{forum, torrent};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::session::{Asks, SignedIn};

/// Rows of a page.
const ROWS: i64 = 30;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/report/{kind}/{id}", Who::Member, page)
        .post("/report/{kind}/{id}", Who::Member, file)
        .get("/reports", Who::Member, list)
        .get("/reports/{id}", Who::Member, one)
}

/// Tells who asks of reports.
pub(crate) fn eyes(asks: &impl Asks) -> Eyes {
    Eyes {
        member: asks.profile().id,
        is_forum_staff: asks.may(Permission::Forum),
    }
}

/// What is to be reported.
pub(crate) struct Found {
    pub(crate) target: Target,
    /// What it is called, or where it stands.
    pub(crate) label: String,
    /// Where it stands.
    pub(crate) address: String,
    /// Why it can't be reported, where that is known before.
    pub(crate) hindrance: Option<Rejection>,
}

impl Found {
    /// Describes what is there, where it stands, whether it is one's own and whether it was removed.
    fn new(target: Target, label: String, address: String, (own, gone): (bool, bool)) -> Self {
        let hindrance = match (gone, own) {
            (true, _) => Some(Rejection::Gone),
            (false, true) => Some(Rejection::Own),
            (false, false) => None,
        };
        Self {
            target,
            label,
            address,
            hindrance,
        }
    }
}

/// Finds what a member sees and would report.
async fn find(app: &App, signed_in: &SignedIn, (kind, id): (&str, &str)) -> Result<Found, Problem> {
    let by = signed_in.profile.id;
    Ok(match Kind::named(kind).ok_or_else(Problem::not_found)? {
        Kind::Torrent => {
            let found = torrent::visible(app, signed_in, torrent::read_id(id)?).await?;
            let address = format!("/torrents/{}", found.id);
            let stands = (found.uploader == by, found.withdrawn.is_some());
            Found::new(Target::Torrent(found.id), found.name, address, stands)
        }
        Kind::Member => {
            let name = Name::parse(id).map_err(|_| Problem::not_found())?;
            let found = projections::user::named(&app.reads, &name).await?;
            let found = found.ok_or_else(Problem::not_found)?;
            let address = format!("/members/{}", found.name);
            let stands = (found.id == by, false);
            Found::new(Target::Member(found.id), found.name, address, stands)
        }
        Kind::Post => {
            let (head, post) = forum::post::placed(app, signed_in, id).await?;
            let (number, author, title) = (post.number, &post.author_name, &head.title);
            let label = format!("Post {number} by {author} in {title}");
            let gone = post.removed.is_some() || head.removed.is_some();
            let (topic, post, own) = (head.id, post.id, post.author == by);
            let address = format!("/forum/posts/{post}");
            Found::new(Target::Post { topic, post }, label, address, (own, gone))
        }
        Kind::Comment => {
            let (detail, found) = torrent::comment::placed(app, signed_in, id).await?;
            let label = format!("Comment by {} below {}", found.author_name, detail.name);
            let address = format!("/comments/{}", found.id);
            let stands = (found.author == by, found.removed.is_some());
            Found::new(Target::Comment(found.id), label, address, stands)
        }
    })
}

/// What the form holds when it is shown, at first or again.
pub(crate) struct Draft {
    pub(crate) found: Found,
    /// The address of the form.
    pub(crate) to: String,
    pub(crate) reason: Option<Reason>,
    pub(crate) text: String,
    pub(crate) error: Option<String>,
    /// The member's own report of the same thing that is open.
    pub(crate) before: Option<ReportId>,
    pub(crate) nonce: String,
    pub(crate) token: String,
}

async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path((kind, id)): Path<(String, String)>,
) -> Result<Markup, Problem> {
    let found = find(&app, &signed_in, (&kind, &id)).await?;
    let draft = Draft {
        found,
        to: format!("/report/{kind}/{id}"),
        reason: None,
        text: String::new(),
        error: None,
        before: None,
        nonce: app.random.id().simple().to_string(),
        token: signed_in.form_token().to_owned(),
    };
    framed(
        &app,
        theme,
        &signed_in,
        ("Report", "/reports"),
        &body(&draft),
    )
    .await
}

/// Says what is wrong, as who reports it chooses it.
pub(crate) fn worded(reason: Reason) -> &'static str {
    match reason {
        Reason::Misleading => "It isn't what it says it is",
        Reason::Duplicate => "It is there already",
        Reason::Harmful => "It is broken or harmful",
        Reason::Spam => "It advertises",
        Reason::Abuse => "It insults or threatens somebody",
        Reason::Rules => "It breaks another rule",
        Reason::Other => "Something else",
    }
}

pub(crate) fn body(draft: &Draft) -> Markup {
    let found = &draft.found;
    html! {
        section.narrow {
            h1 { "Report to the staff" }
            p { a href=(found.address) { (found.label) } }
            @if let Some(hindrance) = &found.hindrance {
                (notice("info", &html! { (sentence(hindrance)) }))
                div.actions { a.button href=(found.address) { "Go back" } }
            } @else { (form(draft)) }
        }
    }
}

fn form(draft: &Draft) -> Markup {
    let wrong = draft.error.is_some();
    html! {
        @if let Some(before) = draft.before {
            (notice("info", &html! { "You reported this already, and the staff hasn't closed it. " a href={ "/reports/" (before) } { "See your report" } "." }))
        }
        form action=(draft.to) method="post" {
            (token(&draft.token))
            input type="hidden" name="nonce" value=(draft.nonce);
            div.field {
                label for="reason" { "What is wrong" }
                select id="reason" name="reason" required {
                    option value="" { "Choose one" }
                    @for reason in Reason::ALL { option value=(reason.name()) selected[draft.reason == Some(reason)] { (worded(reason)) } }
                }
            }
            div.field {
                label for="text" { "In your words" }
                textarea id="text" name="text" rows="6" required minlength=(SHORTEST) maxlength=(LONGEST) aria-invalid=[wrong.then_some("true")]
                    aria-describedby=(if wrong { "text-error text-hint" } else { "text-hint" }) { (draft.text) }
                @if let Some(error) = &draft.error { p.hint.bad id="text-error" { (error) } }
                p.hint id="text-hint" { "The staff alone reads it, and who wrote it. You are told what becomes of it." }
            }
            div.actions {
                button.primary type="submit" { "Report it" }
                a.button href=(draft.found.address) { "Leave it" }
            }
        }
    }
}

async fn file(
    State(app): State<App>,
    theme: Theme,
    Path((kind, id)): Path<(String, String)>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let found = find(&app, &form.signed_in, (&kind, &id)).await?;
    let by = form.signed_in.profile.id;
    let reason = Reason::named(form.field("reason"));
    let mut draft = Draft {
        to: format!("/report/{kind}/{id}"),
        reason,
        text: form.field("text").replace("\r\n", "\n"),
        error: None,
        before: None,
        nonce: form.field("nonce").to_owned(),
        token: form.signed_in.form_token().to_owned(),
        found,
    };
    let Some(reason) = reason else {
        draft.error = Some("Choose what is wrong from the list.".to_owned());
        return refused(
            &app,
            theme,
            &form.signed_in,
            StatusCode::UNPROCESSABLE_ENTITY,
            &draft,
        )
        .await;
    };
    let reporting = app
        .commands
        .report(by, draft.found.target, reason, draft.text.clone());
    let what = format!("report {kind} {id} {}", reason.name());
    let status = match once(&form, &what, reporting).await {
        Ok(done) => {
            app.reads.wait_for(done.position).await;
            return Ok(Redirect::to(&format!("/reports/{}", done.of)).into_response());
        }
        Err(Refusal::Taken { holder, .. }) => {
            draft.before = holder.map(ReportId);
            StatusCode::CONFLICT
        }
        Err(Refusal::Rejected(rejection @ (Rejection::Gone | Rejection::Own))) => {
            draft.found.hindrance = Some(rejection);
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Err(Refusal::Rejected(rejection)) => {
            draft.error = Some(sentence(&rejection));
            StatusCode::UNPROCESSABLE_ENTITY
        }
        Err(refusal) => return Err(refusal.into()),
    };
    refused(&app, theme, &form.signed_in, status, &draft).await
}

/// Shows the form again.
async fn refused(
    app: &App,
    theme: Theme,
    signed_in: &SignedIn,
    status: StatusCode,
    draft: &Draft,
) -> Result<Response, Problem> {
    let page = framed(app, theme, signed_in, ("Report", "/reports"), &body(draft)).await?;
    Ok((status, page).into_response())
}

/// Where a page begins.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    from: String,
}

async fn list(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(from): Query<From>,
) -> Result<Markup, Problem> {
    let from = Some(Cursor(from.from)).filter(|cursor| !cursor.0.is_empty());
    let rows = report::own(&app.reads, eyes(&signed_in), from.as_ref(), ROWS).await?;
    let body = list_body(&rows);
    framed(&app, theme, &signed_in, ("Your reports", "/reports"), &body).await
}

pub(crate) fn list_body(rows: &Rows<Report>) -> Markup {
    html! {
        h1 { "Your reports" }
        @if rows.rows.is_empty() {
            (empty("You reported nothing yet.", &html! { "Torrents, posts, comments and members have a button for it." }))
        } @else {
            div.scroller {
                table.events {
                    caption.visually-hidden { "What you reported, the latest first" }
                    thead { tr { th scope="col" { "Reported" } th scope="col" { "State" } th.num scope="col" { "When" } } }
                    tbody { @for row in &rows.rows { tr {
                        td.name {
                            a href={ "/reports/" (row.id) } { (label(row)) }
                            span.by { " " (worded(row.reason)) }
                        }
                        td data-label="State" { (state(row.state)) }
                        td.num data-label="When" { (age(row.at)) }
                    } } }
                }
            }
            @if let Some(next) = &rows.next {
                nav.pager aria-label="Pages" { a.button rel="next" href={ "/reports?from=" (next.0) } { "Earlier ones" } }
            }
        }
    }
}

/// Names what is reported.
pub(crate) fn label(report: &Report) -> String {
    let (about, label) = (&report.about_name, report.label.as_deref());
    match (report.kind, label) {
        (Kind::Torrent, label) => label.unwrap_or("A torrent").to_owned(),
        (Kind::Member, _) => format!("The member {about}"),
        (Kind::Post, Some(title)) => format!("Post by {about} in {title}"),
        (Kind::Post, None) => format!("Post by {about}"),
        (Kind::Comment, Some(name)) => format!("Comment by {about} below {name}"),
        (Kind::Comment, None) => format!("Comment by {about}"),
    }
}

/// Says how a report stands.
pub(crate) fn state(state: Standing) -> Markup {
    let (kind, said) = match state {
        Standing::Open => ("warn", "open"),
        Standing::Taken => ("", "being looked at"),
        Standing::Resolved => ("good", "resolved"),
        Standing::Dismissed => ("", "dismissed"),
    };
    html! { span class={ "badge " (kind) } { (said) } }
}

async fn one(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let id: ReportId = id.parse().map_err(|_| Problem::not_found())?;
    let found = report::own_one(&app.reads, eyes(&signed_in), id).await?;
    let body = one_body(&found.ok_or_else(Problem::not_found)?);
    framed(&app, theme, &signed_in, ("Your report", "/reports"), &body).await
}

pub(crate) fn one_body(report: &Report) -> Markup {
    html! {
        section.narrow.wide {
            h1 { "Your report" }
            (facts(report))
            section.card { h2 { "What you said" } p.words { (report.text) } }
            @if report.state.is_closed() {
                section.card {
                    h2 { "What the staff says" }
                    @match &report.word { Some(word) => p.words { (word) }, None => p.hint { "It closed the report without a word." } }
                }
            } @else {
                (notice("info", &html! { "The staff reads every report. You get a notification once this one is closed." }))
            }
            p.actions { a.button href="/reports" { "Your reports" } }
        }
    }
}

/// What is reported, why and when.
pub(crate) fn facts(report: &Report) -> Markup {
    html! {
        dl.facts.even {
            div.wide { dt { "Reported" } dd { a href=(report.address()) { (label(report)) } } }
            div { dt { "What is wrong" } dd { (worded(report.reason)) } }
            div { dt { "When" } dd { (age(report.at)) } }
            div { dt { "State" } dd { (state(report.state)) } }
            @if let Some(at) = report.closed_at { div { dt { "Closed" } dd { (age(at)) } } }
        }
    }
}
