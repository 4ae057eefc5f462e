//! The log in position order, for projections.
//!
//! Positions appear in order (see `appender`), so everything up to the head that a read sees is
//! there. A NOTIFY wakes who waits; where it is lost, a poll does.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use domain::{Position, Recorded};
use futures::TryStreamExt as _;
use projections::Unavailable;
use projections::feed::{Batch, Feed, NotRead};
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::{Mutex, watch};

use crate::event_store::{self, COLUMNS, MOST_BYTES, OpenError, Row};
use crate::vault::{Vault, VaultError};

/// How long a reader waits at most before it looks for itself.
const POLL: Duration = Duration::from_millis(500);

/// Positions behind the head within which events are read once for all.
const TAIL: i64 = 256;

/// The log in position order.
#[derive(Debug, Clone)]
pub struct LogFeed {
    pool: PgPool,
    vault: Arc<Vault>,
    head: watch::Receiver<Position>,
    tail: Arc<Mutex<Tail>>,
}

/// The events of all streams that were read last, for every projection that asks for them.
#[derive(Default)]
struct Tail {
    after: Position,
    upto: Position,
    events: Vec<Recorded>,
}

impl std::fmt::Debug for Tail {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tail").finish_non_exhaustive()
    }
}

impl LogFeed {
    /// Makes the feed and starts to listen; `appended` tells what this process appends itself.
    pub fn new(pool: PgPool, vault: Arc<Vault>, appended: watch::Receiver<Position>) -> Self {
        let (told, head) = watch::channel(Position(0));
        tokio::spawn(listen(pool.clone(), appended, told));
        let tail = Arc::default();
        Self {
            pool,
            vault,
            head,
            tail,
        }
    }

    /// Gives what follows a position near the head, read once for all who ask.
    async fn near(&self, after: Position, limit: i64, streams: &[&str]) -> Option<Batch> {
        let told = *self.head.borrow();
        if told <= after || told.0 - after.0 > TAIL.min(limit) {
            return None;
        }
        let mut tail = self.tail.lock().await;
        if after < tail.after || after >= tail.upto {
            let (events, upto) = self.select(after, told, None).await.ok()?;
            *tail = Tail {
                after,
                upto,
                events,
            };
        }
        let wanted = |event: &&Recorded| {
            event.position > after && streams.contains(&event.stream_type.as_str())
        };
        Some(Batch {
            events: tail.events.iter().filter(wanted).cloned().collect(),
            upto: tail.upto,
        })
    }

    /// Reads and opens the events of some stream types, or of all, in a stretch of the log; gives up to
    /// where they reached before they were too many bytes.
    async fn select(
        &self,
        after: Position,
        upto: Position,
        streams: Option<&[&str]>,
    ) -> Result<(Vec<Recorded>, Position), NotRead> {
        let query = format!(
            "select {COLUMNS} from event_log
             where position > $1 and position <= $2 and ($3 is null or stream_type = any($3)) order by position"
        );
        let mut found = sqlx::query_as(&query)
            .bind(after.0)
            .bind(upto.0)
            .bind(streams)
            .fetch(&self.pool);
        let (mut rows, mut bytes, mut upto) = (vec![], 0, upto);
        while let Some(row) = found.try_next().await.map_err(Unavailable::from)? {
            let row: Row = row;
            bytes += row.sealed.len();
            let position = row.position;
            rows.push(row);
            if bytes >= MOST_BYTES {
                upto = Position(position);
                break;
            }
        }
        drop(found);
        let events = event_store::open_all(&self.vault, rows)
            .await
            .map_err(not_read)?;
        Ok((events, upto))
    }
}

/// Tells each new head, from this process or another, until nobody asks any more.
async fn listen(
    pool: PgPool,
    mut appended: watch::Receiver<Position>,
    told: watch::Sender<Position>,
) {
    let mut listener = None;
    while !told.is_closed() {
        if listener.is_none() {
            listener = connect(&pool).await;
        }
        let heard = tokio::select! {
            changed = appended.changed() => changed.is_ok().then(|| *appended.borrow_and_update()),
            heard = hear(&mut listener) => heard,
            () = tokio::time::sleep(Duration::from_secs(1)) => None,
        };
        if let Some(position) = heard {
            told.send_if_modified(|known| {
                let newer = position > *known;
                *known = position.max(*known);
                newer
            });
        }
    }
}

async fn connect(pool: &PgPool) -> Option<PgListener> {
    let mut listener = PgListener::connect_with(pool).await.ok()?;
    listener.listen("event_log").await.ok()?;
    Some(listener)
}

/// Waits for a notification; a lost connection is made again by the caller.
async fn hear(listener: &mut Option<PgListener>) -> Option<Position> {
    let Some(living) = listener else {
        return std::future::pending().await;
    };
    if let Ok(Some(notification)) = living.try_recv().await {
        notification.payload().parse().ok().map(Position)
    } else {
        *listener = None;
        tokio::time::sleep(Duration::from_millis(200)).await;
        None
    }
}

#[async_trait]
impl Feed for LogFeed {
    async fn read(&self, after: Position, limit: i64, streams: &[&str]) -> Result<Batch, NotRead> {
        if let Some(batch) = self.near(after, limit, streams).await {
            return Ok(batch);
        }
        let head = self.head().await?;
        let upto = Position((after.0 + limit).min(head.0).max(after.0));
        let (events, upto) = self.select(after, upto, Some(streams)).await?;
        Ok(Batch { events, upto })
    }

    async fn head(&self) -> Result<Position, Unavailable> {
        let head: Option<i64> = sqlx::query_scalar("select max(position) from event_log")
            .fetch_one(&self.pool)
            .await?;
        Ok(Position(head.unwrap_or(0)))
    }

    async fn chain(&self, at: Position) -> Result<Option<String>, Unavailable> {
        let query = "select encode(chain, 'hex') from event_log where position = $1";
        Ok(sqlx::query_scalar(query)
            .bind(at.0)
            .fetch_optional(&self.pool)
            .await?)
    }

    async fn age_ms(&self, after: Position) -> Result<i64, Unavailable> {
        let age: Option<i64> = sqlx::query_scalar(
            "select (extract(epoch from clock_timestamp() - recorded_at) * 1000)::bigint
             from event_log where position = $1",
        )
        .bind(after.0 + 1)
        .fetch_optional(&self.pool)
        .await?;
        Ok(age.unwrap_or(0))
    }

    async fn wait(&self, after: Position) -> bool {
        let mut head = self.head.clone();
        let grown = head.wait_for(|head| *head > after);
        let grown = tokio::time::timeout(POLL, grown).await;
        grown.is_ok_and(|grown| grown.is_ok())
    }
}

/// Tells a key that can't be fetched just now from an event that never opens.
fn not_read(error: OpenError) -> NotRead {
    let event = |position, reason: String| NotRead::Event {
        position: Position(position),
        reason,
    };
    match error {
        OpenError::Sealed {
            source: VaultError::Database(sqlx::Error::RowNotFound),
            position,
        } => event(position, "its key is gone".to_owned()),
        OpenError::Sealed {
            source: VaultError::Database(_) | VaultError::Sealed,
            ..
        } => NotRead::Away(Unavailable(Box::new(error))),
        OpenError::Sealed { position, source } => event(position, source.to_string()),
        OpenError::Unreadable { position, source } => event(position, source.to_string()),
    }
}
