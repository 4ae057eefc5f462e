//! How a member proves to know the password.

use serde::{Deserialize, Serialize};

use super::Rejection;

/// The fewest PBKDF2 iterations that are accepted for new credentials.
pub const FEWEST_ITERATIONS: u32 = 100_000;
/// The most PBKDF2 iterations: more would only be an attack on the member's browser.
pub const MOST_ITERATIONS: u32 = 10_000_000;

/// What the site keeps to check a sign-in: the core of SCRAM-SHA-256 (RFC 5802, RFC 7677).
///
/// Who reads it can't sign in with it; see `api::sign_in` for the exchange.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Credentials {
    /// Thirty-two random bytes, base64.
    #[serde(with = "base64_bytes")]
    pub salt: [u8; 32],
    /// PBKDF2-HMAC-SHA-256 iterations.
    pub iterations: u32,
    /// SHA-256 of the client's key, base64.
    #[serde(with = "base64_bytes")]
    pub verifier: [u8; 32],
    /// The key of the server's own proof, base64.
    #[serde(with = "base64_bytes")]
    pub server_key: [u8; 32],
}

impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Credentials(…)")
    }
}

impl Credentials {
    /// Refuses credentials that are too cheap or too dear.
    pub(super) fn check(&self) -> Result<(), Rejection> {
        if (FEWEST_ITERATIONS..=MOST_ITERATIONS).contains(&self.iterations) {
            Ok(())
        } else {
            Err(Rejection::Iterations)
        }
    }
}

mod base64_bytes {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    use serde::{Deserialize, Deserializer, Serializer, de::Error as _};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&STANDARD.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let bytes = STANDARD
            .decode(String::deserialize(from)?)
            .map_err(D::Error::custom)?;
        bytes
            .try_into()
            .map_err(|_| D::Error::custom("expected 32 bytes"))
    }
}
