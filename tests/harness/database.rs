//! A real database with an event store, for tests of the store itself.

use std::sync::Arc;

use commands::Commands;
use commands::user::Join;
use domain::Keyed;
use domain::id::MemberId;
use domain::user::{Credentials, Name, Role};
use infra::embedded::Embedded;
use infra::event_store::EventStore;
use infra::feed::LogFeed;
use infra::postgres::{self, Pools};
use infra::random::System;
use infra::vault::Vault;
use tempfile::TempDir;

use crate::cluster;

/// An embedded database with an event store on it.
#[derive(Debug)]
pub struct Database {
    pub pools: Pools,
    pub vault: Arc<Vault>,
    pub events: EventStore,
    pub commands: Commands,
    pub feed: Arc<LogFeed>,
    pub embedded: Option<Embedded>,
    pub folder: TempDir,
}

impl Database {
    pub async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let embedded = cluster::start(folder.path());
        let pools = postgres::connect(embedded.url()).await.unwrap();
        let vault = Vault::open(pools.log.clone(), &folder.path().join("keys/master.key"))
            .await
            .unwrap();
        let vault = Arc::new(vault);
        let events = EventStore::new(pools.log.clone(), Arc::clone(&vault));
        let feed = Arc::new(LogFeed::new(
            pools.log.clone(),
            Arc::clone(&vault),
            events.recent(),
        ));
        let keys: Arc<dyn Keyed> = Arc::<Vault>::clone(&vault);
        let commands = Commands::new(Arc::new(events.clone()), Arc::new(System), keys);
        Self {
            pools,
            vault,
            events,
            commands,
            feed,
            embedded: Some(embedded),
            folder,
        }
    }

    /// Reads the log as another process does, which appended nothing of it.
    pub fn read_as_another(&mut self) {
        let other = EventStore::new(self.pools.log.clone(), Arc::clone(&self.vault));
        self.feed = Arc::new(LogFeed::new(
            self.pools.log.clone(),
            Arc::clone(&self.vault),
            other.recent(),
        ));
    }

    pub fn keys(&self) -> Arc<dyn Keyed> {
        Arc::<Vault>::clone(&self.vault)
    }

    pub async fn member(&self, name: &str) -> MemberId {
        let join = Join {
            name: Name::parse(name).unwrap(),
            credentials: credentials(),
        };
        self.commands
            .create_member(join, Role::Member)
            .await
            .unwrap()
            .of
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(embedded) = self.embedded.take() {
            let _stopped = embedded.stop();
        }
    }
}

/// What a site keeps of some password.
pub fn credentials() -> Credentials {
    Credentials {
        salt: [1; 32],
        iterations: 100_000,
        verifier: [2; 32],
        server_key: [3; 32],
    }
}
