//! The Panic Password, set or changed: at the command line and by the vault's desk.

use std::sync::Arc;

use api::vault::{LONGEST, SHORTEST, Secret};
use commands::ports::PanicSlot;
use commands::{Commands, Refusal};
use domain::{Actor, Position};
use infra::vault::{NotOpened, Opened, Slot, Vault, VaultError};

/// Why a Panic Password wasn't set, or isn't good. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum PasswordError {
    /// It is too short or too long.
    #[error("a Panic Password has from {SHORTEST} to {LONGEST} characters")]
    Length,
    /// There is one, and the old one wasn't given.
    #[error("there is a Panic Password already; changing it takes the old one")]
    OldMissing,
    /// There is none.
    #[error("there is no Panic Password: `opentracker panic password` or the staff page sets it")]
    None,
    /// The slot isn't the one that the log tells of.
    #[error(
        "the panic slot was tampered with: no password opens the way back; put the table panic_slot back from a backup"
    )]
    Tampered,
    /// It doesn't open the slot.
    #[error(transparent)]
    NotOpened(#[from] NotOpened),
    /// The aggregate refused.
    #[error("{0}")]
    Refused(String),
    /// The database can't be reached.
    #[error("the database doesn't answer just now")]
    Away,
}

impl From<VaultError> for PasswordError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest is told as it is")]
    fn from(error: VaultError) -> Self {
        match error {
            VaultError::Database(_) => Self::Away,
            other => Self::Refused(other.to_string()),
        }
    }
}

/// Gives the panic slot, if the log and the vault both vouch for it.
pub(crate) async fn slot(
    commands: &Commands,
    vault: &Vault,
) -> Result<Option<Slot>, PasswordError> {
    let logged = commands
        .panic_key()
        .await
        .map_err(|_| PasswordError::Away)?;
    let slot = vault.panic_slot().await?;
    let vouched = match &slot {
        Some(slot) => vault.made(slot) && logged == Some(slot.fingerprint()),
        None => logged.is_none(),
    };
    if vouched {
        Ok(slot)
    } else {
        Err(PasswordError::Tampered)
    }
}

/// Sets the Panic Password, or changes it by the old one; gives the new slot.
pub(crate) async fn set(
    commands: &Commands,
    vault: &Arc<Vault>,
    by: Actor,
    old: Option<Secret>,
    new: Secret,
    work: u8,
) -> Result<(Position, Slot), PasswordError> {
    if !(SHORTEST..=LONGEST).contains(&new.chars().count()) {
        return Err(PasswordError::Length);
    }
    let standing = slot(commands, vault).await?;
    if let Some(slot) = &standing {
        let given = old.ok_or(PasswordError::OldMissing)?;
        prove(vault, slot, given).await?;
    }
    let making = Arc::clone(vault);
    let made = tokio::task::spawn_blocking(move || making.new_slot(&new, work)).await;
    let made = made.map_err(|_| PasswordError::Away)??;
    let row = PanicSlot {
        key: made.fingerprint(),
        row: serde_json::to_string(&made)
            .map_err(|error| PasswordError::Refused(error.to_string()))?,
    };
    let done = match standing {
        Some(slot) => {
            let from = slot.fingerprint();
            commands.change_panic_password(by, from, row).await
        }
        None => commands.set_panic_password(by, row).await,
    };
    let position = done.map_err(|refusal| {
        if let Refusal::Rejected(rejection) = refusal {
            PasswordError::Refused(rejection.to_string())
        } else {
            PasswordError::Away
        }
    })?;
    Ok((position, made))
}

/// Proves a password against the slot; takes about a second of one core.
pub(crate) async fn prove(
    vault: &Arc<Vault>,
    slot: &Slot,
    given: Secret,
) -> Result<Opened, PasswordError> {
    let (vault, slot) = (Arc::clone(vault), slot.clone());
    let proved = tokio::task::spawn_blocking(move || vault.proves(&slot, &given)).await;
    Ok(proved.map_err(|_| PasswordError::Away)??)
}
