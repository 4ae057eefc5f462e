//! How an event's payload and private metadata are sealed, and how its place is hashed.
//!
//! Plaintext: JSON of payload, metadata and a random salt. Sealed: 24 bytes of random nonce, then
//! XChaCha20-Poly1305 ciphertext and tag, under a key that HKDF-SHA-256 derives from the data key
//! for the stream. What stands in the clear beside it is authenticated with it.

use chacha20poly1305::aead::{Aead as _, KeyInit as _, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use domain::Meta;
use hkdf::Hkdf;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use uuid::Uuid;
use zeroize::Zeroizing;

/// Bytes of a nonce.
const NONCE: usize = 24;

/// A 32-byte secret, wiped when dropped.
pub(crate) type Key = Zeroizing<[u8; 32]>;

/// Something sealed doesn't open: another key, another place, or tampered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a sealed record doesn't open")]
pub struct Unsealable;

/// What stands in the clear beside a sealed payload.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Envelope<'a> {
    pub(crate) stream_type: &'a str,
    pub(crate) stream: Uuid,
    pub(crate) sequence: i64,
    pub(crate) name: &'a str,
    pub(crate) version: i32,
    pub(crate) key_id: i32,
}

impl Envelope<'_> {
    /// Gives the parts with their lengths, so that no two envelopes give the same bytes.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = b"opentracker/event/v1".to_vec();
        for text in [self.stream_type, self.name] {
            bytes.extend(u32::try_from(text.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend(text.as_bytes());
        }
        bytes.extend(self.stream.as_bytes());
        bytes.extend(self.sequence.to_be_bytes());
        bytes.extend(self.version.to_be_bytes());
        bytes.extend(self.key_id.to_be_bytes());
        bytes
    }
}

/// What is inside a seal.
#[derive(Deserialize)]
pub(crate) struct Inside {
    pub(crate) payload: Value,
    pub(crate) meta: Meta,
}

/// What goes inside a seal; [`Inside`] and a salt.
#[derive(Serialize)]
struct Content<'a> {
    payload: &'a Value,
    meta: &'a Meta,
    salt: String,
}

/// A sealed payload, and the commitment to its plaintext.
#[derive(Debug, Clone)]
pub(crate) struct Sealed {
    pub(crate) bytes: Vec<u8>,
    /// SHA-256 of the plaintext with its salt: it stays the same when the payload is sealed anew.
    pub(crate) commitment: [u8; 32],
}

/// Seals an event's payload and metadata.
pub(crate) fn seal(
    data_key: &Key,
    envelope: &Envelope<'_>,
    payload: &Value,
    meta: &Meta,
    random: [u8; NONCE + 16],
) -> Result<Sealed, Unsealable> {
    let (nonce, salt) = random.split_at(NONCE);
    let inside = Content {
        payload,
        meta,
        salt: hex::encode(salt),
    };
    let plain = Zeroizing::new(serde_json::to_vec(&inside).map_err(|_| Unsealable)?);
    let commitment = commitment(&plain);
    let key = stream_key(data_key, envelope.stream)?;
    let bytes = encrypt(&key, nonce, &plain, &envelope.bytes())?;
    Ok(Sealed { bytes, commitment })
}

/// Seals a value that stands for a stream at a sequence, without metadata or salt.
pub(crate) fn seal_plain(
    data_key: &Key,
    envelope: &Envelope<'_>,
    value: &Value,
    nonce: [u8; NONCE],
) -> Result<Vec<u8>, Unsealable> {
    let plain = Zeroizing::new(serde_json::to_vec(value).map_err(|_| Unsealable)?);
    let key = stream_key(data_key, envelope.stream)?;
    encrypt(&key, &nonce, &plain, &envelope.bytes())
}

/// Opens an event's payload and metadata.
pub(crate) fn open(
    data_key: &Key,
    envelope: &Envelope<'_>,
    sealed: &[u8],
) -> Result<Inside, Unsealable> {
    let plain = open_plain(data_key, envelope, sealed)?;
    serde_json::from_slice(&plain).map_err(|_| Unsealable)
}

/// Opens an event's plaintext, byte for byte as it was committed to.
pub(crate) fn open_plain(
    data_key: &Key,
    envelope: &Envelope<'_>,
    sealed: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
    let key = stream_key(data_key, envelope.stream)?;
    decrypt(&key, sealed, &envelope.bytes())
}

/// Encrypts under a key with a nonce that is used once; the nonce leads the answer.
pub(crate) fn encrypt(
    key: &Key,
    nonce: &[u8],
    plain: &[u8],
    beside: &[u8],
) -> Result<Vec<u8>, Unsealable> {
    let unique: [u8; NONCE] = nonce.try_into().map_err(|_| Unsealable)?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let sealed = cipher
        .encrypt(
            &XNonce::from(unique),
            Payload {
                msg: plain,
                aad: beside,
            },
        )
        .map_err(|_| Unsealable)?;
    Ok([nonce, &sealed].concat())
}

/// Decrypts what [`encrypt`] gave.
pub(crate) fn decrypt(
    key: &Key,
    sealed: &[u8],
    beside: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Unsealable> {
    let (nonce, rest) = sealed.split_at_checked(NONCE).ok_or(Unsealable)?;
    let nonce: [u8; NONCE] = nonce.try_into().map_err(|_| Unsealable)?;
    let cipher = XChaCha20Poly1305::new((&**key).into());
    let plain = cipher.decrypt(
        &XNonce::from(nonce),
        Payload {
            msg: rest,
            aad: beside,
        },
    );
    plain.map(Zeroizing::new).map_err(|_| Unsealable)
}

/// Derives a key for one use out of another.
pub(crate) fn derive(from: &Key, what: &[&[u8]]) -> Result<Key, Unsealable> {
    let mut key = Key::default();
    let hkdf = Hkdf::<Sha256>::from_prk(from.as_slice()).map_err(|_| Unsealable)?;
    hkdf.expand_multi_info(what, key.as_mut_slice())
        .map_err(|_| Unsealable)?;
    Ok(key)
}

pub(crate) fn stream_key(data_key: &Key, stream: Uuid) -> Result<Key, Unsealable> {
    derive(data_key, &[b"ot/stream/v1", stream.as_bytes()])
}

/// Where an event stands, as its leaf commits to it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) position: i64,
    pub(crate) envelope: Envelope<'a>,
    pub(crate) command: Uuid,
    /// Microseconds since 1970.
    pub(crate) recorded_at: i64,
}

/// Commits to a plaintext; its salt hides it.
pub(crate) fn commitment(plain: &[u8]) -> [u8; 32] {
    Sha256::digest(plain).into()
}

/// Hashes an event's place and its plaintext's commitment. The data key's id is left out: it
/// changes when the payload is sealed anew.
pub(crate) fn leaf(place: &Place<'_>, commitment: &[u8; 32]) -> [u8; 32] {
    let envelope = Envelope {
        key_id: 0,
        ..place.envelope
    };
    Sha256::new()
        .chain_update(place.position.to_be_bytes())
        .chain_update(envelope.bytes())
        .chain_update(place.recorded_at.to_be_bytes())
        .chain_update(place.command.as_bytes())
        .chain_update(commitment)
        .finalize()
        .into()
}

/// Links a leaf to the chain before it.
pub(crate) fn link(before: &[u8], leaf: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update(before)
        .chain_update(leaf)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::Actor;
    use serde_json::json;

    const ENVELOPE: Envelope<'_> = Envelope {
        stream_type: "torrent",
        stream: Uuid::from_u128(7),
        sequence: 1,
        name: "TorrentUploaded",
        version: 1,
        key_id: 3,
    };

    fn meta() -> Meta {
        Meta {
            actor: Actor::System,
            correlation: Uuid::nil(),
            causation: None,
            reason: None,
        }
    }

    fn sealed() -> Sealed {
        seal(
            &Key::new([9; 32]),
            &ENVELOPE,
            &json!({"a": 1}),
            &meta(),
            [4; 40],
        )
        .unwrap()
    }

    #[test]
    fn what_was_sealed_opens_in_its_place_alone() {
        let key = Key::new([9; 32]);
        let opened = open(&key, &ENVELOPE, &sealed().bytes).unwrap();
        assert_eq!((opened.payload, opened.meta), (json!({"a": 1}), meta()));
        let elsewhere = [
            Envelope {
                sequence: 2,
                ..ENVELOPE
            },
            Envelope {
                stream: Uuid::from_u128(8),
                ..ENVELOPE
            },
            Envelope {
                stream_type: "user",
                ..ENVELOPE
            },
            Envelope {
                name: "TorrentWithdrawn",
                ..ENVELOPE
            },
            Envelope {
                version: 2,
                ..ENVELOPE
            },
            Envelope {
                key_id: 4,
                ..ENVELOPE
            },
        ];
        for place in elsewhere {
            assert!(open(&key, &place, &sealed().bytes).is_err(), "{place:?}");
        }
        assert!(open(&Key::new([8; 32]), &ENVELOPE, &sealed().bytes).is_err());
    }

    #[test]
    fn every_changed_byte_is_noticed() {
        let bytes = sealed().bytes;
        for place in 0..bytes.len() {
            let mut changed = bytes.clone();
            changed[place] ^= 1;
            assert!(
                open(&Key::new([9; 32]), &ENVELOPE, &changed).is_err(),
                "byte {place}"
            );
        }
        assert!(open(&Key::new([9; 32]), &ENVELOPE, &bytes[..10]).is_err());
    }

    #[test]
    fn the_leaf_commits_to_the_place_but_not_to_the_key() {
        let place = Place {
            position: 5,
            envelope: ENVELOPE,
            command: Uuid::nil(),
            recorded_at: 1,
        };
        let commitment = sealed().commitment;
        let same = Place {
            envelope: Envelope {
                key_id: 99,
                ..ENVELOPE
            },
            ..place
        };
        assert_eq!(leaf(&place, &commitment), leaf(&same, &commitment));
        assert_ne!(
            leaf(&place, &commitment),
            leaf(
                &Place {
                    position: 6,
                    ..place
                },
                &commitment
            )
        );
        assert_ne!(
            leaf(&place, &commitment),
            leaf(
                &Place {
                    recorded_at: 2,
                    ..place
                },
                &commitment
            )
        );
        assert_ne!(leaf(&place, &commitment), leaf(&place, &[0; 32]));
    }
}
