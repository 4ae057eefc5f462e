//! The one owner of keys. Everything else asks it.
//!
//! The master key is a file outside the database; it wraps the data keys, which stand in the
//! database: one for the log a month, one for each member's own events, one from which the keyed
//! hashes' keys are derived. Keys are wiped when dropped and never shown.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{PoisonError, RwLock};

use domain::{Keyed, Purpose};
use hmac::{Hmac, KeyInit as _, Mac as _};
use rand::Rng as _;
use sha2::Sha256;
use sqlx::PgPool;
use subtle::ConstantTimeEq as _;
use time::OffsetDateTime;
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::seal::{self, Key, Unsealable};

mod master;
mod slot;

pub use slot::{LEAST_WORK, MOST_WORK, NotOpened, Slot};

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

/// The keys, held open.
pub struct Vault {
    pool: PgPool,
    master: Key,
    hashes: Vec<Hmac<Sha256>>,
    by_id: RwLock<HashMap<i32, Key>>,
    by_use: RwLock<HashMap<(&'static str, Uuid), i32>>,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Vault(open)")
    }
}

/// The class of the log's keys; the subject names the month.
const LOG: &str = "log";
/// The class of members' own keys; the subject is the member.
const MEMBER: &str = "member";
/// The class of the key from which the keyed hashes' keys are derived.
const INDEX: &str = "index";

impl Vault {
    /// Opens the vault with the master key at `path`; makes both when the store is new.
    pub async fn open(pool: PgPool, path: &Path) -> Result<Self, VaultError> {
        let check: Option<Vec<u8>> = sqlx::query_scalar("select key_check from vault")
            .fetch_optional(&pool)
            .await?;
        let master = match (check, master::read(path)?) {
            (Some(_), None) => return Err(VaultError::Missing(path.display().to_string())),
            (Some(check), Some(key)) => {
                let right: bool = key_check(&key)?.ct_eq(check.as_slice()).into();
                if !right {
                    return Err(VaultError::Wrong(path.display().to_string()));
                }
                key
            }
            (None, found) => {
                let key = match found {
                    Some(key) => key,
                    None => master::make(path)?,
                };
                sqlx::query("insert into vault (one, key_check) values (true, $1)")
                    .bind(key_check(&key)?.as_slice())
                    .execute(&pool)
                    .await?;
                key
            }
        };
        let mut vault = Self {
            pool,
            master,
            hashes: vec![],
            by_id: RwLock::default(),
            by_use: RwLock::default(),
        };
        let (_, index) = vault.stored(INDEX, Uuid::nil()).await?;
        vault.hashes = Purpose::ALL
            .iter()
            .map(|purpose| hasher(&index, *purpose))
            .collect::<Result<_, _>>()?;
        Ok(vault)
    }

    /// Gives the panic slot, if there is a Panic Password.
    pub async fn panic_slot(&self) -> Result<Option<Slot>, VaultError> {
        Slot::stored(&self.pool).await
    }

    /// Makes a slot that a password opens; takes about a second of one core.
    pub fn new_slot(&self, password: &str, work: u8) -> Result<Slot, VaultError> {
        Ok(Slot::make(&self.master, password, work)?)
    }

    /// Tells whether a slot is as this vault made it.
    pub fn made(&self, slot: &Slot) -> bool {
        slot.belongs_to(&self.master)
    }

    /// Proves that a password opens a slot, and that it gives the master key; takes as long as
    /// [`Self::new_slot`].
    pub fn proves(&self, slot: &Slot, password: &str) -> Result<(), NotOpened> {
        let opened = slot.open(password)?;
        let same: bool = opened.as_slice().ct_eq(self.master.as_slice()).into();
        same.then_some(()).ok_or(NotOpened::Tampered)
    }

    /// Gives the key under which an event of a stream is sealed now, and the key to be stored with
    /// it when it is new.
    pub(crate) async fn sealing(
        &self,
        stream_type: &str,
        stream: Uuid,
    ) -> Result<(i32, Key, Option<NewKey>), VaultError> {
        if stream_type != "user" {
            let (key_id, key) = self.stored(LOG, month(OffsetDateTime::now_utc())).await?;
            return Ok((key_id, key, None));
        }
        if let Some((key_id, key)) = self.find(MEMBER, stream).await? {
            return Ok((key_id, key, None));
        }
        let (new, key) = self.fresh(MEMBER, stream).await?;
        Ok((new.key_id, key, Some(new)))
    }

    /// Gives a key that was stored.
    pub(crate) async fn opening(&self, key_id: i32) -> Result<Key, VaultError> {
        if let Some(key) = self
            .by_id
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&key_id)
        {
            return Ok(key.clone());
        }
        let row: (String, Uuid, Vec<u8>) =
            sqlx::query_as("select class, subject, wrapped from data_key where key_id = $1")
                .bind(key_id)
                .fetch_one(&self.pool)
                .await?;
        let key = self.unwrap(key_id, &row.0, row.1, &row.2)?;
        self.by_id
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key_id, key.clone());
        Ok(key)
    }

    /// Gives the key of a use; makes and stores it when there is none.
    async fn stored(&self, class: &'static str, subject: Uuid) -> Result<(i32, Key), VaultError> {
        loop {
            if let Some(found) = self.find(class, subject).await? {
                return Ok(found);
            }
            let (new, _) = self.fresh(class, subject).await?;
            sqlx::query(
                "insert into data_key (key_id, class, subject, wrapped, made_at) values ($1, $2, $3, $4, now())
                 on conflict do nothing",
            )
            .bind(new.key_id)
            .bind(new.class)
            .bind(new.subject)
            .bind(new.wrapped)
            .execute(&self.pool)
            .await?;
        }
    }

    async fn find(
        &self,
        class: &'static str,
        subject: Uuid,
    ) -> Result<Option<(i32, Key)>, VaultError> {
        let known = self
            .by_use
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&(class, subject))
            .copied();
        let key_id = match known {
            Some(key_id) => Some(key_id),
            None => {
                sqlx::query_scalar("select key_id from data_key where class = $1 and subject = $2")
                    .bind(class)
                    .bind(subject)
                    .fetch_optional(&self.pool)
                    .await?
            }
        };
        let Some(key_id) = key_id else {
            return Ok(None);
        };
        let key = self.opening(key_id).await?;
        self.by_use
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((class, subject), key_id);
        Ok(Some((key_id, key)))
    }

    async fn fresh(&self, class: &'static str, subject: Uuid) -> Result<(NewKey, Key), VaultError> {
        let key_id: i32 = sqlx::query_scalar("select nextval('data_key_id')::integer")
            .fetch_one(&self.pool)
            .await?;
        let mut key = Key::default();
        rand::rng().fill_bytes(key.as_mut_slice());
        let mut nonce = [0; 24];
        rand::rng().fill_bytes(&mut nonce);
        let wrapped = seal::encrypt(
            &self.wrapping()?,
            &nonce,
            key.as_slice(),
            &beside(key_id, class, subject),
        )?;
        Ok((
            NewKey {
                key_id,
                class,
                subject,
                wrapped,
            },
            key,
        ))
    }

    fn unwrap(
        &self,
        key_id: i32,
        class: &str,
        subject: Uuid,
        wrapped: &[u8],
    ) -> Result<Key, VaultError> {
        let plain = seal::decrypt(&self.wrapping()?, wrapped, &beside(key_id, class, subject))?;
        let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| Unsealable)?;
        Ok(Key::new(bytes))
    }

    fn wrapping(&self) -> Result<Key, Unsealable> {
        seal::derive(&self.master, &[b"ot/wrap/v1"])
    }
}

/// Why the master key isn't brought back.
#[derive(Debug, thiserror::Error)]
pub enum NotRestored {
    /// The file is there.
    #[error("the master key {0} is there; nothing has to be restored")]
    There(String),
    /// Nobody ever set a Panic Password.
    #[error("this store has no Panic Password; put the master key back from your backup")]
    NoPassword,
    /// The slot doesn't open.
    #[error("{0}; nothing was changed")]
    NotOpened(#[from] NotOpened),
    /// The file or the database can't be used.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Writes the master key's file by the Panic Password, where the file is gone.
pub async fn restore(
    pool: &PgPool,
    path: &Path,
    password: Zeroizing<String>,
) -> Result<(), NotRestored> {
    if path.exists() {
        return Err(NotRestored::There(path.display().to_string()));
    }
    let slot = Slot::stored(pool).await?.ok_or(NotRestored::NoPassword)?;
    let check: Vec<u8> = sqlx::query_scalar("select key_check from vault")
        .fetch_one(pool)
        .await
        .map_err(VaultError::from)?;
    let opened = tokio::task::spawn_blocking(move || slot.open(&password)).await;
    let master = opened.map_err(|_| NotOpened::Tampered)??;
    let right: bool = key_check(&master)
        .map_err(VaultError::from)?
        .ct_eq(check.as_slice())
        .into();
    if !right {
        return Err(NotOpened::Tampered.into());
    }
    Ok(master::put(path, &master)?)
}

impl Keyed for Vault {
    fn mac(&self, purpose: Purpose, message: &[u8]) -> [u8; 32] {
        let place = Purpose::ALL.iter().position(|other| *other == purpose);
        place
            .and_then(|place| self.hashes.get(place))
            .map_or([0; 32], |hasher| {
                hasher
                    .clone()
                    .chain_update(message)
                    .finalize()
                    .into_bytes()
                    .into()
            })
    }
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
    };
    let key = seal::derive(index, &[b"ot/hash/v1/", name])?;
    Hmac::new_from_slice(key.as_slice()).map_err(|_| Unsealable)
}

/// Says which master key it is without telling it.
fn key_check(master: &Key) -> Result<[u8; 32], Unsealable> {
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
