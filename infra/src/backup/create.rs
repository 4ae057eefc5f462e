//! Making a backup while the site goes on: one snapshot of the database, of which each run writes what the
//! one before didn't have.
//!
//! A panic must not wait for a backup: the small tables, which it empties, are read at once and let go of,
//! each in a short transaction in the same snapshot. While the log is read only the log is held, and a
//! panic ends that connection.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use domain::vault::State;
use futures::TryStreamExt as _;
use sha2::{Digest as _, Sha256};
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool};
use time::OffsetDateTime;
use tokio::sync::mpsc;

use super::folder::{self, Folder};
use super::manifest::{Body, Growing, Piece, Readers, Series, Standing};
use super::rows::LogWriter;
use super::{BackupError, tables};
use crate::panic::tuple::COLUMNS;
use crate::step;
use crate::vault::{Row, Vault, state};

/// Bytes that are handed on at once.
const CHUNK: usize = 1 << 20;

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Made {
    /// The folder of the series.
    pub series: PathBuf,
    /// Whether the series began with this run.
    pub began: bool,
    /// The last position that is in it.
    pub position: i64,
    /// Events that this run added.
    pub added: i64,
    /// Bytes that this run wrote.
    pub bytes: u64,
    /// The chain's hash at the last position, as hex.
    pub chain: String,
    /// The Merkle root of all leaves, as hex.
    pub root: String,
    /// Whether the store is sealed, so that the Panic Password alone opens it.
    pub sealed: bool,
    /// Whether the Panic Password opens the backup.
    pub password: bool,
}

/// What is the same for a whole run.
struct Snapshot {
    name: String,
    row: Row,
    position: i64,
    chain: Vec<u8>,
    earliest: i64,
}

/// A series, and how far it is.
pub(super) struct Target {
    pub(super) path: PathBuf,
    pub(super) series: Series,
    upto: Standing,
    pieces: Vec<Piece>,
    /// The number of the next file.
    pub(super) next: u64,
    /// The files of the manifest that there is.
    named: HashSet<u64>,
    began: bool,
}

/// Writes what is new into a folder; `seen` is told up to which position, and up to which it goes.
pub async fn create(
    pool: &PgPool,
    vault: &Vault,
    path: &Path,
    anew: bool,
    seen: impl FnMut(i64, i64),
) -> Result<Made, BackupError> {
    let folder = Folder::take(path)?;
    // Its session goes with it, whatever is left open there.
    let mut connection = pool.acquire().await?.detach();
    let began = "begin transaction isolation level repeatable read read only";
    connection.execute(began).await?;
    let snapshot = look(&mut connection, vault).await?;
    let slot = vault.own_slot().await?;
    let boot = vault.is_open().then(|| vault.backup_key()).transpose()?;
    let readers = Readers { boot, slot };
    let mark = mark(pool, &snapshot).await?;
    let target = match found(&folder, &mut connection, &snapshot, &readers, mark, anew).await? {
        Continued::Nothing(series) => return unchanged(series, &snapshot, &mut connection).await,
        Continued::At(target) => *target,
        Continued::Anew => Target {
            path: folder.begin()?,
            series: Series::fresh(),
            upto: Standing::default(),
            pieces: vec![],
            next: 1,
            named: HashSet::new(),
            began: true,
        },
    };
    let (path, named) = (target.path.clone(), target.named.clone());
    let written = write(
        pool,
        &mut connection,
        &snapshot,
        target,
        (readers, mark),
        seen,
    )
    .await;
    // The connection goes, and the snapshot with it.
    let _closed = connection.close().await;
    match written {
        Ok(written) => put(written).await,
        Err(error) => {
            // What was written takes no room any more; what can't be removed, the next run removes.
            folder::tidy(&path, &named);
            Err(error)
        }
    }
}

/// What a run wrote, and the manifest that names it.
struct Written {
    made: Made,
    manifest: Vec<u8>,
    named: HashSet<u64>,
}

/// Puts the manifest in the place of the one before. From then on the files of before are the ones too many.
async fn put(written: Written) -> Result<Made, BackupError> {
    let Written {
        made,
        manifest,
        named,
    } = written;
    let putting = tokio::task::spawn_blocking(move || {
        folder::replace(&made.series, &manifest)?;
        folder::tidy(&made.series, &named);
        Ok(made)
    });
    putting.await?
}

/// Looks how the store stands.
async fn look(connection: &mut PgConnection, vault: &Vault) -> Result<Snapshot, BackupError> {
    let name: String = sqlx::query_scalar("select pg_export_snapshot()")
        .fetch_one(&mut *connection)
        .await?;
    let row = state::read(&mut *connection).await?.unwrap_or_default();
    let fits = match row.state {
        State::Open => vault.epoch() == Some(row.epoch),
        State::Sealed => !vault.is_open(),
        State::Sealing | State::Restoring => false,
    };
    if !fits {
        return Err(BackupError::Moving);
    }
    let head: Option<(i64, Vec<u8>)> =
        sqlx::query_as("select position, chain from event_log order by position desc limit 1")
            .fetch_optional(&mut *connection)
            .await?;
    let (position, chain) = head.unwrap_or_default();
    Ok(Snapshot {
        name,
        row,
        position,
        chain,
        earliest: earliest(connection).await?,
    })
}

/// Gives the position before which today's keys don't fit the log: the vault stood otherwise, or a member
/// was there whose key is destroyed.
async fn earliest(connection: &mut PgConnection) -> Result<i64, BackupError> {
    let earliest: Option<i64> = sqlx::query_scalar(
        "select max(position) from event_log
         where (stream_type = 'vault' and stream_id = $1 and event_type <> 'KeysRotated')
            or (stream_type = 'user' and event_type = 'MemberErased'
                and stream_id in (select subject from data_key where wrapped is null))",
    )
    .bind(domain::vault::VAULT)
    .fetch_one(connection)
    .await?;
    Ok(earliest.unwrap_or(0))
}

/// Says whether a sealed store is still the same, without saying anything about it.
async fn mark(pool: &PgPool, snapshot: &Snapshot) -> Result<[u8; 32], BackupError> {
    let beside: String = sqlx::query_scalar(
        "select concat((select max(id) from outer_key), ' ', (select max(id) from sealed_traffic))",
    )
    .fetch_one(pool)
    .await?;
    Ok(Sha256::new()
        .chain_update(b"opentracker/backup-mark/v1")
        .chain_update(&snapshot.row.check)
        .chain_update(snapshot.row.epoch.to_be_bytes())
        .chain_update(&snapshot.chain)
        .chain_update(beside)
        .finalize()
        .into())
}

/// How a folder is gone on with.
enum Continued {
    /// It has all there is.
    Nothing(PathBuf),
    At(Box<Target>),
    Anew,
}

/// Finds the series that can be gone on with.
async fn found(
    folder: &Folder,
    connection: &mut PgConnection,
    snapshot: &Snapshot,
    readers: &Readers,
    mark: [u8; 32],
    anew: bool,
) -> Result<Continued, BackupError> {
    let newest = if anew { None } else { folder.newest()? };
    let Some(path) = newest else {
        return Ok(Continued::Anew);
    };
    let manifest = folder::manifest(&path)?;
    let Some(boot) = &readers.boot else {
        let same = manifest.head.mark == mark && !manifest.has_boot();
        return Ok(if same {
            Continued::Nothing(path)
        } else {
            Continued::Anew
        });
    };
    // Other keys, as after a panic or a rotation: what is there stays, and another series begins.
    let Some(series) = manifest.by_boot(boot) else {
        return Ok(Continued::Anew);
    };
    let body = manifest.body(&series)?;
    if body.upto.position > 0 {
        let there: Option<Vec<u8>> =
            sqlx::query_scalar("select chain from event_log where position = $1")
                .bind(body.upto.position)
                .fetch_optional(&mut *connection)
                .await?;
        if there.as_ref() != Some(&body.upto.chain) || body.upto.position > snapshot.position {
            let path = path.parent().unwrap_or(&path).display().to_string();
            return Err(BackupError::Foreign(path));
        }
    }
    Ok(Continued::At(Box::new(Target {
        named: body.named(),
        path,
        series,
        upto: body.upto,
        pieces: body.pieces,
        next: body.next,
        began: false,
    })))
}

/// Tells of a sealed store that was backed up before.
async fn unchanged(
    series: PathBuf,
    snapshot: &Snapshot,
    connection: &mut PgConnection,
) -> Result<Made, BackupError> {
    let mut tree = crate::merkle::Tree::default();
    let mut leaves =
        sqlx::query_scalar("select leaf from event_log order by position").fetch(&mut *connection);
    while let Some(leaf) = leaves.try_next().await? {
        let leaf: Vec<u8> = leaf;
        let leaf = leaf.try_into().map_err(|_| BackupError::Broken(0))?;
        tree.push(&leaf);
    }
    Ok(Made {
        series,
        began: false,
        position: snapshot.position,
        added: 0,
        bytes: 0,
        chain: hex::encode(&snapshot.chain),
        root: hex::encode(tree.root()),
        sealed: true,
        password: true,
    })
}

async fn write(
    pool: &PgPool,
    connection: &mut PgConnection,
    snapshot: &Snapshot,
    mut target: Target,
    (readers, mark): (Readers, [u8; 32]),
    seen: impl FnMut(i64, i64),
) -> Result<Written, BackupError> {
    let before = target.upto.position;
    let whole = tables::whole(pool, &snapshot.name, &mut target).await?;
    // What was emptied in between wouldn't belong to the snapshot.
    let now = state::read(pool).await?.unwrap_or_default();
    if now.epoch != snapshot.row.epoch {
        return Err(BackupError::Moving);
    }
    step::reached("backup tables");
    let claims = sqlx::query_scalar("select count(*) from unique_claim")
        .fetch_one(&mut *connection)
        .await?;
    let sequences = tables::sequences(connection).await?;
    log(connection, snapshot, &mut target, seen).await?;
    for of in [Growing::Flushes, Growing::Claims] {
        let (after, upto) = (before, snapshot.position);
        let piece = tables::stretch(connection, of, &mut target, after, upto).await?;
        target.pieces.extend(piece);
    }
    let body = Body {
        made_at: OffsetDateTime::now_utc().unix_timestamp(),
        upto: target.upto,
        state: snapshot.row.state.name().to_owned(),
        earliest: snapshot.earliest,
        claims,
        brought: tables::brought(connection).await?,
        next: target.next,
        pieces: target.pieces,
        whole,
        sequences,
    };
    let manifest = target.series.write(&body, mark, &readers)?;
    let made = Made {
        series: target.path,
        began: target.began,
        position: body.upto.position,
        added: body.upto.position - before,
        bytes: written(&body, before) + u64::try_from(manifest.len()).unwrap_or(0),
        chain: hex::encode(&body.upto.chain),
        root: hex::encode(body.upto.tree.root()),
        sealed: snapshot.row.state == State::Sealed,
        password: readers.slot.is_some(),
    };
    Ok(Written {
        made,
        manifest,
        named: body.named(),
    })
}

/// Gives the bytes of what a run wrote.
fn written(body: &Body, before: i64) -> u64 {
    let new = body.pieces.iter().filter(|piece| piece.after >= before);
    let pieces: u64 = new.map(|piece| piece.sheet.bytes).sum();
    let whole: u64 = body.whole.iter().map(|(_, sheet)| sheet.bytes).sum();
    pieces + whole
}

/// Writes what is new of the log: one connection reads, while a core follows the chain and encrypts.
async fn log(
    connection: &mut PgConnection,
    snapshot: &Snapshot,
    target: &mut Target,
    seen: impl FnMut(i64, i64),
) -> Result<(), BackupError> {
    let (after, last) = (target.upto.position, snapshot.position);
    if last == after {
        return Ok(());
    }
    let upto = std::mem::take(&mut target.upto);
    let writer = LogWriter::new(&target.path, &target.series.key, upto, target.next);
    let (to, rows) = mpsc::channel(4);
    let far = Arc::new(AtomicI64::new(after));
    let writing = {
        let far = Arc::clone(&far);
        tokio::task::spawn_blocking(move || writer.run(rows, &far))
    };
    let read = read(connection, (after, last), to, &far, seen).await;
    // Where the writer failed, the reader only tells that nobody listens.
    let written = writing.await??;
    read?;
    if written.upto.position != last {
        return Err(BackupError::Broken(written.upto.position + 1));
    }
    target.upto = written.upto;
    target.pieces.extend(written.pieces);
    target.next = written.next;
    Ok(())
}

/// Reads rows of the log and hands them on, many at once.
async fn read(
    connection: &mut PgConnection,
    (after, last): (i64, i64),
    to: mpsc::Sender<Vec<u8>>,
    far: &AtomicI64,
    mut seen: impl FnMut(i64, i64),
) -> Result<(), sqlx::Error> {
    let query = format!(
        "copy (select {COLUMNS} from event_log where position > {after} and position <= {last} order by position)
         to stdout (format binary)"
    );
    let mut stream = connection.copy_out_raw(&query).await?;
    let mut chunk = Vec::with_capacity(CHUNK + CHUNK / 8);
    loop {
        let more = stream.try_next().await?;
        let ended = more.is_none();
        chunk.extend_from_slice(&more.unwrap_or_default());
        if chunk.len() >= CHUNK || ended {
            let next = Vec::with_capacity(CHUNK + CHUNK / 8);
            let sent = to.send(std::mem::replace(&mut chunk, next)).await;
            seen(far.load(Ordering::Relaxed), last);
            if ended || sent.is_err() {
                return Ok(());
            }
        }
    }
}
