//! The Panic Password, panic and restore, and other keys.
//!
//! Before: `opentracker panic`, and `infra::panic` for what is more than an event. After:
//! [`domain::vault`].

use domain::audit::Digest;
use domain::vault::{Command, Rejection, VAULT, Vault};
use domain::{Actor, Position};

use crate::ports::{PanicSlot, Unavailable, VaultChange};
use crate::{Commands, Refusal};

impl Commands {
    /// Puts the first panic slot beside the log.
    pub async fn set_panic_password(
        &self,
        by: Actor,
        slot: PanicSlot,
    ) -> Result<Position, Refusal<Rejection>> {
        let command = Command::SetPassword { key: slot.key };
        self.change(by, command, VaultChange::Slot(slot)).await
    }

    /// Puts another panic slot in the place of the one that the old password has just opened.
    pub async fn change_panic_password(
        &self,
        by: Actor,
        from: Digest,
        slot: PanicSlot,
    ) -> Result<Position, Refusal<Rejection>> {
        let command = Command::ChangePassword { from, to: slot.key };
        self.change(by, command, VaultChange::Slot(slot)).await
    }

    /// Gives the fingerprint of the slot that is good, if there is a Panic Password.
    pub async fn panic_key(&self) -> Result<Option<Digest>, Unavailable> {
        let vault: Vault = self.load(VAULT).await?;
        Ok(vault.key)
    }

    /// Seals the vault: what this returns for is the last event until a restore.
    pub async fn seal(&self, by: Actor) -> Result<Position, Refusal<Rejection>> {
        self.change(by, Command::Seal, VaultChange::Seal).await
    }

    /// Puts other keys beside the log, as the vault made them.
    pub async fn rotate_keys(
        &self,
        by: Actor,
        keys: String,
    ) -> Result<Position, Refusal<Rejection>> {
        let change = VaultChange::Rekey(keys);
        self.change(by, Command::RotateKeys, change).await
    }

    /// Puts other keys beside the log and opens the vault again.
    pub async fn reopen(&self, by: Actor, keys: String) -> Result<Position, Refusal<Rejection>> {
        let change = VaultChange::Reopen(keys);
        self.change(by, Command::Restore, change).await
    }

    async fn change(
        &self,
        by: Actor,
        command: Command,
        change: VaultChange,
    ) -> Result<Position, Refusal<Rejection>> {
        let mut frame = self.frame(by);
        frame.vault = Some(change);
        self.execute::<Vault>(VAULT, command, frame).await
    }
}
