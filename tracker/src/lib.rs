//! The tracker: parse, admit, change the swarm, credit, answer.
//!
//! [`http`], [`udp`] and [`websocket`] read requests and hand an [`announce::Announce`] to [`Tracker`]:
//! [`access`] says who asks and for what, [`swarm`] holds the peers and what each [`session`]
//! reported, [`credit`] hands the reports over as numbered batches, [`share`] tells other trackers.
//! Nothing on this path waits for a database.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use domain::id::{MemberId, TorrentId};
use domain::traffic::Entry;
use domain::{Keyed, Purpose};
use projections::site;
use serde::{Deserialize, Serialize};

pub mod access;
pub mod announce;
pub mod bench;
pub mod credit;
#[doc(hidden)]
pub mod fuzz;
pub mod http;
pub mod share;
pub mod udp;
pub mod websocket;

mod client;
mod live;
mod measure;
mod member;
mod query;
mod rate;
mod rules;
mod scrape;
mod session;
mod swarm;

pub use announce::Failure;

/// The tracker's settings.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Settings {
    /// The node's name in the log; each tracker of a site has its own. The machine's name when empty.
    pub node: String,
    /// Seconds between two announces of a client, before jitter and load.
    pub interval: u32,
    /// Seconds that a client must let pass between two announces.
    pub min_interval: u32,
    /// Seconds between two hand-overs of traffic to the log.
    pub flush: u32,
    /// Peers in an answer, when the client doesn't say.
    pub numwant: usize,
    /// Peers in an answer, whatever the client says.
    pub most_peers: usize,
    /// Addresses of one member on one torrent.
    pub most_addresses: usize,
    /// Announces and scrapes a minute of one member from one address; 0 for any number.
    pub announce_rate: u32,
    /// Announces a second above which the interval grows.
    pub most_announces: u32,
    /// Connections that are open at once.
    pub most_connections: usize,
    /// Sockets of one member's browsers that are open at once.
    pub most_sockets: usize,
    /// Seconds that a client may take for the head of a request.
    pub head_timeout: u64,
    /// Seconds that a connection may stay open without a request.
    pub idle_timeout: u64,
    /// Threads that answer; 0 means one for each processor.
    pub threads: usize,
    /// Proxies whose X-Forwarded-For is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether those proxies begin each connection with a PROXY header of version 2.
    pub proxy_protocol: bool,
    /// A PEM file with the certificate chain by which announces over TLS are answered on the same port; empty
    /// leaves TLS to a proxy.
    pub tls_certificate: String,
    /// The PEM file with its private key.
    pub tls_key: String,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            node: "one".to_owned(),
            interval: 1_800,
            min_interval: 900,
            flush: 60,
            numwant: 50,
            most_peers: 200,
            most_addresses: 3,
            announce_rate: 200,
            most_announces: 2_000,
            most_connections: 20_000,
            most_sockets: 20,
            head_timeout: 15,
            idle_timeout: 60,
            threads: 0,
            trusted_proxies: vec![],
            proxy_protocol: false,
            tls_certificate: String::new(),
            tls_key: String::new(),
        }
    }
}

/// The tracker; cheap to clone.
#[derive(Debug, Clone)]
pub struct Tracker(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: Settings,
    keys: Arc<dyn Keyed>,
    access: access::AccessList,
    swarms: swarm::Swarms,
    handover: credit::Handover,
    rules: ArcSwap<rules::Rules>,
    rate: rate::Rate,
    measures: measure::Measures,
    certificate: OnceLock<http::Certificate>,
    connections: OnceLock<udp::Connections>,
    meeting: websocket::Meeting,
    /// Who this tracker is to the others, anew at each start.
    id: u64,
    /// Whether what it tells the others doesn't arrive.
    alone: AtomicBool,
    /// When it started, and the time since 1970 then.
    started: (Instant, Duration),
    epoch: AtomicI64,
}

impl Tracker {
    /// Makes a tracker without members, torrents or peers.
    pub fn new(settings: Settings, keys: Arc<dyn Keyed>) -> Self {
        let members = Arc::<member::Members>::default();
        let rules = rules::Rules::new(&site::Settings::default(), &settings);
        Self(Arc::new(Inner {
            rules: ArcSwap::from_pointee(rules),
            rate: rate::Rate::default(),
            measures: measure::Measures::default(),
            settings,
            keys,
            access: access::AccessList::new(Arc::clone(&members)),
            swarms: swarm::Swarms::new(members),
            handover: credit::Handover::default(),
            certificate: OnceLock::new(),
            connections: OnceLock::new(),
            meeting: websocket::Meeting::default(),
            id: rand::random(),
            alone: AtomicBool::new(false),
            started: (Instant::now(), since_1970()),
            epoch: AtomicI64::new(millis()),
        }))
    }

    /// Answers announces over TLS too, where the settings name a certificate, which is read now.
    pub fn secure(&self) -> std::io::Result<()> {
        let settings = &self.0.settings;
        let [chain, key] = [&settings.tls_certificate, &settings.tls_key].map(Path::new);
        if chain.as_os_str().is_empty() && key.as_os_str().is_empty() {
            return Ok(());
        }
        if chain.as_os_str().is_empty() || key.as_os_str().is_empty() {
            let both = "tls_certificate and tls_key are needed together";
            return Err(std::io::Error::other(both));
        }
        let certificate = http::Certificate::read(chain, key)?;
        self.0.certificate.get_or_init(|| certificate);
        Ok(())
    }

    /// Gives the list of who may announce what.
    pub fn access(&self) -> &access::AccessList {
        &self.0.access
    }

    /// Takes over what the site set.
    pub fn rule(&self, site: &site::Settings) {
        let rules = rules::Rules::new(site, &self.0.settings);
        self.0.rules.store(Arc::new(rules));
    }

    /// Remembers where clients' totals stood and how often torrents were completed, before the
    /// first announce.
    pub fn remember(&self, runs: Vec<Entry>, snatches: Vec<(TorrentId, i64)>) {
        self.0.swarms.remember(runs, snatches);
    }

    /// Closes the tracker at once: when this returns, no announce is under way, and each that comes is
    /// refused, until [`Self::open`].
    pub fn close(&self) {
        self.0.swarms.close();
    }

    /// Forgets every member, torrent, peer and address; what is still to be credited must have been
    /// handed over.
    pub fn clear(&self) {
        self.0.swarms.clear();
        self.0.access.clear();
        self.0.swarms.members.clear();
        self.0.swarms.suspicions.take();
        self.0.swarms.suspicions.forget();
        self.rule(&site::Settings::default());
    }

    /// Opens a closed tracker. Its batches are numbered anew.
    pub fn open(&self) {
        let next = self.0.epoch.load(Ordering::Relaxed) + 1;
        self.0.epoch.store(millis().max(next), Ordering::Relaxed);
        self.0.swarms.open();
    }

    fn is_closed(&self) -> bool {
        self.0.swarms.is_closed()
    }

    /// Gives the connection ids over UDP, which every tracker of a site can check, unless it is closed.
    fn connections(&self) -> Option<&udp::Connections> {
        if self.is_closed() {
            return None;
        }
        let made = || {
            let mac = self.0.keys.mac(Purpose::Address, b"connection ids");
            let (key, _): (&[u8; 16], _) = mac.split_first_chunk().unwrap_or((&[0; 16], &[]));
            udp::Connections::new(*key)
        };
        Some(self.0.connections.get_or_init(made))
    }

    /// Seconds since 1970 by a clock that nobody sets back.
    fn now(&self) -> u32 {
        self.moment(Instant::now()).0
    }

    /// Gives those seconds at a moment, and the part of the next one, in 65,536ths.
    fn moment(&self, at: Instant) -> (u32, u16) {
        let (began, then) = self.0.started;
        let since = then + at.saturating_duration_since(began);
        let part = u64::from(since.subsec_nanos()) * (1 << 16) / 1_000_000_000;
        (
            u32::try_from(since.as_secs()).unwrap_or(u32::MAX),
            u16::try_from(part).unwrap_or(u16::MAX),
        )
    }

    /// Gives the seconds until a client shall announce again: they grow with the number of peers.
    fn interval(&self) -> u32 {
        self.interval_by(&self.0.rules.load())
    }

    fn interval_by(&self, rules: &rules::Rules) -> u32 {
        let settings = &self.0.settings;
        let peers = u32::try_from(self.0.swarms.peers()).unwrap_or(u32::MAX);
        rules.interval.max(peers / settings.most_announces.max(1))
    }

    /// Hides a client's peer id for the ledger.
    fn client_hash(&self, member: MemberId, peer: &swarm::PeerKey) -> u64 {
        let message = [member.0.as_bytes().as_slice(), &peer.id].concat();
        let hash = self.0.keys.mac(Purpose::Client, &message);
        hash.iter()
            .take(8)
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

/// Gives the number of threads that a setting stands for: 0 is one for each processor.
fn threads(setting: usize) -> usize {
    match setting {
        0 => std::thread::available_parallelism().map_or(1, std::num::NonZero::get),
        threads => threads,
    }
}

/// Gives the time since 1970 by the machine's clock, which may be set.
fn since_1970() -> Duration {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap_or_default()
}

/// Gives milliseconds since 1970.
fn millis() -> i64 {
    i64::try_from(since_1970().as_millis()).unwrap_or(i64::MAX)
}

/// A map of what was stored of clients' last runs, by torrent, member and client.
type Runs = HashMap<(TorrentId, MemberId, u64), Entry>;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::announce::{Announce, Event, Families};
    use domain::info_hash::InfoHash;

    #[test]
    fn a_clock_that_is_set_makes_no_time_of_seeding_and_no_peer_silent() {
        const HOUR: u64 = 3_600;
        let today = since_1970().as_secs();
        for began in [today - HOUR, today + HOUR] {
            let load = bench::Load {
                peers: 10,
                torrents: 1,
                ..bench::Load::default()
            };
            let mut tracker = bench::tracker(load);
            // As if somebody had set the clock forward or back by an hour since the start.
            Arc::get_mut(&mut tracker.0).unwrap().started.1 = Duration::from_secs(began);
            let key = query::key(Some(&"0".repeat(32))).unwrap();
            for event in [Event::Started, Event::Update] {
                let announce = Announce {
                    info_hash: InfoHash(*b"00000000hhhhhhhhhhhh"),
                    peer_id: *b"-TR3000-000000000001",
                    port: 1,
                    uploaded: 0,
                    downloaded: 0,
                    left: 0,
                    event,
                    numwant: None,
                    compact: true,
                    no_peer_id: true,
                    families: Families::Both,
                };
                let from = IpAddr::from([11, 0, 0, 1]);
                tracker.announce(&key, &announce, from).unwrap();
            }
            let told = tracker.0.swarms.take_dirty();
            assert!(told.iter().all(|entry| entry.seeded.0 < HOUR / 2));
            for shard in 0..swarm::SHARDS {
                tracker.0.swarms.sweep(shard, tracker.now(), 60);
            }
            assert_eq!(tracker.0.swarms.peers(), 1);
            assert!(u64::from(tracker.now()).abs_diff(began) < HOUR / 2);
        }
    }
}
