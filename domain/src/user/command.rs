//! What may be asked of a member's stream.

use std::collections::BTreeSet;

use super::{Ban, CodeHash, Credentials, Device, KeyCommand, Name, Role, TotpSecret};
use crate::amount::Bytes;
use crate::id::{InviteId, RoleId};
use crate::invite::{Code, InvitedBy};
use crate::passkey::Passkey;

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
    /// Sign in by a recovery code in place of the device.
    UseRecoveryCode(CodeHash),
    /// Have a device that makes codes, of which the first was shown, or none.
    SecondFactor(Option<(TotpSecret, i64)>),
    /// Sign in by a code of the device, which is of a step.
    UseDeviceCode(i64),
    /// Something about the keys that prove a sign-in.
    SecurityKey(KeyCommand),
    /// Have neither device nor keys.
    EndSecondFactor,
    /// Sign in from somewhere.
    SignIn {
        /// From where.
        device: Device,
        /// Which browser on which system, in two words.
        name: String,
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
    /// Get one of the site's own roles besides.
    GrantRole(RoleId),
    /// Have it no more.
    WithdrawRole(RoleId),
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
    /// Destroy the member's key.
    Erase,
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
