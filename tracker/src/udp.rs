//! Announces over UDP (BEP 15), with the passkey in the URL data of BEP 41.
//!
//! A thread and a socket for each processor: one system call takes what has come, another sends the
//! answers. A packet that isn't ours, or whose sender hasn't proved its address by a connection id, is
//! dropped; a connect is answered with as many bytes as it has, so nobody can aim our answers at others.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::{AsRawFd as _, RawFd};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, SockaddrStorage, recvmmsg, sendmmsg};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::sync::watch;

use crate::Tracker;
use crate::announce::{Announce, Failure, Families};
use crate::measure::{Listening, Transport};
use crate::query::{self, Endpoint};
use crate::swarm::plain;

mod connection;
mod packet;

pub(crate) use connection::Connections;
use packet::{Asked, What};

/// Packets that one system call takes.
const BATCH: usize = 64;
/// The most bytes of a packet; what is longer is cut off.
const LARGEST: usize = 2_048;
/// Peers of an answer over IPv6, so that it fits the least packet that every path carries.
const MOST_PEERS_V6: usize = 66;
/// How soon a thread that nobody asks sees that it shall stop.
const LOOK: Duration = Duration::from_millis(200);
/// How long a thread waits after an error that may come again at once.
const PAUSE: Duration = Duration::from_millis(10);
/// Bytes that a socket keeps of what waits, where the system lets it.
const WAITING: usize = 4 << 20;

/// Sockets on one address, one for each thread, that aren't read yet.
#[derive(Debug)]
pub struct Bound {
    sockets: Vec<UdpSocket>,
    address: SocketAddr,
}

impl Bound {
    /// Gives the address, with the port that the system chose.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

/// Binds an address for a number of threads; 0 means one for each processor.
pub fn bind(address: SocketAddr, threads: usize) -> io::Result<Bound> {
    // Shared ports hide that another program of the same user has it: the first one asks for it alone.
    let probe = UdpSocket::bind(address)?;
    let address = probe.local_addr()?;
    drop(probe);
    let sockets = (0..crate::threads(threads))
        .map(|_| shared(address))
        .collect::<io::Result<_>>()?;
    Ok(Bound { sockets, address })
}

fn shared(address: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    socket.set_reuse_port(true)?;
    socket.set_recv_buffer_size(WAITING)?;
    socket.set_read_timeout(Some(LOOK))?;
    socket.bind(&address.into())?;
    Ok(socket.into())
}

/// Answers on bound sockets until `stop` turns true; the threads end soon after.
pub fn serve(
    tracker: &Tracker,
    bound: Bound,
    stop: &watch::Receiver<bool>,
) -> io::Result<Vec<JoinHandle<()>>> {
    let begin = |socket: UdpSocket| {
        let (tracker, stop) = (tracker.clone(), stop.clone());
        std::thread::Builder::new()
            .name("announce".to_owned())
            .spawn(move || converse(&tracker, &socket, &stop))
    };
    bound.sockets.into_iter().map(begin).collect()
}

/// Answers on the first of bound sockets, on this thread.
pub(crate) fn serve_here(tracker: &Tracker, mut bound: Bound, stop: &watch::Receiver<bool>) {
    if let Some(socket) = bound.sockets.pop() {
        converse(tracker, &socket, stop);
    }
}

fn converse(tracker: &Tracker, socket: &UdpSocket, stop: &watch::Receiver<bool>) {
    let listening = Listening::new(tracker);
    exchange(socket, stop, |packet, from, at, answer| {
        respond(tracker, packet, from, at, answer);
    });
    listening.end();
}

/// Takes packets and sends what `answered` writes for each, if anything, until `stop` turns true. The clock
/// is read once for what came together; who reads it again notes the moment.
pub(crate) fn exchange(
    socket: &UdpSocket,
    stop: &watch::Receiver<bool>,
    answered: impl Fn(&[u8], SocketAddr, &mut Instant, &mut Vec<u8>),
) {
    let mut packets = vec![[0; LARGEST]; BATCH];
    let mut headers = MultiHeaders::preallocate(BATCH, None);
    let mut answers = vec![vec![]; BATCH];
    let mut to = [None; BATCH];
    while !*stop.borrow() {
        let taken = match take(socket.as_raw_fd(), &mut headers, &mut packets) {
            Ok(taken) => taken,
            Err(Errno::EAGAIN | Errno::EINTR) => continue,
            // Such as an ICMP error of an earlier answer: it concerns no packet that comes.
            Err(error) => {
                tracing::debug!(%error, "a socket gave an error");
                std::thread::sleep(PAUSE);
                continue;
            }
        };
        let (mut count, mut at) = (0, Instant::now());
        for ((length, sender), packet) in taken.into_iter().zip(&packets) {
            let (Some(answer), Some(to)) = (answers.get_mut(count), to.get_mut(count)) else {
                break;
            };
            let Some((sender, from)) = sender.and_then(|it| Some((it, address(&it)?))) else {
                continue;
            };
            answer.clear();
            let packet = packet.get(..length).unwrap_or_default();
            answered(packet, from, &mut at, answer);
            if !answer.is_empty() {
                *to = Some(sender);
                count += 1;
            }
        }
        give(
            socket.as_raw_fd(),
            answers.get(..count).unwrap_or_default(),
            to.get(..count).unwrap_or_default(),
        );
    }
}

/// Waits for a packet and takes all that are there; gives their lengths and senders.
fn take(
    socket: RawFd,
    headers: &mut MultiHeaders<SockaddrStorage>,
    packets: &mut [[u8; LARGEST]],
) -> nix::Result<Vec<(usize, Option<SockaddrStorage>)>> {
    let mut slices: Vec<_> = packets
        .iter_mut()
        .map(|packet| [IoSliceMut::new(packet)])
        .collect();
    let taken = recvmmsg(
        socket,
        headers,
        slices.iter_mut(),
        MsgFlags::MSG_WAITFORONE,
        None,
    )?;
    Ok(taken.map(|one| (one.bytes, one.address)).collect())
}

/// Sends answers; one that can't be sent is left out, as if it had been lost on the way.
fn give(socket: RawFd, answers: &[Vec<u8>], to: &[Option<SockaddrStorage>]) {
    let mut headers = MultiHeaders::preallocate(answers.len(), None);
    let slices: Vec<_> = answers
        .iter()
        .map(|answer| [IoSlice::new(answer)])
        .collect();
    let mut sent = 0;
    while sent < slices.len() {
        let (slices, to) = (slices.get(sent..), to.get(sent..));
        let went = sendmmsg(
            socket,
            &mut headers,
            slices.unwrap_or_default(),
            to.unwrap_or_default(),
            [],
            MsgFlags::empty(),
        );
        sent += went.map_or(1, |went| went.count().max(1));
    }
}

fn address(of: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = of.as_sockaddr_in().map(|v4| (*v4).into());
    v4.map(SocketAddr::V4).or_else(|| {
        let v6 = of.as_sockaddr_in6()?;
        Some(SocketAddr::V6((*v6).into()))
    })
}

/// Writes the answer to a packet, if it gets one; notes when it was written.
pub(crate) fn respond(
    tracker: &Tracker,
    packet: &[u8],
    from: SocketAddr,
    at: &mut Instant,
    answer: &mut Vec<u8>,
) {
    let measures = &tracker.0.measures;
    let from = SocketAddr::new(plain(from.ip()), from.port());
    let families = if from.is_ipv4() {
        Families::V4
    } else {
        Families::V6
    };
    let Some(Asked {
        transaction,
        connection,
        what,
    }) = packet::read(packet, families)
    else {
        return;
    };
    let Some(connections) = tracker.connections() else {
        // Whatever is asked after a connect gets the reason, which is shorter than the question.
        return match what {
            What::Connect => packet::connected(answer, transaction, rand::random()),
            What::Announce { .. } => {
                measures.count(Transport::UDP, Duration::ZERO, Some(Failure::Closed));
                packet::refused(answer, transaction, Failure::Closed);
            }
            What::Scrape { .. } => {
                packet::refused(answer, transaction, Failure::Closed);
            }
        };
    };
    let now = tracker.moment(*at).0.into();
    if what == What::Connect {
        return packet::connected(answer, transaction, connections.id(from.ip(), now));
    }
    if !connections.is_good(connection, from.ip(), now) {
        return;
    }
    let done = match what {
        What::Connect => Ok(()),
        What::Announce { announce, url } => {
            let began = *at;
            let replied = announced(tracker, announce, &url, (from, began)).map(|reply| {
                connections.prove(from, now);
                packet::announced(answer, transaction, &reply);
            });
            *at = Instant::now();
            measures.count(Transport::UDP, *at - began, replied.err());
            replied
        }
        What::Scrape { .. } if !connections.is_proved(from, now) => Err(Failure::PasskeyMissing),
        What::Scrape { hashes } => {
            let known = tracker.counts(hashes.clone());
            packet::scraped(answer, transaction, &hashes, &known);
            Ok(())
        }
    };
    if let Err(failure) = done {
        packet::refused(answer, transaction, failure);
    }
}

fn announced(
    tracker: &Tracker,
    announce: Result<Announce, Failure>,
    url: &[u8],
    (from, at): (SocketAddr, Instant),
) -> Result<crate::announce::Reply, Failure> {
    let mut announce = announce?;
    if announce.families == Families::V6 {
        let most = announce.numwant.unwrap_or(tracker.0.rules.load().numwant);
        announce.numwant = Some(most.min(MOST_PEERS_V6));
    }
    let url = std::str::from_utf8(url).map_err(|_| Failure::PasskeyMissing)?;
    let (path, asked) = url.split_once('?').unwrap_or((url, ""));
    let in_path = match query::endpoint(path) {
        Some(Endpoint::Announce(passkey)) => passkey,
        Some(Endpoint::Scrape(_)) | None => None,
    };
    let passkey = query::key(in_path.or_else(|| query::passkey(asked)))?;
    tracker.announce_as(tracker.admit(&passkey)?, &announce, from.ip(), at)
}
