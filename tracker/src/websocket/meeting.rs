//! Where peers in browsers meet: who is on which socket of which tracker.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use commands::ports::{Channel, Relay};
use domain::id::{MemberId, TorrentId};
use indexmap::IndexMap;
use rand::RngExt as _;
use serde::{Deserialize, Serialize};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::Instant;

use super::INTERVAL;
use crate::Tracker;

/// How long a peer of another tracker is believed to be there after its last announce.
const REMOTE: Duration = INTERVAL.saturating_mul(2).saturating_add(KEEP);
/// How long what is said between trackers is kept.
const KEEP: Duration = Duration::from_secs(30);
/// Messages that wait for the relay before the oldest are dropped.
const WAITING: usize = 10_000;
/// How long who tells or hears waits when the relay is away.
const AGAIN: Duration = Duration::from_millis(500);
const LISTEN: Duration = Duration::from_secs(1);

/// What trackers say to each other of their sockets.
#[derive(Debug, Clone, Serialize, Deserialize)]
enum Said {
    /// A peer announced on a socket.
    Here {
        torrent: TorrentId,
        peer: [u8; 20],
        member: MemberId,
        seeds: bool,
    },
    /// A peer left.
    Gone { torrent: TorrentId, peer: [u8; 20] },
    /// A message for a peer of a tracker.
    To {
        node: u64,
        torrent: TorrentId,
        peer: [u8; 20],
        text: String,
    },
}

/// Where a peer is reached.
#[derive(Debug, Clone)]
enum Way {
    Socket(mpsc::Sender<String>),
    Node { node: u64, until: Instant },
}

#[derive(Debug)]
struct Present {
    member: MemberId,
    seeds: bool,
    way: Way,
}

/// Who is on which socket.
#[derive(Debug, Default)]
pub(crate) struct Meeting {
    peers: Mutex<HashMap<TorrentId, IndexMap<[u8; 20], Present>>>,
    sockets: Mutex<HashMap<MemberId, usize>>,
    /// What other trackers shall hear, while there are some.
    outbox: Mutex<Option<Vec<Said>>>,
    wake: Notify,
}

/// A member's place among the sockets; it is free again when it is dropped.
pub(crate) struct Place<'a>(&'a Meeting, MemberId);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut sockets = lock(&self.0.sockets);
        if let Some(count) = sockets.get_mut(&self.1) {
            *count -= 1;
            if *count == 0 {
                sockets.remove(&self.1);
            }
        }
    }
}

fn lock<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Meeting {
    /// Counts a member's sockets.
    pub(crate) fn sockets(&self, member: MemberId) -> usize {
        lock(&self.sockets).get(&member).copied().unwrap_or(0)
    }

    /// Takes a place for one more socket of a member, if there is one.
    pub(crate) fn enter(&self, member: MemberId, most: usize) -> Option<Place<'_>> {
        let mut sockets = lock(&self.sockets);
        let count = sockets.entry(member).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Place(self, member))
    }

    /// Notes that a peer is on a socket.
    pub(super) fn join(
        &self,
        torrent: TorrentId,
        peer: [u8; 20],
        member: MemberId,
        seeds: bool,
        to: mpsc::Sender<String>,
    ) {
        self.post(Said::Here {
            torrent,
            peer,
            member,
            seeds,
        });
        let way = Way::Socket(to);
        self.put(torrent, peer, Present { member, seeds, way });
    }

    fn put(&self, torrent: TorrentId, peer: [u8; 20], present: Present) {
        let mut peers = lock(&self.peers);
        peers.entry(torrent).or_default().insert(peer, present);
    }

    /// Notes that a peer left a socket; tells whether it was still there, and not on another.
    pub(super) fn leave(
        &self,
        torrent: TorrentId,
        peer: [u8; 20],
        from: &mpsc::Sender<String>,
    ) -> bool {
        let left = self.remove(torrent, peer, |way| match way {
            Way::Socket(to) => to.same_channel(from),
            Way::Node { .. } => false,
        });
        if left {
            self.post(Said::Gone { torrent, peer });
        }
        left
    }

    /// Removes a peer that is reached in such a way; tells whether it was.
    fn remove(&self, torrent: TorrentId, peer: [u8; 20], such: impl Fn(&Way) -> bool) -> bool {
        let mut peers = lock(&self.peers);
        let Some(there) = peers.get_mut(&torrent) else {
            return false;
        };
        let found = there.get(&peer).is_some_and(|present| such(&present.way));
        if found {
            there.swap_remove(&peer);
            if there.is_empty() {
                peers.remove(&torrent);
            }
        }
        found
    }

    /// Gives other members' peers, from a random one on; seeders for leechers alone.
    pub(super) fn others(
        &self,
        torrent: TorrentId,
        peer: [u8; 20],
        member: MemberId,
        seeds: bool,
        wanted: usize,
    ) -> Vec<[u8; 20]> {
        let peers = lock(&self.peers);
        let Some(there) = peers.get(&torrent) else {
            return vec![];
        };
        let now = Instant::now();
        let start = rand::rng().random_range(0..there.len().max(1));
        // The bound keeps a swarm of seeders from being walked whole.
        let ring = (0..there.len().min(wanted.saturating_mul(8).max(64)))
            .filter_map(|step| there.get_index((start + step) % there.len()));
        let fits = |(other, present): &(&[u8; 20], &Present)| {
            let living = match present.way {
                Way::Socket(_) => true,
                Way::Node { until, .. } => until > now,
            };
            living && **other != peer && present.member != member && !(seeds && present.seeds)
        };
        ring.filter(fits)
            .take(wanted)
            .map(|(other, _)| *other)
            .collect()
    }

    /// Says something to a peer, wherever it is.
    pub(super) fn say(&self, torrent: TorrentId, peer: [u8; 20], text: String) {
        let way = lock(&self.peers)
            .get(&torrent)
            .and_then(|there| there.get(&peer))
            .map(|present| present.way.clone());
        match way {
            // Who reads too slowly misses it, as if the other had gone.
            Some(Way::Socket(to)) => drop(to.try_send(text)),
            Some(Way::Node { node, .. }) => self.post(Said::To {
                node,
                torrent,
                peer,
                text,
            }),
            None => {}
        }
    }

    fn post(&self, said: Said) {
        if let Some(outbox) = &mut *lock(&self.outbox) {
            if outbox.len() >= WAITING {
                outbox.clear();
            }
            outbox.push(said);
            self.wake.notify_one();
        }
    }

    fn hear(&self, from: u64, own: u64, said: Said) {
        match said {
            Said::Here {
                torrent,
                peer,
                member,
                seeds,
            } => {
                let until = Instant::now() + REMOTE;
                let way = Way::Node { node: from, until };
                self.put(torrent, peer, Present { member, seeds, way });
            }
            Said::Gone { torrent, peer } => {
                let theirs = |way: &Way| matches!(way, Way::Node { node, .. } if *node == from);
                self.remove(torrent, peer, theirs);
            }
            Said::To {
                node,
                torrent,
                peer,
                text,
            } if node == own => {
                let there = lock(&self.peers);
                let present = there.get(&torrent).and_then(|there| there.get(&peer));
                if let Some(Way::Socket(to)) = present.map(|present| &present.way) {
                    drop(to.try_send(text));
                }
            }
            Said::To { .. } => {}
        }
    }

    /// Forgets peers of other trackers that are long silent.
    fn sweep(&self) {
        let now = Instant::now();
        lock(&self.peers).retain(|_, there| {
            there.retain(|_, present| match present.way {
                Way::Socket(_) => true,
                Way::Node { until, .. } => until > now,
            });
            !there.is_empty()
        });
    }
}

impl Tracker {
    /// Tells other trackers of the peers on this one's sockets, and what they say, until `stop` turns true.
    pub async fn talk(&self, relay: &dyn Relay, mut stop: watch::Receiver<bool>) {
        let meeting = &self.0.meeting;
        *lock(&meeting.outbox) = Some(vec![]);
        while !*stop.borrow() {
            tokio::select! {
                () = meeting.wake.notified() => {}
                _ = stop.changed() => {}
            }
            let said = lock(&meeting.outbox).as_mut().map(std::mem::take);
            let Some(said) = said.filter(|said| !said.is_empty()) else {
                continue;
            };
            let message = postcard::to_allocvec(&(self.0.id, said)).unwrap_or_default();
            // What isn't told now is old by the time that it could be.
            if relay.tell(Channel::Talk, &[message], KEEP).await.is_err() {
                tokio::time::sleep(AGAIN).await;
            }
        }
        *lock(&meeting.outbox) = None;
    }

    /// Hears what other trackers say of their sockets until `stop` turns true.
    pub async fn overhear(&self, relay: &dyn Relay, mut stop: watch::Receiver<bool>) {
        let meeting = &self.0.meeting;
        let mut mark = None;
        let mut swept = Instant::now();
        while !*stop.borrow() {
            let heard = async {
                let from = match &mark {
                    Some(mark) => String::clone(mark),
                    None => relay.last(Channel::Talk).await?,
                };
                let heard = relay.hear(Channel::Talk, &from, LISTEN).await?;
                Ok::<_, commands::ports::Unavailable>((from, heard))
            };
            let heard = tokio::select! {
                heard = heard => heard,
                _ = stop.changed() => return,
            };
            let Ok((mut last, heard)) = heard else {
                // It may come back empty, and its clock may be another.
                mark = None;
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            for (at, message) in heard {
                last = at;
                if let Ok((from, all)) = postcard::from_bytes::<(u64, Vec<Said>)>(&message)
                    && from != self.0.id
                {
                    for said in all {
                        meeting.hear(from, self.0.id, said);
                    }
                }
            }
            mark = Some(last);
            if swept.elapsed() > REMOTE {
                meeting.sweep();
                swept = Instant::now();
            }
        }
    }
}
