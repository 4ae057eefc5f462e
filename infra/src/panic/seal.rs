//! What follows a panic: the derived data go at once, the log gets its outer layer, the read tables are
//! filled with "[ENCRYPTED]". None of it needs a key.

use std::sync::Arc;

use domain::vault::State;
use projections::{Projection, sealed};
use sqlx::PgPool;

use super::outer::On;
use super::pass::{Moved, ON};
use super::{Alone, WORK, WorkError};
use crate::step;
use crate::vault::keyring::random;
use crate::vault::{Slot, state};

/// What the key of the outer layer is sealed for.
pub(super) const INFO: &[u8] = b"opentracker/outer-key/v1";

/// Ends every other connection of ours to the database, on whatever node, with what it was doing.
pub async fn cut_off(pool: &PgPool) -> Result<(), sqlx::Error> {
    sqlx::query(
        "select pg_terminate_backend(pid) from pg_stat_activity
         where application_name = 'opentracker' and datname = current_database()
           and usename = current_user and pid <> pg_backend_pid()",
    )
    .execute(pool)
    .await
    .map(|_| ())
}

/// Empties everything that was derived from the log: read tables, snapshots, replays.
pub async fn darken(pool: &PgPool, reads: &PgPool) -> Result<(), WorkError> {
    sealed::darken(reads).await?;
    sqlx::query("truncate snapshot").execute(pool).await?;
    for schema in crate::replay::all(pool).await? {
        crate::replay::drop(pool, &schema).await?;
    }
    Ok(())
}

/// Does what is left of the sealing; where the vault is sealed already, sees to it that it stays hidden.
pub async fn run(
    pool: &PgPool,
    reads: &PgPool,
    projections: &[Arc<dyn Projection>],
) -> Result<Moved, WorkError> {
    let alone = Alone::take(pool, WORK).await?;
    let done = sealing(pool, reads, projections).await;
    if let Err(error @ (WorkError::Database(_) | WorkError::Reads(_))) = &done {
        // The page tells why it waits.
        let _untold = state::trouble(pool, &error.to_string()).await;
    }
    alone.end().await;
    done
}

async fn sealing(
    pool: &PgPool,
    reads: &PgPool,
    projections: &[Arc<dyn Projection>],
) -> Result<Moved, WorkError> {
    let row = state::read(pool).await?.unwrap_or_default();
    match row.state {
        State::Sealing => {}
        State::Sealed => {
            if !sealed::is_filled(reads).await? {
                sealed::fill(reads, projections, |_, _| {}).await?;
            }
            return Ok(Moved::default());
        }
        State::Open | State::Restoring => return Err(WorkError::Moved),
    }
    darken(pool, reads).await?;
    step::reached("darkened");
    let moved = if row.layered {
        Moved::default()
    } else {
        ON.run(pool, Box::new(fresh(pool).await?)).await?
    };
    state::progress(pool, "hiding what was derived", 0, 0).await?;
    sealed::fill(reads, projections, |_, _| {}).await?;
    step::reached("hidden");
    let mut transaction = pool.begin().await?;
    let shifted = state::shift(&mut transaction, &[State::Sealing], State::Sealed).await?;
    transaction.commit().await?;
    step::reached("sealed");
    // What stood in the write-ahead log is sealed too; where we may, it goes sooner.
    let _not_ours = sqlx::query("checkpoint").execute(pool).await;
    if shifted {
        Ok(moved)
    } else {
        Err(WorkError::Moved)
    }
}

/// Makes a key for the outer layer; it stands beside the log, sealed, before it is used.
pub(super) async fn fresh(pool: &PgPool) -> Result<On, WorkError> {
    let slot = Slot::stored(pool).await?.ok_or(WorkError::Moved)?;
    let key = random();
    let letter = slot.seal_to(INFO, key.as_slice(), b"")?;
    let id: i32 = sqlx::query_scalar(
        "insert into outer_key (encapsulated, sealed) values ($1, $2) returning id",
    )
    .bind(&letter.encapsulated)
    .bind(&letter.sealed)
    .fetch_one(pool)
    .await?;
    step::reached("outer key");
    Ok(On::new(id, &key))
}
