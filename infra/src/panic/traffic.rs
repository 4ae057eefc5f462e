//! What clients had reported when the vault was sealed and the log took nothing any more.
//!
//! Each node seals it to the public key of the Panic Password before its own keys are gone, so it is
//! credited after a restore, each batch once.

use domain::traffic::Batch;
use domain::vault::State;
use serde::{Deserialize, Serialize};
use sqlx::PgPool;
use zeroize::Zeroizing;

use super::WorkError;
use crate::seal::Unsealable;
use crate::vault::slot::Letter;
use crate::vault::{Opened, Slot, state};

/// What the sealing is for.
const INFO: &[u8] = b"opentracker/traffic/v1";

#[derive(Serialize, Deserialize)]
struct Waiting {
    batch: Batch,
    /// Days since 1970-01-01.
    day: i64,
}

/// Puts batches, each with its day since 1970-01-01, beside the log, sealed; tells whether a restore will
/// find them: one that has begun reads no more letters, and then they wait for the open log.
pub async fn keep(pool: &PgPool, batches: &[(Batch, i64)]) -> Result<bool, WorkError> {
    let slot = Slot::stored(pool).await?.ok_or(WorkError::Moved)?;
    let waiting = |(batch, day): &(Batch, i64)| Waiting {
        batch: batch.clone(),
        day: *day,
    };
    let waiting: Vec<Waiting> = batches.iter().map(waiting).collect();
    let plain = Zeroizing::new(serde_json::to_vec(&waiting).map_err(|_| Unsealable)?);
    let letter = slot.seal_to(INFO, &plain, b"")?;
    let mut transaction = pool.begin().await?;
    if !state::stands(&mut transaction, &[State::Sealing, State::Sealed]).await? {
        return Ok(false);
    }
    sqlx::query("insert into sealed_traffic (encapsulated, sealed) values ($1, $2)")
        .bind(&letter.encapsulated)
        .bind(&letter.sealed)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Opens every letter; one that doesn't open is passed by and counted.
pub(super) async fn open(
    pool: &PgPool,
    opened: &Opened,
) -> Result<(Vec<(Batch, i64)>, usize), WorkError> {
    let letters: Vec<Letter> =
        sqlx::query_as("select encapsulated, sealed from sealed_traffic order by id")
            .fetch_all(pool)
            .await?;
    let (mut batches, mut lost) = (vec![], 0);
    for letter in letters {
        let plain = opened.unseal(INFO, &letter, b"").ok();
        let waiting: Option<Vec<Waiting>> =
            plain.and_then(|plain| serde_json::from_slice(&plain).ok());
        match waiting {
            Some(waiting) => batches.extend(waiting.into_iter().map(|one| (one.batch, one.day))),
            None => lost += 1,
        }
    }
    Ok((batches, lost))
}
