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
use crate::id::{InviteId, RoleId};
use crate::invite::{Code, Invite, InvitedBy};
use crate::passkey::Passkey;

mod ban;
mod command;
mod credentials;
mod device;
mod factor;
mod known;
mod name;
mod recovery;
mod rejection;
mod role;
mod security_key;

pub use ban::{Ban, Network};
pub use command::{Command, Welcome};
pub use credentials::{Credentials, FEWEST_ITERATIONS, MOST_ITERATIONS};
pub use device::{Device, MOST_DEVICES};
pub use factor::{STEP, TotpSecret};
pub use name::{Name, NotAName};
pub(crate) use name::{is_of_the_site, looks};
pub use recovery::{CODES, CodeHash, NotARecoveryCode, RecoveryCode};
pub use rejection::Rejection;
pub use role::Role;
pub use security_key::{
    HeldKey, KeyCommand, LONGEST_KEY_NAME, MOST_SECURITY_KEYS, NotOpaque, Opaque, PublicKey,
    SecurityKey, Transport,
};

use known::Known;

/// The most of the site's own roles that one member has, those that are retired apart.
pub const MOST_ROLES: usize = 20;

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
    /// Sign-ins ask for a code of the member's device from here on.
    SecondFactorEnabled {
        /// What the device and the site share.
        totp_secret: TotpSecret,
    },
    /// Sign-ins ask for no code of a device from here on.
    SecondFactorDisabled {},
    /// A code of the device was shown, which is good no more, nor any before it.
    DeviceCodeUsed {
        /// Its step, of 30 seconds since 1970.
        step: i64,
    },
    /// Sign-ins may be proved by a key from here on.
    SecurityKeyAdded {
        /// Which one.
        key: SecurityKey,
        /// Whether sign-ins asked for the password alone before.
        first: bool,
    },
    /// A key signed in.
    SecurityKeyUsed {
        /// Which one.
        id: Opaque,
        /// How often it had signed.
        counter: u32,
        /// When, in seconds since 1970.
        at: i64,
    },
    /// A key proves nothing from here on.
    SecurityKeyRemoved {
        /// Which one.
        id: Opaque,
    },
    /// The member signed in from where they weren't known to.
    DeviceSeen {
        /// From where.
        device: Device,
        /// Which browser on which system, in two words.
        name: String,
        /// Whether nothing was known before.
        first: bool,
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
    /// The member has one of the site's own roles besides.
    RoleGranted {
        /// Which one.
        role: RoleId,
    },
    /// The member has it no more.
    RoleWithdrawn {
        /// Which one.
        role: RoleId,
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
    MemberBanned(Ban),
    /// The member is let in again.
    MemberUnbanned {
        /// Why.
        reason: String,
    },
    /// The member's key is destroyed, and with it everything that the stream said before.
    MemberErased {
        /// Whose invite it was: that it was used outlives the member.
        invited_by: Option<InvitedBy>,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::MemberRegistered { .. } => "MemberRegistered",
            Self::CredentialsChanged { .. } => "CredentialsChanged",
            Self::RecoveryCodesMade { .. } => "RecoveryCodesMade",
            Self::RecoveryCodeUsed { .. } => "RecoveryCodeUsed",
            Self::SecondFactorEnabled { .. } => "SecondFactorEnabled",
            Self::SecondFactorDisabled {} => "SecondFactorDisabled",
            Self::DeviceCodeUsed { .. } => "DeviceCodeUsed",
            Self::SecurityKeyAdded { .. } => "SecurityKeyAdded",
            Self::SecurityKeyUsed { .. } => "SecurityKeyUsed",
            Self::SecurityKeyRemoved { .. } => "SecurityKeyRemoved",
            Self::DeviceSeen { .. } => "DeviceSeen",
            Self::PasskeyReset { .. } => "PasskeyReset",
            Self::RoleAssigned { .. } => "RoleAssigned",
            Self::RoleGranted { .. } => "RoleGranted",
            Self::RoleWithdrawn { .. } => "RoleWithdrawn",
            Self::InviteIssued { .. } => "InviteIssued",
            Self::InviteRevoked { .. } => "InviteRevoked",
            Self::InvitesGranted { .. } => "InvitesGranted",
            Self::MemberWarned { .. } => "MemberWarned",
            Self::MemberBanned(_) => "MemberBanned",
            Self::MemberUnbanned { .. } => "MemberUnbanned",
            Self::MemberErased { .. } => "MemberErased",
        }
    }

    fn version(&self) -> i32 {
        if matches!(self, Self::MemberRegistered { .. } | Self::MemberBanned(_)) {
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
            // Version 1 covered no address.
            ("MemberBanned", 1) => {
                let fields = payload.get_mut(name)?.as_object_mut()?;
                fields.insert("network".to_owned(), Value::Null);
                Some(payload)
            }
            ("MemberRegistered" | "MemberBanned", 2) => Some(payload),
            (_, version) => (version == 1).then_some(payload),
        }
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
        /// The site's own roles that were granted, whether they are retired or not.
        roles: BTreeSet<RoleId>,
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
        /// What the member's device and the site share, where there is a second factor.
        totp_secret: Option<TotpSecret>,
        /// The step of the last code that was shown of it.
        last_step: Option<i64>,
        /// The keys that prove a sign-in, in the order in which they were added.
        security_keys: Vec<HeldKey>,
        /// From where the member signs in, those that were new last.
        devices: Vec<Device>,
        /// Whose invite it was.
        invited_by: Option<InvitedBy>,
    },
    /// Somebody who was a member, and of whom nothing is known any more.
    Erased {},
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
            (Self::Unknown | Self::Erased {}, _) => Err(Rejection::Unknown),
            (
                Self::Registered {
                    role,
                    roles,
                    invites,
                    issued,
                    ban,
                    recovery,
                    totp_secret,
                    last_step,
                    security_keys,
                    devices,
                    invited_by,
                    ..
                },
                command,
            ) => Known {
                role: *role,
                roles,
                invites: *invites,
                issued,
                ban: ban.as_ref(),
                recovery,
                has_codes: totp_secret.is_some(),
                last_step: *last_step,
                security_keys,
                devices,
                invited_by: *invited_by,
            }
            .decide(command),
        }
    }

    fn evolve(&mut self, event: &Event) {
        if let Some(new) = Self::begun_by(event) {
            *self = new;
        }
        let Self::Registered {
            role,
            roles,
            credentials,
            passkey,
            invites,
            issued,
            ban,
            recovery,
            totp_secret,
            last_step,
            security_keys,
            devices,
            ..
        } = self
        else {
            return;
        };
        match event.clone() {
            Event::MemberRegistered { .. }
            | Event::MemberWarned { .. }
            | Event::MemberErased { .. } => {}
            Event::CredentialsChanged { credentials: new } => *credentials = new,
            Event::RecoveryCodesMade { codes } => *recovery = codes,
            Event::RecoveryCodeUsed { code } => recovery.retain(|one| *one != code),
            Event::SecondFactorEnabled { totp_secret: new } => {
                (*totp_secret, *last_step) = (Some(new), None);
            }
            Event::DeviceCodeUsed { step } => *last_step = Some(step),
            Event::SecondFactorDisabled {} => *totp_secret = None,
            Event::SecurityKeyAdded { .. }
            | Event::SecurityKeyUsed { .. }
            | Event::SecurityKeyRemoved { .. } => security_key::evolve(security_keys, event),
            Event::DeviceSeen { device, .. } => device::seen(devices, device),
            Event::PasskeyReset { passkey: new } => *passkey = new,
            Event::RoleAssigned { role: new } => *role = new,
            Event::RoleGranted { role } => {
                roles.insert(role);
            }
            Event::RoleWithdrawn { role } => roles.retain(|one| *one != role),
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
            Event::MemberBanned(new) => *ban = Some(new),
            Event::MemberUnbanned { .. } => *ban = None,
        }
    }
}

impl User {
    /// Gives the situation that an event begins, whatever was before.
    #[expect(
        clippy::wildcard_enum_match_arm,
        reason = "the rest goes on with what was"
    )]
    fn begun_by(event: &Event) -> Option<Self> {
        match event.clone() {
            Event::MemberRegistered {
                name,
                role,
                credentials,
                passkey,
                invites,
                invited_by,
                ..
            } => Some(Self::Registered {
                name,
                role,
                roles: BTreeSet::new(),
                credentials,
                passkey,
                invites,
                issued: BTreeMap::new(),
                ban: None,
                recovery: BTreeSet::new(),
                totp_secret: None,
                last_step: None,
                security_keys: vec![],
                devices: vec![],
                invited_by,
            }),
            Event::MemberErased { .. } => Some(Self::Erased {}),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests;
