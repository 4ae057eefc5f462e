//! The tracker over UDP, as BEP 15 and BEP 41 say.

use std::net::UdpSocket;
use std::time::Duration;

use projections::swarm::{Count, Swarms as _};

use crate::server::{Client, OFFERED, Server, number, passkey, ports};

const CONNECT: u32 = 0;
const ANNOUNCE: u32 = 1;
const SCRAPE: u32 = 2;
const ERROR: u32 = 3;

/// A client's socket.
struct Socket(UdpSocket);

/// What an announce says.
struct Announce {
    connection: [u8; 8],
    hash: u8,
    member: u8,
    uploaded: u64,
    left: u64,
    event: u32,
    options: Vec<u8>,
}

impl Announce {
    fn new(connection: [u8; 8], member: u8, left: u64) -> Self {
        Self {
            connection,
            hash: b'a',
            member,
            uploaded: 1,
            left,
            event: 2,
            options: url(&format!("/announce/{}", passkey(member))),
        }
    }

    fn packet(&self) -> Vec<u8> {
        let mut packet = head(self.connection, ANNOUNCE);
        packet.extend([self.hash; 20]);
        packet.extend(format!("-TR3000-{:012}", self.member).bytes());
        for amount in [2, self.left, self.uploaded] {
            packet.extend(amount.to_be_bytes());
        }
        packet.extend(self.event.to_be_bytes());
        packet.extend([0; 8]);
        packet.extend((-1_i32).to_be_bytes());
        packet.extend((7_000 + u16::from(self.member)).to_be_bytes());
        packet.extend(&self.options);
        packet
    }
}

fn head(connection: [u8; 8], action: u32) -> Vec<u8> {
    [&connection[..], &action.to_be_bytes(), b"tran"].concat()
}

/// Writes a URL as options, in two parts with padding.
fn url(text: &str) -> Vec<u8> {
    let (one, two) = text.as_bytes().split_at(9);
    let mut options = vec![2, 9];
    options.extend(one);
    options.extend([1, 2, u8::try_from(two.len()).unwrap()]);
    options.extend(two);
    options.extend([0, 0, 0]);
    options
}

fn word(answer: &[u8], at: usize) -> u32 {
    u32::from_be_bytes(answer[at..at + 4].try_into().unwrap())
}

impl Socket {
    fn to(server: &Server) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        socket.connect(server.packets).unwrap();
        Self(socket)
    }

    /// Sends a packet and gives the answer, if one comes.
    fn ask(&self, packet: &[u8], wait: Duration) -> Option<Vec<u8>> {
        self.0.set_read_timeout(Some(wait)).unwrap();
        self.0.send(packet).unwrap();
        let mut answer = vec![0; 4_096];
        let length = self.0.recv(&mut answer).ok()?;
        answer.truncate(length);
        assert_eq!(&answer[4..8], b"tran", "the transaction comes back");
        Some(answer)
    }

    fn answer(&self, packet: &[u8]) -> Vec<u8> {
        self.ask(packet, Duration::from_secs(20)).unwrap()
    }

    /// Tells whether a packet is met with silence: what is sent behind it is answered first.
    fn is_dropped(&self, packet: &[u8]) -> bool {
        self.0.send(packet).unwrap();
        let answer = self.answer(&head(0x0417_2710_1980_u64.to_be_bytes(), CONNECT));
        word(&answer, 0) == CONNECT && answer.len() == 16
    }

    fn connect(&self) -> [u8; 8] {
        let asked = head(0x0417_2710_1980_u64.to_be_bytes(), CONNECT);
        let answer = self.answer(&asked);
        assert_eq!((word(&answer, 0), answer.len()), (CONNECT, asked.len()));
        answer[8..].try_into().unwrap()
    }

    fn error(&self, packet: &[u8]) -> String {
        let answer = self.answer(packet);
        assert_eq!(word(&answer, 0), ERROR);
        String::from_utf8(answer[8..].to_vec()).unwrap()
    }
}

#[test]
fn peers_meet_over_udp_and_http_and_each_family_gets_its_own() {
    let server = Server::start();
    server.announce(&Client::new(2, 0));
    let socket = Socket::to(&server);
    let answer = socket.answer(&Announce::new(socket.connect(), 1, 5).packet());
    assert_eq!(word(&answer, 0), ANNOUNCE);
    assert!((1_620..=1_980).contains(&word(&answer, 8)));
    assert_eq!((word(&answer, 12), word(&answer, 16)), (1, 1));
    assert_eq!(answer[20..], [127, 0, 0, 1, 27, 90]);
    assert_eq!(ports(&server.announce(&Client::new(3, 0))), [7_001]);
}

#[test]
fn one_client_over_both_transports_is_one_peer_and_counts_once() {
    let server = Server::start();
    let mut client = Client::new(1, 0);
    client.more = "&event=completed&key=abc";
    server.announce(&client);
    let socket = Socket::to(&server);
    let mut announce = Announce::new(socket.connect(), 1, 0);
    announce.event = 1;
    let answer = socket.answer(&announce.packet());
    assert_eq!((word(&answer, 12), word(&answer, 16)), (0, 1));
    let body = server.announce(&Client::new(2, 5));
    assert_eq!(
        (number(&body, "complete"), number(&body, "downloaded")),
        (1, 1)
    );
    announce.event = 3;
    socket.answer(&announce.packet());
    let left = Count {
        seeders: 0,
        leechers: 1,
    };
    assert_eq!(server.tracker.count(OFFERED), left);
}

#[test]
fn each_refusal_has_its_text_and_changes_nothing() {
    let server = Server::start();
    let socket = Socket::to(&server);
    let with = |change: &dyn Fn(&mut Announce)| {
        let mut announce = Announce::new(socket.connect(), 1, 5);
        change(&mut announce);
        socket.error(&announce.packet())
    };
    assert_eq!(with(&|it| it.options.clear()), "passkey missing");
    assert_eq!(
        with(&|it| it.options = url("/announce/?a=b")),
        "passkey missing"
    );
    assert_eq!(
        with(&|it| it.options = url("/announce/0000")),
        "passkey unknown"
    );
    assert_eq!(with(&|it| it.hash = b'x'), "torrent unknown");
    assert_eq!(with(&|it| it.hash = b'w'), "torrent withdrawn");
    assert_eq!(with(&|it| it.event = 9), "invalid request: event");
    assert_eq!(with(&|it| it.left = u64::MAX), "invalid request: left");
    assert_eq!(server.tracker.count(OFFERED), Count::default());
}

#[test]
fn whoever_has_not_proved_an_address_gets_no_answer_longer_than_the_question() {
    let server = Server::start();
    let socket = Socket::to(&server);
    assert!(socket.is_dropped(&Announce::new([7; 8], 1, 5).packet()));
    let scrape = [head([7; 8], SCRAPE), vec![b'a'; 20]].concat();
    assert!(socket.is_dropped(&scrape));
    for packet in [
        &b"GET / HTTP/1.1"[..],
        &[],
        &[0; 3],
        &[0xff; 500],
        &[0; 2_000],
    ] {
        assert!(socket.is_dropped(packet), "{packet:?}");
    }
    assert_eq!(server.tracker.count(OFFERED), Count::default());
    server.tracker.close();
    let connection = socket.connect();
    for packet in [
        Announce::new(connection, 1, 5).packet(),
        [head(connection, SCRAPE), vec![b'a'; 20]].concat(),
    ] {
        assert_eq!(socket.error(&packet), "tracker is closed");
        assert!(8 + "tracker is closed".len() <= packet.len());
    }
    server.tracker.open();
    assert_eq!(
        socket
            .answer(&Announce::new(socket.connect(), 1, 5).packet())
            .len(),
        20
    );
}

#[test]
fn a_scrape_is_answered_on_the_socket_that_announced() {
    let server = Server::start();
    let (socket, stranger) = (Socket::to(&server), Socket::to(&server));
    let connection = socket.connect();
    let scrape = [
        head(connection, SCRAPE),
        [b"xah".map(|byte| [byte; 20])].concat().concat(),
    ]
    .concat();
    assert_eq!(socket.error(&scrape), "passkey missing");
    socket.answer(&Announce::new(connection, 1, 5).packet());
    let answer = socket.answer(&scrape);
    assert_eq!((word(&answer, 0), answer.len()), (SCRAPE, 8 + 3 * 12));
    let counts: Vec<u32> = (2..11).map(|at| word(&answer, at * 4)).collect();
    assert_eq!(counts, [0, 0, 0, 0, 0, 1, 0, 0, 0]);
    assert_eq!(stranger.error(&scrape), "passkey missing");
}

#[test]
fn a_burst_is_answered_whole() {
    let server = Server::start();
    let socket = Socket::to(&server);
    let connection = socket.connect();
    for member in 0..100 {
        socket
            .0
            .send(&Announce::new(connection, member, 5).packet())
            .unwrap();
    }
    let mut answer = vec![0; 4_096];
    for _ in 0..100 {
        socket.0.recv(&mut answer).unwrap();
    }
    assert_eq!(server.tracker.count(OFFERED).leechers, 100);
}

#[test]
fn an_answer_over_ipv6_fits_the_least_packet() {
    let server = Server::with(tracker::Settings::default(), "[::1]:0");
    let socket = UdpSocket::bind("[::1]:0").unwrap();
    socket.connect(server.packets).unwrap();
    let socket = Socket(socket);
    let connection = socket.connect();
    let mut longest = 0;
    for member in 0..90 {
        let mut announce = Announce::new(connection, member, 5);
        let at = 20 + 20 + 52 - 8;
        let mut packet = announce.packet();
        packet[at + 8..at + 12].copy_from_slice(&200_i32.to_be_bytes());
        announce.event = 0;
        longest = longest.max(socket.answer(&packet).len());
    }
    assert_eq!(longest, 20 + 66 * 18);
}
