//! The read tables at the command line.

use std::sync::Arc;

use projections::{Projection, rebuild, runner};
use serde_json::json;

use crate::announcement::{self, Progress};
use crate::cli;
use crate::config::Config;
use crate::store::Store;

/// Shows how far the projections are, or rebuilds them.
pub(crate) async fn command(
    config: &Config,
    command: &cli::Projections,
    json: bool,
) -> anyhow::Result<()> {
    let store = Store::open(config).await?;
    let all = projections::all(&store.keys());
    let done = match command {
        cli::Projections::Status => status(&store, &all, json).await,
        cli::Projections::Rebuild { name, .. } => {
            rebuild_some(&store, &all, name.as_deref(), json).await
        }
    };
    store.close().await?;
    done
}

async fn status(store: &Store, all: &[Arc<dyn Projection>], json: bool) -> anyhow::Result<()> {
    let outdated = runner::prepare(&store.pools.read, all).await?;
    let head = store.feed.head().await?;
    let mut rows = vec![];
    for status in runner::status(&store.pools.read).await? {
        let lag = head.0 - status.position.0;
        let age = if lag == 0 {
            0
        } else {
            store.feed.age_ms(status.position).await?
        };
        let state = if status.error.is_some() {
            "stopped"
        } else if outdated.iter().any(|one| one.name() == status.name) {
            "of another version"
        } else {
            "living"
        };
        if !json {
            let error = status
                .error
                .as_deref()
                .map(|error| format!(": {error}"))
                .unwrap_or_default();
            announcement::print(&format!(
                "{:<10} version {} at {} of {head}, {state}{error}",
                status.name, status.version, status.position
            ));
        }
        rows.push(json!({
            "name": status.name, "version": status.version, "position": status.position,
            "lag_positions": lag, "lag_ms": age, "state": state, "error": status.error,
        }));
    }
    if json {
        announcement::print(&serde_json::Value::Array(rows).to_string());
    }
    Ok(())
}

async fn rebuild_some(
    store: &Store,
    all: &[Arc<dyn Projection>],
    name: Option<&str>,
    json: bool,
) -> anyhow::Result<()> {
    runner::prepare(&store.pools.read, all).await?;
    let chosen: Vec<_> = all
        .iter()
        .filter(|one| name.is_none_or(|name| one.name() == name))
        .cloned()
        .collect();
    let names = || {
        all.iter()
            .map(|one| one.name())
            .collect::<Vec<_>>()
            .join(", ")
    };
    anyhow::ensure!(
        !chosen.is_empty(),
        "there is no such projection; there are {}",
        names()
    );
    let mut progress = Progress::new("positions");
    let position = rebuild::rebuild(&store.pools.read, &store.feed, &chosen, |at, head| {
        progress.show(at.0, Some(head.0));
    })
    .await?;
    drop(progress);
    for projection in chosen {
        let name = projection.name();
        let value = json!({ "name": name, "position": position });
        announcement::answer(
            json,
            &value,
            &format!("{name:<10} rebuilt up to {position}"),
        );
    }
    Ok(())
}
