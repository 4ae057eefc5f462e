//! What strangers send, as a fuzzer makes it up: each reader, and what must hold of its answer.
//!
//! Everything goes through a living tracker with ten members and ten torrents, those of the benchmark.

use std::cell::RefCell;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Instant;

use futures::FutureExt as _;

use crate::bench::{self, Load};
use crate::{Tracker, http, query, udp, websocket};

/// Inputs after which the tracker is made anew, so that its swarms don't grow for ever.
const INPUTS: usize = 4_096;
const FROM: IpAddr = IpAddr::V4(Ipv4Addr::new(11, 0, 0, 1));

thread_local! {
    static TRACKER: RefCell<(Option<Tracker>, usize)> = const { RefCell::new((None, 0)) };
}

fn tracker() -> Tracker {
    let load = Load {
        peers: 100,
        torrents: 10,
        ..Load::default()
    };
    TRACKER.with_borrow_mut(|(tracker, asked)| {
        *asked += 1;
        if asked.is_multiple_of(INPUTS) {
            *tracker = None;
        }
        tracker.get_or_insert_with(|| bench::tracker(load)).clone()
    })
}

/// Reads the target of a request over HTTP: the answer is framed, and a refused announce changes nothing.
pub fn announce(target: &[u8]) {
    let tracker = tracker();
    let before = tracker.0.swarms.peers();
    let request = [b"GET ", target, b" HTTP/1.1\r\n\r\n"].concat();
    let mut answer = vec![];
    if !http::first(&tracker, &request, FROM, &mut answer) {
        return;
    }
    let answer = String::from_utf8_lossy(&answer);
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_default();
    assert!(head.starts_with("HTTP/1.1 "), "{answer}");
    if head.starts_with("HTTP/1.1 200 ") {
        assert!(body.starts_with('d') && body.ends_with('e'), "{answer}");
    }
    if body.starts_with("d14:failure reason") {
        assert_eq!(tracker.0.swarms.peers(), before, "{answer}");
    }
}

/// Reads a packet, once as it is and once with a connection id that is good: who hasn't proved an address
/// gets no more bytes than it sent.
pub fn packet(packet: &[u8]) {
    let tracker = tracker();
    let from = SocketAddr::new(FROM, 6_881);
    let (mut answer, mut at) = (vec![], Instant::now());
    udp::respond(&tracker, packet, from, &mut at, &mut answer);
    assert!(answer.len() <= packet.len(), "{answer:?}");
    answer.clear();
    let connect = [&0x0417_2710_1980_u64.to_be_bytes()[..], &[0; 8]].concat();
    udp::respond(&tracker, &connect, from, &mut at, &mut answer);
    let connection = answer.get(8..16).unwrap_or_default();
    let rest = packet.get(8..).unwrap_or_default();
    let proved = [connection, rest].concat();
    answer.clear();
    udp::respond(&tracker, &proved, from, &mut at, &mut answer);
    let asked = packet.get(12..16);
    assert!(answer.is_empty() || answer.get(4..8) == asked, "{answer:?}");
}

/// Reads messages, one a line, as on one socket: each answer is JSON, and whoever came has left at the end.
pub fn message(lines: &[u8]) {
    let tracker = tracker();
    let before = tracker.0.swarms.peers();
    let Ok(text) = std::str::from_utf8(lines) else {
        return;
    };
    let Ok(passkey) = query::key(Some("00000000000000000000000000000000")) else {
        return;
    };
    let Ok(member) = tracker.admit(&passkey) else {
        return;
    };
    let caller = websocket::Caller {
        member,
        passkey,
        from: FROM,
    };
    for answer in websocket::answers(&tracker, caller, text.lines()) {
        let read = serde_json::from_str::<serde_json::Value>(&answer);
        assert!(answer.is_empty() || read.is_ok(), "{answer}");
    }
    assert!(tracker.0.swarms.peers() <= before, "a peer stayed");
}

/// Reads what a proxy says of its client: what is left is the end of what came.
pub fn proxy(bytes: &[u8]) {
    let (mut stream, mut kept) = (bytes, vec![]);
    let client = http::proxy::client(&mut stream, &mut kept, FROM).now_or_never();
    let read = client.is_some_and(|read| read.is_ok());
    let rest = [&kept[..], stream].concat();
    assert!(!read || bytes.ends_with(&rest), "{rest:?}");
}
