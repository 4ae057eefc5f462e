//! The swarms in memory: 256 shards by torrent, a lock each, and nothing on the path that grows
//! with a swarm.
//!
//! A swarm keeps its sessions by peer, and the addresses of those that are there in two sides,
//! seeders and leechers. An answer is a window of the ring of both that begins at random; each
//! announce swaps its own place with a random one, so windows don't repeat.

use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use ahash::{AHashMap, RandomState};
use domain::id::{MemberId, TorrentId};
use domain::traffic::Entry;
use domain::transfer::Pair;
use indexmap::IndexMap;
use projections::swarm::Count;

use crate::Runs;
use crate::announce::{Announce, Event, Failure};
use crate::member::Members;
use crate::rules::{Rules, Suspicions};
use crate::session::{Mark, Moment, Session, Totals};
use sessions::Sessions;
use several::Several;

mod own;
mod sessions;
mod several;
mod side;
mod suspect;
mod sweep;
mod told;

pub(crate) use side::{Addresses, Peers, Side, plain};

/// How many shards there are; the first byte of a torrent's id names its own.
pub(crate) const SHARDS: usize = 256;

/// Who a peer is: the same client over another address, family or transport is the same peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct PeerKey {
    /// The member's number.
    pub(crate) member: u32,
    pub(crate) id: [u8; 20],
}

/// Peers for an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chosen {
    /// Compact IPv4 addresses, six bytes each.
    pub v4: Vec<u8>,
    /// Compact IPv6 addresses, eighteen bytes each.
    pub v6: Vec<u8>,
    /// The peer ids of the IPv4 addresses in their order, for the dictionary form alone.
    pub ids: Vec<[u8; 20]>,
    /// The peer ids of the IPv6 addresses in their order, for the dictionary form alone.
    pub ids6: Vec<[u8; 20]>,
}

/// An admitted announce and what goes with it.
pub(crate) struct Joined<'a> {
    pub(crate) torrent: TorrentId,
    /// Where its swarm stood the last time.
    pub(crate) swarm: u32,
    pub(crate) member: MemberId,
    pub(crate) peer: PeerKey,
    pub(crate) announce: &'a Announce,
    pub(crate) from: IpAddr,
    pub(crate) now: u32,
    pub(crate) part: u16,
    pub(crate) interval: u32,
    /// Whether downloads aren't charged.
    pub(crate) free: bool,
    pub(crate) wanted: usize,
    /// Where the window of the ring begins and with whom the announcer swaps places, at random.
    pub(crate) luck: [u32; 2],
}

/// What an announce did to its swarm.
#[derive(Default)]
pub(crate) struct Outcome {
    pub(crate) count: Count,
    pub(crate) completed: u32,
    pub(crate) peers: Chosen,
    /// Whether the traffic shall be handed over at once.
    pub(crate) urgent: bool,
    /// Where the swarm stands.
    pub(crate) swarm: u32,
    /// Where a run ended that is still to be handed over.
    ended: Option<Totals>,
}

/// All swarms.
pub(crate) struct Swarms {
    shards: Vec<Mutex<Shard>>,
    pub(crate) members: Arc<Members>,
    stored: Mutex<Runs>,
    of_member: Mutex<AHashMap<u32, Count>>,
    peers: AtomicUsize,
    closed: AtomicBool,
    /// Whether nothing is learned from other trackers either: from closing until it is filled anew.
    deaf: AtomicBool,
    pub(crate) suspicions: Suspicions,
    /// Whether other trackers are told of changes.
    pub(crate) tell: AtomicBool,
}

impl std::fmt::Debug for Swarms {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Swarms").finish_non_exhaustive()
    }
}

#[derive(Default)]
pub(crate) struct Shard {
    pub(crate) swarms: IndexMap<TorrentId, Swarm, RandomState>,
    /// Swarms from here on were swept in this round, and of the one before them the sessions from there on.
    swept: (usize, Option<usize>),
    /// Sessions that changed since the last hand-over.
    dirty: Vec<(TorrentId, PeerKey)>,
    /// Runs that ended since then.
    ended: Vec<Entry>,
    /// Sessions that changed since other trackers were told.
    untold: Vec<(TorrentId, PeerKey)>,
}

/// One torrent's sessions and peers.
#[derive(Default)]
pub(crate) struct Swarm {
    pub(crate) sessions: Sessions,
    pub(crate) peers: Peers,
    pub(crate) completed: u32,
    /// When somebody was last there to receive, in seconds since 1970.
    leecher_seen: u32,
    several: Several,
}

impl Swarms {
    /// Makes swarms without a peer.
    pub(crate) fn new(members: Arc<Members>) -> Self {
        Self {
            shards: (0..SHARDS).map(|_| Mutex::default()).collect(),
            members,
            stored: Mutex::default(),
            of_member: Mutex::default(),
            peers: AtomicUsize::new(0),
            closed: AtomicBool::new(false),
            deaf: AtomicBool::new(false),
            suspicions: Suspicions::default(),
            tell: AtomicBool::new(false),
        }
    }

    /// Remembers where clients' totals stood and how often torrents were completed.
    pub(crate) fn remember(&self, runs: Vec<Entry>, snatches: Vec<(TorrentId, i64)>) {
        let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
        for run in runs {
            if let Ok(client) = u64::from_str_radix(&run.client, 16) {
                stored.insert((run.torrent, run.member, client), run);
            }
        }
        for (torrent, count) in snatches {
            let mut shard = self.shard(torrent);
            shard.swarms.entry(torrent).or_default().completed =
                u32::try_from(count).unwrap_or(u32::MAX);
        }
    }

    /// Lets nobody in any more; when this returns, nobody is on the way in.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.deaf.store(true, Ordering::Release);
        for place in 0..SHARDS {
            drop(self.shard_at(place));
        }
    }

    /// Lets what other trackers tell in, before announces are.
    pub(crate) fn listen(&self) {
        self.deaf.store(false, Ordering::Release);
    }

    /// Lets announces in.
    pub(crate) fn open(&self) {
        self.listen();
        self.closed.store(false, Ordering::Release);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn is_deaf(&self) -> bool {
        self.deaf.load(Ordering::Acquire)
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) {
        for place in 0..SHARDS {
            *self.shard_at(place) = Shard::default();
        }
        let (stored, of_member) = (self.stored.lock(), self.of_member.lock());
        stored.unwrap_or_else(PoisonError::into_inner).clear();
        of_member.unwrap_or_else(PoisonError::into_inner).clear();
        self.peers.store(0, Ordering::Relaxed);
    }

    /// Counts the peers of all swarms.
    pub(crate) fn peers(&self) -> usize {
        self.peers.load(Ordering::Relaxed)
    }

    pub(crate) fn shard(&self, torrent: TorrentId) -> MutexGuard<'_, Shard> {
        let first = torrent.0.as_bytes().first().copied().unwrap_or(0);
        self.shard_at(usize::from(first))
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "the place is taken modulo the number of shards"
    )]
    fn shard_at(&self, place: usize) -> MutexGuard<'_, Shard> {
        self.shards[place % SHARDS]
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes an announce into its swarm, and chooses other peers for it.
    pub(crate) fn join(
        &self,
        joined: &Joined<'_>,
        rules: &Rules,
        client: impl FnOnce(&PeerKey) -> u64,
    ) -> Result<Outcome, Failure> {
        let mut shard = self.shard(joined.torrent);
        // Asked behind the lock: who closes waits for it.
        if self.is_closed() {
            return Err(Failure::Closed);
        }
        let Shard {
            swarms,
            dirty,
            ended,
            untold,
            ..
        } = &mut *shard;
        let stood = swarms.get_index(place(joined.swarm));
        let swarm_at = if stood.is_some_and(|(torrent, _)| *torrent == joined.torrent) {
            place(joined.swarm)
        } else {
            let entry = swarms.entry(joined.torrent);
            let at = entry.index();
            entry.or_default();
            at
        };
        let Some((_, swarm)) = swarms.get_index_mut(swarm_at) else {
            return Err(Failure::TorrentUnknown);
        };
        swarm
            .peers
            .read_early(joined.announce.left == 0, joined.luck);
        let known = swarm.sessions.find(&joined.peer);
        let is_peer = known.is_some_and(|at| swarm.place(at).is_some());
        let (member, most) = (joined.peer.member, rules.most_addresses);
        if !is_peer && swarm.addresses(member, joined.from, most) {
            return Err(Failure::TooManyAddresses);
        }
        let at = if let Some(at) = known {
            at
        } else {
            let client = client(&joined.peer);
            let mut stored = self.stored.lock().unwrap_or_else(PoisonError::into_inner);
            let run = stored.remove(&(joined.torrent, joined.member, client));
            let session = Session::resumed(client, run, joined.now);
            swarm.sessions.add(joined.peer, session)
        };
        if let Some(session) = swarm.sessions.get_mut(at) {
            if !session.is(Mark::DIRTY) {
                dirty.push((joined.torrent, joined.peer));
            }
            if self.tell.load(Ordering::Relaxed) && session.mark(Mark::UNTOLD) {
                untold.push((joined.torrent, joined.peer));
            }
        }
        let mut outcome = self.change(swarm, at, joined, rules);
        outcome.swarm = number(swarm_at);
        let run = outcome.ended.iter();
        ended.extend(run.map(|totals| totals.entry(joined.member, joined.torrent)));
        Ok(outcome)
    }

    fn change(&self, swarm: &mut Swarm, at: usize, joined: &Joined<'_>, rules: &Rules) -> Outcome {
        let before = swarm.place(at).map(|(side, _)| side);
        let seeds = joined.announce.left == 0 && before != Some(Side::Seeders);
        let moment = Moment {
            now: joined.now,
            part: joined.part,
            longest: joined.interval + joined.interval / 2,
            free: joined.free,
            counted: swarm.several.counted(joined.peer.member),
            begun: seeds && swarm.has_begun(joined.peer.member, at),
        };
        let Some(session) = swarm.sessions.get_mut(at) else {
            return Outcome::default();
        };
        let stood = session.totals;
        let reported = session.report(joined.announce, moment);
        if before == Some(Side::Seeders) {
            let passed = reported.moved.passed.min(moment.longest);
            let stretch = (joined.now.saturating_sub(passed), joined.now);
            swarm.several.count(joined.peer.member, stretch);
        }
        swarm.see_leechers(before, joined);
        if let Some(suspicion) = swarm.suspicion(&stood, &reported, joined, rules) {
            let (member, torrent) = (joined.member, joined.torrent);
            self.suspicions.note(Pair { member, torrent }, suspicion);
        }
        swarm.completed += u32::from(reported.completed);
        let stopped = joined.announce.event == Event::Stopped;
        let side = if joined.announce.left == 0 {
            Side::Seeders
        } else {
            Side::Leechers
        };
        let after = (!stopped).then_some(side);
        let address = SocketAddr::new(joined.from, joined.announce.port);
        if let Some((side, slot)) = swarm.settle(at, after) {
            swarm.peers.set(side, slot, address);
        }
        self.count_move(joined.peer.member, before, after);
        let peers = if stopped {
            Chosen::default()
        } else {
            swarm.choose(at, joined)
        };
        let urgent = stopped || reported.completed || reported.new_run;
        Outcome {
            count: swarm.peers.count(),
            completed: swarm.completed,
            peers,
            urgent,
            swarm: joined.swarm,
            ended: reported.ended,
        }
    }

    /// Takes what changed since the last time, as entries of the ledger.
    pub(crate) fn take_dirty(&self) -> Vec<Entry> {
        let mut entries = vec![];
        for place in 0..SHARDS {
            let mut shard = self.shard_at(place);
            let Shard {
                swarms,
                dirty,
                ended,
                ..
            } = &mut *shard;
            entries.append(ended);
            for (torrent, peer) in std::mem::take(dirty) {
                let session = swarms
                    .get_mut(&torrent)
                    .and_then(|swarm| swarm.session(&peer));
                if let Some(session) = session {
                    session.unmark(Mark::DIRTY);
                    let member = self.members.id(peer.member);
                    entries.push(session.totals.entry(member, torrent));
                }
            }
        }
        entries
    }

    /// Tells whether a member was let in to download a torrent and completed it, as far as it is remembered.
    pub(crate) fn has_completed(&self, torrent: TorrentId, member: u32) -> bool {
        let shard = self.shard(torrent);
        let swarm = shard.swarms.get(&torrent);
        swarm.is_some_and(|swarm| {
            let own = swarm.sessions.of_member(member);
            let mut own = own.filter_map(|at| swarm.sessions.get(at));
            own.any(Session::has_completed)
        })
    }

    /// Calls for each swarm that has a peer.
    pub(crate) fn each(&self, mut seen: impl FnMut(TorrentId, &Swarm)) {
        for place in 0..SHARDS {
            for (torrent, swarm) in &self.shard_at(place).swarms {
                if swarm.peers.count() != Count::default() {
                    seen(*torrent, swarm);
                }
            }
        }
    }
}

impl Swarm {
    fn place(&self, at: usize) -> Option<(Side, u32)> {
        self.sessions.get(at).and_then(Session::place)
    }

    /// Gives the session of a peer.
    fn session(&mut self, peer: &PeerKey) -> Option<&mut Session> {
        let at = self.sessions.find(peer)?;
        self.sessions.get_mut(at)
    }

    /// Puts a session among the seeders or the leechers, with the addresses that it has, or takes it
    /// out; gives its place.
    fn settle(&mut self, at: usize, after: Option<Side>) -> Option<(Side, u32)> {
        let member = self.sessions.member(at)?;
        let place = self.place(at);
        if place.map(|(side, _)| side) == after {
            return place;
        }
        let addresses = place.map(|(side, slot)| self.take_out(side, slot));
        let place = after.map(|side| {
            let addresses = addresses.unwrap_or_default();
            (side, self.peers.push(side, at, member, addresses))
        });
        if let Some(session) = self.sessions.get_mut(at) {
            session.set_place(place);
        }
        if after == Some(Side::Seeders) {
            self.note_several(member);
        }
        place
    }

    /// Takes a peer out of its side; the last one of the side moves into its place.
    fn take_out(&mut self, side: Side, slot: u32) -> Addresses {
        let (addresses, moved) = self.peers.remove(side, slot);
        if let Some(session) = moved.and_then(|at| self.sessions.get_mut(at)) {
            session.set_place(Some((side, slot)));
        }
        addresses
    }

    /// Swaps the announcer with a random peer of its side, then gives a window of the ring.
    fn choose(&mut self, at: usize, joined: &Joined<'_>) -> Chosen {
        let Some((side, slot)) = self.place(at) else {
            return Chosen::default();
        };
        let [start, other] = joined.luck;
        let other = share(other, self.peers.length(side));
        if let Some(moved) = self.peers.swap(side, slot, other) {
            for (at, slot) in [(moved.0, slot), (moved.1, other)] {
                if let Some(session) = self.sessions.get_mut(at) {
                    session.set_place(Some((side, slot)));
                }
            }
        }
        let sessions = &self.sessions;
        let name = |at: usize| sessions.get(at).map_or([0; 20], |session| session.peer);
        let with_ids = !joined.announce.compact;
        self.peers.window(
            (side, start),
            joined.peer.member,
            joined.from,
            (joined.wanted, joined.announce.families),
            |chosen, at| {
                if with_ids {
                    chosen.fill_ids(name(at));
                }
            },
        )
    }
}

/// Gives a number below a bound, as far up as a random number lies among all.
fn share(luck: u32, bound: u32) -> u32 {
    u32::try_from((u64::from(luck) * u64::from(bound)) >> 32).unwrap_or(0)
}

fn place(slot: u32) -> usize {
    usize::try_from(slot).unwrap_or(usize::MAX)
}

fn number(place: usize) -> u32 {
    u32::try_from(place).unwrap_or(u32::MAX)
}

/// Adds a value; room grows by an eighth.
fn push<T>(to: &mut Vec<T>, value: T) {
    if to.len() == to.capacity() {
        to.reserve_exact(to.len() / 8 + 2);
    }
    to.push(value);
}

#[cfg(test)]
mod tests;
