//! The site's own roles.

use axum::Json;
use axum::extract::State;
use commands::Refusal;
use domain::api_key::Scope;
use domain::id::RoleId;
use domain::role::{Mandate, Rejection};
use domain::tag::Colour;
use domain::{Permission, Permissions};
use projections::role::OwnRole;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::member::{Member, shown};
use super::{Body, Named};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::sign_in::erasure::named;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let who = Who::Key(Scope::Administer, Some(Permission::Roles));
    Routes::new()
        .api(who, roles, __path_roles)
        .api(who, create_role, __path_create_role)
        .api(who, change_role, __path_change_role)
        .api(who, retire_role, __path_retire_role)
        .api(who, grant_role, __path_grant_role)
        .api(who, withdraw_role, __path_withdraw_role)
}

/// A role of the site's own.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Role {
    id: Uuid,
    name: String,
    /// `grey`, `red`, `orange`, `yellow`, `green`, `teal`, `blue`, `violet` or `pink`.
    colour: &'static str,
    /// What it lets its members do, such as `forum`.
    permissions: Vec<&'static str>,
    /// How many members have it.
    members: i64,
}

/// What a role shall be.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = RoleWanted)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Letters, digits, spaces and hyphens, unique on the site.
    #[schema(min_length = 2, max_length = 30)]
    name: String,
    /// `grey`, `red`, `orange`, `yellow`, `green`, `teal`, `blue`, `violet` or `pink`.
    colour: String,
    /// What it lets its members do, such as `forum`; nothing that the key's member may not.
    permissions: Vec<String>,
}

impl Wanted {
    fn read(self) -> Result<Mandate, Problem> {
        let colour = Colour::named(&self.colour)
            .ok_or_else(|| Problem::field("colour", "There is no such colour."))?;
        let permission = |name: &String| {
            let found = Permission::named(name);
            found.ok_or_else(|| Problem::field("permissions", "There is no such permission."))
        };
        let permissions: Result<Permissions, Problem> =
            self.permissions.iter().map(permission).collect();
        Ok(Mandate {
            name: self.name,
            colour,
            permissions: permissions?,
        })
    }
}

async fn list(app: &App) -> Result<Json<Vec<Role>>, Problem> {
    let all = projections::role::all(&app.reads).await?;
    let role = |(role, members): (OwnRole, i64)| Role {
        id: role.id.0,
        name: role.name,
        colour: role.colour.name(),
        permissions: role.permissions.iter().map(Permission::name).collect(),
        members,
    };
    Ok(Json(all.into_iter().map(role).collect()))
}

/// Gives the site's own roles, by name.
#[utoipa::path(
    get, path = "/api/v1/roles", tag = "members",
    responses((status = 200, description = "The roles", body = Vec<Role>))
)]
async fn roles(State(app): State<App>) -> Result<Json<Vec<Role>>, Problem> {
    list(&app).await
}

/// Makes a role.
#[utoipa::path(
    post, path = "/api/v1/roles", tag = "members", request_body = Wanted,
    responses((status = 200, description = "The roles as they are now", body = Vec<Role>))
)]
async fn create_role(
    State(app): State<App>,
    caller: Caller,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Vec<Role>>, Problem> {
    let created = app
        .commands
        .create_role(caller.profile.id, wanted.read()?)
        .await;
    let done = created.map_err(refused)?;
    app.reads.wait_for(done.position).await;
    list(&app).await
}

/// Gives a role another name, colour or reach.
#[utoipa::path(
    put, path = "/api/v1/roles/{id}", tag = "members", request_body = Wanted,
    params(("id" = Uuid, Path, description = "The role")),
    responses((status = 200, description = "The roles as they are now", body = Vec<Role>))
)]
async fn change_role(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<Uuid>,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Vec<Role>>, Problem> {
    let changed = app
        .commands
        .change_role(caller.profile.id, RoleId(id), wanted.read()?)
        .await;
    let done = changed.map_err(refused)?;
    app.reads.wait_for(done.position).await;
    list(&app).await
}

/// Takes a role from everybody for good.
#[utoipa::path(
    delete, path = "/api/v1/roles/{id}", tag = "members",
    params(("id" = Uuid, Path, description = "The role")),
    responses((status = 200, description = "The roles as they are now", body = Vec<Role>))
)]
async fn retire_role(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<Uuid>,
) -> Result<Json<Vec<Role>>, Problem> {
    let by = caller.profile.id;
    let done = app.commands.retire_role(by, RoleId(id)).await?;
    app.reads.wait_for(done.position).await;
    list(&app).await
}

/// Gives a member a role besides.
#[utoipa::path(
    put, path = "/api/v1/members/{name}/roles/{id}", tag = "members",
    params(
        ("name" = String, Path, description = "The member's name, whatever its case"),
        ("id" = Uuid, Path, description = "The role"),
    ),
    responses((status = 200, description = "The profile as it is now", body = Member))
)]
async fn grant_role(
    State(app): State<App>,
    caller: Caller,
    Named((name, id)): Named<(String, Uuid)>,
) -> Result<Json<Member>, Problem> {
    hand(&app, &caller, &name, RoleId(id), true).await
}

/// Takes a role away from a member.
#[utoipa::path(
    delete, path = "/api/v1/members/{name}/roles/{id}", tag = "members",
    params(
        ("name" = String, Path, description = "The member's name, whatever its case"),
        ("id" = Uuid, Path, description = "The role"),
    ),
    responses((status = 200, description = "The profile as it is now", body = Member))
)]
async fn withdraw_role(
    State(app): State<App>,
    caller: Caller,
    Named((name, id)): Named<(String, Uuid)>,
) -> Result<Json<Member>, Problem> {
    hand(&app, &caller, &name, RoleId(id), false).await
}

async fn hand(
    app: &App,
    caller: &Caller,
    name: &str,
    role: RoleId,
    granted: bool,
) -> Result<Json<Member>, Problem> {
    let (by, profile) = (caller.profile.id, named(app, name).await?);
    let done = app.commands.hand_role(by, profile.id, role, granted);
    app.reads.wait_for(done.await?.position).await;
    Ok(Json(shown(app, caller, named(app, name).await?).await?))
}

/// Says beside which field what is wrong stands.
fn refused(refusal: Refusal<Rejection>) -> Problem {
    match refusal {
        Refusal::Rejected(
            rejection @ (Rejection::Unnamed | Rejection::NameMixed | Rejection::NameReserved),
        ) => Problem::field("name", &sentence(&rejection)),
        Refusal::Rejected(rejection @ (Rejection::Beyond | Rejection::Administers)) => {
            Problem::field("permissions", &sentence(&rejection))
        }
        other @ (Refusal::Rejected(_)
        | Refusal::Forbidden
        | Refusal::NotFound
        | Refusal::Taken { .. }
        | Refusal::Conflict
        | Refusal::Unavailable(_)) => other.into(),
    }
}
