//! Panic and restore: what is done about the vault besides its event.
//!
//! A panic is one transaction (`commands::vault`): the event, the state, and the wrapping key gone.
//! From there on nothing opens. What follows needs no key: [`darken`] empties what was derived, and
//! [`seal::run`] puts the outer layer on the log and fills the read tables with "[ENCRYPTED]".
//! [`restore`] takes it off again by the Panic Password. All of it goes on where it was cut off; an
//! advisory lock lets one of all nodes work.

use std::time::{Duration, Instant};

use sqlx::pool::PoolConnection;
use sqlx::{PgPool, Postgres};

use crate::vault::VaultError;

mod outer;
mod pass;
pub mod rehearse;
pub mod restore;
pub mod seal;
pub mod traffic;
pub(crate) mod tuple;

pub use pass::Moved;

/// Names the advisory lock of who works on the log or the read tables.
const WORK: i64 = 0x0074_7661_756c_7401;
/// Names the advisory lock of who restores.
const RESTORE: i64 = 0x0074_7661_756c_7402;

/// Why work on the vault stopped.
#[derive(Debug, thiserror::Error)]
pub enum WorkError {
    /// Another node or command does it.
    #[error("somebody else works on the vault just now")]
    Busy,
    /// The vault isn't in a state for it any more.
    #[error("the vault stands otherwise meanwhile")]
    Moved,
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// Keys can't be had.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The read tables can't be written.
    #[error(transparent)]
    Reads(#[from] projections::Unavailable),
    /// The log or the keys can't be written.
    #[error("{0}")]
    Refused(String),
}

impl From<crate::seal::Unsealable> for WorkError {
    fn from(error: crate::seal::Unsealable) -> Self {
        Self::Vault(error.into())
    }
}

/// Lets one of all nodes work, for as long as it holds this; a dead one's lock goes with its connection.
struct Alone(PoolConnection<Postgres>);

impl Alone {
    /// Takes a lock, or says that another has it.
    async fn take(pool: &PgPool, lock: i64) -> Result<Self, WorkError> {
        let mut connection = pool.acquire().await?;
        let alone: bool = sqlx::query_scalar("select pg_try_advisory_lock($1)")
            .bind(lock)
            .fetch_one(&mut *connection)
            .await?;
        if alone {
            Ok(Self(connection))
        } else {
            Err(WorkError::Busy)
        }
    }

    /// Takes a lock as soon as another lets go of it.
    async fn wait(pool: &PgPool, lock: i64, patience: Duration) -> Result<Self, WorkError> {
        let until = Instant::now() + patience;
        loop {
            match Self::take(pool, lock).await {
                Err(WorkError::Busy) if Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(50)).await;
                }
                taken => return taken,
            }
        }
    }

    /// Lets another work.
    async fn end(self) {
        // The connection goes, and the lock with it.
        let _closed = self.0.close().await;
    }
}
