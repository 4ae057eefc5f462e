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
use crate::recent::Recent;
use crate::vault::{Vault, VaultError};

mod stretch;

use stretch::Stretches;

/// How long a reader waits at most before it looks for itself.
const POLL: Duration = Duration::from_millis(500);

/// Positions behind the head within which events are read once for all.
const TAIL: i64 = 256;

/// Positions that are read at once for all who catch up; the stretches of all begin at its multiples.
const STRETCH: i64 = 5_000;

/// The log in position order.
#[derive(Clone)]
pub struct LogFeed {
    pool: PgPool,
    vault: Arc<Vault>,
    head: watch::Receiver<Position>,
    opened: Opened,
}

/// Every opened event that is kept in memory.
#[derive(Clone)]
struct Opened {
    recent: Arc<Recent>,
    tail: Arc<Mutex<Tail>>,
    stretches: Arc<Mutex<Stretches>>,
}

impl Opened {
    /// Forgets everything, also what is being read just now.
    async fn forget(&self) {
        self.recent.forget();
        *self.tail.lock().await = Tail::default();
        *self.stretches.lock().await = Stretches::default();
    }
}

/// The events of all streams that were read last, for every projection that asks for them.
#[derive(Default)]
struct Tail {
    after: Position,
    upto: Position,
    events: Vec<Arc<Recorded>>,
}

impl std::fmt::Debug for LogFeed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LogFeed").finish_non_exhaustive()
    }
}

impl LogFeed {
    /// Makes the feed and starts to listen; `recent` is what this process appends itself.
    pub fn new(pool: PgPool, vault: Arc<Vault>, recent: Arc<Recent>) -> Self {
        let (told, head) = watch::channel(Position(0));
        let appended = recent.head();
        let opened = Opened {
            recent,
            tail: Arc::default(),
            stretches: Arc::default(),
        };
        let ears = Ears {
            pool: pool.clone(),
            vault: Arc::clone(&vault),
            listener: None,
            stale: false,
        };
        tokio::spawn(listen(ears, appended, told, opened.clone()));
        Self {
            pool,
            vault,
            head,
            opened,
        }
    }

    /// Gives what follows a position near the head, read once for all who ask.
    async fn near(&self, after: Position, limit: i64, streams: &[&str]) -> Option<Batch> {
        let told = *self.head.borrow();
        if told <= after || told.0 - after.0 > TAIL.min(limit) {
            return None;
        }
        let wanted = |event: &&Arc<Recorded>| {
            event.position > after && streams.contains(&event.stream_type.as_str())
        };
        if let Some((events, upto)) = self.opened.recent.since(after) {
            return Some(Batch {
                events: events.iter().filter(wanted).cloned().collect(),
                upto,
                head: told.max(upto),
            });
        }
        let mut tail = self.opened.tail.lock().await;
        if after < tail.after || after >= tail.upto {
            let (events, upto) = self.select(after, told, None).await.ok()?;
            *tail = Tail {
                after,
                upto,
                events: events.into_iter().map(|(event, _)| event).collect(),
            };
        }
        Some(Batch {
            events: tail.events.iter().filter(wanted).cloned().collect(),
            upto: tail.upto,
            head: told.max(tail.upto),
        })
    }

    /// Gives what follows a position far from the head, read once for all who catch up, and up to where.
    async fn far(
        &self,
        after: Position,
        upto: Position,
        streams: &[&str],
    ) -> Result<(Vec<Arc<Recorded>>, Position), NotRead> {
        let aligned = Position((after.0 / STRETCH + 1) * STRETCH);
        let mut upto = upto.min(aligned);
        let mut stretches = self.opened.stretches.lock().await;
        let missing = stretches.missing(streams, after, upto);
        if !missing.is_empty() {
            let (events, reached) = self.select(after, upto, Some(&missing)).await?;
            upto = reached;
            stretches.keep(&missing, after, upto, &events);
        }
        let events = stretches.events(streams, after, upto);
        stretches.trim();
        Ok((events, upto))
    }

    /// Reads and opens the events of some stream types, or of all, in a stretch of the log, each with
    /// its sealed bytes; gives up to where they reached before they were too many bytes.
    async fn select(
        &self,
        after: Position,
        upto: Position,
        streams: Option<&[&str]>,
    ) -> Result<(Vec<(Arc<Recorded>, usize)>, Position), NotRead> {
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
        let sizes: Vec<_> = rows.iter().map(|row: &Row| row.sealed.len()).collect();
        let events = event_store::open_all(&self.vault, rows)
            .await
            .map_err(not_read)?;
        let events = events.into_iter().map(Arc::new).zip(sizes).collect();
        Ok((events, upto))
    }
}

async fn head(pool: &PgPool) -> sqlx::Result<Position> {
    let query = "select coalesce(max(position), 0) from event_log";
    Ok(Position(sqlx::query_scalar(query).fetch_one(pool).await?))
}

/// Tells each new head, from this process or another, until nobody asks any more. What was read for those
/// who catch up goes when they have; all that is opened goes when somebody is erased or the vault closes.
async fn listen(
    mut ears: Ears,
    mut appended: watch::Receiver<Position>,
    told: watch::Sender<Position>,
    opened: Opened,
) {
    while !told.is_closed() {
        let mut heard = None;
        if ears.listener.is_none() {
            heard = ears.connect().await;
        }
        if heard.is_none() {
            heard = tokio::select! {
                changed = appended.changed() => changed.is_ok().then(|| *appended.borrow_and_update()),
                heard = ears.hear() => heard,
                () = tokio::time::sleep(Duration::from_secs(1)) => None,
            };
        }
        if std::mem::take(&mut ears.stale) || !ears.vault.is_open() {
            opened.forget().await;
        }
        if let Ok(mut stretches) = opened.stretches.try_lock() {
            stretches.forget();
        }
        if let Some(position) = heard {
            told.send_if_modified(|known| {
                let newer = position > *known;
                *known = position.max(*known);
                newer
            });
        }
    }
}

/// The channel on which each erased member is told.
const ERASED: &str = "erased";

/// What other nodes tell: new heads, and members whose keys are gone.
struct Ears {
    pool: PgPool,
    vault: Arc<Vault>,
    listener: Option<PgListener>,
    /// Whether somebody was erased of whom something may be kept.
    stale: bool,
}

impl Ears {
    /// Listens from now on, and gives the head, which may have been told unheard.
    async fn connect(&mut self) -> Option<Position> {
        let connected = async {
            let mut listener = PgListener::connect_with(&self.pool).await?;
            listener.listen_all(["event_log", ERASED]).await?;
            Ok::<_, sqlx::Error>((listener, head(&self.pool).await?))
        };
        let (listener, head) = connected.await.ok().unzip();
        self.listener = listener;
        // Who was erased meanwhile wasn't heard.
        self.vault.drop_fetched();
        self.stale = self.listener.is_some();
        head
    }

    /// Waits for a notification; a lost connection is made again by the caller.
    async fn hear(&mut self) -> Option<Position> {
        let Some(living) = &mut self.listener else {
            return std::future::pending().await;
        };
        let Ok(Some(notification)) = living.try_recv().await else {
            self.listener = None;
            tokio::time::sleep(Duration::from_millis(200)).await;
            return None;
        };
        if notification.channel() != ERASED {
            return notification.payload().parse().ok().map(Position);
        }
        if let Ok(member) = notification.payload().parse() {
            self.vault.drop_member(member);
            self.stale = true;
        }
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
        let (events, upto) = if upto == after {
            (vec![], upto)
        } else if limit <= STRETCH {
            self.far(after, upto, streams).await?
        } else {
            // Who wants more at once, as the search index does, is alone with that.
            let (events, upto) = self.select(after, upto, Some(streams)).await?;
            (events.into_iter().map(|(event, _)| event).collect(), upto)
        };
        Ok(Batch { events, upto, head })
    }

    async fn head(&self) -> Result<Position, Unavailable> {
        Ok(head(&self.pool).await?)
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
