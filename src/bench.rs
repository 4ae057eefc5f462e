//! Benchmarks; each prints one line of JSON with its figures.

use std::time::Duration;

use tracker::bench::{Load, announce};

use crate::announcement;
use crate::cli;

/// Runs a benchmark.
pub(crate) fn command(command: &cli::Bench) -> anyhow::Result<()> {
    let cli::Bench::Announce { seconds, peers } = command;
    let load = Load {
        time: Duration::from_secs(*seconds),
        peers: *peers,
        ..Load::default()
    };
    // The benchmark has threads and runtimes of its own.
    let report = std::thread::spawn(move || announce(load)).join();
    let report = report.map_err(|_| anyhow::anyhow!("the benchmark failed"))??;
    announcement::print(&serde_json::to_string(&report)?);
    Ok(())
}
