//! Other keys in the place of those that may have been seen.

use std::path::Path;

use domain::vault::State;
use sqlx::PgPool;

use super::keyring::{self, Fresh, Rekeyed};
use super::{Slot, Vault, VaultError, master};
use crate::seal::Key;
use crate::step;

/// Other keys, written down but not in force: the master key in a file beside today's, the rest for the
/// transaction that notes the rotation.
#[derive(Debug)]
pub struct Rotated {
    rows: Rekeyed,
}

impl Rotated {
    /// Gives the rows as text: nothing in them opens without the new master key.
    pub fn row(&self) -> Result<String, VaultError> {
        serde_json::to_string(&self.rows).map_err(|_| VaultError::Tampered(crate::seal::Unsealable))
    }
}

impl Vault {
    /// Makes another master key and wrapping key, and lets new events have new data keys.
    pub async fn rotate(&self, path: &Path) -> Result<Rotated, VaultError> {
        let keys = self.keys()?;
        renew(&self.pool, &keys.wrapping, path, true).await
    }

    /// Puts the new master key's file in the place of the old one, and takes the new keys up.
    pub async fn rotated(&self, path: &Path) -> Result<(), VaultError> {
        step::reached("rotated");
        master::adopt(path)?;
        self.unlock(path).await
    }
}

/// Makes other keys over the same data keys; the new master key's file is on disk when it returns.
pub(crate) async fn renew(
    pool: &PgPool,
    wrapping: &Key,
    path: &Path,
    retire: bool,
) -> Result<Rotated, VaultError> {
    let fresh = Fresh::make();
    let slot = Slot::stored(pool).await?;
    let rows = keyring::rekey(pool, wrapping, &fresh, slot, retire).await?;
    master::put_next(path, &fresh.master)?;
    step::reached("next key written");
    Ok(Rotated { rows })
}

/// Gives a store of before the wrapping key one: its data keys stood under the master key itself.
pub(super) async fn upgrade(vault: &Vault, master: Key, epoch: i64) -> Result<(), VaultError> {
    let from = keyring::under(&master)?;
    let fresh = Fresh {
        master,
        wrapping: keyring::random(),
    };
    let slot = Slot::stored(&vault.pool).await?;
    let rows = keyring::rekey(&vault.pool, &from, &fresh, slot, false).await?;
    let mut transaction = vault.pool.begin().await?;
    rows.put(&mut transaction).await?;
    transaction.commit().await?;
    let Fresh { master, wrapping } = fresh;
    vault
        .take_up(master, wrapping, State::Open, epoch + 1)
        .await
}
