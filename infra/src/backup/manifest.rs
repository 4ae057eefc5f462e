//! The manifest of a series: what files there are, and of what.
//!
//! One line of JSON in the clear says who can open it; what follows is sealed under the series' key, with
//! that line authenticated beside it. The key stands in the line under the master key, where the backup was
//! made while the vault was open, and sealed to the Panic Password, where there is one.

use std::collections::HashSet;

use rand::Rng as _;
use serde::{Deserialize, Serialize};

use super::BackupError;
use super::file::Id;
use crate::merkle::Tree;
use crate::seal::{self, Key, Unsealable};
use crate::vault::{Recipient, Secret};

/// The form of the files.
const FORM: u32 = 1;
/// What a series' key is sealed to the Panic Password for.
const INFO: &[u8] = b"opentracker/backup/v1";

/// Who can open a manifest.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Head {
    form: u32,
    /// Names the series.
    #[serde(with = "hex")]
    series: [u8; 16],
    /// The series' key under the master key; empty while sealed.
    #[serde(with = "hex")]
    boot: Vec<u8>,
    /// The series' key for the Panic Password.
    panic: Option<Recipient>,
    /// Says of a sealed store whether it is still the same, and nothing else.
    #[serde(with = "hex")]
    pub(super) mark: [u8; 32],
}

/// What is stored by position, and only added to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Growing {
    Log,
    Flushes,
    Claims,
}

impl Growing {
    pub(super) fn table(self) -> &'static str {
        match self {
            Self::Log => "event_log",
            Self::Flushes => "flush_ledger",
            Self::Claims => "unique_claim",
        }
    }
}

/// A file, of a table whose columns were copied in this order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Sheet {
    pub(super) number: u64,
    #[serde(with = "hex")]
    pub(super) id: Id,
    pub(super) bytes: u64,
    pub(super) columns: String,
}

/// A stretch of what is stored by position.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) of: Growing,
    pub(super) after: i64,
    pub(super) upto: i64,
    pub(super) sheet: Sheet,
}

/// A migration that the tables had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Brought {
    pub(super) version: i64,
    #[serde(with = "hex")]
    pub(super) checksum: Vec<u8>,
}

/// Where the log stands.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Standing {
    pub(super) position: i64,
    #[serde(with = "hex")]
    pub(super) chain: Vec<u8>,
    pub(super) tree: Tree,
}

/// What there is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Body {
    /// Seconds since 1970.
    pub(super) made_at: i64,
    pub(super) upto: Standing,
    /// How the vault stood.
    pub(super) state: String,
    /// Before this position the keys don't fit the log.
    pub(super) earliest: i64,
    pub(super) claims: i64,
    pub(super) brought: Vec<Brought>,
    /// The number of the next file.
    pub(super) next: u64,
    pub(super) pieces: Vec<Piece>,
    /// The tables that are stored whole.
    pub(super) whole: Vec<(String, Sheet)>,
    /// Sequences, and the last number that each gave.
    pub(super) sequences: Vec<(String, i64)>,
}

impl Body {
    /// Gives the numbers of the files that there must be.
    pub(super) fn named(&self) -> HashSet<u64> {
        self.sheets().map(|sheet| sheet.number).collect()
    }

    /// Gives every file that there must be.
    pub(super) fn sheets(&self) -> impl Iterator<Item = &Sheet> {
        let pieces = self.pieces.iter().map(|piece| &piece.sheet);
        pieces.chain(self.whole.iter().map(|(_, sheet)| sheet))
    }
}

/// A series' name and key.
#[derive(Clone)]
pub(super) struct Series {
    name: [u8; 16],
    pub(super) key: Key,
}

/// Who shall be able to open a manifest.
pub(super) struct Readers {
    /// The key for backups below the master key.
    pub(super) boot: Option<Key>,
    pub(super) slot: Option<crate::vault::Slot>,
}

impl Series {
    /// Makes another one.
    pub(super) fn fresh() -> Self {
        let (mut name, mut key) = ([0; 16], Key::default());
        rand::rng().fill_bytes(&mut name);
        rand::rng().fill_bytes(key.as_mut_slice());
        Self { name, key }
    }

    /// Writes a manifest for those who shall read it.
    pub(super) fn write(
        &self,
        body: &Body,
        mark: [u8; 32],
        readers: &Readers,
    ) -> Result<Vec<u8>, BackupError> {
        let mut nonce = [0; 24];
        rand::rng().fill_bytes(&mut nonce);
        let boot = match &readers.boot {
            Some(boot) => seal::encrypt(boot, &nonce, self.key.as_slice(), &self.name)?,
            None => vec![],
        };
        let to = |slot| Recipient::seal(slot, INFO, self.key.as_slice(), &self.name);
        let head = Head {
            form: FORM,
            series: self.name,
            boot,
            panic: readers.slot.as_ref().map(to).transpose()?,
            mark,
        };
        let head = serde_json::to_vec(&head).map_err(|_| Unsealable)?;
        let body = serde_json::to_vec(body).map_err(|_| Unsealable)?;
        rand::rng().fill_bytes(&mut nonce);
        let sealed = seal::encrypt(&self.body_key()?, &nonce, &body, &head)?;
        Ok([&head[..], b"\n", &sealed].concat())
    }

    fn body_key(&self) -> Result<Key, Unsealable> {
        seal::derive(&self.key, &[b"ot/backup/manifest/v1"])
    }
}

/// A manifest that isn't opened yet.
#[derive(Debug)]
pub(super) struct Manifest {
    pub(super) head: Head,
    line: Vec<u8>,
    sealed: Vec<u8>,
}

impl Manifest {
    /// Reads a manifest.
    pub(super) fn read(bytes: &[u8]) -> Result<Self, BackupError> {
        let damaged = || BackupError::Damaged("the manifest is none".to_owned());
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (line, rest) = bytes.split_at(end.ok_or_else(damaged)?);
        let head: Head = serde_json::from_slice(line).map_err(|_| damaged())?;
        if head.form != FORM {
            return Err(BackupError::Newer);
        }
        Ok(Self {
            head,
            line: line.to_vec(),
            sealed: rest.get(1..).unwrap_or_default().to_vec(),
        })
    }

    /// Gives what the Panic Password opens.
    pub(super) fn recipient(&self) -> Option<&Recipient> {
        self.head.panic.as_ref()
    }

    /// Tells whether it was made while the vault was open.
    pub(super) fn has_boot(&self) -> bool {
        !self.head.boot.is_empty()
    }

    /// Gives the series, if the key for backups below the master key opens it.
    pub(super) fn by_boot(&self, boot: &Key) -> Option<Series> {
        let key = seal::decrypt(boot, &self.head.boot, &self.head.series).ok()?;
        Some(Series {
            name: self.head.series,
            key: Key::new(key.as_slice().try_into().ok()?),
        })
    }

    /// Gives the series by what the Panic Password makes.
    pub(super) fn by_secret(&self, secret: &Secret) -> Result<Series, BackupError> {
        let none = BackupError::OtherSecret(
            "was made without a Panic Password: the master key's file alone opens it",
        );
        let key = self
            .recipient()
            .ok_or(none)?
            .open(secret, INFO, &self.head.series)?;
        let key = key.as_slice().try_into().map_err(|_| Unsealable)?;
        Ok(Series {
            name: self.head.series,
            key: Key::new(key),
        })
    }

    /// Opens what it says.
    pub(super) fn body(&self, series: &Series) -> Result<Body, BackupError> {
        let damaged = |_| BackupError::Damaged("the manifest was changed".to_owned());
        let plain = seal::decrypt(&series.body_key()?, &self.sealed, &self.line);
        serde_json::from_slice(&plain.map_err(damaged)?).map_err(|_| BackupError::Newer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> Body {
        Body {
            made_at: 1,
            upto: Standing::default(),
            state: "open".to_owned(),
            earliest: 0,
            claims: 0,
            brought: vec![],
            next: 1,
            pieces: vec![],
            whole: vec![],
            sequences: vec![("data_key_id".to_owned(), 7)],
        }
    }

    #[test]
    fn a_manifest_opens_by_its_key_and_no_byte_of_it_may_change() {
        let (series, boot) = (Series::fresh(), Key::new([7; 32]));
        let readers = Readers {
            boot: Some(boot.clone()),
            slot: None,
        };
        let bytes = series.write(&body(), [0; 32], &readers).unwrap();
        let read = Manifest::read(&bytes).unwrap();
        let opened = read.by_boot(&boot).unwrap();
        assert_eq!(read.body(&opened).unwrap().sequences, body().sequences);
        assert!(read.by_boot(&Key::new([8; 32])).is_none());
        for at in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            let opens = Manifest::read(&changed).is_ok_and(|read| {
                let series = read.by_boot(&boot);
                series.is_some_and(|series| read.body(&series).is_ok())
            });
            assert!(!opens, "{at}");
        }
    }
}
