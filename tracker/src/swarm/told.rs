//! What other trackers are told of the swarms, and what is learned from them.

use std::sync::PoisonError;

use super::{PeerKey, SHARDS, Shard, Side, Swarms};
use crate::session::{Mark, Session};
use crate::share::Change;

impl Swarms {
    /// Takes what changed since the last time, about `most` sessions.
    pub(crate) fn take_untold(&self, most: usize) -> Vec<Change> {
        let mut changes = vec![];
        for place in 0..SHARDS {
            let Shard { swarms, untold, .. } = &mut *self.shard_at(place);
            let room = most.saturating_sub(changes.len()).min(untold.len());
            for (torrent, peer) in untold.drain(untold.len() - room..) {
                let Some(swarm) = swarms.get_mut(&torrent) else {
                    continue;
                };
                let Some(session) = swarm.session(&peer) else {
                    continue;
                };
                session.unmark(Mark::UNTOLD);
                let (totals, place) = (session.totals, session.place());
                changes.push(Change {
                    torrent,
                    member: self.members.id(peer.member),
                    peer: peer.id,
                    totals,
                    place: place.map(|(side, slot)| (side, swarm.peers.get(side, slot))),
                });
            }
        }
        changes
    }

    /// Lets every session be told once more that announced since a time.
    pub(crate) fn all_untold(&self, since: u32) {
        for place in 0..SHARDS {
            let Shard { swarms, untold, .. } = &mut *self.shard_at(place);
            for (torrent, swarm) in swarms {
                for (member, session) in swarm.sessions.iter_mut() {
                    if session.totals.last >= since && session.mark(Mark::UNTOLD) {
                        let id = session.peer;
                        untold.push((*torrent, PeerKey { member, id }));
                    }
                }
            }
        }
    }

    /// Gives back what couldn't be told.
    pub(crate) fn untold(&self, changes: &[Change]) {
        for change in changes {
            let Shard { swarms, untold, .. } = &mut *self.shard(change.torrent);
            let peer = self.peer(change);
            let session = swarms
                .get_mut(&change.torrent)
                .and_then(|swarm| swarm.session(&peer));
            if session.is_some_and(|session| session.mark(Mark::UNTOLD)) {
                untold.push((change.torrent, peer));
            }
        }
    }

    /// Takes over what another tracker told.
    pub(crate) fn learn(&self, change: &Change) {
        let mut shard = self.shard(change.torrent);
        // Asked behind the lock, as by who joins.
        if self.is_deaf() {
            return;
        }
        let Shard { swarms, ended, .. } = &mut *shard;
        let swarm = swarms.entry(change.torrent).or_default();
        let peer = self.peer(change);
        let known = swarm.sessions.find(&peer);
        let at = known.unwrap_or_else(|| {
            let client = change.totals.client;
            let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
            let run = stored.remove(&(change.torrent, change.member, client));
            swarm.sessions.add(peer, Session::resumed(client, run, 0))
        });
        let Some(session) = swarm.sessions.get_mut(at) else {
            return;
        };
        let seeded = change.totals.seeded_beyond(&session.totals);
        let learned = session.learn(&change.totals);
        if known.is_some() && seeded > 0 {
            let till = change.totals.last;
            let stretch = (till.saturating_sub(seeded), till);
            swarm.several.count(peer.member, stretch);
        }
        let run = learned.ended.iter();
        ended.extend(run.map(|totals| totals.entry(change.member, change.torrent)));
        swarm.completed += u32::from(learned.completed);
        if learned.newer {
            let before = swarm.place(at).map(|(side, _)| side);
            let after = change.place.map(|(side, _)| side);
            if after == Some(Side::Leechers) {
                swarm.leecher_seen = swarm.leecher_seen.max(change.totals.last);
            }
            if let (Some((side, slot)), Some((_, addresses))) =
                (swarm.settle(at, after), change.place)
            {
                swarm.peers.put(side, slot, addresses);
            }
            self.count_move(peer.member, before, after);
        }
    }

    fn peer(&self, change: &Change) -> PeerKey {
        PeerKey {
            member: self.members.number(change.member).number,
            id: change.peer,
        }
    }
}
