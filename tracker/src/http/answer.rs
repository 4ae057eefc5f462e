//! Answers in bencode (BEP 3, 7, 23, 24, 31, 48), written into the connection's buffer.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::announce::{Failure, Reply};
use crate::scrape::Scraped;
use crate::swarm::Chosen;

/// Where the length of the body is written, before the body is known.
const BLANK: &[u8] = b"0000000";

/// Writes a head, then the body, then the body's length into the head.
fn framed(answer: &mut Vec<u8>, body: impl FnOnce(&mut Vec<u8>)) {
    answer.extend(b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: ");
    let length_at = answer.len();
    answer.extend(BLANK);
    answer.extend(b"\r\n\r\n");
    let body_at = answer.len();
    body(answer);
    let mut digits = itoa::Buffer::new();
    let digits = digits.format(answer.len() - body_at).bytes();
    if let Some(place) = answer.get_mut(length_at..length_at + BLANK.len()) {
        let last_first = place.iter_mut().rev().zip(digits.rev());
        last_first.for_each(|(to, digit)| *to = digit);
    }
}

/// Writes an answer for eyes rather than clients.
pub(super) fn plain(answer: &mut Vec<u8>, status: &str, text: &str) {
    let length = text.len();
    write(
        answer,
        format_args!(
            "HTTP/1.1 {status}\r\nContent-Type: text/plain\r\nContent-Length: {length}\r\n\r\n{text}"
        ),
    );
}

/// Writes why an announce or a scrape is refused.
pub(super) fn failure(answer: &mut Vec<u8>, failure: Failure) {
    framed(answer, |body| {
        let reason = failure.to_string();
        write(
            body,
            format_args!("d14:failure reason{}:{reason}", reason.len()),
        );
        if let Some(seconds) = failure.interval() {
            write(body, format_args!("8:intervali{seconds}e"));
        }
        body.extend(b"8:retry in");
        match failure.retry_in() {
            Some(minutes) => write(body, format_args!("i{minutes}ee")),
            None => body.extend(b"5:nevere"),
        }
    });
}

/// Writes the answer to an announce.
pub(super) fn announce(answer: &mut Vec<u8>, reply: &Reply, compact: bool, no_peer_id: bool) {
    framed(answer, |body| {
        body.push(b'd');
        integer(body, b"8:complete", reply.seeders);
        integer(body, b"10:downloaded", reply.completed);
        body.extend(b"11:external ip");
        match reply.from {
            IpAddr::V4(ip) => bytes(body, &ip.octets()),
            IpAddr::V6(ip) => bytes(body, &ip.octets()),
        }
        let (interval, least) = (reply.interval, reply.min_interval.min(reply.interval));
        integer(body, b"10:incomplete", reply.leechers);
        integer(body, b"8:interval", interval);
        integer(body, b"12:min interval", least);
        body.extend(b"5:peers");
        if compact {
            bytes(body, &reply.peers.v4);
            if !reply.peers.v6.is_empty() {
                body.extend(b"6:peers6");
                bytes(body, &reply.peers.v6);
            }
        } else {
            dictionaries(body, &reply.peers, no_peer_id);
        }
        body.push(b'e');
    });
}

fn dictionaries(body: &mut Vec<u8>, peers: &Chosen, no_peer_id: bool) {
    let v4 = peers.v4.chunks_exact(6).filter_map(|peer| {
        let (ip, port) = peer.split_first_chunk::<4>()?;
        Some((IpAddr::from(Ipv4Addr::from(*ip)), port))
    });
    let v6 = peers.v6.chunks_exact(18).filter_map(|peer| {
        let (ip, port) = peer.split_first_chunk::<16>()?;
        Some((IpAddr::from(Ipv6Addr::from(*ip)), port))
    });
    body.push(b'l');
    for ((ip, port), id) in v4.chain(v6).zip(peers.ids.iter().chain(&peers.ids6)) {
        let ip = ip.to_string();
        write(body, format_args!("d2:ip{}:{ip}", ip.len()));
        if !no_peer_id {
            body.extend(b"7:peer id");
            bytes(body, id);
        }
        let port = port
            .iter()
            .fold(0_u32, |port, byte| port << 8 | u32::from(*byte));
        write(body, format_args!("4:porti{port}ee"));
    }
    body.push(b'e');
}

/// Writes the answer to a scrape.
pub(super) fn scrape(answer: &mut Vec<u8>, scraped: &[Scraped], least: u32) {
    framed(answer, |body| {
        body.extend(b"d5:filesd");
        for swarm in scraped {
            bytes(body, &swarm.hash.0);
            let (seeders, completed, leechers) = (swarm.seeders, swarm.completed, swarm.leechers);
            write(
                body,
                format_args!(
                    "d8:completei{seeders}e10:downloadedi{completed}e10:incompletei{leechers}ee"
                ),
            );
        }
        write(
            body,
            format_args!("e5:flagsd20:min_request_intervali{least}eee"),
        );
    });
}

/// Writes a bencoded key and its integer.
fn integer(body: &mut Vec<u8>, key: &[u8], value: u32) {
    body.extend(key);
    body.push(b'i');
    body.extend(itoa::Buffer::new().format(value).bytes());
    body.push(b'e');
}

fn bytes(body: &mut Vec<u8>, bytes: &[u8]) {
    body.extend(itoa::Buffer::new().format(bytes.len()).bytes());
    body.push(b':');
    body.extend(bytes);
}

fn write(to: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to memory can't fail.
    let _written = to.write_fmt(text);
}
