//! Proves that the log is what was appended: nothing changed, removed, swapped or put in.
//!
//! Every event's leaf commits to its place and, with a salt, to its plaintext; the chain links the
//! leaves; checkpoints in the log itself hold the Merkle root of the leaves since the one before.
//! Who holds the keys and the database together could write another log from the beginning, which
//! only a root or an export that is kept elsewhere shows.

use std::collections::{HashMap, HashSet};
use std::io::Write;
use std::sync::Arc;

use domain::Position;
use domain::audit::{Checkpoint, Digest};
use futures::TryStreamExt as _;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::appender::micros;
use crate::event_store::{COLUMNS, MOST_BYTES, Row};
use crate::merkle::Tree;
use crate::seal::{self, Envelope, Inside, Key, Place};
use crate::vault::{Vault, VaultError};

mod chain;
mod file;

use chain::{Check, Link, mismatch};
pub use file::verify as verify_file;

/// Events that are read at once.
const BATCH: i64 = 5_000;
/// Leaves that are read at once.
const LEAVES: i64 = 50_000;

/// Gives how long the commitment, leaf and link of so many events take, each of a payload's size.
pub fn chain_cost(events: u32, payload: &[u8]) -> std::time::Duration {
    let began = std::time::Instant::now();
    let mut chain = [0; 32];
    for position in 0..i64::from(events) {
        let envelope = Envelope {
            stream_type: "torrent",
            stream: Uuid::from_u128(7),
            sequence: position,
            name: "TorrentUploaded",
            version: 1,
            key_id: 1,
        };
        let place = Place {
            position,
            envelope,
            command: Uuid::from_u128(8),
            recorded_at: position,
        };
        let leaf = seal::leaf(&place, &seal::commitment(payload));
        chain = seal::link(&chain, &leaf);
    }
    std::hint::black_box(chain);
    began.elapsed()
}

/// The auditor's view of the log.
#[derive(Debug, Clone)]
pub struct Audit {
    pool: PgPool,
    vault: Arc<Vault>,
}

/// A log that fits together.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// How many events there are.
    pub events: i64,
    /// Of how many of them the content went with an erased member.
    #[serde(default)]
    pub erased: i64,
    /// The last position.
    pub position: Position,
    /// The chain's hash there, as hex.
    pub chain: String,
    /// The Merkle root of all leaves (RFC 6962), as hex.
    pub root: String,
}

impl Verified {
    fn of(check: &Check) -> Self {
        Self {
            events: check.position().0,
            erased: check.erased(),
            position: check.position(),
            chain: check.chain(),
            root: check.root(),
        }
    }
}

/// The first event that doesn't fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("event {event} doesn't fit: {reason}")]
pub struct Mismatch {
    /// Where it stands, or should.
    pub event: Position,
    /// What is wrong with it.
    pub reason: String,
}

impl Mismatch {
    fn after(found: &Verified, reason: &'static str) -> Self {
        mismatch(found.position.0 + 1, reason)
    }
}

/// Why there is no verdict, or which it is.
#[derive(Debug, thiserror::Error)]
pub enum AuditError {
    /// The log doesn't fit together.
    #[error(transparent)]
    Mismatch(#[from] Mismatch),
    /// The database can't be read.
    #[error("the log can't be read")]
    Database(#[from] sqlx::Error),
    /// The file can't be read or written.
    #[error("the file can't be used: {0}")]
    File(#[source] std::io::Error),
    /// The program is shutting down.
    #[error("the audit was cut off")]
    CutOff,
}

/// A row with its hashes.
#[derive(sqlx::FromRow)]
struct Stored {
    #[sqlx(flatten)]
    row: Row,
    leaf: Vec<u8>,
    chain: Vec<u8>,
}

/// Rows, the keys that open them, and nothing in place of those of erased members, whose streams are
/// named.
struct Batch {
    rows: Vec<Stored>,
    keys: HashMap<i32, Option<Key>>,
    erased: HashSet<Uuid>,
}

impl Audit {
    /// Makes the auditor's view.
    pub fn new(pool: PgPool, vault: Arc<Vault>) -> Self {
        Self { pool, vault }
    }

    /// Verifies the log up to a position, or all of it; `seen` is told how far it is, and how far it
    /// must go.
    pub async fn verify(
        &self,
        upto: Option<Position>,
        seen: impl FnMut(Position, Position),
    ) -> Result<Verified, AuditError> {
        self.walk(upto, None, seen).await
    }

    /// Verifies what can be without a key: that no event is missing, that times don't go back, and that
    /// the leaves make the chain. Gives the same chain and root as [`Self::verify`].
    pub async fn verify_closed(
        &self,
        upto: Option<Position>,
        mut seen: impl FnMut(Position, Position),
    ) -> Result<Verified, AuditError> {
        let (head, answered) = self.ends().await?;
        let upto = upto.map_or(head, |upto| upto.min(head));
        let mut check = Check::default();
        let mut found = sqlx::query_as(
            "select position, recorded_at, leaf, chain,
                    exists (select from data_key k where k.key_id = e.key_id and k.wrapped is null)
             from event_log e where position <= $1 order by position",
        )
        .bind(upto.0)
        .fetch(&self.pool);
        while let Some((position, recorded_at, leaf, chain, is_erased)) = found.try_next().await? {
            let recorded_at: OffsetDateTime = recorded_at;
            let (leaf, chain): (Vec<u8>, Vec<u8>) = (leaf, chain);
            check.take_leaf(
                position,
                micros(recorded_at),
                hash(&leaf, position)?,
                &chain,
                is_erased,
            )?;
            if position % BATCH == 0 {
                seen(Position(position), upto);
            }
        }
        complete(&check, upto, head, answered)
    }

    /// Verifies the log and writes it as JSON lines; [`verify_file`] reads them.
    pub async fn export(
        &self,
        to: &mut (dyn Write + Send),
        seen: impl FnMut(Position, Position),
    ) -> Result<Verified, AuditError> {
        let mut to = to;
        let verified = self.walk(None, Some(&mut *to), seen).await?;
        file::finish(&mut to, &verified)?;
        Ok(verified)
    }

    async fn walk(
        &self,
        upto: Option<Position>,
        mut to: Option<&mut (dyn Write + Send)>,
        mut seen: impl FnMut(Position, Position),
    ) -> Result<Verified, AuditError> {
        let (head, answered) = self.ends().await?;
        let upto = upto.map_or(head, |upto| upto.min(head));
        let writes = to.is_some();
        let mut check = Check::default();
        let mut batch = self.read(check.position(), upto).await?;
        while let Some(last) = batch
            .rows
            .last()
            .map(|stored| Position(stored.row.position))
        {
            // One core opens and hashes while the database reads on.
            let checking = tokio::task::spawn_blocking(move || {
                let lines = take_all(&mut check, &batch, writes);
                (check, lines)
            });
            let (checked, next) = tokio::join!(checking, self.read(last, upto));
            let (so_far, lines) = checked.map_err(|_| AuditError::CutOff)?;
            let lines = lines?;
            check = so_far;
            if let Some(to) = to.as_mut() {
                to.write_all(&lines).map_err(AuditError::File)?;
            }
            seen(check.position(), upto);
            batch = next?;
        }
        complete(&check, upto, head, answered)
    }

    /// Gives the last position, and the last that a command was answered with.
    async fn ends(&self) -> Result<(Position, Position), sqlx::Error> {
        let (head, answered): (Option<i64>, Option<i64>) = sqlx::query_as(
            "select (select max(position) from event_log), (select max(last_pos) from command_log)",
        )
        .fetch_one(&self.pool)
        .await?;
        Ok((Position(head.unwrap_or(0)), Position(answered.unwrap_or(0))))
    }

    async fn read(&self, after: Position, upto: Position) -> Result<Batch, AuditError> {
        let query = format!(
            "select {COLUMNS}, leaf, chain from event_log
             where position > $1 and position <= $2 order by position"
        );
        // A stretch of the log, so that nobody sorts the rest of it; where it is empty, it was removed.
        let mut found = sqlx::query_as(&query)
            .bind(after.0)
            .bind(upto.0.min(after.0 + BATCH))
            .fetch(&self.pool);
        let (mut rows, mut bytes) = (vec![], 0);
        while bytes < MOST_BYTES
            && let Some(stored) = found.try_next().await?
        {
            let stored: Stored = stored;
            bytes += stored.row.sealed.len();
            rows.push(stored);
        }
        drop(found);
        let ids: HashSet<i32> = rows.iter().map(|stored| stored.row.key_id).collect();
        let mut keys = HashMap::new();
        for id in ids {
            match self.vault.opening(id).await {
                Ok(key) => {
                    keys.insert(id, Some(key));
                }
                Err(VaultError::Erased) => {
                    keys.insert(id, None);
                }
                // An event whose key is gone or was changed is told as one that doesn't open.
                Err(VaultError::Database(sqlx::Error::RowNotFound) | VaultError::Tampered(_)) => {}
                Err(VaultError::Database(error)) => return Err(error.into()),
                Err(_) => return Err(AuditError::CutOff),
            }
        }
        let erased = self.erased(&rows, &keys).await?;
        Ok(Batch { rows, keys, erased })
    }

    /// Gives whose streams of those that can't be opened say that their member was erased.
    async fn erased(
        &self,
        rows: &[Stored],
        keys: &HashMap<i32, Option<Key>>,
    ) -> Result<HashSet<Uuid>, sqlx::Error> {
        let is_gone = |stored: &&Stored| matches!(keys.get(&stored.row.key_id), Some(None));
        let gone = rows.iter().filter(is_gone);
        let gone: HashSet<Uuid> = gone.map(|stored| stored.row.stream_id).collect();
        if gone.is_empty() {
            return Ok(gone);
        }
        let told: Vec<Uuid> = sqlx::query_scalar(
            "select stream_id from event_log
             where stream_type = 'user' and stream_id = any($1) and event_type = 'MemberErased'",
        )
        .bind(gone.into_iter().collect::<Vec<_>>())
        .fetch_all(&self.pool)
        .await?;
        Ok(told.into_iter().collect())
    }

    /// Gives a checkpoint over what came since the last one, unless nothing but it did.
    pub async fn checkpoint(&self) -> Result<Option<Checkpoint>, AuditError> {
        let last: Option<Row> = sqlx::query_as(&format!(
            "select {COLUMNS} from event_log
             where stream_type = 'audit' and stream_id = $1 order by sequence desc limit 1"
        ))
        .bind(domain::audit::CHECKPOINTS)
        .fetch_optional(&self.pool)
        .await?;
        let (after, own) = match last {
            Some(row) => {
                let own = Position(row.position);
                (self.covered(row).await?, own)
            }
            None => (Position(0), Position(0)),
        };
        let (head, _) = self.ends().await?;
        if head <= own {
            return Ok(None);
        }
        let mut tree = Tree::default();
        let mut position = after;
        let mut chain = vec![];
        while position < head {
            let leaves: Vec<(i64, Vec<u8>, Vec<u8>)> = sqlx::query_as(
                "select position, leaf, chain from event_log
                 where position > $1 and position <= $2 order by position",
            )
            .bind(position.0)
            .bind(head.0.min(position.0 + LEAVES))
            .fetch_all(&self.pool)
            .await?;
            if leaves.is_empty() {
                return Err(mismatch(position.0 + 1, "it is missing").into());
            }
            for (at, leaf, linked) in leaves {
                if at != position.0 + 1 {
                    return Err(mismatch(position.0 + 1, "it is missing").into());
                }
                tree.push(&hash(&leaf, at)?);
                position = Position(at);
                chain = linked;
            }
        }
        Ok(Some(Checkpoint {
            after,
            upto: head,
            chain: Digest(hash(&chain, head.0)?),
            root: Digest(tree.root()),
        }))
    }

    async fn covered(&self, row: Row) -> Result<Position, AuditError> {
        let position = row.position;
        let opened = crate::event_store::open(&self.vault, row).await;
        match opened.map(|event| event.fact) {
            Ok(domain::Fact::Audit(domain::audit::Event::CheckpointSet(checkpoint))) => {
                Ok(checkpoint.upto)
            }
            _ => Err(mismatch(position, "it isn't a checkpoint").into()),
        }
    }
}

/// Gives what was verified, if nothing that was acknowledged is gone from the end.
fn complete(
    check: &Check,
    upto: Position,
    head: Position,
    answered: Position,
) -> Result<Verified, AuditError> {
    let verified = Verified::of(check);
    if verified.position < upto {
        return Err(Mismatch::after(&verified, "it is missing").into());
    }
    if upto == head && head < answered {
        return Err(Mismatch::after(&verified, "it was acknowledged, and is gone").into());
    }
    Ok(verified)
}

fn hash(bytes: &[u8], position: i64) -> Result<[u8; 32], Mismatch> {
    bytes
        .try_into()
        .map_err(|_| mismatch(position, "its hash has another length"))
}

/// Checks a batch; gives its lines where they are wanted.
fn take_all(check: &mut Check, batch: &Batch, writes: bool) -> Result<Vec<u8>, AuditError> {
    let mut lines = vec![];
    for Stored { row, leaf, chain } in &batch.rows {
        let sealed = || {
            mismatch(
                row.position,
                "its sealed content doesn't open: it, its stream, its sequence, its type, its version or its key was changed",
            )
        };
        let envelope = row.envelope();
        let expected = check.position().0 + 1;
        if row.position != expected {
            return Err(mismatch(expected, "it is missing").into());
        }
        let Some(key) = batch.keys.get(&row.key_id).ok_or_else(sealed)? else {
            take_erased(check, batch, (row, leaf, chain))?;
            if writes {
                let line = file::Line::of(row, leaf, chain);
                write_line(
                    &mut lines,
                    &file::Line {
                        erased: true,
                        ..line
                    },
                )?;
            }
            continue;
        };
        let plain = seal::open_plain(key, &envelope, &row.sealed).map_err(|_| sealed())?;
        let place = Place {
            position: row.position,
            envelope,
            command: row.command_id,
            recorded_at: micros(row.recorded_at),
        };
        check.take(&Link {
            place,
            plain: Some(&plain),
            commitment: seal::commitment(&plain),
            leaf,
            chain,
        })?;
        if writes {
            line(&mut lines, row, &plain, leaf, chain)?;
        }
    }
    Ok(lines)
}

fn line(
    to: &mut Vec<u8>,
    row: &Row,
    plain: &[u8],
    leaf: &[u8],
    linked: &[u8],
) -> Result<(), AuditError> {
    let file = |error: serde_json::Error| AuditError::File(error.into());
    let inside: Inside = serde_json::from_slice(plain).map_err(file)?;
    let (inside, commitment) = if domain::history::has_secret(&inside.payload) {
        (None, Some(hex::encode(seal::commitment(plain))))
    } else {
        let plain = String::from_utf8_lossy(plain).into_owned();
        (Some(RawValue::from_string(plain).map_err(file)?), None)
    };
    let line = file::Line {
        inside,
        commitment,
        ..file::Line::of(row, leaf, linked)
    };
    write_line(to, &line)
}

fn write_line(to: &mut Vec<u8>, line: &file::Line) -> Result<(), AuditError> {
    serde_json::to_writer(&mut *to, line).map_err(|error| AuditError::File(error.into()))?;
    to.push(b'\n');
    Ok(())
}

/// Checks an event whose content went with its member: its place in the chain, and that they were erased.
fn take_erased(
    check: &mut Check,
    batch: &Batch,
    (row, leaf, chain): (&Row, &[u8], &[u8]),
) -> Result<(), Mismatch> {
    if !batch.erased.contains(&row.stream_id) {
        return Err(mismatch(row.position, NOT_ERASED));
    }
    let (position, at) = (row.position, micros(row.recorded_at));
    check.take_leaf(position, at, hash(leaf, position)?, chain, true)
}

/// What is wrong with an event whose key is gone for no reason.
const NOT_ERASED: &str = "its key was destroyed, and its member wasn't erased";
