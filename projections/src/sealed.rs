//! The read tables while nothing can be read: "[ENCRYPTED]" wherever there was something to know.
//!
//! They are filled from what stands in the clear beside the sealed log, so counts stay and nothing else.
//! They have no checkpoint, so a start with the vault open makes them anew.

use std::sync::Arc;

use sqlx::{Executor as _, PgPool};

use crate::{Projection, SCHEMA, Unavailable, runner};

/// How long somebody else's statement may hold what is to be dropped.
const PATIENCE: &str = "set local lock_timeout = '5s'";

/// Drops everything that was derived from the log, living or half filled.
pub async fn darken(pool: &PgPool) -> Result<(), Unavailable> {
    let mut transaction = pool.begin().await?;
    transaction.execute(PATIENCE).await?;
    let drop = format!(
        "drop schema if exists {SCHEMA} cascade; drop schema if exists {} cascade",
        crate::rebuild::BESIDE
    );
    transaction.execute(drop.as_str()).await?;
    transaction.commit().await?;
    Ok(())
}

/// Tells whether [`fill`] is done; a crash of the database empties what it filled.
pub async fn is_filled(pool: &PgPool) -> Result<bool, Unavailable> {
    let there: bool = sqlx::query_scalar("select to_regclass('read.sealed') is not null")
        .fetch_one(pool)
        .await?;
    if !there {
        return Ok(false);
    }
    let filled = sqlx::query_scalar("select exists (select from read.sealed)")
        .fetch_one(pool)
        .await?;
    Ok(filled)
}

/// Fills every projection's tables with what may be known, a projection at a time; `seen` is told how
/// many are done, and of how many.
pub async fn fill(
    pool: &PgPool,
    projections: &[Arc<dyn Projection>],
    mut seen: impl FnMut(usize, usize),
) -> Result<(), Unavailable> {
    let make = format!(
        "create schema if not exists {SCHEMA};
         create unlogged table if not exists {SCHEMA}.sealed (one boolean primary key check (one))"
    );
    pool.execute(make.as_str()).await?;
    for (done, projection) in projections.iter().enumerate() {
        seen(done, projections.len());
        let mut transaction = pool.begin().await?;
        runner::make_tables(&mut transaction, SCHEMA, projection.as_ref()).await?;
        transaction.execute(projection.sealed()).await?;
        runner::make_indexes(&mut transaction, projection.as_ref()).await?;
        transaction.commit().await?;
    }
    sqlx::query("insert into read.sealed (one) values (true) on conflict do nothing")
        .execute(pool)
        .await?;
    Ok(())
}

/// Drops what [`fill`] filled; the living tables are made anew by [`runner::prepare`].
pub async fn unseal(pool: &PgPool) -> Result<(), Unavailable> {
    if is_filled(pool).await? {
        darken(pool).await?;
    }
    Ok(())
}
