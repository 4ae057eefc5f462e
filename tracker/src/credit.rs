//! Hands what clients reported over to the log, as numbered batches of cumulative totals.
//!
//! A batch that can't be recorded is tried again under its number until it is: the flush ledger
//! records each number once. Meanwhile reports only raise the totals of their sessions, so what
//! waits never grows beyond one batch and the sessions themselves.

use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use commands::Commands;
use domain::traffic::{Batch, Entry, LARGEST_BATCH};
use domain::transfer::{Pair, Suspicion};
use tokio::sync::{Notify, watch};

use crate::Tracker;

/// How long hurried reports wait for others.
const TOGETHER: Duration = Duration::from_millis(250);
/// How long a batch waits that couldn't be recorded.
const AGAIN: Duration = Duration::from_secs(1);
/// How long the last hand-over may take at shutdown.
const LAST: Duration = Duration::from_secs(10);

/// Where batches are recorded.
#[async_trait]
pub trait Ledger: Send + Sync {
    /// Records a batch once; `day` counts from 1970-01-01.
    async fn record(&self, batch: Batch, day: i64) -> Result<(), Unrecorded>;

    /// Flags what looks wrong.
    async fn flag(&self, of: Pair, suspicion: Suspicion) -> Result<(), Unrecorded>;
}

/// The batch couldn't be recorded now.
#[derive(Debug, thiserror::Error)]
#[error("the batch couldn't be recorded: {0}")]
pub struct Unrecorded(pub String);

#[async_trait]
impl Ledger for Commands {
    async fn record(&self, batch: Batch, day: i64) -> Result<(), Unrecorded> {
        let recorded = Self::record(self, batch, day).await;
        recorded
            .map(|_| ())
            .map_err(|refusal| Unrecorded(refusal.to_string()))
    }

    async fn flag(&self, of: Pair, suspicion: Suspicion) -> Result<(), Unrecorded> {
        let flagged = Self::flag(self, of, suspicion).await;
        flagged
            .map(|_| ())
            .map_err(|refusal| Unrecorded(refusal.to_string()))
    }
}

/// Wakes the hand-over when something shall not wait.
#[derive(Debug, Default)]
pub(crate) struct Handover {
    wake: Notify,
}

impl Handover {
    /// Asks for a hand-over soon.
    pub(crate) fn hurry(&self) {
        self.wake.notify_one();
    }
}

impl Tracker {
    /// Hands over what clients report until `stop` turns true; then once more, unless the tracker is
    /// closed. Gives what the log didn't take, each batch with its day since 1970-01-01.
    pub async fn hand_over(
        &self,
        ledger: &dyn Ledger,
        mut stop: watch::Receiver<bool>,
    ) -> Vec<(Batch, i64)> {
        let mut pending = Pending::default();
        let period = Duration::from_secs(u64::from(self.0.settings.flush.max(1)));
        while !*stop.borrow() {
            tokio::select! {
                () = self.0.handover.wake.notified() => tokio::time::sleep(TOGETHER).await,
                () = tokio::time::sleep(if pending.waits() { AGAIN } else { period }) => {}
                // Whoever would say so is gone.
                changed = stop.changed() => if changed.is_err() { break },
            }
            if self.flush(ledger, &mut pending).await {
                self.flag(ledger).await;
            }
        }
        if self.is_closed() {
            self.number(&mut pending);
            return pending.batches.into();
        }
        let last = async {
            while !self.flush(ledger, &mut pending).await {
                tokio::time::sleep(AGAIN).await;
            }
        };
        // What is left is given back.
        let _in_time = tokio::time::timeout(LAST, last).await;
        pending.batches.into()
    }

    /// Flags what looks wrong; what can't be flagged now waits.
    async fn flag(&self, ledger: &dyn Ledger) {
        let suspicions = &self.0.swarms.suspicions;
        let mut waiting = suspicions.take().into_iter();
        while let Some((of, suspicion)) = waiting.next() {
            if let Err(error) = ledger.flag(of, suspicion).await {
                tracing::warn!(%error, "a flag waits");
                suspicions.give_back(std::iter::once((of, suspicion)).chain(waiting).collect());
                return;
            }
        }
    }

    /// Records all that changed; tells whether nothing waits any more.
    async fn flush(&self, ledger: &dyn Ledger, pending: &mut Pending) -> bool {
        loop {
            if let Some((batch, day)) = pending.batches.front() {
                if let Err(error) = ledger.record(batch.clone(), *day).await {
                    if !pending.away {
                        tracing::warn!(%error, "traffic waits");
                    }
                    pending.away = true;
                    return false;
                }
                pending.away = false;
                pending.batches.pop_front();
                continue;
            }
            if !self.number(pending) {
                return true;
            }
        }
    }

    /// Numbers what changed since the last time; tells whether anything did.
    fn number(&self, pending: &mut Pending) -> bool {
        let entries = self.0.swarms.take_dirty();
        let epoch = self.0.epoch.load(Ordering::Relaxed);
        pending.number(&entries, &self.0.settings.node, epoch);
        !entries.is_empty()
    }

    /// Lets the silent leave, a shard every tenth of a second, until `stop` turns true.
    pub async fn sweep(&self, mut stop: watch::Receiver<bool>) {
        let (mut shard, mut hour) = (0, 0);
        while !*stop.borrow() {
            if hour != self.now() / 3_600 {
                hour = self.now() / 3_600;
                // What was looked at may be flagged anew.
                self.0.swarms.suspicions.forget();
            }
            let silence = self.interval().saturating_mul(2);
            while self.0.swarms.sweep(shard, self.now(), silence) {
                tokio::task::yield_now().await;
            }
            shard = (shard + 1) % crate::swarm::SHARDS;
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(100)) => {}
                _ = stop.changed() => {}
            }
        }
    }
}

/// Batches that have a number and wait to be recorded.
#[derive(Default)]
struct Pending {
    batches: VecDeque<(Batch, i64)>,
    last: i64,
    away: bool,
}

impl Pending {
    fn waits(&self) -> bool {
        !self.batches.is_empty()
    }

    fn number(&mut self, entries: &[Entry], node: &str, epoch: i64) {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let day = i64::try_from(since.as_secs() / 86_400).unwrap_or(0);
        for entries in entries.chunks(LARGEST_BATCH) {
            self.last += 1;
            let batch = Batch {
                node: node.to_owned(),
                epoch,
                number: self.last,
                entries: entries.to_vec(),
            };
            self.batches.push_back((batch, day));
        }
    }
}
