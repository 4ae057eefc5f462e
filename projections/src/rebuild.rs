//! Fills a projection anew beside the living one, and swaps them in one transaction.

use std::sync::Arc;

use domain::Position;
use sqlx::{Connection as _, PgConnection, PgPool};

use crate::feed::Feed;
use crate::{NotApplied, Projection, SCHEMA, Unavailable, runner};

/// The schema in which the new tables are filled.
const BESIDE: &str = "read_next";
/// Positions that one transaction covers at most.
const BATCH: i64 = 5_000;

/// Rebuilds a projection from the first event; `seen` is told how far it is, and how far it must go.
pub async fn rebuild(
    pool: &PgPool,
    feed: &Arc<dyn Feed>,
    projection: &dyn Projection,
    mut seen: impl FnMut(Position, Position),
) -> Result<Position, NotApplied> {
    let mut position = fill(pool, feed, projection, BESIDE, None, &mut seen).await?;
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    position = swap(&mut transaction, feed, projection, position).await?;
    transaction.commit().await?;
    seen(position, position);
    Ok(position)
}

/// Fills a projection's tables in a schema, as they stood at a position, or as they are.
pub async fn fill(
    pool: &PgPool,
    feed: &Arc<dyn Feed>,
    projection: &dyn Projection,
    schema: &str,
    upto: Option<Position>,
    mut seen: impl FnMut(Position, Position),
) -> Result<Position, NotApplied> {
    let mut connection = pool.acquire().await?;
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(&format!("create schema if not exists \"{schema}\""))
        .execute(&mut *transaction)
        .await?;
    runner::make(&mut transaction, schema, projection).await?;
    transaction.commit().await?;
    let mut position = Position(0);
    loop {
        let head = feed.head().await.map_err(away)?;
        let goal = upto.map_or(head, |upto| upto.min(head));
        seen(position, goal);
        if position >= goal {
            return Ok(position);
        }
        let limit = BATCH.min(goal.0 - position.0);
        let mut transaction = connection.begin().await?;
        position = replay(&mut transaction, feed, projection, schema, position, limit).await?;
        transaction.commit().await?;
    }
}

async fn replay(
    transaction: &mut PgConnection,
    feed: &Arc<dyn Feed>,
    projection: &dyn Projection,
    schema: &str,
    after: Position,
    limit: i64,
) -> Result<Position, NotApplied> {
    sqlx::raw_sql(&format!("set local search_path to \"{schema}\""))
        .execute(&mut *transaction)
        .await?;
    let batch = feed.read(after, limit, projection.streams()).await?;
    projection.apply(transaction, &batch.events).await?;
    Ok(batch.upto)
}

/// Holds the living projection at its checkpoint, catches up, and puts the new tables in its place.
async fn swap(
    transaction: &mut PgConnection,
    feed: &Arc<dyn Feed>,
    projection: &dyn Projection,
    mut position: Position,
) -> Result<Position, NotApplied> {
    let living: i64 =
        sqlx::query_scalar("select position from read.checkpoint where name = $1 for update")
            .bind(projection.name())
            .fetch_one(&mut *transaction)
            .await?;
    while position < Position(living) {
        position = replay(transaction, feed, projection, BESIDE, position, BATCH).await?;
    }
    for table in projection.table_names() {
        sqlx::raw_sql(&format!("drop table if exists {SCHEMA}.{table}"))
            .execute(&mut *transaction)
            .await?;
        sqlx::raw_sql(&format!("alter table {BESIDE}.{table} set schema {SCHEMA}"))
            .execute(&mut *transaction)
            .await?;
    }
    runner::advance(transaction, projection.name(), position).await?;
    Ok(position)
}

fn away(error: Unavailable) -> NotApplied {
    NotApplied::Database(sqlx::Error::Io(std::io::Error::other(error.0)))
}
