//! How fast a backup is made, beside `pg_dump` of the same tables in the same run, and how fast it is
//! proved.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use infra::backup::{self, Given};
use infra::embedded::Embedded;
use serde_json::{Value, json};

use super::{replay, scratch};
use crate::announcement;
use crate::config::Config;
use crate::store::Store;

/// How often each is measured; the best counts.
const ROUNDS: usize = 3;
/// One in so many events comes after the first backup.
const LATER: usize = 100;

/// Fills a log, then measures.
pub(super) async fn run(config: &Config, events: usize) -> anyhow::Result<()> {
    let (store, own) = scratch::open(config).await?;
    let measured = measure(&store, &own, events).await;
    scratch::remove(store, &own).await?;
    announcement::print(&measured?.to_string());
    Ok(())
}

async fn measure(store: &Store, own: &Config, events: usize) -> anyhow::Result<Value> {
    store.commands.seed_categories().await?;
    replay::fill(store, events).await?;
    let folder = own.data_dir.join("backup");
    let (mut create, mut dump, mut packed) = (Duration::MAX, Duration::MAX, Duration::MAX);
    let mut made = None;
    for _ in 0..ROUNDS {
        let began = Instant::now();
        let again =
            backup::create(&store.pools.log, &store.vault, &folder, true, |_, _| {}).await?;
        create = create.min(began.elapsed());
        made = Some(again);
        dump = dump.min(pg_dump(store, own, "--compress=0")?);
        packed = packed.min(pg_dump(store, own, "--compress=6")?);
    }
    let made = made.context("nothing was measured")?;
    replay::fill(store, (events / LATER).max(10)).await?;
    let began = Instant::now();
    let later = backup::create(&store.pools.log, &store.vault, &folder, false, |_, _| {}).await?;
    let small = began.elapsed();
    let place = own.data_dir.join("restored");
    let database = Embedded::start(&place)?;
    let found = backup::find(&folder)?.open(Given::Key(own.key_path()), None)?;
    let proved = backup::prove(&found, database.url(), |_, _, _| {}).await;
    database.remove()?;
    let proved = proved?;
    ensure!(proved.verified.root == later.root, "another root came back");
    let rate = |events: i64, took: Duration| {
        let events = u32::try_from(events).map_or(f64::MAX, f64::from);
        events / took.as_secs_f64()
    };
    let (ours, theirs) = (rate(made.added, create), rate(made.added, dump));
    Ok(json!({
        "events": made.added, "events_per_s": ours.round(), "pg_dump_per_s": theirs.round(),
        "of_pg_dump": (ours / theirs * 100.0).round() / 100.0,
        "pg_dump_compressed_per_s": rate(made.added, packed).round(),
        "bytes": made.bytes, "second_events": later.added, "second_bytes": later.bytes,
        "second_ms": (small.as_secs_f64() * 1e5).round() / 100.0,
        "restore_per_s": rate(proved.verified.events, proved.loaded).round(),
        "verify_per_s": rate(proved.verified.events, proved.proved).round(),
    }))
}

/// Dumps the event store, without read tables, as PostgreSQL's own program does it.
fn pg_dump(store: &Store, own: &Config, compress: &str) -> anyhow::Result<Duration> {
    let embedded = store.embedded.as_ref().context("no database of our own")?;
    let program = embedded
        .program("pg_dump")
        .context("pg_dump isn't beside PostgreSQL's other programs; install postgresql-client")?;
    let to = own.data_dir.join("dump");
    let began = Instant::now();
    let done = Command::new(program)
        .args(["--format=custom", "--schema=public", compress])
        .arg(file(&to))
        .arg(embedded.url())
        .stdin(Stdio::null())
        .status()?;
    ensure!(done.success(), "pg_dump failed");
    // A backup is on the disk when it is made; so must the dump be.
    std::fs::File::open(&to)?.sync_all()?;
    Ok(began.elapsed())
}

fn file(to: &Path) -> String {
    format!("--file={}", to.display())
}
