//! A member's name.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

/// A member's name: 3 to 20 letters, digits, `_` or `-`, in Unicode form NFKC.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// The text isn't a member's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 3 to 20 letters, digits, underscores or hyphens")]
pub struct NotAName;

impl Name {
    /// Reads a name and brings it to form NFKC.
    pub fn parse(text: &str) -> Result<Self, NotAName> {
        if text.len() > 256 {
            return Err(NotAName);
        }
        let name: String = text.nfkc().collect();
        let allowed = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
        if (3..=20).contains(&name.chars().count()) && name.chars().all(allowed) {
            Ok(Self(name))
        } else {
            Err(NotAName)
        }
    }

    /// Gives the form in which names are compared: `Alice` and `alice` are one name.
    pub fn folded(&self) -> String {
        self.0.to_lowercase()
    }

    /// Gives the name as the member writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for Name {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = NotAName;
    fn try_from(text: String) -> Result<Self, NotAName> {
        Self::parse(&text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> Self {
        name.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_compared_without_case_and_compatibility_forms() {
        assert_eq!(Name::parse("Ａlice").unwrap().folded(), "alice");
        for bad in [
            "al",
            "a".repeat(21).as_str(),
            "a b c",
            "../etc",
            "a\u{0}bc",
            "",
        ] {
            assert_eq!(Name::parse(bad), Err(NotAName), "{bad:?}");
        }
    }
}
