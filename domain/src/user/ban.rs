//! A ban.

use serde::{Deserialize, Serialize};

/// A ban.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Why.
    pub reason: String,
    /// The end, in seconds since 1970, where one is set.
    pub until: Option<i64>,
    /// From where nobody else joins or signs in meanwhile, where it covers an address.
    pub network: Option<Network>,
}

/// The keyed hash of the network of an address, which is all that is kept of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Network(#[serde(with = "hex::serde")] pub [u8; 16]);

impl Ban {
    /// Tells whether it holds at a moment, in seconds since 1970.
    pub fn holds(&self, now: i64) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}
