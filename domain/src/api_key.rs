//! A member's API keys: made for a script with what it may do, and revoked.
//!
//! Each member has a stream of them under their own id. The story goes on in `commands::api_key`,
//! `projections::api_key` and `api::web::api_key`.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::id::ApiKeyId;
use crate::permission::Permission;

/// The most keys that a member has at a time.
pub const MOST: usize = 20;
/// The most characters of a label.
pub const LONGEST_LABEL: usize = 60;

/// What happened to a member's keys.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A script may act for the member.
    ApiKeyMade {
        /// Which key it is.
        key: ApiKeyId,
        /// What the member calls it.
        label: String,
        /// What it may do, as far as the member may.
        scopes: Vec<Scope>,
        /// The keyed hash of its text, which is kept nowhere.
        #[serde(with = "hex::serde")]
        hash: [u8; 32],
    },
    /// The script may no longer.
    ApiKeyRevoked {
        /// Which key it was.
        key: ApiKeyId,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::ApiKeyMade { .. } => "ApiKeyMade",
            Self::ApiKeyRevoked { .. } => "ApiKeyRevoked",
        }
    }
}

/// What a key may do; never more than its member may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scope {
    /// Read what every member reads, and download.
    Read,
    /// Upload, and change what the member uploaded.
    Upload,
    /// Do what the staff does with torrents, posts and members.
    Moderate,
    /// Read the whole history.
    Audit,
    /// Change what shapes the site.
    Administer,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Self; 5] = [
        Self::Read,
        Self::Upload,
        Self::Moderate,
        Self::Audit,
        Self::Administer,
    ];

    /// Gives its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Upload => "upload",
            Self::Moderate => "moderate",
            Self::Audit => "audit",
            Self::Administer => "administer",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }

    /// Says what it is for.
    pub fn about(self) -> &'static str {
        match self {
            Self::Read => "Read what you read, and download",
            Self::Upload => "Upload, and change what you uploaded",
            Self::Moderate => "Do what the staff does with torrents, posts and members",
            Self::Audit => "Read the whole history",
            Self::Administer => "Change settings, roles and what else shapes the site",
        }
    }

    /// Gives the scope under which a key may use a permission of its member.
    pub fn of(permission: Permission) -> Self {
        match permission {
            Permission::UploadAtOnce => Self::Upload,
            Permission::Torrents
            | Permission::Forum
            | Permission::Reports
            | Permission::Members
            | Permission::Traffic => Self::Moderate,
            Permission::Audit => Self::Audit,
            Permission::Categories
            | Permission::Invites
            | Permission::Settings
            | Permission::Roles
            | Permission::Administer => Self::Administer,
        }
    }
}

/// A key's own text: what a script sends; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct Text(String);

impl Text {
    /// Makes the text of random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        Self(format!("otk_{}", hex::encode(random)))
    }

    /// Gives the text away, once.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Text {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Text(…)")
    }
}

/// A member's keys that hold.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct ApiKeys {
    /// Each with what the member calls it.
    pub living: BTreeMap<ApiKeyId, String>,
}

/// What may be asked of a member's keys.
#[derive(Debug, Clone)]
pub enum Command {
    /// Let a script act for the member.
    Make {
        /// Which key it is.
        key: ApiKeyId,
        /// What the member calls it.
        label: String,
        /// What it may do.
        scopes: Vec<Scope>,
        /// The keyed hash of its text.
        hash: [u8; 32],
    },
    /// Let it no longer.
    Revoke {
        /// Which key.
        key: ApiKeyId,
    },
}

/// Why a command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no label, or too long a one.
    #[error("call the key something, in at most {LONGEST_LABEL} characters")]
    Label,
    /// It could do nothing.
    #[error("choose at least one thing that the key may do")]
    NoScope,
    /// There are enough.
    #[error("you have {MOST} keys; revoke one that you no longer use")]
    TooMany,
    /// No key of the member is called so.
    #[error("this key was revoked already, or never was")]
    NoSuchKey,
}

impl Decider for ApiKeys {
    const STREAM: &'static str = "api_key";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Make {
                key,
                label,
                mut scopes,
                hash,
            } => {
                let label = label.trim().to_owned();
                let fits = (1..=LONGEST_LABEL).contains(&label.chars().count());
                if !fits || label.chars().any(char::is_control) {
                    return Err(Rejection::Label);
                }
                scopes.sort_unstable();
                scopes.dedup();
                if scopes.is_empty() {
                    return Err(Rejection::NoScope);
                }
                if self.living.len() >= MOST {
                    return Err(Rejection::TooMany);
                }
                Ok(vec![Event::ApiKeyMade {
                    key,
                    label,
                    scopes,
                    hash,
                }])
            }
            Command::Revoke { key } if self.living.contains_key(&key) => {
                Ok(vec![Event::ApiKeyRevoked { key }])
            }
            Command::Revoke { .. } => Err(Rejection::NoSuchKey),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::ApiKeyMade { key, label, .. } => {
                self.living.insert(*key, label.clone());
            }
            Event::ApiKeyRevoked { key } => {
                self.living.remove(key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;
    use uuid::Uuid;

    fn id(number: u128) -> ApiKeyId {
        ApiKeyId(Uuid::from_u128(number))
    }

    fn make(number: u128, label: &str, scopes: &[Scope]) -> Command {
        Command::Make {
            key: id(number),
            label: label.into(),
            scopes: scopes.to_vec(),
            hash: [7; 32],
        }
    }

    fn made(number: u128) -> Event {
        Event::ApiKeyMade {
            key: id(number),
            label: "a script".into(),
            scopes: vec![Scope::Read, Scope::Upload],
            hash: [7; 32],
        }
    }

    #[test]
    fn a_key_has_a_label_and_scopes_each_once() {
        let twice = [Scope::Upload, Scope::Read, Scope::Upload];
        given::<ApiKeys>(&[])
            .when(make(1, " a script ", &twice))
            .then(&[made(1)]);
        for label in ["", "  ", "a\nb", &"x".repeat(61)] {
            given::<ApiKeys>(&[])
                .when(make(1, label, &twice))
                .rejected(&Rejection::Label);
        }
        given::<ApiKeys>(&[])
            .when(make(1, "a script", &[]))
            .rejected(&Rejection::NoScope);
    }

    #[test]
    fn a_member_has_at_most_twenty_and_makes_room_by_revoking_one() {
        let mut happened: Vec<Event> = (1..=20).map(made).collect();
        given::<ApiKeys>(&happened)
            .when(make(21, "a script", &[Scope::Read]))
            .rejected(&Rejection::TooMany);
        happened.push(Event::ApiKeyRevoked { key: id(3) });
        given::<ApiKeys>(&happened)
            .when(make(21, "a script", &[Scope::Read, Scope::Upload]))
            .then(&[made(21)]);
        given::<ApiKeys>(&happened)
            .when(Command::Revoke { key: id(3) })
            .rejected(&Rejection::NoSuchKey);
    }

    #[test]
    fn every_scope_is_read_by_its_name_and_a_text_is_not_shown() {
        for scope in Scope::ALL {
            assert_eq!(Scope::named(scope.name()), Some(scope));
            assert_eq!(serde_json::to_value(scope).unwrap(), scope.name());
        }
        let text = Text::new([1; 32]);
        assert_eq!(text.reveal().len(), 68);
        assert!(!format!("{text:?}").contains("01"));
    }
}
