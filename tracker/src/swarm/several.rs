//! Members with several clients on one torrent: from how many addresses they come, the time that they
//! seed counts once, and what one began to download another may complete.

use std::net::IpAddr;

use super::{Side, Swarm, plain};

/// How long it is remembered what was counted.
const DAY: u32 = 86_400;
/// Sessions of one member on one torrent, at most: far more than clients make in the two weeks for which
/// they are remembered.
const MOST_SESSIONS: usize = 20_000;

/// Members with several seeders in the order of their numbers, and the last stretch of their time that is
/// counted.
#[derive(Debug, Default)]
pub(super) struct Several(Vec<Counted>);

#[derive(Debug)]
struct Counted {
    /// The member's number.
    member: u32,
    /// When the stretch begins and ends, in seconds since 1970.
    stretch: (u32, u32),
}

impl Several {
    fn search(&self, member: u32) -> Result<usize, usize> {
        self.0
            .binary_search_by_key(&member, |counted| counted.member)
    }

    /// Notes a member with several seeders.
    fn note(&mut self, member: u32) {
        if let Err(at) = self.search(member) {
            let stretch = (0, 0);
            self.0.insert(at, Counted { member, stretch });
        }
    }

    /// Gives the stretch of a member's time that is counted by any client.
    pub(super) fn counted(&self, member: u32) -> (u32, u32) {
        let found = self.search(member).ok().and_then(|at| self.0.get(at));
        found.map(|counted| counted.stretch).unwrap_or_default()
    }

    /// Notes that a stretch of a member's time is counted; one that touches the one before goes on from there.
    pub(super) fn count(&mut self, member: u32, (from, till): (u32, u32)) {
        let found = self.search(member).ok();
        if let Some(counted) = found.and_then(|at| self.0.get_mut(at)) {
            let (begun, ended) = counted.stretch;
            counted.stretch = if from <= ended && begun <= till {
                (from.min(begun), till.max(ended))
            } else {
                (from, till)
            };
        }
    }

    /// Forgets who didn't seed for a day.
    pub(super) fn forget(&mut self, now: u32) {
        let is_recent = |till: u32| till == 0 || now.saturating_sub(till) < DAY;
        self.0.retain(|counted| is_recent(counted.stretch.1));
    }
}

impl Swarm {
    /// Notes a member with several seeders, where it has them.
    pub(super) fn note_several(&mut self, member: u32) {
        let seeds = |at: &usize| matches!(self.place(*at), Some((Side::Seeders, _)));
        if self
            .sessions
            .of_member(member)
            .filter(seeds)
            .nth(1)
            .is_some()
        {
            self.several.note(member);
        }
    }

    /// Tells whether another client of a member began to download and none completed it; a restart
    /// without a word gives a client another peer id.
    pub(super) fn has_begun(&self, member: u32, at: usize) -> bool {
        let others = self.sessions.of_member(member).filter(|other| *other != at);
        let mut begun = false;
        for session in others.filter_map(|at| self.sessions.get(at)) {
            if session.totals.completed {
                return false;
            }
            begun |= session.totals.has_begun();
        }
        begun
    }

    /// Tells whether one more address would be too many for a member, or one more client.
    pub(super) fn addresses(&self, member: u32, from: IpAddr, most: usize) -> bool {
        let from = plain(from);
        let (mut others, mut sessions): (Vec<IpAddr>, _) = (vec![], 0);
        for at in self.sessions.of_member(member) {
            sessions += 1;
            let Some((side, slot)) = self.place(at) else {
                continue;
            };
            let known = self.peers.get(side, slot);
            let (v4, v6) = (known.ip_v4(), known.ip_v6());
            // A peer with both families is one place.
            let known = v4
                .or(v6)
                .filter(|ip| *ip != from && v6 != Some(from) && !others.contains(ip));
            others.extend(known);
        }
        others.len() >= most || sessions >= MOST_SESSIONS
    }
}
