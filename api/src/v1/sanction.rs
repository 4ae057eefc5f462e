//! Warnings and bans.

use axum::Json;
use axum::extract::State;
use commands::Refusal;
use commands::sanction::Sanction;
use domain::Permission;
use domain::api_key::Scope;
use domain::user::{Ban, Rejection};
use projections::user::sanction;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Body, Named};
use crate::app::App;
use crate::caller::Caller;
use crate::network;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::sign_in::erasure::named;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let order = Who::Key(Scope::Moderate, Some(Permission::Members));
    Routes::new()
        .api(order, sanctions, __path_sanctions)
        .api(order, impose, __path_impose)
}

/// A warning, a ban, or its end.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Sanction)]
pub(crate) struct Imposed {
    /// `warning`, `ban` or `lifted`.
    kind: String,
    reason: String,
    /// When a ban ends, in seconds since 1970, where it does.
    until: Option<i64>,
    /// Whether a ban covers the address from which the member signed in last.
    address: bool,
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    /// The id of who imposed it.
    by: Option<Uuid>,
}

async fn shown(app: &App, name: &str) -> Result<Json<Vec<Imposed>>, Problem> {
    let profile = named(app, name).await?;
    let rows = sanction::of(&app.reads, profile.id).await?;
    let imposed = |one: sanction::Sanction| Imposed {
        kind: one.kind.name().to_owned(),
        reason: one.reason,
        // One without an end lasts to the end of time.
        until: one.until.filter(|until| *until != i64::MAX),
        address: one.by_address,
        at: one.at,
        by: one.by.map(|member| member.0),
    };
    Ok(Json(rows.into_iter().map(imposed).collect()))
}

/// Gives a member's sanctions, the latest first, at most a hundred.
#[utoipa::path(
    get, path = "/api/v1/members/{name}/sanctions", tag = "members",
    params(("name" = String, Path, description = "The member's name, whatever its case")),
    responses((status = 200, description = "The sanctions", body = Vec<Imposed>))
)]
async fn sanctions(
    State(app): State<App>,
    Named(name): Named<String>,
) -> Result<Json<Vec<Imposed>>, Problem> {
    shown(&app, &name).await
}

/// What the staff does.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Act {
    /// Warn.
    Warn,
    /// Shut out.
    Ban,
    /// Let in again.
    Lift,
}

/// A sanction to be imposed.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Imposing)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    act: Act,
    /// What the member reads.
    #[schema(min_length = 1, max_length = 500)]
    reason: String,
    /// When a ban ends, in seconds since 1970; without, it doesn't.
    until: Option<i64>,
    /// Whether a ban covers the address from which the member signed in last.
    #[serde(default)]
    address: bool,
}

/// Warns or bans a member, or lifts a ban.
#[utoipa::path(
    post, path = "/api/v1/members/{name}/sanctions", tag = "members", request_body = Wanted,
    params(("name" = String, Path, description = "The member's name, whatever its case")),
    responses((status = 200, description = "The sanctions as they are now", body = Vec<Imposed>))
)]
async fn impose(
    State(app): State<App>,
    caller: Caller,
    Named(name): Named<String>,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Vec<Imposed>>, Problem> {
    let Wanted {
        act,
        reason,
        until,
        address,
    } = wanted;
    if until.is_some() && !matches!(act, Act::Ban) {
        return Err(Problem::field("until", "Only a ban has an end."));
    }
    if address && !matches!(act, Act::Ban) {
        return Err(Problem::field("address", "Only a ban covers an address."));
    }
    let (by, profile) = (caller.profile.id, named(&app, &name).await?);
    let sanction = match act {
        Act::Warn => Sanction::Warn(reason),
        Act::Ban => Sanction::Ban(Ban {
            reason,
            until,
            network: if address {
                Some(network::last(&app, profile.id).await?)
            } else {
                None
            },
        }),
        Act::Lift => Sanction::Lift(reason),
    };
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let imposed = app.commands.sanction(by, profile.id, sanction, now).await;
    let done = imposed.map_err(refused)?;
    app.reads.wait_for(done.position).await;
    shown(&app, &name).await
}

/// Says beside which field what is wrong stands.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
fn refused(refusal: Refusal<Rejection>) -> Problem {
    match refusal {
        Refusal::Rejected(rejection @ Rejection::Reason) => {
            Problem::field("reason", &sentence(&rejection))
        }
        Refusal::Rejected(rejection @ Rejection::EndsBehind) => {
            Problem::field("until", &sentence(&rejection))
        }
        other => other.into(),
    }
}
