//! The Panic Password: setting it, and changing it by who knows it.
//!
//! Before: `opentracker panic`. After: [`domain::vault`].

use domain::audit::Digest;
use domain::vault::{Command, Rejection, VAULT, Vault};
use domain::{Actor, Position};

use crate::ports::{PanicSlot, Unavailable};
use crate::{Commands, Refusal};

impl Commands {
    /// Puts the first panic slot beside the log.
    pub async fn set_panic_password(
        &self,
        by: Actor,
        slot: PanicSlot,
    ) -> Result<Position, Refusal<Rejection>> {
        let command = Command::SetPassword { key: slot.key };
        self.put_slot(by, command, slot).await
    }

    /// Puts another panic slot in the place of the one that the old password has just opened.
    pub async fn change_panic_password(
        &self,
        by: Actor,
        from: Digest,
        slot: PanicSlot,
    ) -> Result<Position, Refusal<Rejection>> {
        let command = Command::ChangePassword { from, to: slot.key };
        self.put_slot(by, command, slot).await
    }

    /// Gives the fingerprint of the slot that is good, if there is a Panic Password.
    pub async fn panic_key(&self) -> Result<Option<Digest>, Unavailable> {
        let vault: Vault = self.load(VAULT).await?;
        Ok(vault.key)
    }

    async fn put_slot(
        &self,
        by: Actor,
        command: Command,
        slot: PanicSlot,
    ) -> Result<Position, Refusal<Rejection>> {
        let mut frame = self.frame(by);
        frame.slot = Some(slot);
        self.execute::<Vault>(VAULT, command, frame).await
    }
}
