//! A member: registers, changes credentials, resets the passkey, gets a role, invites others, is warned
//! and banned.
//!
//! The story goes on in `commands::user` (who may ask), `projections::user` (what is read) and
//! `api::web::user` (the pages).

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::amount::Bytes;
use crate::decider::Decider;
use crate::id::InviteId;
use crate::invite::{Code, Invite, InvitedBy};
use crate::passkey::Passkey;

mod credentials;
mod known;
mod name;
mod recovery;
mod role;

pub use credentials::{Credentials, FEWEST_ITERATIONS, MOST_ITERATIONS};
pub use name::{Name, NotAName};
pub use recovery::{CODES, CodeHash, NotARecoveryCode, RecoveryCode};
pub use role::Role;

use known::Known;

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
        /// What counts as uploaded from the first day.
        credit: Bytes,
        /// How many people the member may invite.
        invites: u32,
        /// Whose invite it was.
        invited_by: Option<InvitedBy>,
    },
    /// The member proves another password from here on.
    CredentialsChanged {
        /// How the member proves to know the password.
        credentials: Credentials,
    },
    /// The member may come back by one of these codes; earlier ones are void.
    RecoveryCodesMade {
        /// What is kept of them.
        codes: BTreeSet<CodeHash>,
    },
    /// The member came back by a code, which is void from here on.
    RecoveryCodeUsed {
        /// Which one.
        code: CodeHash,
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
    /// The member made an invite, which is one less to make.
    InviteIssued {
        /// Which one.
        invite: InviteId,
        /// What stands in its link.
        code: Code,
        /// When it ends, in seconds since 1970.
        expires: i64,
    },
    /// An invite that nobody used is void, and may be made again.
    InviteRevoked {
        /// Which one.
        invite: InviteId,
        /// Whether its time was over.
        expired: bool,
    },
    /// The staff lets the member invite more people.
    InvitesGranted {
        /// How many.
        count: u32,
    },
    /// The staff warned the member.
    MemberWarned {
        /// Why.
        reason: String,
    },
    /// The member is shut out.
    MemberBanned {
        /// Why.
        reason: String,
        /// The end, in seconds since 1970, where one is set.
        until: Option<i64>,
    },
    /// The member is let in again.
    MemberUnbanned {
        /// Why.
        reason: String,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::MemberRegistered { .. } => "MemberRegistered",
            Self::CredentialsChanged { .. } => "CredentialsChanged",
            Self::RecoveryCodesMade { .. } => "RecoveryCodesMade",
            Self::RecoveryCodeUsed { .. } => "RecoveryCodeUsed",
            Self::PasskeyReset { .. } => "PasskeyReset",
            Self::RoleAssigned { .. } => "RoleAssigned",
            Self::InviteIssued { .. } => "InviteIssued",
            Self::InviteRevoked { .. } => "InviteRevoked",
            Self::InvitesGranted { .. } => "InvitesGranted",
            Self::MemberWarned { .. } => "MemberWarned",
            Self::MemberBanned { .. } => "MemberBanned",
            Self::MemberUnbanned { .. } => "MemberUnbanned",
        }
    }

    fn version(&self) -> i32 {
        if matches!(self, Self::MemberRegistered { .. }) {
            2
        } else {
            1
        }
    }

    fn upcast(name: &str, version: i32, mut payload: Value) -> Option<Value> {
        match (name, version) {
            // Version 1 knew neither credit nor invites.
            ("MemberRegistered", 1) => {
                let fields = payload.get_mut(name)?.as_object_mut()?;
                fields.insert("credit".to_owned(), Value::from(0));
                fields.insert("invites".to_owned(), Value::from(0));
                fields.insert("invited_by".to_owned(), Value::Null);
                Some(payload)
            }
            ("MemberRegistered", 2) => Some(payload),
            (_, version) => (version == 1).then_some(payload),
        }
    }
}

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Why.
    pub reason: String,
    /// The end, in seconds since 1970, where one is set.
    pub until: Option<i64>,
}

impl Ban {
    /// Tells whether it holds at a moment, in seconds since 1970.
    pub fn holds(&self, now: i64) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A member's situation.
#[expect(clippy::large_enum_variant, reason = "one state at a time is held")]
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
        /// How many people the member may still invite.
        invites: u32,
        /// Invites that were made; whether somebody used one isn't known here.
        issued: BTreeMap<InviteId, Invite>,
        /// The last ban that wasn't lifted, whether it is over or not.
        ban: Option<Ban>,
        /// The recovery codes that are left.
        recovery: BTreeSet<CodeHash>,
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
        /// What a new member gets, and by whom.
        welcome: Welcome,
    },
    /// Prove another password from here on.
    ChangeCredentials {
        /// How the member proves to know the password.
        credentials: Credentials,
    },
    /// Be able to come back by these codes and no others.
    MakeRecoveryCodes(BTreeSet<CodeHash>),
    /// Come back by a code, and prove another password from here on.
    Recover {
        /// What is kept of the code.
        code: CodeHash,
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
    /// Make an invite.
    Invite {
        /// Which one it will be.
        invite: InviteId,
        /// What stands in its link.
        code: Code,
        /// When it ends, in seconds since 1970.
        expires: i64,
    },
    /// Void an invite, which nobody used.
    Revoke {
        /// Which one.
        invite: InviteId,
        /// Now, in seconds since 1970, where it is to be voided only if its time is over.
        over: Option<i64>,
    },
    /// Let the member invite more people.
    GrantInvites(u32),
    /// Warn the member.
    Warn(String),
    /// Shut the member out, till an end that lies ahead of now, in seconds since 1970.
    Ban {
        /// Why, and until when.
        ban: Ban,
        /// When it is asked.
        now: i64,
    },
    /// Let the member in again.
    Unban(String),
}

/// What a new member gets, and by whom.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Welcome {
    /// What counts as uploaded from the first day.
    pub credit: Bytes,
    /// How many people the member may invite.
    pub invites: u32,
    /// Whose invite it was.
    pub invited_by: Option<InvitedBy>,
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
    /// The name is mixed of several scripts.
    #[error("a name keeps to one script; letters of several look like what they aren't")]
    NameMixed,
    /// The name belongs to the site itself.
    #[error("this name is the site's own; choose another one")]
    NameReserved,
    /// There is no such recovery code, or it was used.
    #[error("there is no such recovery code, or it was used")]
    RecoveryCode,
    /// The iterations lie outside the allowed range.
    #[error("credentials need 100,000 to 10,000,000 iterations")]
    Iterations,
    /// No invite is left.
    #[error("you have no invite left; one that ends unused or is revoked comes back")]
    NoInviteLeft,
    /// There is no such invite, or it was revoked.
    #[error("there is no such invite; ask for another one")]
    InviteUnknown,
    /// The invite's time is over.
    #[error("the time of this invite is over; ask for another one")]
    InviteOver,
    /// Somebody joined by the invite.
    #[error("this invite was used already; it is good for one")]
    InviteUsed,
    /// The number of invites is out of bounds.
    #[error("from 1 to 100 invites are granted at once")]
    TooManyInvites,
    /// A reason is missing or too long.
    #[error("a reason has 1 to 500 characters")]
    Reason,
    /// The end of a ban lies behind.
    #[error("a ban ends at a moment that lies ahead")]
    EndsBehind,
    /// There is no ban to lift.
    #[error("this member isn't banned")]
    NotBanned,
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
                    welcome,
                },
            ) => {
                credentials.check()?;
                if !name.is_of_one_script() {
                    return Err(Rejection::NameMixed);
                }
                Ok(vec![Event::MemberRegistered {
                    name,
                    role,
                    credentials,
                    passkey,
                    credit: welcome.credit,
                    invites: welcome.invites,
                    invited_by: welcome.invited_by,
                }])
            }
            (Self::Unknown, _) => Err(Rejection::Unknown),
            (
                Self::Registered {
                    role,
                    invites,
                    issued,
                    ban,
                    recovery,
                    ..
                },
                command,
            ) => Known {
                role: *role,
                invites: *invites,
                issued,
                ban: ban.as_ref(),
                recovery,
            }
            .decide(command),
        }
    }

    fn evolve(&mut self, event: &Event) {
        if let Event::MemberRegistered {
            name,
            role,
            credentials,
            passkey,
            invites,
            ..
        } = event.clone()
        {
            *self = Self::Registered {
                name,
                role,
                credentials,
                passkey,
                invites,
                issued: BTreeMap::new(),
                ban: None,
                recovery: BTreeSet::new(),
            };
        }
        let Self::Registered {
            role,
            credentials,
            passkey,
            invites,
            issued,
            ban,
            recovery,
            ..
        } = self
        else {
            return;
        };
        match event.clone() {
            Event::MemberRegistered { .. } | Event::MemberWarned { .. } => {}
            Event::CredentialsChanged { credentials: new } => *credentials = new,
            Event::RecoveryCodesMade { codes } => *recovery = codes,
            Event::RecoveryCodeUsed { code } => {
                recovery.remove(&code);
            }
            Event::PasskeyReset { passkey: new } => *passkey = new,
            Event::RoleAssigned { role: new } => *role = new,
            Event::InviteIssued {
                invite,
                code,
                expires,
            } => {
                *invites = invites.saturating_sub(1);
                issued.insert(invite, Invite { code, expires });
            }
            Event::InviteRevoked { invite, .. } => {
                *invites = invites.saturating_add(1);
                issued.remove(&invite);
            }
            Event::InvitesGranted { count } => *invites = invites.saturating_add(count),
            Event::MemberBanned { reason, until } => *ban = Some(Ban { reason, until }),
            Event::MemberUnbanned { .. } => *ban = None,
        }
    }
}

#[cfg(test)]
mod tests;
