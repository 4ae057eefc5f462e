//! The one writer of the log: it takes what waits, and appends it in one transaction.
//!
//! Positions are gapless, because each batch begins right behind the one before, is committed after
//! it, and not at all where that one failed. The position's primary key lets no second writer take the
//! same one: it waits for the first, fails, and reads the head again. So a position is only ever
//! visible after all before it. Each batch is fenced by the vault: where it was sealed or has other
//! keys meanwhile, nothing is appended. [`writer`] is the loop, [`rows`] the statement.

use std::sync::Arc;

use commands::ports::{AppendError, Appended, Claim, Flush, Unavailable, VaultChange};
use domain::id::CommandId;
use domain::{Fact, Meta, Position, Recorded};
use sqlx::PgPool;
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use crate::recent::{Own, Recent};
use crate::seal;
use crate::vault::{NewKey, Vault};

mod claims;
mod rows;
mod writer;

pub(crate) use rows::micros;
use writer::Writer;

/// Commands that wait at most; past it a command is refused as unavailable.
const QUEUE: usize = 4_096;
/// A command's events, sealed and ready.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) stream_type: &'static str,
    pub(crate) stream: Uuid,
    pub(crate) expected: i64,
    pub(crate) command: Uuid,
    pub(crate) key_id: i32,
    pub(crate) events: Vec<SealedEvent>,
    pub(crate) meta: Meta,
    pub(crate) claims: Vec<Claim>,
    pub(crate) releases: Vec<Claim>,
    pub(crate) flush: Option<Flush>,
    pub(crate) vault: Option<VaultChange>,
    pub(crate) key: Option<NewKey>,
}

/// An event, sealed and ready.
#[derive(Debug, Clone)]
pub(crate) struct SealedEvent {
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) sealed: seal::Sealed,
    /// What it says, where it has a shape that is known.
    pub(crate) fact: Option<Fact>,
}

impl Prepared {
    /// Gives the events as they will be read, now that they are in the log; those that have no known
    /// shape are left out.
    fn recorded(self, appended: Appended, at: OffsetDateTime) -> impl Iterator<Item = Own> {
        let (stream_type, stream_id) = (self.stream_type, self.stream);
        let (command, meta) = (CommandId(self.command), self.meta);
        let places = (appended.first.0..).zip(self.expected + 1..);
        self.events
            .into_iter()
            .zip(places)
            .filter_map(move |(event, (position, sequence))| {
                let recorded = Recorded {
                    position: Position(position),
                    stream_type: stream_type.to_owned(),
                    stream_id,
                    sequence,
                    at,
                    command,
                    meta: meta.clone(),
                    fact: event.fact?,
                };
                Some(Own {
                    event: Arc::new(recorded),
                    bytes: event.sealed.bytes.len(),
                })
            })
    }
}

type Answer = Result<Appended, AppendError>;

struct Job {
    prepared: Prepared,
    answer: oneshot::Sender<Answer>,
}

/// Where commands hand over what they want to append.
#[derive(Debug, Clone)]
pub(crate) struct Appender {
    queue: mpsc::Sender<Job>,
}

impl Appender {
    /// Starts the writer; it ends when the last handle is dropped. `recent` is told what it appends.
    pub(crate) fn start(pool: PgPool, vault: Arc<Vault>, recent: Arc<Recent>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        tokio::spawn(Writer::new(pool, vault, jobs, recent).run());
        Self { queue }
    }

    /// Appends a command's events, claims and releases, or nothing.
    pub(crate) async fn append(&self, prepared: Prepared) -> Answer {
        let (answer, answered) = oneshot::channel();
        let away = |reason: &'static str| {
            AppendError::Unavailable(Unavailable::new("the event store", reason))
        };
        self.queue
            .try_send(Job { prepared, answer })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => away("too many commands wait"),
                mpsc::error::TrySendError::Closed(_) => away("it is shutting down"),
            })?;
        answered
            .await
            .unwrap_or_else(|_| Err(away("it is shutting down")))
    }
}

/// Says why a command's transaction failed, or gives the first answer to a repeated one.
async fn refused(pool: &PgPool, prepared: &Prepared, error: sqlx::Error) -> Answer {
    if writer::is_erased(&error) {
        return Err(AppendError::Erased);
    }
    let constraint = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint);
    match constraint.map(str::to_owned).as_deref() {
        Some("event_log_stream" | "command_log_pkey") => repeated(pool, prepared.command).await,
        Some("flush_ledger_pkey") => Err(AppendError::Flushed),
        Some("data_key_class_subject_key") => Err(AppendError::Conflict),
        Some("unique_claim_pkey") => Err(taken(pool, prepared).await),
        _ => Err(away(error)),
    }
}

async fn taken(pool: &PgPool, prepared: &Prepared) -> AppendError {
    for claim in &prepared.claims {
        match holder(pool, claim).await {
            Ok(Some(holder)) if holder != prepared.stream => {
                return AppendError::Claimed {
                    scope: claim.scope,
                    holder: Some(holder),
                };
            }
            Ok(_) => {}
            Err(error) => return away(error),
        }
    }
    // Whoever held it has released it meanwhile.
    AppendError::Conflict
}

/// Tells the stream that holds a claim.
pub(crate) async fn holder(pool: &PgPool, claim: &Claim) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar("select stream_id from unique_claim where scope = $1 and key_hmac = $2")
        .bind(claim.scope)
        .bind(claim.key.as_slice())
        .fetch_optional(pool)
        .await
}

/// Gives the first answer to a command that was carried out before; a conflict to any other.
async fn repeated(pool: &PgPool, command: Uuid) -> Answer {
    let found: Option<(i64, i64)> =
        sqlx::query_as("select first_pos, last_pos from command_log where command_id = $1")
            .bind(command)
            .fetch_optional(pool)
            .await
            .map_err(away)?;
    let (first, last) = found.ok_or(AppendError::Conflict)?;
    Ok(Appended {
        first: Position(first),
        last: Position(last),
    })
}

fn away(error: sqlx::Error) -> AppendError {
    AppendError::Unavailable(Unavailable::new("the event store", error))
}
