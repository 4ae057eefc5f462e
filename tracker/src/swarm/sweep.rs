//! Peers that fell silent leave, a slice of a shard at a time.

use super::{Shard, Side, Swarm, Swarms};

/// Sessions and swarms that are looked at while a shard is held.
const SLICE: usize = 1_000;

impl Swarms {
    /// Sweeps the next slice of a shard: peers that are silent for longer than `silence` leave, sessions
    /// of which nothing is to be expected are forgotten. Tells whether there is more of the shard.
    pub(crate) fn sweep(&self, place: usize, now: u32, silence: u32) -> bool {
        let (mut left, mut seen) = (vec![], 0);
        let more = {
            let Shard { swarms, swept, .. } = &mut *self.shard_at(place);
            if *swept == 0 || *swept > swarms.len() {
                *swept = swarms.len();
            }
            while *swept > 0 && seen < SLICE {
                *swept -= 1;
                let Some((_, swarm)) = swarms.get_index_mut(*swept) else {
                    break;
                };
                seen += 1 + swarm.sessions.len();
                swarm.drop_silent(now, silence, &mut left);
                swarm.forget_over(now);
                if swarm.sessions.is_empty() && swarm.completed == 0 {
                    // The last one, which moves here, was swept before.
                    swarms.swap_remove_index(*swept);
                }
            }
            *swept > 0
        };
        for (member, side) in left {
            self.count_move(member, Some(side), None);
        }
        more
    }
}

impl Swarm {
    fn drop_silent(&mut self, now: u32, silence: u32, left: &mut Vec<(u32, Side)>) {
        let is_silent = |at: &usize| {
            let session = self.sessions.get_index(*at);
            session.is_some_and(|(_, it)| now.saturating_sub(it.totals.last) > silence)
        };
        let room = SLICE.saturating_sub(left.len());
        let silent: Vec<usize> = self.peers.sessions().filter(is_silent).take(room).collect();
        for at in silent {
            let Some((peer, session)) = self.sessions.get_index_mut(at) else {
                continue;
            };
            let member = peer.member;
            if let Some((side, slot)) = session.place() {
                session.set_place(None);
                self.take_out(side, slot);
                left.push((member, side));
            }
        }
    }

    fn forget_over(&mut self, now: u32) {
        self.several.forget(now);
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
                    .and_then(|(_, session)| session.place());
                if let Some((side, slot)) = moved {
                    self.peers.renumber(side, slot, at);
                }
            }
        }
    }
}
