//! How often an address tried a wrong Panic Password.
//!
//! Addresses are kept as keyed hashes, in the process alone and for minutes; the key is made at its
//! start and told to nobody.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use commands::ports::Random;
use domain::address;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// The failures that an address has within [`SPAN`].
const MOST: usize = 5;
const SPAN: Duration = Duration::from_mins(5);

type Whose = [u8; 32];

/// The failures of the last minutes.
pub(super) struct Attempts {
    key: [u8; 32],
    failures: Mutex<HashMap<Whose, Vec<Instant>>>,
}

/// An attempt that counts as failed until it is forgiven.
pub(super) struct Attempt {
    whose: Whose,
    at: Instant,
}

impl std::fmt::Debug for Attempts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempts").finish_non_exhaustive()
    }
}

impl Attempts {
    /// Begins without any.
    pub(super) fn new(random: &dyn Random) -> Self {
        let mut key = [0; 32];
        random.fill(&mut key);
        Self {
            key,
            failures: Mutex::default(),
        }
    }

    /// Counts an attempt, or tells after how many seconds another one may be made.
    pub(super) fn begin(&self, from: IpAddr) -> Result<Attempt, u32> {
        self.begin_at(from, Instant::now())
    }

    fn begin_at(&self, from: IpAddr, at: Instant) -> Result<Attempt, u32> {
        let whose = self.whose(from);
        let mut failures = self.failures();
        for times in failures.values_mut() {
            times.retain(|time| at.saturating_duration_since(*time) < SPAN);
        }
        failures.retain(|_, times| !times.is_empty());
        let times = failures.entry(whose).or_default();
        if let Some(first) = times.first().filter(|_| times.len() >= MOST) {
            let left = SPAN.saturating_sub(at.saturating_duration_since(*first));
            let seconds = left.as_secs().saturating_add(1);
            return Err(u32::try_from(seconds).unwrap_or(u32::MAX));
        }
        times.push(at);
        Ok(Attempt { whose, at })
    }

    /// Takes an attempt back: it didn't fail.
    pub(super) fn forgive(&self, attempt: &Attempt) {
        let mut failures = self.failures();
        if let Some(times) = failures.get_mut(&attempt.whose)
            && let Some(found) = times.iter().position(|time| *time == attempt.at)
        {
            times.remove(found);
        }
    }

    fn failures(&self) -> MutexGuard<'_, HashMap<Whose, Vec<Instant>>> {
        self.failures.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn whose(&self, from: IpAddr) -> Whose {
        let (network, version) = address::network(from);
        // HMAC takes a key of any length.
        Hmac::<Sha256>::new_from_slice(&self.key).map_or([0; 32], |mac| {
            let mac = mac.chain_update([version]);
            let mac = mac.chain_update(network.to_be_bytes());
            mac.finalize().into_bytes().into()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
    struct Fixed;

    impl Random for Fixed {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill(7);
        }
    }

    fn at(address: &str) -> IpAddr {
        address.parse().unwrap()
    }

    #[test]
    fn the_sixth_failure_within_five_minutes_has_to_wait() {
        let attempts = Attempts::new(&Fixed);
        let start = Instant::now();
        for second in 0..5 {
            let then = start + Duration::from_secs(second);
            assert!(attempts.begin_at(at("192.0.2.1"), then).is_ok());
        }
        let later = start + Duration::from_secs(10);
        assert_eq!(attempts.begin_at(at("192.0.2.1"), later).err(), Some(291));
        assert!(attempts.begin_at(at("192.0.2.2"), later).is_ok());
        let after = start + Duration::from_secs(301);
        assert!(attempts.begin_at(at("192.0.2.1"), after).is_ok());
    }

    #[test]
    fn what_did_not_fail_is_not_counted() {
        let attempts = Attempts::new(&Fixed);
        for _ in 0..20 {
            let attempt = attempts.begin(at("192.0.2.1")).ok().unwrap();
            attempts.forgive(&attempt);
        }
        assert!(attempts.begin(at("192.0.2.1")).is_ok());
    }

    #[test]
    fn a_subscriber_has_one_count_whatever_the_address() {
        let attempts = Attempts::new(&Fixed);
        let whose = |address| attempts.whose(at(address));
        assert_eq!(whose("2001:db8::1"), whose("2001:db8::2:3"));
        assert_ne!(whose("2001:db8::1"), whose("2001:db8:0:1::1"));
        assert_eq!(whose("::ffff:192.0.2.1"), whose("192.0.2.1"));
    }
}
