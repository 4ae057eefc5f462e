//! What the system says of the process, by Linux's own files; what can't be read is left out.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// Ticks a second of the times that Linux tells, on every machine.
const TICKS: u64 = 100;

/// What `/proc/self/stat` tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    ticks: u64,
    threads: i64,
}

/// Measures the process.
pub(super) fn measure(registry: &mut Registry) {
    if let Some(bytes) = resident_bytes() {
        let resident = Gauge::<i64>::default();
        let help = "Memory that the process holds";
        registry.register_with_unit("resident_memory", help, Unit::Bytes, resident.clone());
        resident.set(bytes);
    }
    if let Some(stat) = read("stat").and_then(|text| parse_stat(&text)) {
        let spent = Counter::<f64, AtomicU64>::default();
        let help = "Processor time that the process spent";
        registry.register_with_unit("processor", help, Unit::Seconds, spent.clone());
        let time = std::time::Duration::from_millis(stat.ticks * (1_000 / TICKS));
        spent.inc_by(time.as_secs_f64());
        super::gauge(registry, "threads", "Threads of the process").set(stat.threads);
    }
    if let Ok(open) = std::fs::read_dir("/proc/self/fd") {
        let open = i64::try_from(open.count()).unwrap_or(i64::MAX);
        super::gauge(registry, "open_files", "Files and sockets that are open").set(open);
    }
    if let Some(most) = read("limits").and_then(|text| parse_limit(&text)) {
        super::gauge(registry, "most_files", "Files and sockets that may be open").set(most);
    }
}

fn read(name: &str) -> Option<String> {
    std::fs::read_to_string(format!("/proc/self/{name}")).ok()
}

/// Gives the resident memory, which is counted in pages of 4 KiB.
fn resident_bytes() -> Option<i64> {
    let pages: i64 = read("statm")?.split_whitespace().nth(1)?.parse().ok()?;
    Some(pages * 4_096)
}

/// Reads times and threads, which stand behind the program's name; that may hold anything.
fn parse_stat(text: &str) -> Option<Stat> {
    let (_, rest) = text.rsplit_once(')')?;
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let number = |at: usize| fields.get(at)?.parse::<u64>().ok();
    let threads = i64::try_from(number(17)?).ok()?;
    Some(Stat {
        ticks: number(11)? + number(12)?,
        threads,
    })
}

fn parse_limit(text: &str) -> Option<i64> {
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    line?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_own_files_are_read() {
        let text = "7 (an (odd) name) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 12 0 99";
        let stat = Stat {
            ticks: 300,
            threads: 12,
        };
        assert_eq!(parse_stat(text), Some(stat));
        let limits = "Limit  Soft  Hard  Units\nMax open files            1024   524288   files\n";
        assert_eq!(parse_limit(limits), Some(1_024));
        assert_eq!(parse_stat("nonsense"), None);
    }
}
