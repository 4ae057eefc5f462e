//! Feeds for readers and tools: RSS 2.0 of the latest, of a category, of a search and of bookmarks, and
//! [`torznab`]. Who asks shows a feed key in place of a session; the keys are [`key`]'s.

use axum::extract::{Path, Query, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use domain::feed_key::FeedKey;
use domain::id::{MemberId, TorrentId};
use projections::torrent::list::{self, Row, Wanted};
use projections::user::Profile;
use serde::Deserialize;
use time::OffsetDateTime;

use super::torrent::personal;
use super::torrents::Asked;
use crate::app::App;
use crate::limit::Credential;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::sign_in::second_factor;

pub(crate) mod key;
mod torznab;
mod xml;

use xml::{Channel, channel};

/// The rows of a feed, where nothing else is asked for.
const ROWS: i64 = 50;
/// The most rows of a feed.
const MOST_ROWS: i64 = 100;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/rss/latest", Who::Anyone, latest)
        .get("/rss/category/{slug}", Who::Anyone, category)
        .get("/rss/search", Who::Anyone, search)
        .get("/rss/bookmarks", Who::Anyone, bookmarks)
        .get("/rss/download/{id}", Who::Anyone, download)
        .merge(torznab::routes())
        .merge(key::routes())
}

/// What every feed's address holds.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Shows {
    key: String,
    limit: String,
}

impl Shows {
    /// Reads how many rows are wanted.
    fn limit(&self) -> Result<i64, Problem> {
        limit(&self.limit).ok_or_else(|| Problem::invalid("A feed has a limit from 1 to 100."))
    }
}

fn limit(text: &str) -> Option<i64> {
    match text {
        "" => Some(ROWS),
        text => {
            let limit = text.parse().ok();
            limit.filter(|limit| (1..=MOST_ROWS).contains(limit))
        }
    }
}

/// Who a feed key is of.
struct Reader {
    member: MemberId,
    key: FeedKey,
}

/// Finds whose key it is; a member who is shut out has no feeds, nor has staff without the second factor that
/// it needs.
async fn reader(app: &App, key: &str) -> Result<Option<Reader>, Problem> {
    let Ok(key) = FeedKey::parse(key) else {
        return Ok(None);
    };
    let Some(member) = app.commands.with_feed_key(&key).await? else {
        return Ok(None);
    };
    let profile = projections::user::profile(&app.reads, member).await?;
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let may =
        |profile: &Profile| !profile.is_banned(now) && !second_factor::is_missing(app, profile);
    let profile = profile.filter(may);
    if let Some(profile) = &profile {
        let shown = Credential::shown(key.reveal());
        app.shield.recognise(shown, profile);
    }
    Ok(profile.map(|_| Reader { member, key }))
}

async fn required(app: &App, key: &str) -> Result<Reader, Problem> {
    let unknown = || {
        Problem::new(
            StatusCode::UNAUTHORIZED,
            "feed-key",
            "This feed key isn't known",
            "Copy the address of the feed anew from your settings.",
        )
    };
    reader(app, key).await?.ok_or_else(unknown)
}

async fn latest(State(app): State<App>, Query(shows): Query<Shows>) -> Result<Response, Problem> {
    let reader = required(&app, &shows.key).await?;
    let wanted = Wanted {
        limit: shows.limit()?,
        ..Wanted::default()
    };
    rss(&app, &reader, "the latest", &wanted).await
}

async fn category(
    State(app): State<App>,
    Path(slug): Path<String>,
    Query(shows): Query<Shows>,
) -> Result<Response, Problem> {
    let reader = required(&app, &shows.key).await?;
    let tree = projections::category::tree(&app.reads).await?;
    let shelf = tree.iter().find(|one| one.slug == slug);
    let shelf = shelf.ok_or_else(Problem::not_found)?;
    let wanted = Wanted {
        categories: vec![shelf.id],
        limit: shows.limit()?,
        ..Wanted::default()
    };
    rss(&app, &reader, &shelf.name, &wanted).await
}

async fn search(
    State(app): State<App>,
    Query(shows): Query<Shows>,
    Query(asked): Query<Asked>,
) -> Result<Response, Problem> {
    let reader = required(&app, &shows.key).await?;
    let tree = projections::category::tree(&app.reads).await?;
    let read = asked.read(&app, &tree).await?;
    if let Some(wrong) = read.wrong.first() {
        return Err(Problem::invalid(wrong));
    }
    let wanted = Wanted {
        limit: shows.limit()?,
        // A reader wants what is new first, however well it fits.
        sort: list::Sort::default(),
        from: None,
        ..read.wanted
    };
    rss(&app, &reader, "a search", &wanted).await
}

async fn bookmarks(
    State(app): State<App>,
    Query(shows): Query<Shows>,
) -> Result<Response, Problem> {
    let reader = required(&app, &shows.key).await?;
    let wanted = Wanted {
        bookmarked_by: Some(reader.member),
        limit: shows.limit()?,
        ..Wanted::default()
    };
    rss(&app, &reader, "your bookmarks", &wanted).await
}

/// Answers with a feed of what is wanted; what waits for approval is in none.
async fn rss(app: &App, reader: &Reader, of: &str, wanted: &Wanted) -> Result<Response, Problem> {
    let rows = list::list(&app.reads, wanted, app.swarms.as_ref()).await?;
    let text = channel(&Channel {
        title: &format!("{}: {of}", app.site.name()),
        origin: app.site.origin(),
        key: reader.key.reveal(),
        rows: &rows.rows,
        all_free: is_all_free(app),
        category: &|_| None,
        response: None,
    });
    Ok(xml(
        StatusCode::OK,
        "application/rss+xml; charset=utf-8",
        text,
    ))
}

/// Tells whether no download is charged anywhere just now.
fn is_all_free(app: &App) -> bool {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let everywhere = app.site.live.get().freeleech;
    everywhere.is_some_and(|freeleech| freeleech.holds(now))
}

fn xml(status: StatusCode, kind: &'static str, text: String) -> Response {
    let kind = HeaderValue::from_static(kind);
    (status, [(header::CONTENT_TYPE, kind)], text).into_response()
}

/// Gives the member's own .torrent file to who shows their feed key.
async fn download(
    State(app): State<App>,
    Path(id): Path<String>,
    Query(shows): Query<Shows>,
) -> Result<Response, Problem> {
    let reader = required(&app, &shows.key).await?;
    let id: TorrentId = id.parse().map_err(|_| Problem::not_found())?;
    personal(&app, reader.member, id).await
}

/// The address of a torrent's page.
fn page_of(origin: &str, row: &Row) -> String {
    format!("{origin}/torrents/{}", row.id)
}
