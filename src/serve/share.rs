//! What this node shares with others, where there is a Redis.

use std::time::Duration;

use commands::ports::Relay as _;
use infra::redis::Redis;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::Program;
use crate::config::Config;
use crate::role::Role;
use crate::store::Store;

/// How long what is shared may take to be forgotten; it can be read by nobody without the vault's keys.
const PATIENCE: Duration = Duration::from_secs(2);

/// Makes the connections, if there is a Redis.
pub(super) fn connect(config: &Config, store: &Store) -> anyhow::Result<Option<Redis>> {
    if config.redis.url.is_empty() {
        return Ok(None);
    }
    let epoch = store
        .vault
        .epoch()
        .ok_or(infra::vault::VaultError::Sealed)?;
    let keys = store.keys();
    Ok(Some(Redis::new(&config.redis.url, keys.as_ref(), epoch)?))
}

/// Lets the tracker learn who is in the swarms, then tell and hear until `stopped` turns true. Where
/// pages alone are shown it has no peers of its own, and tells what it heard to a Redis that lost it.
pub(super) async fn start(
    redis: &Redis,
    program: &Program,
    tasks: &mut JoinSet<()>,
    stopped: &watch::Receiver<bool>,
) {
    let tracker = &program.tracker;
    let mark = match tracker.catch_up(redis).await {
        Ok(mark) => mark,
        Err(error) => {
            tracing::warn!(%error, "the swarms begin empty, and fill when it is back");
            "0".to_owned()
        }
    };
    if let Ok(true) = redis.persists().await {
        tracing::warn!("{}", PERSISTS);
    }
    let (one, relay, stop) = (tracker.clone(), redis.clone(), stopped.clone());
    tasks.spawn(async move { one.hear(&relay, mark, stop).await });
    let (one, relay, stop) = (tracker.clone(), redis.clone(), stopped.clone());
    tasks.spawn(async move { one.tell(&relay, stop).await });
    if !program.config.does(Role::Tracker) {
        return;
    }
    let (one, relay, stop) = (tracker.clone(), redis.clone(), stopped.clone());
    tasks.spawn(async move { one.overhear(&relay, stop).await });
    let (one, relay, stop) = (tracker.clone(), redis.clone(), stopped.clone());
    tasks.spawn(async move { one.talk(&relay, stop).await });
}

/// What is said where Redis writes its memory to a disk.
pub(super) const PERSISTS: &str =
    "Redis keeps copies of its memory on a disk; set `save \"\"` and `appendonly no` there";

/// Forgets what was shared.
pub(super) async fn forget(redis: &Redis) {
    let forgotten = tokio::time::timeout(PATIENCE, redis.forget()).await;
    if !matches!(forgotten, Ok(Ok(()))) {
        tracing::warn!(
            "what Redis holds of the swarms is still there, encrypted, until it expires"
        );
    }
}
