//! The writer's loop: while one batch is on its way to the disk, the next is put behind it.
//!
//! The rows of a batch go in as soon as the one before has its positions; its COMMIT is sent when
//! that one is committed. So the database inserts while the disk syncs, and the order holds.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use commands::ports::{AppendError, Appended, Unavailable, VaultChange};
use domain::Position;
use domain::vault::State;
use futures::future::BoxFuture;
use sqlx::{PgConnection, PgPool, Postgres, Transaction};
use time::OffsetDateTime;
use tokio::sync::mpsc;
use uuid::Uuid;

use super::claims::{self, Taken};
use super::rows::{Rows, Tip};
use super::{Job, Prepared, refused};
use crate::recent::Recent;
use crate::vault::{NewKey, Slot, Vault, keyring, state};

/// Commands that share a transaction at most.
const BATCH: usize = 512;
/// How often a batch is tried when another writer took its positions.
const TRIES: u32 = 50;
/// Why a batch isn't appended in which something is sealed under a key that was destroyed.
const ERASED: &str = "the member was erased";

/// The one task that writes.
pub(super) struct Writer {
    pool: PgPool,
    vault: Arc<Vault>,
    jobs: mpsc::Receiver<Job>,
    recent: Arc<Recent>,
    /// The end of the log with everything that was put there; unknown after a failure.
    tip: Option<Tip>,
    waiting: Vec<Job>,
    flight: Option<Flight>,
    tries: u32,
}

/// A batch whose COMMIT was sent.
struct Flight {
    jobs: Vec<Job>,
    answers: Vec<Appended>,
    recorded_at: OffsetDateTime,
    commit: BoxFuture<'static, Result<(), sqlx::Error>>,
}

impl Flight {
    /// Waits for the database's word and passes it on; tells whether the batch is in the log.
    async fn land(mut self, recent: &Recent) -> bool {
        let done = (&mut self.commit).await;
        self.answer(recent, done)
    }

    /// Answers the commands once COMMIT was answered; tells whether the batch is in the log.
    fn answer(self, recent: &Recent, done: Result<(), sqlx::Error>) -> bool {
        if let Err(error) = done {
            all_away(self.jobs, &error);
            return false;
        }
        let answered = self.jobs.into_iter().zip(self.answers.iter().copied());
        let (mut answers, mut events) = (vec![], vec![]);
        for (Job { prepared, answer }, appended) in answered {
            events.extend(prepared.recorded(appended, self.recorded_at));
            answers.push((answer, appended));
        }
        recent.keep(events);
        if let Some(appended) = self.answers.last() {
            recent.tell(appended.last);
        }
        for (answer, appended) in answers {
            let _gone = answer.send(Ok(appended));
        }
        true
    }
}

/// A batch whose rows are in, uncommitted.
struct Staged {
    transaction: Transaction<'static, Postgres>,
    answers: Vec<Appended>,
    tip: Tip,
}

impl Writer {
    pub(super) fn new(
        pool: PgPool,
        vault: Arc<Vault>,
        jobs: mpsc::Receiver<Job>,
        recent: Arc<Recent>,
    ) -> Self {
        Self {
            pool,
            vault,
            jobs,
            recent,
            tip: None,
            waiting: vec![],
            flight: None,
            tries: 0,
        }
    }

    /// Writes until nobody can ask any more.
    pub(super) async fn run(mut self) {
        while self.wait().await {
            let waiting = std::mem::take(&mut self.waiting);
            let (batch, later) = one_per_stream(waiting);
            self.waiting = later;
            // Whatever changes the vault stands alone, first, and is waited for: what is put behind
            // it must see the change.
            let (vault, batch): (Vec<_>, Vec<_>) = batch
                .into_iter()
                .partition(|job| job.prepared.vault.is_some());
            if vault.is_empty() {
                self.put(batch).await;
            } else {
                self.again(batch);
                self.put(vault).await;
                self.land().await;
            }
        }
        self.land().await;
    }

    /// Waits for the batch that is under way.
    async fn land(&mut self) {
        if let Some(flight) = self.flight.take()
            && !flight.land(&self.recent).await
        {
            self.tip = None;
        }
    }

    /// Waits for commands, and answers those that are committed meanwhile.
    async fn wait(&mut self) -> bool {
        while self.waiting.is_empty() {
            let job = match &mut self.flight {
                None => self.jobs.recv().await,
                Some(flight) => tokio::select! {
                    job = self.jobs.recv() => job,
                    done = &mut flight.commit => {
                        if let Some(flight) = self.flight.take()
                            && !flight.answer(&self.recent, done)
                        {
                            self.tip = None;
                        }
                        continue;
                    }
                },
            };
            match job {
                Some(job) => self.waiting.push(job),
                None => return false,
            }
        }
        while self.waiting.len() < BATCH
            && let Ok(job) = self.jobs.try_recv()
        {
            self.waiting.push(job);
        }
        true
    }

    /// Puts a batch behind the one that is under way.
    async fn put(&mut self, batch: Vec<Job>) {
        let before = self.tip.take();
        let flight = self.flight.take();
        let landing = async {
            match flight {
                Some(flight) => flight.land(&self.recent).await,
                None => true,
            }
        };
        match tokio::join!(stage(&self.pool, &self.vault, before, &batch), landing) {
            (Ok(staged), true) => {
                self.tries = 0;
                self.flight = Some(Flight {
                    jobs: batch,
                    answers: staged.answers,
                    recorded_at: staged.tip.recorded_at,
                    commit: Box::pin(staged.transaction.commit()),
                });
                self.tip = Some(staged.tip);
            }
            // Its positions would stand behind a gap.
            (Ok(_), false) => self.again(batch),
            (Err(error), _) if self.tries < TRIES && took_our_position(&error) => {
                self.tries += 1;
                tokio::time::sleep(Duration::from_millis(self.tries.into())).await;
                self.again(batch);
            }
            (Err(error), _) => self.one_by_one(batch, error).await,
        }
    }

    fn again(&mut self, mut batch: Vec<Job>) {
        batch.append(&mut self.waiting);
        self.waiting = batch;
    }

    /// One of a batch can't be appended; which one, each alone shows.
    async fn one_by_one(&mut self, batch: Vec<Job>, error: sqlx::Error) {
        if error.as_database_error().is_none() && !is_erased(&error) {
            return all_away(batch, &error);
        }
        for job in batch {
            let answer = match self.alone(&job).await {
                Ok(appended) => {
                    self.recent.tell(appended.last);
                    Ok(appended)
                }
                Err(error) => refused(&self.pool, &job.prepared, error).await,
            };
            let _gone = job.answer.send(answer);
        }
    }

    async fn alone(&mut self, job: &Job) -> Result<Appended, sqlx::Error> {
        let mut tries = 0;
        loop {
            match stage(
                &self.pool,
                &self.vault,
                self.tip.take(),
                std::slice::from_ref(job),
            )
            .await
            {
                Ok(staged) => {
                    staged.transaction.commit().await?;
                    self.tip = Some(staged.tip);
                    return staged
                        .answers
                        .first()
                        .copied()
                        .ok_or(sqlx::Error::RowNotFound);
                }
                Err(error) if tries < TRIES && took_our_position(&error) => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(tries.into())).await;
                }
                Err(error) => return Err(error),
            }
        }
    }
}

/// Inserts a batch behind the tip.
async fn stage(
    pool: &PgPool,
    vault: &Vault,
    before: Option<Tip>,
    batch: &[Job],
) -> Result<Staged, sqlx::Error> {
    let before = match before {
        Some(tip) => tip,
        None => Tip::read(pool).await?,
    };
    let batch: Vec<&Prepared> = batch.iter().map(|job| &job.prepared).collect();
    let (rows, answers) = Rows::of(&batch, &before);
    let tip = rows.tip();
    let mut transaction = pool.begin().await?;
    let (fence, erased) = rows.insert(&mut transaction, &batch, &answers).await?;
    if erased {
        return Err(sqlx::Error::Protocol(ERASED.to_owned()));
    }
    if vault.fence().ok() != Some(fence) {
        return Err(sqlx::Error::Protocol("the vault is sealed".to_owned()));
    }
    let mut taken = Taken::default();
    for (prepared, appended) in batch.iter().zip(&answers) {
        if !prepared.releases.is_empty() {
            taken.write(&mut transaction).await?;
        }
        beside(&mut transaction, prepared, appended.last, tip.recorded_at).await?;
        taken.add(prepared, appended.last);
    }
    taken.write(&mut transaction).await?;
    Ok(Staged {
        transaction,
        answers,
        tip,
    })
}

/// Commands on the same stream go one after the other, so that a conflict harms one of them alone.
fn one_per_stream(jobs: Vec<Job>) -> (Vec<Job>, Vec<Job>) {
    let mut streams = HashSet::new();
    jobs.into_iter()
        .partition(|job| streams.insert(job.prepared.stream))
}

fn all_away(jobs: Vec<Job>, error: &sqlx::Error) {
    let reason = error.to_string();
    for job in jobs {
        let away = Unavailable::new("the event store", reason.clone());
        let _gone = job.answer.send(Err(AppendError::Unavailable(away)));
    }
}

/// Tells whether a command's member was erased before it came into the log.
pub(super) fn is_erased(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Protocol(text) if text == ERASED)
}

fn took_our_position(error: &sqlx::Error) -> bool {
    let constraint = error
        .as_database_error()
        .and_then(sqlx::error::DatabaseError::constraint);
    constraint == Some("event_log_pkey")
}

/// Writes what goes with a command's events but its claims: its key, releases, the flush ledger.
async fn beside(
    to: &mut PgConnection,
    prepared: &Prepared,
    last: Position,
    now: OffsetDateTime,
) -> Result<(), sqlx::Error> {
    if let Some(key) = &prepared.key {
        insert_key(to, key, now).await?;
    }
    claims::release(to, prepared, last).await?;
    if let Some(flush) = &prepared.flush {
        sqlx::query(
            "insert into flush_ledger (node, epoch, number, position) values ($1, $2, $3, $4)",
        )
        .bind(&flush.node)
        .bind(flush.epoch)
        .bind(flush.number)
        .bind(last.0)
        .execute(&mut *to)
        .await?;
    }
    match &prepared.vault {
        None => Ok(()),
        Some(change) => change_vault(to, change, prepared.stream).await,
    }
}

async fn change_vault(
    to: &mut PgConnection,
    change: &VaultChange,
    stream: Uuid,
) -> Result<(), sqlx::Error> {
    match change {
        VaultChange::Erase => erase(to, stream).await,
        VaultChange::Slot(slot) => {
            let slot: Slot = serde_json::from_str(&slot.row)
                .map_err(|error| sqlx::Error::Encode(error.into()))?;
            slot.put(to).await
        }
        VaultChange::Seal => {
            // Its file goes with the commit; a deleted row would stay in it.
            sqlx::query("truncate keyring").execute(&mut *to).await?;
            state::shift(to, &[State::Open], State::Sealing)
                .await
                .map(|_| ())
        }
        VaultChange::Rekey(row) => keyring::read(row)?.put(to).await,
        VaultChange::Reopen(row) => {
            keyring::read(row)?.put(to).await?;
            sqlx::query("truncate sealed_traffic")
                .execute(&mut *to)
                .await?;
            state::shift(to, &[State::Restoring], State::Open)
                .await
                .map(|_| ())
        }
    }
}

/// Destroys a member's keys, and tells every node. A row without a key stays, so that no other one is made.
async fn erase(to: &mut PgConnection, member: Uuid) -> Result<(), sqlx::Error> {
    for statement in [
        "update data_key set wrapped = null where class = 'member' and subject = $1",
        "insert into data_key (key_id, class, subject, made_at)
         select nextval('data_key_id')::integer, 'member', $1, now()
         where not exists (select from data_key where class = 'member' and subject = $1 and not retired)",
        "delete from snapshot where stream_id = $1",
        "select pg_notify('erased', $1::uuid::text)",
    ] {
        let query = sqlx::query(statement).bind(member);
        query.execute(&mut *to).await?;
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
