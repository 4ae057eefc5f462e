//! The site as it once stood, out of a schema that a replay filled: its pages, and nothing that changes.

use std::sync::Arc;

use anyhow::Context as _;
use api::front::{Closed, Front};
use domain::Position;
use infra::random;
use projections::progress::Progress;
use projections::torrent::search::{Mark, STREAMS, Search};
use projections::{Projection, Reads};
use tokio::sync::watch;
use tracker::Tracker;

use super::desk::Desk;
use super::running::app;
use super::{Listening, signals, watch_over};
use crate::config::Config;
use crate::store::Store;

/// Positions of a read.
const STEP: i64 = 5_000;

/// Serves the pages until a signal, beside a running server or without one.
pub(crate) async fn serve(config: &Config, schema: &str) -> anyhow::Result<()> {
    // It stands beside the living site, at an address of its own.
    let mut config = config.clone();
    config.site.origin.clear();
    let config = &config;
    let site = super::bind(config).await?;
    let listening = Listening {
        site: site.local_addr()?,
        announces: config.announce.listen,
    };
    let mut store = Store::open(config).await?;
    let upto = infra::replay::position(&store.pools.log, schema).await?;
    let upto = upto.with_context(|| {
        format!(
            "{schema} isn't a schema that `opentracker audit replay --into {schema}` has filled"
        )
    })?;
    let search = Arc::new(Search::in_memory()?);
    fill(&store, &search, upto).await?;
    let (_told, seen) = watch::channel(Progress::default());
    let pool = infra::replay::reading(&store.pools.read, schema);
    let reads = Reads::new(pool.clone(), pool, search, seen);
    let tracker = Tracker::new(config.tracker.clone(), store.keys());
    let none: Vec<Arc<dyn Projection>> = vec![];
    let desk = Arc::new(Desk::new(config, &store, tracker.clone()));
    let mut facts = super::site(config, listening);
    facts.as_of = Some(upto);
    let facts = Arc::new(facts);
    let front = Arc::new(Front::new(Closed {
        vault: Arc::<Desk>::clone(&desk),
        site: Arc::clone(&facts),
        random: Arc::new(random::System),
    }));
    desk.guard(Arc::clone(&front));
    desk.opened(store.commands.clone());
    let vault = Arc::<Desk>::clone(&desk);
    let mut app = app(config, &store, listening, reads, &tracker, none, vault);
    app.site = facts;
    tracing::info!(site = app.site.origin(), schema, position = %upto, "ready, to read only");
    front.open(app);
    let mut signal = signals();
    let watching = {
        let stop = signal.clone();
        tokio::spawn(async move { desk.watch(stop).await })
    };
    let server = tokio::spawn(api::serve(site, front, signal.clone()));
    // What it shows is gone with a panic; it then says so until it is stopped.
    let stopped = async { signal.wait_for(|stop| *stop).await.map(|_| ()) };
    let _told = watch_over(&mut store, stopped).await;
    let _ended = (server.await, watching.await);
    store.close().await
}

/// Fills the index up to a position.
async fn fill(store: &Store, search: &Search, upto: Position) -> anyhow::Result<()> {
    let mut after = Position(0);
    while after < upto {
        let limit = STEP.min(upto.0 - after.0);
        let batch = store.feed.read(after, limit, STREAMS).await?;
        after = batch.upto;
        let mark = Mark {
            position: after,
            chain: String::new(),
        };
        search.apply(&batch.events, &mark)?;
    }
    Ok(())
}
