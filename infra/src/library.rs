//! The log through postgres-es, as the library itself reads it: for audits and differential tests.
//!
//! `stored_event` is a view of the log in the library's shape; its payloads are sealed. This
//! decorator opens what the library's repository gives. It reads only: appends go through
//! [`crate::event_store`], because the library can't set a position, a claim or a chain, answers
//! nothing, and doubles the last events of a snapshot.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use cqrs_es::Aggregate;
use cqrs_es::persist::{PersistedEventRepository, PersistenceError, SerializedEvent};
use postgres_es::PostgresEventRepository;
use serde::Deserialize;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::seal::{self, Envelope};
use crate::vault::{Vault, VaultError};

/// The library's repository over the log, opened.
pub struct Library {
    repository: PostgresEventRepository,
    vault: Arc<Vault>,
}

impl std::fmt::Debug for Library {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Library").finish_non_exhaustive()
    }
}

/// A payload as the view gives it.
#[derive(Deserialize)]
struct SealedPayload {
    key_id: i32,
    sealed: String,
}

impl Library {
    /// Makes the library's repository over the log.
    pub fn new(pool: PgPool, vault: Arc<Vault>) -> Self {
        let repository =
            PostgresEventRepository::new(pool).with_tables("stored_event", "stored_event");
        Self { repository, vault }
    }

    /// Gives a stream's events as the library reads them, opened.
    pub async fn events<A: Aggregate>(
        &self,
        id: Uuid,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let mut events = self.repository.get_events::<A>(&id.to_string()).await?;
        for event in &mut events {
            self.open(event, id).await?;
        }
        Ok(events)
    }

    async fn open(
        &self,
        event: &mut SerializedEvent,
        stream: Uuid,
    ) -> Result<(), PersistenceError> {
        let sealed: SealedPayload = serde_json::from_value(event.payload.take())?;
        let key = match self.vault.opening(sealed.key_id).await {
            Err(VaultError::Erased) => {
                event.payload = domain::history::ERASED.into();
                return Ok(());
            }
            key => key.map_err(other)?,
        };
        let envelope = Envelope {
            stream_type: &event.aggregate_type,
            stream,
            sequence: i64::try_from(event.sequence).map_err(other)?,
            name: &event.event_type,
            version: event.event_version.parse().map_err(other)?,
            key_id: sealed.key_id,
        };
        let bytes = STANDARD.decode(sealed.sealed).map_err(other)?;
        let inside = seal::open(&key, &envelope, &bytes).map_err(other)?;
        event.payload = inside.payload;
        event.metadata = serde_json::to_value(inside.meta).unwrap_or(Value::Null);
        Ok(())
    }
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PersistenceError {
    PersistenceError::UnknownError(error.into())
}
