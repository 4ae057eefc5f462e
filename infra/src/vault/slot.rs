//! The panic slot: the master key, sealed to a public key whose private half only the Panic Password
//! yields.
//!
//! scrypt (RFC 7914) makes 32 bytes of the password, and HPKE's `DeriveKeyPair` (RFC 9180, 7.1.3) a pair
//! of X25519 keys of them. The master key is sealed to the public one in HPKE's base mode with
//! HKDF-SHA-256 and AES-256-GCM. So whoever has the database, the slot included, has to guess the
//! password, and sealing anew needs no password. A MAC under the master key covers all of it: nobody
//! else can put a public key of their own there.

use domain::audit::Digest;
use hmac::{Hmac, KeyInit as _, Mac as _};
use hpke::aead::AesGcm256;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, Kem as _, OpModeR, OpModeS, Serializable as _};
use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::PgPool;
use subtle::ConstantTimeEq as _;
use zeroize::Zeroizing;

use super::{VaultError, key_check};
use crate::seal::{self, Key, Unsealable};

/// The least work of scrypt, as the logarithm of its N: 128 MiB and about half a second.
pub const LEAST_WORK: u8 = 17;
/// The most work: 1 GiB and about four seconds.
pub const MOST_WORK: u8 = 20;
/// The block size of scrypt.
const BLOCK: u32 = 8;
/// What the sealing is for.
const INFO: &[u8] = b"opentracker/panic/v1";

type Kem = X25519HkdfSha256;
type Pair = (
    <Kem as hpke::Kem>::PrivateKey,
    <Kem as hpke::Kem>::PublicKey,
);

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
    /// The master key under it, with its tag.
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
    /// Seals the master key to a password; takes about a second of one core and 2^`work` KiB.
    pub(super) fn make(master: &Key, password: &str, work: u8) -> Result<Self, Unsealable> {
        let mut salt = [0; 16];
        rand::rng().fill_bytes(&mut salt);
        let (_, public) = pair(password, &salt, work).ok_or(Unsealable)?;
        let mut slot = Self {
            work,
            salt,
            public: public.to_bytes().into(),
            encapsulated: [0; 32],
            sealed: vec![],
            mac: [0; 32],
        };
        let (encapsulated, sealed) = hpke::single_shot_seal::<AesGcm256, HkdfSha256, Kem>(
            &OpModeS::Base,
            &public,
            INFO,
            master.as_slice(),
            &slot.beside(),
        )
        .map_err(|_| Unsealable)?;
        slot.encapsulated = encapsulated.to_bytes().into();
        slot.sealed = sealed;
        slot.mac = slot.authenticate(master)?.finalize().into_bytes().into();
        Ok(slot)
    }

    /// Reads the slot that stands beside the log, if there is a Panic Password.
    pub(super) async fn stored(pool: &PgPool) -> Result<Option<Self>, VaultError> {
        let text: Option<String> = sqlx::query_scalar("select slot::text from panic_slot")
            .fetch_optional(pool)
            .await?;
        let slot = text.map(|text| serde_json::from_str(&text)).transpose();
        slot.map_err(|_| VaultError::Tampered(Unsealable))
    }

    /// Opens the slot and gives the master key.
    pub(super) fn open(&self, password: &str) -> Result<Key, NotOpened> {
        if !(LEAST_WORK..=MOST_WORK).contains(&self.work) {
            return Err(NotOpened::Tampered);
        }
        let (private, public) = pair(password, &self.salt, self.work).ok_or(NotOpened::Tampered)?;
        let same: bool = public.to_bytes().as_slice().ct_eq(&self.public).into();
        if !same {
            return Err(NotOpened::Wrong);
        }
        let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(&self.encapsulated)
            .map_err(|_| NotOpened::Tampered)?;
        let opened = hpke::single_shot_open::<AesGcm256, HkdfSha256, Kem>(
            &OpModeR::Base,
            &private,
            &encapsulated,
            INFO,
            &self.sealed,
            &self.beside(),
        )
        .map(Zeroizing::new)
        .map_err(|_| NotOpened::Tampered)?;
        let bytes: [u8; 32] = opened
            .as_slice()
            .try_into()
            .map_err(|_| NotOpened::Tampered)?;
        let master = Key::new(bytes);
        if self.belongs_to(&master) {
            Ok(master)
        } else {
            Err(NotOpened::Tampered)
        }
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

/// Makes the key pair of a password.
fn pair(password: &str, salt: &[u8], work: u8) -> Option<Pair> {
    let cost = scrypt::Params::new(work, BLOCK, 1).ok()?;
    let mut bytes = Zeroizing::new([0; 32]);
    scrypt::scrypt(password.as_bytes(), salt, &cost, bytes.as_mut_slice()).ok()?;
    Some(Kem::derive_keypair(bytes.as_slice()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const PASSWORD: &str = "demo panic password";

    fn master() -> Key {
        Key::new([7; 32])
    }

    fn slot() -> Slot {
        Slot::make(&master(), PASSWORD, LEAST_WORK).unwrap()
    }

    #[test]
    fn the_password_gives_the_master_key_and_no_other_does() {
        let slot = slot();
        assert_eq!(slot.open(PASSWORD), Ok(master()));
        assert_eq!(slot.open("demo panic passwort"), Err(NotOpened::Wrong));
        assert!(slot.belongs_to(&master()) && !slot.belongs_to(&Key::new([8; 32])));
        let text = serde_json::to_string(&slot).unwrap();
        assert!(!text.contains(&hex::encode([7; 32])));
        assert_eq!(serde_json::from_str::<Slot>(&text).unwrap(), slot);
    }

    #[test]
    fn a_slot_that_was_changed_is_known_as_such() {
        let slot = slot();
        let other = Slot::make(&Key::new([9; 32]), PASSWORD, LEAST_WORK).unwrap();
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
            assert_eq!(slot.open(PASSWORD), Err(NotOpened::Tampered));
        }
        // A public key of somebody else's: the right password is none for it.
        let stolen = Slot {
            public: other.public,
            ..slot
        };
        assert!(!stolen.belongs_to(&master()));
        assert_eq!(stolen.open(PASSWORD), Err(NotOpened::Wrong));
    }
}
