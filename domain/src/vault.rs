//! The vault, as the log knows it: that there is a way back by the Panic Password, and which.
//!
//! The slot that the password opens stands beside the log, in the clear; the log keeps its
//! fingerprint, so that whoever reads the history sees every change of it.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::audit::Digest;
use crate::decider::Decider;

/// The one stream of the vault.
pub const VAULT: Uuid = Uuid::from_u128(0x5173_0000_0000_4000_8000_0000_0000_0004);

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
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::PanicPasswordSet { .. } => "PanicPasswordSet",
            Self::PanicPasswordChanged { .. } => "PanicPasswordChanged",
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
}

/// The vault.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Vault {
    /// The fingerprint of the slot that is good, if there is a Panic Password.
    pub key: Option<Digest>,
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
}

impl Decider for Vault {
    const STREAM: &'static str = "vault";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match (self.key, command) {
            (None, Command::SetPassword { key }) => Ok(vec![Event::PanicPasswordSet { key }]),
            (Some(_), Command::SetPassword { .. }) => Err(Rejection::AlreadySet),
            (Some(known), Command::ChangePassword { from, to }) if known == from => {
                Ok(vec![Event::PanicPasswordChanged { key: to }])
            }
            (_, Command::ChangePassword { .. }) => Err(Rejection::Changed),
        }
    }

    fn evolve(&mut self, event: &Event) {
        let (Event::PanicPasswordSet { key } | Event::PanicPasswordChanged { key }) = event;
        self.key = Some(*key);
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
}
