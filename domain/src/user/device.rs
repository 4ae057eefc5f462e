//! From where a member signs in, so that they are told where it is new.

use serde::{Deserialize, Serialize};

/// How many a member is known to sign in from, the latest; of those before, one is told to be new again.
pub const MOST_DEVICES: usize = 32;

/// The keyed hash of a member, a kind of browser and a network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Device(#[serde(with = "hex::serde")] pub [u8; 16]);

/// Takes a new one in.
pub(super) fn seen(devices: &mut Vec<Device>, new: Device) {
    if devices.len() >= MOST_DEVICES {
        devices.remove(0);
    }
    devices.push(new);
}
