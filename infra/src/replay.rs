//! Schemas that hold the read tables as they once stood; a comment on each says so, and up to where.

use domain::Position;
use sqlx::PgPool;

use crate::postgres::{self, Pool};

/// What the comment on such a schema begins with.
pub(crate) const MARK: &str = "opentracker replay";

/// Makes a schema for a replay, or takes one that an earlier replay made; says no where it belongs to
/// others. It has no position until [`finish`].
pub async fn claim(pool: &Pool, schema: &str) -> Result<bool, sqlx::Error> {
    match comment(pool, schema).await? {
        Some(comment) if !comment.starts_with(MARK) => return Ok(false),
        Some(_) => {}
        None => postgres::execute(pool, &format!("create schema \"{schema}\"")).await?,
    }
    mark(pool, schema, MARK).await?;
    Ok(true)
}

/// Notes that a replay has filled a schema up to a position.
pub async fn finish(pool: &Pool, schema: &str, upto: Position) -> Result<(), sqlx::Error> {
    mark(pool, schema, &format!("{MARK} {upto}")).await
}

/// Gives the position up to which a replay has filled a schema, if one has.
pub async fn position(pool: &Pool, schema: &str) -> Result<Option<Position>, sqlx::Error> {
    let comment = comment(pool, schema).await?.unwrap_or_default();
    let position = comment.strip_prefix(MARK).map(str::trim);
    Ok(position.and_then(|text| text.parse().ok()).map(Position))
}

/// Gives the schemas that replays made.
pub(crate) async fn all(pool: &Pool) -> Result<Vec<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select nspname::text from pg_namespace where obj_description(oid, 'pg_namespace') like $1",
    )
    .bind(format!("{MARK}%"))
    .fetch_all(pool)
    .await
}

/// Drops a replay's schema.
pub(crate) async fn drop(pool: &Pool, schema: &str) -> Result<(), sqlx::Error> {
    postgres::execute(pool, &format!("drop schema if exists \"{schema}\" cascade")).await
}

/// Gives connections that can read a schema's tables and write nothing.
pub fn reading(pool: &Pool, schema: &str) -> Pool {
    let options = pool.connect_options().as_ref().clone();
    let options = options.options([
        ("search_path", schema),
        ("default_transaction_read_only", "on"),
    ]);
    PgPool::connect_lazy_with(options)
}

/// Gives the comment on a schema, if there is the schema; an empty one where it has none.
async fn comment(pool: &Pool, schema: &str) -> Result<Option<String>, sqlx::Error> {
    sqlx::query_scalar(
        "select coalesce(obj_description(oid, 'pg_namespace'), '') from pg_namespace where nspname = $1",
    )
    .bind(schema)
    .fetch_optional(pool)
    .await
}

async fn mark(pool: &Pool, schema: &str, mark: &str) -> Result<(), sqlx::Error> {
    postgres::execute(pool, &format!("comment on schema \"{schema}\" is '{mark}'")).await
}
