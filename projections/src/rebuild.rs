//! Fills a projection anew beside the living one, and swaps them in one transaction.
//!
//! [`Rebuilds`] does so in the background, for the staff page.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{Position, Recorded};
use sqlx::{Executor as _, PgConnection, PgPool};
use tokio::sync::{Semaphore, mpsc};
use tokio::task::JoinSet;

use crate::feed::Feed;
use crate::runner::{begin_in, enter, index_filled};
use crate::{Fold, NotApplied, Projection, SCHEMA, Unavailable, runner};

mod read;

use read::{BATCH, ahead};

/// The schema in which the new tables are filled.
pub(crate) const BESIDE: &str = "read_next";
/// Batches that wait for a projection that writes, while the others go on.
const AHEAD: usize = 4;
/// Bytes of new rows of one projection that are held in memory.
const BYTES: usize = 4 << 20;
/// Changes of one projection that are held in memory; they come last, if there are not so many.
const CHANGES: usize = 200_000;
/// Projections that write at once, so that pages find connections beside them.
const WRITERS: usize = 4;
/// Rebuilds of the staff page that go on at once; others wait for their turn.
const AT_ONCE: usize = 2;
/// How long the new tables wait for the old ones' readers, and how long between two tries.
const PATIENCE: Duration = Duration::from_mins(2);
const AGAIN: Duration = Duration::from_millis(200);

/// What a stretch of the log says, for every projection.
type Events = Arc<[Arc<Recorded>]>;

/// Rebuilds projections from the first event in one pass; `seen` is told how far it is, and how far
/// it must go.
pub async fn rebuild(
    pool: &PgPool,
    feed: &Arc<dyn Feed>,
    projections: &[Arc<dyn Projection>],
    mut seen: impl FnMut(Position, Position),
) -> Result<Position, NotApplied> {
    // Held until this returns: of two rebuilds at once, on whatever node, one is refused.
    let mut hold = pool.begin().await?;
    for projection in projections {
        let alone: bool =
            sqlx::query_scalar("select pg_try_advisory_xact_lock(hashtextextended($1, 0))")
                .bind(format!("rebuild {}", projection.name()))
                .fetch_one(&mut *hold)
                .await?;
        if !alone {
            return Err(NotApplied::Busy);
        }
    }
    let filled = fill(pool, feed, projections, BESIDE, None, &mut seen).await?;
    let mut last = filled;
    for projection in projections {
        let until = Instant::now() + PATIENCE;
        last = loop {
            let mut transaction = pool.begin().await?;
            match swap(&mut transaction, feed, projection.as_ref(), filled).await {
                Ok(position) => {
                    transaction.commit().await?;
                    break position;
                }
                Err(error) if gave_up(&error) && Instant::now() < until => {}
                Err(error) => return Err(error),
            }
            transaction.rollback().await?;
            // The living projection goes on meanwhile.
            tokio::time::sleep(AGAIN).await;
        };
    }
    seen(last, last);
    Ok(last)
}

/// Fills projections' tables in a schema, as they stood at a position, or as they are.
///
/// Some tasks read and open ahead, and each projection folds and copies in one of its own; keys and
/// indexes come last. What is held in memory is bounded: batches by [`AHEAD`], rows by [`BYTES`], changes
/// by [`CHANGES`].
pub async fn fill(
    pool: &PgPool,
    feed: &Arc<dyn Feed>,
    projections: &[Arc<dyn Projection>],
    schema: &str,
    upto: Option<Position>,
    mut seen: impl FnMut(Position, Position),
) -> Result<Position, NotApplied> {
    begin(pool, projections, schema).await?;
    let writing = Arc::new(Semaphore::new(WRITERS));
    let (mut parts, mut filling) = (vec![], JoinSet::new());
    for projection in projections {
        let (part, batches) = mpsc::channel(AHEAD);
        parts.push(part);
        filling.spawn(fill_one(
            Arc::clone(projection),
            (pool.clone(), schema.to_owned()),
            Arc::clone(&writing),
            batches,
        ));
    }
    let mut position = Position(0);
    let mut ahead = ahead(Arc::clone(feed), streams(projections), upto);
    'all: while let Some(read) = ahead.recv().await {
        let (batch, goal) = read?;
        let events: Events = batch.events.into();
        for part in &parts {
            // A part that is gone has failed, and says why when it is joined.
            if part.send(Arc::clone(&events)).await.is_err() {
                break 'all;
            }
        }
        position = batch.upto;
        seen(position, goal);
    }
    drop(parts);
    while let Some(filled) = filling.join_next().await {
        filled.map_err(|error| away(Unavailable(Box::new(error))))??;
    }
    Ok(position)
}

/// Gives the stream types that projections listen to, each once.
fn streams(projections: &[Arc<dyn Projection>]) -> Vec<&'static str> {
    let all = projections.iter().flat_map(|one| one.streams());
    all.copied().collect::<BTreeSet<_>>().into_iter().collect()
}

/// Makes the tables that are to be filled.
async fn begin(
    pool: &PgPool,
    projections: &[Arc<dyn Projection>],
    schema: &str,
) -> Result<(), sqlx::Error> {
    let mut transaction = pool.begin().await?;
    transaction
        .execute(format!("create schema if not exists \"{schema}\"").as_str())
        .await?;
    for projection in projections {
        runner::make_tables(&mut transaction, schema, projection.as_ref()).await?;
    }
    transaction.commit().await
}

/// Fills one projection's tables in a schema with what the batches say of them.
async fn fill_one(
    projection: Arc<dyn Projection>,
    (pool, schema): (PgPool, String),
    writing: Arc<Semaphore>,
    mut batches: mpsc::Receiver<Events>,
) -> Result<(), NotApplied> {
    let mut part = Part {
        fold: projection.fold(),
        projection,
        pool: pool.clone(),
        schema: schema.clone(),
        writing,
        indexed: false,
    };
    while let Some(events) = batches.recv().await {
        part.take(&events)?;
        let held = part.fold.held();
        let all = held.changes >= CHANGES;
        if all || held.bytes >= BYTES {
            part.write(all).await?;
        }
    }
    part.write(true).await?;
    let _turn = part.writing.acquire().await;
    Ok(analyze(&pool, part.projection.as_ref(), &schema).await?)
}

/// Lets the planner know how much was filled in, before the first page asks.
async fn analyze(pool: &PgPool, of: &dyn Projection, schema: &str) -> Result<(), sqlx::Error> {
    for table in of.table_names() {
        let statement = format!("analyze \"{schema}\".{table}");
        pool.execute(statement.as_str()).await?;
    }
    Ok(())
}

/// A projection whose tables are being filled.
struct Part {
    projection: Arc<dyn Projection>,
    fold: Box<dyn Fold>,
    pool: PgPool,
    schema: String,
    writing: Arc<Semaphore>,
    /// Whether its tables have their keys and indexes.
    indexed: bool,
}

impl Part {
    fn take(&mut self, events: &[Arc<Recorded>]) -> Result<(), NotApplied> {
        let streams = self.projection.streams();
        for event in events {
            if streams.contains(&event.stream_type.as_str()) {
                self.fold.take(event)?;
            }
        }
        Ok(())
    }

    /// Writes the new rows; and the changes too, with the keys by which they find their rows.
    async fn write(&mut self, all: bool) -> Result<(), sqlx::Error> {
        let _turn = self.writing.acquire().await;
        let mut transaction = begin_in(&self.pool, &self.schema).await?;
        self.fold.insert(&mut transaction).await?;
        transaction.commit().await?;
        if all && !self.indexed {
            index_filled(&self.pool, &self.schema, self.projection.as_ref()).await?;
            self.indexed = true;
        }
        if all {
            let mut transaction = begin_in(&self.pool, &self.schema).await?;
            self.fold.update(&mut transaction).await?;
            transaction.commit().await?;
        }
        Ok(())
    }
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
    enter(transaction, BESIDE).await?;
    while position < Position(living) {
        let batch = feed.read(position, BATCH, projection.streams()).await?;
        runner::apply(transaction, projection, &batch.events).await?;
        position = batch.upto;
    }
    let tables: Option<String> = sqlx::query_scalar(
        "select string_agg(format('%I.%I', schemaname, tablename), ', ') from pg_tables
         where schemaname = $1 and tablename = any($2)",
    )
    .bind(SCHEMA)
    .bind(projection.table_names())
    .fetch_one(&mut *transaction)
    .await?;
    if let Some(tables) = tables {
        take(transaction, &tables).await?;
    }
    for table in projection.table_names() {
        transaction
            .execute(format!("drop table if exists {SCHEMA}.{table}").as_str())
            .await?;
        transaction
            .execute(format!("alter table {BESIDE}.{table} set schema {SCHEMA}").as_str())
            .await?;
    }
    sqlx::query(
        "update read.checkpoint set version = $2, position = $3, error = null where name = $1",
    )
    .bind(projection.name())
    .bind(projection.version())
    .bind(position.0)
    .execute(&mut *transaction)
    .await?;
    Ok(position)
}

/// Takes tables from their readers, or gives up before PostgreSQL looks for a deadlock (`deadlock_timeout`,
/// 1 s): a page that reads one of them and waits for another isn't broken off, and one that reads for long
/// doesn't keep all others waiting.
async fn take(transaction: &mut PgConnection, tables: &str) -> Result<(), sqlx::Error> {
    for statement in [
        // A vacuum gives way to who waits for long, and this lock is in no reader's way.
        &format!("lock table {tables} in share update exclusive mode"),
        "set local statement_timeout = '800ms'",
        &format!("lock table {tables} in access exclusive mode"),
        "set local statement_timeout to default",
    ] {
        transaction.execute(statement).await?;
    }
    Ok(())
}

/// Tells whether [`take`] gave up (`query_canceled`).
fn gave_up(error: &NotApplied) -> bool {
    let NotApplied::Database(error) = error else {
        return false;
    };
    let told = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::code);
    told.as_deref() == Some("57014")
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
    turns: Semaphore,
}

impl Rebuilds {
    /// Makes the desk at which rebuilds are asked for.
    pub fn new(pool: PgPool, feed: Arc<dyn Feed>, all: Vec<Arc<dyn Projection>>) -> Self {
        Self {
            pool,
            feed,
            all,
            standing: Mutex::default(),
            turns: Semaphore::new(AT_ONCE),
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
            let _turn = desk.turns.acquire().await;
            let done = rebuild(&desk.pool, &desk.feed, &[projection], seen).await;
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
