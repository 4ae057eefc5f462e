//! Something sealed to the Panic Password that leaves the database: with the salt it takes to try the
//! password elsewhere, and without the slot itself.

use domain::audit::Digest;
use hpke::{Kem as _, Serializable as _};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{Kem, LEAST_WORK, Letter, MOST_WORK, NotOpened, Secret, Slot, stretch, unseal};
use crate::seal::Unsealable;

/// What the Panic Password opens on any machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Recipient {
    work: u8,
    #[serde(with = "hex")]
    salt: [u8; 16],
    #[serde(with = "hex")]
    public: [u8; 32],
    #[serde(with = "hex")]
    encapsulated: Vec<u8>,
    #[serde(with = "hex")]
    sealed: Vec<u8>,
}

impl Recipient {
    /// Seals something to the slot's public key; `info` says what for.
    pub(crate) fn seal(
        slot: &Slot,
        info: &[u8],
        plain: &[u8],
        beside: &[u8],
    ) -> Result<Self, Unsealable> {
        let Letter {
            encapsulated,
            sealed,
        } = slot.seal_to(info, plain, beside)?;
        Ok(Self {
            work: slot.work,
            salt: slot.salt,
            public: slot.public,
            encapsulated,
            sealed,
        })
    }

    /// Makes the secret of a password; takes about a second of one core.
    pub fn secret(&self, password: &str) -> Result<Secret, NotOpened> {
        if !(LEAST_WORK..=MOST_WORK).contains(&self.work) {
            return Err(NotOpened::Tampered);
        }
        stretch(password, &self.salt, self.work).ok_or(NotOpened::Tampered)
    }

    /// Gives what names the slot whose password opens it.
    pub fn fingerprint(&self) -> Digest {
        Digest(Sha256::digest(self.public).into())
    }

    /// Opens it by the secret that the password makes.
    pub(crate) fn open(
        &self,
        secret: &Secret,
        info: &[u8],
        beside: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, NotOpened> {
        let (private, public) = Kem::derive_keypair(secret.as_slice());
        let same: bool = public.to_bytes().as_slice().ct_eq(&self.public).into();
        if !same {
            return Err(NotOpened::Wrong);
        }
        let letter = Letter {
            encapsulated: self.encapsulated.clone(),
            sealed: self.sealed.clone(),
        };
        unseal(&private, info, &letter, beside).map_err(|_| NotOpened::Tampered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Key;

    #[test]
    fn the_password_opens_it_elsewhere_and_no_other_does() {
        let (master, wrapping) = (Key::new([7; 32]), Key::new([5; 32]));
        let slot = Slot::make(&master, &wrapping, "rivers run", LEAST_WORK).unwrap();
        let made = Recipient::seal(&slot, b"info", b"text", b"beside").unwrap();
        let text = serde_json::to_string(&made).unwrap();
        let read: Recipient = serde_json::from_str(&text).unwrap();
        let secret = read.secret("rivers run").unwrap();
        let opened = read.open(&secret, b"info", b"beside").unwrap();
        assert_eq!(opened.as_slice(), b"text");
        assert_eq!(read.fingerprint(), slot.fingerprint());
        let beside = read.open(&secret, b"info", b"besidf");
        assert_eq!(beside, Err(NotOpened::Tampered));
        let other = read.secret("rivers ran").unwrap();
        let opened = read.open(&other, b"info", b"beside");
        assert_eq!(opened, Err(NotOpened::Wrong));
    }
}
