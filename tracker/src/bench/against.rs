//! The same announces against any tracker, over its own URL, to compare them.

use std::io;
use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::requests::{Request, hash, requests};
use super::{Clock, Latencies, Load, closed_loops, float, http, micros, udp};

/// Ticks of a second, in which the system counts a process's time.
const TICKS: u32 = 100;

/// Whom to ask.
#[derive(Debug, Clone)]
pub struct Against {
    /// Its announce URL, with the passkey where it wants one: `http://` or `udp://`.
    pub url: String,
    /// Its process, whose processor time is read.
    pub process: Option<u32>,
    /// The torrents that it knows; the benchmark's own where there are none.
    pub hashes: Vec<[u8; 20]>,
    /// Whether HTTP connections are kept.
    pub keep: bool,
}

/// What was found.
#[derive(Debug, Clone, Serialize)]
pub struct Compared {
    /// Answered announces.
    pub announces: usize,
    /// Announces a second.
    pub rate: f64,
    /// Half of the answers took less, in microseconds.
    pub p50_us: f64,
    /// 99 of 100 answers took less, in microseconds.
    pub p99_us: f64,
    /// The process's time per announce in microseconds, where the process is known.
    pub cpu_us_per_announce: Option<f64>,
}

/// Where a URL leads.
#[derive(Debug, Clone)]
struct Way {
    address: SocketAddr,
    /// The path and the query.
    target: String,
    udp: bool,
}

impl Way {
    fn of(url: &str) -> io::Result<Self> {
        let wrong = || {
            let text = "the URL must be http://HOST:PORT/PATH or udp://HOST:PORT/PATH";
            io::Error::new(io::ErrorKind::InvalidInput, text)
        };
        let (scheme, rest) = url.split_once("://").ok_or_else(wrong)?;
        if !["http", "udp"].contains(&scheme) {
            return Err(wrong());
        }
        let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
        let address = host.to_socket_addrs()?.next().ok_or_else(wrong)?;
        Ok(Self {
            address,
            target: format!("/{path}"),
            udp: scheme == "udp",
        })
    }

    /// The target as the fields of an announce follow it.
    fn open(&self) -> String {
        let more = if self.target.contains('?') { '&' } else { '?' };
        format!("{}{more}", self.target)
    }
}

/// Announces for a while, and tells how it went.
pub fn against(load: Load, whom: &Against) -> io::Result<Compared> {
    let way = Way::of(&whom.url)?;
    let (begun, goes_on) = requests(load);
    // Each peer begins once, whatever it does later.
    let all: Vec<Request> = begun.into_iter().chain(goes_on).collect();
    let hashes: Arc<[[u8; 20]]> = if whom.hashes.is_empty() {
        (0..load.torrents).map(hash).collect()
    } else {
        whom.hashes.iter().copied().collect()
    };
    let before = whom.process.map(used).transpose()?;
    let mut latencies = if way.udp {
        let clock = Clock::new(load, None);
        udp::exchange_all(way.address, clock, load.connections, |id| {
            let packet = |it: &Request| it.udp_at(&way.target, torrent(it, &hashes), id);
            all.iter().map(packet).collect()
        })?
    } else {
        over_http(load, &all, &way, &hashes, whom.keep)?
    };
    let after = whom.process.map(used).transpose()?;
    latencies.sort_unstable();
    let at = |share: usize| {
        let found = latencies.get(latencies.len() * share / 100);
        found.map_or(0.0, |nanos| f64::from(*nanos) / 1_000.0)
    };
    let cpu = before
        .zip(after)
        .map(|(before, after)| micros(after.saturating_sub(before)));
    let announces = latencies.len();
    Ok(Compared {
        announces,
        rate: float(announces) / load.time.as_secs_f64(),
        p50_us: at(50),
        p99_us: at(99),
        cpu_us_per_announce: cpu.map(|cpu| cpu / float(announces.max(1))),
    })
}

fn torrent(request: &Request, hashes: &[[u8; 20]]) -> [u8; 20] {
    let place = request.torrent_of(hashes.len());
    hashes.get(place).copied().unwrap_or_default()
}

fn over_http(
    load: Load,
    all: &[Request],
    way: &Way,
    hashes: &Arc<[[u8; 20]]>,
    keep: bool,
) -> io::Result<Latencies> {
    let encoded = |hash: [u8; 20]| -> String { hash.map(|byte| format!("%{byte:02x}")).concat() };
    closed_loops(load, all, |_, share| {
        let (hashes, way) = (Arc::clone(hashes), way.clone());
        async move {
            let target = way.open();
            let request = |it: &Request| it.http_at(&target, &encoded(torrent(it, &hashes)), keep);
            let share = share.iter().map(request).collect();
            http::converse(way.address, share, Clock::new(load, None), keep).await
        }
    })
}

/// The processor time of all threads of a process.
fn used(process: u32) -> io::Result<Duration> {
    let text = std::fs::read_to_string(format!("/proc/{process}/stat"))?;
    // The name, in parentheses, may hold spaces.
    let fields = text.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u32 = ticks.filter_map(|ticks| ticks.parse::<u32>().ok()).sum();
    Ok(Duration::from_secs(1) * ticks / TICKS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_leads_to_an_address_and_keeps_its_passkey() {
        let way = Way::of("http://127.0.0.1:80/announce?passkey=k").unwrap();
        assert_eq!(way.open(), "/announce?passkey=k&");
        let way = Way::of("udp://127.0.0.1:80/announce/k").unwrap();
        assert!(way.udp && way.target == "/announce/k");
        assert_eq!(Way::of("http://127.0.0.1:80").unwrap().open(), "/?");
        assert!(Way::of("ftp://127.0.0.1:80/").is_err());
    }

    #[test]
    fn this_process_has_used_some_time_or_none() {
        assert!(used(std::process::id()).is_ok());
        assert!(used(u32::MAX).is_err());
    }
}
