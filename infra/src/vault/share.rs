//! The secret behind the Panic Password, shared among several people: any K of N bring everything back,
//! and fewer know nothing (Shamir's scheme over GF(256)).
//!
//! A share is text to be written down: `ot1-SLOT-K-SHARE-CHECK`, SLOT the first eight digits of the slot's
//! fingerprint, K how many are needed, SHARE and CHECK in hex, the latter the first four bytes of
//! SHA-256 of what stands before.

use std::collections::BTreeSet;

use blahaj::{Share, Sharks};
use domain::audit::Digest;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use super::{Secret, Slot};

/// Why shares don't go together.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadShares {
    /// A text isn't a share, or has a slip of the pen.
    #[error("share {0} was mistyped: it has the form ot1-…, all in one line")]
    Mistyped(usize),
    /// A share belongs to another Panic Password.
    #[error("share {0} belongs to another Panic Password, or to an older one")]
    Foreign(usize),
    /// There are too few.
    #[error("{needed} different shares are needed, and {given} were given")]
    TooFew {
        /// How many are needed.
        needed: u8,
        /// How many different ones were given.
        given: usize,
    },
    /// They are good one by one and give nothing together.
    #[error("these shares don't belong together")]
    Mixed,
}

/// Shares a secret among `among` people, of whom `needed` bring it back together.
pub fn split(slot: &Slot, secret: &Secret, needed: u8, among: u8) -> Vec<Zeroizing<String>> {
    let dealer = Sharks(needed);
    let shares = dealer.dealer(secret.as_slice()).take(among.into());
    shares
        .map(|share| write(&name(&slot.fingerprint()), needed, &share))
        .collect()
}

/// Brings the secret back of the slot with a fingerprint.
pub fn join(of: &Digest, texts: &[Zeroizing<String>]) -> Result<Secret, BadShares> {
    let mut needed = BTreeSet::new();
    let mut shares: Vec<(Vec<u8>, Share)> = vec![];
    for (number, text) in (1..).zip(texts) {
        let (slot, count, share) = read(text).ok_or(BadShares::Mistyped(number))?;
        if slot != name(of) {
            return Err(BadShares::Foreign(number));
        }
        let bytes: Vec<u8> = (&share).into();
        needed.insert(count);
        if shares.iter().all(|(known, _)| *known != bytes) {
            shares.push((bytes, share));
        }
    }
    let needed = needed.into_iter().max().unwrap_or(2);
    let given = shares.len();
    if given < needed.into() {
        return Err(BadShares::TooFew { needed, given });
    }
    let shares = shares.iter().map(|(_, share)| share);
    let dealer = Sharks(needed);
    let secret = dealer.recover(shares).ok().map(Zeroizing::new);
    let bytes = secret.and_then(|secret| secret.as_slice().try_into().ok());
    bytes.map(Secret::new).ok_or(BadShares::Mixed)
}

fn name(of: &Digest) -> String {
    let name = hex::encode(of.0);
    name.chars().take(8).collect()
}

fn write(slot: &str, needed: u8, share: &Share) -> Zeroizing<String> {
    let bytes = Zeroizing::new(Vec::from(share));
    let body = Zeroizing::new(format!("ot1-{slot}-{needed}-{}", hex::encode(&*bytes)));
    Zeroizing::new(format!("{}-{}", *body, check(&body)))
}

fn read(text: &str) -> Option<(String, u8, Share)> {
    let text = Zeroizing::new(text.trim().to_lowercase());
    let (body, told) = text.rsplit_once('-')?;
    if check(body) != told {
        return None;
    }
    let mut parts = body.split('-').skip(1);
    let (slot, needed, share) = (parts.next()?, parts.next()?, parts.next()?);
    let bytes = Zeroizing::new(hex::decode(share).ok()?);
    let share = Share::try_from(bytes.as_slice()).ok()?;
    Some((slot.to_owned(), needed.parse().ok()?, share))
}

fn check(body: &str) -> String {
    let digest = Sha256::digest(body.as_bytes());
    hex::encode(digest.get(..4).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::Key;
    use crate::vault::LEAST_WORK;

    fn slot(password: &str) -> Slot {
        let (master, wrapping) = (Key::new([1; 32]), Key::new([2; 32]));
        Slot::make(&master, &wrapping, password, LEAST_WORK).unwrap()
    }

    #[test]
    fn any_of_them_bring_the_secret_back_and_fewer_do_not() {
        let slot = slot("demo panic password");
        let secret = slot.secret("demo panic password").unwrap();
        let shares = split(&slot, &secret, 3, 5);
        for gone in 0..5 {
            let mut some = shares.clone();
            some.remove(gone);
            some.reverse();
            assert_eq!(join(&slot.fingerprint(), &some[..3]).unwrap(), secret);
            assert_eq!(join(&slot.fingerprint(), &some).unwrap(), secret);
        }
        assert!(
            slot.open(&join(&slot.fingerprint(), &shares[2..]).unwrap())
                .is_ok()
        );
        let few = BadShares::TooFew {
            needed: 3,
            given: 2,
        };
        assert_eq!(join(&slot.fingerprint(), &shares[..2]), Err(few.clone()));
        let twice = [shares[0].clone(), shares[0].clone(), shares[1].clone()];
        assert_eq!(join(&slot.fingerprint(), &twice), Err(few));
    }

    #[test]
    fn a_slip_of_the_pen_and_a_foreign_share_are_named() {
        let (one, two) = (slot("demo panic password"), slot("another panic password"));
        let secret = one.secret("demo panic password").unwrap();
        let mut shares = split(&one, &secret, 2, 2);
        assert_eq!(
            join(&two.fingerprint(), &shares),
            Err(BadShares::Foreign(1))
        );
        let typed = shares[1].to_uppercase();
        shares[1] = Zeroizing::new(format!("  {typed}\n"));
        assert_eq!(join(&one.fingerprint(), &shares).unwrap(), secret);
        let bent = shares[0].replace("-2-", "-3-");
        shares[0] = Zeroizing::new(bent);
        assert_eq!(
            join(&one.fingerprint(), &shares),
            Err(BadShares::Mistyped(1))
        );
    }
}
