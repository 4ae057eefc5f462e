//! An invite: the code that lets somebody join, and whose it is.
//!
//! Invites stand in the stream of the member who makes them ([`crate::user`]), so that making one and
//! paying for it is one fact. That one was used stands with who joined by it.

use serde::{Deserialize, Serialize};

use crate::id::{InviteId, MemberId};

/// The secret of an invite's link: thirty-two lower-case hex digits; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Code(String);

/// The text isn't an invite's code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an invite's code is 32 hexadecimal digits")]
pub struct NotACode;

impl Code {
    /// Makes the code of sixteen random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(hex::encode(random))
    }

    /// Reads the text of a link.
    pub fn parse(text: &str) -> Result<Self, NotACode> {
        let text = text.trim();
        if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotACode)
        }
    }

    /// Gives the text away, for the member's own eyes.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Code(…)")
    }
}

impl TryFrom<String> for Code {
    type Error = NotACode;
    fn try_from(text: String) -> Result<Self, NotACode> {
        Self::parse(&text)
    }
}

impl From<Code> for String {
    fn from(code: Code) -> Self {
        code.0
    }
}

/// An invite that was made and neither revoked nor taken back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invite {
    /// What stands in its link.
    pub code: Code,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
}

/// Whose invite somebody joined by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct InvitedBy {
    /// Who made it.
    pub member: MemberId,
    /// Which one.
    pub invite: InviteId,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_in_any_case_and_never_shown() {
        let code = Code::new([0xAB; 16]);
        assert_eq!(Code::parse(&"AB".repeat(16)), Ok(code.clone()));
        assert_eq!(format!("{code:?}"), "Code(…)");
        for foreign in ["", "ab", &"xy".repeat(16), &"ab".repeat(17)] {
            assert_eq!(Code::parse(foreign), Err(NotACode), "{foreign}");
        }
    }
}
