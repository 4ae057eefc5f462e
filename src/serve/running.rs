//! Everything that runs beside the sockets while the vault is open, by the roles of the node.

use std::sync::Arc;

use api::app::App;
use api::limit::Shield;
use commands::limit::Limiter;
use domain::traffic::Batch;
use infra::ephemera::InProcess;
use infra::limit::{self, shared::Shared};
use infra::random;
use infra::redis::Redis;
use projections::proof::Proofs;
use projections::rebuild::Rebuilds;
use projections::site::Settings;
use projections::{Projection, Reads};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};
use tracker::Tracker;

use super::desk::Desk;
use super::{FINISH, Listening, Program, health, invite, obligation, reading, share, site};
use crate::config::Config;
use crate::role::Role;
use crate::store::Store;

/// Everything that runs beside the sockets.
pub(crate) struct Running {
    pub(crate) app: App,
    tasks: JoinSet<()>,
    handover: JoinHandle<Vec<(Batch, i64)>>,
    redis: Option<Redis>,
    stop: watch::Sender<bool>,
}

impl Running {
    pub(super) async fn start(program: &Program, store: &Store) -> anyhow::Result<Self> {
        let (config, tracker) = (&program.config, &program.tracker);
        let (stop, stopped) = watch::channel(false);
        let mut tasks = JoinSet::new();
        let all = projections::all(&store.keys());
        let reads = reading::begin(config, store, &all, &mut tasks, &stopped).await?;
        reading::learn(program, store, &reads).await?;
        // A worker shares nothing but the database.
        let redis = if config.does(Role::Api) || config.does(Role::Tracker) {
            share::connect(config, store)?
        } else {
            None
        };
        if let Some(redis) = &redis {
            share::start(redis, program, &mut tasks, &stopped).await;
        }
        let vault = Arc::<Desk>::clone(&program.desk);
        let mut app = app(config, store, program.listening, reads, tracker, all, vault);
        if let Some(redis) = &redis {
            app.ephemera = Arc::new(redis.clone());
            app.shield = shield(config, store, Some(redis));
        }
        app.health = Arc::new(health::Parts {
            pool: store.pools.log.clone(),
            progress: app.reads.progress(),
            roles: config.roles.clone(),
            swarms: Arc::clone(&app.swarms),
            redis: redis.clone(),
        });
        rule(program, &app, &mut tasks, &stopped).await?;
        if config.does(Role::Api) {
            tell_blocks(&mut tasks, store, &app, stopped.clone());
        }
        if config.does(Role::Worker) {
            react(store, &app.reads, &mut tasks, &stopped);
        }
        // It ends by itself, so nothing may fail behind it.
        let handover = swarm(program, store, &app.reads, &mut tasks, &stopped);
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
    pub(super) async fn stop(mut self, desk: &Desk) -> Vec<(Batch, i64)> {
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

/// Lets what the site sets hold on this node, from now on.
async fn rule(
    program: &Program,
    app: &App,
    tasks: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) -> anyhow::Result<()> {
    let (live, ruled) = (app.site.live.clone(), program.tracker.clone());
    let told = move |settings: &Settings| {
        ruled.rule(settings);
        live.set(settings.clone());
    };
    let (reads, stop) = (app.reads.clone(), stopped.clone());
    told(projections::site::settings(&reads).await?.as_ref());
    tasks.spawn(async move { projections::site::follow(&reads, stop, told).await });
    Ok(())
}

/// Lets what follows by itself from what happened be decided.
fn react(store: &Store, reads: &Reads, tasks: &mut JoinSet<()>, stopped: &watch::Receiver<bool>) {
    let (commands, stop) = (store.commands.clone(), stopped.clone());
    tasks.spawn(invite::follow(commands, reads.clone(), stop));
    let (commands, stop) = (store.commands.clone(), stopped.clone());
    tasks.spawn(obligation::follow(commands, reads.clone(), stop));
}

/// Keeps the swarms and who may announce; where pages alone are shown, the swarms are those that
/// trackers tell of.
fn swarm(
    program: &Program,
    store: &Store,
    reads: &Reads,
    tasks: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) -> JoinHandle<Vec<(Batch, i64)>> {
    let (config, tracker) = (&program.config, &program.tracker);
    if config.does(Role::Tracker) {
        let (list, reads, stop) = (tracker.clone(), reads.clone(), stopped.clone());
        tasks.spawn(async move { list.access().follow(&reads, stop).await });
    }
    let (sweeper, stop) = (tracker.clone(), stopped.clone());
    tasks.spawn(async move { sweeper.sweep(stop).await });
    let (crediting, ledger, stop) = (tracker.clone(), store.commands.clone(), stopped.clone());
    tokio::spawn(async move { crediting.hand_over(&ledger, stop).await })
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
pub(super) fn app(
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
            roles: config.roles.clone(),
            swarms: Arc::new(tracker.clone()),
            redis: None,
        }),
        is_set_up: Arc::default(),
        vault,
        reads,
    }
}
