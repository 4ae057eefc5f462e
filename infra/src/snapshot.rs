//! Snapshots in their table, sealed under the key of their stream.

use commands::ports::Snapshot;
use rand::Rng as _;
use serde_json::Value;
use sqlx::PgPool;
use uuid::Uuid;

use crate::seal::{self, Envelope};
use crate::vault::{Vault, VaultError};

/// What stands for an event's name in the envelope: no event is called so.
const NAME: &str = "snapshot";

/// Gives the snapshot of a stream, if there is one of this shape that opens.
pub(crate) async fn get(
    pool: &PgPool,
    vault: &Vault,
    stream_type: &str,
    stream: Uuid,
    shape: i32,
) -> Result<Option<Snapshot>, VaultError> {
    let row: Option<(i64, i32, Vec<u8>)> = sqlx::query_as(
        "select sequence, key_id, sealed from snapshot
         where stream_type = $1 and stream_id = $2 and shape = $3",
    )
    .bind(stream_type)
    .bind(stream)
    .bind(shape)
    .fetch_optional(pool)
    .await?;
    let Some((sequence, key_id, sealed)) = row else {
        return Ok(None);
    };
    let key = match vault.opening(key_id).await {
        Err(VaultError::Erased) => return Ok(None),
        key => key?,
    };
    let envelope = envelope(stream_type, stream, sequence, shape, key_id);
    let state: Option<Value> = seal::open_plain(&key, &envelope, &sealed)
        .ok()
        .and_then(|plain| serde_json::from_slice(&plain).ok());
    Ok(state.map(|state| Snapshot {
        sequence,
        shape,
        state,
    }))
}

/// Keeps a snapshot, unless there is a later one.
pub(crate) async fn keep(
    pool: &PgPool,
    vault: &Vault,
    stream_type: &'static str,
    stream: Uuid,
    snapshot: &Snapshot,
) -> Result<(), VaultError> {
    let (key_id, key, made) = vault.sealing(stream_type, stream).await?;
    if made.is_some() {
        // The stream has events, so its key is there.
        return Ok(());
    }
    let Snapshot {
        sequence, shape, ..
    } = *snapshot;
    let envelope = envelope(stream_type, stream, sequence, shape, key_id);
    let mut nonce = [0; 24];
    rand::rng().fill_bytes(&mut nonce);
    let sealed = seal::seal_plain(&key, &envelope, &snapshot.state, nonce)?;
    sqlx::query(
        "insert into snapshot as s (stream_type, stream_id, sequence, shape, key_id, sealed)
         values ($1, $2, $3, $4, $5, $6)
         on conflict (stream_id, stream_type) do update
         set sequence = excluded.sequence, shape = excluded.shape, key_id = excluded.key_id, sealed = excluded.sealed
         where s.sequence < excluded.sequence or s.shape <> excluded.shape",
    )
    .bind(stream_type)
    .bind(stream)
    .bind(sequence)
    .bind(shape)
    .bind(key_id)
    .bind(sealed)
    .execute(pool)
    .await?;
    Ok(())
}

fn envelope(
    stream_type: &str,
    stream: Uuid,
    sequence: i64,
    shape: i32,
    key_id: i32,
) -> Envelope<'_> {
    Envelope {
        stream_type,
        stream,
        sequence,
        name: NAME,
        version: shape,
        key_id,
    }
}
