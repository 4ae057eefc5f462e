//! Benchmarks; each prints one line of JSON with its figures.
//!
//! What needs a database gets a cluster of its own below the data directory, and leaves nothing.

use std::time::Duration;

use tracker::bench::{Load, announce};

use crate::announcement;
use crate::cli;
use crate::config::Config;

mod append;
mod panic;
mod replay;
mod scratch;
mod search;

/// Runs a benchmark.
pub(crate) async fn command(config: &Config, command: &cli::Bench) -> anyhow::Result<()> {
    match command {
        cli::Bench::Announce { seconds, peers } => announces(*seconds, *peers),
        cli::Bench::Append { seconds, writers } => {
            append::run(config, Duration::from_secs(*seconds), writers).await
        }
        cli::Bench::Replay { events } => replay::run(config, *events).await,
        cli::Bench::Panic { events } => panic::run(config, *events).await,
        cli::Bench::Search { documents } => search::run(*documents),
    }
}

fn announces(seconds: u64, peers: usize) -> anyhow::Result<()> {
    let load = Load {
        time: Duration::from_secs(seconds),
        peers,
        ..Load::default()
    };
    // The benchmark has threads and runtimes of its own.
    let report = std::thread::spawn(move || announce(load)).join();
    let report = report.map_err(|_| anyhow::anyhow!("the benchmark failed"))??;
    announcement::print(&serde_json::to_string(&report)?);
    Ok(())
}

/// Gives the time in milliseconds that so many hundredths of the measurements stay below.
fn percentile(took: &mut [Duration], hundredths: usize) -> f64 {
    took.sort_unstable();
    let last = took.len().saturating_sub(1);
    let time = took.get(last * hundredths / 100).copied();
    let time = time.unwrap_or_default();
    (time.as_secs_f64() * 1e5).round() / 100.0
}
