//! Commands a second: ours, through every step; the same through cqrs-es and postgres-es as they
//! come; and rows of the same size, each inserted and committed by itself. And ours on two nodes at once.

use std::sync::Arc;
use std::time::{Duration, Instant};

use cqrs_es::CqrsFramework;
use domain::Actor;
use domain::id::MemberId;
use futures::future::{BoxFuture, join_all};
use infra::postgres::Pool;
use postgres_es::postgres_cqrs;
use serde_json::json;
use uuid::Uuid;

use super::scratch;
use crate::announcement;
use crate::config::Config;
use crate::store::Store;

mod stock;

/// What every event holds besides its frame.
const TEXT: usize = 150;
/// Events whose hashes are timed.
const HASHED: u32 = 100_000;
/// Bytes of a raw row's payload: as many as ours has sealed.
const SEALED: usize = 420;

/// Commands on one stream before a writer turns to a new one.
const STREAM: u32 = 20;

/// One command of a writer on a stream.
type Step = Arc<dyn Fn(Uuid) -> BoxFuture<'static, anyhow::Result<()>> + Send + Sync>;

/// Measures each way with each number of writers.
pub(super) async fn run(config: &Config, time: Duration, crowds: &[u32]) -> anyhow::Result<()> {
    let (store, own) = scratch::open(config).await?;
    let other = Store::open(&own).await?;
    let measured = measure_all(&[&store, &other], time, crowds).await;
    other.close().await?;
    scratch::remove(store, &own).await?;
    measured
}

async fn measure_all(nodes: &[&Store; 2], time: Duration, crowds: &[u32]) -> anyhow::Result<()> {
    let [store, other] = nodes;
    infra::postgres::execute(&store.pools.log, stock::TABLES).await?;
    for &writers in crowds {
        let pool = infra::postgres::separate(&store.pools.log, writers).await?;
        let ours = measure(writers, time, &our_way(&store.commands)).await?;
        let pair = two_ways(our_way(&store.commands), our_way(&other.commands));
        let pair = measure(writers, time, &pair).await?;
        let stock = measure(writers, time, &stock_way(&pool)).await?;
        let raw = measure(writers, time, &raw_way(&pool)).await?;
        pool.close().await;
        let chain =
            infra::audit::chain_cost(HASHED, &[7; SEALED]).as_secs_f64() / f64::from(HASHED);
        let line = json!({
            "chain_us": (chain * 1e8).round() / 100.0, "chain_of_command": chain * ours,
            "writers": writers, "commands_per_s": ours.round(), "stock_per_s": stock.round(),
            "raw_per_s": raw.round(), "two_nodes_per_s": pair.round(), "of_stock": ours / stock, "of_raw": ours / raw,
        });
        announcement::print(&line.to_string());
    }
    Ok(())
}

/// Lets writers go on for a while, each on streams of its own; gives what they did a second.
async fn measure(writers: u32, time: Duration, step: &Step) -> anyhow::Result<f64> {
    go_on(writers, Instant::now() + time / 4, step).await?;
    let began = Instant::now();
    let done = go_on(writers, began + time, step).await?;
    Ok(f64::from(done) / began.elapsed().as_secs_f64())
}

async fn go_on(writers: u32, until: Instant, step: &Step) -> anyhow::Result<u32> {
    let writers = (0..writers).map(|_| {
        let step = Arc::clone(step);
        tokio::spawn(async move {
            let (mut done, mut stream) = (0_u32, Uuid::new_v4());
            while Instant::now() < until {
                step(stream).await?;
                done += 1;
                if done.is_multiple_of(STREAM) {
                    stream = Uuid::new_v4();
                }
            }
            anyhow::Ok(done)
        })
    });
    let mut done = 0;
    for writer in join_all(writers.collect::<Vec<_>>()).await {
        done += writer??;
    }
    Ok(done)
}

fn our_way(commands: &commands::Commands) -> Step {
    let commands = commands.clone();
    Arc::new(move |stream| {
        let commands = commands.clone();
        Box::pin(async move {
            let by = Actor::Member(MemberId(stream));
            commands.note_reading(by, &"x".repeat(TEXT)).await?;
            Ok(())
        })
    })
}

/// Sends half of the streams to each of two nodes.
fn two_ways(one: Step, other: Step) -> Step {
    Arc::new(move |stream| {
        if stream.as_u128().is_multiple_of(2) {
            one(stream)
        } else {
            other(stream)
        }
    })
}

fn stock_way(pool: &Pool) -> Step {
    let framework: Arc<CqrsFramework<_, _>> =
        Arc::new(postgres_cqrs::<stock::Reader>(pool.clone(), vec![], ()));
    Arc::new(move |stream| {
        let framework = Arc::clone(&framework);
        Box::pin(async move {
            let stream = stream.to_string();
            Ok(framework.execute(&stream, "x".repeat(TEXT)).await?)
        })
    })
}

fn raw_way(pool: &Pool) -> Step {
    let pool = pool.clone();
    Arc::new(move |stream| {
        let pool = pool.clone();
        Box::pin(async move {
            let sealed = vec![7_u8; SEALED];
            Ok(infra::postgres::insert_raw(&pool, stream, &sealed).await?)
        })
    })
}
