//! What a swarm is known by: SHA-1 of the info dictionary (BEP 3), and SHA-256 for v2 (BEP 52).

use serde::{Deserialize, Serialize};

/// Twenty bytes: SHA-1 of the info dictionary, or the first twenty of its SHA-256.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InfoHash(pub [u8; 20]);

/// Thirty-two bytes: SHA-256 of the info dictionary (BEP 52).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct InfoHashV2(pub [u8; 32]);

impl InfoHashV2 {
    /// Cuts the hash to the twenty bytes under which clients announce it (BEP 52).
    pub fn truncated(&self) -> InfoHash {
        let mut short = [0; 20];
        short
            .iter_mut()
            .zip(self.0)
            .for_each(|(to, from)| *to = from);
        InfoHash(short)
    }
}

/// Writes and reads bytes as hex digits.
macro_rules! hex_text {
    ($name:ident, $length:literal) => {
        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(&hex::encode(self.0))
            }
        }

        impl From<$name> for String {
            fn from(hash: $name) -> Self {
                hash.to_string()
            }
        }

        impl TryFrom<String> for $name {
            type Error = hex::FromHexError;
            fn try_from(text: String) -> Result<Self, Self::Error> {
                let mut bytes = [0; $length];
                hex::decode_to_slice(text, &mut bytes)?;
                Ok(Self(bytes))
            }
        }
    };
}

pub(crate) use hex_text;

hex_text!(InfoHash, 20);
hex_text!(InfoHashV2, 32);
