//! The log behind `projections::history`: what auditors look up.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Position, Recorded};
use projections::Unavailable;
use projections::history::{Events, Filter, History, Seen};
use projections::proof::Verdict;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::audit::{Audit, AuditError};
use crate::event_store::{self, COLUMNS, Row};
use crate::vault::Vault;

/// Events that are opened for one answer at most.
const MOST_OPENED: usize = 20_000;

/// The log as auditors read it.
#[derive(Debug, Clone)]
pub struct LogHistory {
    pool: PgPool,
    vault: Arc<Vault>,
}

impl LogHistory {
    /// Makes the auditors' view of the log.
    pub fn new(pool: PgPool, vault: Arc<Vault>) -> Self {
        Self { pool, vault }
    }

    async fn older(
        &self,
        filter: &Filter,
        before: i64,
        limit: i64,
    ) -> Result<Vec<Row>, sqlx::Error> {
        sqlx::query_as(&format!(
            "select {COLUMNS} from event_log
             where position < $1 and position > $2
               and ($3::text is null or stream_type = $3)
               and ($4::uuid is null or stream_id = $4)
               and ($5::text is null or event_type = $5)
             order by position desc limit $6"
        ))
        .bind(before)
        .bind(filter.after.0)
        .bind(&filter.stream_type)
        .bind(filter.stream)
        .bind(&filter.event)
        .bind(limit)
        .fetch_all(&self.pool)
        .await
    }

    async fn open(&self, rows: Vec<Row>) -> Result<Vec<Recorded>, Unavailable> {
        event_store::open_all(&self.vault, rows)
            .await
            .map_err(|error| Unavailable(Box::new(error)))
    }
}

#[async_trait]
impl History for LogHistory {
    async fn events(&self, filter: &Filter, limit: usize) -> Result<Events, Unavailable> {
        // Who acted is sealed: looking for it opens more than it gives.
        let step = if filter.actor.is_some() {
            500
        } else {
            limit + 1
        };
        let mut before = filter.before.map_or(i64::MAX, |before| before.0);
        let (mut events, mut opened) = (vec![], 0);
        while events.len() <= limit && opened < MOST_OPENED {
            let rows = self
                .older(filter, before, i64::try_from(step).unwrap_or(i64::MAX))
                .await?;
            let whole = rows.len() == step;
            opened += rows.len();
            before = rows.last().map_or(before, |row| row.position);
            let found = self.open(rows).await?;
            events.extend(found.into_iter().filter(|event| filter.wants(event)));
            if !whole {
                before = 0;
                break;
            }
        }
        let older = if events.len() > limit {
            events.truncate(limit);
            events.last().map(|event| event.position)
        } else {
            Some(Position(before)).filter(|before| *before > Position(0))
        };
        Ok(Events { events, older })
    }

    async fn stream(&self, stream_type: &str, stream: Uuid) -> Result<Vec<Recorded>, Unavailable> {
        let rows: Vec<Row> = sqlx::query_as(&format!(
            "select {COLUMNS} from event_log where stream_type = $1 and stream_id = $2 order by sequence"
        ))
        .bind(stream_type)
        .bind(stream)
        .fetch_all(&self.pool)
        .await?;
        self.open(rows).await
    }

    async fn prove(&self, seen: Seen) -> Result<Verdict, Unavailable> {
        let audit = Audit::new(self.pool.clone(), Arc::clone(&self.vault));
        match audit.verify(None, seen).await {
            Ok(found) => Ok(Verdict::Fits {
                position: found.position,
                chain: found.chain,
                root: found.root,
            }),
            Err(AuditError::Mismatch(found)) => Ok(Verdict::Differs {
                event: found.event,
                reason: found.reason,
            }),
            Err(error) => Err(Unavailable(Box::new(error))),
        }
    }

    async fn position_at(&self, at: OffsetDateTime) -> Result<Position, Unavailable> {
        // Times never go back along the positions, so halving finds the place.
        let head: Option<i64> = sqlx::query_scalar("select max(position) from event_log")
            .fetch_one(&self.pool)
            .await?;
        let (mut known, mut beyond) = (0, head.unwrap_or(0) + 1);
        while beyond - known > 1 {
            let middle = known + (beyond - known) / 2;
            let recorded: OffsetDateTime =
                sqlx::query_scalar("select recorded_at from event_log where position = $1")
                    .bind(middle)
                    .fetch_one(&self.pool)
                    .await?;
            if recorded <= at {
                known = middle;
            } else {
                beyond = middle;
            }
        }
        Ok(Position(known))
    }
}
