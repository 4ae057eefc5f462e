//! A member: registers, changes credentials, resets the passkey, gets a role.
//!
//! The story goes on in `commands::user` (who may ask), `projections::user` (what is read) and
//! `api::web::user` (the pages).

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::decider::Decider;
use crate::passkey::Passkey;
use crate::permission::{Permission, Permissions};

/// What happened to a member.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The member joined.
    MemberRegistered {
        /// The name as the member writes it.
        name: Name,
        /// What the member may do.
        role: Role,
        /// How the member proves to know the password.
        credentials: Credentials,
        /// The secret of the announce URL.
        passkey: Passkey,
    },
    /// The member proves another password from here on.
    CredentialsChanged {
        /// How the member proves to know the password.
        credentials: Credentials,
    },
    /// The old announce URL is void, a new one holds.
    PasskeyReset {
        /// The secret of the announce URL.
        passkey: Passkey,
    },
    /// The member may do something else from here on.
    RoleAssigned {
        /// What the member may do.
        role: Role,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::MemberRegistered { .. } => "MemberRegistered",
            Self::CredentialsChanged { .. } => "CredentialsChanged",
            Self::PasskeyReset { .. } => "PasskeyReset",
            Self::RoleAssigned { .. } => "RoleAssigned",
        }
    }
}

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything.
    Administrator,
    /// What members do, and keep order among torrents, posts and members.
    Moderator,
    /// What members do, and read the whole history.
    Auditor,
    /// Upload, download, read.
    Member,
}

impl Role {
    /// Every role, the mightiest first.
    pub const ALL: [Self; 4] = [
        Self::Administrator,
        Self::Moderator,
        Self::Auditor,
        Self::Member,
    ];

    /// Gives the role's name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Moderator => "moderator",
            Self::Auditor => "auditor",
            Self::Member => "member",
        }
    }

    /// Reads a role's name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.name() == name)
    }

    /// Tells what the role lets its members do.
    pub fn permissions(self) -> Permissions {
        match self {
            Self::Administrator => Permissions::everything(),
            Self::Moderator => [
                Permission::UploadAtOnce,
                Permission::Torrents,
                Permission::Forum,
                Permission::Reports,
                Permission::Members,
                Permission::Traffic,
            ]
            .into_iter()
            .collect(),
            Self::Auditor => [Permission::Audit].into_iter().collect(),
            Self::Member => Permissions::default(),
        }
    }
}

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

/// A member's situation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum User {
    /// Nobody registered under this id.
    #[default]
    Unknown,
    /// A member.
    Registered {
        /// The name as the member writes it.
        name: Name,
        /// What the member may do.
        role: Role,
        /// How the member proves to know the password.
        credentials: Credentials,
        /// The secret of the announce URL.
        passkey: Passkey,
    },
}

/// What may be asked of a member's stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// Join.
    Register {
        /// The name as the member writes it.
        name: Name,
        /// What the member may do.
        role: Role,
        /// How the member proves to know the password.
        credentials: Credentials,
        /// A passkey that nobody had before.
        passkey: Passkey,
    },
    /// Prove another password from here on.
    ChangeCredentials {
        /// How the member proves to know the password.
        credentials: Credentials,
    },
    /// Get another announce URL.
    ResetPasskey {
        /// A passkey that nobody had before.
        passkey: Passkey,
    },
    /// Get another role.
    AssignRole {
        /// What the member may do.
        role: Role,
    },
}

/// Why a member's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The stream has a member already.
    #[error("this member is registered already")]
    AlreadyRegistered,
    /// The stream has no member.
    #[error("there is no such member")]
    Unknown,
    /// The iterations lie outside the allowed range.
    #[error("credentials need 100,000 to 10,000,000 iterations")]
    Iterations,
}

impl Decider for User {
    const STREAM: &'static str = "user";
    const KEPT: bool = true;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match (self, command) {
            (
                Self::Unknown,
                Command::Register {
                    name,
                    role,
                    credentials,
                    passkey,
                },
            ) => {
                check(&credentials)?;
                Ok(vec![Event::MemberRegistered {
                    name,
                    role,
                    credentials,
                    passkey,
                }])
            }
            (Self::Unknown, _) => Err(Rejection::Unknown),
            (Self::Registered { .. }, Command::Register { .. }) => {
                Err(Rejection::AlreadyRegistered)
            }
            (Self::Registered { .. }, Command::ChangeCredentials { credentials }) => {
                check(&credentials)?;
                Ok(vec![Event::CredentialsChanged { credentials }])
            }
            (Self::Registered { .. }, Command::ResetPasskey { passkey }) => {
                Ok(vec![Event::PasskeyReset { passkey }])
            }
            (Self::Registered { role: held, .. }, Command::AssignRole { role }) => {
                Ok(if *held == role {
                    vec![]
                } else {
                    vec![Event::RoleAssigned { role }]
                })
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        match (self, event.clone()) {
            (
                state,
                Event::MemberRegistered {
                    name,
                    role,
                    credentials,
                    passkey,
                },
            ) => {
                *state = Self::Registered {
                    name,
                    role,
                    credentials,
                    passkey,
                };
            }
            (
                Self::Registered { credentials, .. },
                Event::CredentialsChanged { credentials: new },
            ) => {
                *credentials = new;
            }
            (Self::Registered { passkey, .. }, Event::PasskeyReset { passkey: new }) => {
                *passkey = new;
            }
            (Self::Registered { role, .. }, Event::RoleAssigned { role: new }) => *role = new,
            (
                Self::Unknown,
                Event::CredentialsChanged { .. }
                | Event::PasskeyReset { .. }
                | Event::RoleAssigned { .. },
            ) => {}
        }
    }
}

fn check(credentials: &Credentials) -> Result<(), Rejection> {
    if (FEWEST_ITERATIONS..=MOST_ITERATIONS).contains(&credentials.iterations) {
        Ok(())
    } else {
        Err(Rejection::Iterations)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    fn credentials(iterations: u32) -> Credentials {
        Credentials {
            salt: [1; 32],
            iterations,
            verifier: [2; 32],
            server_key: [3; 32],
        }
    }

    fn alice() -> Event {
        Event::MemberRegistered {
            name: Name::parse("alice").unwrap(),
            role: Role::Member,
            credentials: credentials(600_000),
            passkey: Passkey::new([7; 16]),
        }
    }

    #[test]
    fn a_member_registers_once() {
        let register = Command::Register {
            name: Name::parse("alice").unwrap(),
            role: Role::Member,
            credentials: credentials(600_000),
            passkey: Passkey::new([7; 16]),
        };
        given::<User>(&[]).when(register.clone()).then(&[alice()]);
        given::<User>(&[alice()])
            .when(register)
            .rejected(&Rejection::AlreadyRegistered);
    }

    #[test]
    fn cheap_credentials_are_refused() {
        let change = |iterations| Command::ChangeCredentials {
            credentials: credentials(iterations),
        };
        given::<User>(&[alice()])
            .when(change(99_999))
            .rejected(&Rejection::Iterations);
        given::<User>(&[alice()])
            .when(change(10_000_001))
            .rejected(&Rejection::Iterations);
        given::<User>(&[alice()])
            .when(change(100_000))
            .then(&[Event::CredentialsChanged {
                credentials: credentials(100_000),
            }]);
    }

    #[test]
    fn a_stranger_has_no_passkey_to_reset() {
        let reset = Command::ResetPasskey {
            passkey: Passkey::new([8; 16]),
        };
        given::<User>(&[])
            .when(reset.clone())
            .rejected(&Rejection::Unknown);
        given::<User>(&[alice()])
            .when(reset)
            .then(&[Event::PasskeyReset {
                passkey: Passkey::new([8; 16]),
            }]);
    }

    #[test]
    fn the_same_role_again_changes_nothing() {
        let assign = |role| Command::AssignRole { role };
        given::<User>(&[alice()])
            .when(assign(Role::Member))
            .then(&[]);
        given::<User>(&[alice()])
            .when(assign(Role::Administrator))
            .then(&[Event::RoleAssigned {
                role: Role::Administrator,
            }]);
    }

    #[test]
    fn roles_are_named_as_they_are_stored() {
        for role in Role::ALL {
            assert_eq!(Role::named(role.name()), Some(role));
            assert_eq!(serde_json::to_value(role).unwrap(), role.name());
        }
        assert_eq!(Role::named("king"), None);
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

    #[test]
    fn secrets_are_not_shown() {
        let shown = format!("{:?}", alice());
        assert!(
            shown.contains("Passkey(…)") && shown.contains("Credentials(…)"),
            "{shown}"
        );
    }
}
