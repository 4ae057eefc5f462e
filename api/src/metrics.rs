//! What the program measures of itself, in the text format of Prometheus, on a port of its own.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use axum::Router;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use domain::vault::State as Stands;
use projections::backup::Run;
use projections::rebuild::Rebuilding;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};
use tokio::net::TcpListener;
use tokio::sync::watch;

use crate::app::App;
use crate::front::Front;
use crate::health;
use crate::problem::Problem;
use crate::sealed;
use crate::vault::Standing;
use crate::web::staff::{Projected, standing};

mod process;
mod request;
mod tracker;

pub(crate) use request::Requests;

/// Serves `/metrics`, and `/health` for nodes that show no pages, until `stop` turns true.
pub async fn serve(
    listener: TcpListener,
    front: Arc<Front>,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    let router = Router::new()
        .route("/metrics", get(metrics))
        .route("/health/live", get(health::live))
        .route("/health/ready", get(ready))
        .with_state(front);
    axum::serve(listener, router)
        .with_graceful_shutdown(async move {
            let _closed = stop.wait_for(|stop| *stop).await;
        })
        .await
}

async fn metrics(State(front): State<Arc<Front>>) -> Result<Response, Problem> {
    let mut registry = Registry::with_prefix("opentracker");
    vault(&mut registry, &front.vault().standing().borrow());
    if let Some(app) = front.app() {
        let head = gauge(&mut registry, "log_position", "Last position of the log");
        head.set(app.feed.head().await?.0);
        readiness(&mut registry, &app).await;
        connections(&mut registry, &app);
        swarms(&mut registry, &app);
        tracker::measure(&mut registry, app.swarms.announces());
        limits(&mut registry, &app).await;
        projections(&mut registry, &standing(&app).await?);
        backups(&mut registry, &projections::backup::last(&app.reads).await?);
    }
    front.requests().measure(&mut registry);
    process::measure(&mut registry);
    let mut text = String::new();
    encode(&mut text, &registry).map_err(|_| Problem::unavailable())?;
    let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
    Ok(([(CONTENT_TYPE, kind)], text).into_response())
}

async fn ready(State(front): State<Arc<Front>>) -> Response {
    match front.app() {
        Some(app) => health::of(&app).await,
        None => sealed::unready(&front.vault().standing().borrow().clone()),
    }
}

fn gauge(registry: &mut Registry, name: &str, help: &str) -> Gauge {
    let gauge = Gauge::default();
    registry.register(name, help, gauge.clone());
    gauge
}

/// How the vault stands; a sealed site tells this and nothing of what it held.
fn vault(registry: &mut Registry, standing: &Standing) {
    let help = "How the vault stands: 0 open, 1 sealing, 2 sealed, 3 restoring";
    gauge(registry, "vault_state", help).set(match standing.state {
        Stands::Open => 0,
        Stands::Sealing => 1,
        Stands::Sealed => 2,
        Stands::Restoring => 3,
    });
    let help = "How much of sealing or restoring is done";
    gauge(registry, "vault_done", help).set(standing.done);
    let help = "How much there is to do of sealing or restoring";
    gauge(registry, "vault_total", help).set(standing.total);
}

/// What `/health/ready` says, in numbers.
async fn readiness(registry: &mut Registry, app: &App) {
    let help = "1 where the site can serve, as /health/ready says";
    let (reasons, warnings) = (app.health.reasons().await, app.health.warnings().await);
    gauge(registry, "ready", help).set(reasons.is_empty().into());
    let help = "How much should be mended though the site serves, as /health/ready lists it";
    let warned = i64::try_from(warnings.len()).unwrap_or(i64::MAX);
    gauge(registry, "warnings", help).set(warned);
}

/// How busy the connections are by which pages read.
fn connections(registry: &mut Registry, app: &App) {
    let family = Family::<Of, Gauge>::default();
    let help = "Connections to the database by which pages read";
    registry.register("database_connections", help, family.clone());
    let (busy, free) = app.reads.connections();
    for (state, count) in [("busy", busy), ("free", free)] {
        family.get_or_create(&vec![("state", state)]).set(count);
    }
}

fn swarms(registry: &mut Registry, app: &App) {
    let live = app.swarms.live();
    let count = |of: fn(&projections::swarm::Count) -> u32| {
        live.iter().map(|(_, count)| i64::from(of(count))).sum()
    };
    let swarms = gauge(registry, "swarms", "Torrents that have a peer");
    swarms.set(i64::try_from(live.len()).unwrap_or(i64::MAX));
    gauge(registry, "seeders", "Peers with everything").set(count(|count| count.seeders));
    gauge(registry, "leechers", "Peers that still download").set(count(|count| count.leechers));
    let help = "1 where other trackers can't be told of this one's peers";
    gauge(registry, "tracker_alone", help).set(app.swarms.is_alone().into());
}

/// What was refused, and who is blocked.
async fn limits(registry: &mut Registry, app: &App) {
    let family = Family::<Of, Counter>::default();
    let help = "Requests that were refused, by what they went past";
    registry.register("refusals", help, family.clone());
    let (refused, made) = app.shield.counts();
    for (class, count) in refused {
        family.get_or_create(&vec![("class", class)]).inc_by(count);
    }
    let blocks = Counter::<u64>::default();
    let help = "Blocks of addresses that this node made";
    registry.register("blocks_made", help, blocks.clone());
    blocks.inc_by(made);
    let limiter = app.shield.limiter();
    let help = "1 where this node counts requests for itself, as Redis is away";
    gauge(registry, "limiter_alone", help).set(limiter.is_alone().into());
    if let Ok(held) = limiter.blocked().await {
        let held = i64::try_from(held).unwrap_or(i64::MAX);
        gauge(registry, "blocks", "Addresses that are blocked").set(held);
    }
}

/// When the log was last backed up, and when a backup was last proved.
fn backups(registry: &mut Registry, runs: &projections::backup::Runs) {
    let at = |run: Option<Run>| run.map_or(0, |run| run.at.unix_timestamp());
    let help = "When the last backup was made, in seconds since 1970; 0 where none is known";
    gauge(registry, "backup_made_timestamp_seconds", help).set(at(runs.made));
    let help = "When a backup was last proved, in seconds since 1970; 0 where none is known";
    gauge(registry, "backup_verified_timestamp_seconds", help).set(at(runs.verified));
}

/// Names what is measured.
type Of = Vec<(&'static str, &'static str)>;

fn projections(registry: &mut Registry, all: &[Projected]) {
    let mut family = |name: &str, help: &str| {
        let family = Family::<Of, Gauge>::default();
        registry.register(format!("projection_{name}"), help, family.clone());
        family
    };
    let position = family("position", "Last position that a projection has applied");
    let lag = family(
        "lag_positions",
        "Positions that a projection hasn't applied",
    );
    let stopped = family("stopped", "1 where a projection stopped at an event");
    let filled = family("rebuild_position", "How far a rebuild is");
    let goal = family("rebuild_goal", "The position that a rebuild must reach");
    let waits = Family::<Of, Gauge<f64, AtomicU64>>::default();
    let help = "Since when the first event that a projection hasn't applied waits";
    registry.register_with_unit("projection_lag", help, Unit::Seconds, waits.clone());
    for one in all {
        let of = vec![("projection", one.name)];
        position.get_or_create(&of).set(one.standing.position.0);
        lag.get_or_create(&of).set(one.behind);
        let is_stopped = one.standing.stopped.is_some();
        stopped.get_or_create(&of).set(is_stopped.into());
        let waiting = std::time::Duration::from_millis(one.waits.unsigned_abs());
        waits.get_or_create(&of).set(waiting.as_secs_f64());
        if let Some(Rebuilding::At { position, of: end }) = &one.rebuilding {
            filled.get_or_create(&of).set(position.0);
            goal.get_or_create(&of).set(end.0);
        }
    }
}
