//! The history of everything, for auditors: events, a stream at any moment, and the proof.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use domain::api_key::Scope;
use domain::{Actor, Permission, Recorded, history};
use projections::proof::{Standing, Verdict};
use projections::user::Names;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::version::named;
use super::{Asked, Listed, Named, limited, turned};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::web::audit;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let read = Who::Key(Scope::Audit, Some(Permission::Audit));
    Routes::new()
        .api(read, events, __path_events)
        .api(read, stream, __path_stream)
        .api(read, proof, __path_proof)
        .api(read, prove, __path_prove)
}

/// Which events.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// A kind of stream, such as `torrent`.
    #[param(required = false)]
    of: String,
    /// An event's name, such as `TorrentUploaded`.
    #[param(required = false)]
    event: String,
    /// The name of who caused it.
    #[param(required = false)]
    by: String,
    /// The last moment: a time in UTC, or a position.
    #[param(required = false)]
    until: String,
    /// The position before which the page begins, as `next` said.
    #[param(required = false)]
    before: String,
    /// The most rows: 1 to 100, or 50.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub(crate) struct Happened {
    /// Its place in the log.
    position: i64,
    /// The stream's kind and id, such as `torrent-…`.
    stream: String,
    /// Its place in the stream, starting at 1.
    sequence: i64,
    /// Its name, such as `TorrentUploaded`.
    event: String,
    /// The version of its shape.
    version: i32,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// `member`, `operator` or `system`.
    actor: String,
    /// Which member, where it was one.
    member: Option<Uuid>,
    /// The member's name.
    by: Option<String>,
    /// The position of the event that led to it.
    causation: Option<i64>,
    /// Why, in the words of who did it.
    reason: Option<String>,
    /// What happened, without secrets.
    payload: Value,
}

fn shown(event: &Recorded, names: &Names) -> Happened {
    let (actor, member) = match event.meta.actor {
        _ if event.fact.is_erased() => (history::ERASED, None),
        Actor::Member(member) => ("member", Some(member.0)),
        Actor::Operator => ("operator", None),
        Actor::System => ("system", None),
    };
    Happened {
        position: event.position.0,
        stream: format!("{}-{}", event.stream_type, event.stream_id),
        sequence: event.sequence,
        event: event.fact.name().to_owned(),
        version: event.fact.version(),
        at: event.at,
        actor: actor.to_owned(),
        member,
        by: named(event.meta.actor, names),
        causation: event.meta.causation.map(|cause| cause.0),
        reason: event.meta.reason.clone(),
        payload: event.fact.payload().map(history::shown).unwrap_or_default(),
    }
}

/// Gives what happened, the latest first; the look itself is noted.
#[utoipa::path(
    get, path = "/api/v1/events", tag = "audit", params(Filter),
    responses((status = 200, description = "A page of events", body = Listed<Happened>))
)]
async fn events(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Asked(filter): Asked<Filter>,
) -> Result<Json<Listed<Happened>>, Problem> {
    let limit = usize::try_from(limited(filter.limit)?).unwrap_or_default();
    let asked = audit::Asked {
        of: filter.of,
        event: filter.event,
        by: filter.by,
        until: filter.until,
        before: filter.before,
    };
    if !asked.of.is_empty() && !history::STREAMS.contains(&asked.of.as_str()) {
        return Err(Problem::invalid("There is no such kind of stream."));
    }
    let filter = audit::filter(&app, &asked).await?;
    let found = app.history.events(&filter, limit).await?;
    audit::note(&app, &caller, "log").await?;
    let names = audit::names(&app, &found.events).await?;
    let older = |before: domain::Position| turned(&uri, "before", &before.0.to_string());
    Ok(Json(Listed {
        rows: found
            .events
            .iter()
            .map(|event| shown(event, &names))
            .collect(),
        next: found.older.map(older),
    }))
}

/// Which moment.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Moment {
    /// A time in UTC, or a position; today without.
    #[param(required = false)]
    at: String,
}

/// A stream at a moment.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Stream)]
pub(crate) struct AsOf {
    /// Its kind and id.
    stream: String,
    /// The position of the moment.
    at: i64,
    /// How it stood then.
    then: Value,
    /// How it stands today.
    now: Value,
    /// What differs: each path with the value then and today.
    differences: Vec<Difference>,
    /// Everything that happened to it, the first first.
    events: Vec<Happened>,
}

/// One place in which two states differ.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Difference {
    /// The fields on the way, joined by dots.
    path: String,
    then: Option<Value>,
    now: Option<Value>,
}

/// Gives a stream's state at any moment beside today's; the look itself is noted.
#[utoipa::path(
    get, path = "/api/v1/streams/{stream}", tag = "audit",
    params(("stream" = String, Path, description = "Kind and id, such as `torrent-…`"), Moment),
    responses((status = 200, description = "The stream", body = AsOf))
)]
async fn stream(
    State(app): State<App>,
    caller: Caller,
    Named(stream): Named<String>,
    Asked(moment): Asked<Moment>,
) -> Result<Json<AsOf>, Problem> {
    let read = audit::stream::read(&app, stream, moment.at).await?;
    audit::note(&app, &caller, &read.stream).await?;
    let differences = history::differences(&read.then, &read.now);
    Ok(Json(AsOf {
        at: read.upto.0,
        differences: differences
            .into_iter()
            .map(|one| Difference {
                path: one.path,
                then: one.before,
                now: one.after,
            })
            .collect(),
        events: read
            .events
            .iter()
            .map(|event| shown(event, &read.names))
            .collect(),
        stream: read.stream,
        then: read.then,
        now: read.now,
    }))
}

/// The proof that the log is what was appended.
#[derive(Debug, Default, Serialize, ToSchema)]
pub(crate) struct Proof {
    /// `none`, `running`, `fits`, `differs` or `failed`.
    state: String,
    /// The last position that is proved, or the first event that doesn't fit.
    position: Option<i64>,
    /// The position that a running one must reach.
    of: Option<i64>,
    /// The Merkle root of all leaves, hex.
    root: Option<String>,
    /// The chain's hash at the position, hex.
    chain: Option<String>,
    /// When it was made.
    #[serde(with = "time::serde::rfc3339::option")]
    at: Option<OffsetDateTime>,
    /// Why it doesn't fit, or couldn't be made.
    reason: Option<String>,
}

fn told(standing: Option<Standing>) -> Proof {
    let state = |state: &str| Proof {
        state: state.to_owned(),
        ..Proof::default()
    };
    match standing {
        None => state("none"),
        Some(Standing::Failed(reason)) => Proof {
            reason: Some(reason),
            ..state("failed")
        },
        Some(Standing::At { position, of }) => Proof {
            position: Some(position.0),
            of: Some(of.0),
            ..state("running")
        },
        Some(Standing::Done { verdict, at, .. }) => match verdict {
            Verdict::Fits {
                position,
                chain,
                root,
            } => Proof {
                position: Some(position.0),
                root: Some(root),
                chain: Some(chain),
                at: Some(at),
                ..state("fits")
            },
            Verdict::Differs { event, reason } => Proof {
                position: Some(event.0),
                reason: Some(reason),
                at: Some(at),
                ..state("differs")
            },
        },
    }
}

/// Gives how far the proof of the whole log is, or what the last one found since the start.
#[utoipa::path(
    get, path = "/api/v1/proof", tag = "audit",
    responses((status = 200, description = "The proof", body = Proof))
)]
async fn proof(State(app): State<App>) -> Json<Proof> {
    Json(told(app.proofs.standing()))
}

/// Begins to prove the whole log, unless that goes on already.
#[utoipa::path(
    post, path = "/api/v1/proof", tag = "audit",
    responses((status = 202, description = "It goes on", body = Proof))
)]
async fn prove(
    State(app): State<App>,
    caller: Caller,
) -> Result<(StatusCode, Json<Proof>), Problem> {
    audit::note(&app, &caller, "proof").await?;
    app.proofs.start();
    Ok((StatusCode::ACCEPTED, Json(told(app.proofs.standing()))))
}
