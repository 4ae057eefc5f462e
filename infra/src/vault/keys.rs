//! The keys at hand: each data key is fetched once, and dropped where its member is erased.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;

use hmac::Hmac;
use sha2::Sha256;
use sqlx::PgPool;
use tokio::sync::{Mutex, MutexGuard};
use uuid::Uuid;

use super::{Fence, MEMBER, NewKey, VaultError, beside, keyring, state};
use crate::seal::{Key, Unsealable};

/// The keys themselves.
pub(super) struct Keys {
    pub(super) master: Key,
    pub(super) wrapping: Key,
    /// What an append is fenced by.
    pub(super) fence: Fence,
    pub(super) hashes: Vec<Hmac<Sha256>>,
    by_id: RwLock<Fetched>,
    by_use: RwLock<HashMap<(&'static str, Uuid), i32>>,
    /// Whose turn it is to ask the database for a key by its number, and by its use.
    turns: [Turns; 2],
}

/// Those who miss one key at once ask for it once: it is found by whoever waited.
#[derive(Default)]
struct Turns([Mutex<()>; 16]);

/// How long a turn is waited for.
const PATIENCE: Duration = Duration::from_secs(3);

impl Turns {
    async fn wait(&self, number: u32) -> Result<MutexGuard<'_, ()>, VaultError> {
        let [first, ..] = &self.0;
        let place = usize::try_from(number).unwrap_or(0) % self.0.len();
        let turn = self.0.get(place).unwrap_or(first).lock();
        let turn = tokio::time::timeout(PATIENCE, turn).await;
        Ok(turn.map_err(|_| sqlx::Error::PoolTimedOut)?)
    }
}

/// Data keys that were fetched, each with its subject; of an erased member's that it is gone.
#[derive(Default)]
struct Fetched {
    keys: HashMap<i32, (Uuid, Option<Key>)>,
    /// How often some were dropped: what was asked for before that may be gone.
    drops: u64,
}

impl Keys {
    pub(super) fn new(master: Key, wrapping: Key, fence: Fence) -> Self {
        Self {
            master,
            wrapping,
            fence,
            hashes: vec![],
            by_id: RwLock::default(),
            by_use: RwLock::default(),
            turns: Default::default(),
        }
    }

    /// Gives a key that was fetched, or how often some were dropped.
    fn known(&self, key_id: i32) -> Result<Option<Key>, u64> {
        let by_id = self.by_id.read().unwrap_or_else(PoisonError::into_inner);
        let known = by_id.keys.get(&key_id).map(|(_, key)| key.clone());
        known.ok_or(by_id.drops)
    }

    pub(super) async fn opening(&self, pool: &PgPool, key_id: i32) -> Result<Key, VaultError> {
        if let Ok(known) = self.known(key_id) {
            return known.ok_or(VaultError::Erased);
        }
        let [by_number, _] = &self.turns;
        let _turn = by_number.wait(key_id.unsigned_abs()).await?;
        let drops = match self.known(key_id) {
            Ok(known) => return known.ok_or(VaultError::Erased),
            Err(drops) => drops,
        };
        let (class, subject, wrapped): (String, Uuid, Option<Vec<u8>>) =
            sqlx::query_as("select class, subject, wrapped from data_key where key_id = $1")
                .bind(key_id)
                .fetch_one(pool)
                .await?;
        if wrapped.is_none() && class != MEMBER {
            // Nobody erases any other.
            return Err(Unsealable.into());
        }
        let beside = beside(key_id, &class, subject);
        let key = wrapped
            .map(|wrapped| keyring::unwrap(&self.wrapping, &wrapped, &beside))
            .transpose()?;
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        if by_id.drops == drops {
            by_id.keys.insert(key_id, (subject, key.clone()));
        }
        key.ok_or(VaultError::Erased)
    }

    /// Drops a subject's keys, or all of them where none is named: what is asked for is fetched anew.
    pub(super) fn drop_of(&self, subject: Option<Uuid>) {
        let mut by_id = self.by_id.write().unwrap_or_else(PoisonError::into_inner);
        by_id.drops += 1;
        by_id
            .keys
            .retain(|_, (of, _)| subject.is_some_and(|subject| *of != subject));
        let mut by_use = self.by_use.write().unwrap_or_else(PoisonError::into_inner);
        by_use.retain(|(_, of), _| subject.is_some_and(|subject| *of != subject));
    }

    /// Gives the key of a use; makes and stores it when there is none.
    pub(super) async fn stored(
        &self,
        pool: &PgPool,
        class: &'static str,
        subject: Uuid,
    ) -> Result<(i32, Key), VaultError> {
        loop {
            if let Some(found) = self.find(pool, class, subject).await? {
                return Ok(found);
            }
            let (new, _) = self.fresh(pool, class, subject).await?;
            // Of another epoch it would be under a key that nobody has any more.
            let inserted = sqlx::query(
                "insert into data_key (key_id, class, subject, wrapped, made_at)
                 select $1, $2, $3, $4, now() from vault where epoch = $5 for share
                 on conflict do nothing",
            )
            .bind(new.key_id)
            .bind(new.class)
            .bind(new.subject)
            .bind(new.wrapped)
            .bind(self.fence.epoch)
            .execute(pool)
            .await?;
            let row = state::read(pool).await?;
            if inserted.rows_affected() == 0 && row.is_none_or(|row| row.epoch != self.fence.epoch)
            {
                return Err(VaultError::Sealed);
            }
        }
    }

    pub(super) async fn find(
        &self,
        pool: &PgPool,
        class: &'static str,
        subject: Uuid,
    ) -> Result<Option<(i32, Key)>, VaultError> {
        if let Some(key_id) = self.used(class, subject) {
            return Ok(Some((key_id, self.opening(pool, key_id).await?)));
        }
        let [_, by_use] = &self.turns;
        let _turn = by_use.wait(subject.as_fields().0).await?;
        let key_id =
            match self.used(class, subject) {
                Some(key_id) => Some(key_id),
                None => sqlx::query_scalar(
                    "select key_id from data_key where class = $1 and subject = $2 and not retired",
                )
                .bind(class)
                .bind(subject)
                .fetch_optional(pool)
                .await?,
            };
        let Some(key_id) = key_id else {
            return Ok(None);
        };
        let key = self.opening(pool, key_id).await?;
        self.by_use
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert((class, subject), key_id);
        Ok(Some((key_id, key)))
    }

    fn used(&self, class: &'static str, subject: Uuid) -> Option<i32> {
        let by_use = self.by_use.read().unwrap_or_else(PoisonError::into_inner);
        by_use.get(&(class, subject)).copied()
    }

    pub(super) async fn fresh(
        &self,
        pool: &PgPool,
        class: &'static str,
        subject: Uuid,
    ) -> Result<(NewKey, Key), VaultError> {
        let key_id: i32 = sqlx::query_scalar("select nextval('data_key_id')::integer")
            .fetch_one(pool)
            .await?;
        let key = keyring::random();
        let wrapped = keyring::wrap(&self.wrapping, &key, &beside(key_id, class, subject))?;
        let new = NewKey {
            key_id,
            class,
            subject,
            wrapped,
        };
        Ok((new, key))
    }
}
