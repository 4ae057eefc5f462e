//! What is announced and what is answered.

use projections::swarm::{Count, Swarms as _};
use tracker::Settings;

use crate::server::{Client, HYBRID, OFFERED, Server, number, passkey, ports, value};

fn failure(body: &[u8]) -> String {
    let reason = value(body, "failure reason").unwrap_or_default();
    String::from_utf8(reason).unwrap()
}

#[test]
fn the_first_announce_is_answered_whole() {
    let server = Server::start();
    let body = server.announce(&Client::new(1, 5));
    assert_eq!(
        (number(&body, "complete"), number(&body, "incomplete")),
        (0, 1)
    );
    assert_eq!(value(&body, "external ip"), Some(vec![127, 0, 0, 1]));
    assert_eq!(value(&body, "peers"), Some(vec![]));
    assert!((1_620..=1_980).contains(&number(&body, "interval")));
    assert_eq!(number(&body, "min interval"), 900);
    let order = [
        "8:complete",
        "10:downloaded",
        "11:external ip",
        "10:incomplete",
        "8:interval",
    ];
    let places = order.map(|key| {
        let found = body
            .windows(key.len())
            .position(|window| window == key.as_bytes());
        found.unwrap()
    });
    assert!(places.is_sorted(), "bencode sorts its keys");
}

#[test]
fn intervals_are_spread_so_that_a_swarm_does_not_come_at_once() {
    let server = Server::start();
    let mut intervals: Vec<u64> = (0..50)
        .map(|member| number(&server.announce(&Client::new(member, 5)), "interval"))
        .collect();
    intervals.sort_unstable();
    intervals.dedup();
    assert!(intervals.len() > 25, "{intervals:?}");
}

#[test]
fn every_form_of_the_url_leads_to_the_same_swarm() {
    let server = Server::start();
    let (key, query) = (passkey(1), Client::new(1, 5).query());
    for target in [
        format!("/announce?passkey={key}&{query}"),
        format!("/announce?{query}&uk={key}"),
        format!("/announce.php?torrent_pass={key}&{query}"),
        format!("/announce?authkey={key}&{query}"),
        format!("/announce/{key}?{query}"),
        format!("/{key}/announce?{query}"),
        format!("/{}/announce?{query}", key.to_uppercase()),
    ] {
        let (status, body) = server.get(&target);
        assert_eq!((status, failure(&body).as_str()), (200, ""), "{target}");
        assert_eq!(number(&body, "incomplete"), 1, "{target}");
    }
    assert_eq!(server.get("/elsewhere").0, 404);
    assert_eq!(server.get("/").0, 404);
}

#[test]
fn each_refusal_has_its_text_and_changes_nothing() {
    let server = Server::start();
    let (key, query) = (passkey(1), Client::new(1, 5).query());
    let unknown = "0".repeat(32);
    let other = |hash: char| {
        let client = Client {
            hash,
            ..Client::new(1, 5)
        };
        client.target()
    };
    for (target, reason, retry) in [
        (format!("/announce?{query}"), "passkey missing", "never"),
        (
            format!("/announce?passkey=&{query}"),
            "passkey missing",
            "never",
        ),
        (
            format!("/announce?passkey={unknown}&{query}"),
            "passkey unknown",
            "never",
        ),
        (
            format!("/announce?passkey=short&{query}"),
            "passkey unknown",
            "never",
        ),
        (other('x'), "torrent unknown", "5"),
        (other('w'), "torrent withdrawn", "never"),
        (
            "/announce".to_owned(),
            "invalid request: info_hash",
            "never",
        ),
        (
            format!("/announce?passkey={key}"),
            "invalid request: info_hash",
            "never",
        ),
    ] {
        let (status, body) = server.get(&target);
        assert_eq!((status, failure(&body).as_str()), (200, reason), "{target}");
        assert_eq!(
            value(&body, "retry in"),
            Some(retry.as_bytes().to_vec()),
            "{target}"
        );
    }
    assert!(server.tracker.live().is_empty());
}

#[test]
fn each_malformed_field_is_named_and_changes_nothing() {
    let server = Server::start();
    let good = Client::new(1, 5).target();
    for (field, from, to) in [
        ("info_hash", "info_hash=aaaa", "info_hash=aaa"),
        ("info_hash", "info_hash=a", "info_hash=%zz"),
        ("peer_id", "peer_id=-", "peer_id=--"),
        ("port", "port=7001", "port=0"),
        ("port", "port=7001", "port=65536"),
        ("port", "port=7001", "port=-1"),
        ("uploaded", "uploaded=1", "uploaded=-1"),
        ("uploaded", "uploaded=1", "uploaded=1e3"),
        (
            "downloaded",
            "downloaded=2",
            "downloaded=18446744073709551616",
        ),
        ("left", "left=5", "left="),
        ("left", "left=5", "left=five"),
        ("event", "left=5", "left=5&event=gone"),
        ("numwant", "left=5", "left=5&numwant=x"),
    ] {
        let body = server.get(&good.replace(from, to)).1;
        assert_eq!(failure(&body), format!("invalid request: {field}"), "{to}");
    }
    for field in [
        "info_hash",
        "peer_id",
        "port",
        "uploaded",
        "downloaded",
        "left",
    ] {
        let pairs: Vec<&str> = good
            .split('&')
            .filter(|pair| !pair.starts_with(field))
            .collect();
        let missing = server.get(&pairs.join("&")).1;
        assert_eq!(failure(&missing), format!("invalid request: {field}"));
        let pair = good
            .split('&')
            .find(|pair| pair.starts_with(field))
            .unwrap();
        let doubled = server.get(&format!("{good}&{pair}")).1;
        assert_eq!(failure(&doubled), format!("invalid request: {field}"));
    }
    assert!(server.tracker.live().is_empty());
}

#[test]
fn leechers_get_everybody_and_seeders_get_leechers() {
    let server = Server::start();
    for (member, left) in [(1, 0), (2, 0), (3, 5), (4, 5)] {
        server.announce(&Client::new(member, left));
    }
    assert_eq!(ports(&server.announce(&Client::new(1, 0))), [7_003, 7_004]);
    assert_eq!(
        ports(&server.announce(&Client::new(3, 5))),
        [7_001, 7_002, 7_004]
    );
}

#[test]
fn numwant_is_kept_and_has_a_greatest_value() {
    let settings = Settings {
        most_peers: 20,
        numwant: 7,
        ..Settings::default()
    };
    let server = Server::with(settings, "127.0.0.1:0");
    for member in 0..60 {
        server.announce(&Client::new(member, 5));
    }
    for (more, expected) in [
        ("", 7),
        ("&numwant=0", 0),
        ("&numwant=13", 13),
        ("&num%20want=13", 13),
        ("&numwant=-1", 7),
        ("&numwant=1000", 20),
        ("&numwant=13&event=stopped", 0),
    ] {
        let client = Client {
            more,
            ..Client::new(1, 5)
        };
        assert_eq!(ports(&server.announce(&client)).len(), expected, "{more}");
    }
}

#[test]
fn dictionaries_hold_peer_ids_unless_asked_not_to() {
    let server = Server::start();
    server.announce(&Client::new(1, 5));
    let ask = |more| {
        let client = Client {
            more,
            ..Client::new(2, 5)
        };
        String::from_utf8_lossy(&server.announce(&client)).into_owned()
    };
    let peer = "d2:ip9:127.0.0.17:peer id20:-TR3000-0000000000014:porti7001ee";
    assert!(ask("&compact=0").contains(&format!("5:peersl{peer}e")));
    let short = "5:peersld2:ip9:127.0.0.14:porti7001eee";
    assert!(ask("&compact=0&no_peer_id=1").contains(short));
}

#[test]
fn ipv6_peers_have_a_list_of_their_own() {
    let server = Server::with(Settings::default(), "[::]:0");
    let six = |client: &Client<'_>| {
        let mut stream = std::net::TcpStream::connect(("::1", server.address.port())).unwrap();
        let text = format!(
            "GET {} HTTP/1.1\r\nConnection: close\r\n\r\n",
            client.target()
        );
        std::io::Write::write_all(&mut stream, text.as_bytes()).unwrap();
        let mut got = vec![];
        std::io::Read::read_to_end(&mut stream, &mut got).unwrap();
        got
    };
    let own = six(&Client::new(1, 5));
    assert_eq!(value(&own, "external ip").map(|ip| ip.len()), Some(16));
    // The other one comes to the same port over IPv4, which the socket shows as mapped IPv6.
    let mut stream = std::net::TcpStream::connect(("127.0.0.1", server.address.port())).unwrap();
    let text = format!(
        "GET {} HTTP/1.1\r\nConnection: close\r\n\r\n",
        Client::new(2, 5).target()
    );
    std::io::Write::write_all(&mut stream, text.as_bytes()).unwrap();
    let mut got = vec![];
    std::io::Read::read_to_end(&mut stream, &mut got).unwrap();
    assert_eq!(value(&got, "external ip"), Some(vec![127, 0, 0, 1]));
    let listed = value(&got, "peers6").unwrap();
    assert_eq!(
        (listed.len(), &listed[15..]),
        (18, [1, 0x1b, 0x59].as_slice())
    );
    assert_eq!(ports(&six(&Client::new(3, 5))), [7_002]);
    let dictionaries = Client {
        more: "&compact=0&no_peer_id=1",
        ..Client::new(3, 5)
    };
    let text = String::from_utf8_lossy(&six(&dictionaries)).into_owned();
    assert!(text.contains("d2:ip3:::14:porti7001ee"), "{text}");
}

#[test]
fn both_hashes_of_a_hybrid_are_one_peer_of_one_swarm() {
    let server = Server::start();
    for hash in ['h', 'H'] {
        let client = Client {
            hash,
            ..Client::new(1, 0)
        };
        assert_eq!(number(&server.announce(&client), "complete"), 1);
    }
    let count = Count {
        seeders: 1,
        leechers: 0,
    };
    assert_eq!(server.tracker.live(), [(HYBRID, count)]);
}

#[test]
fn completing_is_counted_and_stopping_leaves() {
    let server = Server::start();
    server.announce(&Client::new(1, 5));
    let said = |more| {
        let client = Client {
            more,
            ..Client::new(1, 0)
        };
        server.announce(&client)
    };
    let completed = said("&event=completed");
    assert_eq!(
        (
            number(&completed, "downloaded"),
            number(&completed, "complete")
        ),
        (1, 1)
    );
    assert_eq!(number(&said("&event=completed"), "downloaded"), 1);
    assert_eq!(number(&said("&event=stopped"), "complete"), 0);
    assert_eq!(server.tracker.count(OFFERED), Count::default());
}

#[test]
fn a_trusted_proxy_speaks_for_its_clients_and_for_nobody_else() {
    let local = "127.0.0.1".parse().unwrap();
    let trusting = Settings {
        trusted_proxies: vec![local],
        ..Settings::default()
    };
    for (settings, expected) in [
        (trusting, vec![8, 8, 4, 4]),
        (Settings::default(), vec![127, 0, 0, 1]),
    ] {
        let server = Server::with(settings, "127.0.0.1:0");
        let mut connection = server.connect();
        let target = Client::new(1, 5).target();
        let header = "X-Forwarded-For: 1.1.1.1, 8.8.4.4";
        connection.send(&format!("GET {target} HTTP/1.1\r\n{header}\r\n\r\n"));
        assert_eq!(value(&connection.answer().1, "external ip"), Some(expected));
    }
}

#[test]
fn a_fourth_address_of_a_member_is_refused() {
    let settings = Settings {
        trusted_proxies: vec!["127.0.0.1".parse().unwrap()],
        ..Settings::default()
    };
    let server = Server::with(settings, "127.0.0.1:0");
    let mut connection = server.connect();
    let mut from = |place: u8| {
        let target = Client::new(1, 5).target();
        let target = target.replace("peer_id=-TR3000-0", &format!("peer_id=-TR3000-{place}"));
        connection.send(&format!(
            "GET {target} HTTP/1.1\r\nX-Forwarded-For: 8.8.4.{place}\r\n\r\n"
        ));
        failure(&connection.answer().1)
    };
    assert_eq!([1, 2, 3].map(&mut from), ["", "", ""]);
    assert_eq!(from(4), "too many addresses");
    assert_eq!(server.tracker.count(OFFERED).leechers, 3);
}

#[test]
fn pages_see_peers_without_their_addresses() {
    let server = Server::start();
    server.announce(&Client::new(1, 5));
    let peers = server.tracker.peers(OFFERED, 200);
    assert_eq!(peers.len(), 1);
    assert_eq!(
        (peers[0].client.as_str(), peers[0].left),
        ("Transmission 3.00", 5)
    );
    assert_eq!(server.tracker.of_member(peers[0].member).leechers, 1);
    assert_eq!(
        server
            .tracker
            .of_member(domain::id::MemberId(uuid::Uuid::max())),
        Count::default()
    );
}
