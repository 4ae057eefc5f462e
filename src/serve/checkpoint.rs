//! Sets a checkpoint over the log each hour, and at each shutdown.

use std::time::Duration;

use commands::Commands;
use infra::audit::Audit;
use tokio::sync::watch;

/// How often.
const EACH: Duration = Duration::from_hours(1);

/// Sets checkpoints until told to stop.
pub(super) async fn keep(audit: Audit, commands: Commands, mut stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        tokio::select! {
            () = tokio::time::sleep(EACH) => set(&audit, &commands).await,
            _ = stop.changed() => {}
        }
    }
}

/// Sets a checkpoint, unless nothing happened since the last one.
pub(super) async fn set(audit: &Audit, commands: &Commands) {
    match audit.checkpoint().await {
        Ok(Some(checkpoint)) => {
            if let Err(error) = commands.set_checkpoint(checkpoint).await {
                // Another node was faster, or the database is away; the next one covers it.
                tracing::warn!(%error, "no checkpoint was set");
            }
        }
        Ok(None) => {}
        Err(error) => {
            tracing::error!(%error, "no checkpoint can be set; run opentracker audit verify");
        }
    }
}
