//! A pass over the whole log: copied row by row into another table, which then takes its place.
//!
//! So the old table stays whole until the new one is, what was copied stays copied after a crash, and
//! no dead row is left. Rows are streamed: a few megabytes are in memory at any time, while one
//! connection reads, a core changes and another connection writes.

use futures::TryStreamExt as _;
use sqlx::postgres::PgPoolCopyExt as _;
use sqlx::{Connection as _, Executor as _, PgConnection, PgPool, Postgres, Transaction};
use tokio::sync::mpsc;

use super::WorkError;
use super::outer::Layer;
use super::tuple::{COLUMNS, HEAD, NotARow, TAIL, Tuple};
use crate::step;
use crate::vault::state;

/// Bytes that are handed on at once.
const CHUNK: usize = 1 << 20;
/// Bytes that one transaction takes.
const BATCH: usize = 48 << 20;

/// What a pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Moved {
    /// Rows that it changed, this time.
    pub rows: i64,
    /// Rows that it had to leave as they were.
    pub left: i64,
}

/// A pass: into which table, how it is told, and whether the log has its outer layer afterwards.
pub(super) struct Pass {
    pub(super) table: &'static str,
    pub(super) other: &'static str,
    pub(super) doing: &'static str,
    pub(super) layered: bool,
}

/// Puts the outer layer on.
pub(super) const ON: Pass = Pass {
    table: "event_log_outer",
    other: "event_log_inner",
    doing: "encrypting the event store",
    layered: true,
};
/// Takes it off.
pub(super) const OFF: Pass = Pass {
    table: "event_log_inner",
    other: "event_log_outer",
    doing: "decrypting the event store",
    layered: false,
};

/// Rows as they are copied, up to a position.
struct Chunk {
    bytes: Vec<u8>,
    upto: i64,
    rows: i64,
    left: i64,
}

impl Pass {
    /// Copies the log through a layer and swaps it in; goes on where an earlier pass was cut off.
    pub(super) async fn run(
        &self,
        pool: &PgPool,
        layer: Box<dyn Layer>,
    ) -> Result<Moved, WorkError> {
        let total: Option<i64> = sqlx::query_scalar("select max(position) from event_log")
            .fetch_one(pool)
            .await?;
        let (total, copied) = (total.unwrap_or(0), self.begin(pool).await?);
        state::progress(pool, self.doing, copied, total).await?;
        let moved = self.copy(pool, layer, copied, total).await?;
        self.reached("copied");
        state::progress(pool, self.doing, total, total).await?;
        self.index(pool).await?;
        self.reached("indexed");
        self.swap(pool).await?;
        self.reached("swapped");
        Ok(moved)
    }

    fn reached(&self, step: &str) {
        step::reached(&format!("{} {step}", self.table));
    }

    /// Makes the table where there is none; gives the position up to which it was filled before.
    async fn begin(&self, pool: &PgPool) -> Result<i64, sqlx::Error> {
        let (table, other) = (self.table, self.other);
        // The key is there from the start, so that the last position is found at once.
        let make = format!(
            "drop table if exists {other};
             create table if not exists {table}
                (like event_log including defaults including constraints including storage,
                 constraint {table}_pkey primary key (position))"
        );
        pool.execute(make.as_str()).await?;
        let last = format!("select coalesce(max(position), 0) from {table}");
        sqlx::query_scalar(&last).fetch_one(pool).await
    }

    async fn copy(
        &self,
        pool: &PgPool,
        layer: Box<dyn Layer>,
        after: i64,
        total: i64,
    ) -> Result<Moved, WorkError> {
        let (to, mut chunks) = mpsc::channel(2);
        let reading = read(pool, layer, after, to);
        let writing = async {
            let mut moved = Moved::default();
            // The same for every batch: making one takes longer than a small batch.
            let mut connection = pool.acquire().await?;
            while let Some(first) = chunks.recv().await {
                let done = self
                    .batch(&mut connection, first, &mut chunks, total)
                    .await?;
                moved.rows += done.rows;
                moved.left += done.left;
            }
            Ok::<_, WorkError>(moved)
        };
        let (read, written) = tokio::join!(reading, writing);
        // Where the writer failed, the reader only tells that nobody listens.
        let moved = written?;
        read?;
        Ok(moved)
    }

    /// Writes chunks in one transaction, with how far they reach.
    async fn batch(
        &self,
        connection: &mut PgConnection,
        first: Chunk,
        chunks: &mut mpsc::Receiver<Chunk>,
        total: i64,
    ) -> Result<Moved, WorkError> {
        let mut transaction = connection.begin().await?;
        let mut moved = Moved::default();
        let copy = format!("copy {} ({COLUMNS}) from stdin (format binary)", self.table);
        let mut sink = transaction.copy_in_raw(&copy).await?;
        sink.send(HEAD).await?;
        let (mut bytes, mut upto, mut next) = (0, 0, Some(first));
        while let Some(chunk) = next {
            bytes += chunk.bytes.len();
            moved.rows += chunk.rows;
            moved.left += chunk.left;
            upto = chunk.upto;
            sink.send(chunk.bytes).await?;
            next = if bytes < BATCH {
                chunks.recv().await
            } else {
                None
            };
        }
        sink.send(TAIL).await?;
        sink.finish().await?;
        self.commit(transaction, upto, total).await?;
        Ok(moved)
    }

    /// Commits a batch, unless the vault stands otherwise meanwhile.
    async fn commit(
        &self,
        mut transaction: Transaction<'_, Postgres>,
        upto: i64,
        total: i64,
    ) -> Result<(), WorkError> {
        still(&mut transaction, self.layered).await?;
        state::progress(&mut *transaction, self.doing, upto, total).await?;
        transaction.commit().await?;
        self.reached("batch");
        Ok(())
    }

    async fn index(&self, pool: &PgPool) -> Result<(), sqlx::Error> {
        let table = self.table;
        let index = format!(
            "create unique index if not exists {table}_stream on {table} (stream_id, stream_type, sequence)"
        );
        pool.execute(index.as_str()).await.map(|_| ())
    }

    /// Puts the new table in the place of the old one.
    async fn swap(&self, pool: &PgPool) -> Result<(), WorkError> {
        let table = self.table;
        let mut transaction = pool.begin().await?;
        still(&mut transaction, self.layered).await?;
        let view: String = sqlx::query_scalar("select pg_get_viewdef('stored_event'::regclass)")
            .fetch_one(&mut *transaction)
            .await?;
        let swap = format!(
            "drop view stored_event;
             drop table event_log;
             alter table {table} rename to event_log;
             alter table event_log rename constraint {table}_pkey to event_log_pkey;
             alter table event_log add constraint event_log_stream unique using index {table}_stream;
             create view stored_event as {view};
             update vault set layered = {};",
            self.layered
        );
        (&mut *transaction).execute(swap.as_str()).await?;
        transaction.commit().await?;
        Ok(())
    }
}

/// Refuses to go on where the vault stands otherwise: a pass that puts the layer on works while it is
/// sealed, one that takes it off while it is being restored.
async fn still(transaction: &mut PgConnection, layered: bool) -> Result<(), WorkError> {
    use domain::vault::State;
    // The row is held until the commit, so nobody changes it in between.
    sqlx::query("select from vault for update")
        .execute(&mut *transaction)
        .await?;
    let row = state::read(&mut *transaction).await?.unwrap_or_default();
    let fits = match row.state {
        State::Sealing | State::Sealed => layered,
        State::Restoring => !layered,
        State::Open => false,
    };
    if fits { Ok(()) } else { Err(WorkError::Moved) }
}

/// Reads the log behind a position, changes each row and hands chunks on.
async fn read(
    pool: &PgPool,
    layer: Box<dyn Layer>,
    after: i64,
    to: mpsc::Sender<Chunk>,
) -> Result<(), WorkError> {
    let query = format!(
        "copy (select {COLUMNS} from event_log where position > {after} order by position) to stdout (format binary)"
    );
    let mut stream = pool.copy_out_raw(&query).await?;
    let mut rest = Vec::with_capacity(2 * CHUNK);
    let mut layer = Some(layer);
    let mut ended = false;
    while !ended {
        while rest.len() < CHUNK && !ended {
            match stream.try_next().await? {
                Some(bytes) => rest.extend_from_slice(&bytes),
                None => ended = true,
            }
        }
        let (Some(owned), bytes) = (layer.take(), std::mem::take(&mut rest)) else {
            return Ok(());
        };
        let work = move || {
            let changed = change(owned.as_ref(), &bytes);
            (owned, bytes, changed)
        };
        let done = tokio::task::spawn_blocking(work).await;
        let (owned, bytes, changed) =
            done.map_err(|error| WorkError::Refused(error.to_string()))?;
        let (chunk, used) = changed.map_err(|error| WorkError::Refused(error.to_string()))?;
        layer = Some(owned);
        rest.extend_from_slice(bytes.get(used..).unwrap_or_default());
        if chunk.rows + chunk.left > 0 && to.send(chunk).await.is_err() {
            return Ok(());
        }
    }
    Ok(())
}

/// Changes the rows that are there whole; gives them, and how many bytes they were.
fn change(layer: &dyn Layer, bytes: &[u8]) -> Result<(Chunk, usize), NotARow> {
    let mut chunk = Chunk {
        bytes: Vec::with_capacity(bytes.len() + bytes.len() / 8),
        upto: 0,
        rows: 0,
        left: 0,
    };
    let head = if bytes.starts_with(HEAD) {
        HEAD.len()
    } else {
        0
    };
    let mut used = head;
    loop {
        let rest = bytes.get(used..).unwrap_or_default();
        if Tuple::is_tail(rest) {
            return Ok((chunk, bytes.len()));
        }
        let Some((mut row, length)) = Tuple::read(rest)? else {
            return Ok((chunk, used));
        };
        match layer.change(&mut row) {
            Ok(()) => chunk.rows += 1,
            Err(_) => chunk.left += 1,
        }
        row.write(&mut chunk.bytes);
        chunk.upto = row.position();
        used += length;
    }
}
