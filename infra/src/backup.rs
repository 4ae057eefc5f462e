//! Backups of the event store: a folder of encrypted files to which each run adds what is new.
//!
//! What is kept is the log with the claims and the flush ledger, by position, and the small tables beside
//! it anew each time: keys, as they are wrapped, the vault's row, the panic slot. Read tables, snapshots
//! and the search index are made of the log. A folder holds series, of which the newest counts. Each has
//! a key of its own, which stands in its [`manifest`] twice: under the master key, and sealed to the
//! public key of the Panic Password, so making one takes no password and any machine opens it. Where that
//! is no longer possible (after a panic, with other keys, while sealed) another series begins.
//!
//! Reading order: [`manifest`] says what there is, [`file`] how it is encrypted, [`folder`] where it
//! stands, [`rows`] follows the chain through it, [`tables`] reads the rest, [`mod@create`] and [`mod@restore`] do the work.

use std::path::Path;

use crate::audit::AuditError;
use crate::postgres::{self, PostgresError};
use crate::seal::Unsealable;
use crate::vault::{NotOpened, VaultError};

mod create;
mod file;
mod folder;
mod manifest;
mod restore;
mod rows;
mod tables;

pub use create::{Made, create};
pub use restore::{At, Backup, Found, Given, Restored, find, prove, restore};

/// Why there is no backup, or none that can be restored.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// A file can't be read or written.
    #[error("{path} can't be used: {source}")]
    File {
        /// Which one.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Another run has the folder.
    #[error("another backup works in {0} just now; wait for it")]
    Busy(String),
    /// There is no whole backup.
    #[error("there is no backup in {0}")]
    None(String),
    /// Something in it was changed, is missing or belongs elsewhere.
    #[error("the backup is damaged: {0}")]
    Damaged(String),
    /// The folder holds a backup of another log.
    #[error(
        "{0} holds a backup of another log, or of this one when it was longer; give another folder, or begin another series with --anew"
    )]
    Foreign(String),
    /// The log itself is damaged.
    #[error("the log breaks at event {0}, so nothing was backed up; run opentracker audit verify")]
    Broken(i64),
    /// The vault is in between, or moved meanwhile.
    #[error("the vault is being changed just now; run it again once it is open or sealed")]
    Moving,
    /// The key or the password doesn't open it.
    #[error("{0} doesn't open this backup; nothing was changed")]
    NotTheKey(String),
    /// Another key lies where its own would go.
    #[error("{0} is another master key than this backup's: move it away; nothing was changed")]
    OtherKey(String),
    /// It was made while sealed, or without a Panic Password.
    #[error("this backup {0}")]
    OtherSecret(&'static str),
    /// The password is wrong.
    #[error("{0}; nothing was changed")]
    NotOpened(#[from] NotOpened),
    /// It isn't the backup that is asked for.
    #[error("the backup's root is {found}, and {expected} was asked for; nothing was changed")]
    OtherRoot {
        /// What it has.
        found: String,
        /// What was named.
        expected: String,
    },
    /// The moment can't be restored.
    #[error("{0}; nothing was changed")]
    NoSuchMoment(String),
    /// There is something where it should go.
    #[error(
        "{0} holds an event store already, and a backup is restored into an empty one alone; choose another --data-dir or database"
    )]
    NotEmpty(String),
    /// The program doesn't know the tables.
    #[error("this backup was made by a newer program; restore it with that one")]
    Newer,
    /// The database failed.
    #[error("the database failed: {0}")]
    Database(#[from] sqlx::Error),
    /// The database can't be used.
    #[error(transparent)]
    Postgres(#[from] PostgresError),
    /// Keys can't be had.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// What was restored doesn't fit together.
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// Everything is in the database, and can't be proved there.
    #[error(transparent)]
    Unproved(Box<Self>),
    /// The program is shutting down.
    #[error("the backup was cut off")]
    CutOff,
}

impl From<Unsealable> for BackupError {
    fn from(error: Unsealable) -> Self {
        Self::Vault(error.into())
    }
}

impl From<tokio::task::JoinError> for BackupError {
    fn from(_: tokio::task::JoinError) -> Self {
        Self::CutOff
    }
}

/// Says which file failed.
fn unusable(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.display().to_string();
    |source| BackupError::File { path, source }
}

/// Tells whether a database holds the log that has this chain at a position; nothing is changed there,
/// also where it is empty.
pub async fn is_of(url: &str, position: i64, chain: &str) -> Result<bool, BackupError> {
    let pool = postgres::connect_empty(url).await?;
    let empty = postgres::is_empty(&pool).await?;
    let query =
        "select exists (select from event_log where position = $1 and encode(chain, 'hex') = $2)";
    let held = if empty {
        false
    } else {
        sqlx::query_scalar(query)
            .bind(position)
            .bind(chain)
            .fetch_one(&pool)
            .await?
    };
    pool.close().await;
    Ok(held)
}
