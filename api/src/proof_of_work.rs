//! Proof of work before registration and recovery: SHA-256 of `challenge:nonce` with leading zero bits.
//!
//! Nothing is kept when a challenge is made: it is 32 bytes as 64 hex digits, expiry (u32), purpose
//! (u8), bits (u8), 10 random bytes and 16 bytes of a keyed hash over all that. A solved one is
//! spent once.

use std::time::Duration;

use domain::Purpose as KeyPurpose;
use serde::Deserialize;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;

use crate::app::App;
use crate::problem::Problem;

/// How long a challenge holds.
const LIFE: u32 = 300;

/// What a proof is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// To register.
    #[default]
    Registration,
    /// To come back by a recovery code.
    Recovery,
}

impl Purpose {
    fn number(self) -> u8 {
        match self {
            Self::Registration => 1,
            Self::Recovery => 2,
        }
    }
}

/// Makes a challenge.
pub(crate) fn challenge(app: &App, purpose: Purpose) -> String {
    let mut random = [0; 10];
    app.random.fill(&mut random);
    let expiry = now().saturating_add(LIFE);
    let fields = [
        &expiry.to_be_bytes()[..],
        &[purpose.number(), app.site.work_bits],
        &random,
    ]
    .concat();
    hex::encode([fields.as_slice(), &mac(app, &fields)].concat())
}

/// Checks a solved challenge and spends it.
pub(crate) async fn redeem(
    app: &App,
    purpose: Purpose,
    challenge: &str,
    nonce: &str,
) -> Result<(), Problem> {
    check(app, purpose, challenge, nonce, now())?;
    let spent = format!("spent:{}", hex::encode(Sha256::digest(challenge)));
    if app
        .ephemera
        .put_new(&spent, &[], Duration::from_secs(u64::from(LIFE)))
        .await?
    {
        Ok(())
    } else {
        Err(refused("The proof of work was used already."))
    }
}

fn check(
    app: &App,
    purpose: Purpose,
    challenge: &str,
    nonce: &str,
    now: u32,
) -> Result<(), Problem> {
    let bytes: [u8; 32] = hex::decode(challenge)
        .ok()
        .filter(|_| {
            challenge.len() == 64 && challenge.bytes().all(|digit| !digit.is_ascii_uppercase())
        })
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or_else(|| refused("The proof of work isn't one of ours."))?;
    let (fields, tag) = bytes.split_at(16);
    if !bool::from(mac(app, fields).ct_eq(tag)) {
        return Err(refused("The proof of work isn't one of ours."));
    }
    let expiry = fields
        .iter()
        .take(4)
        .fold(0_u32, |sum, byte| sum << 8 | u32::from(*byte));
    if now > expiry {
        return Err(refused("The proof of work is too old."));
    }
    if fields.get(4) != Some(&purpose.number()) {
        return Err(refused("The proof of work was made for something else."));
    }
    if nonce.len() > 20
        || leading_zeros(challenge, nonce) < u32::from(fields.get(5).copied().unwrap_or(u8::MAX))
    {
        return Err(refused("The proof of work doesn't hold."));
    }
    Ok(())
}

/// Counts the zero bits with which the hash begins.
fn leading_zeros(challenge: &str, nonce: &str) -> u32 {
    let hash = Sha256::digest(format!("{challenge}:{nonce}"));
    let mut zeros = 0;
    for byte in hash {
        zeros += byte.leading_zeros();
        if byte != 0 {
            break;
        }
    }
    zeros
}

fn mac(app: &App, fields: &[u8]) -> [u8; 16] {
    let mac = app.keys.mac(KeyPurpose::Challenge, fields);
    let mut short = [0; 16];
    short.iter_mut().zip(mac).for_each(|(to, from)| *to = from);
    short
}

fn now() -> u32 {
    u32::try_from(OffsetDateTime::now_utc().unix_timestamp()).unwrap_or(u32::MAX)
}

fn refused(why: &str) -> Problem {
    Problem::new(
        axum::http::StatusCode::FORBIDDEN,
        "proof-of-work",
        "The proof of work was refused",
        &format!("{why} Send the form again: another one will be made."),
    )
}

#[cfg(test)]
mod tests {
    use super::leading_zeros;

    #[test]
    fn the_published_vector_holds() {
        let challenge = "ab".repeat(32);
        assert_eq!(leading_zeros(&challenge, "3225653"), 20);
        assert!(leading_zeros(&challenge, "3225652") < 20);
    }
}
