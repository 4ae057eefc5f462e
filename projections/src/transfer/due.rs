//! What is due to be noted: completed downloads, grace periods that are over, seed times reached.

use domain::Position;
use domain::amount::Seconds;
use domain::id::{MemberId, TorrentId};
use domain::transfer::Pair;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Reads, Unavailable};

/// A completed download, and where it stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Snatched {
    /// Who and what.
    pub of: Pair,
    /// When it was completed.
    pub at: OffsetDateTime,
    /// Where the log says so.
    pub position: Position,
}

/// Gives completed downloads after a position of which nothing is noted yet, in order.
pub async fn snatched(
    reads: &Reads,
    after: Position,
    limit: i64,
) -> Result<Vec<Snatched>, Unavailable> {
    let rows: Vec<(Uuid, Uuid, OffsetDateTime, i64)> = sqlx::query_as(
        "select s.member, s.torrent, s.at, s.position from snatch s
         where s.position > $1 and not exists (
             select from obligation o where o.member = s.member and o.torrent = s.torrent)
           and not exists (select from obligation_gone g where g.member = s.member)
         order by s.position limit $2",
    )
    .bind(after.0)
    .bind(limit)
    .fetch_all(&reads.pool)
    .await?;
    let snatched = |(member, torrent, at, position)| Snatched {
        of: pair(member, torrent),
        at,
        position: Position(position),
    };
    Ok(rows.into_iter().map(snatched).collect())
}

/// Gives those whose grace period is over by now, in seconds since 1970, with the seed time so far.
pub async fn due(reads: &Reads, now: i64, limit: i64) -> Result<Vec<(Pair, Seconds)>, Unavailable> {
    let rows: Vec<(Uuid, Uuid, i64)> = sqlx::query_as(
        "select o.member, o.torrent,
                (select coalesce(sum(l.seeded), 0)::bigint from ledger l
                 where l.member = o.member and l.torrent = o.torrent)
         from obligation o where o.standing = 'owing' and o.due <= $1 order by o.due limit $2",
    )
    .bind(now)
    .bind(limit)
    .fetch_all(&reads.pool)
    .await?;
    Ok(rows.into_iter().map(seeded).collect())
}

/// Gives those that owe and have seeded enough, as far as they were recorded since a moment.
pub async fn reached(
    reads: &Reads,
    since: OffsetDateTime,
) -> Result<Vec<(Pair, Seconds)>, Unavailable> {
    let rows: Vec<(Uuid, Uuid, i64)> = sqlx::query_as(
        "select member, torrent, seeded from (
             select o.member, o.torrent, o.owes,
                    (select sum(l.seeded)::bigint from ledger l
                     where l.member = o.member and l.torrent = o.torrent) as seeded
             from obligation o where o.standing in ('owing', 'marked') and exists (
                 select from ledger l where l.last_at > $1 and l.member = o.member and l.torrent = o.torrent)) as owed
         where seeded >= owes",
    )
    .bind(since)
    .fetch_all(&reads.pool)
    .await?;
    Ok(rows.into_iter().map(seeded).collect())
}

fn seeded((member, torrent, seeded): (Uuid, Uuid, i64)) -> (Pair, Seconds) {
    (pair(member, torrent), Seconds(seeded.unsigned_abs()))
}

fn pair(member: Uuid, torrent: Uuid) -> Pair {
    Pair {
        member: MemberId(member),
        torrent: TorrentId(torrent),
    }
}
