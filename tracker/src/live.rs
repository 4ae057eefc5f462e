//! What pages ask the tracker: who is in which swarm just now.

use std::sync::atomic::Ordering;

use domain::id::{MemberId, TorrentId};
use projections::swarm::{Announces, Count, Peer, Swarms};

use crate::{Tracker, client};

impl Swarms for Tracker {
    fn count(&self, torrent: TorrentId) -> Count {
        let shard = self.0.swarms.shard(torrent);
        shard
            .swarms
            .get(&torrent)
            .map(|swarm| swarm.peers.count())
            .unwrap_or_default()
    }

    fn live(&self) -> Vec<(TorrentId, Count)> {
        let mut live = vec![];
        self.0
            .swarms
            .each(|torrent, swarm| live.push((torrent, swarm.peers.count())));
        live
    }

    fn peers(&self, torrent: TorrentId, most: usize) -> Vec<Peer> {
        let now = self.now();
        let shard = self.0.swarms.shard(torrent);
        let Some(swarm) = shard.swarms.get(&torrent) else {
            return vec![];
        };
        let sessions = swarm
            .peers
            .sessions()
            .filter_map(|at| swarm.sessions.get(at).zip(swarm.sessions.member(at)));
        sessions
            .take(most)
            .map(|(session, member)| Peer {
                member: self.0.swarms.members.id(member),
                client: client::name(&session.peer),
                left: session.totals.left,
                uploaded: session.totals.uploaded,
                downloaded: session.totals.downloaded,
                idle: u64::from(now.saturating_sub(session.totals.last)),
            })
            .collect()
    }

    fn of_member(&self, member: MemberId) -> Count {
        self.0.swarms.of_member(member)
    }

    fn is_alone(&self) -> bool {
        self.0.alone.load(Ordering::Relaxed)
    }

    fn announces(&self) -> Vec<Announces> {
        self.0.measures.announces()
    }

    fn listens(&self) -> bool {
        self.0.measures.listens()
    }
}
