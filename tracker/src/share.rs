//! What the trackers of a site tell each other, so that any of them answers with every peer and goes
//! on with every client's totals.
//!
//! Each tells what changed in batches, off the path of an announce, through a [`Relay`] that keeps them
//! as long as a silent peer stays: who starts reads that first and then answers with everybody. While
//! the relay is away, a session that changes again is told once, so what waits doesn't grow beyond
//! the sessions. Where it forgot what it was told, every tracker tells all that it knows once more.

use std::sync::atomic::Ordering;
use std::time::Duration;

use commands::ports::{Channel, Relay, Unavailable};
use domain::id::{MemberId, TorrentId};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use crate::Tracker;
use crate::session::Totals;
use crate::swarm::{Addresses, Side};

/// How long changes wait for others.
const TOGETHER: Duration = Duration::from_millis(100);
/// Changes in a message.
const MESSAGE: usize = 500;
/// Changes that are taken at once.
const MOST: usize = 50 * MESSAGE;
/// How long who tells or hears waits when the relay is away.
const AGAIN: Duration = Duration::from_millis(500);
/// The mark that lies before everything.
const NOTHING: &str = "0";
/// How long a hearing waits for something to be told.
const LISTEN: Duration = Duration::from_secs(1);

/// How a client stands on one torrent after an announce.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Change {
    pub(crate) torrent: TorrentId,
    pub(crate) member: MemberId,
    pub(crate) peer: [u8; 20],
    pub(crate) totals: Totals,
    /// Where it stands in the swarm, and where it listens; nothing once it has left.
    pub(crate) place: Option<(Side, Addresses)>,
}

/// The shape of a message.
const SHAPE: u8 = 2;

#[derive(Serialize, Deserialize)]
struct Message {
    shape: u8,
    /// Who tells, so that nobody hears himself.
    node: u64,
    changes: Vec<Change>,
}

impl Tracker {
    /// Takes over what was told of the peers that may still be there, also by this tracker before it
    /// forgot them; gives the mark from which [`Self::hear`] goes on.
    pub async fn catch_up(&self, relay: &dyn Relay) -> Result<String, Unavailable> {
        self.0.swarms.listen();
        let mut mark = NOTHING.to_owned();
        loop {
            let heard = relay.hear(Channel::Swarms, &mark, Duration::ZERO).await?;
            let Some((last, _)) = heard.last() else {
                return Ok(mark);
            };
            mark.clone_from(last);
            for (_, message) in &heard {
                self.learn(message, true);
            }
            // Others run on this thread.
            tokio::task::yield_now().await;
        }
    }

    /// Takes over what others tell after a mark, until `stop` turns true.
    pub async fn hear(&self, relay: &dyn Relay, mut mark: String, mut stop: watch::Receiver<bool>) {
        let mut was_away = false;
        while !*stop.borrow() {
            let hearing = async {
                if was_away && !relay.holds(Channel::Swarms, &mark).await? {
                    // It came back empty: whoever starts now must find everybody in it.
                    NOTHING.clone_into(&mut mark);
                    self.0.swarms.all_untold(self.silent());
                }
                was_away = false;
                relay.hear(Channel::Swarms, &mark, LISTEN).await
            };
            let heard = tokio::select! {
                heard = hearing => heard,
                _ = stop.changed() => return,
            };
            let Ok(heard) = heard else {
                was_away = true;
                tokio::time::sleep(AGAIN).await;
                continue;
            };
            for (at, message) in heard {
                self.learn(&message, false);
                mark = at;
            }
        }
    }

    fn learn(&self, message: &[u8], own: bool) {
        // What another version told in a shape of its own is told again by the next announce.
        let Some((&SHAPE, _)) = message.split_first() else {
            return;
        };
        let Ok(message) = postcard::from_bytes::<Message>(message) else {
            return;
        };
        if message.node == self.0.id && !own {
            return;
        }
        let silent = self.silent();
        for mut change in message.changes {
            if change.totals.last < silent {
                change.place = None;
            }
            self.0.swarms.learn(&change);
        }
    }

    /// Gives the time since when nobody who is still there was silent.
    fn silent(&self) -> u32 {
        self.now().saturating_sub(self.interval().saturating_mul(2))
    }

    /// Tells what changes here until `stop` turns true; then once more, unless the tracker is closed.
    pub async fn tell(&self, relay: &dyn Relay, mut stop: watch::Receiver<bool>) {
        self.0.swarms.tell.store(true, Ordering::Relaxed);
        while !*stop.borrow() {
            tokio::select! {
                () = tokio::time::sleep(TOGETHER) => {}
                _ = stop.changed() => {}
            }
            if !self.is_closed() && !self.tell_all(relay).await {
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    /// Tells all that changed; tells whether the relay took it.
    async fn tell_all(&self, relay: &dyn Relay) -> bool {
        // Nobody stays longer than two intervals without an announce.
        let keep = Duration::from_secs(u64::from(self.interval()) * 2 + 60);
        loop {
            let changes = self.0.swarms.take_untold(MOST);
            if changes.is_empty() {
                return true;
            }
            let told = relay
                .tell(Channel::Swarms, &self.messages(&changes), keep)
                .await;
            let was_alone = self.0.alone.swap(told.is_err(), Ordering::Relaxed);
            if let Err(error) = told {
                if !was_alone {
                    tracing::warn!(%error, "other trackers hear nothing of this one");
                }
                self.0.swarms.untold(&changes);
                return false;
            }
            if was_alone {
                tracing::info!("other trackers hear this one again");
            }
        }
    }

    fn messages(&self, changes: &[Change]) -> Vec<Vec<u8>> {
        let message = |changes: &[Change]| {
            let message = Message {
                shape: SHAPE,
                node: self.0.id,
                changes: changes.to_vec(),
            };
            // Nothing in it can't be written.
            postcard::to_allocvec(&message).unwrap_or_default()
        };
        changes.chunks(MESSAGE).map(message).collect()
    }
}
