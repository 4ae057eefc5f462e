//! A file of a backup: AES-256-GCM in the STREAM construction, so that no part of it can be changed, moved
//! or left out.
//!
//! Eight bytes say what it is, 32 random ones which; under the key that HKDF derives for those from the
//! series' key stand parts of a mebibyte, the last one shorter and marked as the last. The manifest names
//! each file by its random bytes, so another one doesn't fit in its place.

use std::fs::{File, OpenOptions};
use std::io::{BufReader, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use aead_stream::{DecryptorBE32, EncryptorBE32};
use aes_gcm::Aes256Gcm;
use rand::Rng as _;

use super::{BackupError, unusable};
use crate::seal::{self, Key, Unsealable};

/// What each file begins with.
pub(super) const MAGIC: &[u8; 8] = b"OTBACK1\n";
/// Bytes of a part before it is encrypted.
const PART: usize = 1 << 20;
/// Bytes of a part's tag.
const TAG: usize = 16;
/// Bytes ahead of the first part.
const HEAD: u64 = 40;

/// Names a file.
pub(super) type Id = [u8; 32];

fn cipher_key(series: &Key, id: &Id) -> Result<Key, Unsealable> {
    seal::derive(series, &[b"ot/backup/file/v1", id])
}

/// A file that is being written.
pub(super) struct Writer {
    path: PathBuf,
    to: File,
    id: Id,
    cipher: EncryptorBE32<Aes256Gcm>,
    part: Vec<u8>,
    bytes: u64,
}

impl Writer {
    /// Begins a file, in place of one that no manifest names.
    pub(super) fn create(path: PathBuf, series: &Key) -> Result<Self, BackupError> {
        let mut id = [0; 32];
        rand::rng().fill_bytes(&mut id);
        let key = cipher_key(series, &id)?;
        // A key for this file alone, so the parts' numbers are all that the nonce must tell apart.
        let cipher = EncryptorBE32::new((&*key).into(), &[0; 7].into());
        let mut to = OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .map_err(unusable(&path))?;
        to.write_all(&[&MAGIC[..], &id].concat())
            .map_err(unusable(&path))?;
        Ok(Self {
            path,
            to,
            id,
            cipher,
            part: Vec::with_capacity(PART + TAG),
            bytes: HEAD,
        })
    }

    pub(super) fn write(&mut self, mut bytes: &[u8]) -> Result<(), BackupError> {
        while !bytes.is_empty() {
            if self.part.len() == PART {
                self.cipher
                    .encrypt_next_in_place(b"", &mut self.part)
                    .map_err(|_| Unsealable)?;
                self.flush()?;
            }
            let room = (PART - self.part.len()).min(bytes.len());
            let (now, later) = bytes.split_at(room);
            self.part.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    fn flush(&mut self) -> Result<(), BackupError> {
        let written = self.to.write_all(&self.part);
        written.map_err(unusable(&self.path))?;
        self.bytes += u64::try_from(self.part.len()).unwrap_or(u64::MAX);
        self.part.clear();
        Ok(())
    }

    /// Ends the file and waits until it is on the disk; gives its name and its bytes.
    pub(super) fn finish(self) -> Result<(Id, u64), BackupError> {
        let Self {
            path,
            mut to,
            id,
            cipher,
            mut part,
            bytes,
        } = self;
        cipher
            .encrypt_last_in_place(b"", &mut part)
            .map_err(|_| Unsealable)?;
        to.write_all(&part)
            .and_then(|()| to.sync_all())
            .map_err(unusable(&path))?;
        let last = u64::try_from(part.len()).unwrap_or(u64::MAX);
        Ok((id, bytes + last))
    }
}

/// A file that is being read.
pub(super) struct Reader {
    name: String,
    from: BufReader<File>,
    cipher: Option<DecryptorBE32<Aes256Gcm>>,
    left: u64,
}

impl Reader {
    /// Begins to read the file of a name; another one there doesn't fit.
    pub(super) fn open(path: &Path, series: &Key, id: &Id) -> Result<Self, BackupError> {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let damaged = |what: &str| BackupError::Damaged(format!("{name} {what}"));
        let file = match File::open(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                return Err(damaged("is missing"));
            }
            opened => opened.map_err(unusable(path))?,
        };
        let length = file.metadata().map_err(unusable(path))?.len();
        let mut from = BufReader::with_capacity(PART, file);
        let mut head = [0; 40];
        from.read_exact(&mut head)
            .map_err(|_| damaged("is too short"))?;
        if head != [&MAGIC[..], id].concat().as_slice() {
            return Err(damaged("isn't the file that the manifest names"));
        }
        let key = cipher_key(series, id)?;
        Ok(Self {
            name,
            from,
            cipher: Some(DecryptorBE32::new((&*key).into(), &[0; 7].into())),
            left: length.saturating_sub(HEAD),
        })
    }

    /// Gives the next part; none behind the last.
    pub(super) fn next(&mut self) -> Result<Option<Vec<u8>>, BackupError> {
        let damaged = || BackupError::Damaged(format!("{} was changed or cut off", self.name));
        let Some(mut cipher) = self.cipher.take() else {
            return Ok(None);
        };
        let whole = u64::try_from(PART + TAG).unwrap_or(u64::MAX);
        let (length, last) = (self.left.min(whole), self.left <= whole);
        let mut part = vec![0; usize::try_from(length).unwrap_or(0)];
        self.from.read_exact(&mut part).map_err(|_| damaged())?;
        self.left -= length;
        if last {
            cipher
                .decrypt_last_in_place(b"", &mut part)
                .map_err(|_| damaged())?;
        } else {
            cipher
                .decrypt_next_in_place(b"", &mut part)
                .map_err(|_| damaged())?;
            self.cipher = Some(cipher);
        }
        Ok(Some(part))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(path: &Path, series: &Key, bytes: &[u8]) -> Id {
        let mut writer = Writer::create(path.to_owned(), series).unwrap();
        for some in bytes.chunks(700_001) {
            writer.write(some).unwrap();
        }
        let (id, length) = writer.finish().unwrap();
        assert_eq!(length, std::fs::metadata(path).unwrap().len());
        id
    }

    fn read(path: &Path, series: &Key, id: &Id) -> Result<Vec<u8>, BackupError> {
        let mut reader = Reader::open(path, series, id)?;
        let mut bytes = vec![];
        while let Some(part) = reader.next()? {
            bytes.extend(part);
        }
        Ok(bytes)
    }

    #[test]
    fn a_file_comes_back_whole_or_not_at_all() {
        let place = std::env::temp_dir().join(format!("backup-file-{}", uuid::Uuid::new_v4()));
        let series = Key::new([3; 32]);
        for length in [0, 1, PART - 1, PART, PART + 1, 3 * PART + 5] {
            let bytes: Vec<u8> = (0..length).map(|at| at.to_le_bytes()[0]).collect();
            let id = written(&place, &series, &bytes);
            assert_eq!(read(&place, &series, &id).unwrap(), bytes);
            let kept = std::fs::read(&place).unwrap();
            for at in [0, 9, 40, kept.len() / 2, kept.len() - 1] {
                let mut changed = kept.clone();
                changed[at] ^= 1;
                std::fs::write(&place, &changed).unwrap();
                assert!(read(&place, &series, &id).is_err(), "{length}, {at}");
            }
            // Cut off between two parts, too.
            for cut in [
                kept.len() - 1,
                40.max(kept.len() / (PART + TAG) * (PART + TAG) + 40),
            ] {
                if cut < kept.len() {
                    std::fs::write(&place, &kept[..cut]).unwrap();
                    assert!(read(&place, &series, &id).is_err(), "{length}, {cut}");
                }
            }
        }
        let id = written(&place, &series, b"one");
        assert!(read(&place, &Key::new([4; 32]), &id).is_err());
        assert!(read(&place, &series, &[0; 32]).is_err());
        std::fs::remove_file(&place).unwrap();
    }
}
