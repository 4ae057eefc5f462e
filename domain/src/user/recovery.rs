//! Recovery codes: a way back in for who forgot the password, good for once each.

use serde::{Deserialize, Serialize};

/// How many codes a member gets at a time.
pub const CODES: usize = 8;

/// A recovery code: twenty lower-case hex digits, written in groups of five; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct RecoveryCode(String);

/// The text isn't a recovery code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a recovery code is 20 hexadecimal digits")]
pub struct NotARecoveryCode;

impl RecoveryCode {
    /// Makes the code of ten random bytes.
    pub fn new(random: [u8; 10]) -> Self {
        Self(hex::encode(random))
    }

    /// Reads a code as somebody types it: in any case, with hyphens and spaces or without.
    pub fn parse(text: &str) -> Result<Self, NotARecoveryCode> {
        let digits = |c: &char| !c.is_whitespace() && *c != '-';
        let code: String = text.chars().take(64).filter(digits).collect();
        if code.len() == 20 && code.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(code.to_ascii_lowercase()))
        } else {
            Err(NotARecoveryCode)
        }
    }

    /// Gives the code away without its hyphens, to be hashed.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Gives the code away as it is written, for the member's own eyes.
    pub fn written(&self) -> String {
        let (mut written, half) = (String::new(), 5);
        for (at, digit) in self.0.chars().enumerate() {
            if at > 0 && at % half == 0 {
                written.push('-');
            }
            written.push(digit);
        }
        written
    }
}

impl std::fmt::Debug for RecoveryCode {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("RecoveryCode(…)")
    }
}

/// The keyed hash of a recovery code, which is all that is kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct CodeHash(#[serde(with = "hex::serde")] pub [u8; 32]);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_as_it_is_written_and_never_shown() {
        let code = RecoveryCode::new([0xAB; 10]);
        assert_eq!(code.written(), "ababa-babab-ababa-babab");
        assert_eq!(
            RecoveryCode::parse(" ABABA babab-ababa-babab "),
            Ok(code.clone())
        );
        assert_eq!(format!("{code:?}"), "RecoveryCode(…)");
        for foreign in ["", "ab", "ababa-babab-ababa-babaz", &"ab".repeat(11)] {
            assert_eq!(
                RecoveryCode::parse(foreign),
                Err(NotARecoveryCode),
                "{foreign}"
            );
        }
    }
}
