//! A tracker on a port of its own, and a client that speaks plain HTTP.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use domain::id::{MemberId, TorrentId};
use domain::info_hash::InfoHash;
use domain::{Keyed, Position, Purpose};
use hmac::{Hmac, KeyInit as _, Mac as _};
use projections::access::{Changes, MemberAccess, TorrentAccess};
use sha2::Sha256;
use tokio::sync::watch;
use tracker::{Settings, Tracker, http, udp};
use uuid::Uuid;

/// The torrents by their info hashes: one byte twenty times.
pub(crate) const OFFERED: TorrentId = TorrentId(Uuid::from_u128(1));
pub(crate) const HYBRID: TorrentId = TorrentId(Uuid::from_u128(2));
const WITHDRAWN: TorrentId = TorrentId(Uuid::from_u128(3));
const PENDING: TorrentId = TorrentId(Uuid::from_u128(4));
const FREE: TorrentId = TorrentId(Uuid::from_u128(5));

/// Members who aren't like the others; member 0 uploaded everything.
pub(crate) const STAFF: u8 = 99;
pub(crate) const BANNED: u8 = 100;

/// HMAC-SHA-256 under a key for everything.
#[derive(Debug)]
struct TestKeys;

impl Keyed for TestKeys {
    fn mac(&self, purpose: Purpose, message: &[u8]) -> [u8; 32] {
        let mac = Hmac::<Sha256>::new_from_slice(format!("{purpose:?}").as_bytes()).unwrap();
        mac.chain_update(message).finalize().into_bytes().into()
    }
}

/// A running tracker; it ends when it is dropped.
pub(crate) struct Server {
    pub(crate) tracker: Tracker,
    pub(crate) address: SocketAddr,
    pub(crate) packets: SocketAddr,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

/// Gives the passkey of a member.
pub(crate) fn passkey(member: u8) -> String {
    format!("{:0>32}", format!("abc{member:02x}"))
}

impl Server {
    pub(crate) fn start() -> Self {
        Self::with(Settings::default(), "127.0.0.1:0")
    }

    pub(crate) fn with(settings: Settings, address: &str) -> Self {
        let tracker = Tracker::new(settings, Arc::new(TestKeys));
        let bound = http::bind(address.parse().unwrap(), 2).unwrap();
        let (stop, stopped) = watch::channel(false);
        let address = bound.address();
        let packets = udp::bind(SocketAddr::new(address.ip(), 0), 2).unwrap();
        let mut threads = http::serve(&tracker, bound, &stopped).unwrap();
        let packets_address = packets.address();
        threads.extend(udp::serve(&tracker, packets, &stopped).unwrap());
        let server = Self {
            tracker,
            address,
            packets: packets_address,
            stop,
            threads,
        };
        server.knows();
        server
    }

    /// Tells the tracker its members and torrents.
    pub(crate) fn knows(&self) {
        let position = Position(1);
        let member = |number: u8| MemberAccess {
            member: MemberId(Uuid::from_u128(number.into())),
            passkey: Some(TestKeys.mac(Purpose::Passkey, passkey(number).as_bytes())),
            staff: number == STAFF,
            banned_until: (number == BANNED).then_some(i64::MAX),
            position,
        };
        let torrent = |torrent, hashes: &[u8], offered| TorrentAccess {
            torrent,
            hashes: hashes.iter().map(|byte| InfoHash([*byte; 20])).collect(),
            uploader: MemberId(Uuid::from_u128(0)),
            offered,
            pending: torrent == PENDING,
            free_until: (torrent == FREE).then_some(i64::MAX),
            position,
        };
        self.tracker.access().apply(Changes {
            members: (0..=BANNED).map(member).collect(),
            torrents: vec![
                torrent(OFFERED, b"a", true),
                torrent(HYBRID, b"hH", true),
                torrent(WITHDRAWN, b"w", false),
                torrent(PENDING, b"p", true),
                torrent(FREE, b"f", true),
            ],
        });
    }

    pub(crate) fn connect(&self) -> Connection {
        let stream = TcpStream::connect(self.address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(20)))
            .unwrap();
        Connection {
            stream,
            got: vec![],
        }
    }

    /// Asks on a connection of its own; gives the status and the body.
    pub(crate) fn get(&self, target: &str) -> (u16, Vec<u8>) {
        let mut connection = self.connect();
        connection.send(&format!("GET {target} HTTP/1.1\r\nHost: t\r\n\r\n"));
        connection.answer()
    }

    /// Announces and gives the body.
    pub(crate) fn announce(&self, announce: &Client<'_>) -> Vec<u8> {
        let (status, body) = self.get(&announce.target());
        assert_eq!(status, 200);
        body
    }

    /// Stops and waits until every thread has ended.
    pub(crate) fn end(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end();
    }
}

/// A connection to the tracker.
pub(crate) struct Connection {
    stream: TcpStream,
    got: Vec<u8>,
}

impl Connection {
    pub(crate) fn send(&mut self, text: &str) {
        self.stream.write_all(text.as_bytes()).unwrap();
    }

    /// Sends while the tracker takes it.
    pub(crate) fn try_send(&mut self, text: &str) -> bool {
        self.stream.write_all(text.as_bytes()).is_ok()
    }

    /// Reads one answer; gives its status and its body.
    pub(crate) fn answer(&mut self) -> (u16, Vec<u8>) {
        let head = loop {
            if let Some(end) = self.got.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.got.drain(..end + 4).collect();
                break String::from_utf8(head).unwrap();
            }
            assert!(self.read(), "the connection ended without an answer");
        };
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let after = |name: &str| head.split(name).nth(1)?.split("\r\n").next();
        let length: usize = after("Content-Length: ").unwrap().parse().unwrap();
        assert_eq!(after("Content-Type: "), Some("text/plain"));
        while self.got.len() < length {
            assert!(self.read(), "the connection ended within an answer");
        }
        (status, self.got.drain(..length).collect())
    }

    /// Tells whether the tracker has closed the connection, and nothing came before.
    pub(crate) fn is_closed(&mut self) -> bool {
        !self.read() && self.got.is_empty()
    }

    /// Tells whether an announce on this connection finds it closed.
    pub(crate) fn is_refused(&mut self) -> bool {
        let text = format!("GET {} HTTP/1.1\r\n\r\n", Client::new(1, 5).target());
        self.stream.write_all(text.as_bytes()).is_err() || !self.read()
    }

    fn read(&mut self) -> bool {
        let mut more = [0; 4_096];
        match self.stream.read(&mut more) {
            Ok(read) => {
                self.got.extend_from_slice(&more[..read]);
                read > 0
            }
            Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => false,
            Err(error) => panic!("{error}"),
        }
    }
}

/// A client and what it announces.
#[derive(Debug, Clone)]
pub(crate) struct Client<'a> {
    pub(crate) member: u8,
    pub(crate) hash: char,
    pub(crate) port: u16,
    pub(crate) uploaded: u64,
    pub(crate) left: u64,
    /// Further fields, each beginning with `&`.
    pub(crate) more: &'a str,
}

impl Client<'_> {
    pub(crate) fn new(member: u8, left: u64) -> Self {
        Self {
            member,
            hash: 'a',
            port: 7_000 + u16::from(member),
            uploaded: 1,
            left,
            more: "",
        }
    }

    pub(crate) fn query(&self) -> String {
        let hash = String::from_iter([self.hash; 20]);
        let (member, port, left, more) = (self.member, self.port, self.left, self.more);
        let uploaded = self.uploaded;
        format!(
            "info_hash={hash}&peer_id=-TR3000-{member:012}&port={port}&uploaded={uploaded}&downloaded=2\
             &left={left}{more}"
        )
    }

    pub(crate) fn target(&self) -> String {
        format!(
            "/announce?passkey={}&{}",
            passkey(self.member),
            self.query()
        )
    }
}

/// Gives the value behind a bencoded key: the digits of an integer, or the bytes of a string.
pub(crate) fn value(body: &[u8], key: &str) -> Option<Vec<u8>> {
    let key = format!("{}:{key}", key.len());
    let at = body
        .windows(key.len())
        .position(|window| window == key.as_bytes())?;
    let rest = &body[at + key.len()..];
    let until = |byte: u8| rest.iter().position(|other| *other == byte);
    if rest[0] == b'i' {
        return Some(rest[1..until(b'e')?].to_vec());
    }
    let colon = until(b':')?;
    let length: usize = std::str::from_utf8(&rest[..colon]).ok()?.parse().ok()?;
    Some(rest[colon + 1..][..length].to_vec())
}

/// Gives the number behind a bencoded key.
pub(crate) fn number(body: &[u8], key: &str) -> u64 {
    let digits = value(body, key).unwrap();
    std::str::from_utf8(&digits).unwrap().parse().unwrap()
}

/// Gives the ports of a compact list of IPv4 peers, sorted.
pub(crate) fn ports(body: &[u8]) -> Vec<u16> {
    let peers = value(body, "peers").unwrap();
    let mut ports: Vec<u16> = peers
        .chunks_exact(6)
        .map(|peer| u16::from_be_bytes([peer[4], peer[5]]))
        .collect();
    ports.sort_unstable();
    ports
}
