//! Peers that fell silent leave, a shard at a time.

use domain::id::TorrentId;

use super::{Shard, Swarm, Swarms};
use crate::session::Side;

impl Swarms {
    /// Sweeps one shard: peers that are silent for longer than `silence` leave, sessions of which
    /// nothing is to be expected are forgotten.
    pub(crate) fn sweep(&self, place: usize, now: u32, silence: u32) {
        let mut left = vec![];
        {
            let Shard { swarms, .. } = &mut *self.shard_at(place);
            for swarm in swarms.values_mut() {
                swarm.drop_silent(now, silence, &mut left);
                swarm.forget_over(now);
            }
            swarms.retain(|_: &TorrentId, swarm| !swarm.sessions.is_empty() || swarm.completed > 0);
        }
        for (member, side) in left {
            self.count_move(member, Some(side), None);
        }
    }
}

impl Swarm {
    fn drop_silent(
        &mut self,
        now: u32,
        silence: u32,
        left: &mut Vec<(domain::id::MemberId, Side)>,
    ) {
        let silent: Vec<usize> = self
            .peers
            .sessions()
            .filter(|at| {
                let session = self.sessions.get_index(*at);
                session.is_some_and(|(_, session)| now.saturating_sub(session.last) > silence)
            })
            .collect();
        for at in silent {
            let Some((peer, session)) = self.sessions.get_index_mut(at) else {
                continue;
            };
            let member = peer.member;
            if let Some((side, slot)) = session.place.take() {
                self.take_out(side, slot);
                left.push((member, side));
            }
        }
    }

    fn forget_over(&mut self, now: u32) {
        let mut at = self.sessions.len();
        while at > 0 {
            at -= 1;
            if self
                .sessions
                .get_index(at)
                .is_some_and(|(_, session)| session.is_over(now))
            {
                self.sessions.swap_remove_index(at);
                // The last session moved into the gap.
                let moved = self
                    .sessions
                    .get_index(at)
                    .and_then(|(_, session)| session.place);
                if let Some((side, slot)) = moved {
                    self.peers.renumber(side, slot, at);
                }
            }
        }
    }
}
