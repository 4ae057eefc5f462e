//! What an announce costs: the tracker's own HTTP beside a bare responder of the same bytes, in one
//! run, on one processor, with the load on another.

use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::id::{MemberId, TorrentId};
use domain::info_hash::InfoHash;
use domain::{Keyed, Position, Purpose};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::unistd::Pid;
use projections::access::{Changes, MemberAccess, TorrentAccess};
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{Settings, Tracker, http};

/// How large the benchmark is.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// Peers over all swarms.
    pub peers: usize,
    /// Swarms.
    pub torrents: usize,
    /// Connections in a closed loop.
    pub connections: usize,
    /// How long each measurement takes.
    pub time: Duration,
    /// How often the floor and the tracker are measured, in turn.
    pub rounds: u32,
}

impl Default for Load {
    fn default() -> Self {
        Self {
            peers: 100_000,
            torrents: 10_000,
            connections: 64,
            time: Duration::from_secs(4),
            rounds: 3,
        }
    }
}

/// What the benchmark found.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Which transport was measured.
    pub transport: &'static str,
    /// The server's processor time per announce in microseconds: the median of the rounds.
    pub cpu_us_per_announce: f64,
    /// The same of a responder that only sends as many bytes.
    pub floor_cpu_us: f64,
    /// The first by the second.
    pub ratio: f64,
    /// Announces a second.
    pub rate: f64,
    /// Half of the answers took less, in microseconds.
    pub p50_us: f64,
    /// 99 of 100 answers took less, in microseconds.
    pub p99_us: f64,
    /// Memory per peer in bytes.
    pub bytes_per_peer: f64,
}

/// Keys without a secret: as dear to compute as real ones.
#[derive(Debug)]
struct PlainKeys;

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

/// Measures announces over kept-alive HTTP connections.
pub fn announce(load: Load) -> io::Result<Report> {
    let before = resident();
    let settings = Settings {
        threads: 1,
        most_addresses: usize::MAX,
        ..Settings::default()
    };
    let tracker = Tracker::new(settings, Arc::new(PlainKeys));
    tracker.access().apply(access(load));
    let requests = Requests::new(load);
    let filled = resident();
    fill(&tracker, &requests);
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "a figure for people"
    )]
    let bytes_per_peer =
        resident().saturating_sub(filled.max(before)) as f64 / load.peers.max(1) as f64;
    let typical = typical_answer(&tracker, &requests);
    let (mut floors, mut trackers) = (vec![], vec![]);
    for _ in 0..load.rounds {
        floors.push(measure_floor(&requests, &typical, load)?);
        trackers.push(measure_tracker(&tracker, &requests, load)?);
    }
    let floor = median(floors.iter().map(|run| run.cpu_us).collect());
    let cpu = median(trackers.iter().map(|run| run.cpu_us).collect());
    Ok(Report {
        transport: "http",
        cpu_us_per_announce: cpu,
        floor_cpu_us: floor,
        ratio: cpu / floor,
        rate: median(trackers.iter().map(|run| run.rate).collect()),
        p50_us: median(trackers.iter().map(|run| run.p50_us).collect()),
        p99_us: median(trackers.iter().map(|run| run.p99_us).collect()),
        bytes_per_peer,
    })
}

/// One measurement.
struct Run {
    cpu_us: f64,
    rate: f64,
    p50_us: f64,
    p99_us: f64,
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn passkey(number: usize) -> String {
    format!("{number:032x}")
}

fn hash(number: usize) -> [u8; 20] {
    let mut bytes = [b'h'; 20];
    bytes
        .iter_mut()
        .zip(format!("{number:08}").bytes())
        .for_each(|(to, digit)| *to = digit);
    bytes
}

/// A tenth as many members as peers.
fn members(load: Load) -> usize {
    (load.peers / 10).max(1)
}

fn id(number: usize) -> Uuid {
    Uuid::new_v5(&domain::id::SPACE, &number.to_be_bytes())
}

fn access(load: Load) -> Changes {
    let position = Position(1);
    let member = |number| MemberAccess {
        member: MemberId(id(number)),
        passkey: PlainKeys.mac(Purpose::Passkey, passkey(number).as_bytes()),
        position,
    };
    let torrent = |number| TorrentAccess {
        torrent: TorrentId(id(number)),
        hashes: vec![InfoHash(hash(number))],
        offered: true,
        position,
    };
    Changes {
        members: (0..members(load)).map(member).collect(),
        torrents: (0..load.torrents).map(torrent).collect(),
    }
}

/// Requests in the order in which they are sent: a prefill of every peer, then the load.
struct Requests {
    fill: Vec<String>,
    load: Vec<String>,
}

impl Requests {
    /// Swarm sizes fall as by Zipf; 70 % of the peers seed; of the load 80 % are updates, 10 % began
    /// and 10 % completed or stopped.
    fn new(load: Load) -> Self {
        let mut random = SmallRng::seed_from_u64(7);
        let mut sums = vec![];
        let mut sum = 0.0;
        for rank in 1..=u32::try_from(load.torrents).unwrap_or(u32::MAX) {
            sum += f64::from(rank).powf(-0.8);
            sums.push(sum);
        }
        let mut target = |peer: usize, event: &str| {
            let torrent = sums.partition_point(|bound| *bound < random.random::<f64>() * sum);
            let seeds = random.random_bool(0.7);
            target(
                peer,
                members(load),
                torrent.min(load.torrents - 1),
                seeds,
                event,
            )
        };
        let fill = (0..load.peers)
            .map(|peer| target(peer, "started"))
            .collect::<Vec<_>>();
        let event = |number: usize| match number % 20 {
            0 | 1 => "&event=started",
            2 => "&event=completed",
            3 => "&event=stopped",
            _ => "",
        };
        let again = |(number, request): (usize, &String)| format!("{request}{}", event(number));
        let load = fill
            .iter()
            .map(|request| request.replace("&event=started", ""))
            .collect::<Vec<_>>();
        let load = load.iter().enumerate().map(again).collect();
        Self { fill, load }
    }
}

fn target(peer: usize, members: usize, torrent: usize, seeds: bool, event: &str) -> String {
    let left = if seeds { 0 } else { 1_000_000 };
    let hash = String::from_utf8_lossy(&hash(torrent)).into_owned();
    let port = 1_024 + peer % 60_000;
    format!(
        "passkey={}&info_hash={hash}&peer_id=-TR3000-{peer:012}&port={port}&uploaded={peer}&downloaded=0\
         &left={left}&numwant=50&key=ab12cd&compact=1&event={event}",
        passkey(peer % members)
    )
}

fn from(peer: usize) -> SocketAddr {
    let [_, a, b, c] = u32::try_from(peer).unwrap_or(0).to_be_bytes();
    SocketAddr::from(([11, a, b, c], 1))
}

fn fill(tracker: &Tracker, requests: &Requests) {
    for (peer, query) in requests.fill.iter().enumerate() {
        direct(tracker, query, from(peer));
    }
}

fn direct(tracker: &Tracker, query: &str, from: SocketAddr) -> usize {
    let announce = crate::query::announce(query);
    let key = crate::query::passkey(query).and_then(crate::query::passkey_bytes);
    match (announce, key) {
        (Ok(announce), Some(key)) => tracker
            .announce(&key, &announce, from.ip())
            .map_or(0, |reply| reply.peers.v4.len()),
        _ => 0,
    }
}

/// An answer as long as the mean of a sample.
fn typical_answer(tracker: &Tracker, requests: &Requests) -> Vec<u8> {
    let sample = requests
        .load
        .iter()
        .enumerate()
        .step_by(requests.load.len().div_ceil(1_000).max(1));
    let lengths: Vec<usize> = sample
        .map(|(peer, query)| direct(tracker, query, from(peer)))
        .collect();
    let body = 150 + lengths.iter().sum::<usize>() / lengths.len().max(1);
    let head =
        format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {body:07}\r\n\r\n");
    [head.into_bytes(), vec![b'x'; body]].concat()
}

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    // On a machine with one processor both sides share it.
    let _alone = set
        .set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
}

/// Nanoseconds that this thread has run.
fn thread_cpu() -> u64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    text.split(' ')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0)
}

/// Bytes of this process that are in memory.
fn resident() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    text.split(' ')
        .nth(1)
        .and_then(|pages| pages.parse::<u64>().ok())
        .unwrap_or(0)
        * 4_096
}

fn measure_floor(requests: &Requests, typical: &[u8], load: Load) -> io::Result<Run> {
    let listener = StdListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    listener.set_nonblocking(true)?;
    let typical: Arc<[u8]> = typical.into();
    measure(address, requests, load, move |stop| {
        floor(listener, typical, stop)
    })
}

fn measure_tracker(tracker: &Tracker, requests: &Requests, load: Load) -> io::Result<Run> {
    let bound = http::bind("127.0.0.1:0".parse().map_err(io::Error::other)?, 1)?;
    let address = bound.address();
    let tracker = tracker.clone();
    measure(address, requests, load, move |stop| {
        http::serve_here(&tracker, bound, stop)
    })
}

/// A responder that sends fixed bytes for each head.
fn floor(listener: StdListener, typical: Arc<[u8]>, stop: watch::Receiver<bool>) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let mut stop = stop;
        loop {
            let (mut stream, _) = tokio::select! {
                accepted = listener.accept() => accepted?,
                _ = stop.changed() => return Ok(()),
            };
            stream.set_nodelay(true)?;
            let typical = Arc::clone(&typical);
            tokio::spawn(async move {
                let mut asked = vec![0; 4_096];
                while let Ok(1..) = stream.read(&mut asked).await {
                    if stream.write_all(&typical).await.is_err() {
                        return;
                    }
                }
            });
        }
    })
}

/// Runs a server on one processor and the load on another.
fn measure(
    address: SocketAddr,
    requests: &Requests,
    load: Load,
    server: impl FnOnce(watch::Receiver<bool>) -> io::Result<()> + Send + 'static,
) -> io::Result<Run> {
    let (stop, stopped) = watch::channel(false);
    let running = std::thread::spawn(move || {
        pin(0);
        let before = thread_cpu();
        server(stopped).map(|()| thread_cpu() - before)
    });
    let generated = std::thread::scope(|scope| {
        scope
            .spawn(|| {
                pin(1);
                generate(address, requests, load)
            })
            .join()
    });
    let _told = stop.send(true);
    let mut latencies = generated.map_err(|_| io::Error::other("the load failed"))??;
    let cpu = running
        .join()
        .map_err(|_| io::Error::other("the server failed"))??;
    latencies.sort_unstable();
    let at = |share: usize| {
        latencies
            .get(latencies.len() * share / 100)
            .map_or(0.0, |ns| f64::from(*ns) / 1_000.0)
    };
    let answered = f64::from(u32::try_from(latencies.len().max(1)).unwrap_or(u32::MAX));
    #[expect(
        clippy::as_conversions,
        clippy::cast_precision_loss,
        reason = "a figure for people"
    )]
    let cpu_us = cpu as f64 / 1_000.0 / answered;
    Ok(Run {
        cpu_us,
        rate: answered / load.time.as_secs_f64(),
        p50_us: at(50),
        p99_us: at(99),
    })
}

/// Sends requests in a closed loop over all connections; gives each answer's nanoseconds.
fn generate(address: SocketAddr, requests: &Requests, load: Load) -> io::Result<Vec<u32>> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let until = Instant::now() + load.time;
        let loops = (0..load.connections).map(|number| {
            let share: Vec<Vec<u8>> = requests
                .load
                .iter()
                .skip(number)
                .step_by(load.connections)
                .map(|query| format!("GET /announce?{query} HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\n\r\n").into_bytes())
                .collect();
            tokio::spawn(one_connection(address, share, until))
        });
        let mut latencies = vec![];
        for one in loops.collect::<Vec<_>>() {
            latencies.extend(one.await.map_err(io::Error::other)??);
        }
        Ok(latencies)
    })
}

async fn one_connection(
    address: SocketAddr,
    share: Vec<Vec<u8>>,
    until: Instant,
) -> io::Result<Vec<u32>> {
    let mut stream = tokio::net::TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let mut answer = vec![0; 8_192];
    let mut latencies = vec![];
    for request in share.iter().cycle() {
        let sent = Instant::now();
        if sent >= until {
            break;
        }
        stream.write_all(request).await?;
        read_answer(&mut stream, &mut answer).await?;
        latencies.push(u32::try_from(sent.elapsed().as_nanos()).unwrap_or(u32::MAX));
    }
    Ok(latencies)
}

/// Reads one answer by its Content-Length.
async fn read_answer(stream: &mut tokio::net::TcpStream, buffer: &mut [u8]) -> io::Result<()> {
    let mut filled = 0;
    loop {
        let room = buffer.get_mut(filled..).unwrap_or_default();
        let read = stream.read(room).await?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        filled += read;
        let got = buffer.get(..filled).unwrap_or_default();
        let head = got.windows(4).position(|four| four == b"\r\n\r\n");
        if let Some(head) = head {
            let text = std::str::from_utf8(got.get(..head).unwrap_or_default()).unwrap_or_default();
            let length = text
                .rsplit("Content-Length: ")
                .next()
                .and_then(|number| number.trim().parse::<usize>().ok());
            if filled >= head + 4 + length.unwrap_or(0) {
                return Ok(());
            }
        }
    }
}
