//! Members with several clients on one torrent: the time that they seed counts once, and what one began
//! to download another may complete.

use super::Swarm;

/// How long it is remembered what was counted.
const DAY: u32 = 86_400;
/// Sessions of a swarm that are looked through, at most, for a member's other clients.
const LOOKED_AT: usize = 20_000;

/// Members with several seeders, and the last stretch of their time that is counted.
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
    /// Notes a member with several seeders.
    pub(super) fn note(&mut self, member: u32) {
        if self.find(member).is_none() {
            let stretch = (0, 0);
            self.0.push(Counted { member, stretch });
        }
    }

    /// Gives the stretch of a member's time that is counted by any client.
    pub(super) fn counted(&mut self, member: u32) -> (u32, u32) {
        self.find(member).copied().unwrap_or_default()
    }

    /// Notes that a stretch of a member's time is counted; one that touches the one before goes on from there.
    pub(super) fn count(&mut self, member: u32, (from, till): (u32, u32)) {
        if let Some(counted) = self.find(member) {
            let (begun, ended) = *counted;
            *counted = if from <= ended && begun <= till {
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

    fn find(&mut self, member: u32) -> Option<&mut (u32, u32)> {
        let mut all = self.0.iter_mut();
        all.find(|counted| counted.member == member)
            .map(|counted| &mut counted.stretch)
    }
}

impl Swarm {
    /// Tells whether another client of a member began to download and none completed it; a restart
    /// without a word gives a client another peer id.
    pub(super) fn has_begun(&self, member: u32, at: usize) -> bool {
        let mut begun = false;
        let sessions = self.sessions.iter().take(LOOKED_AT).enumerate();
        for (place, (peer, session)) in sessions {
            if peer.member == member && place != at {
                if session.totals.completed {
                    return false;
                }
                begun |= session.totals.has_begun();
            }
        }
        begun
    }
}
