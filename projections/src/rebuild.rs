//! Fills a projection anew beside the living one, and swaps them in one transaction.
//!
//! [`Rebuilds`] does so in the background, for the staff page.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::Position;
use sqlx::{Executor as _, PgConnection, PgPool};

use crate::feed::Feed;
use crate::{NotApplied, Projection, SCHEMA, Unavailable, runner};

/// The schema in which the new tables are filled.
const BESIDE: &str = "read_next";
/// Positions that one transaction covers at most.
const BATCH: i64 = 5_000;

/// Rebuilds a projection from the first event; `seen` is told how far it is, and how far it must go.
pub async fn rebuild(
    pool: &PgPool,
    feed: &Arc<dyn Feed>,
    projection: &dyn Projection,
    mut seen: impl FnMut(Position, Position),
) -> Result<Position, NotApplied> {
    // Held until this returns: of two rebuilds at once, on whatever node, one is refused.
    let mut hold = pool.begin().await?;
    let alone: bool =
        sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended($1, 0))")
            .bind(format!("rebuild {}", projection.name()))
            .fetch_one(&mut *hold)
            .await?;
    if !alone {
        return Err(NotApplied::Busy);
    }
    let mut position = fill(pool, feed, projection, BESIDE, None, &mut seen).await?;
    let mut transaction = pool.begin().await?;
    position = swap(&mut transaction, feed, projection, position).await?;
    transaction.commit().await?;
    seen(position, position);
    Ok(position)
}

/// Fills a projection's tables in a schema, as they stood at a position, or as they are.
pub async fn fill(
    pool: &PgPool,
    feed: &Arc<dyn Feed>,
    projection: &dyn Projection,
    schema: &str,
    upto: Option<Position>,
    mut seen: impl FnMut(Position, Position),
) -> Result<Position, NotApplied> {
    let mut transaction = pool.begin().await?;
    transaction
        .execute(format!("create schema if not exists \"{schema}\"").as_str())
        .await?;
    runner::make(&mut transaction, schema, projection).await?;
    transaction.commit().await?;
    let mut position = Position(0);
    loop {
        let head = feed.head().await.map_err(away)?;
        let goal = upto.map_or(head, |upto| upto.min(head));
        seen(position, goal);
        if position >= goal {
            return Ok(position);
        }
        let limit = BATCH.min(goal.0 - position.0);
        let mut transaction = pool.begin().await?;
        position = replay(&mut transaction, feed, projection, schema, position, limit).await?;
        transaction.commit().await?;
    }
}

async fn replay(
    transaction: &mut PgConnection,
    feed: &Arc<dyn Feed>,
    projection: &dyn Projection,
    schema: &str,
    after: Position,
    limit: i64,
) -> Result<Position, NotApplied> {
    transaction
        .execute(format!("set local search_path to \"{schema}\"").as_str())
        .await?;
    let batch = feed.read(after, limit, projection.streams()).await?;
    projection.apply(transaction, &batch.events).await?;
    Ok(batch.upto)
}

/// Holds the living projection at its checkpoint, catches up, and puts the new tables in its place.
async fn swap(
    transaction: &mut PgConnection,
    feed: &Arc<dyn Feed>,
    projection: &dyn Projection,
    mut position: Position,
) -> Result<Position, NotApplied> {
    let living: i64 =
        sqlx::query_scalar("select position from read.checkpoint where name = $1 for update")
            .bind(projection.name())
            .fetch_one(&mut *transaction)
            .await?;
    while position < Position(living) {
        position = replay(transaction, feed, projection, BESIDE, position, BATCH).await?;
    }
    for table in projection.table_names() {
        transaction
            .execute(format!("drop table if exists {SCHEMA}.{table}").as_str())
            .await?;
        transaction
            .execute(format!("alter table {BESIDE}.{table} set schema {SCHEMA}").as_str())
            .await?;
    }
    runner::advance(transaction, projection.name(), position).await?;
    Ok(position)
}

fn away(error: Unavailable) -> NotApplied {
    NotApplied::Database(sqlx::Error::Io(std::io::Error::other(error.0)))
}

/// How far a rebuild is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebuilding {
    /// It goes on.
    At {
        /// The last position that is filled in.
        position: Position,
        /// The position that it must reach.
        of: Position,
    },
    /// It failed, and the living tables stay as they were.
    Failed(String),
}

/// The rebuilds that this process does in the background.
#[derive(Debug)]
pub struct Rebuilds {
    pool: PgPool,
    feed: Arc<dyn Feed>,
    all: Vec<Arc<dyn Projection>>,
    standing: Mutex<BTreeMap<&'static str, Rebuilding>>,
}

impl Rebuilds {
    /// Makes the desk at which rebuilds are asked for.
    pub fn new(pool: PgPool, feed: Arc<dyn Feed>, all: Vec<Arc<dyn Projection>>) -> Self {
        Self {
            pool,
            feed,
            all,
            standing: Mutex::default(),
        }
    }

    /// Starts to rebuild a projection, unless that goes on already; tells whether there is one.
    pub fn start(self: &Arc<Self>, name: &str) -> bool {
        let Some(projection) = self.all.iter().find(|one| one.name() == name).cloned() else {
            return false;
        };
        let mut standing = self.lock();
        if let Some(Rebuilding::At { .. }) = standing.get(projection.name()) {
            return true;
        }
        let begun = Rebuilding::At {
            position: Position(0),
            of: Position(0),
        };
        standing.insert(projection.name(), begun);
        drop(standing);
        let desk = Arc::clone(self);
        tokio::spawn(async move {
            let name = projection.name();
            let seen = |position, of| {
                desk.lock().insert(name, Rebuilding::At { position, of });
            };
            let done = rebuild(&desk.pool, &desk.feed, projection.as_ref(), seen).await;
            match done {
                Ok(_) => desk.lock().remove(name),
                Err(error) => {
                    tracing::error!(projection = name, %error, "rebuild failed");
                    desk.lock()
                        .insert(name, Rebuilding::Failed(error.to_string()))
                }
            }
        });
        true
    }

    /// Gives the rebuilds that go on or failed, by the projection's name.
    pub fn standing(&self) -> BTreeMap<&'static str, Rebuilding> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<&'static str, Rebuilding>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
