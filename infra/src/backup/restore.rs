//! Bringing a backup into an empty database: all of it in one transaction, so it is there whole or not at
//! all.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::Position;
use domain::vault::State;
use nix::fcntl::Flock;
use sqlx::{Executor as _, PgConnection, PgPool};
use time::OffsetDateTime;

use super::BackupError;
use super::folder;
use super::manifest::{Body, Manifest, Series};
use super::rows::Last;
use crate::audit::{Audit, Verified};
use crate::panic::restore as panic;
use crate::seal::Key;
use crate::step;
use crate::vault::{Recipient, Secret, Slot, Vault, copy};
use crate::{postgres, vault};

mod load;

use load::load;

/// Seconds from 1970 to 2000.
const EPOCH: i64 = 946_684_800;

/// A backup that isn't opened yet.
pub struct Found {
    series: PathBuf,
    manifest: Manifest,
    lock: Option<Flock<std::fs::File>>,
}

/// What opens a backup.
pub enum Given {
    /// The master key, in a file.
    Key(PathBuf),
    /// What the Panic Password makes.
    Secret(Secret),
}

/// A backup, opened.
pub struct Backup {
    path: PathBuf,
    manifest: Manifest,
    series: Series,
    body: Body,
    given: Given,
    _lock: Option<Flock<std::fs::File>>,
}

/// Up to where a backup is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum At {
    /// All of it.
    End,
    /// Up to this position.
    Position(i64),
    /// Up to what was recorded at this time.
    Time(OffsetDateTime),
}

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// How many events there are, and what proves them.
    pub verified: Verified,
    /// Whether their contents were proved, or their hashes alone.
    pub contents: bool,
    /// How the vault stands.
    pub state: String,
    /// How long it took to load the rows.
    pub loaded: Duration,
    /// How long it took to prove them.
    pub proved: Duration,
}

impl std::fmt::Debug for Found {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Found").field(&self.series).finish()
    }
}

impl std::fmt::Debug for Backup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Backup").field(&self.path).finish()
    }
}

impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Given")
    }
}

/// Finds the newest series of a folder, or the one that the folder is.
pub fn find(path: &Path) -> Result<Found, BackupError> {
    let none = || BackupError::None(path.display().to_string());
    // A path without a folder above it still has one.
    let path = path.canonicalize().map_err(|_| none())?;
    let series = folder::newest(&path)?.ok_or_else(none)?;
    let lock = folder::hold_to_read(&series)?;
    Ok(Found {
        manifest: folder::manifest(&series)?,
        series,
        lock,
    })
}

impl Found {
    /// Gives what the Panic Password opens, if it opens this backup.
    pub fn recipient(&self) -> Option<&Recipient> {
        self.manifest.recipient()
    }

    /// Tells whether the master key opens it: not where it was made while sealed.
    pub fn has_boot(&self) -> bool {
        self.manifest.has_boot()
    }

    /// Tells whether a master key's file opens it.
    pub fn opens(&self, path: &Path) -> bool {
        opens(&self.manifest, path)
    }

    /// Opens it, and refuses it where a root is asked for that it doesn't have.
    pub fn open(self, given: Given, root: Option<&str>) -> Result<Backup, BackupError> {
        let series = match &given {
            Given::Key(path) => {
                let boot = copy::backup_key(&copy::read_key(path)?)?;
                let wrong = || BackupError::NotTheKey(path.display().to_string());
                self.manifest.by_boot(&boot).ok_or_else(wrong)?
            }
            Given::Secret(secret) => self.manifest.by_secret(secret)?,
        };
        let body = self.manifest.body(&series)?;
        let found = hex::encode(body.upto.tree.root());
        if let Some(expected) = root.filter(|expected| !expected.eq_ignore_ascii_case(&found)) {
            let expected = expected.to_owned();
            return Err(BackupError::OtherRoot { found, expected });
        }
        Ok(Backup {
            path: self.series,
            manifest: self.manifest,
            series,
            body,
            given,
            _lock: self.lock,
        })
    }
}

impl Backup {
    /// Gives the last position in it.
    pub fn position(&self) -> i64 {
        self.body.upto.position
    }

    /// Gives when it was made.
    pub fn made_at(&self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.body.made_at).unwrap_or(OffsetDateTime::UNIX_EPOCH)
    }

    /// Gives the bytes of its files.
    pub fn bytes(&self) -> u64 {
        self.body.sheets().map(|sheet| sheet.bytes).sum()
    }

    fn is_open(&self) -> bool {
        self.body.state == State::Open.name()
    }

    fn last(&self, at: At) -> Result<Last, BackupError> {
        let refuse = |why: String| Err(BackupError::NoSuchMoment(why));
        let last = match at {
            At::End => return Ok(Last::Position(self.position())),
            At::Position(position) if position < 1 || position > self.position() => {
                return refuse(format!("the backup has events 1 to {}", self.position()));
            }
            At::Position(position) => Last::Position(position),
            At::Time(time) => {
                let seconds = time.unix_timestamp() - EPOCH;
                Last::Time(seconds * 1_000_000 + i64::from(time.microsecond()))
            }
        };
        if self.is_open() {
            Ok(last)
        } else {
            refuse("the backup is sealed: restore all of it, open it by the Panic Password, back it up and go back from there".to_owned())
        }
    }

    /// Refuses a moment at which there was nothing yet, and one before the vault last changed or a member
    /// was erased: the keys of today wouldn't fit that log.
    fn reaches(&self, position: i64, whole: bool) -> Result<(), BackupError> {
        if position < 1 && !whole {
            let why = "the backup's first event is from after that time".to_owned();
            return Err(BackupError::NoSuchMoment(why));
        }
        let earliest = self.body.earliest;
        if position >= earliest {
            return Ok(());
        }
        Err(BackupError::NoSuchMoment(format!(
            "the Panic Password was set or changed, the site came back from a panic, or a member was erased, at event {earliest}, and no earlier point than that can be restored from this series"
        )))
    }
}

/// Restores into the database of a connection string, which must be empty, and proves what is there then.
/// `seen` is told what is being done, how far it is and how far it goes.
pub async fn restore(
    backup: &Backup,
    url: &str,
    key: Option<&Path>,
    at: At,
    mut seen: impl FnMut(&'static str, i64, i64),
) -> Result<Restored, BackupError> {
    let last = backup.last(at)?;
    other_key(backup, key)?;
    let pool = postgres::connect_empty(url).await?;
    let done = into(backup, &pool, key, (last, at == At::End), &mut seen).await;
    pool.close().await;
    done
}

/// Restores into a scratch database and proves it there.
pub async fn prove(
    backup: &Backup,
    url: &str,
    seen: impl FnMut(&'static str, i64, i64),
) -> Result<Restored, BackupError> {
    restore(backup, url, None, At::End, seen).await
}

/// Refuses where another master key lies where this one would go.
fn other_key(backup: &Backup, key: Option<&Path>) -> Result<(), BackupError> {
    match key.filter(|path| path.exists() && backup.is_open()) {
        Some(path) if !opens(&backup.manifest, path) => {
            Err(BackupError::OtherKey(path.display().to_string()))
        }
        Some(_) | None => Ok(()),
    }
}

fn opens(manifest: &Manifest, path: &Path) -> bool {
    let boot = copy::read_key(path).and_then(|key| Ok(copy::backup_key(&key)?));
    boot.is_ok_and(|boot| manifest.by_boot(&boot).is_some())
}

async fn into(
    backup: &Backup,
    pool: &PgPool,
    key: Option<&Path>,
    (last, whole): (Last, bool),
    seen: &mut impl FnMut(&'static str, i64, i64),
) -> Result<Restored, BackupError> {
    if !postgres::is_empty(pool).await? {
        return Err(BackupError::NotEmpty(what(pool)));
    }
    let brought: Vec<(i64, Vec<u8>)> = backup
        .body
        .brought
        .iter()
        .map(|brought| (brought.version, brought.checksum.clone()))
        .collect();
    if !postgres::migrate_to(pool, &brought).await? {
        return Err(BackupError::Newer);
    }
    let began = Instant::now();
    let mut transaction = pool.begin().await?;
    load(backup, &mut transaction, (last, whole), seen).await?;
    let master = master(backup, &mut transaction).await?;
    // A database that is there without its key would be in the way of another try.
    if let (Some(path), Some(master)) = (key.filter(|path| !path.exists()), &master) {
        vault::put_key(path, master)?;
    }
    step::reached("backup loaded");
    transaction.commit().await?;
    step::reached("backup restored");
    let loaded = began.elapsed();
    let began = Instant::now();
    let verified = proved(pool, master.as_ref(), seen).await;
    Ok(Restored {
        verified: verified.map_err(|error| BackupError::Unproved(Box::new(error)))?,
        contents: master.is_some(),
        state: backup.body.state.clone(),
        loaded,
        proved: began.elapsed(),
    })
}

/// Brings what was restored to today's tables, and proves it.
async fn proved(
    pool: &PgPool,
    master: Option<&Key>,
    seen: &mut impl FnMut(&'static str, i64, i64),
) -> Result<Verified, BackupError> {
    postgres::migrate(pool).await?;
    // The planner knows nothing of the tables yet.
    pool.execute("analyze event_log, command_log, data_key, unique_claim")
        .await?;
    audit(pool, master, seen).await
}

fn what(pool: &PgPool) -> String {
    let options = pool.connect_options();
    let name = options.get_database().unwrap_or("postgres").to_owned();
    format!("the database {name}")
}

/// Gives the master key of what was restored; none where it is sealed.
async fn master(backup: &Backup, from: &mut PgConnection) -> Result<Option<Key>, BackupError> {
    if !backup.is_open() {
        return Ok(None);
    }
    match &backup.given {
        Given::Key(path) => Ok(Some(copy::read_key(path)?)),
        Given::Secret(secret) => {
            let slot = Slot::stored(&mut *from).await?;
            let slot = slot.ok_or(vault::NotOpened::Tampered)?;
            let proved = panic::prove_by(from, &slot, secret).await;
            let proved = proved.map_err(|_| vault::NotOpened::Tampered)?;
            Ok(Some(proved.master().clone()))
        }
    }
}

async fn audit(
    pool: &PgPool,
    master: Option<&Key>,
    seen: &mut impl FnMut(&'static str, i64, i64),
) -> Result<Verified, BackupError> {
    let mut seen = |at: Position, of: Position| seen("proved", at.0, of.0);
    let Some(master) = master else {
        let audit = Audit::new(pool.clone(), Arc::new(Vault::closed(pool.clone())));
        return Ok(audit.verify_closed(None, &mut seen).await?);
    };
    let vault = Vault::of_copy(pool.clone(), master.clone()).await?;
    let audit = Audit::new(pool.clone(), Arc::new(vault));
    Ok(audit.verify(None, &mut seen).await?)
}
