//! Why what is asked of a member is refused.

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
    /// There is a second factor already.
    #[error("there is a second factor already; turn it off first")]
    SecondFactor,
    /// The device's code, or a later one, was used.
    #[error("this code, or a later one, was used; wait for the next one")]
    CodeUsed,
    /// A key's name is missing or too long.
    #[error("a key's name has 1 to 40 characters")]
    KeyName,
    /// The key is the member's already.
    #[error("this key is one of yours already")]
    KeyThere,
    /// The member has too many keys.
    #[error("a member has at most 10 security keys; remove one first")]
    TooManyKeys,
    /// There is no such key.
    #[error("there is no such security key")]
    KeyUnknown,
    /// The key's counter went back.
    #[error("this key's counter went back, so it may be a copy; sign in another way and remove it")]
    KeyCopied,
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
    /// Nobody could administer the site any more.
    #[error("this is the last administrator; make another one first")]
    LastAdministrator,
    /// The member has too many roles.
    #[error("a member has at most 20 of the site's own roles")]
    TooManyRoles,
    /// A reason is missing or too long.
    #[error("a reason has 1 to 500 characters")]
    Reason,
    /// The end of a ban lies behind.
    #[error("a ban ends at a moment that lies ahead")]
    EndsBehind,
    /// An administrator isn't erased.
    #[error("an administrator isn't erased: another administrator takes the role away first")]
    Administrator,
    /// There is no ban to lift.
    #[error("this member isn't banned")]
    NotBanned,
}
