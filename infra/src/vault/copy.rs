//! What a backup asks of the keys: a key of its own below the master key, and the keys of a copy that was
//! restored somewhere.

use std::path::Path;

use sqlx::PgPool;
use subtle::ConstantTimeEq as _;

use super::{Slot, Vault, VaultError, key_check, keyring, master, state};
use crate::seal::{self, Key, Unsealable};

/// Gives the key below a master key under which backups keep theirs.
pub(crate) fn backup_key(master: &Key) -> Result<Key, Unsealable> {
    seal::derive(master, &[b"ot/backup/v1"])
}

/// Reads a master key's file.
pub(crate) fn read_key(path: &Path) -> Result<Key, VaultError> {
    master::read(path)?.ok_or_else(|| VaultError::File {
        path: path.display().to_string(),
        source: std::io::ErrorKind::NotFound.into(),
    })
}

impl Vault {
    /// Gives the key under which backups keep theirs.
    pub(crate) fn backup_key(&self) -> Result<Key, VaultError> {
        Ok(backup_key(&self.keys()?.master)?)
    }

    /// Takes up the keys of a copy of the store with its master key, and touches no file.
    pub(crate) async fn of_copy(pool: PgPool, master: Key) -> Result<Self, VaultError> {
        let row = state::read(&pool).await?.unwrap_or_default();
        let same: bool = key_check(&master)?.ct_eq(&row.check).into();
        let wrapping = keyring::open(&pool, &master).await?;
        let (true, Some(wrapping)) = (same, wrapping) else {
            return Err(VaultError::Tampered(Unsealable));
        };
        let vault = Self::closed(pool);
        vault
            .take_up(master, wrapping, row.state, row.epoch)
            .await?;
        Ok(vault)
    }

    /// Tells whether the slot that stands beside the log is this vault's own.
    pub(crate) async fn own_slot(&self) -> Result<Option<Slot>, VaultError> {
        let slot = self.panic_slot().await?;
        match slot {
            Some(slot) if self.is_open() && !self.made(&slot) => {
                Err(VaultError::Tampered(Unsealable))
            }
            slot => Ok(slot),
        }
    }
}
