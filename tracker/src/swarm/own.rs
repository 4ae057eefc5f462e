//! How many peers each member has.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use domain::id::MemberId;
use projections::swarm::Count;

use super::{Side, Swarms};

impl Swarms {
    /// Keeps the counts of a member's own peers and of all peers.
    pub(super) fn count_move(&self, member: u32, before: Option<Side>, after: Option<Side>) {
        if before == after {
            return;
        }
        match (before, after) {
            (None, Some(_)) => self.peers.fetch_add(1, Ordering::Relaxed),
            (Some(_), None) => self.peers.fetch_sub(1, Ordering::Relaxed),
            (None, None) | (Some(_), Some(_)) => 0,
        };
        let mut members = self
            .of_member
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let count = members.entry(member).or_default();
        match before {
            Some(Side::Seeders) => count.seeders = count.seeders.saturating_sub(1),
            Some(Side::Leechers) => count.leechers = count.leechers.saturating_sub(1),
            None => {}
        }
        match after {
            Some(Side::Seeders) => count.seeders += 1,
            Some(Side::Leechers) => count.leechers += 1,
            None => {}
        }
        if *count == Count::default() {
            members.remove(&member);
        }
    }

    /// Counts a member's own peers.
    pub(crate) fn of_member(&self, member: MemberId) -> Count {
        let members = self
            .of_member
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let number = self.members.find(member);
        let count = number.and_then(|number| members.get(&number));
        count.copied().unwrap_or_default()
    }
}
