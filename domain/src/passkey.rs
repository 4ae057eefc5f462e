//! The secret in a member's announce URL.

use serde::{Deserialize, Serialize};

/// Thirty-two lower-case hex digits; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Passkey(String);

/// The text isn't a passkey.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a passkey is 32 hexadecimal digits")]
pub struct NotAPasskey;

impl Passkey {
    /// Makes the passkey of sixteen random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(hex::encode(random))
    }

    /// Reads the text of an announce URL.
    pub fn parse(text: &str) -> Result<Self, NotAPasskey> {
        if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotAPasskey)
        }
    }

    /// Gives the text away, for the member's own eyes and downloads.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Passkey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Passkey(…)")
    }
}

impl TryFrom<String> for Passkey {
    type Error = NotAPasskey;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Passkey> for String {
    fn from(passkey: Passkey) -> Self {
        passkey.0
    }
}
