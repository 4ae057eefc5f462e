//! How often members ask from an address: in a sliding minute, of which the part of the last whole
//! minute that still lies within it is taken as even.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};

use ahash::RandomState;
use domain::address::network;
use hashbrown::HashTable;

use crate::announce::Failure;

const SHARDS: usize = 64;
/// Seconds of the window.
const MINUTE: u32 = 60;

/// How often members asked from an address in this minute and the one before.
pub(crate) struct Rate {
    key: RandomState,
    shards: Vec<Mutex<Minutes>>,
}

/// What was let through.
#[derive(Default)]
struct Minutes {
    minute: u32,
    now: HashTable<Count>,
    before: HashTable<Count>,
}

/// How often somebody asked, in eight bytes.
struct Count {
    /// A part of the hash of the member and the address's network; the shard is another part of it. The few who have
    /// both in common have one limit.
    who: u32,
    count: u32,
}

/// Spreads a part of a hash over a table.
fn spread(who: u32) -> u64 {
    u64::from(who).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

impl Minutes {
    /// Lets time pass.
    fn turn(&mut self, minute: u32) {
        if self.minute == minute {
            return;
        }
        std::mem::swap(&mut self.now, &mut self.before);
        self.now.clear();
        if self.minute + 1 != minute {
            self.before.clear();
        }
        self.minute = minute;
    }
}

/// Gives how often somebody asked in a minute that is over.
fn asked(before: &HashTable<Count>, who: u32) -> u32 {
    let found = before.find(spread(who), |known| known.who == who);
    found.map_or(0, |known| known.count)
}

/// Gives how often somebody asked in this minute.
fn count(now: &mut HashTable<Count>, who: u32) -> &mut u32 {
    let is_known = |known: &Count| known.who == who;
    let known = now.entry(spread(who), is_known, |known| spread(known.who));
    let known = known.or_insert(Count { who, count: 0 });
    &mut known.into_mut().count
}

impl std::fmt::Debug for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rate").finish_non_exhaustive()
    }
}

impl Default for Rate {
    fn default() -> Self {
        Self {
            key: RandomState::new(),
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
        }
    }
}

impl Rate {
    /// Counts an announce or a scrape of a member, and refuses what is more than so many a minute; 0
    /// stands for any number.
    pub(crate) fn count(
        &self,
        most: u32,
        member: u32,
        from: IpAddr,
        now: u32,
    ) -> Result<(), Failure> {
        if most == 0 {
            return Ok(());
        }
        let hash = self.key.hash_one((member, network(from)));
        let who = u32::try_from(hash >> 32).unwrap_or(0);
        let place = usize::try_from(hash).unwrap_or(0) % SHARDS;
        let Some(shard) = self.shards.get(place) else {
            return Ok(());
        };
        let mut minutes = shard.lock().unwrap_or_else(PoisonError::into_inner);
        minutes.turn(now / MINUTE);
        let left = u64::from(MINUTE - now % MINUTE);
        let carried = |before: u32| (u64::from(before) * left).div_ceil(u64::from(MINUTE));
        let is_over = |count, before| u64::from(count) + carried(before) >= u64::from(most);
        let Minutes {
            now: this, before, ..
        } = &mut *minutes;
        let count = count(this, who);
        // The minute before is asked only where it may matter: nobody was let through more often in it.
        if is_over(*count, most) && is_over(*count, asked(before, who)) {
            // Who was refused isn't kept out by trying again.
            return Err(Failure::TooOften);
        }
        *count += 1;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn a_member_may_announce_so_often_a_minute_from_an_address() {
        let rate = Rate::default();
        let (here, there) = (at("192.0.2.1"), at("192.0.2.2"));
        let count = |member, from, now| rate.count(2, member, from, now);
        assert!(count(1, here, 600).is_ok() && count(1, here, 659).is_ok());
        assert_eq!(count(1, here, 659), Err(Failure::TooOften));
        assert!(count(1, there, 659).is_ok() && count(2, here, 659).is_ok());
        assert!(rate.count(0, 1, here, 659).is_ok());
        assert!(count(1, here, 720).is_ok());
    }

    #[test]
    fn the_minute_slides() {
        let rate = Rate::default();
        let here = at("192.0.2.1");
        let passed = |now: u32| {
            (0..300)
                .filter(|_| rate.count(200, 1, here, now).is_ok())
                .count()
        };
        assert_eq!(passed(659), 200);
        assert_eq!(
            passed(660),
            0,
            "a new minute by the clock is no new allowance"
        );
        assert_eq!(passed(690), 100);
        assert_eq!(passed(719), 96);
        assert_eq!(passed(840), 200, "two minutes later nothing is left of it");
    }

    #[test]
    fn a_subscriber_has_one_count_whatever_the_address() {
        let rate = Rate::default();
        let count = |from| rate.count(1, 1, at(from), 600);
        assert!(count("2001:db8::1").is_ok());
        assert_eq!(count("2001:db8::2:3"), Err(Failure::TooOften));
        assert!(count("2001:db8:0:1::1").is_ok());
    }
}
