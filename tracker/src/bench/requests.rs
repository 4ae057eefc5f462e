//! What the benchmarks' clients announce, and to which members and torrents.

use std::net::{IpAddr, Ipv4Addr};

use domain::id::{MemberId, TorrentId};
use domain::info_hash::InfoHash;
use domain::{Keyed, Position, Purpose};
use projections::access::{Changes, MemberAccess, TorrentAccess};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use super::Load;
use crate::Tracker;
use crate::announce::{Announce, Event, Families};

/// Keys without a secret: as dear to compute as real ones.
#[derive(Debug)]
pub struct PlainKeys;

impl Keyed for PlainKeys {
    fn mac(&self, _purpose: Purpose, message: &[u8]) -> [u8; 32] {
        let inner = Sha256::new()
            .chain_update([0x36; 64])
            .chain_update(message)
            .finalize();
        Sha256::new()
            .chain_update([0x5c; 64])
            .chain_update(inner)
            .finalize()
            .into()
    }
}

/// One announce.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request {
    peer: usize,
    member: usize,
    torrent: usize,
    left: u32,
    event: Event,
}

/// A tenth as many members as peers.
fn members(load: Load) -> usize {
    (load.peers / 10).max(1)
}

fn id(number: usize) -> Uuid {
    Uuid::new_v5(&domain::id::SPACE, &number.to_be_bytes())
}

pub(super) fn hash(number: usize) -> [u8; 20] {
    let mut bytes = [b'h'; 20];
    let digits = format!("{number:08}");
    bytes
        .iter_mut()
        .zip(digits.bytes())
        .for_each(|(to, digit)| *to = digit);
    bytes
}

/// Gives the passkey of a member.
pub(super) fn passkey(number: usize) -> String {
    format!("{number:032x}")
}

/// Gives all members and torrents.
pub(super) fn access(load: Load) -> Changes {
    let position = Position(1);
    let member = |number| MemberAccess {
        member: MemberId(id(number)),
        passkey: Some(PlainKeys.mac(Purpose::Passkey, passkey(number).as_bytes())),
        staff: false,
        banned_until: None,
        position,
    };
    let torrent = |number| TorrentAccess {
        torrent: TorrentId(id(number)),
        hashes: vec![InfoHash(hash(number))],
        uploader: MemberId(id(0)),
        offered: true,
        pending: false,
        free_until: None,
        position,
    };
    Changes {
        members: (0..members(load)).map(member).collect(),
        torrents: (0..load.torrents).map(torrent).collect(),
    }
}

/// Makes the announces of every peer: first as it begins, then as it goes on.
///
/// Swarm sizes fall as by Zipf; 70 % of the peers seed; of what follows 80 % are updates, 10 % began and
/// 10 % completed or stopped.
pub(super) fn requests(load: Load) -> (Vec<Request>, Vec<Request>) {
    let mut random = SmallRng::seed_from_u64(7);
    let mut sums = vec![];
    let mut sum = 0.0;
    for rank in 1..=u32::try_from(load.torrents).unwrap_or(u32::MAX) {
        sum += f64::from(rank).powf(-0.8);
        sums.push(sum);
    }
    let mut first = |peer: usize| {
        let torrent = sums.partition_point(|bound| *bound < random.random::<f64>() * sum);
        Request {
            peer,
            member: peer % members(load),
            torrent: torrent.min(load.torrents - 1),
            left: if random.random_bool(0.7) {
                0
            } else {
                1_000_000
            },
            event: Event::Started,
        }
    };
    let begun: Vec<Request> = (0..load.peers).map(&mut first).collect();
    let event = |number: usize| match number % 20 {
        0 | 1 => Event::Started,
        2 => Event::Completed,
        3 => Event::Stopped,
        _ => Event::Update,
    };
    let again = |(number, request): (usize, &Request)| Request {
        event: event(number),
        ..*request
    };
    let goes_on = begun.iter().enumerate().map(again).collect();
    (begun, goes_on)
}

impl Request {
    fn port(&self) -> u16 {
        u16::try_from(1_024 + self.peer % 60_000).unwrap_or(1)
    }

    fn peer_id(&self) -> [u8; 20] {
        let mut id = [0; 20];
        let text = format!("-TR3000-{:012}", self.peer);
        id.iter_mut()
            .zip(text.bytes())
            .for_each(|(to, byte)| *to = byte);
        id
    }

    fn name(&self) -> &'static str {
        match self.event {
            Event::Started => "started",
            Event::Completed => "completed",
            Event::Stopped => "stopped",
            Event::Update | Event::Paused => "",
        }
    }

    /// Writes it as a request over HTTP.
    pub(super) fn http(&self, keep: bool) -> Vec<u8> {
        let hash = String::from_utf8_lossy(&hash(self.torrent)).into_owned();
        let target = format!("/announce?passkey={}&", passkey(self.member));
        self.http_at(&target, &hash, keep)
    }

    /// Writes it for any tracker, behind what begins the target of a request.
    pub(super) fn http_at(&self, target: &str, hash: &str, keep: bool) -> Vec<u8> {
        let connection = if keep { "keep-alive" } else { "close" };
        let query = format!(
            "info_hash={hash}&peer_id=-TR3000-{:012}&port={}&uploaded={}&downloaded=0&left={}\
             &numwant=50&key=ab12cd&compact=1&event={}",
            self.peer,
            self.port(),
            self.peer,
            self.left,
            self.name(),
        );
        format!(
            "GET {target}{query} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nConnection: {connection}\r\n\r\n"
        )
        .into_bytes()
    }

    /// Gives its torrent's place among so many.
    pub(super) fn torrent_of(&self, most: usize) -> usize {
        self.torrent % most.max(1)
    }

    /// Writes it as a packet over UDP.
    pub(super) fn udp(&self, connection: [u8; 8]) -> Vec<u8> {
        let url = format!("/announce/{}", passkey(self.member));
        self.udp_at(&url, hash(self.torrent), connection)
    }

    /// Writes it for any tracker, with the path and query of its URL.
    pub(super) fn udp_at(&self, url: &str, hash: [u8; 20], connection: [u8; 8]) -> Vec<u8> {
        let mut packet = [&connection[..], &[0, 0, 0, 1], b"tran"].concat();
        packet.extend(hash);
        packet.extend(self.peer_id());
        let uploaded = u64::try_from(self.peer).unwrap_or(0);
        for amount in [0, u64::from(self.left), uploaded] {
            packet.extend(amount.to_be_bytes());
        }
        let event: u32 = match self.event {
            Event::Update | Event::Paused => 0,
            Event::Completed => 1,
            Event::Started => 2,
            Event::Stopped => 3,
        };
        packet.extend(event.to_be_bytes());
        packet.extend([0; 8]);
        packet.extend(50_u32.to_be_bytes());
        packet.extend(self.port().to_be_bytes());
        for part in url.as_bytes().chunks(255) {
            packet.extend([2, u8::try_from(part.len()).unwrap_or(0)]);
            packet.extend(part);
        }
        packet
    }

    /// Writes it as a message over WebSocket.
    pub(super) fn json(&self) -> String {
        serde_json::json!({
            "action": "announce", "info_hash": String::from_utf8_lossy(&hash(self.torrent)),
            "peer_id": format!("-WW0100-{:012}", self.peer), "uploaded": self.peer, "downloaded": 0,
            "left": self.left, "event": self.name(), "numwant": 5,
        })
        .to_string()
    }

    /// Announces without a transport; gives how many bytes of peers are answered.
    pub(super) fn direct(&self, tracker: &Tracker) -> usize {
        let announce = Announce {
            info_hash: InfoHash(hash(self.torrent)),
            peer_id: self.peer_id(),
            port: self.port(),
            uploaded: u64::try_from(self.peer).unwrap_or(0),
            downloaded: 0,
            left: self.left.into(),
            event: self.event,
            numwant: Some(50),
            compact: true,
            no_peer_id: true,
            families: Families::Both,
        };
        let [_, a, b, c] = u32::try_from(self.peer).unwrap_or(0).to_be_bytes();
        let from = IpAddr::from(Ipv4Addr::new(11, a, b, c));
        let key = crate::query::key(Some(&passkey(self.member)));
        let reply = key.and_then(|key| tracker.announce(&key, &announce, from));
        reply.map_or(0, |reply| reply.peers.v4.len())
    }
}
