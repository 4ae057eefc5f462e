//! The outer layer: every stored payload encrypted once more, with AES-256-GCM.
//!
//! Sealed: 12 bytes of random nonce, then ciphertext and tag, under a key that is made for one pass and
//! stands beside the log sealed to the public key of the Panic Password alone. What stands in the clear
//! beside the payload is authenticated with it. A row is taken and given as PostgreSQL copies it
//! (binary format): no column but the payload, its suite and its key is looked at.

use std::collections::HashMap;

use aes_gcm::aead::{Aead as _, KeyInit as _, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use rand::Rng as _;

use super::tuple::Tuple;
use crate::seal::{Key, Unsealable};

/// The suite of a payload as the program wrote it.
const INNER: [u8; 2] = 1_i16.to_be_bytes();
/// The suite of a payload with its outer layer.
const OUTER: [u8; 2] = 2_i16.to_be_bytes();

/// Bytes of a nonce.
const NONCE: usize = 12;
/// Bytes that name the key, ahead of the nonce.
const NAME: usize = 4;

/// What a pass does to a row.
pub(super) trait Layer: Send {
    /// Changes the row; a row that can't be changed stays as it is and is counted.
    fn change(&self, row: &mut Tuple<'_>) -> Result<(), Unsealable>;
}

/// Puts the layer on.
pub(super) struct On {
    id: i32,
    cipher: Aes256Gcm,
}

impl On {
    pub(super) fn new(id: i32, key: &Key) -> Self {
        let cipher = Aes256Gcm::new((&**key).into());
        Self { id, cipher }
    }
}

impl Layer for On {
    fn change(&self, row: &mut Tuple<'_>) -> Result<(), Unsealable> {
        if row.suite() != INNER.as_slice() {
            return Err(Unsealable);
        }
        let mut nonce = [0; NONCE];
        rand::rng().fill_bytes(&mut nonce);
        let name = self.id.to_be_bytes();
        let payload = Payload {
            msg: row.sealed(),
            aad: &beside(row, name),
        };
        let sealed = self.cipher.encrypt(&Nonce::from(nonce), payload);
        let sealed = sealed.map_err(|_| Unsealable)?;
        let whole = [&name[..], &nonce, &sealed].concat();
        row.put(OUTER, whole);
        Ok(())
    }
}

/// Takes the layer off.
pub(super) struct Off {
    ciphers: HashMap<[u8; NAME], Aes256Gcm>,
}

impl Off {
    pub(super) fn new(keys: &[(i32, Key)]) -> Self {
        let cipher = |key: &Key| Aes256Gcm::new((&**key).into());
        let ciphers = keys.iter().map(|(id, key)| (id.to_be_bytes(), cipher(key)));
        Self {
            ciphers: ciphers.collect(),
        }
    }
}

impl Layer for Off {
    fn change(&self, row: &mut Tuple<'_>) -> Result<(), Unsealable> {
        if row.suite() != OUTER.as_slice() {
            return Err(Unsealable);
        }
        let (name, rest) = row.sealed().split_first_chunk().ok_or(Unsealable)?;
        let (nonce, sealed) = rest.split_first_chunk::<NONCE>().ok_or(Unsealable)?;
        let cipher = self.ciphers.get(name).ok_or(Unsealable)?;
        let payload = Payload {
            msg: sealed,
            aad: &beside(row, *name),
        };
        let plain = cipher.decrypt(&Nonce::from(*nonce), payload);
        let plain = plain.map_err(|_| Unsealable)?;
        row.put(INNER, plain);
        Ok(())
    }
}

/// Gives what is authenticated: every other column, and the key.
fn beside(row: &Tuple<'_>, name: [u8; NAME]) -> Vec<u8> {
    let mut bytes = b"opentracker/outer/v1".to_vec();
    bytes.extend(name);
    for column in row.others() {
        bytes.extend(
            u32::try_from(column.len())
                .unwrap_or(u32::MAX)
                .to_be_bytes(),
        );
        bytes.extend(column);
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::panic::tuple::sample;

    fn changed(layer: &dyn Layer, bytes: &[u8]) -> Result<Vec<u8>, Unsealable> {
        let (mut row, _) = Tuple::read(bytes).unwrap().unwrap();
        layer.change(&mut row)?;
        let mut out = vec![];
        row.write(&mut out);
        Ok(out)
    }

    #[test]
    fn what_was_put_on_comes_off_byte_for_byte_and_in_its_place_alone() {
        let key = Key::new([7; 32]);
        let (on, off) = (On::new(3, &key), Off::new(&[(3, key.clone())]));
        let row = sample(5, b"sealed payload");
        let outer = changed(&on, &row).unwrap();
        assert!(!outer.windows(6).any(|part| part == b"sealed"));
        assert_eq!(changed(&off, &outer).unwrap(), row);
        assert_ne!(changed(&on, &row).unwrap(), outer, "each nonce is another");
        assert_eq!(changed(&on, &outer), Err(Unsealable), "one layer is enough");
        assert_eq!(changed(&off, &row), Err(Unsealable));
        let other = Off::new(&[(3, Key::new([8; 32])), (4, key)]);
        assert_eq!(changed(&other, &outer), Err(Unsealable));
        for place in 2..outer.len() {
            let mut bent = outer.clone();
            bent[place] ^= 1;
            let opened = Tuple::read(&bent)
                .ok()
                .flatten()
                .map(|_| changed(&off, &bent));
            assert!(!matches!(opened, Some(Ok(_))), "byte {place}");
        }
    }
}
