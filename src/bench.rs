//! Benchmarks; each prints one line of JSON with its figures.
//!
//! What needs a database gets a cluster of its own below the data directory, and leaves nothing.

use std::time::Duration;

use tracker::bench::{Load, announce};

use crate::announcement;
use crate::cli;
use crate::config::Config;

mod append;
mod replay;
mod scratch;

/// Runs a benchmark.
pub(crate) async fn command(config: &Config, command: &cli::Bench) -> anyhow::Result<()> {
    match command {
        cli::Bench::Announce { seconds, peers } => announces(*seconds, *peers),
        cli::Bench::Append { seconds, writers } => {
            append::run(config, Duration::from_secs(*seconds), writers).await
        }
        cli::Bench::Replay { events } => replay::run(config, *events).await,
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
