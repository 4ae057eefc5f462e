//! Where a backup stands: a folder with a numbered folder for each series, and in that the files and the
//! manifest that names them.
//!
//! Files are written first, the manifest is put in place of the one before in one step, and what no
//! manifest names any more is removed. So whatever ends a run, the last manifest is whole.

use std::collections::HashSet;
use std::fmt::Display;
use std::fs::{DirBuilder, DirEntry, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::str::FromStr;

use nix::fcntl::{Flock, FlockArg};

use super::file::MAGIC;
use super::manifest::Manifest;
use super::{BackupError, unusable};
use crate::step;

/// The file that names the others.
const MANIFEST: &str = "manifest";
/// The one that will.
const NEW: &str = "manifest.new";

/// A folder that this run has for itself.
pub(super) struct Folder {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Keeps others from a folder.
fn hold(path: &Path, file: File, how: FlockArg) -> Result<Flock<File>, BackupError> {
    Flock::lock(file, how).map_err(|_| BackupError::Busy(path.display().to_string()))
}

/// Keeps those who write from the folder of a series while it is read, where it can be written at all.
pub(super) fn hold_to_read(series: &Path) -> Result<Option<Flock<File>>, BackupError> {
    let folder = series.parent().unwrap_or(series);
    match File::open(folder.join("lock")) {
        Ok(file) => hold(folder, file, FlockArg::LockSharedNonblock).map(Some),
        Err(_) => Ok(None),
    }
}

/// Gives the series in a folder, or of a folder that is one: the newest that has a manifest.
pub(super) fn newest(path: &Path) -> Result<Option<PathBuf>, BackupError> {
    if path.join(MANIFEST).is_file() {
        return Ok(Some(path.to_owned()));
    }
    let found = numbered(path)?.into_iter().rev();
    let mut found = found.map(|(_, series)| series);
    Ok(found.find(|series| series.join(MANIFEST).is_file()))
}

/// Gives the folders that are called as series are, the oldest first.
fn numbered(path: &Path) -> Result<Vec<(u32, PathBuf)>, BackupError> {
    let entries = match std::fs::read_dir(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(vec![]),
        entries => entries.map_err(unusable(path))?,
    };
    let mut found: Vec<(u32, PathBuf)> = entries
        .flatten()
        .filter_map(|entry| Some((number(&entry, 4)?, entry.path())))
        .collect();
    found.sort_unstable();
    Ok(found)
}

/// Gives the number that an entry is called by, with so many digits at least.
fn number<N: FromStr + Display>(entry: &DirEntry, digits: usize) -> Option<N> {
    let name = entry.file_name().into_string().ok()?;
    let number = name.parse().ok()?;
    (name == format!("{number:0digits$}")).then_some(number)
}

/// Reads the manifest of a series.
pub(super) fn manifest(series: &Path) -> Result<Manifest, BackupError> {
    let path = series.join(MANIFEST);
    Manifest::read(&std::fs::read(&path).map_err(unusable(&path))?)
}

/// Names a file of a series.
pub(super) fn file(series: &Path, number: u64) -> PathBuf {
    series.join(format!("{number:08}"))
}

impl Folder {
    /// Makes the folder where there is none, and takes it.
    pub(super) fn take(path: &Path) -> Result<Self, BackupError> {
        make(path)?;
        let name = path.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .mode(0o600)
            .open(&name)
            .map_err(unusable(&name))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: hold(path, file, FlockArg::LockExclusiveNonblock)?,
        })
    }

    /// Gives the newest series.
    pub(super) fn newest(&self) -> Result<Option<PathBuf>, BackupError> {
        newest(&self.path)
    }

    /// Makes the folder of another series; of one that never had a manifest the files go.
    pub(super) fn begin(&self) -> Result<PathBuf, BackupError> {
        let mut last = 0;
        for (number, series) in numbered(&self.path)? {
            if series.join(MANIFEST).exists() {
                last = number;
            } else {
                tidy(&series, &HashSet::new());
            }
        }
        let called = |number| self.path.join(format!("{number:04}"));
        let mut next = last + 1;
        while called(next).exists() {
            // It is somebody else's.
            next += 1;
        }
        let series = called(next);
        make(&series)?;
        sync(&self.path)?;
        Ok(series)
    }
}

fn make(path: &Path) -> Result<(), BackupError> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(path);
    made.map_err(unusable(path))
}

fn sync(folder: &Path) -> Result<(), BackupError> {
    let synced = File::open(folder).and_then(|file| file.sync_all());
    synced.map_err(unusable(folder))
}

/// Puts a manifest in the place of the one before.
pub(super) fn replace(series: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    // The files that it names are on the disk; so must be their names.
    sync(series)?;
    let new = series.join(NEW);
    let written = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .and_then(|mut file| file.write_all(bytes).and_then(|()| file.sync_all()));
    written.map_err(unusable(&new))?;
    step::reached("backup written");
    std::fs::rename(&new, series.join(MANIFEST)).map_err(unusable(&new))?;
    sync(series)?;
    step::reached("backup made");
    Ok(())
}

/// Tells whether a file begins as ours do; one that a run had no time to begin is empty.
fn is_ours(entry: &DirEntry) -> bool {
    let mut front = vec![];
    let read = File::open(entry.path()).and_then(|file| {
        let most = u64::try_from(MAGIC.len()).unwrap_or(0);
        file.take(most).read_to_end(&mut front)
    });
    read.is_ok() && MAGIC.starts_with(&front)
}

/// Removes files of ours that the manifest doesn't name, and the folder where it has none and nothing else is
/// in it. What can't be removed harms nothing, and the next run tries again.
pub(super) fn tidy(series: &Path, named: &HashSet<u64>) {
    for entry in std::fs::read_dir(series).into_iter().flatten().flatten() {
        let number = number(&entry, 8);
        let needless = number.is_some_and(|number| !named.contains(&number)) && is_ours(&entry);
        if (needless || entry.file_name() == NEW)
            && let Err(error) = std::fs::remove_file(entry.path())
        {
            tracing::warn!(%error, file = %entry.path().display(), "a file that no backup needs is still there");
        }
    }
    if !series.join(MANIFEST).exists() {
        let _others = std::fs::remove_dir(series);
    }
}
