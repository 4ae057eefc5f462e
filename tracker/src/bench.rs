//! What an announce costs: the tracker's own transports beside a bare responder of as many bytes, in one
//! run, on one processor, with the load on another.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use commands::ports::{Channel, Relay, Unavailable};
use nix::sched::{CpuSet, sched_setaffinity};
use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike as _;
use nix::unistd::Pid;
use serde::Serialize;
use tokio::net::TcpStream;
use tokio::sync::watch;

use crate::{Settings, Tracker};

mod against;
mod http;
mod requests;
mod udp;
mod websocket;

pub use against::{Against, Compared, against};
pub use requests::PlainKeys;
use requests::Request;

/// How announces come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transport {
    /// Over kept-alive HTTP connections.
    Http,
    /// Over an HTTP connection each.
    HttpNew,
    /// Over UDP.
    Udp,
    /// Over WebSocket, without offers.
    Ws,
}

/// How large the benchmark is.
#[derive(Debug, Clone, Copy)]
pub struct Load {
    /// How announces come.
    pub transport: Transport,
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
            transport: Transport::Http,
            peers: 100_000,
            torrents: 10_000,
            connections: 64,
            time: Duration::from_secs(4),
            rounds: 3,
        }
    }
}

/// What the benchmark found: medians of the rounds.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// Which transport was measured.
    pub transport: Transport,
    /// The server's processor time per announce in microseconds.
    pub cpu_us_per_announce: f64,
    /// Of it, outside of the kernel.
    pub user_us: f64,
    /// The processor time of a responder that only sends as many bytes.
    pub floor_cpu_us: f64,
    /// The first by the third.
    pub ratio: f64,
    /// Announces a second.
    pub rate: f64,
    /// Half of the answers took less, in microseconds.
    pub p50_us: f64,
    /// 99 of 100 answers took less, in microseconds.
    pub p99_us: f64,
    /// The same at half of the rate.
    pub p99_us_at_half: f64,
    /// Memory per peer in bytes.
    pub bytes_per_peer: f64,
    /// The longest that sweeping held a shard, in microseconds.
    pub longest_sweep_us: f64,
    /// Processor time per announce for telling other trackers, where there is a relay.
    pub tell_cpu_us: Option<f64>,
    /// Messages to the relay per announce.
    pub told_per_announce: Option<f64>,
}

/// Makes a relay for the thread that tells.
pub type Connect = Arc<dyn Fn() -> Result<Arc<dyn Relay>, Unavailable> + Send + Sync>;

/// Measures announces; with a relay, other trackers are told meanwhile.
pub fn announce(load: Load, relay: Option<Connect>) -> io::Result<Report> {
    let tracker = tracker(load);
    let (begun, requests) = requests::requests(load);
    let before = resident();
    for some in begun.chunks(10_000) {
        for request in some {
            request.direct(&tracker);
        }
        // As the hand-over does.
        drop(tracker.0.swarms.take_dirty());
    }
    let bytes_per_peer = float(resident().saturating_sub(before)) / float(load.peers.max(1));
    let typical = typical(&tracker, &requests);
    let (mut floors, mut runs) = (vec![], vec![]);
    for _ in 0..load.rounds {
        floors.push(floor(load, &requests, typical)?);
        runs.push(run(load, &tracker, &requests, None, relay.clone())?);
    }
    let of = |runs: &[Run], value: fn(&Run) -> f64| median(runs.iter().map(value).collect());
    let half = of(&runs, |run| run.rate) / 2.0;
    let paced = run(load, &tracker, &requests, Some(half), relay.clone())?;
    let (floor, cpu) = (of(&floors, |run| run.cpu_us), of(&runs, |run| run.cpu_us));
    Ok(Report {
        transport: load.transport,
        cpu_us_per_announce: cpu,
        user_us: of(&runs, |run| run.user_us),
        floor_cpu_us: floor,
        ratio: cpu / floor,
        rate: of(&runs, |run| run.rate),
        p50_us: of(&runs, |run| run.p50_us),
        p99_us: of(&runs, |run| run.p99_us),
        p99_us_at_half: paced.p99_us,
        bytes_per_peer,
        longest_sweep_us: longest_sweep(&tracker),
        tell_cpu_us: relay.as_ref().map(|_| of(&runs, |run| run.tell_us)),
        told_per_announce: relay.map(|_| of(&runs, |run| run.told)),
    })
}

/// Makes a tracker with the members and torrents of a load.
pub(crate) fn tracker(load: Load) -> Tracker {
    let settings = Settings {
        threads: 1,
        most_addresses: usize::MAX,
        most_sockets: usize::MAX,
        // Counted, and never reached.
        announce_rate: u32::MAX,
        ..Settings::default()
    };
    let tracker = Tracker::new(settings, Arc::new(PlainKeys));
    tracker.access().apply(requests::access(load));
    tracker
}

/// One measurement.
struct Run {
    cpu_us: f64,
    user_us: f64,
    rate: f64,
    p50_us: f64,
    p99_us: f64,
    tell_us: f64,
    told: f64,
}

/// Where everything that is measured listens, on a port of the system's choice.
const LOOPBACK: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// What the load saw: each answer's nanoseconds.
type Latencies = Vec<u32>;

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

fn float(number: usize) -> f64 {
    u32::try_from(number).map_or(f64::MAX, f64::from)
}

/// Gives the bytes of peers in a mean answer.
fn typical(tracker: &Tracker, requests: &[Request]) -> usize {
    let step = requests.len().div_ceil(1_000).max(1);
    let lengths: Vec<usize> = requests
        .iter()
        .step_by(step)
        .map(|request| request.direct(tracker))
        .collect();
    lengths.iter().sum::<usize>() / lengths.len().max(1)
}

fn floor(load: Load, requests: &[Request], typical: usize) -> io::Result<Run> {
    match load.transport {
        Transport::Http => http::floor(requests, load, typical, true),
        Transport::HttpNew => http::floor(requests, load, typical, false),
        Transport::Udp => udp::floor(requests, load, typical),
        Transport::Ws => websocket::floor(requests, load),
    }
}

/// Measures the tracker, as fast as it answers or at a pace in announces a second.
fn run(
    load: Load,
    tracker: &Tracker,
    requests: &[Request],
    pace: Option<f64>,
    relay: Option<Connect>,
) -> io::Result<Run> {
    let (stop, stopped) = watch::channel(false);
    let telling = relay.map(|connect| {
        let tracker = tracker.clone();
        std::thread::spawn(move || tell(&tracker, &connect, stopped))
    });
    let mut run = match load.transport {
        Transport::Http => http::run(tracker, requests, load, pace, true),
        Transport::HttpNew => http::run(tracker, requests, load, pace, false),
        Transport::Udp => udp::run(tracker, requests, load, pace),
        Transport::Ws => websocket::run(tracker, requests, load, pace),
    }?;
    stop.send_replace(true);
    let answered = run.rate * load.time.as_secs_f64();
    if let Some(telling) = telling {
        let told = telling
            .join()
            .map_err(|_| io::Error::other("nobody was told"))?;
        let (cpu, told) = told?;
        (run.tell_us, run.told) = (micros(cpu) / answered, float(told) / answered);
    }
    Ok(run)
}

/// Tells other trackers on this thread; gives the time that it takes and how many messages there were.
fn tell(
    tracker: &Tracker,
    connect: &Connect,
    stopped: watch::Receiver<bool>,
) -> io::Result<(Duration, usize)> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let before = thread_cpu();
    let told = runtime.block_on(async {
        let relay = Counted(connect()?, AtomicUsize::new(0));
        tracker.tell(&relay, stopped).await;
        Ok::<_, Unavailable>(relay.1.into_inner())
    });
    let told = told.map_err(io::Error::other)?;
    Ok((thread_cpu().saturating_sub(before), told))
}

/// A relay that counts what it is told.
#[derive(Debug)]
struct Counted(Arc<dyn Relay>, AtomicUsize);

#[async_trait]
impl Relay for Counted {
    async fn tell(
        &self,
        channel: Channel,
        messages: &[Vec<u8>],
        keep: Duration,
    ) -> Result<(), Unavailable> {
        // One more command says how long all of it is kept.
        self.1.fetch_add(messages.len() + 1, Ordering::Relaxed);
        self.0.tell(channel, messages, keep).await
    }

    async fn hear(
        &self,
        channel: Channel,
        after: &str,
        wait: Duration,
    ) -> Result<Vec<(String, Vec<u8>)>, Unavailable> {
        self.0.hear(channel, after, wait).await
    }

    async fn last(&self, channel: Channel) -> Result<String, Unavailable> {
        self.0.last(channel).await
    }

    async fn holds(&self, channel: Channel, mark: &str) -> Result<bool, Unavailable> {
        self.0.holds(channel, mark).await
    }

    async fn forget(&self) -> Result<(), Unavailable> {
        self.0.forget().await
    }
}

/// Sweeps every shard as when all peers are silent; gives how long the longest was held.
fn longest_sweep(tracker: &Tracker) -> f64 {
    let mut longest = Duration::ZERO;
    for shard in 0..crate::swarm::SHARDS {
        loop {
            let began = Instant::now();
            let more = tracker.0.swarms.sweep(shard, u32::MAX, 0);
            longest = longest.max(began.elapsed());
            if !more {
                break;
            }
        }
    }
    micros(longest)
}

fn pin(cpu: usize) {
    let mut set = CpuSet::new();
    // On a machine with one processor both sides share it.
    let _alone = set
        .set(cpu)
        .and_then(|()| sched_setaffinity(Pid::from_raw(0), &set));
}

/// The time that this thread has run.
fn thread_cpu() -> Duration {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanos = text.split(' ').next().and_then(|nanos| nanos.parse().ok());
    Duration::from_nanos(nanos.unwrap_or(0))
}

/// The time that this thread has run outside of the kernel.
fn thread_user() -> Duration {
    let used = getrusage(UsageWho::RUSAGE_THREAD).map(|usage| usage.user_time());
    let micros = used.map_or(0, |time| time.num_microseconds());
    Duration::from_micros(micros.unsigned_abs())
}

fn micros(span: Duration) -> f64 {
    span.as_secs_f64() * 1e6
}

/// Bytes of this process that are in memory.
fn resident() -> usize {
    let text = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    let pages = text.split(' ').nth(1).and_then(|pages| pages.parse().ok());
    pages.unwrap_or(0_usize) * 4_096
}

/// Runs a server on one processor and the load on another.
fn measure(
    load: Load,
    server: impl FnOnce(watch::Receiver<bool>) -> io::Result<()> + Send + 'static,
    generate: impl FnOnce() -> io::Result<Latencies> + Send,
) -> io::Result<Run> {
    let (stop, stopped) = watch::channel(false);
    let running = std::thread::spawn(move || {
        pin(0);
        let (cpu, user) = (thread_cpu(), thread_user());
        server(stopped)?;
        let used = (
            thread_cpu().saturating_sub(cpu),
            thread_user().saturating_sub(user),
        );
        Ok::<_, io::Error>(used)
    });
    let generated = std::thread::scope(|scope| {
        let generating = scope.spawn(|| {
            pin(1);
            generate()
        });
        generating.join()
    });
    stop.send_replace(true);
    let mut latencies = generated.map_err(|_| io::Error::other("the load failed"))??;
    let (cpu, user) = running
        .join()
        .map_err(|_| io::Error::other("the server failed"))??;
    latencies.sort_unstable();
    let at = |share: usize| {
        let found = latencies.get(latencies.len() * share / 100);
        found.map_or(0.0, |nanos| f64::from(*nanos) / 1_000.0)
    };
    let answered = float(latencies.len().max(1));
    Ok(Run {
        cpu_us: micros(cpu) / answered,
        user_us: micros(user) / answered,
        rate: answered / load.time.as_secs_f64(),
        p50_us: at(50),
        p99_us: at(99),
        tell_us: 0.0,
        told: 0.0,
    })
}

/// Gives the nanoseconds since a moment.
fn since(sent: Instant) -> u32 {
    u32::try_from(sent.elapsed().as_nanos()).unwrap_or(u32::MAX)
}

/// Runs a loop for each connection on this thread, with its share of the requests.
fn closed_loops<F>(
    load: Load,
    requests: &[Request],
    one: impl Fn(usize, Vec<Request>) -> F,
) -> io::Result<Latencies>
where
    F: Future<Output = io::Result<Latencies>> + Send + 'static,
{
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let share = |number| {
            let share = requests.iter().skip(number).step_by(load.connections);
            tokio::spawn(one(number, share.copied().collect()))
        };
        let mut latencies = vec![];
        for one in (0..load.connections).map(share).collect::<Vec<_>>() {
            latencies.extend(one.await.map_err(io::Error::other)??);
        }
        Ok(latencies)
    })
}

/// Accepts connections until `stop` turns true, each with a task of its own.
fn accept_all<F>(
    listener: std::net::TcpListener,
    mut stop: watch::Receiver<bool>,
    one: impl Fn(TcpStream) -> F,
) -> io::Result<()>
where
    F: Future<Output = ()> + Send + 'static,
{
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener)?;
        loop {
            let (stream, _) = tokio::select! {
                accepted = listener.accept() => accepted?,
                _ = stop.changed() => return Ok(()),
            };
            stream.set_nodelay(true)?;
            tokio::spawn(one(stream));
        }
    })
}

/// When a connection sends: at once, or at its share of a pace.
#[derive(Debug, Clone, Copy)]
struct Clock {
    next: Instant,
    until: Instant,
    step: Option<Duration>,
}

impl Clock {
    fn new(load: Load, pace: Option<f64>) -> Self {
        let step = pace.map(|rate| Duration::from_secs_f64(float(load.connections) / rate));
        Self {
            next: Instant::now(),
            until: Instant::now() + load.time,
            step,
        }
    }

    /// Waits for the next turn; nothing when the time is over.
    async fn turn(&mut self) -> Option<Instant> {
        if let Some(step) = self.step {
            tokio::time::sleep_until(self.next.into()).await;
            self.next += step;
        }
        Some(Instant::now()).filter(|now| *now < self.until)
    }
}
