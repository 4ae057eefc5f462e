//! Reports: made by members, handled by the staff.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use commands::Refusal;
use domain::Permission;
use domain::api_key::Scope;
use domain::id::{CommentId, MemberId, PostId, ReportId, TorrentId};
use domain::report::{Act, Kind, Outcome, Reason, Rejection, Target};
use projections::report;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Asked, Body, Listed, Named, Paged};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::web::report::eyes;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let staff = Who::Key(Scope::Moderate, Some(Permission::Reports));
    Routes::new()
        .api(Who::Key(Scope::Read, None), own_reports, __path_own_reports)
        .api(
            Who::Key(Scope::Upload, None),
            file_report,
            __path_file_report,
        )
        .api(staff, report_queue, __path_report_queue)
        .api(staff, handle_report, __path_handle_report)
}

/// What kind of thing is reported.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportKind)]
pub(crate) enum What {
    Torrent,
    Member,
    Post,
    Comment,
}

/// What is wrong with something.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportReason)]
pub(crate) enum Why {
    Misleading,
    Duplicate,
    Harmful,
    Spam,
    Abuse,
    Rules,
    Other,
}

/// How a report stands.
#[derive(Debug, Clone, Copy, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportState)]
pub(crate) enum Stands {
    Open,
    Taken,
    Resolved,
    Dismissed,
}

impl From<Kind> for What {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Torrent => Self::Torrent,
            Kind::Member => Self::Member,
            Kind::Post => Self::Post,
            Kind::Comment => Self::Comment,
        }
    }
}

impl From<What> for Kind {
    fn from(what: What) -> Self {
        match what {
            What::Torrent => Self::Torrent,
            What::Member => Self::Member,
            What::Post => Self::Post,
            What::Comment => Self::Comment,
        }
    }
}

impl From<Reason> for Why {
    fn from(reason: Reason) -> Self {
        match reason {
            Reason::Misleading => Self::Misleading,
            Reason::Duplicate => Self::Duplicate,
            Reason::Harmful => Self::Harmful,
            Reason::Spam => Self::Spam,
            Reason::Abuse => Self::Abuse,
            Reason::Rules => Self::Rules,
            Reason::Other => Self::Other,
        }
    }
}

impl From<Why> for Reason {
    fn from(why: Why) -> Self {
        match why {
            Why::Misleading => Self::Misleading,
            Why::Duplicate => Self::Duplicate,
            Why::Harmful => Self::Harmful,
            Why::Spam => Self::Spam,
            Why::Abuse => Self::Abuse,
            Why::Rules => Self::Rules,
            Why::Other => Self::Other,
        }
    }
}

impl From<report::State> for Stands {
    fn from(state: report::State) -> Self {
        match state {
            report::State::Open => Self::Open,
            report::State::Taken => Self::Taken,
            report::State::Resolved => Self::Resolved,
            report::State::Dismissed => Self::Dismissed,
        }
    }
}

impl From<Stands> for report::State {
    fn from(stands: Stands) -> Self {
        match stands {
            Stands::Open => Self::Open,
            Stands::Taken => Self::Taken,
            Stands::Resolved => Self::Resolved,
            Stands::Dismissed => Self::Dismissed,
        }
    }
}

/// A report as it stands.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Report {
    id: Uuid,
    /// The name of who reported.
    reporter: String,
    kind: What,
    /// The torrent, member, post or comment.
    target: Uuid,
    /// The path of its page.
    path: String,
    /// The name of whose it is.
    about: String,
    reason: Why,
    /// The same in the reporter's words.
    text: String,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    state: Stands,
    /// The name of who looks after it, for the staff.
    taken_by: Option<String>,
    #[serde(with = "time::serde::rfc3339::option")]
    closed_at: Option<OffsetDateTime>,
    /// The staff's word to the reporter.
    word: Option<String>,
}

fn shown(one: report::Report) -> Report {
    Report {
        id: one.id.0,
        path: one.address(),
        reporter: one.reporter_name,
        kind: one.kind.into(),
        target: one.target,
        about: one.about_name,
        reason: one.reason.into(),
        text: one.text,
        at: one.at,
        state: one.state.into(),
        taken_by: one.taken_name,
        closed_at: one.closed_at,
        word: one.word,
    }
}

/// Who of the staff handles a report is no matter of the reporter's.
fn shown_to_reporter(one: report::Report) -> Report {
    Report {
        taken_by: None,
        ..shown(one)
    }
}

/// Gives what the key's member reported, the latest first.
#[utoipa::path(
    get, path = "/api/v1/reports", tag = "reports", params(Paged),
    responses((status = 200, description = "A page of reports", body = Listed<Report>))
)]
async fn own_reports(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Asked(paged): Asked<Paged>,
) -> Result<Json<Listed<Report>>, Problem> {
    let (from, limit) = (paged.cursor(), paged.limit()?);
    let rows = report::own(&app.reads, eyes(&caller), from.as_ref(), limit).await?;
    Ok(Json(Listed::of(&uri, rows, shown_to_reporter)))
}

/// What is to be reported.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Reported {
    kind: What,
    /// The torrent, member, post or comment.
    target: Uuid,
    reason: Why,
    /// What is wrong, in your words.
    #[schema(min_length = 10, max_length = 2000)]
    text: String,
}

/// Reports a torrent, a member, a post or a comment to the staff.
#[utoipa::path(
    post, path = "/api/v1/reports", tag = "reports", request_body = Reported,
    responses(
        (status = 201, description = "The report", body = Report),
        (status = 404, description = "There is no such thing, as far as you see"),
        (status = 409, description = "You reported it already, and that is open"),
    )
)]
async fn file_report(
    State(app): State<App>,
    caller: Caller,
    Body(said): Body<Reported>,
) -> Result<(StatusCode, Json<Report>), Problem> {
    let target = match said.kind {
        What::Torrent => Target::Torrent(TorrentId(said.target)),
        What::Member => Target::Member(MemberId(said.target)),
        What::Comment => Target::Comment(CommentId(said.target)),
        What::Post => {
            let post = PostId(said.target);
            let found = projections::topic::page::post(&app.reads, post).await?;
            let topic = found.ok_or_else(Problem::not_found)?.topic;
            Target::Post { topic, post }
        }
    };
    let by = caller.profile.id;
    let filed = app
        .commands
        .report(by, target, said.reason.into(), said.text);
    let done = match filed.await {
        Err(Refusal::Rejected(rejection @ Rejection::Text)) => {
            return Err(Problem::field("text", &sentence(&rejection)));
        }
        Err(Refusal::Taken { .. }) => {
            let detail = "Your report of it is open. Wait for the staff's word.";
            return Err(Problem::conflict(
                "reported-already",
                "You reported this already",
                detail,
            ));
        }
        filed => filed?,
    };
    app.reads.wait_for(done.position).await;
    let found = report::own_one(&app.reads, eyes(&caller), done.of).await?;
    let report = found.ok_or_else(Problem::unavailable)?;
    Ok((StatusCode::CREATED, Json(shown_to_reporter(report))))
}

/// Which reports are wanted.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// Those about a kind of thing.
    #[param(inline)]
    kind: Option<What>,
    /// Those that stand so.
    #[param(inline)]
    state: Option<Stands>,
    /// Where the page begins, as `next` said.
    #[param(required = false)]
    from: String,
    /// The most rows: 1 to 100, or 50.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// Gives the staff's queue: the reports that wait first.
#[utoipa::path(
    get, path = "/api/v1/staff/reports", tag = "reports", params(Wanted),
    responses((status = 200, description = "A page of reports", body = Listed<Report>))
)]
async fn report_queue(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Asked(asked): Asked<Wanted>,
) -> Result<Json<Listed<Report>>, Problem> {
    let wanted = report::Wanted {
        kind: asked.kind.map(Into::into),
        state: asked.state.map(Into::into),
    };
    let paged = Paged {
        from: asked.from,
        limit: asked.limit,
    };
    let (from, limit) = (paged.cursor(), paged.limit()?);
    let rows = report::queue(&app.reads, eyes(&caller), wanted, from.as_ref(), limit).await?;
    Ok(Json(Listed::of(&uri, rows, shown)))
}

/// What is done with a report.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ReportAct)]
pub(crate) enum Does {
    /// You look after it.
    Take,
    /// You note something for the staff.
    Note,
    /// Something was done about it.
    Resolve,
    /// Nothing is done about it.
    Dismiss,
}

/// What is done with a report, and in which words.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Handled {
    act: Does,
    /// The note; or, where it is closed, a word to the reporter.
    #[schema(max_length = 2000)]
    text: Option<String>,
}

/// Takes a report, notes something about it, or closes it.
#[utoipa::path(
    post, path = "/api/v1/staff/reports/{id}", tag = "reports", request_body = Handled,
    params(("id" = Uuid, Path, description = "The report")),
    responses(
        (status = 200, description = "The report as it stands", body = Report),
        (status = 422, description = "It is closed, or the words don't fit"),
    )
)]
async fn handle_report(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
    Body(said): Body<Handled>,
) -> Result<Json<Report>, Problem> {
    let id: ReportId = id.parse().map_err(|_| Problem::not_found())?;
    let seen = report::one(&app.reads, eyes(&caller), id).await?;
    seen.ok_or_else(Problem::not_found)?;
    let act = match said.act {
        Does::Take => Act::Take,
        Does::Note => Act::Note(said.text.unwrap_or_default()),
        Does::Resolve => Act::Close(Outcome::Resolved, said.text),
        Does::Dismiss => Act::Close(Outcome::Dismissed, said.text),
    };
    let handled = app.commands.handle_report(caller.profile.id, id, act).await;
    let done = match handled {
        Err(Refusal::Rejected(rejection @ (Rejection::Note | Rejection::Word))) => {
            return Err(Problem::field("text", &sentence(&rejection)));
        }
        handled => handled?,
    };
    app.reads.wait_for(done.position).await;
    let found = report::one(&app.reads, eyes(&caller), id).await?;
    Ok(Json(shown(found.ok_or_else(Problem::unavailable)?)))
}
