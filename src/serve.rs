//! Runs every role in one process: projections, tracker, site.
//!
//! The ports are taken first, so that one that is in use is told before anything is touched; then
//! comes the store. From then on the program is in one of two phases: with the vault open ([`living`])
//! the projections catch up, the tracker learns what it must know before the first announce, and the
//! site opens last; with the vault sealed ([`sealed`]) pages tell so, and what is left to do about it is
//! done. Nothing of a phase outlives it but the sockets and the [`desk`].

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use api::app::{App, Live, Site};
use api::front::{Closed, Front};
use api::limit::Shield;
use commands::limit::Limiter;
use domain::traffic::Batch;
use infra::ephemera::InProcess;
use infra::limit::{self, shared::Shared};
use infra::random;
use infra::redis::Redis;
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
mod desk;
mod health;
mod invite;
mod living;
mod obligation;
pub(crate) mod past;
pub(crate) mod reserve;
mod sealed;
mod share;
mod sockets;
mod switch;

use desk::Desk;
use sockets::Sockets;

/// What is told while the read tables are filled from the log.
pub(crate) const REPLAYING: &str = "replaying the projections";

/// How long open requests may finish at shutdown.
const FINISH: Duration = Duration::from_secs(5);

/// What outlives a phase.
pub(crate) struct Program {
    config: Config,
    listening: Listening,
    tracker: Tracker,
    desk: Arc<Desk>,
    front: Arc<Front>,
    sockets: Sockets,
    /// Traffic that the log didn't take before the vault was sealed or lost.
    waiting: Vec<(Batch, i64)>,
    /// The demo's data, where they are wanted.
    demo: Option<demo::Wanted>,
    signal: watch::Receiver<bool>,
}

/// How a phase ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ended {
    /// The program is to stop.
    Stopped,
    /// The other phase begins.
    Turned,
}

/// Runs until a signal, then stops in order.
pub(crate) async fn serve(config: Config, demo: Option<demo::Wanted>) -> anyhow::Result<()> {
    let (sockets, listening) = Sockets::bind(&config).await?;
    let mut store = Store::open_alone(&config).await?;
    let tracker = Tracker::new(config.tracker.clone(), store.keys());
    tracker.secure().context("tracker.tls_certificate")?;
    let desk = Arc::new(Desk::new(&config, &store, tracker.clone()));
    let front = Arc::new(Front::new(Closed {
        vault: Arc::<Desk>::clone(&desk),
        site: Arc::new(site(&config, listening)),
        random: Arc::new(random::System),
    }));
    desk.guard(Arc::clone(&front));
    let signal = signals();
    let watching = {
        let (desk, stop) = (Arc::clone(&desk), signal.clone());
        tokio::spawn(async move { desk.watch(stop).await })
    };
    let switches = tokio::spawn(switch::watch(
        Arc::clone(&desk),
        config.vault.clone(),
        signal.clone(),
    ));
    let mut program = Program {
        config,
        listening,
        tracker,
        desk,
        front,
        sockets,
        waiting: vec![],
        demo,
        signal,
    };
    loop {
        let ended = if store.vault.is_open() {
            living::run(&mut program, &mut store).await?
        } else {
            sealed::run(&mut program, &mut store).await?
        };
        if ended == Ended::Stopped {
            break;
        }
        store.renew();
    }
    let _ended = (watching.await, switches.await);
    program.sockets.close().await;
    store.close().await
}

/// Where the program listens.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Listening {
    site: SocketAddr,
    announces: SocketAddr,
}

/// Turns true at a signal to stop.
fn signals() -> watch::Receiver<bool> {
    use tokio::signal::unix::{SignalKind, signal};
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(async move {
        let both = (
            signal(SignalKind::interrupt()),
            signal(SignalKind::terminate()),
        );
        if let (Ok(mut interrupt), Ok(mut terminate)) = both {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
        }
        tracing::info!("stopping");
        stop.send_replace(true);
    });
    stopped
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
    tasks: JoinSet<()>,
    handover: tokio::task::JoinHandle<Vec<(Batch, i64)>>,
    redis: Option<Redis>,
    stop: watch::Sender<bool>,
}

impl Running {
    async fn start(program: &Program, store: &Store) -> anyhow::Result<Self> {
        let (config, tracker) = (&program.config, &program.tracker);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let all = projections::all(&store.keys());
        let search = Arc::new(match config.search.index {
            Index::Memory => Search::in_memory()?,
            Index::Disk => Search::on_disk(&config.data_dir.join("search"))?,
        });
        let reads = follow(store, &all, &search, &mut tasks, &stopped).await?;
        learn(program, store, &reads).await?;
        let redis = share::connect(config, store)?;
        if let Some(redis) = &redis {
            share::start(redis, tracker, &mut tasks, &stopped).await;
        }
        let (list, list_reads, list_stop) = (tracker.clone(), reads.clone(), stopped.clone());
        tasks.spawn(async move { list.access().follow(&list_reads, list_stop).await });
        let (sweeper, sweeper_stop) = (tracker.clone(), stopped.clone());
        tasks.spawn(async move { sweeper.sweep(sweeper_stop).await });
        let vault = Arc::<Desk>::clone(&program.desk);
        let mut app = app(config, store, program.listening, reads, tracker, all, vault);
        let (live, ruled) = (app.site.live.clone(), tracker.clone());
        let told = move |settings| {
            ruled.rule(&settings);
            live.set(settings);
        };
        let (reads, settings_stop) = (app.reads.clone(), stopped.clone());
        told(projections::site::settings(&reads).await?);
        tasks.spawn(async move { projections::site::follow(&reads, settings_stop, told).await });
        let (commands, reads, owed_stop) =
            (store.commands.clone(), app.reads.clone(), stopped.clone());
        tasks.spawn(invite::follow(
            commands.clone(),
            reads.clone(),
            owed_stop.clone(),
        ));
        tasks.spawn(obligation::follow(commands, reads, owed_stop));
        if let Some(redis) = &redis {
            app.ephemera = Arc::new(redis.clone());
            app.shield = shield(config, store, Some(redis));
            app.health = Arc::new(health::Parts {
                pool: store.pools.log.clone(),
                progress: app.reads.progress(),
                swarms: Arc::clone(&app.swarms),
                redis: Some(redis.clone()),
            });
        }
        tell_blocks(&mut tasks, store, &app, stopped.clone());
        let (crediting, ledger) = (tracker.clone(), store.commands.clone());
        // It ends by itself, so nothing may fail behind it.
        let handover = tokio::spawn(async move { crediting.hand_over(&ledger, stopped).await });
        Ok(Self {
            app,
            tasks,
            handover,
            redis,
            stop,
        })
    }

    /// Hands the last traffic over, then ends the projections; gives the traffic that the log didn't
    /// take. What nodes share goes too where the vault was sealed; a node that is merely cut off leaves
    /// it to the others.
    async fn stop(mut self, desk: &Desk) -> Vec<(Batch, i64)> {
        let _told = self.stop.send(true);
        let left = self.handover.await.unwrap_or_default();
        let over = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(FINISH, over).await.is_err() {
            self.tasks.abort_all();
        }
        if let Some(redis) = self.redis.filter(|_| desk.is_sealed()) {
            share::forget(&redis).await;
        }
        left
    }
}

/// Lets the command line ask for blocks.
fn tell_blocks(tasks: &mut JoinSet<()>, store: &Store, app: &App, stopped: watch::Receiver<bool>) {
    let limiter = Arc::clone(app.shield.limiter());
    tasks.spawn(limit::call::answer(
        store.pools.log.clone(),
        limiter,
        stopped,
    ));
}

/// Gives who counts requests: over all nodes where there is a Redis.
fn shield(config: &Config, store: &Store, redis: Option<&Redis>) -> Arc<Shield> {
    let rules = config.limits.rules();
    let limiter: Arc<dyn Limiter> = match redis {
        Some(redis) => Arc::new(Shared::new(redis.clone(), rules)),
        None => Arc::new(limit::InProcess::new(rules)),
    };
    Arc::new(Shield::new(config.limits.clone(), limiter, store.keys()))
}

/// Gives handlers what they share.
fn app(
    config: &Config,
    store: &Store,
    listening: Listening,
    reads: Reads,
    tracker: &Tracker,
    projections: Vec<Arc<dyn Projection>>,
    vault: Arc<dyn api::vault::Vault>,
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
        shield: shield(config, store, None),
        health: Arc::new(health::Parts {
            pool: store.pools.log.clone(),
            progress: reads.progress(),
            swarms: Arc::new(tracker.clone()),
            redis: None,
        }),
        is_set_up: Arc::default(),
        vault,
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
    store.commands.seed_sections().await?;
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
async fn learn(program: &Program, store: &Store, reads: &Reads) -> anyhow::Result<()> {
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
        anyhow::ensure!(store.vault.is_open(), infra::vault::VaultError::Sealed);
        let least = progress
            .borrow()
            .standing()
            .values()
            .map(|standing| standing.position)
            .min()
            .unwrap_or_default();
        tracing::info!(position = %least, of = %head, "projections catch up");
        program
            .desk
            .doing("bringing the projections up to date", least.0, head.0);
    }
    program.tracker.access().catch_up(reads).await?;
    let runs = projections::traffic::last_runs(reads).await?;
    let snatches = projections::traffic::snatches(reads).await?;
    program.tracker.remember(runs, snatches);
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
        announce_also: config.announce.also.clone(),
        work_bits: config.site.work_bits,
        iterations: config.site.iterations,
        trusted_proxies: config.site.trusted_proxies.clone(),
        as_of: None,
        live: Live::default(),
    }
}

fn greet(program: &Program) {
    let (config, listening) = (&program.config, program.listening);
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
        site = site(config, listening).origin(),
        tracker = %listening.announces,
        data = %data.display(),
        mode,
        "ready"
    );
}

/// Waits for something, and brings the embedded database up again when it dies meanwhile.
async fn watch_over<T>(store: &mut Store, until: impl Future<Output = T>) -> T {
    let mut until = std::pin::pin!(until);
    loop {
        tokio::select! {
            done = &mut until => return done,
            () = tokio::time::sleep(Duration::from_millis(500)) => store.revive(),
        }
    }
}
