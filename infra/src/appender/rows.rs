//! A batch as the columns of one statement.

use commands::ports::Appended;
use domain::Position;
use domain::vault::State;
use sqlx::{PgConnection, PgPool};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Prepared, SealedEvent};
use crate::seal::{self, Envelope, Place};
use crate::vault::Fence;

/// The end of the log, behind which the next batch begins.
#[derive(Debug, Clone)]
pub(super) struct Tip {
    position: i64,
    pub(super) recorded_at: OffsetDateTime,
    chain: Vec<u8>,
}

impl Tip {
    /// Reads the end of the log.
    pub(super) async fn read(pool: &PgPool) -> Result<Self, sqlx::Error> {
        let tip: Option<(i64, OffsetDateTime, Vec<u8>)> = sqlx::query_as(
            "select position, recorded_at, chain from event_log order by position desc limit 1",
        )
        .fetch_optional(pool)
        .await?;
        let (position, recorded_at, chain) = tip.unwrap_or((0, OffsetDateTime::UNIX_EPOCH, vec![]));
        Ok(Self {
            position,
            recorded_at,
            chain,
        })
    }
}

/// PostgreSQL keeps microseconds, and the leaf is hashed over what is kept.
fn whole_micros(at: OffsetDateTime) -> OffsetDateTime {
    at.replace_nanosecond(at.nanosecond() / 1_000 * 1_000)
        .unwrap_or(at)
}

/// Everything that a batch without claims, keys and flushes needs.
const INSERT: &str = "
    with logged as (
        insert into event_log (position, stream_type, stream_id, sequence, event_type, event_version,
                               command_id, recorded_at, key_id, suite, sealed, leaf, chain)
        select position, stream_type, stream_id, sequence, event_type, event_version, command_id,
               $1, key_id, 1, sealed, leaf, chain
        from unnest($2::bigint[], $3::text[], $4::uuid[], $5::bigint[], $6::text[], $7::int[],
                    $8::uuid[], $9::int[], $10::bytea[], $11::bytea[], $12::bytea[])
          as e(position, stream_type, stream_id, sequence, event_type, event_version, command_id,
               key_id, sealed, leaf, chain)
    ), answered as (
        insert into command_log (command_id, first_pos, last_pos, at)
        select command, first, last, $1
        from unnest($13::uuid[], $14::bigint[], $15::bigint[]) as c(command, first, last)
    )
    select state, epoch, exists (select from data_key where key_id = any($9) and wrapped is null)
    from vault, pg_notify('event_log', $16)";

/// The rows of `event_log`, column by column.
pub(super) struct Rows {
    now: OffsetDateTime,
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
    pub(super) fn of(batch: &[&Prepared], tip: &Tip) -> (Self, Vec<Appended>) {
        let mut rows = Self::empty(whole_micros(OffsetDateTime::now_utc()).max(tip.recorded_at));
        let mut answers = Vec::with_capacity(batch.len());
        let (mut position, mut chain) = (tip.position, tip.chain.clone());
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

    fn empty(now: OffsetDateTime) -> Self {
        Self {
            now,
            position: vec![],
            stream_type: vec![],
            stream: vec![],
            sequence: vec![],
            name: vec![],
            version: vec![],
            command: vec![],
            key_id: vec![],
            sealed: vec![],
            leaf: vec![],
            chain: vec![],
        }
    }

    /// Gives the end of the log once the rows are in it.
    pub(super) fn tip(&self) -> Tip {
        Tip {
            position: self.position.last().copied().unwrap_or_default(),
            recorded_at: self.now,
            chain: self.chain.last().cloned().unwrap_or_default(),
        }
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
        let recorded_at = micros(self.now);
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

    /// Inserts the rows and the commands' own, and tells who listens; gives how the vault
    /// stands, and whether a key was destroyed meanwhile.
    pub(super) async fn insert(
        self,
        to: &mut PgConnection,
        batch: &[&Prepared],
        answers: &[Appended],
    ) -> Result<(Fence, bool), sqlx::Error> {
        let commands: Vec<Uuid> = batch.iter().map(|prepared| prepared.command).collect();
        let firsts: Vec<i64> = answers.iter().map(|appended| appended.first.0).collect();
        let lasts: Vec<i64> = answers.iter().map(|appended| appended.last.0).collect();
        let head = lasts.last().map(ToString::to_string);
        let (state, epoch, erased): (String, i64, bool) = sqlx::query_as(INSERT)
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
            .bind(commands)
            .bind(firsts)
            .bind(lasts)
            .bind(head)
            .fetch_one(to)
            .await?;
        let state = State::named(&state).ok_or_else(|| sqlx::Error::Decode(state.into()))?;
        Ok((Fence { state, epoch }, erased))
    }
}

/// Gives microseconds since 1970.
pub(crate) fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(i64::MAX)
}
