//! The event store with everything that hangs on it, opened the same way by every command.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::Context as _;
use commands::Commands;
use domain::Keyed;
use infra::audit::Audit;
use infra::embedded::Embedded;
use infra::event_store::EventStore;
use infra::feed::LogFeed;
use infra::history::LogHistory;
use infra::postgres::{self, Pools};
use infra::random;
use infra::vault::{self, Vault};
use projections::feed::Feed;
use projections::history::History;
use zeroize::Zeroizing;

use crate::config::Config;

/// The open event store.
pub(crate) struct Store {
    pub(crate) pools: Pools,
    pub(crate) vault: Arc<Vault>,
    pub(crate) commands: Commands,
    pub(crate) feed: Arc<dyn Feed>,
    /// The database that this program brought up itself.
    pub(crate) embedded: Option<Embedded>,
}

impl Store {
    /// Opens the store: a given database, the one that another program of ours serves from the data
    /// directory, or an embedded one.
    pub(crate) async fn open(config: &Config) -> anyhow::Result<Self> {
        let (url, embedded) = find(config)?;
        Self::connect(config, &url, embedded).await
    }

    /// Brings the master key's file back by the Panic Password, without opening the store.
    pub(crate) async fn restore_key(
        config: &Config,
        password: Zeroizing<String>,
    ) -> anyhow::Result<()> {
        let (url, embedded) = find(config)?;
        let pools = postgres::connect(&url).await?;
        let restored = vault::restore(&pools.log, &key_path(config), password).await;
        pools.log.close().await;
        pools.read.close().await;
        if let Some(embedded) = embedded {
            embedded.stop()?;
        }
        Ok(restored?)
    }

    /// Opens the store as the one program that serves from the data directory.
    pub(crate) async fn open_alone(config: &Config) -> anyhow::Result<Self> {
        make_folder(&config.data_dir)?;
        let (url, embedded) = match config.database.url.as_str() {
            "" => start(config)?,
            given => (given.to_owned(), None),
        };
        Self::connect(config, &url, embedded).await
    }

    async fn connect(
        config: &Config,
        url: &str,
        embedded: Option<Embedded>,
    ) -> anyhow::Result<Self> {
        let pools = postgres::connect(url).await?;
        let vault = Vault::open(pools.log.clone(), &key_path(config)).await?;
        let vault = Arc::new(vault);
        let events = EventStore::new(pools.log.clone(), Arc::clone(&vault));
        let feed = Arc::new(LogFeed::new(
            pools.log.clone(),
            Arc::clone(&vault),
            events.head(),
        ));
        let keys = Arc::<Vault>::clone(&vault);
        let commands = Commands::new(Arc::new(events), Arc::new(random::System), keys);
        Ok(Self {
            pools,
            vault,
            commands,
            feed,
            embedded,
        })
    }

    /// Brings the database of our own up again, if it died.
    ///
    /// It finds the same socket, so the pools go on.
    pub(crate) fn revive(&mut self) {
        if let Some(embedded) = &mut self.embedded
            && let Some(status) = embedded.ended()
        {
            tracing::error!(%status, "the embedded database ended; it is started again");
            if let Err(error) = embedded.restart() {
                tracing::error!(%error, "the embedded database can't be started");
            }
        }
    }

    /// Gives the keyed hashes.
    pub(crate) fn keys(&self) -> Arc<dyn Keyed> {
        Arc::<Vault>::clone(&self.vault)
    }

    /// Gives what proves the log.
    pub(crate) fn audit(&self) -> Audit {
        Audit::new(self.pools.log.clone(), Arc::clone(&self.vault))
    }

    /// Gives what looks into the log.
    pub(crate) fn history(&self) -> Arc<dyn History> {
        Arc::new(LogHistory::new(
            self.pools.log.clone(),
            Arc::clone(&self.vault),
        ))
    }

    /// Lets go of the database, and stops it if it is ours.
    pub(crate) async fn close(self) -> anyhow::Result<()> {
        if let Some(embedded) = self.let_go().await {
            embedded.stop()?;
        }
        Ok(())
    }

    /// Lets go of the database, and removes it if it is ours.
    pub(crate) async fn remove(self) -> anyhow::Result<()> {
        if let Some(embedded) = self.let_go().await {
            embedded.remove()?;
        }
        Ok(())
    }

    async fn let_go(self) -> Option<Embedded> {
        self.pools.log.close().await;
        self.pools.read.close().await;
        self.embedded
    }
}

/// Finds the database: a given one, the one that another program of ours runs, or an embedded one that
/// is started for it.
fn find(config: &Config) -> anyhow::Result<(String, Option<Embedded>)> {
    make_folder(&config.data_dir)?;
    let given = Some(config.database.url.clone()).filter(|url| !url.is_empty());
    match given.or_else(|| Embedded::running(&config.data_dir)) {
        Some(url) => Ok((url, None)),
        None => start(config),
    }
}

fn key_path(config: &Config) -> PathBuf {
    config.data_dir.join("keys/master.key")
}

fn start(config: &Config) -> anyhow::Result<(String, Option<Embedded>)> {
    let embedded = Embedded::start(&config.data_dir)?;
    Ok((embedded.url().to_owned(), Some(embedded)))
}

fn make_folder(path: &Path) -> anyhow::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    let made = std::fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(path);
    made.with_context(|| {
        format!(
            "the data directory {} can't be made; choose another --data-dir",
            path.display()
        )
    })
}
