//! Members: who asks, their ledger, others' profiles, and roles.

use axum::Json;
use axum::extract::State;
use axum::http::Uri;
use domain::api_key::Scope;
use domain::id::TorrentId;
use domain::user::Role;
use domain::{Actor, Permission};
use projections::torrent::list;
use projections::traffic::{self, Line};
use projections::user::Profile;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Asked, Body, Listed, Named, Paged, ratio};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::sign_in::erasure::named;
use crate::web::torrents;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let read = Who::Key(Scope::Read, None);
    let assign = Who::Key(Scope::Administer, Some(Permission::Administer));
    Routes::new()
        .api(read, me, __path_me)
        .api(read, ledger, __path_ledger)
        .api(read, member, __path_member)
        .api(assign, assign_role, __path_assign_role)
}

/// A member as others see them.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Member {
    id: Uuid,
    name: String,
    /// The role's name, such as `moderator`.
    role: String,
    /// The names of the site's own roles that they have besides.
    roles: Vec<String>,
    #[serde(with = "time::serde::rfc3339")]
    joined: OffsetDateTime,
    figures: Figures,
}

/// What a member moved, in all.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Figures {
    /// Bytes credited as uploaded.
    uploaded: u64,
    /// Bytes credited as downloaded.
    downloaded: u64,
    /// What of them counts against the ratio: all but what was freeleech.
    charged: u64,
    /// What counts as uploaded besides, such as the starter credit.
    credit: u64,
    /// Uploaded and credit by charged, with two decimals; nothing before the first download.
    ratio: Option<String>,
    /// Seconds as a seeder.
    seeded: u64,
    /// Seconds as a leecher.
    leeched: u64,
    /// Torrents that they uploaded and who asks may see, counted up to 1000.
    uploads: i64,
    /// Torrents completed.
    snatches: i64,
    /// Hit-and-runs that are open.
    hit_and_runs: u32,
    /// Torrents that they seed just now.
    seeding: u32,
    /// Torrents that they download just now.
    leeching: u32,
}

/// Who asks, and by which key.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Me {
    #[serde(flatten)]
    member: Member,
    /// Whether sign-ins ask for more than the password; a key is asked for nothing more.
    second_factor: bool,
    /// What the role lets them do.
    permissions: Vec<String>,
    /// What the key is called.
    key: String,
    /// What the key may do, as far as the member may.
    scopes: Vec<String>,
}

pub(super) async fn shown(app: &App, caller: &Caller, profile: Profile) -> Result<Member, Problem> {
    let totals = traffic::totals(&app.reads, profile.id).await?;
    let swarm = app.swarms.of_member(profile.id);
    let uploads = list::count(&app.reads, profile.id, torrents::eyes(caller)).await?;
    Ok(Member {
        id: profile.id.0,
        name: profile.name,
        role: profile.role.name().to_owned(),
        roles: profile.roles.into_iter().map(|role| role.name).collect(),
        joined: profile.joined,
        figures: Figures {
            uploaded: totals.uploaded.0,
            downloaded: totals.downloaded.0,
            charged: totals.charged.0,
            credit: totals.credit.0,
            ratio: ratio(totals.ratio()),
            seeded: totals.seeded.0,
            leeched: totals.leeched.0,
            uploads,
            snatches: totals.snatches,
            hit_and_runs: totals.marks,
            seeding: swarm.seeders,
            leeching: swarm.leechers,
        },
    })
}

/// Gives who asks, their figures, and what the key may do.
#[utoipa::path(
    get, path = "/api/v1/me", tag = "members",
    responses((status = 200, description = "The key's member", body = Me))
)]
async fn me(State(app): State<App>, caller: Caller) -> Result<Json<Me>, Problem> {
    let permissions = caller.profile.permissions();
    let member = shown(&app, &caller, caller.profile.clone()).await?;
    Ok(Json(Me {
        second_factor: caller.profile.second_factor,
        permissions: permissions
            .iter()
            .map(|one| one.name().to_owned())
            .collect(),
        key: caller.key.label,
        scopes: caller
            .key
            .scopes
            .iter()
            .map(|scope| scope.name().to_owned())
            .collect(),
        member,
    }))
}

/// One run of a client.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Run)]
pub(crate) struct Credited {
    torrent: Uuid,
    name: String,
    /// Which client, by keyed hash.
    client: String,
    /// Which run of the client.
    run: i32,
    /// Bytes credited as uploaded.
    uploaded: u64,
    /// Bytes credited as downloaded.
    downloaded: u64,
    /// What of them counts against the ratio.
    charged: u64,
    /// Bytes that the client still wanted at last.
    left: u64,
    /// Seconds as a seeder.
    seeded: u64,
    /// Seconds as a leecher.
    leeched: u64,
    /// Whether the download was completed in this run.
    completed: bool,
    #[serde(with = "time::serde::rfc3339")]
    first_at: OffsetDateTime,
    #[serde(with = "time::serde::rfc3339")]
    last_at: OffsetDateTime,
}

fn run(line: Line) -> Credited {
    Credited {
        torrent: line.torrent.0,
        name: line.name,
        client: line.client,
        run: line.run,
        uploaded: line.uploaded.0,
        downloaded: line.downloaded.0,
        charged: line.charged.0,
        left: line.left.0,
        seeded: line.seeded.0,
        leeched: line.leeched.0,
        completed: line.completed,
        first_at: line.first_at,
        last_at: line.last_at,
    }
}

/// Which torrent's runs.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Of {
    /// A torrent; all of them without.
    torrent: Option<Uuid>,
}

/// Gives the member's own ledger: each credited run, the latest first.
#[utoipa::path(
    get, path = "/api/v1/ledger", tag = "members", params(Of, Paged),
    responses((status = 200, description = "A page of runs", body = Listed<Credited>))
)]
async fn ledger(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Asked(paged): Asked<Paged>,
    Asked(of): Asked<Of>,
) -> Result<Json<Listed<Credited>>, Problem> {
    let (from, limit) = (paged.cursor(), paged.limit()?);
    let member = caller.profile.id;
    let torrent = of.torrent.map(TorrentId);
    let lines = traffic::ledger(&app.reads, member, torrent, from.as_ref(), limit).await?;
    Ok(Json(Listed::of(&uri, lines, run)))
}

/// Gives a member's profile.
#[utoipa::path(
    get, path = "/api/v1/members/{name}", tag = "members",
    params(("name" = String, Path, description = "The member's name, whatever its case")),
    responses((status = 200, description = "The profile", body = Member))
)]
async fn member(
    State(app): State<App>,
    caller: Caller,
    Named(name): Named<String>,
) -> Result<Json<Member>, Problem> {
    let profile = named(&app, &name).await?;
    Ok(Json(shown(&app, &caller, profile).await?))
}

/// A role by its name.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wanted {
    /// Such as `moderator`.
    role: String,
}

/// Gives a member another role; not oneself.
#[utoipa::path(
    put, path = "/api/v1/members/{name}/role", tag = "members", request_body = Wanted,
    params(("name" = String, Path, description = "The member's name, whatever its case")),
    responses((status = 200, description = "The profile as it is now", body = Member))
)]
async fn assign_role(
    State(app): State<App>,
    caller: Caller,
    Named(name): Named<String>,
    Body(wanted): Body<Wanted>,
) -> Result<Json<Member>, Problem> {
    let role = Role::named(&wanted.role)
        .ok_or_else(|| Problem::field("role", "There is no such role."))?;
    let profile = named(&app, &name).await?;
    let by = Actor::Member(caller.profile.id);
    let done = app.commands.assign_role(by, profile.id, role).await?;
    app.reads.wait_for(done.position).await;
    let profile = named(&app, &name).await?;
    Ok(Json(shown(&app, &caller, profile).await?))
}
