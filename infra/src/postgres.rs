//! Connections to PostgreSQL, and the migrations.

use std::str::FromStr as _;
use std::time::Duration;

use projections::SCHEMA;
use sqlx::migrate::{MigrateError, Migration, Migrator};
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use sqlx::{Connection as _, Executor as _, PgPool};

/// How long a caller waits for a connection before it is told that the database is away.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a connection may lie idle before it is tried out ahead of its next use.
const IDLE: Duration = Duration::from_millis(200);

/// The pools of one program.
#[derive(Debug, Clone)]
pub struct Pools {
    /// For the event store.
    pub log: PgPool,
    /// For the read tables; names are looked up in their schema first.
    pub read: PgPool,
    /// For pages, which ask the same again and again: each statement keeps one plan.
    pub pages: PgPool,
}

/// A pool of connections.
pub type Pool = PgPool;

/// Tells whether the database answers before the caller's patience ends.
pub async fn answers(pool: &Pool) -> bool {
    let asked = tokio::time::timeout(PATIENCE, sqlx::query("select 1").execute(pool));
    asked.await.is_ok_and(|answer| answer.is_ok())
}

/// Why the database can't be used.
#[derive(Debug, thiserror::Error)]
pub enum PostgresError {
    /// The connection string isn't one.
    #[error("DATABASE_URL isn't a PostgreSQL connection string")]
    Url,
    /// It can't be reached.
    #[error("the database can't be reached: {0}")]
    Away(#[source] sqlx::Error),
    /// The tables can't be made.
    #[error("the database's tables can't be brought up to date: {0}")]
    Migration(#[from] MigrateError),
}

/// Connects, and brings the tables up to date.
pub async fn connect(url: &str) -> Result<Pools, PostgresError> {
    // A connection string may hold a password, so the parser's own words are not repeated.
    let options = PgConnectOptions::from_str(url).map_err(|_| PostgresError::Url)?;
    let options = options.application_name("opentracker");
    let log = pool(12)
        .connect_with(options.clone())
        .await
        .map_err(PostgresError::Away)?;
    migrate(&log).await?;
    let path = format!("{SCHEMA},public");
    let options = options.options([("search_path", path)]);
    // For rebuilds and what is planned anew: each living projection has a connection of its own besides.
    let read = pool(12).connect_lazy_with(options.clone());
    let options = options.options([("plan_cache_mode", "force_generic_plan")]);
    let pages = pool(16).connect_lazy_with(options);
    Ok(Pools { log, read, pages })
}

/// Brings the tables up to date.
pub(crate) async fn migrate(pool: &PgPool) -> Result<(), PostgresError> {
    Ok(migrations().run(pool).await?)
}

fn migrations() -> Migrator {
    sqlx::migrate!("../migrations")
}

/// Connects, and leaves the tables as they are.
pub(crate) async fn connect_empty(url: &str) -> Result<PgPool, PostgresError> {
    let options = PgConnectOptions::from_str(url).map_err(|_| PostgresError::Url)?;
    let options = options.application_name("opentracker");
    pool(4)
        .connect_with(options)
        .await
        .map_err(PostgresError::Away)
}

/// Tells whether there is no event store: no tables of one, or nothing in them.
pub(crate) async fn is_empty(pool: &PgPool) -> Result<bool, sqlx::Error> {
    let there: bool = sqlx::query_scalar("select to_regclass('public.vault') is not null")
        .fetch_one(pool)
        .await?;
    if !there {
        return Ok(true);
    }
    sqlx::query_scalar(
        "select not exists (select from vault) and not exists (select from event_log)",
    )
    .fetch_one(pool)
    .await
}

/// Makes the tables as certain migrations leave them; tells whether this program knows those, and the
/// database has no others.
pub(crate) async fn migrate_to(
    pool: &PgPool,
    wanted: &[(i64, Vec<u8>)],
) -> Result<bool, PostgresError> {
    let mut migrator = migrations();
    let kept: Vec<Migration> = migrator
        .iter()
        .filter(|known| {
            let same = |(version, checksum): &(i64, Vec<u8>)| {
                *version == known.version && **checksum == *known.checksum
            };
            wanted.iter().any(same)
        })
        .cloned()
        .collect();
    if kept.len() < wanted.len() {
        return Ok(false);
    }
    migrator.migrations = kept.into();
    match migrator.run(pool).await {
        Err(MigrateError::VersionMissing(_)) => Ok(false),
        done => Ok(done.map(|()| true)?),
    }
}

fn pool(most: u32) -> PgPoolOptions {
    PgPoolOptions::new()
        .max_connections(most)
        .acquire_timeout(PATIENCE)
        .test_before_acquire(false)
        .before_acquire(|connection, used| {
            Box::pin(async move {
                // One that is dead makes room for another.
                Ok(used.idle_for <= IDLE || connection.ping().await.is_ok())
            })
        })
}

/// Notifications of a channel; a lost connection is made again.
#[derive(Debug)]
pub struct Heard {
    pool: Pool,
    channel: &'static str,
    listener: Option<PgListener>,
}

impl Heard {
    /// Listens to a channel from the first [`Self::next`] on.
    pub fn on(pool: &Pool, channel: &'static str) -> Self {
        Self {
            pool: pool.clone(),
            channel,
            listener: None,
        }
    }

    /// Waits for a notification, or for a connection by which one may have been missed.
    pub async fn next(&mut self) {
        if let Some(listener) = &mut self.listener {
            if !matches!(listener.try_recv().await, Ok(Some(_))) {
                self.listener = None;
            }
            return;
        }
        self.listener = self.connect().await;
        if self.listener.is_none() {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }

    async fn connect(&self) -> Option<PgListener> {
        let mut listener = PgListener::connect_with(&self.pool).await.ok()?;
        listener.listen(self.channel).await.ok()?;
        Some(listener)
    }
}

/// Runs statements without parameters.
pub async fn execute(pool: &Pool, statements: &str) -> Result<(), sqlx::Error> {
    sqlx::raw_sql(statements).execute(pool).await.map(|_| ())
}

/// Gives a pool of its own to the same database.
pub async fn separate(pool: &Pool, connections: u32) -> Result<Pool, sqlx::Error> {
    let options = pool.connect_options().as_ref().clone();
    PgPoolOptions::new()
        .max_connections(connections)
        .connect_with(options)
        .await
}

/// Gives a pool of its own whose connections find the tables of a schema, and no others.
pub async fn within(pool: &Pool, schema: &str, connections: u32) -> Result<Pool, sqlx::Error> {
    let options = pool.connect_options().as_ref().clone();
    PgPoolOptions::new()
        .max_connections(connections)
        .connect_with(options.options([("search_path", schema)]))
        .await
}

/// Counts a table's rows.
pub async fn count(pool: &Pool, table: &str) -> Result<i64, sqlx::Error> {
    let query = format!("select count(*) from {table}");
    sqlx::query_scalar(&query).fetch_one(pool).await
}

/// Gives how many dead rows a table has.
pub async fn dead_rows(pool: &Pool, table: &str) -> Result<i64, sqlx::Error> {
    sqlx::query_scalar(
        "select coalesce(sum(n_dead_tup), 0)::bigint from pg_stat_user_tables
         where schemaname = 'public' and relname = $1",
    )
    .bind(table)
    .fetch_one(pool)
    .await
}

/// Writes every payload of a copy of the log as it is, by UPDATE; gives how long that takes.
pub async fn update_all(pool: &Pool) -> Result<Duration, sqlx::Error> {
    let copy = "create table log_copy (like event_log including all); insert into log_copy select * from event_log";
    execute(pool, copy).await?;
    let began = std::time::Instant::now();
    execute(pool, "update log_copy set sealed = sealed").await?;
    let took = began.elapsed();
    execute(pool, "drop table log_copy").await?;
    Ok(took)
}

/// Inserts and commits one row of a benchmark.
pub async fn insert_raw(pool: &Pool, stream: uuid::Uuid, sealed: &[u8]) -> Result<(), sqlx::Error> {
    sqlx::query("insert into raw_event (stream_type, stream_id, event_type, sealed) values ('reader', $1, 'HistoryRead', $2)")
        .bind(stream)
        .bind(sealed)
        .execute(pool)
        .await
        .map(|_| ())
}

/// Copies tables of a schema, by COPY, into empty UNLOGGED ones without indexes; gives the rows.
pub async fn copy(pool: &Pool, schema: &str, tables: &[&str]) -> Result<i64, sqlx::Error> {
    use futures::TryStreamExt as _;
    let (mut from, mut to) = (pool.acquire().await?, pool.acquire().await?);
    let mut rows = 0;
    for table in tables {
        let make = format!(
            "create unlogged table {schema}.copied_{table} as table {schema}.{table} with no data"
        );
        to.execute(make.as_str()).await?;
        let out = format!("copy {schema}.{table} to stdout (format binary)");
        let mut stream = from.copy_out_raw(&out).await?;
        let into = format!("copy {schema}.copied_{table} from stdin (format binary)");
        let mut sink = to.copy_in_raw(&into).await?;
        while let Some(bytes) = stream.try_next().await? {
            sink.send(bytes).await?;
        }
        rows += i64::try_from(sink.finish().await?).unwrap_or(i64::MAX);
    }
    Ok(rows)
}
