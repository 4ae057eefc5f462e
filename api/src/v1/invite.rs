//! A member's own invites, and those that the staff grants.

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, Uri};
use commands::Refusal;
use domain::Permission;
use domain::api_key::Scope;
use domain::id::InviteId;
use domain::user::Rejection;
use projections::invite::{self, Standing};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Asked, Body, Listed, Named, Paged};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::sign_in::erasure::named;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let write = Who::Key(Scope::Upload, None);
    Routes::new()
        .api(Who::Key(Scope::Read, None), invites, __path_invites)
        .api(write, make, __path_make)
        .api(write, revoke, __path_revoke)
        .api(
            Who::Key(Scope::Administer, Some(Permission::Invites)),
            grant_invites,
            __path_grant_invites,
        )
}

/// An invite; its code is told once, by who makes it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Invite {
    id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    issued_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// `open`, `used`, `revoked` or `expired`.
    standing: String,
    /// The name of who joined by it.
    used_by: Option<String>,
}

fn shown(one: invite::Invite) -> Invite {
    let end = OffsetDateTime::from_unix_timestamp(one.expires);
    let (standing, used_by) = match one.standing {
        Standing::Open => ("open", None),
        Standing::Used(name) => ("used", Some(name)),
        Standing::Revoked => ("revoked", None),
        Standing::Expired => ("expired", None),
    };
    Invite {
        id: one.id.0,
        issued_at: one.issued_at,
        expires_at: end.unwrap_or(OffsetDateTime::UNIX_EPOCH),
        standing: standing.to_owned(),
        used_by,
    }
}

/// Gives the member's own invites, the latest first.
#[utoipa::path(
    get, path = "/api/v1/invites", tag = "members", params(Paged),
    responses((status = 200, description = "A page of invites", body = Listed<Invite>))
)]
async fn invites(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Asked(paged): Asked<Paged>,
) -> Result<Json<Listed<Invite>>, Problem> {
    let (from, limit) = (paged.cursor(), paged.limit()?);
    let rows = invite::list(&app.reads, Some(caller.profile.id), from.as_ref(), limit).await?;
    Ok(Json(Listed::of(&uri, rows, shown)))
}

/// An invite that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MadeInvite)]
pub(crate) struct Made {
    /// What lets somebody join, once.
    code: String,
    /// The address at which they do.
    link: String,
}

/// Makes an invite, which is one less to make.
#[utoipa::path(
    post, path = "/api/v1/invites", tag = "members",
    responses(
        (status = 201, description = "Its code and link", body = Made),
        (status = 422, description = "No invite is left to make"),
    )
)]
async fn make(State(app): State<App>, caller: Caller) -> Result<(StatusCode, Json<Made>), Problem> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let done = app.commands.invite(caller.profile.id, now).await?;
    app.reads.wait_for(done.position).await;
    let code = done.of.reveal();
    let made = Made {
        code: code.to_owned(),
        link: format!("{}/register?invite={code}", app.site.origin()),
    };
    Ok((StatusCode::CREATED, Json(made)))
}

/// Voids an invite that nobody used; it comes back.
#[utoipa::path(
    delete, path = "/api/v1/invites/{id}", tag = "members",
    params(("id" = Uuid, Path, description = "The invite")),
    responses(
        (status = 204, description = "It is void"),
        (status = 422, description = "Somebody used it"),
    )
)]
async fn revoke(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<StatusCode, Problem> {
    let invite: InviteId = id.parse().map_err(|_| Problem::not_found())?;
    let done = app
        .commands
        .revoke_invite(caller.profile.id, invite)
        .await?;
    app.reads.wait_for(done.position).await;
    Ok(StatusCode::NO_CONTENT)
}

/// How many people a member may invite besides.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = GrantedInvites)]
#[serde(deny_unknown_fields)]
pub(crate) struct Granted {
    #[schema(minimum = 1, maximum = 100)]
    count: u32,
}

/// Lets a member invite more people.
#[utoipa::path(
    post, path = "/api/v1/members/{name}/invites", tag = "members", request_body = Granted,
    params(("name" = String, Path, description = "The member's name, whatever its case")),
    responses((status = 204, description = "The member has them"))
)]
async fn grant_invites(
    State(app): State<App>,
    caller: Caller,
    Named(name): Named<String>,
    Body(granted): Body<Granted>,
) -> Result<StatusCode, Problem> {
    let (by, member) = (caller.profile.id, named(&app, &name).await?.id);
    let done = app.commands.grant_invites(by, member, granted.count).await;
    let done = done.map_err(|refusal| match refusal {
        Refusal::Rejected(rejection @ Rejection::TooManyInvites) => {
            Problem::field("count", &sentence(&rejection))
        }
        other @ (Refusal::Rejected(_)
        | Refusal::Forbidden
        | Refusal::NotFound
        | Refusal::Taken { .. }
        | Refusal::Conflict
        | Refusal::Unavailable(_)) => other.into(),
    })?;
    app.reads.wait_for(done.position).await;
    Ok(StatusCode::NO_CONTENT)
}
