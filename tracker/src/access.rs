//! Who may announce what, in memory, kept current from its projection.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use ahash::{AHashMap, RandomState};
use domain::Position;
use domain::id::{MemberId, TorrentId};
use domain::info_hash::InfoHash;
use projections::access::{self, Changes, Standing};
use projections::{Reads, Unavailable};
use tokio::sync::watch;

use crate::announce::Failure;
use crate::member::{Member, Members};
use crate::rules::Figures;

/// How long the list waits at most before it looks for changes itself.
const POLL: Duration = Duration::from_millis(500);

/// Who may announce what.
pub struct AccessList {
    tables: RwLock<Tables>,
    members: Arc<Members>,
    seen: Seen,
}

#[derive(Default)]
struct Tables {
    members: AHashMap<[u8; 32], Member>,
    passkeys: AHashMap<MemberId, [u8; 32]>,
    torrents: AHashMap<InfoHash, Listed>,
    position: Position,
    /// Members' figures by their numbers.
    figures: Vec<Figures>,
    standing: Position,
}

/// A torrent that may be announced.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Offer {
    pub(crate) torrent: TorrentId,
    /// The number of the member who uploaded it.
    pub(crate) uploader: u32,
    /// Whether it waits for approval.
    pub(crate) pending: bool,
    /// When its freeleech ends, in seconds since 1970; 0 where it has none.
    pub(crate) free_until: i64,
    /// Where its swarm stood at the last announce.
    pub(crate) swarm: u32,
}

/// A torrent of the list.
struct Listed {
    offer: Offer,
    /// Whether it is offered still.
    offered: bool,
    swarm: AtomicU32,
}

/// Passkeys that were seen, by a short hash under a key that nobody else knows: the keyed hash of the
/// list costs ten times as much.
#[derive(Default)]
struct Seen {
    key: RandomState,
    other: RandomState,
    members: RwLock<AHashMap<(u64, u64), Member>>,
}

impl Seen {
    fn hash(&self, passkey: &[u8; 32]) -> (u64, u64) {
        (self.key.hash_one(passkey), self.other.hash_one(passkey))
    }
}

impl std::fmt::Debug for AccessList {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessList").finish_non_exhaustive()
    }
}

impl AccessList {
    /// Makes a list of nobody and nothing.
    pub(crate) fn new(members: Arc<Members>) -> Self {
        Self {
            tables: RwLock::default(),
            members,
            seen: Seen::default(),
        }
    }

    /// Gives the member of a passkey; `mac` is how the list's hashes are made.
    pub(crate) fn member(
        &self,
        passkey: &[u8; 32],
        mac: impl FnOnce() -> [u8; 32],
    ) -> Option<Member> {
        let short = self.seen.hash(passkey);
        let seen = self.seen.members.read();
        if let Some(member) = seen.unwrap_or_else(PoisonError::into_inner).get(&short) {
            return Some(*member);
        }
        // Held until it is noted: who changes the list forgets what was seen afterwards.
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let member = *tables.members.get(&mac())?;
        let seen = self.seen.members.write();
        seen.unwrap_or_else(PoisonError::into_inner)
            .insert(short, member);
        Some(member)
    }

    fn forget_seen(&self) {
        let seen = self.seen.members.write();
        seen.unwrap_or_else(PoisonError::into_inner).clear();
    }

    /// Gives the torrent that is offered under a hash.
    pub(crate) fn torrent(&self, hash: InfoHash) -> Result<Offer, Failure> {
        match self
            .tables
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .torrents
            .get(&hash)
        {
            Some(listed) if listed.offered => Ok(Offer {
                swarm: listed.swarm.load(Ordering::Relaxed),
                ..listed.offer
            }),
            Some(_) => Err(Failure::TorrentWithdrawn),
            None => Err(Failure::TorrentUnknown),
        }
    }

    /// Notes where the swarm of a torrent stands, which saves the next announce looking for it.
    pub(crate) fn note_swarm(&self, hash: InfoHash, at: u32) {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(listed) = tables.torrents.get(&hash) {
            listed.swarm.store(at, Ordering::Relaxed);
        }
    }

    /// Gives a member's figures.
    pub(crate) fn figures(&self, member: u32) -> Figures {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        let at = usize::try_from(member).unwrap_or(usize::MAX);
        tables.figures.get(at).copied().unwrap_or_default()
    }

    /// Takes over how members stand.
    pub fn stand(&self, standings: &[Standing]) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        for standing in standings {
            let number = self.members.number(standing.member).number;
            let at = usize::try_from(number).unwrap_or(usize::MAX);
            if tables.figures.len() <= at {
                tables.figures.resize(at + 1, Figures::default());
            }
            if let Some(place) = tables.figures.get_mut(at) {
                *place = standing.into();
            }
            tables.standing = tables.standing.max(standing.position);
        }
    }

    /// Takes changes over.
    pub fn apply(&self, changes: Changes) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        if !changes.members.is_empty() {
            self.forget_seen();
        }
        for changed in changes.members {
            if let Some(old) = tables.passkeys.remove(&changed.member) {
                tables.members.remove(&old);
            }
            tables.position = tables.position.max(changed.position);
            let Some(passkey) = changed.passkey else {
                continue;
            };
            tables.passkeys.insert(changed.member, passkey);
            let until = changed
                .banned_until
                .map(|until| until.clamp(0, u32::MAX.into()));
            let member = Member {
                staff: changed.staff,
                banned_until: until.map_or(0, |until| u32::try_from(until).unwrap_or(u32::MAX)),
                ..self.members.number(changed.member)
            };
            tables.members.insert(passkey, member);
        }
        for changed in changes.torrents {
            let offer = Offer {
                torrent: changed.torrent,
                uploader: self.members.number(changed.uploader).number,
                pending: changed.pending,
                free_until: changed.free_until.unwrap_or(0),
                swarm: 0,
            };
            let offered = changed.offered;
            for hash in changed.hashes {
                let listed = || Listed {
                    offer,
                    offered,
                    swarm: AtomicU32::new(0),
                };
                let known = tables.torrents.entry(hash).or_insert_with(listed);
                // A hash that was withdrawn may be offered anew by another torrent.
                if offered || known.offer.torrent == changed.torrent {
                    (known.offer, known.offered) = (offer, offered);
                }
            }
            tables.position = tables.position.max(changed.position);
        }
    }

    /// Forgets everybody and everything.
    pub(crate) fn clear(&self) {
        let mut tables = self.tables.write().unwrap_or_else(PoisonError::into_inner);
        self.forget_seen();
        *tables = Tables::default();
    }

    fn position(&self) -> Position {
        self.tables
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .position
    }

    fn standing(&self) -> Position {
        let tables = self.tables.read().unwrap_or_else(PoisonError::into_inner);
        tables.standing
    }

    /// Takes over what has changed since the last time.
    pub async fn catch_up(&self, reads: &Reads) -> Result<(), Unavailable> {
        let mut changes = access::changes(reads, self.position()).await?;
        changes.torrents.sort_by_key(|torrent| torrent.position);
        self.apply(changes);
        let known = self.standing();
        self.stand(&access::standings(reads, known).await?);
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
