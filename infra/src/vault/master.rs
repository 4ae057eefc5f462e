//! The master key's file: 64 hex digits, readable by its owner alone.
//!
//! Another key is first written beside it, and takes its place when the database knows of it, so that
//! at any moment one of the two opens the store.

use std::fs::{DirBuilder, File, OpenOptions, Permissions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use rand::Rng as _;
use zeroize::Zeroizing;

use super::{VaultError, keyring};
use crate::seal::Key;

/// Bytes of the file.
const LENGTH: usize = 65;

/// Reads the key, if the file is there.
pub(super) fn read(path: &Path) -> Result<Option<Key>, VaultError> {
    let text = match std::fs::read_to_string(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(failed(path, source)),
        Ok(text) => Zeroizing::new(text),
    };
    let mut key = Key::default();
    hex::decode_to_slice(text.trim(), key.as_mut_slice()).map_err(|_| {
        failed(
            path,
            std::io::Error::new(ErrorKind::InvalidData, "expected 64 hex digits"),
        )
    })?;
    Ok(Some(key))
}

/// Makes a key and its file; both are on disk before it is used.
pub(super) fn make(path: &Path) -> Result<Key, VaultError> {
    let key = keyring::random();
    put(path, &key)?;
    Ok(key)
}

/// Writes a key into a file that isn't there.
pub(super) fn put(path: &Path, key: &Key) -> Result<(), VaultError> {
    write(path, key).map_err(|source| failed(path, source))
}

/// Gives where the key that comes next is written.
pub(super) fn next(path: &Path) -> PathBuf {
    path.with_extension("next")
}

/// Writes the key that comes next, in place of one that never came.
pub(super) fn put_next(path: &Path, key: &Key) -> Result<(), VaultError> {
    let next = next(path);
    destroy(&next)?;
    put(&next, key)
}

/// Puts the key that comes next in the place of today's, which is overwritten; where another program was
/// faster, that is fine.
pub(super) fn adopt(path: &Path) -> Result<(), VaultError> {
    replace(path).map_err(|source| failed(path, source))
}

fn replace(path: &Path) -> std::io::Result<()> {
    // Opened before: whatever stands there afterwards is the new one.
    let old = match open_to_overwrite(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => None,
        opened => Some(opened?),
    };
    match std::fs::rename(next(path), path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        done => done?,
    }
    sync_folder(path)?;
    crate::step::reached("next key adopted");
    if let Some(old) = old {
        overwrite(old)?;
    }
    Ok(())
}

/// Overwrites a key's file and removes it; where there is none, or somebody else is faster, that is fine.
pub(super) fn destroy(path: &Path) -> Result<(), VaultError> {
    let destroyed = open_to_overwrite(path).and_then(|file| {
        overwrite(file)?;
        std::fs::remove_file(path)?;
        sync_folder(path)
    });
    match destroyed {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        done => done.map_err(|source| failed(path, source)),
    }
}

/// Opens a file that was made to be read alone.
fn open_to_overwrite(path: &Path) -> std::io::Result<File> {
    std::fs::set_permissions(path, Permissions::from_mode(0o600))?;
    OpenOptions::new().write(true).open(path)
}

fn overwrite(mut file: File) -> std::io::Result<()> {
    let mut noise = [0; LENGTH];
    rand::rng().fill_bytes(&mut noise);
    file.write_all(&noise)?;
    file.sync_all()
}

fn write(path: &Path, key: &Key) -> std::io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)?;
    let mut file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o400)
        .open(path)?;
    let text = Zeroizing::new(hex::encode(key.as_slice()));
    file.write_all(text.as_bytes())?;
    file.write_all(b"\n")?;
    file.sync_all()?;
    sync_folder(path)
}

fn sync_folder(of: &Path) -> std::io::Result<()> {
    File::open(of.parent().unwrap_or_else(|| Path::new(".")))?.sync_all()
}

fn failed(path: &Path, source: std::io::Error) -> VaultError {
    VaultError::File {
        path: path.display().to_string(),
        source,
    }
}
