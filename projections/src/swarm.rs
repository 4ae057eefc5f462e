//! What is live and in no log: who is in which swarm just now.
//!
//! The tracker answers these questions; pages show the answers beside what the read tables say.

use domain::id::{MemberId, TorrentId};

/// How many peers a swarm has.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Count {
    /// Peers with nothing left to download.
    pub seeders: u32,
    /// Peers that still download.
    pub leechers: u32,
}

/// One peer of a swarm, without its address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Whose passkey it announces with.
    pub member: MemberId,
    /// The client's name and version as its peer id says, such as `Transmission 3.00`.
    pub client: String,
    /// Bytes that it still wants.
    pub left: u64,
    /// Bytes sent to peers in this run.
    pub uploaded: u64,
    /// Bytes received from peers in this run.
    pub downloaded: u64,
    /// Seconds since it announced last.
    pub idle: u64,
}

/// What a tracker measured of the announces over one transport since it started.
#[derive(Debug, Clone, PartialEq)]
pub struct Announces {
    /// How they came: `http`, `udp` or `websocket`.
    pub transport: &'static str,
    /// How many had which outcome.
    pub outcomes: Vec<(&'static str, u64)>,
    /// How many were answered within so many seconds, and in no fewer than the bound before.
    pub times: Vec<(f64, u64)>,
    /// The seconds that answering all of them took.
    pub seconds: f64,
}

/// Who knows the swarms.
pub trait Swarms: Send + Sync + std::fmt::Debug {
    /// Counts a torrent's peers.
    fn count(&self, torrent: TorrentId) -> Count;

    /// Gives every swarm that has a peer.
    fn live(&self) -> Vec<(TorrentId, Count)>;

    /// Gives some of a swarm's peers, at most so many, without their addresses.
    fn peers(&self, torrent: TorrentId, most: usize) -> Vec<Peer>;

    /// Counts a member's own peers: how many seed, how many leech.
    fn of_member(&self, member: MemberId) -> Count;

    /// Tells whether other trackers of the site can't be told anything now.
    fn is_alone(&self) -> bool;

    /// Gives what was measured of announces.
    fn announces(&self) -> Vec<Announces>;

    /// Tells whether announces are listened for as they should be.
    fn listens(&self) -> bool;
}
