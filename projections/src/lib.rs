//! Read models: one file per question, with its rows, its fold and its query together.
//!
//! A [`Projection`] follows the feed and writes its tables, nobody else does. The tables are
//! UNLOGGED: they hold nothing that a replay can't bring back. [`runner`] applies a batch and moves
//! the checkpoint in one transaction. [`Reads`] is the one handle that the edges hold.
//!
//! To add a question: a file here with an `impl Projection`, its tables in `migrations/read`, and a
//! line in [`all`].

use std::sync::Arc;
use std::time::Duration;

use domain::id::MemberId;
use domain::{Keyed, Position};
use sqlx::{PgPool, Postgres, Transaction};
use tokio::sync::watch;

pub mod feed;
pub mod fold;
pub mod history;
mod kept;
pub mod page;
pub mod progress;
pub mod proof;
pub mod rebuild;
pub mod runner;
pub mod sealed;
pub mod swarm;

pub mod access;
pub mod api_key;
pub mod backup;
pub mod bookmark;
pub mod category;
pub mod comment;
pub mod invite;
pub mod notification;
pub mod reading;
pub mod report;
pub mod role;
pub mod section;
pub mod site;
pub mod statistic;
pub mod tag;
pub mod topic;
pub mod torrent;
pub mod traffic;
pub mod transfer;
pub mod user;
pub mod viewer;

pub use fold::Fold;

use kept::Kept;

/// The schema in which the living read tables stand.
pub const SCHEMA: &str = "read";

/// A fold of the feed into tables of its own.
pub trait Projection: Send + Sync + std::fmt::Debug {
    /// Its name for ever, such as `torrent`.
    fn name(&self) -> &'static str;

    /// Grows whenever its tables or its fold change; a living older version is rebuilt.
    fn version(&self) -> i32;

    /// The statements that make its tables, without a schema; what stands behind [`INDEXES`] is
    /// left till last where many rows come first.
    fn tables(&self) -> &'static str;

    /// The statements that fill its empty tables with what stands in the clear beside the sealed log,
    /// and "[ENCRYPTED]".
    fn sealed(&self) -> &'static str;

    /// The names of its tables.
    fn table_names(&self) -> &'static [&'static str];

    /// The stream types that it listens to.
    fn streams(&self) -> &'static [&'static str];

    /// Begins a fold of events; the tables are found by the connection's search path.
    fn fold(&self) -> Box<dyn Fold>;
}

/// The line behind which a projection's tables get their keys and indexes.
pub const INDEXES: &str = "-- Keys and indexes.\n";

/// Why a batch wasn't applied.
#[derive(Debug, thiserror::Error)]
pub enum NotApplied {
    /// The database can't be reached; trying again is right.
    #[error("the read tables can't be written")]
    Database(#[from] sqlx::Error),
    /// The projection is being rebuilt already, here or on another node.
    #[error("it is being rebuilt already")]
    Busy,
    /// The event itself can't be applied; trying again changes nothing.
    #[error("event {position} can't be applied: {reason}")]
    Event {
        /// Where the event stands.
        position: Position,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<feed::NotRead> for NotApplied {
    fn from(error: feed::NotRead) -> Self {
        match error {
            feed::NotRead::Away(error) => {
                Self::Database(sqlx::Error::Io(std::io::Error::other(error.0)))
            }
            feed::NotRead::Event { position, reason } => Self::Event { position, reason },
        }
    }
}

/// All projections that write tables.
pub fn all(keys: &Arc<dyn Keyed>) -> Vec<Arc<dyn Projection>> {
    vec![
        Arc::new(user::Users),
        Arc::new(role::Roles),
        Arc::new(api_key::ApiKeys),
        Arc::new(category::Categories),
        Arc::new(section::Sections),
        Arc::new(topic::Topics),
        Arc::new(reading::Readings),
        Arc::new(invite::Invites),
        Arc::new(site::Sites),
        Arc::new(torrent::Torrents),
        Arc::new(tag::Tags),
        Arc::new(comment::Comments),
        Arc::new(report::Reports),
        Arc::new(notification::Notifications),
        Arc::new(statistic::Statistics),
        Arc::new(bookmark::Bookmarks),
        Arc::new(backup::Backups),
        Arc::new(traffic::Ledger),
        Arc::new(transfer::Transfers),
        Arc::new(access::Access::new(Arc::clone(keys))),
    ]
}

/// The read side can't be reached now; trying again later is right.
#[derive(Debug, thiserror::Error)]
#[error("the read tables can't be reached")]
pub struct Unavailable(#[source] pub Box<dyn std::error::Error + Send + Sync>);

impl From<sqlx::Error> for Unavailable {
    fn from(error: sqlx::Error) -> Self {
        Self(Box::new(error))
    }
}

/// The read side: what the edges hold to ask questions.
#[derive(Debug, Clone)]
pub struct Reads {
    pub(crate) pool: PgPool,
    /// Connections that plan each statement anew.
    pub(crate) planning: PgPool,
    pub(crate) search: Arc<torrent::search::Search>,
    pub(crate) often: Arc<Often>,
    progress: watch::Receiver<progress::Progress>,
}

/// What is kept of what pages ask for again and again.
#[derive(Debug, Default)]
pub(crate) struct Often {
    pub(crate) tree: Kept<Vec<category::Category>>,
    pub(crate) tags: Kept<Vec<tag::Tag>>,
    pub(crate) settings: Kept<site::Settings>,
    pub(crate) profiles: Kept<Option<user::Profile>, MemberId>,
    pub(crate) figures: Kept<viewer::Figures, (MemberId, bool, Vec<i64>)>,
    pub(crate) lists: Kept<torrent::list::Found, torrent::list::Wanted>,
    /// By seeders, or by leechers.
    pub(crate) ranks: Kept<torrent::list::ranked::Ranked, bool>,
}

impl Reads {
    /// Makes the read side over connections that find the schema [`SCHEMA`] first: those that keep a plan
    /// for each statement, and others for statements whose cost their parameters say.
    pub fn new(
        pool: PgPool,
        planning: PgPool,
        search: Arc<torrent::search::Search>,
        progress: watch::Receiver<progress::Progress>,
    ) -> Self {
        Self {
            pool,
            planning,
            search,
            often: Arc::default(),
            progress,
        }
    }

    /// Gives [`progress::Progress::mark`] as it is just now.
    pub(crate) fn mark(&self) -> Option<u64> {
        self.progress.borrow().mark()
    }

    /// Gives [`progress::Progress::refilled`] as it is just now.
    pub fn refilled(&self) -> Option<(Position, Position)> {
        self.progress.borrow().refilled()
    }

    /// Tells whether there is no member at all, as after a crash of the database that nobody saw yet.
    pub async fn know_nobody(&self) -> Result<bool, Unavailable> {
        let query = sqlx::query_scalar("select not exists (select from member)");
        Ok(query.fetch_one(&self.pool).await?)
    }

    /// Waits until every projection has applied the log up to a position, at most two seconds;
    /// tells whether they have.
    pub async fn wait_for(&self, position: Position) -> bool {
        let mut progress = self.progress.clone();
        let reached = progress.wait_for(|progress| progress.all_reached(position));
        tokio::time::timeout(Duration::from_secs(2), reached)
            .await
            .is_ok_and(|reached| reached.is_ok())
    }

    /// Lets a stopped projection try again; tells whether it was stopped.
    pub async fn retry(&self, projection: &str) -> Result<bool, Unavailable> {
        runner::retry(&self.pool, projection).await
    }

    /// Tells how many connections to the database are busy, and how many more may be.
    pub fn connections(&self) -> (i64, i64) {
        let idle = i64::try_from(self.pool.num_idle()).unwrap_or(i64::MAX);
        let busy = i64::from(self.pool.size()).saturating_sub(idle);
        let most = i64::from(self.pool.options().get_max_connections());
        (busy, most.saturating_sub(busy))
    }

    /// Gives a receiver that wakes whenever a projection moves.
    pub fn progress(&self) -> watch::Receiver<progress::Progress> {
        self.progress.clone()
    }
}

/// Begins to read what stands in several tables, or is asked in several statements, as it is at one moment.
pub(crate) async fn at_once(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    pool.begin_with("begin isolation level repeatable read, read only")
        .await
}
