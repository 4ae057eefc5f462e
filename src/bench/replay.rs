//! How fast the log becomes read tables and search index: half torrents, half traffic batches of two.

use std::sync::Arc;
use std::time::Instant;

use commands::ports::Random as _;
use domain::amount::{Bytes, Seconds};
use domain::id::{CategoryId, MemberId, TorrentId};
use domain::info_hash::InfoHash;
use domain::torrent::{File, Metainfo, Upload};
use domain::traffic::{Batch, Entry};
use domain::{Position, category, history};
use futures::StreamExt as _;
use infra::postgres;
use infra::random::System;
use projections::rebuild;
use projections::torrent::search::{Mark, Search};
use serde_json::{Value, json};
use uuid::Uuid;

use super::scratch;
use crate::announcement::{self, Progress};
use crate::config::Config;
use crate::store::Store;

mod live;

/// Commands that are under way at once while the log is filled.
const WRITERS: usize = 128;
/// Positions of a read.
const STEP: i64 = 5_000;
/// The schema that is filled.
const SCHEMA: &str = "bench";

/// Fills a log, then measures.
pub(super) async fn run(config: &Config, events: usize) -> anyhow::Result<()> {
    let (store, own) = scratch::open(config).await?;
    let measured = measure(&store, events).await;
    scratch::remove(store, &own).await?;
    announcement::print(&measured?.to_string());
    Ok(())
}

async fn measure(store: &Store, events: usize) -> anyhow::Result<Value> {
    store.commands.seed_categories().await?;
    fill(store, events).await?;
    let read = read(store, history::STREAMS).await?;
    let tables = tables(store).await?;
    let (rows, copy) = copy(store).await?;
    let torrents = search(store).await?;
    let began = Instant::now();
    let verified = store.audit().verify(None, |_, _| {}).await?;
    let verify = per_second(verified.events, began);
    let (rate, live) = live::run(store, events).await?;
    Ok(json!({
        "events": verified.events, "events_per_s": tables.round(), "read_limit_per_s": read.round(),
        "of_read_limit": tables / read, "live_events_per_s": rate.round(), "live_of_read_limit": rate / read,
        "visible_ms": live, "copy_rows_per_s": copy.round(), "copied_rows": rows,
        "tantivy_docs_per_s": torrents.round(), "verify_per_s": verify.round(), "peak_rss_mib": peak_rss()?,
    }))
}

fn per_second(done: i64, began: Instant) -> f64 {
    let done = u32::try_from(done).map_or(f64::MAX, f64::from);
    done / began.elapsed().as_secs_f64()
}

pub(super) async fn fill(store: &Store, events: usize) -> anyhow::Result<()> {
    let mut progress = Progress::new("events");
    let mut under_way = futures::stream::iter(0..events)
        .map(|number| one(store, number))
        .buffer_unordered(WRITERS);
    let mut done = 0;
    while let Some(appended) = under_way.next().await {
        appended?;
        done += 1;
        progress.show(done, i64::try_from(events).ok());
    }
    Ok(())
}

/// Appends an upload or a traffic batch; tells where it stands.
async fn one(store: &Store, number: usize) -> anyhow::Result<Position> {
    let member = |of: usize| MemberId(Uuid::from_u128(u128::try_from(of % 5_000).unwrap_or(0)));
    if number.is_multiple_of(2) {
        let upload = upload(number, member(number));
        return Ok(store.commands.add(upload).await?.position);
    }
    let entry = |of: usize| Entry {
        member: member(of),
        torrent: TorrentId(Uuid::from_u128(u128::try_from(of % 20_000).unwrap_or(0))),
        client: "00000000000000aa".to_owned(),
        run: 0,
        uploaded: Bytes(u64::try_from(number).unwrap_or(0)),
        downloaded: Bytes(7),
        left: Bytes(0),
        seeded: Seconds(60),
        leeched: Seconds(0),
        charged: Bytes(0),
        completed: of.is_multiple_of(9),
    };
    let batch = Batch {
        node: format!("bench{}", number % (8 * WRITERS)),
        epoch: 1,
        number: i64::try_from(number)?,
        entries: vec![entry(number), entry(number * 7)],
    };
    let day = i64::try_from(number / 1_000)?;
    Ok(store.commands.record(batch, day).await?)
}

pub(super) fn upload(number: usize, uploader: MemberId) -> Upload {
    let mut hash = [0; 20];
    System.fill(&mut hash);
    let shelf = category::seeded().into_iter().next();
    let name = format!("Sample.Release.{number}.{}.1080p", number % 977);
    Upload {
        uploader,
        category: shelf.map_or(CategoryId(Uuid::nil()), |(id, _)| id),
        description: "What it is, in a few words of text.".to_owned(),
        info_hash: InfoHash(hash),
        info_hash_v2: None,
        size: Bytes(1 << 30),
        piece_length: Bytes(1 << 20),
        files: vec![File {
            path: format!("{name}.mkv"),
            size: Bytes(1 << 30),
        }],
        name,
        metainfo: Metainfo(vec![7; 300]),
        tags: vec![],
        pending: false,
    }
}

/// Reads, unseals and decodes events alone.
async fn read(store: &Store, streams: &[&str]) -> anyhow::Result<f64> {
    let (began, mut after, mut read) = (Instant::now(), Position(0), 0);
    loop {
        let batch = store.feed.read(after, STEP, streams).await?;
        if batch.upto == after {
            return Ok(per_second(read, began));
        }
        read += i64::try_from(batch.events.len())?;
        after = batch.upto;
    }
}

/// Fills every projection's tables; gives the log's events a second over all of them.
pub(super) async fn tables(store: &Store) -> anyhow::Result<f64> {
    let began = Instant::now();
    let head = store.feed.head().await?;
    let all = projections::all(&store.keys());
    let (pool, feed) = (&store.pools.read, &store.feed);
    rebuild::fill(pool, feed, &all, SCHEMA, None, |_, _| {}).await?;
    Ok(per_second(head.0, began))
}

/// Copies filled rows into empty tables of their shape.
async fn copy(store: &Store) -> anyhow::Result<(i64, f64)> {
    let began = Instant::now();
    let rows = postgres::copy(
        &store.pools.log,
        SCHEMA,
        &["torrent", "torrent_file", "ledger"],
    )
    .await?;
    Ok((rows, per_second(rows, began)))
}

/// Indexes every torrent; gives documents a second, without reading them.
async fn search(store: &Store) -> anyhow::Result<f64> {
    let index = Arc::new(Search::in_memory()?);
    let (mut took, mut after, mut documents) = (0.0, Position(0), 0);
    loop {
        let batch = store.feed.read(after, 50_000, &["torrent"]).await?;
        if batch.upto == after {
            return Ok(f64::from(u32::try_from(documents)?) / took);
        }
        documents += batch.events.len();
        after = batch.upto;
        let began = Instant::now();
        index.apply(&batch.events, &mark(after))?;
        took += began.elapsed().as_secs_f64();
    }
}

/// A place in the log of a benchmark.
pub(super) fn mark(position: Position) -> Mark {
    let chain = String::new();
    Mark { position, chain }
}

/// Gives the most memory that this process ever held, in MiB.
fn peak_rss() -> anyhow::Result<u64> {
    let status = std::fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib: Option<u64> = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
    Ok(kib.unwrap_or(0) / 1_024)
}
