//! Runs the roles of a node in one process: projections, tracker, site.
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
use api::app::{Live, Site};
use api::front::{Closed, Front};
use domain::traffic::Batch;
use infra::random;
use tokio::sync::watch;
use tracker::Tracker;

use crate::config::Config;
use crate::demo;
use crate::role::Role;
use crate::store::Store;

mod checkpoint;
mod desk;
mod health;
mod invite;
mod living;
mod obligation;
pub(crate) mod past;
mod reading;
pub(crate) mod reserve;
mod running;
mod sealed;
mod setup;
mod share;
mod sockets;
mod switch;

use desk::Desk;
pub(crate) use running::Running;
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
    let all = Role::ALL.into_iter().all(|role| config.does(role));
    anyhow::ensure!(
        all || demo.is_none(),
        "the demo needs every role: leave --role out"
    );
    let (mut sockets, listening) = Sockets::bind(&config).await?;
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
    sockets.measure(&front);
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

/// Where the program listens; what isn't its role listens elsewhere, as the configuration says.
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
    let asks_code = !setup::is_here(&origins, listening.site);
    Site {
        name: config.site.name.clone(),
        source: config.site.source.clone(),
        origins,
        announce,
        announce_also: config.announce.also.clone(),
        work_bits: config.site.work_bits,
        iterations: config.site.iterations,
        trusted_proxies: config.site.trusted_proxies.clone(),
        asks_code,
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
    let roles: Vec<&str> = config.roles.iter().map(|role| role.name()).collect();
    tracing::info!(
        roles = roles.join(","),
        site = config
            .does(Role::Api)
            .then(|| site(config, listening).origin().to_owned()),
        tracker = config
            .does(Role::Tracker)
            .then(|| listening.announces.to_string()),
        measures = %config.metrics.listen,
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
