//! The projections as they run in service: how fast they catch up, and how soon they show a command.

use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use domain::Position;
use projections::progress::Progress;
use projections::runner::{self, Runner};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::{one, per_second};
use crate::bench::percentile;
use crate::store::Store;

/// Commands whose way into the read tables is measured.
const COMMANDS: usize = 2_000;
/// How long lies between two of them.
const PAUSE: Duration = Duration::from_millis(2);

/// Catches up from the first event with the projections that live beside each other, then measures
/// how long a commit takes until every one of them shows it, once the database has settled.
pub(super) async fn run(store: &Store, from: usize) -> anyhow::Result<(f64, Value)> {
    let all = projections::all(&store.keys());
    runner::prepare(&store.pools.read, &all).await?;
    let (progress, mut seen) = watch::channel(Progress::default());
    let runner = Arc::new(Runner {
        pool: store.pools.read.clone(),
        feed: Arc::clone(&store.feed),
        progress,
    });
    let (stop, stopped) = watch::channel(false);
    let head = store.feed.head().await?;
    let began = Instant::now();
    let count = all.len();
    let mut tasks = tokio::task::JoinSet::new();
    for projection in all {
        let (runner, stopped) = (Arc::clone(&runner), stopped.clone());
        tasks.spawn(async move { runner.follow(projection.as_ref(), stopped).await });
    }
    let there =
        |progress: &Progress, at| progress.standing().len() == count && progress.all_reached(at);
    seen.wait_for(|progress| there(progress, head)).await?;
    let live = per_second(head.0, began);
    infra::postgres::execute(&store.pools.read, "vacuum analyze").await?;
    infra::postgres::execute(&store.pools.read, "checkpoint").await?;
    let mut took = vec![];
    for number in from..from + COMMANDS {
        let position: Position = one(store, number).await?;
        let began = Instant::now();
        let shown = seen.wait_for(|progress| there(progress, position));
        shown.await.context("the projections ended")?;
        took.push(began.elapsed());
        tokio::time::sleep(PAUSE).await;
    }
    stop.send_replace(true);
    tasks.join_all().await;
    let visible = json!({ "p50": percentile(&mut took, 50), "p99": percentile(&mut took, 99) });
    Ok((live, visible))
}
