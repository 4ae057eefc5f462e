//! What a registered member may ask for.

use std::collections::{BTreeMap, BTreeSet};

use super::{Ban, CodeHash, Command, Event, Rejection, Role};
use crate::id::InviteId;
use crate::invite::Invite;

/// What is decided on of a registered member.
pub(super) struct Known<'a> {
    pub(super) role: Role,
    pub(super) invites: u32,
    pub(super) issued: &'a BTreeMap<InviteId, Invite>,
    pub(super) ban: Option<&'a Ban>,
    pub(super) recovery: &'a BTreeSet<CodeHash>,
}

impl Known<'_> {
    pub(super) fn decide(self, command: Command) -> Result<Vec<Event>, Rejection> {
        Ok(vec![match command {
            Command::Register { .. } => return Err(Rejection::AlreadyRegistered),
            Command::ChangeCredentials { credentials } => {
                credentials.check()?;
                Event::CredentialsChanged { credentials }
            }
            Command::MakeRecoveryCodes(codes) => Event::RecoveryCodesMade { codes },
            Command::Recover { code, .. } if !self.recovery.contains(&code) => {
                return Err(Rejection::RecoveryCode);
            }
            Command::Recover { code, credentials } => {
                credentials.check()?;
                return Ok(vec![
                    Event::RecoveryCodeUsed { code },
                    Event::CredentialsChanged { credentials },
                ]);
            }
            Command::ResetPasskey { passkey } => Event::PasskeyReset { passkey },
            Command::AssignRole { role } if role == self.role => return Ok(vec![]),
            Command::AssignRole { role } => Event::RoleAssigned { role },
            Command::Invite { .. } if self.invites == 0 => return Err(Rejection::NoInviteLeft),
            Command::Invite {
                invite,
                code,
                expires,
            } => Event::InviteIssued {
                invite,
                code,
                expires,
            },
            Command::Revoke { invite, over } => {
                let issued = self.issued.get(&invite).ok_or(Rejection::InviteUnknown)?;
                if over.is_some_and(|now| now < issued.expires) {
                    return Ok(vec![]);
                }
                let expired = over.is_some();
                Event::InviteRevoked { invite, expired }
            }
            Command::GrantInvites(count) if !(1..=100).contains(&count) => {
                return Err(Rejection::TooManyInvites);
            }
            Command::GrantInvites(count) => Event::InvitesGranted { count },
            Command::Warn(reason) => Event::MemberWarned {
                reason: said(reason)?,
            },
            Command::Ban { ban, now } => {
                if !ban.holds(now) {
                    return Err(Rejection::EndsBehind);
                }
                Event::MemberBanned {
                    reason: said(ban.reason)?,
                    until: ban.until,
                }
            }
            Command::Unban(_) if self.ban.is_none() => return Err(Rejection::NotBanned),
            Command::Unban(reason) => Event::MemberUnbanned {
                reason: said(reason)?,
            },
        }])
    }
}

fn said(mut reason: String) -> Result<String, Rejection> {
    reason.truncate(reason.trim_end().len());
    if (1..=500).contains(&reason.chars().count()) {
        Ok(reason)
    } else {
        Err(Rejection::Reason)
    }
}
