//! Torrents: the list and the search, one torrent, upload, download, and what becomes of it.

use axum::Json;
use axum::extract::multipart::MultipartRejection;
use axum::extract::{DefaultBodyLimit, Multipart, State};
use axum::handler::Handler as _;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse as _, Response};
use commands::{Done, Refusal};
use domain::api_key::Scope;
use domain::id::{TagId, TorrentId};
use domain::metainfo::Info;
use domain::torrent::{Edit, Rejection, Review};
use domain::user::Name;
use projections::page::Cursor;
use projections::tag::Tag;
use projections::torrent::list::{self, Row, Wanted};
use projections::{category, torrent, user};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use uuid::Uuid;

use super::{Asked, Body, Listed, Named, limited};
use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::web::torrent::{MOST_FILES, may_change, personal, read_id, visible};
use crate::web::{torrents, upload};

mod refused;
mod withdrawal;

use refused::{no_category, refusal, rejected};
use withdrawal::{Why, Withdrawal};

/// The largest body that holds a description alone.
const LARGEST_TEXT: usize = 1024 * 1024;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    let (read, write) = (Who::Key(Scope::Read, None), Who::Key(Scope::Upload, None));
    let largest = DefaultBodyLimit::max(upload::LARGEST_BODY);
    let text = DefaultBodyLimit::max(LARGEST_TEXT);
    Routes::new()
        .api(read, torrents, __path_torrents)
        .api(write, offer.layer(largest), __path_offer)
        .api(read, one, __path_one)
        .api(read, download, __path_download)
        .api(write, edit.layer(text), __path_edit)
        .api(write, withdraw, __path_withdraw)
        .api(write, restore, __path_restore)
}

/// Which torrents, and in which order.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Filter {
    /// Words of the name, the tags, the files or the description.
    #[param(required = false)]
    q: String,
    /// A category's slug; those below it are among it.
    #[param(required = false)]
    category: String,
    /// The name of who uploaded it.
    #[param(required = false)]
    uploader: String,
    /// `name`, `size`, `added`, `seeders`, `leechers` or `snatches`; without one the best fit or the newest first.
    #[param(required = false)]
    sort: String,
    /// `asc` for the smallest first.
    #[param(required = false)]
    dir: String,
    /// Where the page begins, as `next` said.
    #[param(required = false)]
    from: String,
    /// The most rows: 1 to 100, or 50.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

/// A torrent in the list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Torrent {
    id: Uuid,
    name: String,
    /// The category's slug.
    category: String,
    /// Who uploaded it.
    uploader: String,
    #[serde(with = "time::serde::rfc3339")]
    uploaded_at: OffsetDateTime,
    /// Bytes of all files.
    size: u64,
    /// How many files it has.
    files: i32,
    /// How many members completed it.
    snatches: i64,
    /// Peers with everything, just now.
    seeders: u32,
    /// Peers that still download, just now.
    leechers: u32,
    /// The names of what it is marked with.
    tags: Vec<String>,
    /// `approved`, or `waiting`, `changes` or `rejected` where its uploader and the staff alone see it.
    state: &'static str,
}

fn state(review: Option<&Review>) -> &'static str {
    review.map_or("approved", Review::name)
}

fn names(tags: Vec<Tag>) -> Vec<String> {
    tags.into_iter().map(|tag| tag.name).collect()
}

fn row(row: Row) -> Torrent {
    Torrent {
        id: row.id.0,
        name: row.name,
        category: row.category,
        uploader: row.uploader_name,
        uploaded_at: row.uploaded_at,
        size: row.size.0,
        files: row.files,
        snatches: row.snatches,
        seeders: row.swarm.seeders,
        leechers: row.swarm.leechers,
        tags: names(row.tags),
        state: state(row.review.as_ref()),
    }
}

/// Lists and searches torrents, as the page does.
#[utoipa::path(
    get, path = "/api/v1/torrents", tag = "torrents", params(Filter),
    responses((status = 200, description = "A page of torrents", body = Listed<Torrent>))
)]
async fn torrents(
    State(app): State<App>,
    caller: Caller,
    uri: Uri,
    Asked(filter): Asked<Filter>,
) -> Result<Json<Listed<Torrent>>, Problem> {
    let nothing = || {
        Ok(Json(Listed {
            rows: vec![],
            next: None,
        }))
    };
    let tree = category::tree(&app.reads).await?;
    let category = tree.iter().find(|one| one.slug == filter.category);
    if category.is_none() && !filter.category.is_empty() {
        return nothing();
    }
    let uploader = match (filter.uploader.as_str(), Name::parse(&filter.uploader)) {
        ("", _) => None,
        (_, Ok(name)) => match user::named(&app.reads, &name).await? {
            Some(member) => Some(member.id),
            None => return nothing(),
        },
        (_, Err(_)) => return nothing(),
    };
    let wanted = Wanted {
        sort: torrents::sort(&filter.q, &filter.sort, &filter.dir),
        words: Some(filter.q).filter(|words| !words.trim().is_empty()),
        categories: category.map(|one| one.id).into_iter().collect(),
        uploader,
        eyes: torrents::eyes(&caller),
        from: Some(Cursor(filter.from)).filter(|cursor| !cursor.0.is_empty()),
        limit: limited(filter.limit)?,
        ..Wanted::default()
    };
    let rows = list::list(&app.reads, &wanted, app.swarms.as_ref()).await?;
    Ok(Json(Listed::of(&uri, rows, row)))
}

/// One torrent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Whole {
    #[serde(flatten)]
    torrent: Torrent,
    /// The description in markdown, as written.
    description: String,
    /// Bytes in one piece.
    piece_length: u64,
    /// SHA-1 of the info dictionary, hex.
    info_hash: String,
    /// SHA-256 of the info dictionary of a hybrid, hex.
    info_hash_v2: Option<String>,
    /// Whether it is no longer offered.
    withdrawn: bool,
    /// Who withdrew it and why, where it is no longer offered.
    withdrawal: Option<Withdrawal>,
    /// Why the staff rejected it, or what should change.
    reason: Option<String>,
    /// At most two thousand of its files, in the order of its info dictionary.
    listed_files: Vec<File>,
}

/// A file of a torrent.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct File {
    /// The way to it, joined by `/`.
    path: String,
    /// Its bytes.
    size: u64,
}

async fn whole(app: &App, caller: &Caller, id: TorrentId) -> Result<Whole, Problem> {
    let detail = visible(app, caller, id).await?;
    let files = torrent::files(&app.reads, id, MOST_FILES).await?;
    let tree = category::tree(&app.reads).await?;
    let category = tree.iter().find(|one| one.id == detail.category);
    let swarm = app.swarms.count(id);
    Ok(Whole {
        torrent: Torrent {
            id: detail.id.0,
            name: detail.name,
            category: category.map(|one| one.slug.clone()).unwrap_or_default(),
            uploader: detail.uploader_name,
            uploaded_at: detail.uploaded_at,
            size: detail.size.0,
            files: detail.files,
            snatches: detail.snatches,
            seeders: swarm.seeders,
            leechers: swarm.leechers,
            tags: names(detail.tags),
            state: state(detail.review.as_ref()),
        },
        reason: detail
            .review
            .as_ref()
            .and_then(Review::reason)
            .map(str::to_owned),
        description: detail.description,
        piece_length: detail.piece_length.0,
        info_hash: detail.info_hash,
        info_hash_v2: detail.info_hash_v2,
        withdrawn: detail.withdrawn.is_some(),
        withdrawal: detail.withdrawn.map(Withdrawal::from),
        listed_files: files
            .into_iter()
            .map(|file| File {
                path: file.path,
                size: file.size.0,
            })
            .collect(),
    })
}

/// Gives one torrent with its files.
#[utoipa::path(
    get, path = "/api/v1/torrents/{id}", tag = "torrents",
    params(("id" = Uuid, Path, description = "The torrent")),
    responses((status = 200, description = "The torrent", body = Whole))
)]
async fn one(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<Whole>, Problem> {
    Ok(Json(whole(&app, &caller, read_id(&id)?).await?))
}

/// Gives the .torrent file with the member's own announce URL.
#[utoipa::path(
    get, path = "/api/v1/torrents/{id}/download", tag = "torrents",
    params(("id" = Uuid, Path, description = "The torrent")),
    responses((status = 200, description = "The file", body = Vec<u8>, content_type = "application/x-bittorrent"))
)]
async fn download(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Response, Problem> {
    personal(&app, caller.profile.id, read_id(&id)?).await
}

/// What is uploaded.
#[derive(Debug, ToSchema)]
#[expect(dead_code, reason = "it describes a form that is read field by field")]
pub(crate) struct Form {
    /// The .torrent file, of at most 10 MiB.
    #[schema(value_type = String, format = Binary, content_media_type = "application/octet-stream")]
    torrent: Vec<u8>,
    /// The category's slug.
    category: String,
    /// Markdown.
    #[schema(max_length = 50000, required = false)]
    description: String,
    /// The ids of at most ten tags, joined by commas.
    #[schema(required = false)]
    tags: String,
}

/// What came of an upload.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Offered {
    torrent: Whole,
    /// Whether the info dictionary had to be changed: seed the file that `download` gives then.
    info_hash_changed: bool,
    /// The path of the .torrent file with the member's own announce URL.
    download: String,
}

/// Uploads a torrent.
#[utoipa::path(
    post, path = "/api/v1/torrents", tag = "torrents",
    request_body(content = Form, content_type = "multipart/form-data"),
    responses(
        (status = 201, description = "It is here", body = Offered),
        (status = 409, description = "It was here already; `Location` is where"),
    )
)]
async fn offer(
    State(app): State<App>,
    caller: Caller,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Response, Problem> {
    let form = form.map_err(|rejection| Problem {
        status: StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ..Problem::invalid(&rejection.body_text())
    })?;
    let sent = upload::read(form).await?;
    match upload::offer(&app, caller.profile.id, &sent).await {
        Ok((id, info)) => {
            let path = format!("/api/v1/torrents/{id}");
            let offered = Offered {
                torrent: whole(&app, &caller, id).await?,
                info_hash_changed: info == Info::Changed,
                download: format!("{path}/download"),
            };
            let location = [(header::LOCATION, path)];
            Ok((StatusCode::CREATED, location, Json(offered)).into_response())
        }
        Err(refused) => Ok(refusal(refused)),
    }
}

/// What a torrent's page should say; what isn't named stays.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Said {
    /// The category's slug.
    category: Option<String>,
    /// Markdown.
    #[schema(max_length = 50000)]
    description: Option<String>,
    /// The ids of at most ten tags.
    #[schema(max_items = 10)]
    tags: Option<Vec<Uuid>>,
}

/// Changes what a torrent's page says; others' torrents under the scope `moderate` besides.
#[utoipa::path(
    patch, path = "/api/v1/torrents/{id}", tag = "torrents", request_body = Said,
    params(("id" = Uuid, Path, description = "The torrent")),
    responses((status = 200, description = "The torrent as it is now", body = Whole))
)]
async fn edit(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
    Body(said): Body<Said>,
) -> Result<Json<Whole>, Problem> {
    let id = read_id(&id)?;
    let detail = changeable(&app, &caller, id).await?;
    let category = match said.category {
        None => detail.category,
        Some(slug) => {
            let tree = category::tree(&app.reads).await?;
            let found = tree.iter().find(|one| one.slug == slug);
            found.ok_or_else(no_category)?.id
        }
    };
    let edit = Edit {
        category,
        description: said.description.unwrap_or(detail.description),
        tags: match said.tags {
            Some(tags) => tags.into_iter().map(TagId).collect(),
            None => detail.tags.iter().map(|tag| tag.id).collect(),
        },
    };
    let edited = app.commands.edit(caller.profile.id, id, edit).await;
    settled(&app, &caller, edited).await
}

/// Gives a torrent that the key may change.
pub(super) async fn changeable(
    app: &App,
    caller: &Caller,
    id: TorrentId,
) -> Result<torrent::Detail, Problem> {
    let detail = visible(app, caller, id).await?;
    if may_change(caller, &detail) {
        return Ok(detail);
    }
    caller.require(Scope::Moderate, Some(domain::Permission::Torrents))?;
    Ok(detail)
}

/// Waits for a change and gives the torrent as it is now.
pub(super) async fn settled(
    app: &App,
    caller: &Caller,
    changed: Result<Done<TorrentId>, Refusal<Rejection>>,
) -> Result<Json<Whole>, Problem> {
    let done = match changed {
        Err(Refusal::Rejected(rejection)) => return Err(rejected(rejection)),
        changed => changed?,
    };
    app.reads.wait_for(done.position).await;
    Ok(Json(whole(app, caller, done.of).await?))
}

/// Offers a torrent no longer; others' torrents under the scope `moderate` besides.
#[utoipa::path(
    post, path = "/api/v1/torrents/{id}/withdraw", tag = "torrents", request_body = Why,
    params(("id" = Uuid, Path, description = "The torrent")),
    responses((status = 200, description = "The torrent as it is now", body = Whole))
)]
async fn withdraw(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
    Body(why): Body<Why>,
) -> Result<Json<Whole>, Problem> {
    let id = read_id(&id)?;
    let reason = why.said()?;
    changeable(&app, &caller, id).await?;
    let by = caller.profile.id;
    let withdrawn = app.commands.withdraw(by, id, reason).await;
    settled(&app, &caller, withdrawn).await
}

/// Offers a withdrawn torrent again; others' torrents under the scope `moderate` besides.
#[utoipa::path(
    post, path = "/api/v1/torrents/{id}/restore", tag = "torrents",
    params(("id" = Uuid, Path, description = "The torrent")),
    responses(
        (status = 200, description = "The torrent as it is now", body = Whole),
        (status = 422, description = "It is offered, or the staff withdrew it"),
    )
)]
async fn restore(
    State(app): State<App>,
    caller: Caller,
    Named(id): Named<String>,
) -> Result<Json<Whole>, Problem> {
    let id = read_id(&id)?;
    changeable(&app, &caller, id).await?;
    let restored = app.commands.restore(caller.profile.id, id).await;
    settled(&app, &caller, restored).await
}
