//! How much happened when, and what goes on just now.

use axum::Json;
use axum::extract::State;
use domain::Permission;
use domain::api_key::Scope;
use projections::statistic::{Range, Tally, room};
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;

use super::Asked;
use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::Asks as _;
use crate::web::statistic::read;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new().api(Who::Key(Scope::Read, None), statistics, __path_statistics)
}

/// How far back is looked, and in which steps.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = StatisticRange)]
pub(crate) enum Spans {
    /// Two days by hours.
    Hour,
    /// A month by days.
    #[default]
    Day,
    /// Half a year by weeks.
    Week,
    /// A year by months.
    Month,
    /// A year by days.
    Year,
}

impl From<Spans> for Range {
    fn from(spans: Spans) -> Self {
        match spans {
            Spans::Hour => Self::Hour,
            Spans::Day => Self::Day,
            Spans::Week => Self::Week,
            Spans::Month => Self::Month,
            Spans::Year => Self::Year,
        }
    }
}

/// Which range.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Wanted {
    /// How far back; `day` without.
    #[param(inline, required = false)]
    range: Spans,
}

/// How much happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Tally)]
pub(crate) struct Happened {
    /// Members who joined.
    members: i64,
    /// Torrents that were added.
    torrents: i64,
    /// Posts in the forum.
    posts: i64,
    /// Comments on torrents.
    comments: i64,
    /// Downloads that were completed.
    completed: i64,
    /// Bytes credited as uploaded.
    uploaded: u64,
    /// Bytes credited as downloaded.
    downloaded: u64,
}

impl From<Tally> for Happened {
    fn from(tally: Tally) -> Self {
        Self {
            members: tally.members,
            torrents: tally.torrents,
            posts: tally.posts,
            comments: tally.comments,
            completed: tally.snatches,
            uploaded: tally.uploaded.0,
            downloaded: tally.downloaded.0,
        }
    }
}

/// How much happened in a step of a range.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Step {
    /// When it begins.
    #[serde(with = "time::serde::rfc3339")]
    at: OffsetDateTime,
    #[serde(flatten)]
    happened: Happened,
}

/// The site's statistics.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Statistics {
    /// In all.
    totals: Happened,
    /// The steps of the range, the latest last.
    steps: Vec<Step>,
    /// Torrents with a peer just now.
    swarms: usize,
    /// Peers just now with nothing left to download.
    seeders: u64,
    /// Peers just now that still download.
    leechers: u64,
    /// How much room the database takes just now; told to who administers the site, by a key that reaches so far.
    #[serde(skip_serializing_if = "Option::is_none")]
    database: Option<Taken>,
}

/// How much room the database takes, with indexes.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Database)]
pub(crate) struct Taken {
    /// Bytes of the log and what belongs to it.
    log: u64,
    /// Bytes of the read tables, which are made of the log again.
    read: u64,
}

impl Taken {
    async fn now(app: &App) -> Result<Self, Problem> {
        let room = room(&app.reads).await?;
        Ok(Self {
            log: room.log.0,
            read: room.read.0,
        })
    }
}

/// Gives how much happened in a range and in all, and what goes on just now.
#[utoipa::path(
    get, path = "/api/v1/statistics", tag = "site", params(Wanted),
    responses((status = 200, description = "The statistics", body = Statistics))
)]
async fn statistics(
    State(app): State<App>,
    caller: Caller,
    Asked(wanted): Asked<Wanted>,
) -> Result<Json<Statistics>, Problem> {
    let database = if caller.may(Permission::Administer) {
        Some(Taken::now(&app).await?)
    } else {
        None
    };
    let shown = read(&app, wanted.range.into()).await?;
    let step = |(at, tally): (OffsetDateTime, Tally)| Step {
        at,
        happened: tally.into(),
    };
    Ok(Json(Statistics {
        totals: shown.totals.into(),
        steps: shown.series.into_iter().map(step).collect(),
        swarms: shown.live.swarms,
        seeders: shown.live.seeders,
        leechers: shown.live.leechers,
        database,
    }))
}
