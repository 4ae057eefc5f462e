//! The event store with everything that hangs on it, opened the same way by every command.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

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
use infra::vault::{Vault, VaultError};
use projections::feed::Feed;
use projections::history::History;

use crate::config::Config;

/// How long a database of our own may take to come or to go.
const PATIENCE: Duration = Duration::from_secs(10);

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
        let store = Self::open_closed(config).await?;
        match store.vault.unlock(&config.key_path()).await {
            Ok(()) => Ok(store),
            Err(error) => store.refuse(error).await,
        }
    }

    /// Opens the store, and the vault where it isn't sealed.
    pub(crate) async fn open_any(config: &Config) -> anyhow::Result<Self> {
        Self::open_closed(config).await?.unlocked(config).await
    }

    /// Opens the store as the one program that serves from the data directory, and the vault where it
    /// isn't sealed.
    pub(crate) async fn open_alone(config: &Config) -> anyhow::Result<Self> {
        make_folder(&config.data_dir)?;
        let (url, embedded) = match config.database.url.as_str() {
            "" => start(config)?,
            given => (given.to_owned(), None),
        };
        let store = Self::connect(&url, embedded).await?;
        store.unlocked(config).await
    }

    /// Opens the store without its keys.
    pub(crate) async fn open_closed(config: &Config) -> anyhow::Result<Self> {
        let until = Instant::now() + PATIENCE;
        loop {
            let (url, embedded) = find(config)?;
            // A server whose program was killed shuts down just now.
            let passing = config.database.url.is_empty() && embedded.is_none();
            match Self::connect(&url, embedded).await {
                Err(_) if passing && Instant::now() < until => {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
                opened => return opened,
            }
        }
    }

    async fn connect(url: &str, embedded: Option<Embedded>) -> anyhow::Result<Self> {
        let pools = postgres::connect(url).await?;
        let vault = Arc::new(Vault::closed(pools.log.clone()));
        let (commands, feed) = roles(&pools, &vault);
        Ok(Self {
            pools,
            vault,
            commands,
            feed,
            embedded,
        })
    }

    async fn unlocked(self, config: &Config) -> anyhow::Result<Self> {
        match self.vault.unlock(&config.key_path()).await {
            Ok(()) | Err(VaultError::Sealed) => Ok(self),
            Err(error) => self.refuse(error).await,
        }
    }

    async fn refuse(self, error: VaultError) -> anyhow::Result<Self> {
        self.close().await?;
        Err(error.into())
    }

    /// Forgets every state and event that the write side and the feed keep in memory.
    pub(crate) fn renew(&mut self) {
        (self.commands, self.feed) = roles(&self.pools, &self.vault);
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
        self.pools.pages.close().await;
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

/// Makes the write side and the feed.
fn roles(pools: &Pools, vault: &Arc<Vault>) -> (Commands, Arc<dyn Feed>) {
    let events = EventStore::new(pools.log.clone(), Arc::clone(vault));
    let feed = LogFeed::new(pools.log.clone(), Arc::clone(vault), events.recent());
    let keys = Arc::<Vault>::clone(vault);
    let commands = Commands::new(Arc::new(events), Arc::new(random::System), keys);
    (commands, Arc::new(feed))
}

fn start(config: &Config) -> anyhow::Result<(String, Option<Embedded>)> {
    let embedded = Embedded::start(&config.data_dir)?;
    Ok((embedded.url().to_owned(), Some(embedded)))
}

pub(crate) fn make_folder(path: &Path) -> anyhow::Result<()> {
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
