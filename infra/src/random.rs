//! Randomness from the system's generator.

use commands::ports::Random;
use rand::Rng as _;

/// The system's generator.
#[derive(Debug, Clone, Copy)]
pub struct System;

impl Random for System {
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}
