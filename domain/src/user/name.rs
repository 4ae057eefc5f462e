//! A member's name.

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use unicode_security::MixedScript as _;

use super::Role;

/// A member's name: 3 to 20 letters, digits, `_` or `-`, in Unicode form NFKC.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

/// The text isn't a member's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a name is 3 to 20 letters, digits, underscores or hyphens")]
pub struct NotAName;

/// Names in which somebody could pose as the site itself.
const RESERVED: [&str; 12] = [
    "admin",
    "administrator",
    "moderator",
    "mod",
    "staff",
    "system",
    "support",
    "operator",
    "root",
    "tracker",
    "opentracker",
    "security",
];

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

    /// Gives the form in which names are compared by their looks: `PauI` and `Paul` look alike
    /// (Unicode TS 39).
    pub fn looks(&self) -> String {
        looks(&self.0)
    }

    /// Tells whether all letters are of one script, as far as writing systems keep to one.
    pub fn is_of_one_script(&self) -> bool {
        self.0.as_str().is_single_script()
    }

    /// Tells whether it is, or looks like, a name of the site itself.
    pub fn is_reserved(&self) -> bool {
        RESERVED.into_iter().any(|name| resembles(&self.0, name))
    }

    /// Gives the name as the member writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Tells whether a text is a name, whatever its case, or looks like it.
fn resembles(text: &str, name: &str) -> bool {
    text.to_lowercase() == name || looks(text) == looks(name)
}

/// Tells whether a text is, or looks like, a name of the site itself or of a built-in role.
pub(crate) fn is_of_the_site(text: &str) -> bool {
    let roles = Role::ALL.into_iter().map(Role::name);
    roles.chain(RESERVED).any(|name| resembles(text, name))
}

/// Gives the form in which names are compared by their looks.
pub(crate) fn looks(name: &str) -> String {
    let skeleton: String = unicode_security::skeleton(name).collect();
    skeleton.to_lowercase()
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
    fn names_that_look_alike_or_like_the_site_are_known() {
        let name = |text| Name::parse(text).unwrap();
        // Cyrillic letters, a capital I, a zero.
        for (one, other) in [("раура", "paypa"), ("PauI", "paul"), ("b0b", "bob")] {
            assert_eq!(name(one).looks(), name(other).looks(), "{one}");
        }
        assert_ne!(name("alice").looks(), name("alina").looks());
        for reserved in ["Admin", "аdmin", "adm1nistrator", "St4ff", "ROOT", "r00t"] {
            let expected = !matches!(reserved, "adm1nistrator" | "St4ff");
            assert_eq!(name(reserved).is_reserved(), expected, "{reserved}");
        }
        assert!(!name("аdmin").is_of_one_script());
        for fine in ["alice_99", "Zoë-3", "Владимир", "山田たろう", "김철수"] {
            assert!(name(fine).is_of_one_script(), "{fine}");
        }
    }

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
