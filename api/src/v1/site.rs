//! The site: its name, who may join, what every member is told, freeleech.

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, State};
use axum::handler::Handler as _;
use domain::Permission;
use domain::api_key::Scope;
use domain::site::{Command, Registration, Rejection};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::Body;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::web::staff::logo::{self, LARGEST};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let change = Who::Key(Scope::Administer, Some(Permission::Settings));
    Routes::new()
        .api(Who::Key(Scope::Read, None), site, __path_site)
        .api(change, set_registration, __path_set_registration)
        .api(change, announce, __path_announce)
        .api(
            change,
            set_logo.layer(DefaultBodyLimit::max(LARGEST + 1)),
            __path_set_logo,
        )
        .api(change, remove_logo, __path_remove_logo)
        .api(change, begin_freeleech, __path_begin_freeleech)
        .api(change, end_freeleech, __path_end_freeleech)
}

/// The site as members see it.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Site {
    name: String,
    /// `open`, `invite` or `closed`.
    registration: String,
    /// What every member is told, in markdown.
    announcement: String,
    /// The address of its logo, where there is one.
    logo: Option<String>,
    /// While downloads aren't charged anywhere.
    freeleech: Option<Freeleech>,
}

/// A time in which downloads aren't charged.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Freeleech {
    /// Its end, where one is set.
    #[serde(default, with = "time::serde::rfc3339::option")]
    #[schema(required = false)]
    until: Option<OffsetDateTime>,
}

async fn shown(app: &App) -> Result<Json<Site>, Problem> {
    let settings = projections::site::settings(&app.reads).await?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let holds = settings.freeleech.filter(|freeleech| freeleech.holds(now));
    let instant = |at| OffsetDateTime::from_unix_timestamp(at).ok();
    Ok(Json(Site {
        name: app.site.name(),
        registration: settings.registration.name().to_owned(),
        announcement: settings.announcement.clone(),
        logo: settings.logo.as_deref().map(logo::url),
        freeleech: holds.map(|freeleech| Freeleech {
            until: freeleech.until.and_then(instant),
        }),
    }))
}

/// Gives the site's name, who may join, what every member is told, and freeleech.
#[utoipa::path(
    get, path = "/api/v1/site", tag = "site",
    responses((status = 200, description = "The site", body = Site))
)]
async fn site(State(app): State<App>) -> Result<Json<Site>, Problem> {
    shown(&app).await
}

async fn change(
    app: &App,
    caller: &Caller,
    field: &str,
    command: Command,
) -> Result<Json<Site>, Problem> {
    use commands::Refusal;
    let changed = app.commands.set_site(caller.profile.id, command).await;
    let done = changed.map_err(|refusal| match refusal {
        Refusal::Rejected(Rejection::Setting { key, reason }) => {
            Problem::field(key.name(), &sentence(&reason))
        }
        Refusal::Rejected(rejection) => Problem::field(field, &sentence(&rejection)),
        Refusal::Forbidden
        | Refusal::NotFound
        | Refusal::Taken { .. }
        | Refusal::Conflict
        | Refusal::Unavailable(_) => refusal.into(),
    })?;
    app.reads.wait_for(done.position).await;
    shown(app).await
}

/// Whether strangers may register.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Joining {
    /// `open`, `invite` or `closed`.
    registration: String,
}

/// Lets strangers register, with an invite alone, or no longer.
#[utoipa::path(
    put, path = "/api/v1/site/registration", tag = "site", request_body = Joining,
    responses((status = 200, description = "The site as it is now", body = Site))
)]
async fn set_registration(
    State(app): State<App>,
    caller: Caller,
    Body(joining): Body<Joining>,
) -> Result<Json<Site>, Problem> {
    let wanted = Registration::named(&joining.registration)
        .ok_or_else(|| Problem::field("registration", "Registration is open, invite or closed."))?;
    let command = Command::SetRegistration(wanted);
    change(&app, &caller, "registration", command).await
}

/// What every member is told.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Announcement {
    /// Markdown; empty for nothing.
    #[schema(max_length = 5000)]
    text: String,
}

/// Tells every member something above each page.
#[utoipa::path(
    put, path = "/api/v1/site/announcement", tag = "site", request_body = Announcement,
    responses((status = 200, description = "The site as it is now", body = Site))
)]
async fn announce(
    State(app): State<App>,
    caller: Caller,
    Body(announcement): Body<Announcement>,
) -> Result<Json<Site>, Problem> {
    let command = Command::Announce(announcement.text.trim().to_owned());
    change(&app, &caller, "text", command).await
}

/// Shows a picture in the place of the mark: PNG, JPEG or WebP of at most 2 MiB, as it is.
#[utoipa::path(
    put, path = "/api/v1/site/logo", tag = "site",
    request_body(content = Vec<u8>, content_type = "application/octet-stream"),
    responses((status = 200, description = "The site as it is now", body = Site))
)]
async fn set_logo(
    State(app): State<App>,
    caller: Caller,
    picture: Result<Bytes, BytesRejection>,
) -> Result<Json<Site>, Problem> {
    let picture = picture.map_err(|_| Problem::field("logo", "A logo has at most 2 MiB."))?;
    let command = Command::SetLogo(logo::shrunk(picture.into()).await?);
    change(&app, &caller, "logo", command).await
}

/// Shows the mark again.
#[utoipa::path(
    delete, path = "/api/v1/site/logo", tag = "site",
    responses((status = 200, description = "The site as it is now", body = Site))
)]
async fn remove_logo(State(app): State<App>, caller: Caller) -> Result<Json<Site>, Problem> {
    change(&app, &caller, "logo", Command::RemoveLogo).await
}

/// Charges no download on the whole site, till an end or until somebody ends it.
#[utoipa::path(
    put, path = "/api/v1/site/freeleech", tag = "site", request_body = Freeleech,
    responses((status = 200, description = "The site as it is now", body = Site))
)]
async fn begin_freeleech(
    State(app): State<App>,
    caller: Caller,
    Body(freeleech): Body<Freeleech>,
) -> Result<Json<Site>, Problem> {
    let command = Command::BeginFreeleech {
        until: freeleech.until.map(OffsetDateTime::unix_timestamp),
        now: OffsetDateTime::now_utc().unix_timestamp(),
    };
    change(&app, &caller, "until", command).await
}

/// Charges downloads again.
#[utoipa::path(
    delete, path = "/api/v1/site/freeleech", tag = "site",
    responses((status = 200, description = "The site as it is now", body = Site))
)]
async fn end_freeleech(State(app): State<App>, caller: Caller) -> Result<Json<Site>, Problem> {
    change(&app, &caller, "until", Command::EndFreeleech).await
}
