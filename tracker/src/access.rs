//! Who may announce what, in memory, kept current from its projection.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use domain::Position;
use domain::id::{MemberId, TorrentId};
use domain::info_hash::InfoHash;
use projections::access::{self, Changes};
use projections::{Reads, Unavailable};
use tokio::sync::watch;

use crate::announce::Failure;

/// How long the list waits at most before it looks for changes itself.
const POLL: Duration = Duration::from_millis(500);

/// Who may announce what.
#[derive(Default)]
pub struct AccessList {
    tables: RwLock<Tables>,
}

#[derive(Default)]
struct Tables {
    members: HashMap<[u8; 32], MemberId>,
    passkeys: HashMap<MemberId, [u8; 32]>,
    torrents: HashMap<InfoHash, (TorrentId, bool)>,
    position: Position,
}

impl std::fmt::Debug for AccessList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessList").finish_non_exhaustive()
    }
}

impl AccessList {
    /// Gives the member of a passkey's hash.
    pub(crate) fn member(&self, passkey: &[u8; 32]) -> Option<MemberId> {
        self.tables
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .members
            .get(passkey)
            .copied()
    }

    /// Gives the torrent that is offered under a hash.
    pub(crate) fn torrent(&self, hash: InfoHash) -> Result<TorrentId, Failure> {
        match self
            .tables
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .torrents
            .get(&hash)
        {
            Some((torrent, true)) => Ok(*torrent),
            Some((_, false)) => Err(Failure::TorrentWithdrawn),
            None => Err(Failure::TorrentUnknown),
        }
    }

    /// Takes changes over.
    pub fn apply(&self, changes: Changes) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        for changed in changes.members {
            if let Some(old) = tables.passkeys.insert(changed.member, changed.passkey) {
                tables.members.remove(&old);
            }
            tables.members.insert(changed.passkey, changed.member);
            tables.position = tables.position.max(changed.position);
        }
        for changed in changes.torrents {
            for hash in changed.hashes {
                let known = tables
                    .torrents
                    .entry(hash)
                    .or_insert((changed.torrent, changed.offered));
                // A hash that was withdrawn may be offered anew by another torrent.
                if changed.offered || known.0 == changed.torrent {
                    *known = (changed.torrent, changed.offered);
                }
            }
            tables.position = tables.position.max(changed.position);
        }
    }

    /// Forgets everybody and everything.
    pub(crate) fn clear(&self) {
        *self.tables.write().unwrap_or_else(PoisonError::into_inner) = Tables::default();
    }

    fn position(&self) -> Position {
        self.tables
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .position
    }

    /// Takes over what has changed since the last time.
    pub async fn catch_up(&self, reads: &Reads) -> Result<(), Unavailable> {
        let mut changes = access::changes(reads, self.position()).await?;
        changes.torrents.sort_by_key(|torrent| torrent.position);
        self.apply(changes);
        Ok(())
    }

    /// Stays current until `stop` turns true; while the database is away the list stays as it is.
    pub async fn follow(&self, reads: &Reads, mut stop: watch::Receiver<bool>) {
        let mut progress = reads.progress();
        let mut away = false;
        while !*stop.borrow() {
            match self.catch_up(reads).await {
                Ok(()) => away = false,
                Err(error) => {
                    if !away {
                        tracing::warn!(reason = %error.0, "the access list can't be refreshed");
                    }
                    away = true;
                }
            }
            tokio::select! {
                changed = progress.changed(), if !away => {
                    if changed.is_err() {
                        return;
                    }
                }
                () = tokio::time::sleep(POLL) => {}
                _ = stop.changed() => {}
            }
        }
    }
}
