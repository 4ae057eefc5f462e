//! Announces over UDP, a window at a time.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use super::requests::Request;
use super::{Clock, LOOPBACK, Latencies, Load, Run, measure, since};
use crate::{Tracker, udp};

/// How long an answer may take before the packet counts as lost.
const LOST: Duration = Duration::from_millis(200);

/// Measures the tracker.
pub(super) fn run(
    tracker: &Tracker,
    requests: &[Request],
    load: Load,
    pace: Option<f64>,
) -> io::Result<Run> {
    let bound = udp::bind(LOOPBACK, 1)?;
    let (address, tracker) = (bound.address(), tracker.clone());
    measure(
        load,
        move |stop| {
            udp::serve_here(&tracker, bound, &stop);
            Ok(())
        },
        || generate(address, requests, load, pace),
    )
}

/// Measures a responder that sends fixed bytes for each packet.
pub(super) fn floor(requests: &[Request], load: Load, typical: usize) -> io::Result<Run> {
    let socket = UdpSocket::bind(LOOPBACK)?;
    socket.set_read_timeout(Some(LOST))?;
    let address = socket.local_addr()?;
    let answer = vec![0; 20 + typical];
    measure(
        load,
        move |stop| {
            udp::exchange(&socket, &stop, |_, _, _, to| to.extend(&answer));
            Ok(())
        },
        || generate(address, requests, load, None),
    )
}

/// Sends a window of packets, takes the answers, and goes on.
fn generate(
    address: SocketAddr,
    requests: &[Request],
    load: Load,
    pace: Option<f64>,
) -> io::Result<Latencies> {
    exchange_all(address, Clock::new(load, pace), load.connections, |id| {
        requests.iter().map(|it| it.udp(id)).collect()
    })
}

/// Exchanges the packets that are made for a connection id, until the time is over.
pub(super) fn exchange_all(
    address: SocketAddr,
    mut clock: Clock,
    window: usize,
    packets: impl FnOnce([u8; 8]) -> Vec<Vec<u8>>,
) -> io::Result<Latencies> {
    let own: SocketAddr = if address.ip().is_loopback() && address.is_ipv4() {
        LOOPBACK
    } else if address.is_ipv4() {
        (Ipv4Addr::UNSPECIFIED, 0).into()
    } else {
        (Ipv6Addr::UNSPECIFIED, 0).into()
    };
    let socket = UdpSocket::bind(own)?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(LOST))?;
    let mut answer = [0; 4_096];
    let asked = [&0x0417_2710_1980_u64.to_be_bytes()[..], &[0; 8]].concat();
    socket.send(&asked)?;
    socket.recv(&mut answer)?;
    let connection = answer.get(8..16).and_then(|id| id.try_into().ok());
    let connection = connection.unwrap_or_default();
    let packets = packets(connection);
    let mut latencies = vec![];
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()?;
    for window in packets.chunks(window.max(1)).cycle() {
        let Some(sent) = runtime.block_on(clock.turn()) else {
            break;
        };
        for packet in window {
            socket.send(packet)?;
        }
        for _ in window {
            if socket.recv(&mut answer).is_ok() {
                latencies.push(since(sent));
            }
        }
    }
    Ok(latencies)
}
