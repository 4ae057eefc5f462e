//! Keyed hashes: equality without the value, tokens without a table.

/// What a keyed hash is for; each purpose has a key of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Names, `info_hashes` and other unique values in the claims.
    Claim,
    /// Passkeys in the access list.
    Passkey,
    /// A client's peer id and key in the traffic ledger.
    Client,
    /// Challenges that the site made and gets back.
    Challenge,
    /// The salts of names that nobody has.
    FalseSalt,
    /// The token in each form, bound to its session.
    Form,
    /// Network addresses.
    Address,
    /// What nodes tell each other.
    Relay,
    /// The texts of API keys, and recovery codes.
    ApiKey,
}

impl Purpose {
    /// All purposes, in the order of their keys.
    pub const ALL: [Self; 9] = [
        Self::Claim,
        Self::Passkey,
        Self::Client,
        Self::Challenge,
        Self::FalseSalt,
        Self::Form,
        Self::Address,
        Self::Relay,
        Self::ApiKey,
    ];
}

/// Who holds the keys: HMAC-SHA-256 under the purpose's key.
pub trait Keyed: Send + Sync + std::fmt::Debug {
    /// Hashes a message for a purpose.
    fn mac(&self, purpose: Purpose, message: &[u8]) -> [u8; 32];
}
