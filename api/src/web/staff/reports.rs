//! The staff's queue of reports, and one of them: taken, noted, closed.

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse as _, Redirect, Response};
use commands::Refusal;
use domain::Permission;
use domain::id::ReportId;
use domain::report::{Act, Kind, LONGEST, LONGEST_WORD, Outcome, Rejection};
use maud::{Markup, html};
use projections::page::{Cursor, Page as Rows};
use projections::report::{self, Note, Report, State as Standing, Wanted};
use serde::Deserialize;

use super::super::component::{age, empty, notice};
use super::super::form::token;
use super::super::forum::compose::once;
use super::super::layout::{Theme, framed, unfit};
use super::super::report::{eyes, facts, label, state, worded};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::session::SignedIn;

/// Rows of a page.
const ROWS: i64 = 50;

/// Gives the routes.
pub(super) fn routes() -> Routes {
    let staff = Who::May(Permission::Reports);
    Routes::new()
        .get("/staff/reports", staff, list)
        .get("/staff/reports/{id}", staff, one)
        .post("/staff/reports/{id}", staff, act)
}

/// Counts the reports that wait for a member of the staff; none for others.
pub(crate) async fn waiting(app: &App, signed_in: &SignedIn) -> Result<i64, Problem> {
    if signed_in.may(Permission::Reports) {
        Ok(report::waiting(&app.reads, eyes(signed_in)).await?)
    } else {
        Ok(0)
    }
}

/// What the address asks for.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(in super::super) struct Asked {
    pub(in super::super) kind: String,
    pub(in super::super) state: String,
    from: String,
}

impl Asked {
    fn wanted(&self) -> Wanted {
        Wanted {
            kind: Kind::named(&self.kind),
            state: Standing::named(&self.state),
        }
    }
}

async fn list(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let from = Some(Cursor(asked.from.clone())).filter(|cursor| !cursor.0.is_empty());
    let wanted = asked.wanted();
    let rows = report::queue(&app.reads, eyes(&signed_in), wanted, from.as_ref(), ROWS).await?;
    let body = body(wanted, &rows);
    framed(
        &app,
        theme,
        &signed_in,
        ("Reports", "/staff/reports"),
        &body,
    )
    .await
}

pub(in super::super) fn body(wanted: Wanted, rows: &Rows<Report>) -> Markup {
    html! {
        h1 { "Reports" }
        p.lead { "What members say is wrong: those that wait first, the longest first." }
        (filters(wanted))
        @if rows.rows.is_empty() {
            (empty("There is no such report.", &html! {
                @if wanted == Wanted::default() { "Members report from torrents, posts, comments and profiles." }
                @else { a href="/staff/reports" { "See all reports" } "." }
            }))
        } @else {
            div.scroller {
                table.events {
                    caption.visually-hidden { "Reports, those that wait first" }
                    thead { tr {
                        th scope="col" { "Reported" } th scope="col" { "What is wrong" } th scope="col" { "By" }
                        th.num scope="col" { "When" } th scope="col" { "State" }
                    } }
                    tbody { @for row in &rows.rows { tr {
                        td.name { a href={ "/staff/reports/" (row.id) } { (label(row)) } }
                        td data-label="What is wrong" { (worded(row.reason)) }
                        td data-label="By" { a href={ "/members/" (row.reporter_name) } { (row.reporter_name) } }
                        td.num data-label="When" { (age(row.at)) }
                        td data-label="State" {
                            (state(row.state))
                            @if let (Standing::Taken, Some(name)) = (row.state, &row.taken_name) { span.by { " by " (name) } }
                        }
                    } } }
                }
            }
            @if let Some(next) = &rows.next {
                nav.pager aria-label="Pages" { a.button rel="next" href={ (address(wanted)) "&from=" (next.0) } { "Next page" } }
            }
        }
    }
}

fn address(wanted: Wanted) -> String {
    let kind = wanted.kind.map_or("", Kind::name);
    let state = wanted.state.map_or("", Standing::name);
    format!("/staff/reports?kind={kind}&state={state}")
}

fn filters(wanted: Wanted) -> Markup {
    html! {
        form.filters action="/staff/reports" method="get" {
            div.field {
                label for="state" { "State" }
                select id="state" name="state" {
                    option value="" { "every state" }
                    @for one in Standing::ALL { option value=(one.name()) selected[wanted.state == Some(one)] { (one.name()) } }
                }
            }
            div.field {
                label for="kind" { "About a" }
                select id="kind" name="kind" {
                    option value="" { "thing of any kind" }
                    @for one in Kind::ALL { option value=(one.name()) selected[wanted.kind == Some(one)] { (one.name()) } }
                }
            }
            button type="submit" { "Show" }
        }
    }
}

/// What the page of one report shows.
pub(in super::super) struct Shown {
    pub(in super::super) report: Report,
    pub(in super::super) notes: Vec<Note>,
    /// What was typed as a note and as a word, where that was refused.
    pub(in super::super) note: String,
    pub(in super::super) word: String,
    /// Why, and of which of both.
    pub(in super::super) error: Option<(&'static str, String)>,
    pub(in super::super) nonce: String,
    pub(in super::super) token: String,
}

async fn shown(app: &App, signed_in: &SignedIn, id: ReportId) -> Result<Shown, Problem> {
    let found = report::one(&app.reads, eyes(signed_in), id).await?;
    Ok(Shown {
        report: found.ok_or_else(Problem::not_found)?,
        notes: report::notes(&app.reads, id).await?,
        note: String::new(),
        word: String::new(),
        error: None,
        nonce: app.random.id().simple().to_string(),
        token: signed_in.form_token().to_owned(),
    })
}

async fn one(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let id = id.parse().map_err(|_| Problem::not_found())?;
    let shown = shown(&app, &signed_in, id).await?;
    let body = one_body(&shown);
    framed(&app, theme, &signed_in, ("Report", "/staff/reports"), &body).await
}

pub(in super::super) fn one_body(shown: &Shown) -> Markup {
    let report = &shown.report;
    html! {
        section.narrow.wide {
            h1 { "Report" }
            (facts(report))
            section.card {
                h2 { "What " a href={ "/members/" (report.reporter_name) } { (report.reporter_name) } " says" }
                p.words { (report.text) }
                @if report.kind != Kind::Member { p.hint { "It is about what " a href={ "/members/" (report.about_name) } { (report.about_name) } " made." } }
            }
            @if let Some(name) = &report.closed_name {
                section.card {
                    h2 { "Closed by " (name) }
                    @match &report.word { Some(word) => p.words { (word) }, None => p.hint { "Without a word to the reporter." } }
                }
            } @else { (closing(shown)) }
            (notes(shown))
            p.actions { a.button href="/staff/reports" { "All reports" } }
        }
    }
}

fn error_of<'a>(shown: &'a Shown, field: &str) -> Option<&'a String> {
    let error = shown.error.as_ref().filter(|(of, _)| *of == field);
    error.map(|(_, said)| said)
}

fn hidden(shown: &Shown) -> Markup {
    html! { (token(&shown.token)) input type="hidden" name="nonce" value=(shown.nonce); }
}

fn closing(shown: &Shown) -> Markup {
    let (id, error) = (shown.report.id, error_of(shown, "word"));
    html! {
        section.card {
            h2 { "Decide" }
            @match (&shown.report.state, &shown.report.taken_name) {
                (Standing::Taken, Some(name)) => p { (name) " looks after it." },
                _ => p.hint { "Nobody looks after it yet." },
            }
            form.actions action={ "/staff/reports/" (id) } method="post" {
                (hidden(shown))
                button type="submit" name="act" value="take" { "I look after it" }
            }
            form action={ "/staff/reports/" (id) } method="post" {
                (hidden(shown))
                div.field {
                    label for="word" { "A word to the reporter (optional)" }
                    textarea id="word" name="text" rows="3" maxlength=(LONGEST_WORD) aria-invalid=[error.map(|_| "true")]
                        aria-describedby=(if error.is_some() { "word-error word-hint" } else { "word-hint" }) { (shown.word) }
                    @if let Some(error) = error { p.hint.bad id="word-error" { (error) } }
                    p.hint id="word-hint" { "What has to be done about it, do first: closing a report changes nothing else." }
                }
                div.actions {
                    button.primary type="submit" name="act" value="resolve" { "Resolved" }
                    button type="submit" name="act" value="dismiss" { "Dismiss it" }
                }
            }
        }
    }
}

fn notes(shown: &Shown) -> Markup {
    let error = error_of(shown, "note");
    html! {
        section.card {
            h2 { "Notes of the staff" }
            @if shown.notes.is_empty() { p.hint { "There is none. The reporter sees no note." } }
            ul.hits { @for note in &shown.notes { li { p.words { (note.text) } p.by { (note.by_name) ", " (age(note.at)) } } } }
            form action={ "/staff/reports/" (shown.report.id) } method="post" {
                (hidden(shown))
                div.field {
                    label for="note" { "Note" }
                    textarea id="note" name="text" rows="2" required maxlength=(LONGEST) aria-invalid=[error.map(|_| "true")]
                        aria-describedby=[error.map(|_| "note-error")] { (shown.note) }
                    @if let Some(error) = error { p.hint.bad id="note-error" { (error) } }
                }
                button type="submit" name="act" value="note" { "Add the note" }
            }
        }
        @if let Some((_, error)) = shown.error.as_ref().filter(|(of, _)| of.is_empty()) { (notice("bad", &html! { (error) })) }
    }
}

async fn act(
    State(app): State<App>,
    theme: Theme,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Response, Problem> {
    let id: ReportId = id.parse().map_err(|_| Problem::not_found())?;
    // What who asks doesn't see they don't handle.
    let mut shown = shown(&app, &form.signed_in, id).await?;
    let text = form.field("text").replace("\r\n", "\n");
    let named = form.field("act");
    let act = match named {
        "take" => Act::Take,
        "note" => Act::Note(text.clone()),
        "resolve" => Act::Close(Outcome::Resolved, Some(text.clone())),
        "dismiss" => Act::Close(Outcome::Dismissed, Some(text.clone())),
        _ => {
            return Err(Problem::invalid(
                "A report is taken, noted, resolved or dismissed.",
            ));
        }
    };
    let handling = app
        .commands
        .handle_report(form.signed_in.profile.id, id, act);
    let what = format!("{named} report {id}");
    match once(&form, &what, handling).await {
        Ok(done) => {
            app.reads.wait_for(done.position).await;
            Ok(Redirect::to(&format!("/staff/reports/{id}")).into_response())
        }
        Err(Refusal::Rejected(rejection)) => {
            let said = sentence(&rejection);
            match rejection {
                Rejection::Note => (shown.note, shown.error) = (text, Some(("note", said))),
                Rejection::Word => (shown.word, shown.error) = (text, Some(("word", said))),
                Rejection::AlreadyFiled
                | Rejection::Unknown
                | Rejection::Own
                | Rejection::Gone
                | Rejection::Text
                | Rejection::Closed
                | Rejection::AboutYou => shown.error = Some(("", said)),
            }
            let body = one_body(&shown);
            let frame = ("Report", "/staff/reports");
            unfit(&app, theme, &form.signed_in, frame, &body).await
        }
        Err(refusal) => Err(refusal.into()),
    }
}
