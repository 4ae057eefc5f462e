//! Room on the disk that is kept for a panic: a full disk must not stand in its way.

use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Bytes that are kept.
const SIZE: usize = 8 << 20;

fn file(data: &Path) -> PathBuf {
    data.join("reserve")
}

/// Takes the room, where it isn't taken yet and there is any.
pub(crate) fn take(data: &Path) {
    let path = file(data);
    if std::fs::metadata(&path).is_ok_and(|found| found.len() == u64::try_from(SIZE).unwrap_or(0)) {
        return;
    }
    let taken = std::fs::File::create(&path).and_then(|mut file| file.write_all(&vec![0; SIZE]));
    if let Err(error) = taken {
        tracing::warn!(%error, "no room on the disk can be kept for a panic");
        free(data);
    }
}

/// Gives the room back, for what has to be written now.
pub(crate) fn free(data: &Path) {
    match std::fs::remove_file(file(data)) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::warn!(%error, "the room that was kept for a panic can't be given back");
        }
        _ => {}
    }
}
