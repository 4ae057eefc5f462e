//! Benchmarks; each prints one line of JSON with its figures.
//!
//! What needs a database gets a cluster of its own below the data directory, and leaves nothing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use infra::redis::Redis;
use tracker::bench::{Against, Connect, Load, PlainKeys, Transport, against, announce};

use crate::announcement;
use crate::cli;
use crate::config::Config;

mod append;
mod backup;
mod browser;
mod flood;
mod limit;
mod page;
mod panic;
mod replay;
mod scratch;
mod search;

/// Runs a benchmark.
pub(crate) async fn command(config: &Config, command: &cli::Bench) -> anyhow::Result<()> {
    match command {
        cli::Bench::Announce {
            transport,
            seconds,
            peers,
            against: url,
            pid,
            hashes,
        } => {
            let load = Load {
                transport: match transport {
                    cli::Transport::Http => Transport::Http,
                    cli::Transport::HttpNew => Transport::HttpNew,
                    cli::Transport::Udp => Transport::Udp,
                    cli::Transport::Ws => Transport::Ws,
                },
                time: Duration::from_secs(*seconds),
                peers: *peers,
                ..Load::default()
            };
            match url {
                Some(url) => compare(load, url, *pid, hashes.as_deref()),
                None => announces(config, load),
            }
        }
        cli::Bench::Append { seconds, writers } => {
            append::run(config, Duration::from_secs(*seconds), writers).await
        }
        cli::Bench::Replay { events } => replay::run(config, *events).await,
        cli::Bench::Panic { events } => panic::run(config, *events).await,
        cli::Bench::Backup { events } => backup::run(config, *events).await,
        cli::Bench::Limit { decisions, page } => {
            limit::run(config, *decisions, page.as_deref()).await
        }
        cli::Bench::Flood {
            at,
            seconds,
            connections,
        } => flood::run(*at, Duration::from_secs(*seconds), *connections).await,
        cli::Bench::Page {
            torrents,
            seconds,
            at,
            pid,
        } => {
            page::run(
                config,
                *torrents,
                Duration::from_secs(*seconds),
                at.zip(*pid),
            )
            .await
        }
        cli::Bench::Search { documents } => search::run(*documents),
    }
}

fn announces(config: &Config, load: Load) -> anyhow::Result<()> {
    let url = config.redis.url.clone();
    let relay = (!url.is_empty())
        .then(|| -> Connect { Arc::new(move || Ok(Arc::new(Redis::new(&url, &PlainKeys, 0)?))) });
    // The benchmark has threads and runtimes of its own.
    let report = std::thread::spawn(move || announce(load, relay)).join();
    let report = report.map_err(|_| anyhow::anyhow!("the benchmark failed"))??;
    announcement::print(&serde_json::to_string(&report)?);
    Ok(())
}

fn compare(load: Load, url: &str, pid: Option<u32>, hashes: Option<&Path>) -> anyhow::Result<()> {
    let text = hashes.map(std::fs::read_to_string).transpose()?;
    let mut known = vec![];
    for line in text.unwrap_or_default().lines() {
        let mut hash = [0; 20];
        hex::decode_to_slice(line.trim(), &mut hash)?;
        known.push(hash);
    }
    let whom = Against {
        url: url.to_owned(),
        process: pid,
        hashes: known,
        keep: load.transport != Transport::HttpNew,
    };
    let compared = std::thread::spawn(move || against(load, &whom)).join();
    let compared = compared.map_err(|_| anyhow::anyhow!("the benchmark failed"))??;
    announcement::print(&serde_json::to_string(&compared)?);
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
