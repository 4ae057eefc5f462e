//! What is read beside the log: the small tables whole, those that grow by position from where they ended.

use futures::TryStreamExt as _;
use sqlx::{Executor as _, PgConnection, PgPool};

use super::create::Target;
use super::file::Writer;
use super::manifest::{Brought, Growing, Piece, Sheet};
use super::{BackupError, folder};

/// Bytes that are handed on at once.
const CHUNK: usize = 1 << 20;

/// Tables that aren't stored whole: by position, made of the log, or the migrations' own.
const APART: [&str; 7] = [
    "event_log",
    "event_log_inner",
    "event_log_outer",
    "flush_ledger",
    "unique_claim",
    "command_log",
    "_sqlx_migrations",
];

/// Writes every other table that survives a crash, each in a transaction of its own.
pub(super) async fn whole(
    pool: &PgPool,
    snapshot: &str,
    target: &mut Target,
) -> Result<Vec<(String, Sheet)>, BackupError> {
    let names: Vec<String> = sqlx::query_scalar(
        "select relname::text from pg_class
         where relnamespace = 'public'::regnamespace and relkind = 'r' and relpersistence = 'p'
           and relname <> all($1) order by 1",
    )
    .bind(&APART[..])
    .fetch_all(pool)
    .await?;
    let mut whole = vec![];
    for name in names {
        let mut transaction = pool.begin().await?;
        let take = format!(
            "set transaction isolation level repeatable read read only;
             set transaction snapshot '{snapshot}'"
        );
        (&mut *transaction).execute(take.as_str()).await?;
        let columns = columns(&mut transaction, &name).await?;
        let rows = format!("select {columns} from public.{name}");
        let sheet = sheet(&mut transaction, target, &rows, columns).await?;
        transaction.commit().await?;
        whole.push((name, sheet));
    }
    Ok(whole)
}

async fn columns(connection: &mut PgConnection, table: &str) -> Result<String, BackupError> {
    let names: String = sqlx::query_scalar(
        "select string_agg(quote_ident(attname), ', ' order by attnum) from pg_attribute
         where attrelid = ('public.' || $1)::regclass and attnum > 0 and not attisdropped",
    )
    .bind(table)
    .fetch_one(connection)
    .await?;
    Ok(names)
}

/// Writes the rows of a query into a file.
async fn sheet(
    connection: &mut PgConnection,
    target: &mut Target,
    rows: &str,
    columns: String,
) -> Result<Sheet, BackupError> {
    let number = target.next;
    let mut writer = Writer::create(folder::file(&target.path, number), &target.series.key)?;
    let copy = format!("copy ({rows}) to stdout (format binary)");
    let mut stream = connection.copy_out_raw(&copy).await?;
    let mut chunk = Vec::with_capacity(CHUNK);
    loop {
        let more = stream.try_next().await?;
        let ended = more.is_none();
        chunk.extend_from_slice(&more.unwrap_or_default());
        if chunk.len() >= CHUNK || ended {
            let bytes = std::mem::take(&mut chunk);
            let writing = tokio::task::spawn_blocking(move || {
                writer.write(&bytes)?;
                Ok::<_, BackupError>(writer)
            });
            writer = writing.await??;
        }
        if ended {
            break;
        }
    }
    let (id, bytes) = tokio::task::spawn_blocking(move || writer.finish()).await??;
    target.next += 1;
    Ok(Sheet {
        number,
        id,
        bytes,
        columns,
    })
}

/// Writes what is new of a table that is stored by position; nothing where there is nothing.
pub(super) async fn stretch(
    connection: &mut PgConnection,
    of: Growing,
    target: &mut Target,
    after: i64,
    upto: i64,
) -> Result<Option<Piece>, BackupError> {
    let (table, columns) = (of.table(), columns(connection, of.table()).await?);
    let within = format!("from {table} where position > {after} and position <= {upto}");
    let any: bool = sqlx::query_scalar(&format!("select exists (select {within})"))
        .fetch_one(&mut *connection)
        .await?;
    if !any {
        return Ok(None);
    }
    let rows = format!("select {columns} {within}");
    let sheet = sheet(connection, target, &rows, columns).await?;
    Ok(Some(Piece {
        of,
        after,
        upto,
        sheet,
    }))
}

/// Gives the migrations that the tables had.
pub(super) async fn brought(connection: &mut PgConnection) -> Result<Vec<Brought>, BackupError> {
    let rows: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("select version, checksum from _sqlx_migrations order by version")
            .fetch_all(connection)
            .await?;
    let brought = rows
        .into_iter()
        .map(|(version, checksum)| Brought { version, checksum });
    Ok(brought.collect())
}

/// Gives the sequences, and the last number that each gave.
pub(super) async fn sequences(
    connection: &mut PgConnection,
) -> Result<Vec<(String, i64)>, BackupError> {
    let sequences = sqlx::query_as(
        "select sequencename::text, last_value from pg_sequences
         where schemaname = 'public' and last_value is not null order by 1",
    )
    .fetch_all(connection)
    .await?;
    Ok(sequences)
}
