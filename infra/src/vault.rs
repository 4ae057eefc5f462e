//! The one owner of keys. Everything else asks it.
//!
//! The master key is a file outside the database. Under it stands, in the database, the wrapping key,
//! and under that the data keys: one for the log a month, one for each member's own events, one from
//! which the keyed hashes' keys are derived. Keys are wiped when dropped and never shown, and
//! [`Vault::forget`] drops them all at once: from then on nothing opens and nothing is hashed.

use std::path::Path;
use std::sync::Arc;

use arc_swap::ArcSwapOption;
use domain::vault::State;
use domain::{Keyed, Purpose};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::Rng as _;
use sha2::Sha256;
use sqlx::PgPool;
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::seal::{self, Key, Unsealable};

pub(crate) mod copy;
pub(crate) mod keyring;
mod keys;
mod master;
pub(crate) mod rotate;
pub mod share;
pub(crate) mod slot;
pub mod state;

use keys::Keys;
pub use rotate::Rotated;
pub use slot::{LEAST_WORK, MOST_WORK, NotOpened, Opened, Recipient, Secret, Slot};
pub use state::Row;

/// Why the vault doesn't open.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// The master key's file is gone, but the store was sealed with it.
    #[error(
        "the master key {0} is missing, and this event store was sealed with it; put it back from your backup, or run `opentracker panic restore` with the Panic Password"
    )]
    Missing(String),
    /// The master key's file holds another key.
    #[error(
        "the master key {0} doesn't belong to this event store; nothing was changed; put the right key there, or point DATABASE_URL to its store"
    )]
    Wrong(String),
    /// The file can't be read or written.
    #[error("the master key {path} can't be used: {source}")]
    File {
        /// Where it should be.
        path: String,
        /// Why not.
        source: std::io::Error,
    },
    /// Somebody made everything unreadable, or this node's keys were dropped.
    #[error(
        "the vault is sealed: nothing can be read before `opentracker panic restore` and the Panic Password"
    )]
    Sealed,
    /// The key was its member's, and went with them.
    #[error("the member was erased, and the key with them")]
    Erased,
    /// The database can't be reached.
    #[error("the keys can't be read from the database")]
    Database(#[from] sqlx::Error),
    /// A stored key doesn't open under the master key.
    #[error("a stored key was tampered with")]
    Tampered(#[from] Unsealable),
}

/// A data key that isn't stored yet: it goes into the append's own transaction.
#[derive(Debug, Clone)]
pub(crate) struct NewKey {
    pub(crate) key_id: i32,
    pub(crate) class: &'static str,
    pub(crate) subject: Uuid,
    pub(crate) wrapped: Vec<u8>,
}

/// The keys, while they are at hand.
pub struct Vault {
    pool: PgPool,
    open: ArcSwapOption<Keys>,
}

/// How the vault stood when its keys were taken up: whoever appends must find it so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Fence {
    pub(crate) state: State,
    pub(crate) epoch: i64,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_open() {
            "Vault(open)"
        } else {
            "Vault(closed)"
        })
    }
}

/// The class of the log's keys; the subject names the month.
const LOG: &str = "log";
/// The class of members' own keys; the subject is the member.
const MEMBER: &str = "member";
/// The class of the key from which the keyed hashes' keys are derived.
const INDEX: &str = "index";

/// The streams that stand under a member's id and are sealed under the member's own key.
const OWN: [&str; 5] = ["user", "api_key", "bookmarks", "feed_key", "reading"];

impl Vault {
    /// Opens the vault with the master key at `path`; makes both when the store is new.
    pub async fn open(pool: PgPool, path: &Path) -> Result<Self, VaultError> {
        let vault = Self::closed(pool);
        vault.unlock(path).await?;
        Ok(vault)
    }

    /// Gives the vault without its keys.
    pub fn closed(pool: PgPool) -> Self {
        Self {
            pool,
            open: ArcSwapOption::empty(),
        }
    }

    /// Takes up the keys with the master key at `path`; makes them when the store is new.
    pub async fn unlock(&self, path: &Path) -> Result<(), VaultError> {
        loop {
            let Some(row) = state::read(&self.pool).await? else {
                return self.found(path).await;
            };
            let epoch = row.epoch;
            let done = self.unlock_as(path, row).await;
            // What doesn't fit together may belong to a vault that was sealed or changed meanwhile.
            let now = match done {
                Err(VaultError::Database(_)) | Ok(()) => return done,
                Err(_) => state::read(&self.pool).await?,
            };
            if now.is_none_or(|now| now.epoch == epoch) {
                return done;
            }
        }
    }

    async fn unlock_as(&self, path: &Path, row: Row) -> Result<(), VaultError> {
        if row.state != State::Open {
            return Err(VaultError::Sealed);
        }
        let belongs = |key: &Key| key_check(key).map(|check| check.ct_eq(&row.check).into());
        // Where the program died between the database's word and the file's, the next one is right.
        if let Some(next) = master::read(&master::next(path))? {
            if belongs(&next)? {
                master::adopt(path)?;
            } else {
                master::destroy(&master::next(path))?;
            }
        }
        let master =
            master::read(path)?.ok_or_else(|| VaultError::Missing(path.display().to_string()))?;
        if !belongs(&master)? {
            return Err(VaultError::Wrong(path.display().to_string()));
        }
        let Some(wrapping) = keyring::open(&self.pool, &master).await? else {
            return rotate::upgrade(self, master, row.epoch).await;
        };
        self.take_up(master, wrapping, row.state, row.epoch).await
    }

    /// Makes the keys of a new store.
    async fn found(&self, path: &Path) -> Result<(), VaultError> {
        let master = match master::read(path)? {
            Some(key) => key,
            None => master::make(path)?,
        };
        let wrapping = keyring::random();
        let mut transaction = self.pool.begin().await?;
        sqlx::query("insert into vault (one, key_check) values (true, $1)")
            .bind(key_check(&master)?.as_slice())
            .execute(&mut *transaction)
            .await?;
        sqlx::query("insert into keyring (one, wrapping) values (true, $1)")
            .bind(keyring::seal(&master, &wrapping)?)
            .execute(&mut *transaction)
            .await?;
        transaction.commit().await?;
        self.take_up(master, wrapping, State::Open, 0).await
    }

    /// Holds keys from now on.
    pub(crate) async fn take_up(
        &self,
        master: Key,
        wrapping: Key,
        state: State,
        epoch: i64,
    ) -> Result<(), VaultError> {
        let mut keys = Keys::new(master, wrapping, Fence { state, epoch });
        let (_, index) = keys.stored(&self.pool, INDEX, Uuid::nil()).await?;
        keys.hashes = Purpose::ALL
            .iter()
            .map(|purpose| hasher(&index, *purpose))
            .collect::<Result<_, _>>()?;
        self.open.store(Some(Arc::new(keys)));
        Ok(())
    }

    /// Drops every key at once; they are wiped as soon as nobody uses them.
    pub fn forget(&self) {
        self.open.store(None);
    }

    /// Tells whether the keys are at hand.
    pub fn is_open(&self) -> bool {
        self.open.load().is_some()
    }

    /// Gives the epoch in which the keys were taken up, while they are at hand.
    pub fn epoch(&self) -> Option<i64> {
        self.open.load().as_ref().map(|keys| keys.fence.epoch)
    }

    /// Gives what an append is fenced by.
    pub(crate) fn fence(&self) -> Result<Fence, VaultError> {
        Ok(self.keys()?.fence)
    }

    fn keys(&self) -> Result<Arc<Keys>, VaultError> {
        self.open.load_full().ok_or(VaultError::Sealed)
    }

    /// Gives the panic slot, if there is a Panic Password.
    pub async fn panic_slot(&self) -> Result<Option<Slot>, VaultError> {
        Slot::stored(&self.pool).await
    }

    /// Makes a slot that a password opens; takes about a second of one core.
    pub fn new_slot(&self, password: &str, work: u8) -> Result<Slot, VaultError> {
        let keys = self.keys()?;
        Ok(Slot::make(&keys.master, &keys.wrapping, password, work)?)
    }

    /// Tells whether a slot is as this vault made it.
    pub fn made(&self, slot: &Slot) -> bool {
        self.keys().is_ok_and(|keys| slot.belongs_to(&keys.master))
    }

    /// Proves that a password opens a slot, and that it gives these keys; takes as long as
    /// [`Self::new_slot`].
    pub fn proves(&self, slot: &Slot, password: &str) -> Result<Opened, NotOpened> {
        let opened = slot.open(&slot.secret(password)?)?;
        let keys = self.keys().map_err(|_| NotOpened::Tampered)?;
        let same = opened.master.as_slice().ct_eq(keys.master.as_slice())
            & opened.wrapping.as_slice().ct_eq(keys.wrapping.as_slice());
        bool::from(same)
            .then_some(opened)
            .ok_or(NotOpened::Tampered)
    }

    /// Gives the key under which an event of a stream is sealed now, and the key to be stored with
    /// it when it is new.
    pub(crate) async fn sealing(
        &self,
        stream_type: &str,
        stream: Uuid,
    ) -> Result<(i32, Key, Option<NewKey>), VaultError> {
        let keys = self.keys()?;
        if !OWN.contains(&stream_type) {
            let (key_id, key) = self.months().await?;
            return Ok((key_id, key, None));
        }
        if let Some((key_id, key)) = keys.find(&self.pool, MEMBER, stream).await? {
            return Ok((key_id, key, None));
        }
        let (new, key) = keys.fresh(&self.pool, MEMBER, stream).await?;
        Ok((new.key_id, key, Some(new)))
    }

    /// Gives the month's key, under which stands whatever isn't a member's own.
    pub(crate) async fn months(&self) -> Result<(i32, Key), VaultError> {
        let month = month(OffsetDateTime::now_utc());
        self.keys()?.stored(&self.pool, LOG, month).await
    }

    /// Drops an erased member's keys at once.
    pub(crate) fn drop_member(&self, member: Uuid) {
        if let Some(keys) = self.open.load().as_ref() {
            keys.drop_of(Some(member));
        }
    }

    /// Drops what was fetched, where it isn't known which members were erased meanwhile.
    pub(crate) fn drop_fetched(&self) {
        if let Some(keys) = self.open.load().as_ref() {
            keys.drop_of(None);
        }
    }

    /// Gives a key that was stored.
    pub(crate) async fn opening(&self, key_id: i32) -> Result<Key, VaultError> {
        self.keys()?.opening(&self.pool, key_id).await
    }
}

impl Keyed for Vault {
    /// Gives the keyed hash; without keys something that is equal to nothing.
    fn mac(&self, purpose: Purpose, message: &[u8]) -> [u8; 32] {
        let open = self.open.load();
        let place = Purpose::ALL.iter().position(|other| *other == purpose);
        let hasher = open.as_ref().and_then(|keys| keys.hashes.get(place?));
        hasher.map_or_else(nothing, |hasher| {
            hasher
                .clone()
                .chain_update(message)
                .finalize()
                .into_bytes()
                .into()
        })
    }
}

fn nothing() -> [u8; 32] {
    let mut bytes = [0; 32];
    rand::rng().fill_bytes(&mut bytes);
    bytes
}

/// Destroys the master key's file, if it is the key of the vault as it stands in its row: another one may
/// be that of a restore that was faster.
pub fn destroy_key(path: &Path, row: &Row) -> Result<(), VaultError> {
    match master::read(path) {
        Ok(Some(key)) if !bool::from(key_check(&key)?.ct_eq(&row.check)) => Ok(()),
        // What isn't a key is one that was half destroyed.
        _ => master::destroy(path),
    }
}

/// Writes the master key's file, where there is none.
pub(crate) fn put_key(path: &Path, master: &Key) -> Result<(), VaultError> {
    master::put(path, master)
}

/// Puts the master key that comes next in the place of today's.
pub(crate) fn adopt_key(path: &Path) -> Result<(), VaultError> {
    master::adopt(path)
}

fn hasher(index: &Key, purpose: Purpose) -> Result<Hmac<Sha256>, Unsealable> {
    let name: &[u8] = match purpose {
        Purpose::Claim => b"claim",
        Purpose::Passkey => b"passkey",
        Purpose::Client => b"client",
        Purpose::Challenge => b"challenge",
        Purpose::FalseSalt => b"false salt",
        Purpose::Form => b"form",
        Purpose::Address => b"address",
        Purpose::Relay => b"relay",
        Purpose::ApiKey => b"api key",
    };
    let key = seal::derive(index, &[b"ot/hash/v1/", name])?;
    Hmac::new_from_slice(key.as_slice()).map_err(|_| Unsealable)
}

/// Says which master key it is without telling it.
pub(crate) fn key_check(master: &Key) -> Result<[u8; 32], Unsealable> {
    seal::derive(master, &[b"ot/check/v1"]).map(|check| *check)
}

fn beside(key_id: i32, class: &str, subject: Uuid) -> Vec<u8> {
    [
        b"opentracker/data-key/v1".as_slice(),
        &key_id.to_be_bytes(),
        subject.as_bytes(),
        class.as_bytes(),
    ]
    .concat()
}

/// Names a month as a subject.
fn month(at: OffsetDateTime) -> Uuid {
    let month = u128::from(u8::from(at.month()));
    let year = u128::from(at.year().unsigned_abs());
    Uuid::from_u128(year * 100 + month)
}
