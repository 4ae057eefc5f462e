//! The key that wraps the data keys. It stands in the database, under the master key, so that both are
//! needed; a panic empties its table, and the Panic Password's slot has it once more.

use rand::Rng as _;
use serde::{Deserialize, Serialize};
use sqlx::{PgConnection, PgPool};
use uuid::Uuid;
use zeroize::Zeroizing;

use super::{Slot, VaultError, beside, key_check};
use crate::seal::{self, Key, Unsealable};

/// What is authenticated with the wrapping key.
const BESIDE: &[u8] = b"opentracker/keyring/v1";

/// Makes a random key.
pub(crate) fn random() -> Key {
    let mut key = Key::default();
    rand::rng().fill_bytes(key.as_mut_slice());
    key
}

/// Puts a key under another.
pub(super) fn wrap(under: &Key, key: &Key, beside: &[u8]) -> Result<Vec<u8>, Unsealable> {
    let mut nonce = [0; 24];
    rand::rng().fill_bytes(&mut nonce);
    seal::encrypt(under, &nonce, key.as_slice(), beside)
}

/// Takes a key out from under another.
pub(super) fn unwrap(under: &Key, wrapped: &[u8], beside: &[u8]) -> Result<Key, Unsealable> {
    let plain = seal::decrypt(under, wrapped, beside)?;
    let bytes: [u8; 32] = plain.as_slice().try_into().map_err(|_| Unsealable)?;
    Ok(Key::new(bytes))
}

/// Seals a wrapping key under the master key.
pub(super) fn seal(master: &Key, wrapping: &Key) -> Result<Vec<u8>, Unsealable> {
    wrap(&under(master)?, wrapping, BESIDE)
}

/// Reads the wrapping key.
pub(super) async fn open(pool: &PgPool, master: &Key) -> Result<Option<Key>, VaultError> {
    let sealed: Option<Vec<u8>> = sqlx::query_scalar("select wrapping from keyring")
        .fetch_optional(pool)
        .await?;
    let under = under(master)?;
    Ok(sealed
        .map(|sealed| unwrap(&under, &sealed, BESIDE))
        .transpose()?)
}

/// Gives what the master key puts the wrapping key under; before there was one, the data keys
/// themselves.
pub(super) fn under(master: &Key) -> Result<Key, Unsealable> {
    seal::derive(master, &[b"ot/wrap/v1"])
}

/// Another master key, another wrapping key and every data key under it, as rows: nothing in them
/// opens without the new master key.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct Rekeyed {
    #[serde(with = "hex")]
    check: [u8; 32],
    #[serde(with = "hex")]
    wrapping: Vec<u8>,
    slot: Option<Slot>,
    /// Whether new events get new data keys.
    retire: bool,
    keys: Vec<Wrapped>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Wrapped {
    id: i32,
    #[serde(with = "hex")]
    wrapped: Vec<u8>,
}

/// The new keys themselves.
pub(super) struct Fresh {
    pub(super) master: Key,
    pub(super) wrapping: Key,
}

impl Fresh {
    pub(super) fn make() -> Self {
        Self {
            master: random(),
            wrapping: random(),
        }
    }
}

/// Puts every data key under a new wrapping key, but those of erased members, which are gone.
pub(super) async fn rekey(
    pool: &PgPool,
    from: &Key,
    to: &Fresh,
    slot: Option<Slot>,
    retire: bool,
) -> Result<Rekeyed, VaultError> {
    let rows: Vec<(i32, String, Uuid, Vec<u8>)> =
        sqlx::query_as("select key_id, class, subject, wrapped from data_key where wrapped is not null order by key_id")
            .fetch_all(pool)
            .await?;
    let mut keys = Vec::with_capacity(rows.len());
    for (id, class, subject, wrapped) in rows {
        let beside = beside(id, &class, subject);
        let key = unwrap(from, &wrapped, &beside)?;
        let wrapped = wrap(&to.wrapping, &key, &beside)?;
        keys.push(Wrapped { id, wrapped });
    }
    Ok(Rekeyed {
        check: key_check(&to.master)?,
        wrapping: seal(&to.master, &to.wrapping)?,
        slot: slot
            .map(|slot| slot.resealed(&to.master, &to.wrapping))
            .transpose()?,
        retire,
        keys,
    })
}

impl Rekeyed {
    /// Puts the rows in place of the old ones; refuses where a data key was made or destroyed meanwhile.
    pub(crate) async fn put(&self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query("lock table data_key in exclusive mode")
            .execute(&mut *to)
            .await?;
        let ids: Vec<i32> = self.keys.iter().map(|key| key.id).collect();
        let wrapped: Vec<&[u8]> = self.keys.iter().map(|key| &*key.wrapped).collect();
        sqlx::query(
            "update data_key set wrapped = new.wrapped
             from unnest($1::int[], $2::bytea[]) as new (id, wrapped)
             where key_id = new.id and data_key.wrapped is not null",
        )
        .bind(&ids)
        .bind(wrapped)
        .execute(&mut *to)
        .await?;
        let all: i64 =
            sqlx::query_scalar("select count(*) from data_key where wrapped is not null")
                .fetch_one(&mut *to)
                .await?;
        if usize::try_from(all) != Ok(ids.len()) {
            return Err(sqlx::Error::Protocol(
                "a data key was made or destroyed at the same moment; try again".to_owned(),
            ));
        }
        if self.retire {
            sqlx::query(
                "update data_key set retired = true where class <> 'index' and wrapped is not null",
            )
            .execute(&mut *to)
            .await?;
        }
        self.put_master(to).await
    }

    async fn put_master(&self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into keyring (one, wrapping) values (true, $1)
             on conflict (one) do update set wrapping = excluded.wrapping",
        )
        .bind(&self.wrapping)
        .execute(&mut *to)
        .await?;
        if let Some(slot) = &self.slot {
            slot.put(to).await?;
        }
        sqlx::query("update vault set key_check = $1, epoch = epoch + 1")
            .bind(self.check.as_slice())
            .execute(&mut *to)
            .await?;
        super::state::tell(to).await
    }
}

/// Reads rows as they were handed through the event store.
pub(crate) fn read(row: &str) -> Result<Rekeyed, sqlx::Error> {
    serde_json::from_str(row).map_err(|error| sqlx::Error::Protocol(error.to_string()))
}

/// A master key and a wrapping key, as the panic slot seals them.
pub(super) fn joined(master: &Key, wrapping: &Key) -> Zeroizing<Vec<u8>> {
    Zeroizing::new([master.as_slice(), wrapping.as_slice()].concat())
}

/// Parts what [`joined`] gave.
pub(super) fn parted(both: &[u8]) -> Result<(Key, Key), Unsealable> {
    let (master, wrapping) = both.split_at_checked(32).ok_or(Unsealable)?;
    let key = |bytes: &[u8]| bytes.try_into().map(Key::new).map_err(|_| Unsealable);
    Ok((key(master)?, key(wrapping)?))
}
