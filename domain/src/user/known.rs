//! What a registered member may ask for.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Ban, CodeHash, Command, Device, Event, HeldKey, KeyCommand, Rejection, Role, TotpSecret,
    security_key,
};
use crate::id::{InviteId, RoleId};
use crate::invite::{Invite, InvitedBy};

/// What is decided on of a registered member.
pub(super) struct Known<'a> {
    pub(super) role: Role,
    pub(super) roles: &'a BTreeSet<RoleId>,
    pub(super) invites: u32,
    pub(super) issued: &'a BTreeMap<InviteId, Invite>,
    pub(super) ban: Option<&'a Ban>,
    pub(super) recovery: &'a BTreeSet<CodeHash>,
    pub(super) has_codes: bool,
    pub(super) last_step: Option<i64>,
    pub(super) security_keys: &'a [HeldKey],
    pub(super) devices: &'a [Device],
    pub(super) invited_by: Option<InvitedBy>,
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
            Command::Recover { code, .. } | Command::UseRecoveryCode(code)
                if !self.recovery.contains(&code) =>
            {
                return Err(Rejection::RecoveryCode);
            }
            Command::UseRecoveryCode(code) => Event::RecoveryCodeUsed { code },
            Command::Recover { code, credentials } => {
                credentials.check()?;
                return Ok(vec![
                    Event::RecoveryCodeUsed { code },
                    Event::CredentialsChanged { credentials },
                ]);
            }
            Command::SecondFactor(secret) => return self.second_factor(secret),
            Command::UseDeviceCode(step) => self.device_code(step)?,
            Command::SecurityKey(asked) => self.security_key(asked)?,
            Command::EndSecondFactor => return Ok(self.without_second_factor()),
            Command::SignIn { device, name } => return Ok(self.sign_in(device, name)),
            Command::ResetPasskey { passkey } => Event::PasskeyReset { passkey },
            Command::AssignRole { role } if role == self.role => return Ok(vec![]),
            Command::AssignRole { role } => Event::RoleAssigned { role },
            Command::GrantRole(role) => return Ok(self.grant(role)),
            Command::WithdrawRole(role) if !self.roles.contains(&role) => return Ok(vec![]),
            Command::WithdrawRole(role) => Event::RoleWithdrawn { role },
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
            Command::Revoke { invite, over } => return self.revoke(invite, over),
            Command::GrantInvites(count) if !(1..=100).contains(&count) => {
                return Err(Rejection::TooManyInvites);
            }
            Command::GrantInvites(count) => Event::InvitesGranted { count },
            Command::Warn(reason) => Event::MemberWarned {
                reason: said(reason)?,
            },
            Command::Ban { ban, now } => banned(ban, now)?,
            Command::Unban(_) if self.ban.is_none() => return Err(Rejection::NotBanned),
            Command::Erase => self.erased()?,
            Command::Unban(reason) => Event::MemberUnbanned {
                reason: said(reason)?,
            },
        }])
    }

    fn revoke(&self, invite: InviteId, over: Option<i64>) -> Result<Vec<Event>, Rejection> {
        let issued = self.issued.get(&invite).ok_or(Rejection::InviteUnknown)?;
        if over.is_some_and(|now| now < issued.expires) {
            return Ok(vec![]);
        }
        let expired = over.is_some();
        Ok(vec![Event::InviteRevoked { invite, expired }])
    }

    fn second_factor(&self, shown: Option<(TotpSecret, i64)>) -> Result<Vec<Event>, Rejection> {
        match shown {
            Some(_) if self.has_codes => Err(Rejection::SecondFactor),
            Some((totp_secret, step)) => Ok(vec![
                Event::SecondFactorEnabled { totp_secret },
                Event::DeviceCodeUsed { step },
            ]),
            None if self.has_codes => Ok(vec![Event::SecondFactorDisabled {}]),
            None => Ok(vec![]),
        }
    }

    /// A step is good once, and none behind it (RFC 6238, 5.2).
    fn device_code(&self, step: i64) -> Result<Event, Rejection> {
        if !self.has_codes || self.last_step.is_some_and(|last| step <= last) {
            return Err(Rejection::CodeUsed);
        }
        Ok(Event::DeviceCodeUsed { step })
    }

    fn security_key(&self, asked: KeyCommand) -> Result<Event, Rejection> {
        let held = self.security_keys;
        Ok(match asked {
            KeyCommand::Add(key) => Event::SecurityKeyAdded {
                key: security_key::added(held, key)?,
                first: !self.has_codes && held.is_empty(),
            },
            KeyCommand::Use { id, counter, at } => {
                security_key::used(held, &id, counter)?;
                Event::SecurityKeyUsed { id, counter, at }
            }
            KeyCommand::Remove(id) if held.iter().any(|one| one.key.id == id) => {
                Event::SecurityKeyRemoved { id }
            }
            KeyCommand::Remove(_) => return Err(Rejection::KeyUnknown),
        })
    }

    fn without_second_factor(&self) -> Vec<Event> {
        let codes = self.has_codes.then_some(Event::SecondFactorDisabled {});
        let ids = self.security_keys.iter().map(|one| one.key.id.clone());
        let keys = ids.map(|id| Event::SecurityKeyRemoved { id });
        codes.into_iter().chain(keys).collect()
    }

    fn sign_in(&self, device: Device, name: String) -> Vec<Event> {
        let first = self.devices.is_empty();
        let is_new = !self.devices.contains(&device);
        let seen = is_new.then_some(Event::DeviceSeen {
            device,
            name,
            first,
        });
        seen.into_iter().collect()
    }

    fn grant(&self, role: RoleId) -> Vec<Event> {
        let is_new = !self.roles.contains(&role);
        let granted = is_new.then_some(Event::RoleGranted { role });
        granted.into_iter().collect()
    }

    /// An administrator stays: so one is left.
    fn erased(self) -> Result<Event, Rejection> {
        if self.role == Role::Administrator {
            return Err(Rejection::Administrator);
        }
        Ok(Event::MemberErased {
            invited_by: self.invited_by,
        })
    }
}

fn banned(ban: Ban, now: i64) -> Result<Event, Rejection> {
    if !ban.holds(now) {
        return Err(Rejection::EndsBehind);
    }
    Ok(Event::MemberBanned(Ban {
        reason: said(ban.reason)?,
        ..ban
    }))
}

fn said(mut reason: String) -> Result<String, Rejection> {
    reason.truncate(reason.trim_end().len());
    if (1..=500).contains(&reason.chars().count()) {
        Ok(reason)
    } else {
        Err(Rejection::Reason)
    }
}
