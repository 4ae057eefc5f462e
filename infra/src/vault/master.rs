//! The master key's file: 64 hex digits, readable by its owner alone.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::Path;

use rand::Rng as _;
use zeroize::Zeroizing;

use super::VaultError;
use crate::seal::Key;

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
    let mut key = Key::default();
    rand::rng().fill_bytes(key.as_mut_slice());
    put(path, &key)?;
    Ok(key)
}

/// Writes a key into a file that isn't there.
pub(super) fn put(path: &Path, key: &Key) -> Result<(), VaultError> {
    write(path, key).map_err(|source| failed(path, source))
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
    File::open(folder)?.sync_all()
}

fn failed(path: &Path, source: std::io::Error) -> VaultError {
    VaultError::File {
        path: path.display().to_string(),
        source,
    }
}
