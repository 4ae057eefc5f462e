//! The phase in which nothing can be read: the pass over the log goes on, pages tell how far it is, and
//! the Panic Password is waited for.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use domain::traffic::Batch;
use domain::vault::State;
use infra::panic::{WorkError, seal, traffic};
use infra::postgres::Pools;
use infra::vault::{self, Row, Vault, VaultError, state};
use projections::Projection;

use super::desk::Desk;
use super::{Ended, Program, watch_over};
use crate::store::Store;

/// How often the vault's row is looked at.
const LOOK: Duration = Duration::from_millis(250);

/// Runs until a signal, or until the vault opens again.
pub(super) async fn run(program: &mut Program, store: &mut Store) -> anyhow::Result<Ended> {
    program.front.close();
    program.tracker.close();
    program.tracker.clear();
    program.sockets.answer(&program.front, &program.tracker)?;
    tracing::warn!("the vault is sealed; pages and announces say so");
    remove_index(&program.config.data_dir.join("search"));
    let mut night = Night {
        pools: store.pools.clone(),
        vault: Arc::clone(&store.vault),
        projections: projections::all(&store.keys()),
        desk: Arc::clone(&program.desk),
        key: program.config.key_path(),
        waiting: &mut program.waiting,
        destroyed: false,
        hidden: false,
    };
    let mut signal = program.signal.clone();
    let ended = watch_over(store, async {
        tokio::select! {
            _ = signal.wait_for(|stop| *stop) => Ended::Stopped,
            () = night.pass() => Ended::Turned,
        }
    })
    .await;
    Ok(ended)
}

/// Removes the search index from the disk: its terms are plaintext.
fn remove_index(folder: &Path) {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != ErrorKind::NotFound => {
            tracing::error!(%error, folder = %folder.display(), "the search index is still there: remove it by hand");
        }
        _ => {}
    }
}

/// What is done while the vault is sealed.
struct Night<'a> {
    pools: Pools,
    vault: Arc<Vault>,
    projections: Vec<Arc<dyn Projection>>,
    desk: Arc<Desk>,
    key: PathBuf,
    waiting: &'a mut Vec<(Batch, i64)>,
    /// Whether the master key's file is gone.
    destroyed: bool,
    /// Whether nothing is left to be encrypted or hidden.
    hidden: bool,
}

impl Night<'_> {
    /// Does what is left to do, until the vault opens with this node's key.
    async fn pass(&mut self) {
        loop {
            tokio::time::sleep(LOOK).await;
            match state::read(&self.pools.log).await {
                Ok(Some(row)) if row.state == State::Open => {
                    if self.opens().await {
                        return;
                    }
                }
                Ok(Some(row)) => self.work(&row).await,
                Ok(None) | Err(_) => {}
            }
        }
    }

    async fn opens(&self) -> bool {
        match self.vault.unlock(&self.key).await {
            Ok(()) => return true,
            Err(VaultError::Sealed | VaultError::Database(_)) => {}
            Err(error) => self.desk.say(Some(error.to_string())),
        }
        false
    }

    async fn work(&mut self, row: &Row) {
        if !self.destroyed {
            // The program may have died between the database's word and this.
            match vault::destroy_key(&self.key, row) {
                Ok(()) => self.destroyed = true,
                Err(error) => self.desk.say(Some(error.to_string())),
            }
        }
        if !self.waiting.is_empty() {
            match traffic::keep(&self.pools.log, self.waiting).await {
                Ok(true) => self.waiting.clear(),
                // It is recorded as soon as the vault opens.
                Ok(false) => {}
                Err(error) => tracing::warn!(%error, "the last traffic waits in memory"),
            }
        }
        if row.state == State::Sealing || (row.state == State::Sealed && !self.hidden) {
            self.seal().await;
        }
    }

    async fn seal(&mut self) {
        match seal::run(&self.pools.log, &self.pools.read, &self.projections).await {
            Ok(moved) => {
                self.hidden = true;
                tracing::info!(events = moved.rows, "the vault is sealed");
            }
            Err(WorkError::Busy | WorkError::Moved) => {}
            Err(error) => {
                tracing::error!(%error, "the sealing waits");
                tokio::time::sleep(LOOK * 4).await;
            }
        }
    }
}
