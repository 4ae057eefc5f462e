//! What is sent about security keys, read and checked as the routes do, for the fuzzer.

use domain::user::{Opaque, PublicKey, SecurityKey};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use uuid::Uuid;
use webauthn_rs::Webauthn;
use webauthn_rs::prelude::{SecurityKeyAuthentication, SecurityKeyRegistration, Url};

use super::super::relying_party;
use super::{Add, Begin, Brought, Remove};

/// The challenge of everything that is asked here: 32 bytes of seven.
const CHALLENGE: &str = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc";
/// The generator of P-256: nobody signs by it who doesn't make up a key.
const POINT: [&str; 2] = [
    "6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296",
    "4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5",
];

/// A site that asked for a new key, and for a signature of one that nobody has.
pub(crate) struct Asking {
    party: Webauthn,
    new: SecurityKeyRegistration,
    signature: SecurityKeyAuthentication,
}

impl Asking {
    /// Asks.
    pub(crate) fn begin() -> Option<Self> {
        let origin = Url::parse("https://tracker.example").ok()?;
        let party = relying_party::at(&origin, "OpenTracker")?;
        let whose = (Uuid::from_u128(1), "alice");
        let (_, new) = relying_party::ask_for_new(&party, whose, vec![]).ok()?;
        let (_, signature) = relying_party::ask(&party, std::iter::once(nobodys()?)).ok()?;
        Some(Self {
            new: asked(&new, "/rs/challenge")?,
            signature: asked(&signature, "/ast/challenge")?,
            party,
        })
    }

    /// Takes a new key in, where a body is one.
    pub(crate) fn takes(&self, body: &[u8]) -> Option<SecurityKey> {
        let asked: Add = read(body)?;
        let named = ("a key".to_owned(), 1);
        relying_party::take(&self.party, &asked.credential, &self.new, named).ok()
    }

    /// Tells whether a body signs as the key that nobody has.
    pub(crate) fn believes(&self, body: &[u8]) -> bool {
        read::<Brought>(body).is_some_and(|brought| {
            relying_party::check(&self.party, &brought.credential, &self.signature).is_ok()
        })
    }
}

/// Tells whether a body asks for another key, or for the end of one.
pub(crate) fn asks(body: &[u8]) -> bool {
    read::<Begin>(body).is_some() || read::<Remove>(body).is_some()
}

/// Reads a body as the routes do.
fn read<T: DeserializeOwned>(body: &[u8]) -> Option<T> {
    let value: Value = serde_json::from_slice(body).ok()?;
    serde_json::from_value(value).ok()
}

/// Gives what was asked with the fixed challenge.
fn asked<T: Serialize + DeserializeOwned>(state: &T, place: &str) -> Option<T> {
    let mut state = serde_json::to_value(state).ok()?;
    *state.pointer_mut(place)? = CHALLENGE.into();
    serde_json::from_value(state).ok()
}

fn nobodys() -> Option<SecurityKey> {
    let [x, y] = POINT.map(|half| hex::decode(half).map(Opaque).ok());
    Some(SecurityKey {
        id: Opaque(vec![1; 32]),
        name: "nobody's".to_owned(),
        public_key: PublicKey::Es256 { x: x?, y: y? },
        counter: 0,
        user_verified: false,
        backup_eligible: false,
        transports: vec![],
        added: 1,
    })
}
