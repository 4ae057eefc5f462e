//! Security keys: what signs a challenge beside the password (WebAuthn), in a hand or in a device.

use data_encoding::BASE64URL_NOPAD;
use serde::{Deserialize, Serialize};

use super::{Event, Rejection};

/// The most keys that a member has at a time.
pub const MOST_SECURITY_KEYS: usize = 10;
/// The most characters of what a key is called.
pub const LONGEST_KEY_NAME: usize = 40;
/// The most bytes of a key's id (WebAuthn level 3, 4.).
const LONGEST_ID: usize = 1023;

/// Bytes that the site only passes on or checks by; base64url.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Opaque(pub Vec<u8>);

/// The text isn't base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this isn't base64url without padding")]
pub struct NotOpaque;

impl From<Opaque> for String {
    fn from(bytes: Opaque) -> Self {
        BASE64URL_NOPAD.encode(&bytes.0)
    }
}

impl TryFrom<String> for Opaque {
    type Error = NotOpaque;

    fn try_from(text: String) -> Result<Self, NotOpaque> {
        let bytes = BASE64URL_NOPAD.decode(text.as_bytes());
        bytes.map(Self).map_err(|_| NotOpaque)
    }
}

impl std::fmt::Display for Opaque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&BASE64URL_NOPAD.encode(&self.0))
    }
}

/// What checks a key's signatures, by the algorithm's name in COSE (RFC 9053, RFC 8812).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "algorithm", rename_all = "UPPERCASE")]
pub enum PublicKey {
    /// ECDSA on P-256 with SHA-256.
    Es256 {
        /// The point's first coordinate.
        x: Opaque,
        /// The point's second coordinate.
        y: Opaque,
    },
    /// ECDSA on P-384 with SHA-384.
    Es384 {
        /// The point's first coordinate.
        x: Opaque,
        /// The point's second coordinate.
        y: Opaque,
    },
    /// RSA, PKCS #1 v1.5, with SHA-256.
    Rs256 {
        /// The modulus.
        n: Opaque,
        /// The exponent.
        e: Opaque,
    },
}

/// How a browser reaches a key; a hint for it, and nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Transport {
    /// Plugged in.
    Usb,
    /// Held near.
    Nfc,
    /// Over Bluetooth.
    Ble,
    /// Part of the device.
    Internal,
    /// Another device, found by a picture.
    Hybrid,
}

/// A key of a member's.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SecurityKey {
    /// By what the key knows itself.
    pub id: Opaque,
    /// What the member calls it.
    pub name: String,
    /// What checks its signatures.
    pub public_key: PublicKey,
    /// How often it had signed; zero where it doesn't count.
    pub counter: u32,
    /// Whether it asked who held it, by a finger or a PIN: then it does so each time.
    pub user_verified: bool,
    /// Whether its owner may have copies of it, by an account elsewhere.
    pub backup_eligible: bool,
    /// How a browser reaches it.
    pub transports: Vec<Transport>,
    /// When it was added, in seconds since 1970.
    pub added: i64,
}

/// A key that the member has, and when it signed last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldKey {
    /// Which one; its counter is the last that was seen.
    pub key: SecurityKey,
    /// When it signed in last, in seconds since 1970.
    pub used: Option<i64>,
}

/// What may be asked of a member's keys.
#[derive(Debug, Clone)]
pub enum KeyCommand {
    /// Have a key besides.
    Add(SecurityKey),
    /// Sign in by a key.
    Use {
        /// Which one.
        id: Opaque,
        /// How often it has signed.
        counter: u32,
        /// Now, in seconds since 1970.
        at: i64,
    },
    /// Have a key no more.
    Remove(Opaque),
}

/// Checks whether another key may stand beside those that are there.
pub(super) fn added(held: &[HeldKey], key: SecurityKey) -> Result<SecurityKey, Rejection> {
    let name = key.name.trim();
    let fits = (1..=LONGEST_KEY_NAME).contains(&name.chars().count());
    if !fits || name.chars().any(char::is_control) {
        return Err(Rejection::KeyName);
    }
    if !(1..=LONGEST_ID).contains(&key.id.0.len()) || held.iter().any(|one| one.key.id == key.id) {
        return Err(Rejection::KeyThere);
    }
    if held.len() >= MOST_SECURITY_KEYS {
        return Err(Rejection::TooManyKeys);
    }
    let name = name.to_owned();
    Ok(SecurityKey { name, ..key })
}

/// Checks that a key is there, and that none is a copy: the counter of a key that counts only rises.
pub(super) fn used(held: &[HeldKey], id: &Opaque, counter: u32) -> Result<(), Rejection> {
    let known = held.iter().find(|one| one.key.id == *id);
    let last = known.ok_or(Rejection::KeyUnknown)?.key.counter;
    if (counter > 0 || last > 0) && counter <= last {
        return Err(Rejection::KeyCopied);
    }
    Ok(())
}

/// Takes over what happened to the keys.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest isn't about keys")]
pub(super) fn evolve(held: &mut Vec<HeldKey>, event: &Event) {
    match event {
        Event::SecurityKeyAdded { key, .. } => {
            let key = key.clone();
            held.push(HeldKey { key, used: None });
        }
        Event::SecurityKeyUsed { id, counter, at } => {
            for one in held.iter_mut().filter(|one| one.key.id == *id) {
                one.key.counter = *counter;
                one.used = Some(*at);
            }
        }
        Event::SecurityKeyRemoved { id } => held.retain(|one| one.key.id != *id),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::alice;
    use super::super::{Command, TotpSecret, User};
    use super::*;
    use crate::spec::given;

    fn key(number: u8) -> SecurityKey {
        SecurityKey {
            id: Opaque(vec![number; 16]),
            name: format!("key {number}"),
            public_key: PublicKey::Es256 {
                x: Opaque(vec![1; 32]),
                y: Opaque(vec![2; 32]),
            },
            counter: 5,
            user_verified: false,
            backup_eligible: false,
            transports: vec![Transport::Usb],
            added: 1_000,
        }
    }

    fn was_added(number: u8, first: bool) -> Event {
        let key = key(number);
        Event::SecurityKeyAdded { key, first }
    }

    fn use_it(number: u8, counter: u32) -> Command {
        Command::SecurityKey(KeyCommand::Use {
            id: key(number).id,
            counter,
            at: 2_000,
        })
    }

    fn was_used(number: u8, counter: u32) -> Event {
        Event::SecurityKeyUsed {
            id: key(number).id,
            counter,
            at: 2_000,
        }
    }

    #[test]
    fn a_key_is_added_once_under_a_name_and_the_first_factor_says_so() {
        let add = |key| Command::SecurityKey(KeyCommand::Add(key));
        given::<User>(&[alice()])
            .when(add(key(1)))
            .then(&[was_added(1, true)]);
        given::<User>(&[alice(), was_added(1, true)])
            .when(add(key(2)))
            .then(&[was_added(2, false)]);
        let codes = Event::SecondFactorEnabled {
            totp_secret: TotpSecret::new([4; 20]),
        };
        given::<User>(&[alice(), codes])
            .when(add(key(1)))
            .then(&[was_added(1, false)]);
        given::<User>(&[alice(), was_added(1, true)])
            .when(add(key(1)))
            .rejected(&Rejection::KeyThere);
        for name in ["", "  ", "a\nb", &"x".repeat(41)] {
            let name = name.to_owned();
            let named = SecurityKey { name, ..key(1) };
            given::<User>(&[alice()])
                .when(add(named))
                .rejected(&Rejection::KeyName);
        }
        let full: Vec<Event> = (0..10)
            .map(|number| was_added(number, number == 0))
            .collect();
        given::<User>(&[vec![alice()], full].concat())
            .when(add(key(11)))
            .rejected(&Rejection::TooManyKeys);
    }

    #[test]
    fn a_counter_only_rises_but_for_a_key_that_never_counts() {
        let has = [alice(), was_added(1, true)];
        given::<User>(&has)
            .when(use_it(1, 6))
            .then(&[was_used(1, 6)]);
        for back in [0, 4, 5] {
            given::<User>(&has)
                .when(use_it(1, back))
                .rejected(&Rejection::KeyCopied);
        }
        given::<User>(&[alice(), was_added(1, true), was_used(1, 9)])
            .when(use_it(1, 7))
            .rejected(&Rejection::KeyCopied);
        let counts_never = SecurityKey {
            counter: 0,
            ..key(2)
        };
        let uncounted = Event::SecurityKeyAdded {
            key: counts_never,
            first: true,
        };
        given::<User>(&[alice(), uncounted, was_used(2, 0)])
            .when(use_it(2, 0))
            .then(&[was_used(2, 0)]);
        given::<User>(&[alice()])
            .when(use_it(1, 6))
            .rejected(&Rejection::KeyUnknown);
    }

    #[test]
    fn one_key_is_removed_or_all_that_there_is_of_a_second_factor() {
        let id = key(1).id;
        let removed = Event::SecurityKeyRemoved { id: id.clone() };
        let has = [alice(), was_added(1, true)];
        given::<User>(&has)
            .when(Command::SecurityKey(KeyCommand::Remove(id.clone())))
            .then(std::slice::from_ref(&removed));
        given::<User>(&[alice(), was_added(1, true), removed.clone()])
            .when(Command::SecurityKey(KeyCommand::Remove(id)))
            .rejected(&Rejection::KeyUnknown);
        let codes = Event::SecondFactorEnabled {
            totp_secret: TotpSecret::new([4; 20]),
        };
        given::<User>(&[alice(), was_added(1, true), codes])
            .when(Command::EndSecondFactor)
            .then(&[Event::SecondFactorDisabled {}, removed]);
        given::<User>(&[alice()])
            .when(Command::EndSecondFactor)
            .then(&[]);
    }

    #[test]
    fn an_id_is_written_in_base64url() {
        let id = Opaque(vec![0xfb, 0xff, 0x01]);
        assert_eq!(id.to_string(), "-_8B");
        assert_eq!(Opaque::try_from("-_8B".to_owned()), Ok(id));
        assert_eq!(Opaque::try_from("+/8B".to_owned()), Err(NotOpaque));
    }
}
