//! The vault, as the log knows it: the way back by the Panic Password, and every panic and restore.
//!
//! The slot that the password opens stands beside the log, in the clear; the log keeps its
//! fingerprint, so that whoever reads the history sees every change of it. How the vault stands just
//! now is its [`State`], which is beside the log too: a sealed log can't tell it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audit::Digest;
use crate::decider::Decider;

/// The one stream of the vault.
pub const VAULT: Uuid = Uuid::from_u128(0x5173_0000_0000_4000_8000_0000_0000_0004);

/// How the vault stands: Open -> Sealing -> Sealed -> Restoring -> Open.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Its keys are at hand, and the site lives.
    #[default]
    Open,
    /// Nobody can read anything any more; the store is being encrypted once more.
    Sealing,
    /// All of that is done.
    Sealed,
    /// The Panic Password was given, and everything is being brought back.
    Restoring,
}

impl State {
    /// Gives its name, as it is stored and shown.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Sealing => "sealing",
            Self::Sealed => "sealed",
            Self::Restoring => "restoring",
        }
    }

    /// Finds a state by its name.
    pub fn named(name: &str) -> Option<Self> {
        let all = [Self::Open, Self::Sealing, Self::Sealed, Self::Restoring];
        all.into_iter().find(|state| state.name() == name)
    }
}

/// What happened to the vault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// There is a Panic Password from now on.
    PanicPasswordSet {
        /// SHA-256 of the public key to which the master key is sealed.
        key: Digest,
    },
    /// Another Panic Password is good from now on, and the one before no longer.
    PanicPasswordChanged {
        /// SHA-256 of the public key to which the master key is sealed.
        key: Digest,
    },
    /// Everything was made unreadable; the log's last event until a restore.
    VaultSealed {},
    /// The Panic Password brought everything back.
    VaultRestored {},
    /// There are another master key and other data keys from now on.
    KeysRotated {},
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::PanicPasswordSet { .. } => "PanicPasswordSet",
            Self::PanicPasswordChanged { .. } => "PanicPasswordChanged",
            Self::VaultSealed {} => "VaultSealed",
            Self::VaultRestored {} => "VaultRestored",
            Self::KeysRotated {} => "KeysRotated",
        }
    }
}

/// What may be asked of the vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Set the first Panic Password.
    SetPassword {
        /// The fingerprint of its public key.
        key: Digest,
    },
    /// Change it; the caller has proved the old one against its slot.
    ChangePassword {
        /// The fingerprint of the slot that the old one opened.
        from: Digest,
        /// The fingerprint of the new public key.
        to: Digest,
    },
    /// Make everything unreadable.
    Seal,
    /// Note that everything is back; the caller has opened the slot.
    Restore,
    /// Note that other keys are good.
    RotateKeys,
}

/// The vault.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Vault {
    /// The fingerprint of the slot that is good, if there is a Panic Password.
    pub key: Option<Digest>,
    /// Whether everything is unreadable.
    pub sealed: bool,
}

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is a Panic Password.
    #[error("there is a Panic Password already; changing it takes the old one")]
    AlreadySet,
    /// There is none, or somebody changed it meanwhile.
    #[error("the Panic Password was changed meanwhile; try again")]
    Changed,
    /// Nothing would bring back what is sealed.
    #[error("there is no Panic Password, so nothing could be brought back; set one first")]
    NoPassword,
    /// Everything is unreadable already.
    #[error("the vault is sealed already")]
    Sealed,
    /// Nothing has to be brought back.
    #[error("the vault isn't sealed")]
    NotSealed,
}

impl Decider for Vault {
    const STREAM: &'static str = "vault";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        let event = match (self.key, command) {
            (None, Command::SetPassword { key }) => Event::PanicPasswordSet { key },
            (Some(_), Command::SetPassword { .. }) => return Err(Rejection::AlreadySet),
            (Some(known), Command::ChangePassword { from, to }) if known == from => {
                Event::PanicPasswordChanged { key: to }
            }
            (_, Command::ChangePassword { .. }) => return Err(Rejection::Changed),
            (None, Command::Seal) => return Err(Rejection::NoPassword),
            (_, Command::Seal | Command::RotateKeys) if self.sealed => {
                return Err(Rejection::Sealed);
            }
            (_, Command::Seal) => Event::VaultSealed {},
            (_, Command::Restore) if self.sealed => Event::VaultRestored {},
            (_, Command::Restore) => return Err(Rejection::NotSealed),
            (_, Command::RotateKeys) => Event::KeysRotated {},
        };
        Ok(vec![event])
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::PanicPasswordSet { key } | Event::PanicPasswordChanged { key } => {
                self.key = Some(*key);
            }
            Event::VaultSealed {} => self.sealed = true,
            Event::VaultRestored {} => self.sealed = false,
            Event::KeysRotated {} => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    const ONE: Digest = Digest([1; 32]);
    const OTHER: Digest = Digest([2; 32]);

    #[test]
    fn a_password_is_set_once_and_then_changed_by_who_knows_it() {
        let set = Event::PanicPasswordSet { key: ONE };
        let changed = Event::PanicPasswordChanged { key: OTHER };
        let first = Command::SetPassword { key: ONE };
        given::<Vault>(&[])
            .when(first.clone())
            .then(std::slice::from_ref(&set));
        given::<Vault>(std::slice::from_ref(&set))
            .when(first)
            .rejected(&Rejection::AlreadySet);
        let change = Command::ChangePassword {
            from: ONE,
            to: OTHER,
        };
        given::<Vault>(std::slice::from_ref(&set))
            .when(change.clone())
            .then(std::slice::from_ref(&changed));
        given::<Vault>(&[set, changed])
            .when(change.clone())
            .rejected(&Rejection::Changed);
        given::<Vault>(&[])
            .when(change)
            .rejected(&Rejection::Changed);
    }

    #[test]
    fn it_is_sealed_where_there_is_a_way_back_and_restored_once() {
        let set = Event::PanicPasswordSet { key: ONE };
        let sealed = [set.clone(), Event::VaultSealed {}];
        given::<Vault>(&[])
            .when(Command::Seal)
            .rejected(&Rejection::NoPassword);
        given::<Vault>(std::slice::from_ref(&set))
            .when(Command::Seal)
            .then(&[Event::VaultSealed {}]);
        for command in [Command::Seal, Command::RotateKeys] {
            given::<Vault>(&sealed)
                .when(command)
                .rejected(&Rejection::Sealed);
        }
        given::<Vault>(&sealed)
            .when(Command::Restore)
            .then(&[Event::VaultRestored {}]);
        given::<Vault>(&[set, Event::VaultSealed {}, Event::VaultRestored {}])
            .when(Command::Restore)
            .rejected(&Rejection::NotSealed);
    }
}
