//! Runs every role in one process: projections, tracker, site.
//!
//! The ports are taken first, so that one that is in use is told before anything is touched; then
//! comes the store, then the projections catch up, then the tracker learns what it must know before
//! the first announce, and the site opens last. Stopping goes the other way round.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::app::{App, Site};
use infra::ephemera::InProcess;
use infra::random;
use projections::progress::Progress;
use projections::proof::Proofs;
use projections::rebuild::Rebuilds;
use projections::runner::{self, Runner};
use projections::torrent::search::Search;
use projections::{Projection, Reads};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracker::Tracker;

use crate::config::{Config, Index};
use crate::demo;
use crate::store::Store;

mod checkpoint;
mod health;
pub(crate) mod past;

/// How long open requests may finish at shutdown.
const FINISH: Duration = Duration::from_secs(5);

/// Runs until a signal, then stops in order.
pub(crate) async fn serve(config: Config, demo: bool) -> anyhow::Result<()> {
    let site = bind(&config).await?;
    let announces = tracker::http::bind(config.announce.listen, config.tracker.threads)
        .with_context(|| in_use("tracker", config.announce.listen, "--tracker"))?;
    let metrics = tokio::net::TcpListener::bind(config.metrics.listen)
        .await
        .with_context(|| in_use("metrics page", config.metrics.listen, "metrics.listen"))?;
    let listening = Listening {
        site: site.local_addr()?,
        announces: announces.address(),
    };
    let store = Store::open_alone(&config).await?;
    let running = Running::start(&config, &store, listening).await?;
    let threads = tracker::http::serve(&running.tracker, announces, &running.stopped)?;
    greet(&config, &running, listening);
    if demo {
        demo::fill(&config, &store, &running, listening.announces).await?;
    }
    let server = tokio::spawn(api::serve(
        site,
        running.app.clone(),
        running.stopped.clone(),
    ));
    tokio::spawn(api::metrics::serve(
        metrics,
        running.app.clone(),
        running.stopped.clone(),
    ));
    let checkpoints = tokio::spawn(checkpoint::keep(
        store.audit(),
        store.commands.clone(),
        running.stopped.clone(),
    ));
    let store = watch_over(store).await;
    tracing::info!("stopping");
    running.stop(server).await;
    for thread in threads {
        let _ended = thread.join();
    }
    let _ended = checkpoints.await;
    checkpoint::set(&store.audit(), &store.commands).await;
    store.close().await
}

/// Where the program listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listening {
    site: SocketAddr,
    announces: SocketAddr,
}

async fn bind(config: &Config) -> anyhow::Result<tokio::net::TcpListener> {
    tokio::net::TcpListener::bind(config.site.listen)
        .await
        .with_context(|| in_use("site", config.site.listen, "--listen"))
}

fn in_use(what: &str, address: SocketAddr, flag: &str) -> String {
    format!(
        "the {what} can't listen on {address}; stop what uses it or choose another address with {flag}"
    )
}

/// Everything that runs beside the sockets.
pub(crate) struct Running {
    pub(crate) app: App,
    pub(crate) tracker: Tracker,
    tasks: JoinSet<()>,
    handover: tokio::task::JoinHandle<()>,
    stop: watch::Sender<bool>,
    pub(crate) stopped: watch::Receiver<bool>,
}

impl Running {
    async fn start(config: &Config, store: &Store, listening: Listening) -> anyhow::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let all = projections::all(&store.keys());
        let search = Arc::new(match config.search.index {
            Index::Memory => Search::in_memory()?,
            Index::Disk => Search::on_disk(&config.data_dir.join("search"))?,
        });
        let reads = follow(store, &all, &search, &mut tasks, &stopped).await?;
        let tracker = Tracker::new(config.tracker.clone(), store.keys());
        learn(store, &reads, &tracker).await?;
        let (list, list_reads, list_stop) = (tracker.clone(), reads.clone(), stopped.clone());
        tasks.spawn(async move { list.access().follow(&list_reads, list_stop).await });
        let (sweeper, sweeper_stop) = (tracker.clone(), stopped.clone());
        tasks.spawn(async move { sweeper.sweep(sweeper_stop).await });
        let (crediting, ledger, ledger_stop) =
            (tracker.clone(), store.commands.clone(), stopped.clone());
        let handover = tokio::spawn(async move { crediting.hand_over(&ledger, ledger_stop).await });
        let app = app(config, store, listening, reads, &tracker, all);
        Ok(Self {
            app,
            tracker,
            tasks,
            handover,
            stop,
            stopped,
        })
    }

    /// Closes the site, then hands the last traffic over, then ends the projections.
    async fn stop(mut self, server: tokio::task::JoinHandle<std::io::Result<()>>) {
        let _told = self.stop.send(true);
        if tokio::time::timeout(FINISH, server).await.is_err() {
            tracing::warn!("some requests were cut off");
        }
        let _handed = self.handover.await;
        let ended = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(FINISH, ended).await.is_err() {
            self.tasks.abort_all();
        }
    }
}

/// Gives handlers what they share.
fn app(
    config: &Config,
    store: &Store,
    listening: Listening,
    reads: Reads,
    tracker: &Tracker,
    projections: Vec<Arc<dyn Projection>>,
) -> App {
    let (pool, feed) = (store.pools.read.clone(), Arc::clone(&store.feed));
    App {
        commands: store.commands.clone(),
        feed: Arc::clone(&feed),
        rebuilds: Arc::new(Rebuilds::new(pool, feed, projections)),
        history: store.history(),
        proofs: Arc::new(Proofs::new(store.history())),
        swarms: Arc::new(tracker.clone()),
        ephemera: Arc::new(InProcess::default()),
        keys: store.keys(),
        random: Arc::new(random::System),
        site: Arc::new(site(config, listening)),
        health: Arc::new(health::Parts {
            pool: store.pools.log.clone(),
            progress: reads.progress(),
        }),
        is_set_up: Arc::default(),
        reads,
    }
}

/// Brings the projections up to date and lets them follow the log.
async fn follow(
    store: &Store,
    all: &[Arc<dyn Projection>],
    search: &Arc<Search>,
    tasks: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<Reads> {
    store.commands.seed_categories().await?;
    runner::prepare(&store.pools.read, all).await?;
    let (progress, seen) = watch::channel(Progress::default());
    let runner = Arc::new(Runner {
        pool: store.pools.read.clone(),
        feed: Arc::clone(&store.feed),
        progress,
    });
    for projection in all {
        let (runner, projection, stop) =
            (Arc::clone(&runner), Arc::clone(projection), stopped.clone());
        tasks.spawn(async move { runner.follow(projection.as_ref(), stop).await });
    }
    let (index, stop) = (Arc::clone(search), stopped.clone());
    tasks.spawn(async move { runner.follow_search(&index, stop).await });
    Ok(Reads::new(
        store.pools.read.clone(),
        Arc::clone(search),
        seen,
    ))
}

/// Waits for the projections, then tells the tracker what it must know before the first announce.
async fn learn(store: &Store, reads: &Reads, tracker: &Tracker) -> anyhow::Result<()> {
    let head = store.feed.head().await?;
    let projections = projections::all(&store.keys()).len() + 1;
    let mut progress = reads.progress();
    let caught_up = |progress: &Progress| {
        progress.standing().len() == projections && progress.all_reached(head)
    };
    while tokio::time::timeout(Duration::from_secs(2), progress.wait_for(caught_up))
        .await
        .is_err()
    {
        let least = progress
            .borrow()
            .standing()
            .values()
            .map(|standing| standing.position)
            .min();
        tracing::info!(position = %least.unwrap_or_default(), of = %head, "projections catch up");
    }
    tracker.access().catch_up(reads).await?;
    let runs = projections::traffic::last_runs(reads).await?;
    tracker.remember(runs, projections::traffic::snatches(reads).await?);
    Ok(())
}

fn site(config: &Config, listening: Listening) -> Site {
    let port = listening.site.port();
    let origins = match config.site.origin.trim_end_matches('/') {
        "" => vec![
            format!("http://localhost:{port}"),
            format!("http://{}", listening.site),
        ],
        origin => vec![origin.to_owned()],
    };
    let announce = match config.announce.url.as_str() {
        "" => format!("http://{}/announce", listening.announces),
        url => url.to_owned(),
    };
    Site {
        name: config.site.name.clone(),
        source: config.site.source.clone(),
        origins,
        announce,
        work_bits: config.site.work_bits,
        iterations: config.site.iterations,
        as_of: None,
    }
}

fn greet(config: &Config, running: &Running, listening: Listening) {
    let mode = if config.database.url.is_empty() {
        "embedded PostgreSQL"
    } else {
        "the given PostgreSQL"
    };
    let data = config
        .data_dir
        .canonicalize()
        .unwrap_or_else(|_| config.data_dir.clone());
    tracing::info!(
        site = running.app.site.origin(),
        tracker = %listening.announces,
        data = %data.display(),
        mode,
        "ready"
    );
}

/// Waits for a signal to stop; brings the embedded database up again when it dies meanwhile.
async fn watch_over(mut store: Store) -> Store {
    use tokio::signal::unix::{SignalKind, signal};
    let (Ok(mut interrupt), Ok(mut terminate)) = (
        signal(SignalKind::interrupt()),
        signal(SignalKind::terminate()),
    ) else {
        return store;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => return store,
            _ = terminate.recv() => return store,
            () = tokio::time::sleep(Duration::from_millis(500)) => store.revive(),
        }
    }
}
