//! A store of a benchmark's own.

use anyhow::Context as _;
use uuid::Uuid;

use crate::config::Config;
use crate::store::Store;

/// Opens an empty store below the data directory.
pub(super) async fn open(config: &Config) -> anyhow::Result<(Store, Config)> {
    let own = folder(config);
    let store = Store::open_alone(&own).await?;
    Ok((store, own))
}

/// Names a folder for a store below the data directory.
pub(super) fn folder(config: &Config) -> Config {
    let mut own = config.clone();
    own.data_dir = config.data_dir.join(format!("bench-{}", Uuid::new_v4()));
    own.database.url.clear();
    own
}

/// Ends the store and removes it.
pub(super) async fn remove(store: Store, own: &Config) -> anyhow::Result<()> {
    store.remove().await?;
    std::fs::remove_dir_all(&own.data_dir)
        .with_context(|| format!("{} can't be removed", own.data_dir.display()))
}
