//! Makes the read tables, their keys and their indexes.

use std::collections::BTreeMap;
use std::sync::Arc;

use sqlx::{Executor as _, PgConnection, PgPool, Postgres, Transaction};

use crate::{INDEXES, Projection, SCHEMA, Unavailable};

/// Makes the tables that are missing, as after a crash of the database; gives the projections whose
/// tables belong to another version of theirs, and which answer until a rebuild takes their place.
pub async fn prepare(
    pool: &PgPool,
    projections: &[Arc<dyn Projection>],
) -> Result<Vec<Arc<dyn Projection>>, Unavailable> {
    let mut transaction = pool.begin().await?;
    alone(&mut transaction).await?;
    // Looked up in a table: what a connection remembers of names may be older than the lock.
    let new: bool = sqlx::query_scalar(
        "select not exists (select from pg_tables where schemaname = 'read' and tablename = 'checkpoint')",
    )
    .fetch_one(&mut *transaction)
    .await?;
    transaction
        .execute(include_str!("../../../migrations/read/checkpoint.sql"))
        .await?;
    if new {
        // Nobody reads them yet, so none waits for another: all at once.
        make(&mut transaction, projections.iter().map(AsRef::as_ref)).await?;
    }
    let standing: Vec<(String, i32)> = sqlx::query_as("select name, version from read.checkpoint")
        .fetch_all(&mut *transaction)
        .await?;
    transaction.commit().await?;
    let standing: BTreeMap<String, i32> = standing.into_iter().collect();
    let mut outdated = vec![];
    for projection in projections {
        let ours = match standing.get(projection.name()) {
            Some(version) => *version == projection.version(),
            None => prepare_one(pool, projection.as_ref()).await?,
        };
        if !ours {
            outdated.push(Arc::clone(projection));
        }
    }
    Ok(outdated)
}

/// Waits until no other node makes tables: of several that find them empty, one does.
async fn alone(to: &mut PgConnection) -> Result<(), sqlx::Error> {
    let lock = "select pg_advisory_xact_lock(hashtextextended('opentracker read tables', 0))";
    to.execute(lock).await.map(|_| ())
}

/// Makes a projection's tables, unless it has some; tells whether they are of its version.
pub(super) async fn prepare_one(
    pool: &PgPool,
    projection: &dyn Projection,
) -> Result<bool, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    alone(&mut transaction).await?;
    let version: Option<i32> =
        sqlx::query_scalar("select version from read.checkpoint where name = $1")
            .bind(projection.name())
            .fetch_optional(&mut *transaction)
            .await?;
    if version.is_none() {
        make(&mut transaction, [projection].into_iter()).await?;
    }
    transaction.commit().await?;
    Ok(version.is_none_or(|version| version == projection.version()))
}

/// Makes projections' tables, whole and empty, and their checkpoints.
async fn make(
    to: &mut PgConnection,
    projections: impl Iterator<Item = &dyn Projection>,
) -> Result<(), sqlx::Error> {
    for projection in projections {
        lay(to, SCHEMA, projection).await?;
        to.execute(split(projection).1).await?;
        sqlx::query("insert into read.checkpoint (name, version, position) values ($1, $2, 0)")
            .bind(projection.name())
            .bind(projection.version())
            .execute(&mut *to)
            .await?;
    }
    to.execute(STATISTICS).await?;
    Ok(())
}

/// Lets no text be sampled: what is sampled of a column is logged.
const STATISTICS: &str = include_str!("../../../migrations/read/statistics.sql");

/// Makes a projection's tables anew, empty, in a schema, which is searched first from then on;
/// their keys and indexes are for [`make_indexes`].
pub(crate) async fn make_tables(
    to: &mut PgConnection,
    schema: &str,
    projection: &dyn Projection,
) -> Result<(), sqlx::Error> {
    lay(to, schema, projection).await?;
    // Before the first row: they may be filled over many transactions.
    to.execute(STATISTICS).await?;
    Ok(())
}

async fn lay(
    to: &mut PgConnection,
    schema: &str,
    projection: &dyn Projection,
) -> Result<(), sqlx::Error> {
    let mut statements = format!("set local search_path to \"{schema}\", public;\n");
    for table in projection.table_names() {
        statements = format!("{statements}drop table if exists \"{schema}\".{table};\n");
    }
    let (tables, _) = split(projection);
    to.execute(format!("{statements}{tables}").as_str()).await?;
    Ok(())
}

/// Makes the keys and indexes of a projection's tables in the schema that is searched first.
pub(crate) async fn make_indexes(
    to: &mut PgConnection,
    projection: &dyn Projection,
) -> Result<(), sqlx::Error> {
    to.execute(split(projection).1).await?;
    to.execute(STATISTICS).await?;
    Ok(())
}

/// Makes the keys and indexes of a projection's filled tables in a schema, two at once.
pub(crate) async fn index_filled(
    pool: &PgPool,
    schema: &str,
    projection: &dyn Projection,
) -> Result<(), sqlx::Error> {
    let statements = split(projection).1.split_inclusive(';').map(str::trim);
    // A key takes its table for itself.
    let (indexes, keys): (Vec<_>, Vec<_>) = statements.partition(|one| one.starts_with("create"));
    within(pool, schema, &keys).await?;
    let (some, others) = indexes.split_at(indexes.len() / 2);
    tokio::try_join!(within(pool, schema, some), within(pool, schema, others))?;
    within(pool, schema, &[STATISTICS]).await
}

/// Executes statements in a schema.
async fn within(pool: &PgPool, schema: &str, statements: &[&str]) -> Result<(), sqlx::Error> {
    let mut transaction = begin_in(pool, schema).await?;
    for statement in statements {
        transaction.execute(*statement).await?;
    }
    transaction.commit().await
}

/// Begins a transaction that looks names up in a schema.
pub(crate) async fn begin_in(
    pool: &PgPool,
    schema: &str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    enter(&mut transaction, schema).await?;
    Ok(transaction)
}

/// Lets names be looked up in a schema.
pub(crate) async fn enter(to: &mut PgConnection, schema: &str) -> Result<(), sqlx::Error> {
    to.execute(format!("set local search_path to \"{schema}\"").as_str())
        .await
        .map(|_| ())
}

fn split(projection: &dyn Projection) -> (&'static str, &'static str) {
    let statements = projection.tables();
    statements.split_once(INDEXES).unwrap_or((statements, ""))
}
