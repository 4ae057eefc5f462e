//! What members moved: the ledger of runs, and the totals that it adds up to.
//!
//! A batch carries cumulative totals; what is credited is by how much a run's greatest total grows.
//! So a batch that comes twice or late adds nothing.

use domain::amount::{Bytes, Ratio, Seconds};
use domain::id::{MemberId, TorrentId};
use domain::traffic::Entry;
use sqlx::postgres::PgRow;
use sqlx::{PgExecutor, Row as _};
use time::OffsetDateTime;

use crate::page::{Cursor, Page};
use crate::{Fold, Projection, Reads, Unavailable, at_once};

pub mod proof;

mod runs;
mod snatch;

use runs::Runs;

/// What a member moved, in all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Bytes credited as uploaded.
    pub uploaded: Bytes,
    /// Bytes credited as downloaded.
    pub downloaded: Bytes,
    /// What of them counts against the ratio: all but what was freeleech.
    pub charged: Bytes,
    /// What counts as uploaded besides, such as the starter credit.
    pub credit: Bytes,
    /// Time as a seeder.
    pub seeded: Seconds,
    /// Time as a leecher.
    pub leeched: Seconds,
    /// Torrents completed.
    pub snatches: i64,
    /// Hit-and-runs that are open.
    pub marks: u32,
}

impl Totals {
    /// Gives what counts as uploaded against what counts as downloaded.
    pub fn ratio(&self) -> Ratio {
        Ratio {
            uploaded: Bytes(self.uploaded.0.saturating_add(self.credit.0)),
            downloaded: self.charged,
        }
    }
}

/// One run of a client in the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// What was moved.
    pub torrent: TorrentId,
    /// The torrent's name.
    pub name: String,
    /// Which client, by keyed hash.
    pub client: String,
    /// Which run of the client.
    pub run: i32,
    /// Bytes credited as uploaded.
    pub uploaded: Bytes,
    /// Bytes credited as downloaded.
    pub downloaded: Bytes,
    /// What of them counts against the ratio.
    pub charged: Bytes,
    /// Bytes that the client still wanted at last.
    pub left: Bytes,
    /// Time as a seeder.
    pub seeded: Seconds,
    /// Time as a leecher.
    pub leeched: Seconds,
    /// Whether the client completed the download in this run.
    pub completed: bool,
    /// When the run was first recorded.
    pub first_at: OffsetDateTime,
    /// When the run was last recorded.
    pub last_at: OffsetDateTime,
}

/// Gives what a member moved, in all.
pub async fn totals(reads: &Reads, member: MemberId) -> Result<Totals, Unavailable> {
    Ok(in_all(&reads.pool, member).await?)
}

async fn in_all(from: impl PgExecutor<'_>, member: MemberId) -> Result<Totals, sqlx::Error> {
    let query = format!("select {TOTALS} from member_total where member = $1");
    let row = sqlx::query(&query).bind(member.0);
    let row = row.fetch_optional(from).await?;
    Ok(row.as_ref().map(read).transpose()?.unwrap_or_default())
}

/// The columns that [`read`] reads.
pub(crate) const TOTALS: &str =
    "uploaded, downloaded, charged, credit, marks, seeded, leeched, snatches";

/// Reads totals; where nobody has moved anything, all are null.
pub(crate) fn read(row: &PgRow) -> Result<Totals, sqlx::Error> {
    if row.try_get::<Option<i64>, _>("snatches")?.is_none() {
        return Ok(Totals::default());
    }
    Ok(Totals {
        uploaded: bytes(row, "uploaded")?,
        downloaded: bytes(row, "downloaded")?,
        charged: bytes(row, "charged")?,
        credit: bytes(row, "credit")?,
        marks: row.try_get::<i32, _>("marks")?.unsigned_abs(),
        seeded: seconds(row, "seeded")?,
        leeched: seconds(row, "leeched")?,
        snatches: row.try_get("snatches")?,
    })
}

/// Gives what a member moved of one torrent.
async fn on_torrent(
    from: impl PgExecutor<'_>,
    member: MemberId,
    torrent: TorrentId,
) -> Result<Totals, sqlx::Error> {
    let row = sqlx::query(
        "select coalesce(sum(uploaded), 0)::bigint as uploaded, coalesce(sum(downloaded), 0)::bigint as downloaded,
                coalesce(sum(charged), 0)::bigint as charged, coalesce(sum(seeded), 0)::bigint as seeded,
                coalesce(sum(leeched), 0)::bigint as leeched
         from ledger where member = $1 and torrent = $2",
    )
    .bind(member.0)
    .bind(torrent.0)
    .fetch_one(from)
    .await?;
    Ok(Totals {
        uploaded: bytes(&row, "uploaded")?,
        downloaded: bytes(&row, "downloaded")?,
        charged: bytes(&row, "charged")?,
        seeded: seconds(&row, "seeded")?,
        leeched: seconds(&row, "leeched")?,
        ..Totals::default()
    })
}

/// Gives a page of a member's ledger, of one torrent or of all, the latest run first.
pub async fn ledger(
    reads: &Reads,
    member: MemberId,
    torrent: Option<TorrentId>,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Line>, Unavailable> {
    Ok(lines(&reads.pool, member, torrent, from, limit).await?)
}

/// Gives a page of a member's ledger, of one torrent or of all, with what all of its lines add up to at that
/// moment.
pub async fn ledger_with_sums(
    reads: &Reads,
    member: MemberId,
    torrent: Option<TorrentId>,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<(Page<Line>, Totals), Unavailable> {
    let mut together = at_once(&reads.pool).await?;
    let lines = lines(&mut *together, member, torrent, from, limit).await?;
    let sums = match torrent {
        Some(torrent) => on_torrent(&mut *together, member, torrent).await?,
        None => in_all(&mut *together, member).await?,
    };
    together.commit().await?;
    Ok((lines, sums))
}

async fn lines(
    to: impl PgExecutor<'_>,
    member: MemberId,
    torrent: Option<TorrentId>,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Line>, sqlx::Error> {
    let key: Option<(i64, uuid::Uuid, String, i32)> = from.and_then(Cursor::key);
    let rows = sqlx::query(
        "select l.torrent, l.client, l.run, l.uploaded, l.downloaded, l.charged, l.remaining, l.seeded, l.leeched,
                l.completed, l.first_at, l.last_at, coalesce(t.name, '(unknown)') as name
         from ledger l left join torrent t on t.id = l.torrent
         where l.member = $1 and ($2::bigint is null or (l.last_at, l.torrent, l.client, l.run)
            < (timestamptz 'epoch' + $2 * interval '1 microsecond', $3, $4, $5))
            and ($7::uuid is null or l.torrent = $7)
         order by l.last_at desc, l.torrent desc, l.client desc, l.run desc limit $6",
    )
    .bind(member.0)
    .bind(key.as_ref().map(|key| key.0))
    .bind(key.as_ref().map(|key| key.1))
    .bind(key.as_ref().map(|key| key.2.clone()))
    .bind(key.as_ref().map(|key| key.3))
    .bind(limit + 1)
    .bind(torrent.map(|torrent| torrent.0))
    .fetch_all(to)
    .await?;
    let lines = rows.iter().map(line_row).collect::<Result<_, _>>()?;
    Ok(Page::cut(lines, limit, |line: &Line| {
        (
            micros(line.last_at),
            line.torrent.0,
            line.client.clone(),
            line.run,
        )
    }))
}

/// Gives the newest run of every client that was recorded within the last fourteen days, for the
/// tracker to measure the next reports against.
pub async fn last_runs(reads: &Reads) -> Result<Vec<Entry>, Unavailable> {
    let rows = sqlx::query(
        "select distinct on (member, torrent, client) member, torrent, client, run, uploaded, downloaded, charged,
                remaining, seeded, leeched, completed
         from ledger
         where last_at > now() - interval '14 days'
         order by member, torrent, client, run desc",
    )
    .fetch_all(&reads.pool)
    .await?;
    Ok(rows.iter().map(entry_row).collect::<Result<_, _>>()?)
}

/// Gives how many members completed each torrent.
pub async fn snatches(reads: &Reads) -> Result<Vec<(TorrentId, i64)>, Unavailable> {
    let rows: Vec<(uuid::Uuid, i64)> =
        sqlx::query_as("select torrent, count from snatch_count where count > 0")
            .fetch_all(&reads.pool)
            .await?;
    Ok(rows
        .into_iter()
        .map(|(torrent, count)| (TorrentId(torrent), count))
        .collect())
}

fn micros(at: OffsetDateTime) -> i64 {
    i64::try_from(at.unix_timestamp_nanos() / 1000).unwrap_or(i64::MAX)
}

fn bytes(row: &PgRow, column: &str) -> Result<Bytes, sqlx::Error> {
    let stored: i64 = row.try_get(column)?;
    Ok(Bytes(stored.unsigned_abs()))
}

fn seconds(row: &PgRow, column: &str) -> Result<Seconds, sqlx::Error> {
    let stored: i64 = row.try_get(column)?;
    Ok(Seconds(stored.unsigned_abs()))
}

fn line_row(row: &PgRow) -> Result<Line, sqlx::Error> {
    Ok(Line {
        torrent: TorrentId(row.try_get("torrent")?),
        name: row.try_get("name")?,
        client: row.try_get("client")?,
        run: row.try_get("run")?,
        uploaded: bytes(row, "uploaded")?,
        downloaded: bytes(row, "downloaded")?,
        charged: bytes(row, "charged")?,
        left: bytes(row, "remaining")?,
        seeded: seconds(row, "seeded")?,
        leeched: seconds(row, "leeched")?,
        completed: row.try_get("completed")?,
        first_at: row.try_get("first_at")?,
        last_at: row.try_get("last_at")?,
    })
}

fn entry_row(row: &PgRow) -> Result<Entry, sqlx::Error> {
    Ok(Entry {
        member: MemberId(row.try_get("member")?),
        torrent: TorrentId(row.try_get("torrent")?),
        client: row.try_get("client")?,
        run: row.try_get("run")?,
        uploaded: bytes(row, "uploaded")?,
        downloaded: bytes(row, "downloaded")?,
        charged: bytes(row, "charged")?,
        left: bytes(row, "remaining")?,
        seeded: seconds(row, "seeded")?,
        leeched: seconds(row, "leeched")?,
        completed: row.try_get("completed")?,
    })
}

/// The projection behind the ledger.
#[derive(Debug)]
pub struct Ledger;

impl Projection for Ledger {
    fn name(&self) -> &'static str {
        "traffic"
    }

    fn version(&self) -> i32 {
        5
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/traffic.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/traffic.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &[
            "ledger",
            "ledger_gone",
            "member_total",
            "snatch",
            "snatch_count",
            "traffic_sum",
        ]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["traffic", "user", "transfer", "torrent"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Runs::default())
    }
}
