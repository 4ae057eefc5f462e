//! Keeps the projections up with the log: a batch and its checkpoint in one transaction.
//!
//! A projection that fails stops alone: its checkpoint stays, the reason stands beside it, and the
//! others go on.

use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{Position, Recorded};
use sqlx::postgres::PgConnectOptions;
use sqlx::{Connection as _, PgConnection, PgPool, Postgres, Transaction};
use tokio::sync::watch;

use crate::feed::{Batch, Feed, NotRead};
use crate::fold::Held;
use crate::progress::Progress;
use crate::{Fold, NotApplied, Projection, Unavailable};

mod elsewhere;
pub(crate) mod search;
mod tables;

pub use tables::prepare;
use tables::prepare_one;
pub(crate) use tables::{begin_in, enter, index_filled, make_indexes, make_tables};

/// Positions that one transaction covers at most.
const BATCH: i64 = 5_000;
/// By how many positions one that catches up is before another at most: what they read side by side is
/// read once.
const ABREAST: i64 = 2 * BATCH;
/// How long it waits for the others before each reads for itself.
const MOMENT: Duration = Duration::from_secs(1);
/// How often an event is tried before its projection stops.
const TRIES: u32 = 3;
/// How long a projection that nothing concerns goes on without a look at its checkpoint, while others
/// are busy; where all are still, it looks each time.
const LOOK: Duration = Duration::from_secs(5);
/// How often a stopped projection looks whether it may go on.
const RETRY: Duration = Duration::from_secs(1);
/// Why a projection leaves tables be that another program made.
pub const OTHER_VERSION: &str = "its tables belong to another version of the program";

/// Where a projection stands, by its checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Status {
    /// The projection.
    pub name: String,
    /// The version of its tables.
    pub version: i32,
    /// The last position it has applied.
    pub position: Position,
    /// Why it stopped, where it has.
    pub error: Option<String>,
}

/// Gives every projection's status.
pub async fn status(pool: &PgPool) -> Result<Vec<Status>, Unavailable> {
    let rows: Vec<(String, i32, i64, Option<String>)> =
        sqlx::query_as("select name, version, position, error from read.checkpoint order by name")
            .fetch_all(pool)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(name, version, position, error)| Status {
            name,
            version,
            position: Position(position),
            error,
        })
        .collect())
}

/// Lets a stopped projection try again; tells whether it was stopped.
pub async fn retry(pool: &PgPool, name: &str) -> Result<bool, Unavailable> {
    let done = sqlx::query(
        "update read.checkpoint set error = null where name = $1 and error is not null",
    )
    .bind(name)
    .execute(pool)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Applies events at once to tables that have their indexes.
pub(crate) async fn apply(
    to: &mut PgConnection,
    projection: &dyn Projection,
    events: &[Arc<Recorded>],
) -> Result<(), NotApplied> {
    let mut fold = folded(projection, events)?;
    write(to, fold.as_mut()).await?;
    Ok(())
}

fn folded(
    projection: &dyn Projection,
    events: &[Arc<Recorded>],
) -> Result<Box<dyn Fold>, NotApplied> {
    let mut fold = projection.fold();
    for event in events {
        fold.take(event)?;
    }
    Ok(fold)
}

async fn write(to: &mut PgConnection, fold: &mut dyn Fold) -> Result<(), sqlx::Error> {
    fold.insert(to).await?;
    fold.update(to).await
}

/// How long a connection may take to come about.
const PATIENCE: Duration = Duration::from_secs(3);

/// A connection of its own, which has the statements of one projection ready. It isn't a pool's: that would
/// ask the database whether it lives after each batch.
struct Own {
    options: Arc<PgConnectOptions>,
    living: Option<PgConnection>,
}

impl Own {
    /// Begins a transaction, on a new connection where the last one failed.
    async fn begin(&mut self) -> Result<Transaction<'_, Postgres>, sqlx::Error> {
        let connection = match self.living.take() {
            Some(connection) => connection,
            None => tokio::time::timeout(PATIENCE, PgConnection::connect_with(&self.options))
                .await
                .map_err(|_| sqlx::Error::PoolTimedOut)??,
        };
        self.living.insert(connection).begin().await
    }
}

/// Follows the feed with one projection until told to stop.
#[derive(Debug)]
pub struct Runner {
    /// Connections whose search path begins with the schema of the read tables.
    pub pool: PgPool,
    /// The log.
    pub feed: Arc<dyn Feed>,
    /// Where everybody sees how far it is.
    pub progress: watch::Sender<Progress>,
}

impl Runner {
    /// Follows the feed with a projection until `stop` turns true; where the projection fails, it
    /// waits for [`retry`] or a rebuild.
    pub async fn follow(&self, projection: &dyn Projection, mut stop: watch::Receiver<bool>) {
        let (mut limit, mut tries) = (BATCH, 0);
        let mut looked = None;
        let mut own = Own {
            options: self.pool.connect_options(),
            living: None,
        };
        while !*stop.borrow() {
            let stepped = self.step(&mut own, projection, limit, &mut looked).await;
            if stepped.is_err() {
                // With it goes what it holds: a transaction that is dropped ends when its connection is used next.
                own.living = None;
            }
            match stepped {
                Ok(step) => {
                    (limit, tries) = (BATCH, 0);
                    match step {
                        Step::Applied => {}
                        Step::Behind(position) => self.abreast(position).await,
                        Step::CaughtUp(position) => tokio::select! {
                            grown = self.feed.wait(position) => if let (Some(seen), false) = (&mut looked, grown) {
                                seen.until = Instant::now();
                            },
                            _ = stop.changed() => {}
                        },
                    }
                }
                Err(Failed::Passing(reason)) => {
                    tracing::warn!(projection = projection.name(), %reason, "projection waits");
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
                Err(Failed::OtherVersion) => {
                    tracing::warn!(projection = projection.name(), "{OTHER_VERSION}");
                    let other = |progress: &mut Progress| {
                        progress.stop(projection.name(), OTHER_VERSION.to_owned());
                    };
                    self.progress.send_modify(other);
                    tokio::select! {
                        () = tokio::time::sleep(LOOK) => {}
                        _ = stop.changed() => {}
                    }
                }
                // Half as many each time: soon it's the event alone that can't be applied.
                Err(Failed::Batch(_)) if limit > 1 => limit /= 2,
                Err(Failed::Batch(_)) if tries < TRIES => tries += 1,
                Err(Failed::Batch(reason)) => {
                    self.stopped(projection, reason).await;
                    self.await_retry(projection, &mut stop).await;
                    (limit, tries) = (BATCH, 0);
                }
            }
        }
    }

    /// Waits for projections that are far behind, a moment at most.
    async fn abreast(&self, position: Position) {
        let mut progress = self.progress.subscribe();
        let near = |progress: &Progress| {
            let mut others = progress.standing().iter();
            others.all(|(name, one)| {
                one.stopped.is_some()
                    || *name == search::NAME
                    || position.0 - one.position.0 <= ABREAST
            })
        };
        let _near = tokio::time::timeout(MOMENT, progress.wait_for(near)).await;
    }

    /// Waits until nobody says any more that the projection stopped.
    async fn await_retry(&self, projection: &dyn Projection, stop: &mut watch::Receiver<bool>) {
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(RETRY) => {}
                _ = stop.changed() => {}
            }
            let stopped: Result<bool, sqlx::Error> = sqlx::query_scalar(
                "select exists (select from read.checkpoint where name = $1 and error is not null)",
            )
            .bind(projection.name())
            .fetch_one(&self.pool)
            .await;
            if let Ok(false) = stopped {
                tracing::info!(projection = projection.name(), "projection goes on");
                return;
            }
        }
    }

    /// Applies one batch, if there is one. Events of which the projection writes nothing move it without
    /// a transaction, and its checkpoint after [`LOOK`] at the latest.
    async fn step(
        &self,
        own: &mut Own,
        projection: &dyn Projection,
        limit: i64,
        looked: &mut Option<Looked>,
    ) -> Result<Step, Failed> {
        let (name, streams) = (projection.name(), projection.streams());
        let mut ahead = None;
        if let Some(mut seen) = looked.take() {
            let batch = self.feed.read(seen.known, limit, streams).await?;
            let fold = folded(projection, &batch.events)?;
            if fold.held() == Held::default() && Instant::now() < seen.until {
                self.reached(name, batch.upto);
                let step = Step::of(&batch);
                seen.known = batch.upto;
                *looked = Some(seen);
                return Ok(step);
            }
            ahead = Some((seen.checkpoint, batch, fold));
        }
        let mut transaction = own.begin().await?;
        let ahead = match ahead {
            // What lies between the checkpoint that was left and what is known didn't concern it.
            Some((left, batch, fold)) => moved(&mut transaction, projection, left, batch.upto)
                .await?
                .then_some((batch, fold)),
            None => None,
        };
        let (batch, mut fold) = if let Some(ahead) = ahead {
            ahead
        } else {
            // Elsewhere it was applied further meanwhile, or its tables were made anew.
            let Some(checkpoint) = checkpoint(&mut transaction, projection).await? else {
                // The database recovered from a crash: its UNLOGGED tables came back empty.
                transaction.rollback().await?;
                self.reached(name, Position(0));
                prepare_one(&self.pool, projection).await?;
                return Ok(Step::Applied);
            };
            let batch = self.feed.read(checkpoint, limit, streams).await?;
            advance(&mut transaction, name, batch.upto).await?;
            let fold = folded(projection, &batch.events)?;
            (batch, fold)
        };
        write(&mut transaction, fold.as_mut()).await?;
        transaction.commit().await?;
        *looked = Some(Looked {
            until: Instant::now() + LOOK,
            checkpoint: batch.upto,
            known: batch.upto,
        });
        self.reached(name, batch.upto);
        Ok(Step::of(&batch))
    }

    fn reached(&self, name: &'static str, position: Position) {
        self.progress.send_if_modified(|progress| {
            let moved = progress
                .standing()
                .get(name)
                .is_none_or(|standing| standing.position != position);
            progress.reach(name, position);
            moved
        });
    }

    async fn stopped(&self, projection: &dyn Projection, reason: String) {
        tracing::error!(projection = projection.name(), %reason, "projection stopped");
        let noted = sqlx::query("update read.checkpoint set error = $2 where name = $1")
            .bind(projection.name())
            .bind(&reason)
            .execute(&self.pool)
            .await;
        if let Err(error) = noted {
            tracing::warn!(%error, "the reason couldn't be noted");
        }
        self.progress
            .send_modify(|progress| progress.stop(projection.name(), reason));
    }
}

/// Holds a projection's checkpoint and gives it; nothing, where there is none.
async fn checkpoint(
    to: &mut PgConnection,
    projection: &dyn Projection,
) -> Result<Option<Position>, Failed> {
    let query = "select version, position from read.checkpoint where name = $1 for update";
    let standing: Option<(i32, i64)> = sqlx::query_as(query)
        .bind(projection.name())
        .fetch_optional(to)
        .await?;
    match standing {
        Some((version, position)) if version == projection.version() => {
            Ok(Some(Position(position)))
        }
        Some(_) => Err(Failed::OtherVersion),
        None => Ok(None),
    }
}

/// Moves a checkpoint, if it stands where it was left; tells whether it did.
async fn moved(
    to: &mut PgConnection,
    projection: &dyn Projection,
    left: Position,
    upto: Position,
) -> Result<bool, sqlx::Error> {
    let query = "update read.checkpoint set position = $4, error = null
                 where name = $1 and version = $2 and position = $3";
    let moved = sqlx::query(query)
        .bind(projection.name())
        .bind(projection.version())
        .bind(left.0)
        .bind(upto.0)
        .execute(to)
        .await?;
    Ok(moved.rows_affected() == 1)
}

/// Moves a checkpoint; it never goes back.
pub(crate) async fn advance(
    to: &mut PgConnection,
    name: &str,
    upto: Position,
) -> Result<(), sqlx::Error> {
    sqlx::query("update read.checkpoint set position = $2, error = null where name = $1")
        .bind(name)
        .bind(upto.0)
        .execute(to)
        .await
        .map(|_| ())
}

/// Where a projection's checkpoint was left when it was last looked at.
struct Looked {
    /// Until when that is good enough.
    until: Instant,
    checkpoint: Position,
    /// Up to where nothing behind the checkpoint concerns the projection.
    known: Position,
}

/// What one step did.
enum Step {
    /// A batch was applied, and there is more.
    Applied,
    /// It was applied up to this position, and there is more than another batch.
    Behind(Position),
    /// There is nothing after this position.
    CaughtUp(Position),
}

impl Step {
    fn of(batch: &Batch) -> Self {
        match batch.head.0 - batch.upto.0 {
            ..=0 => Self::CaughtUp(batch.upto),
            1..=BATCH => Self::Applied,
            _ => Self::Behind(batch.upto),
        }
    }
}

/// Why a batch wasn't applied.
enum Failed {
    /// The database is away; it will come back.
    Passing(String),
    /// The batch holds an event that can't be applied.
    Batch(String),
    /// Another program, newer or older than this one, made the tables.
    OtherVersion,
}

impl From<sqlx::Error> for Failed {
    fn from(error: sqlx::Error) -> Self {
        match error
            .as_database_error()
            .and_then(sqlx::error::DatabaseError::code)
        {
            // Classes 22 and 23: the data don't fit the tables. Anything else is the database's own trouble.
            Some(code) if code.starts_with("22") || code.starts_with("23") => {
                Self::Batch(error.to_string())
            }
            _ => Self::Passing(error.to_string()),
        }
    }
}

impl From<NotRead> for Failed {
    fn from(error: NotRead) -> Self {
        match error {
            NotRead::Away(error) => Self::Passing(error.0.to_string()),
            NotRead::Event { .. } => Self::Batch(error.to_string()),
        }
    }
}

impl From<NotApplied> for Failed {
    fn from(error: NotApplied) -> Self {
        match error {
            NotApplied::Database(error) => error.into(),
            NotApplied::Event { .. } => Self::Batch(error.to_string()),
            NotApplied::Busy => Self::Passing(error.to_string()),
        }
    }
}
