//! Peers that fell silent leave, a slice of a shard at a time.

use super::{Shard, Side, Swarm, Swarms};

/// Sessions and swarms that are looked at while a shard is held.
const SLICE: usize = 500;

impl Swarms {
    /// Sweeps the next slice of a shard: peers that are silent for longer than `silence` leave, sessions
    /// of which nothing is to be expected are forgotten. Tells whether there is more of the shard.
    pub(crate) fn sweep(&self, place: usize, now: u32, silence: u32) -> bool {
        let (mut left, mut seen) = (vec![], 0);
        let more = {
            let Shard { swarms, swept, .. } = &mut *self.shard_at(place);
            let (mut swarm_at, mut session_at) = *swept;
            if swarm_at == 0 || swarm_at > swarms.len() {
                (swarm_at, session_at) = (swarms.len(), None);
            }
            while swarm_at > 0 && seen < SLICE {
                let Some((_, swarm)) = swarms.get_index_mut(swarm_at - 1) else {
                    break;
                };
                let from = session_at.unwrap_or(usize::MAX).min(swarm.sessions.len());
                let till = from.saturating_sub(SLICE - seen);
                seen += 1 + from - till;
                for at in (till..from).rev() {
                    left.extend(swarm.sweep(at, (now, silence)));
                }
                session_at = Some(till).filter(|till| *till > 0);
                if session_at.is_some() {
                    break;
                }
                swarm_at -= 1;
                swarm.several.forget(now);
                if swarm.sessions.is_empty() && swarm.completed == 0 {
                    // The last one, which moves here, was swept before.
                    swarms.swap_remove_index(swarm_at);
                }
            }
            *swept = (swarm_at, session_at);
            swarm_at > 0
        };
        for (member, side) in left {
            self.count_move(member, Some(side), None);
        }
        more
    }
}

impl Swarm {
    /// Sweeps a session; gives whose peer left which side, if one did.
    fn sweep(&mut self, at: usize, (now, silence): (u32, u32)) -> Option<(u32, Side)> {
        let member = self.sessions.member(at)?;
        let session = self.sessions.get_mut(at)?;
        let is_silent = now.saturating_sub(session.totals.last) > silence;
        let left = session.place().filter(|_| is_silent);
        if let Some((side, slot)) = left {
            session.set_place(None);
            self.take_out(side, slot);
        }
        if self.sessions.get(at)?.is_over(now) {
            self.sessions.remove(at);
            // The last session moved into the gap.
            if let Some((side, slot)) = self.place(at) {
                self.peers.renumber(side, slot, at);
            }
        }
        left.map(|(side, _)| (member, side))
    }
}
