//! The panic slot: the master key and the wrapping key, sealed to a public key whose private half only
//! the Panic Password yields.
//!
//! scrypt (RFC 7914) makes a secret of 32 bytes of the password, and HPKE's `DeriveKeyPair` (RFC 9180,
//! 7.1.3) a pair of X25519 keys of that. The keys are sealed to the public one in HPKE's base mode with
//! HKDF-SHA-256 and AES-256-GCM. So whoever has the database, the slot included, has to guess the
//! password, and sealing anew needs no password. A MAC under the master key covers all of it: nobody
//! else can put a public key of their own there. [`seal_to`] seals other things to the same public key.

use domain::audit::Digest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::{PgConnection, PgExecutor};
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{VaultError, key_check, keyring};
use crate::seal::{self, Key, Unsealable};

mod recipient;

pub use recipient::Recipient;

/// The least work of scrypt, as the logarithm of its N: 128 MiB and about half a second.
pub const LEAST_WORK: u8 = 17;
/// The most work: 1 GiB and about four seconds.
pub const MOST_WORK: u8 = 20;
/// The block size of scrypt.
const BLOCK: u32 = 8;
/// What the sealing is for.
const INFO: &[u8] = b"opentracker/panic/v1";

type Kem = X25519HkdfSha256;
type Private = <Kem as hpke::Kem>::PrivateKey;
type Public = <Kem as hpke::Kem>::PublicKey;

/// What a password makes: the key pair is made of it, and whoever has it needs no password.
pub type Secret = Zeroizing<[u8; 32]>;

/// What the Panic Password opens.
pub struct Opened {
    pub(crate) master: Key,
    pub(crate) wrapping: Key,
    private: Private,
}

impl std::fmt::Debug for Opened {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Opened").finish_non_exhaustive()
    }
}

/// Something that only the Panic Password opens.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub(crate) struct Letter {
    pub(crate) encapsulated: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
}

/// The slot, as it stands in the clear beside the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slot {
    /// The logarithm of scrypt's N; r is 8, p is 1.
    work: u8,
    #[serde(with = "hex")]
    salt: [u8; 16],
    /// The public key.
    #[serde(with = "hex")]
    public: [u8; 32],
    /// HPKE's encapsulated key.
    #[serde(with = "hex")]
    encapsulated: [u8; 32],
    /// The master key and the wrapping key under it, with their tag.
    #[serde(with = "hex")]
    sealed: Vec<u8>,
    /// HMAC-SHA-256 of all of it under the master key.
    #[serde(with = "hex")]
    mac: [u8; 32],
}

/// Why a slot doesn't open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotOpened {
    /// The password is another one.
    #[error("this isn't the Panic Password")]
    Wrong,
    /// The password is right, and the slot was changed behind the program's back.
    #[error("the panic slot was tampered with")]
    Tampered,
}

impl Slot {
    /// Seals the keys to a password; takes about a second of one core and 2^`work` KiB.
    pub(super) fn make(
        master: &Key,
        wrapping: &Key,
        password: &str,
        work: u8,
    ) -> Result<Self, Unsealable> {
        let mut salt = [0; 16];
        rand::rng().fill_bytes(&mut salt);
        let secret = stretch(password, &salt, work).ok_or(Unsealable)?;
        let (_, public) = Kem::derive_keypair(secret.as_slice());
        let slot = Self {
            work,
            salt,
            public: public.to_bytes().into(),
            encapsulated: [0; 32],
            sealed: vec![],
            mac: [0; 32],
        };
        slot.resealed(master, wrapping)
    }

    /// Gives the slot with other keys for the same password, which it takes no password to make.
    pub(super) fn resealed(mut self, master: &Key, wrapping: &Key) -> Result<Self, Unsealable> {
        let both = keyring::joined(master, wrapping);
        let Letter {
            encapsulated,
            sealed,
        } = self.seal_to(INFO, &both, &self.beside())?;
        self.encapsulated = encapsulated.try_into().map_err(|_| Unsealable)?;
        self.sealed = sealed;
        self.mac = self.authenticate(master)?.finalize().into_bytes().into();
        Ok(self)
    }

    /// Seals something to the public key; `info` says what for.
    pub(crate) fn seal_to(
        &self,
        info: &[u8],
        plain: &[u8],
        beside: &[u8],
    ) -> Result<Letter, Unsealable> {
        let public = Public::from_bytes(&self.public).map_err(|_| Unsealable)?;
        let (encapsulated, sealed) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, Kem>(
            &OpModeS::Base,
            &public,
            info,
            plain,
            beside,
        )
        .map_err(|_| Unsealable)?;
        Ok(Letter {
            encapsulated: encapsulated.to_bytes().to_vec(),
            sealed,
        })
    }

    /// Puts the slot beside the log.
    pub(crate) async fn put(&self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let row = serde_json::to_string(self).map_err(|error| sqlx::Error::Encode(error.into()))?;
        sqlx::query(
            "insert into panic_slot (one, slot) values (true, $1::jsonb)
             on conflict (one) do update set slot = excluded.slot",
        )
        .bind(row)
        .execute(to)
        .await
        .map(|_| ())
    }

    /// Reads the slot that stands beside the log, if there is a Panic Password.
    pub(crate) async fn stored(from: impl PgExecutor<'_>) -> Result<Option<Self>, VaultError> {
        let text: Option<String> = sqlx::query_scalar("select slot::text from panic_slot")
            .fetch_optional(from)
            .await?;
        let slot = text.map(|text| serde_json::from_str(&text)).transpose();
        slot.map_err(|_| VaultError::Tampered(Unsealable))
    }

    /// Makes the secret of a password; takes as long as [`Self::make`].
    pub fn secret(&self, password: &str) -> Result<Secret, NotOpened> {
        if !(LEAST_WORK..=MOST_WORK).contains(&self.work) {
            return Err(NotOpened::Tampered);
        }
        stretch(password, &self.salt, self.work).ok_or(NotOpened::Tampered)
    }

    /// Opens the slot.
    pub(crate) fn open(&self, secret: &Secret) -> Result<Opened, NotOpened> {
        let (private, public) = Kem::derive_keypair(secret.as_slice());
        let same: bool = public.to_bytes().as_slice().ct_eq(&self.public).into();
        if !same {
            return Err(NotOpened::Wrong);
        }
        let letter = Letter {
            encapsulated: self.encapsulated.to_vec(),
            sealed: self.sealed.clone(),
        };
        let both = unseal(&private, INFO, &letter, &self.beside());
        let both = both.map_err(|_| NotOpened::Tampered)?;
        let (master, wrapping) = keyring::parted(&both).map_err(|_| NotOpened::Tampered)?;
        if !self.belongs_to(&master) {
            return Err(NotOpened::Tampered);
        }
        Ok(Opened {
            master,
            wrapping,
            private,
        })
    }

    /// Tells whether the slot is as it was made with this master key.
    pub(super) fn belongs_to(&self, master: &Key) -> bool {
        self.authenticate(master)
            .is_ok_and(|mac| mac.verify_slice(&self.mac).is_ok())
    }

    /// Gives what names the slot in the log.
    pub fn fingerprint(&self) -> Digest {
        Digest(Sha256::digest(self.public).into())
    }

    /// Gives what is authenticated with the sealed key.
    fn beside(&self) -> Vec<u8> {
        [&[self.work][..], &self.salt, &self.public].concat()
    }

    fn authenticate(&self, master: &Key) -> Result<Hmac<Sha256>, Unsealable> {
        let key = seal::derive(master, &[b"ot/panic-slot/v1"])?;
        let mac = Hmac::<Sha256>::new_from_slice(key.as_slice()).map_err(|_| Unsealable)?;
        Ok(mac
            .chain_update(key_check(master)?)
            .chain_update(self.beside())
            .chain_update(self.encapsulated)
            .chain_update(&self.sealed))
    }
}

impl Opened {
    /// Opens what was sealed to the public key.
    pub(crate) fn unseal(
        &self,
        info: &[u8],
        letter: &Letter,
        beside: &[u8],
    ) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
        unseal(&self.private, info, letter, beside)
    }
}

fn unseal(
    private: &Private,
    info: &[u8],
    letter: &Letter,
    beside: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
    let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(&letter.encapsulated);
    let encapsulated = encapsulated.map_err(|_| Unsealable)?;
    hpke::single_shot_open::<AesGcm256, HkdfSha256, Kem>(
        &OpModeR::Base,
        private,
        &encapsulated,
        info,
        &letter.sealed,
        beside,
    )
    .map(Zeroizing::new)
    .map_err(|_| Unsealable)
}

/// Stretches a password to a secret.
fn stretch(password: &str, salt: &[u8], work: u8) -> Option<Secret> {
    let cost = scrypt::Params::new(work, BLOCK, 1).ok()?;
    let mut bytes = Zeroizing::new([0; 32]);
    scrypt::scrypt(password.as_bytes(), salt, &cost, bytes.as_mut_slice()).ok()?;
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "demo panic password";

    fn master() -> Key {
        Key::new([7; 32])
    }

    fn slot() -> Slot {
        Slot::make(&master(), &Key::new([5; 32]), PASSWORD, LEAST_WORK).unwrap()
    }

    fn open(slot: &Slot, password: &str) -> Result<(Key, Key), NotOpened> {
        let opened = slot.open(&slot.secret(password)?)?;
        Ok((opened.master, opened.wrapping))
    }

    #[test]
    fn the_password_gives_the_keys_and_no_other_does() {
        let slot = slot();
        let keys = (master(), Key::new([5; 32]));
        assert_eq!(open(&slot, PASSWORD), Ok(keys));
        assert_eq!(open(&slot, "demo panic passwort"), Err(NotOpened::Wrong));
        assert!(slot.belongs_to(&master()) && !slot.belongs_to(&Key::new([8; 32])));
        let text = serde_json::to_string(&slot).unwrap();
        assert!(!text.contains(&hex::encode([7; 32])));
        assert_eq!(serde_json::from_str::<Slot>(&text).unwrap(), slot);
    }

    #[test]
    fn a_slot_that_was_changed_is_known_as_such() {
        let slot = slot();
        let other = Slot::make(&Key::new([9; 32]), &master(), PASSWORD, LEAST_WORK).unwrap();
        let mut sealed = slot.sealed.clone();
        sealed[3] ^= 1;
        let changed = [
            Slot {
                sealed,
                ..slot.clone()
            },
            Slot {
                encapsulated: other.encapsulated,
                ..slot.clone()
            },
            Slot {
                mac: other.mac,
                ..slot.clone()
            },
            Slot {
                work: 3,
                ..slot.clone()
            },
        ];
        for slot in changed {
            assert!(!slot.belongs_to(&master()));
            assert_eq!(open(&slot, PASSWORD), Err(NotOpened::Tampered));
        }
        // A public key of somebody else's: the right password is none for it.
        let stolen = Slot {
            public: other.public,
            ..slot
        };
        assert!(!stolen.belongs_to(&master()));
        assert_eq!(open(&stolen, PASSWORD), Err(NotOpened::Wrong));
    }

    #[test]
    fn what_is_sealed_to_the_slot_opens_with_its_password_alone() {
        let slot = slot();
        let letter = slot.seal_to(b"info", b"text", b"beside").unwrap();
        let opened = slot.open(&slot.secret(PASSWORD).unwrap()).unwrap();
        let text = opened.unseal(b"info", &letter, b"beside");
        assert_eq!(text.unwrap().as_slice(), b"text");
        for (info, beside) in [(b"othr", b"beside"), (b"info", b"besidf")] {
            assert_eq!(opened.unseal(info, &letter, beside), Err(Unsealable));
        }
        // Other keys for the same password, made without it.
        let other = slot
            .clone()
            .resealed(&Key::new([8; 32]), &master())
            .unwrap();
        assert_eq!(other.fingerprint(), slot.fingerprint());
        assert_eq!(open(&other, PASSWORD), Ok((Key::new([8; 32]), master())));
    }
}
