//! The sealed log behind `commands::ports::EventLog`: seals what is appended, opens what is loaded.

use std::sync::Arc;

use async_trait::async_trait;
use commands::ports::{
    Append, AppendError, Appended, Claim, EventLog, Reach, Snapshot, Unavailable, VaultChange,
};
use domain::fact::Erased;
use domain::id::CommandId;
use domain::{Fact, Meta, Position, Recorded};
use rand::Rng as _;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::appender::{self, Appender, Prepared, SealedEvent};
use crate::recent::Recent;
use crate::seal::{self, Envelope};
use crate::snapshot;
use crate::vault::{Vault, VaultError};

/// The event store.
#[derive(Debug, Clone)]
pub struct EventStore {
    pool: PgPool,
    vault: Arc<Vault>,
    appender: Appender,
    recent: Arc<Recent>,
}

/// A row of the log.
#[derive(Debug, sqlx::FromRow)]
pub(crate) struct Row {
    pub(crate) position: i64,
    pub(crate) stream_type: String,
    pub(crate) stream_id: Uuid,
    pub(crate) sequence: i64,
    pub(crate) event_type: String,
    pub(crate) event_version: i32,
    pub(crate) command_id: Uuid,
    pub(crate) recorded_at: OffsetDateTime,
    pub(crate) key_id: i32,
    pub(crate) sealed: Vec<u8>,
}

impl Row {
    /// Gives what stands in the clear beside the sealed payload.
    pub(crate) fn envelope(&self) -> Envelope<'_> {
        Envelope {
            stream_type: &self.stream_type,
            stream: self.stream_id,
            sequence: self.sequence,
            name: &self.event_type,
            version: self.event_version,
            key_id: self.key_id,
        }
    }
}

/// Sealed bytes that are read at once at most, but for the last event: a torrent has up to 14 MB.
pub(crate) const MOST_BYTES: usize = 16 << 20;

/// The columns of [`Row`].
pub(crate) const COLUMNS: &str = "position, stream_type, stream_id, sequence, event_type, event_version, command_id, recorded_at, key_id, sealed";

impl EventStore {
    /// Makes the event store and starts its appender.
    pub fn new(pool: PgPool, vault: Arc<Vault>) -> Self {
        let recent = Arc::<Recent>::default();
        let appender = Appender::start(pool.clone(), Arc::clone(&vault), Arc::clone(&recent));
        Self {
            pool,
            vault,
            appender,
            recent,
        }
    }

    /// Gives what this process appends.
    pub fn recent(&self) -> Arc<Recent> {
        Arc::clone(&self.recent)
    }

    async fn prepare(&self, append: Append) -> Result<Prepared, VaultError> {
        // What tells of an erasure must outlive the member's key.
        let (key_id, key, new_key) = if append.vault == Some(VaultChange::Erase) {
            let (key_id, key) = self.vault.months().await?;
            (key_id, key, None)
        } else {
            let sealing = self.vault.sealing(append.stream_type, append.stream);
            sealing.await?
        };
        let mut events = Vec::with_capacity(append.events.len());
        for (event, sequence) in append.events.into_iter().zip(append.expected + 1..) {
            let envelope = Envelope {
                stream_type: append.stream_type,
                stream: append.stream,
                sequence,
                name: &event.name,
                version: event.version,
                key_id,
            };
            let mut random = [0; 40];
            rand::rng().fill_bytes(&mut random);
            let sealed = seal::seal(&key, &envelope, &event.payload, &append.meta, random)?;
            let fact = Fact::read(
                append.stream_type,
                &event.name,
                event.version,
                event.payload,
            );
            events.push(SealedEvent {
                name: event.name,
                version: event.version,
                sealed,
                fact: fact.ok(),
            });
        }
        Ok(Prepared {
            stream_type: append.stream_type,
            stream: append.stream,
            expected: append.expected,
            command: append.command.0,
            key_id,
            events,
            meta: append.meta,
            claims: append.claims,
            releases: append.releases,
            flush: append.flush,
            vault: append.vault,
            key: new_key,
        })
    }
}

#[async_trait]
impl EventLog for EventStore {
    async fn load(
        &self,
        stream_type: &'static str,
        stream: Uuid,
        reach: Reach,
    ) -> Result<Vec<Recorded>, Unavailable> {
        let (from, order) = match reach {
            Reach::All => (1, "order by sequence"),
            Reach::From(sequence) => (sequence, "order by sequence"),
            Reach::Last => (1, "order by sequence desc limit 1"),
        };
        let query = format!(
            "select {COLUMNS} from event_log
             where stream_type = $1 and stream_id = $2 and sequence >= $3 {order}"
        );
        let rows: Vec<Row> = sqlx::query_as(&query)
            .bind(stream_type)
            .bind(stream)
            .bind(from)
            .fetch_all(&self.pool)
            .await
            .map_err(away)?;
        open_all(&self.vault, rows).await.map_err(away)
    }

    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        let erases = (append.vault == Some(VaultChange::Erase)).then_some(append.stream);
        let prepared = match self.prepare(append).await {
            Err(VaultError::Erased) => return Err(AppendError::Erased),
            prepared => prepared.map_err(away)?,
        };
        let appended = self.appender.append(prepared).await;
        if let (Some(member), Ok(_)) = (erases, &appended) {
            self.vault.drop_member(member);
        }
        appended
    }

    async fn snapshot(
        &self,
        stream_type: &'static str,
        stream: Uuid,
        shape: i32,
    ) -> Result<Option<Snapshot>, Unavailable> {
        let found = snapshot::get(&self.pool, &self.vault, stream_type, stream, shape);
        found.await.map_err(away)
    }

    async fn keep(&self, stream_type: &'static str, stream: Uuid, snapshot: Snapshot) {
        let kept = snapshot::keep(&self.pool, &self.vault, stream_type, stream, &snapshot);
        if let Err(error) = kept.await {
            tracing::warn!(%error, stream = stream_type, "a snapshot wasn't kept");
        }
    }

    async fn answered(&self, command: CommandId) -> Result<Option<Position>, Unavailable> {
        let last: Option<i64> =
            sqlx::query_scalar("select last_pos from command_log where command_id = $1")
                .bind(command.0)
                .fetch_optional(&self.pool)
                .await
                .map_err(away)?;
        Ok(last.map(Position))
    }

    async fn holder(&self, claim: &Claim) -> Result<Option<Uuid>, Unavailable> {
        appender::holder(&self.pool, claim).await.map_err(away)
    }
}

fn away(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Unavailable {
    Unavailable::new("the event store", error)
}

/// Why a stored event can't be given back.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Its key isn't to be had.
    #[error("event {position} can't be opened")]
    Sealed {
        /// Where it stands.
        position: i64,
        /// Why not.
        source: VaultError,
    },
    /// It has no shape that is known.
    #[error("event {position} can't be read")]
    Unreadable {
        /// Where it stands.
        position: i64,
        /// Why not.
        source: domain::fact::Unreadable,
    },
}

/// Opens rows in their order.
pub(crate) async fn open_all(vault: &Vault, rows: Vec<Row>) -> Result<Vec<Recorded>, OpenError> {
    let mut events = Vec::with_capacity(rows.len());
    for row in rows {
        events.push(open(vault, row).await?);
    }
    Ok(events)
}

/// Opens a row; of what is sealed under an erased member's key, it gives what stands in the clear.
pub(crate) async fn open(vault: &Vault, row: Row) -> Result<Recorded, OpenError> {
    let position = row.position;
    let sealed = |source: VaultError| OpenError::Sealed { position, source };
    let (fact, meta) = match vault.opening(row.key_id).await {
        Ok(key) => {
            let inside = seal::open(&key, &row.envelope(), &row.sealed)
                .map_err(|error| sealed(error.into()))?;
            let (name, version) = (&row.event_type, row.event_version);
            let fact = Fact::read(&row.stream_type, name, version, inside.payload)
                .map_err(|source| OpenError::Unreadable { position, source })?;
            (fact, inside.meta)
        }
        Err(VaultError::Erased) => {
            let erased = Fact::Erased(Erased {
                name: row.event_type,
                version: row.event_version,
            });
            (erased, Meta::erased())
        }
        Err(error) => return Err(sealed(error)),
    };
    Ok(Recorded {
        position: Position(position),
        stream_type: row.stream_type,
        stream_id: row.stream_id,
        sequence: row.sequence,
        at: row.recorded_at,
        command: CommandId(row.command_id),
        meta,
        fact,
    })
}
