//! Proof of work before registration and recovery: SHA-256 of `challenge:nonce` with leading zero bits.
//!
//! A challenge is [`signed`], says its purpose (u8) and bits (u8), and is spent once where it is solved.

use serde::Deserialize;
use sha2::{Digest as _, Sha256};

use crate::app::App;
use crate::problem::Problem;
use crate::signed::{self, LIFE};

/// What a challenge is bound to.
const BOUND: &[u8] = b"proof of work";

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
    signed::make(app, BOUND, &[purpose.number(), app.site.work_bits])
}

/// Checks a solved challenge and spends it.
pub(crate) async fn redeem(
    app: &App,
    purpose: Purpose,
    challenge: &str,
    nonce: &str,
) -> Result<(), Problem> {
    check(app, purpose, challenge, nonce)?;
    let spent = format!("spent:{}", hex::encode(Sha256::digest(challenge)));
    if app.ephemera.put_new(&spent, &[], LIFE).await? {
        Ok(())
    } else {
        Err(refused("The proof of work was used already."))
    }
}

fn check(app: &App, purpose: Purpose, challenge: &str, nonce: &str) -> Result<(), Problem> {
    let signed = signed::read(app, BOUND, challenge)
        .ok_or_else(|| refused("The proof of work isn't one of ours."))?;
    if signed.late {
        return Err(refused("The proof of work is too old."));
    }
    let [number, bits, ..] = signed.said;
    if number != purpose.number() {
        return Err(refused("The proof of work was made for something else."));
    }
    if nonce.len() > 20 || leading_zeros(challenge, nonce) < u32::from(bits) {
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
