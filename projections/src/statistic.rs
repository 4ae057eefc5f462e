//! How much happened when: by hours for two days, by days for a year, and in all.
//!
//! What members moved is [`crate::traffic`]'s to tell, which keeps its sums in the same grains. Old hours
//! and days are dropped by the times of events, so that a rebuild gives the same rows.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::amount::Bytes;
use domain::{Fact, Recorded, comment, topic, torrent, transfer, user};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::{Date, Month, OffsetDateTime};

use crate::fold::Held;
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// Seconds of an hour.
const HOUR: i64 = 3_600;
/// Seconds of a day.
const DAY: i64 = 24 * HOUR;

/// How long the spans are in which things are counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Grain {
    /// Everything at once.
    Ever,
    /// By hours.
    Hours,
    /// By days.
    Days,
}

impl Grain {
    /// Every grain.
    pub(crate) const ALL: [Self; 3] = [Self::Ever, Self::Hours, Self::Days];

    /// Gives its number, as it is stored.
    pub(crate) fn number(self) -> i16 {
        match self {
            Self::Ever => 0,
            Self::Hours => 1,
            Self::Days => 2,
        }
    }

    fn seconds(self) -> i64 {
        match self {
            Self::Ever => i64::MAX,
            Self::Hours => HOUR,
            Self::Days => DAY,
        }
    }

    /// Gives the span in which a moment lies.
    pub(crate) fn bucket(self, at: OffsetDateTime) -> i64 {
        at.unix_timestamp().div_euclid(self.seconds())
    }
}

/// Drops what lies too far behind the last span, of a table named so: more than 48 hours, or 366 days.
pub(crate) async fn prune(table: &str, to: &mut PgConnection) -> Result<(), sqlx::Error> {
    let old = |grain: Grain, kept: i64| {
        let grain = grain.number();
        format!(
            "grain = {grain} and bucket <= (select max(bucket) from {table} where grain = {grain}) - {kept}"
        )
    };
    let (hours, days) = (old(Grain::Hours, 48), old(Grain::Days, 366));
    let statement = format!("delete from {table} where {hours} or {days}");
    sqlx::query(&statement).execute(to).await.map(|_| ())
}

/// How much happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    /// Members who joined.
    pub members: i64,
    /// Torrents that were added.
    pub torrents: i64,
    /// Posts in the forum.
    pub posts: i64,
    /// Comments on torrents.
    pub comments: i64,
    /// Downloads that were completed.
    pub snatches: i64,
    /// Bytes credited as uploaded.
    pub uploaded: Bytes,
    /// Bytes credited as downloaded.
    pub downloaded: Bytes,
}

impl Tally {
    fn add(&mut self, other: &Self) {
        self.members += other.members;
        self.torrents += other.torrents;
        self.posts += other.posts;
        self.comments += other.comments;
        self.snatches += other.snatches;
        self.uploaded = Bytes(self.uploaded.0.saturating_add(other.uploaded.0));
        self.downloaded = Bytes(self.downloaded.0.saturating_add(other.downloaded.0));
    }
}

/// How far back is looked, and in which steps.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Range {
    /// Two days by hours.
    Hour,
    /// A month by days.
    #[default]
    Day,
    /// Half a year by weeks.
    Week,
    /// A year by months.
    Month,
    /// A year by days.
    Year,
}

impl Range {
    /// Every range.
    pub const ALL: [Self; 5] = [Self::Hour, Self::Day, Self::Week, Self::Month, Self::Year];

    /// Gives its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Year => "year",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.name() == name)
    }

    fn grain(self) -> Grain {
        match self {
            Self::Hour => Grain::Hours,
            Self::Day | Self::Week | Self::Month | Self::Year => Grain::Days,
        }
    }

    /// Gives where each step begins, the last being the one in which a moment lies.
    fn steps(self, now: OffsetDateTime) -> Vec<OffsetDateTime> {
        let (grain, last) = (self.grain().seconds(), self.grain().bucket(now));
        let spans = |count: i64, length: i64, last: i64| {
            (0..count)
                .rev()
                .filter_map(move |back| {
                    OffsetDateTime::from_unix_timestamp((last - back * length) * grain).ok()
                })
                .collect()
        };
        match self {
            Self::Hour => spans(48, 1, last),
            Self::Day => spans(31, 1, last),
            Self::Year => spans(366, 1, last),
            // The first day of 1970 was a Thursday.
            Self::Week => spans(26, 7, last - (last + 3).rem_euclid(7)),
            Self::Month => months(now),
        }
    }
}

/// The first moments of the last twelve months.
fn months(now: OffsetDateTime) -> Vec<OffsetDateTime> {
    let (mut year, mut month) = (now.year(), now.month());
    let mut found = vec![];
    for _ in 0..12 {
        let first = Date::from_calendar_date(year, month, 1);
        found.extend(first.map(|day| day.midnight().assume_utc()));
        if month == Month::January {
            year -= 1;
        }
        month = month.previous();
    }
    found.reverse();
    found
}

/// Gives how much happened in all.
pub async fn totals(reads: &Reads) -> Result<Tally, Unavailable> {
    let found = read(reads, Grain::Ever, 0).await?;
    Ok(found
        .into_iter()
        .map(|(_, tally)| tally)
        .next()
        .unwrap_or_default())
}

/// How much room the database takes, with indexes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Room {
    /// The log and what belongs to it.
    pub log: Bytes,
    /// The read tables, which are made of the log again.
    pub read: Bytes,
}

/// Gives how much room the database takes just now.
pub async fn room(reads: &Reads) -> Result<Room, Unavailable> {
    let (log, read): (i64, i64) = sqlx::query_as(
        "select coalesce(sum(size) filter (where space = 'public'), 0)::bigint,
                coalesce(sum(size) filter (where space <> 'public'), 0)::bigint
         from (select nspname as space, pg_total_relation_size(c.oid) as size
               from pg_class c join pg_namespace n on n.oid = c.relnamespace
               where relkind = 'r' and nspname in ('public', current_schema())) t",
    )
    .fetch_one(&reads.pool)
    .await?;
    let bytes = |count: i64| Bytes(count.unsigned_abs());
    Ok(Room {
        log: bytes(log),
        read: bytes(read),
    })
}

/// Gives how much happened in each step of a range, the last being the one in which `now` lies.
pub async fn series(
    reads: &Reads,
    range: Range,
    now: OffsetDateTime,
) -> Result<Vec<(OffsetDateTime, Tally)>, Unavailable> {
    let grain = range.grain();
    let mut steps: Vec<_> = range
        .steps(now)
        .into_iter()
        .map(|step| (step, Tally::default()))
        .collect();
    let first = steps.first().map_or(0, |(step, _)| grain.bucket(*step));
    for (bucket, tally) in read(reads, grain, first).await? {
        let at = bucket.saturating_mul(grain.seconds());
        let step = steps
            .iter_mut()
            .rfind(|(step, _)| step.unix_timestamp() <= at);
        if let Some((_, sum)) = step {
            sum.add(&tally);
        }
    }
    Ok(steps)
}

async fn read(reads: &Reads, grain: Grain, first: i64) -> Result<Vec<(i64, Tally)>, Unavailable> {
    let rows = sqlx::query(
        "select coalesce(s.bucket, m.bucket) as bucket, coalesce(members, 0) as members, coalesce(torrents, 0) as torrents,
                coalesce(posts, 0) as posts, coalesce(comments, 0) as comments, coalesce(snatches, 0) as snatches,
                coalesce(uploaded, 0) as uploaded, coalesce(downloaded, 0) as downloaded
         from (select * from statistic where grain = $1 and bucket >= $2) s
         full join (select * from traffic_sum where grain = $1 and bucket >= $2) m on m.bucket = s.bucket
         order by 1 limit 1000",
    )
    .bind(grain.number())
    .bind(first)
    .fetch_all(&reads.pool)
    .await?;
    let row = |row: &PgRow| {
        let bytes =
            |column| Ok::<_, sqlx::Error>(Bytes(row.try_get::<i64, _>(column)?.unsigned_abs()));
        let tally = Tally {
            members: row.try_get("members")?,
            torrents: row.try_get("torrents")?,
            posts: row.try_get("posts")?,
            comments: row.try_get("comments")?,
            snatches: row.try_get("snatches")?,
            uploaded: bytes("uploaded")?,
            downloaded: bytes("downloaded")?,
        };
        Ok((row.try_get("bucket")?, tally))
    };
    Ok(rows.iter().map(row).collect::<Result<_, sqlx::Error>>()?)
}

/// The projection behind the statistics.
#[derive(Debug)]
pub struct Statistics;

impl Projection for Statistics {
    fn name(&self) -> &'static str {
        "statistic"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/statistic.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/statistic.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["statistic"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["user", "torrent", "topic", "comment", "transfer"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Counted::default())
    }
}

/// What is counted in each span, in the order of the table's columns.
#[derive(Default)]
struct Counted(BTreeMap<(i16, i64), [i64; 5]>);

/// Tells in which column an event counts.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest isn't counted")]
fn column(fact: &Fact) -> Option<usize> {
    match fact {
        Fact::User(user::Event::MemberRegistered { .. }) => Some(0),
        // Of who was erased it is still known that they joined.
        Fact::Erased(erased) if erased.name == "MemberRegistered" => Some(0),
        Fact::Torrent(happened) => {
            matches!(**happened, torrent::Event::TorrentUploaded(_)).then_some(1)
        }
        Fact::Topic(topic::Event::TopicOpened(_) | topic::Event::TopicReplied(_)) => Some(2),
        Fact::Comment(comment::Event::CommentWritten { .. }) => Some(3),
        Fact::Transfer(transfer::Event::SnatchCompleted { .. }) => Some(4),
        _ => None,
    }
}

#[async_trait]
impl Fold for Counted {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let Some(column) = column(&event.fact) else {
            return Ok(());
        };
        for grain in Grain::ALL {
            let key = (grain.number(), grain.bucket(event.at));
            let counts = self.0.entry(key).or_default();
            if let Some(count) = counts.get_mut(column) {
                *count += 1;
            }
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: 0,
            changes: self.0.len(),
        }
    }

    async fn insert(&mut self, _to: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (keys, counts): (Vec<_>, Vec<_>) = std::mem::take(&mut self.0).into_iter().unzip();
        if keys.is_empty() {
            return Ok(());
        }
        let (grains, buckets): (Vec<i16>, Vec<i64>) = keys.into_iter().unzip();
        let column = |of: usize| -> Vec<i64> {
            counts
                .iter()
                .filter_map(|row: &[i64; 5]| row.get(of))
                .copied()
                .collect()
        };
        // No transaction has put an end (`xmax`) to a row that is new.
        let is_new: Vec<bool> = sqlx::query_scalar(
            "insert into statistic as s (grain, bucket, members, torrents, posts, comments, snatches)
             select * from unnest($1::smallint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[])
             on conflict (grain, bucket) do update set members = s.members + excluded.members,
                 torrents = s.torrents + excluded.torrents, posts = s.posts + excluded.posts,
                 comments = s.comments + excluded.comments, snatches = s.snatches + excluded.snatches
             returning xmax = 0",
        )
        .bind(grains)
        .bind(buckets)
        .bind(column(0))
        .bind(column(1))
        .bind(column(2))
        .bind(column(3))
        .bind(column(4))
        .fetch_all(&mut *to)
        .await?;
        if is_new.contains(&true) {
            prune("statistic", to).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn the_steps_of_a_range_end_with_the_one_in_which_a_moment_lies() {
        let now = datetime!(2026-03-04 15:59:59 UTC);
        let ends = |range: Range| {
            let steps = range.steps(now);
            (steps.len(), steps.first().copied(), steps.last().copied())
        };
        let of = |count, first, last| (count, Some(first), Some(last));
        let day = datetime!(2026-03-04 0:00 UTC);
        for (range, expected) in [
            (
                Range::Hour,
                of(
                    48,
                    datetime!(2026-03-02 16:00 UTC),
                    datetime!(2026-03-04 15:00 UTC),
                ),
            ),
            (Range::Day, of(31, datetime!(2026-02-02 0:00 UTC), day)),
            (
                Range::Week,
                of(
                    26,
                    datetime!(2025-09-08 0:00 UTC),
                    datetime!(2026-03-02 0:00 UTC),
                ),
            ),
            (
                Range::Month,
                of(
                    12,
                    datetime!(2025-04-01 0:00 UTC),
                    datetime!(2026-03-01 0:00 UTC),
                ),
            ),
            (Range::Year, of(366, datetime!(2025-03-04 0:00 UTC), day)),
        ] {
            assert_eq!(ends(range), expected, "{range:?}");
        }
    }
}
