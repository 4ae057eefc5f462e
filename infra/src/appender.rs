//! The one writer of the log: it takes what waits, and appends it in one transaction.
//!
//! Positions are gapless, because each batch begins behind the head that its own transaction read,
//! and the position's primary key lets no second writer take the same one: it waits for the first,
//! fails, and reads the head again. So a position is only ever visible after all before it.

use std::collections::HashSet;
use std::time::Duration;

use commands::ports::{AppendError, Appended, Claim, Flush, Unavailable};
use domain::Position;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use time::OffsetDateTime;
use tokio::sync::{mpsc, oneshot, watch};
use uuid::Uuid;

use crate::seal::{self, Envelope, Place};
use crate::vault::NewKey;

/// Commands that share a transaction at most.
const BATCH: usize = 512;
/// Commands that wait at most; past it a command is refused as unavailable.
const QUEUE: usize = 4_096;
/// How often a batch is tried when another writer took its positions.
const TRIES: u32 = 50;

/// A command's events, sealed and ready.
#[derive(Debug, Clone)]
pub(crate) struct Prepared {
    pub(crate) stream_type: &'static str,
    pub(crate) stream: Uuid,
    pub(crate) expected: i64,
    pub(crate) command: Uuid,
    pub(crate) key_id: i32,
    pub(crate) events: Vec<SealedEvent>,
    pub(crate) claims: Vec<Claim>,
    pub(crate) releases: Vec<Claim>,
    pub(crate) flush: Option<Flush>,
    pub(crate) key: Option<NewKey>,
}

/// An event, sealed and ready.
#[derive(Debug, Clone)]
pub(crate) struct SealedEvent {
    pub(crate) name: String,
    pub(crate) version: i32,
    pub(crate) sealed: seal::Sealed,
}

type Answer = Result<Appended, AppendError>;

struct Job {
    prepared: Prepared,
    answer: oneshot::Sender<Answer>,
}

/// Where commands hand over what they want to append.
#[derive(Debug, Clone)]
pub(crate) struct Appender {
    queue: mpsc::Sender<Job>,
}

impl Appender {
    /// Starts the writer; it ends when the last handle is dropped. `head` is told each new head.
    pub(crate) fn start(pool: PgPool, head: watch::Sender<Position>) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        tokio::spawn(write(pool, jobs, head));
        Self { queue }
    }

    /// Appends a command's events, claims and releases, or nothing.
    pub(crate) async fn append(&self, prepared: Prepared) -> Answer {
        let (answer, answered) = oneshot::channel();
        let away = |reason: &'static str| {
            AppendError::Unavailable(Unavailable::new("the event store", reason))
        };
        self.queue
            .try_send(Job { prepared, answer })
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => away("too many commands wait"),
                mpsc::error::TrySendError::Closed(_) => away("it is shutting down"),
            })?;
        answered
            .await
            .unwrap_or_else(|_| Err(away("it is shutting down")))
    }
}

async fn write(pool: PgPool, mut jobs: mpsc::Receiver<Job>, head: watch::Sender<Position>) {
    let mut waiting: Vec<Job> = vec![];
    loop {
        if waiting.is_empty() {
            match jobs.recv().await {
                Some(job) => waiting.push(job),
                None => return,
            }
        }
        while waiting.len() < BATCH
            && let Ok(job) = jobs.try_recv()
        {
            waiting.push(job);
        }
        let (batch, later) = one_per_stream(std::mem::take(&mut waiting));
        waiting = later;
        append_all(&pool, batch, &head).await;
    }
}

/// Commands on the same stream go one after the other, so that a conflict harms one of them alone.
fn one_per_stream(jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
    let mut streams = HashSet::new();
    jobs.into_iter()
        .partition(|job| streams.insert(job.prepared.stream))
}

async fn append_all(pool: &PgPool, batch: Vec<Job>, head: &watch::Sender<Position>) {
    if batch.len() > 1 {
        let all: Vec<&Prepared> = batch.iter().map(|job| &job.prepared).collect();
        match transaction(pool, &all).await {
            Ok(answers) => {
                tell(head, answers.last());
                for (job, appended) in batch.into_iter().zip(answers) {
                    let _gone = job.answer.send(Ok(appended));
                }
                return;
            }
            Err(error) if error.as_database_error().is_none() => {
                let reason = error.to_string();
                for job in batch {
                    let away = Unavailable::new("the event store", reason.clone());
                    let _gone = job.answer.send(Err(AppendError::Unavailable(away)));
                }
                return;
            }
            // One of them can't be appended; which one, each alone will show.
            Err(_) => {}
        }
    }
    for job in batch {
        let answer = append_one(pool, &job.prepared).await;
        tell(head, answer.as_ref().ok());
        let _gone = job.answer.send(answer);
    }
}

fn tell(head: &watch::Sender<Position>, appended: Option<&Appended>) {
    if let Some(appended) = appended {
        head.send_if_modified(|known| {
            let newer = appended.last > *known;
            *known = appended.last.max(*known);
            newer
        });
    }
}

async fn append_one(pool: &PgPool, prepared: &Prepared) -> Answer {
    match transaction(pool, &[prepared]).await {
        Ok(mut answers) => answers.pop().ok_or_else(|| {
            AppendError::Unavailable(Unavailable::new("the event store", "no answer"))
        }),
        Err(error) => refused(pool, prepared, error).await,
    }
}

/// Says why a command's transaction failed, or gives the first answer to a repeated one.
async fn refused(pool: &PgPool, prepared: &Prepared, error: sqlx::Error) -> Answer {
    let constraint = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint);
    match constraint.map(str::to_owned).as_deref() {
        Some("event_log_stream" | "command_log_pkey") => repeated(pool, prepared.command).await,
        Some("flush_ledger_pkey") => Err(AppendError::Flushed),
        Some("data_key_class_subject_key") => Err(AppendError::Conflict),
        Some("unique_claim_pkey") => Err(taken(pool, prepared).await),
        _ => Err(away(error)),
    }
}

async fn taken(pool: &PgPool, prepared: &Prepared) -> AppendError {
    for claim in &prepared.claims {
        match holder(pool, claim).await {
            Ok(Some(holder)) if holder != prepared.stream => {
                return AppendError::Claimed {
                    scope: claim.scope,
                    holder: Some(holder),
                };
            }
            Ok(_) => {}
            Err(error) => return away(error),
        }
    }
    // Whoever held it has released it meanwhile.
    AppendError::Conflict
}

/// Tells the stream that holds a claim.
pub(crate) async fn holder(pool: &PgPool, claim: &Claim) -> Result<Option<Uuid>, sqlx::Error> {
    sqlx::query_scalar("select stream_id from unique_claim where scope = $1 and key_hmac = $2")
        .bind(claim.scope)
        .bind(claim.key.as_slice())
        .fetch_optional(pool)
        .await
}

/// Gives the first answer to a command that was carried out before; a conflict to any other.
async fn repeated(pool: &PgPool, command: Uuid) -> Answer {
    let found: Option<(i64, i64)> =
        sqlx::query_as("select first_pos, last_pos from command_log where command_id = $1")
            .bind(command)
            .fetch_optional(pool)
            .await
            .map_err(away)?;
    let (first, last) = found.ok_or(AppendError::Conflict)?;
    Ok(Appended {
        first: Position(first),
        last: Position(last),
    })
}

fn away(error: sqlx::Error) -> AppendError {
    AppendError::Unavailable(Unavailable::new("the event store", error))
}

/// Appends commands in one transaction; tries again while another writer is faster.
async fn transaction(pool: &PgPool, batch: &[&Prepared]) -> Result<Vec<Appended>, sqlx::Error> {
    let mut tries = 0;
    loop {
        let mut transaction = pool.begin().await?;
        match insert(&mut transaction, batch).await {
            Ok(answers) => {
                transaction.commit().await?;
                return Ok(answers);
            }
            Err(error) if tries < TRIES && took_our_position(&error) => {
                tries += 1;
                transaction.rollback().await?;
                tokio::time::sleep(Duration::from_millis(u64::from(tries))).await;
            }
            Err(error) => return Err(error),
        }
    }
}

fn took_our_position(error: &sqlx::Error) -> bool {
    let constraint = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint);
    constraint == Some("event_log_pkey")
}

async fn insert(
    transaction: &mut Transaction<'_, Postgres>,
    batch: &[&Prepared],
) -> Result<Vec<Appended>, sqlx::Error> {
    let tip: Option<(i64, OffsetDateTime, Vec<u8>)> = sqlx::query_as(
        "select position, recorded_at, chain from event_log order by position desc limit 1",
    )
    .fetch_optional(&mut **transaction)
    .await?;
    let (head, before, chain) = tip.unwrap_or((0, OffsetDateTime::UNIX_EPOCH, vec![]));
    let now = whole_micros(OffsetDateTime::now_utc()).max(before);
    let (rows, answers) = Rows::of(batch, head, now, chain);
    rows.insert(transaction).await?;
    side_tables(transaction, batch, &answers, now).await?;
    let last = answers.last().map_or(head, |appended| appended.last.0);
    sqlx::query("select pg_notify('event_log', $1)")
        .bind(last.to_string())
        .execute(&mut **transaction)
        .await?;
    Ok(answers)
}

/// PostgreSQL keeps microseconds, and the leaf is hashed over what is kept.
fn whole_micros(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.nanosecond() / 1_000 * 1_000)
        .unwrap_or(at)
}

/// The rows of `event_log`, column by column.
#[derive(Default)]
struct Rows {
    now: Option<OffsetDateTime>,
    position: Vec<i64>,
    stream_type: Vec<String>,
    stream: Vec<Uuid>,
    sequence: Vec<i64>,
    name: Vec<String>,
    version: Vec<i32>,
    command: Vec<Uuid>,
    key_id: Vec<i32>,
    sealed: Vec<Vec<u8>>,
    leaf: Vec<Vec<u8>>,
    chain: Vec<Vec<u8>>,
}

impl Rows {
    fn of(
        batch: &[&Prepared],
        head: i64,
        now: OffsetDateTime,
        mut chain: Vec<u8>,
    ) -> (Self, Vec<Appended>) {
        let mut rows = Self {
            now: Some(now),
            ..Self::default()
        };
        let mut answers = Vec::with_capacity(batch.len());
        let mut position = head;
        for prepared in batch {
            let first = Position(position + 1);
            for (event, sequence) in prepared.events.iter().zip(prepared.expected + 1..) {
                position += 1;
                chain = rows.push(prepared, event, position, sequence, &chain);
            }
            answers.push(Appended {
                first,
                last: Position(position),
            });
        }
        (rows, answers)
    }

    fn push(
        &mut self,
        of: &Prepared,
        event: &SealedEvent,
        position: i64,
        sequence: i64,
        before: &[u8],
    ) -> Vec<u8> {
        let envelope = Envelope {
            stream_type: of.stream_type,
            stream: of.stream,
            sequence,
            name: &event.name,
            version: event.version,
            key_id: of.key_id,
        };
        let recorded_at = self.now.map_or(0, micros);
        let place = Place {
            position,
            envelope,
            command: of.command,
            recorded_at,
        };
        let leaf = seal::leaf(&place, &event.sealed.commitment);
        let chain = seal::link(before, &leaf).to_vec();
        self.position.push(position);
        self.stream_type.push(of.stream_type.to_owned());
        self.stream.push(of.stream);
        self.sequence.push(sequence);
        self.name.push(event.name.clone());
        self.version.push(event.version);
        self.command.push(of.command);
        self.key_id.push(of.key_id);
        self.sealed.push(event.sealed.bytes.clone());
        self.leaf.push(leaf.to_vec());
        self.chain.push(chain.clone());
        chain
    }

    async fn insert(self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        sqlx::query(
            "insert into event_log (position, stream_type, stream_id, sequence, event_type, event_version,
                                    command_id, recorded_at, key_id, suite, sealed, leaf, chain)
             select position, stream_type, stream_id, sequence, event_type, event_version, command_id,
                    $1, key_id, 1, sealed, leaf, chain
             from unnest($2::bigint[], $3::text[], $4::uuid[], $5::bigint[], $6::text[], $7::int[],
                         $8::uuid[], $9::int[], $10::bytea[], $11::bytea[], $12::bytea[])
               as e(position, stream_type, stream_id, sequence, event_type, event_version, command_id,
                    key_id, sealed, leaf, chain)",
        )
        .bind(self.now)
        .bind(self.position)
        .bind(self.stream_type)
        .bind(self.stream)
        .bind(self.sequence)
        .bind(self.name)
        .bind(self.version)
        .bind(self.command)
        .bind(self.key_id)
        .bind(self.sealed)
        .bind(self.leaf)
        .bind(self.chain)
        .execute(to)
        .await
        .map(|_| ())
    }
}

/// Gives microseconds since 1970.
pub(crate) fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}

/// Writes what goes with the events: the command log, keys, releases, claims, the flush ledger.
async fn side_tables(
    to: &mut PgConnection,
    batch: &[&Prepared],
    answers: &[Appended],
    now: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    let commands: Vec<Uuid> = batch.iter().map(|prepared| prepared.command).collect();
    let firsts: Vec<i64> = answers.iter().map(|appended| appended.first.0).collect();
    let lasts: Vec<i64> = answers.iter().map(|appended| appended.last.0).collect();
    sqlx::query(
        "insert into command_log (command_id, first_pos, last_pos, at)
         select command, first, last, $1 from unnest($2::uuid[], $3::bigint[], $4::bigint[]) as c(command, first, last)",
    )
    .bind(now)
    .bind(commands)
    .bind(firsts)
    .bind(lasts)
    .execute(&mut *to)
    .await?;
    for (prepared, appended) in batch.iter().zip(answers) {
        if let Some(key) = &prepared.key {
            insert_key(to, key, now).await?;
        }
        claims(to, prepared, appended.last).await?;
        if let Some(flush) = &prepared.flush {
            sqlx::query(
                "insert into flush_ledger (node, epoch, number, position) values ($1, $2, $3, $4)",
            )
            .bind(&flush.node)
            .bind(flush.epoch)
            .bind(flush.number)
            .bind(appended.last.0)
            .execute(&mut *to)
            .await?;
        }
    }
    Ok(())
}

async fn insert_key(
    to: &mut PgConnection,
    key: &NewKey,
    now: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    sqlx::query("insert into data_key (key_id, class, subject, wrapped, made_at) values ($1, $2, $3, $4, $5)")
        .bind(key.key_id)
        .bind(key.class)
        .bind(key.subject)
        .bind(&key.wrapped)
        .bind(now)
        .execute(to)
        .await
        .map(|_| ())
}

async fn claims(
    to: &mut PgConnection,
    prepared: &Prepared,
    at: Position,
) -> Result<(), sqlx::Error> {
    for claim in &prepared.releases {
        sqlx::query(
            "delete from unique_claim where scope = $1 and key_hmac = $2 and stream_id = $3",
        )
        .bind(claim.scope)
        .bind(claim.key.as_slice())
        .bind(prepared.stream)
        .execute(&mut *to)
        .await?;
    }
    for claim in &prepared.claims {
        sqlx::query("insert into unique_claim (scope, key_hmac, stream_id, position) values ($1, $2, $3, $4)")
            .bind(claim.scope)
            .bind(claim.key.as_slice())
            .bind(prepared.stream)
            .bind(at.0)
            .execute(&mut *to)
            .await?;
    }
    Ok(())
}
