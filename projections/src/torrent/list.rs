//! The list of torrents: browse and search in one, filtered, sorted, in keyset pages.

use std::sync::Arc;

use domain::amount::Bytes;
use domain::id::{CategoryId, MemberId, TagId, TorrentId};
use domain::torrent::Review;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::page::{Cursor, Page};
use crate::swarm::{Count, Swarms};
use crate::tag::{self, Tag};
use crate::{Reads, Unavailable};

/// The most torrents that a search for words finds.
pub const MOST_HITS: usize = 10_000;

/// What the list is asked for.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    /// Words of the name, the files or the description; all torrents without.
    pub words: Option<String>,
    /// Categories of which it stands in one, or below one; any without.
    pub categories: Vec<CategoryId>,
    /// What it is marked with.
    pub tag: Option<TagId>,
    /// Who uploaded it.
    pub uploader: Option<MemberId>,
    /// Who bookmarked it.
    pub bookmarked_by: Option<MemberId>,
    /// The least and the most bytes.
    pub size: (Option<Bytes>, Option<Bytes>),
    /// When it was uploaded at the earliest.
    pub since: Option<OffsetDateTime>,
    /// Whether downloads of it, by itself, aren't charged at this moment, in seconds since 1970.
    pub free_at: Option<i64>,
    /// Whether somebody seeds it just now, or nobody.
    pub seeded: Option<bool>,
    /// Whose eyes it is for.
    pub eyes: Eyes,
    /// By which column, and which way.
    pub sort: Sort,
    /// Where the page begins.
    pub from: Option<Cursor>,
    /// How many rows are passed by, for who counts rather than follows.
    pub skip: i64,
    /// The most rows.
    pub limit: i64,
}

/// Who looks at a list: what isn't approved is for its uploader and the staff.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Eyes {
    /// Anybody: what is approved.
    #[default]
    Anybody,
    /// A member: what is approved, and what waits of their own.
    Member(MemberId),
    /// The staff: everything that is or may be offered.
    Staff,
}

/// By which column the list is sorted, and which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sort {
    /// The column.
    pub by: Column,
    /// Smallest first rather than greatest first.
    pub ascending: bool,
}

/// The columns by which the list can be sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Column {
    /// When it was uploaded.
    #[default]
    Added,
    /// The category's name without case.
    Category,
    /// The name without case.
    Name,
    /// The sum of the files.
    Size,
    /// Peers with everything.
    Seeders,
    /// Peers that still download.
    Leechers,
    /// How many members completed it.
    Snatches,
    /// How well the words fit; as [`Column::Added`] without words.
    Relevance,
}

/// One row of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which torrent it is.
    pub id: TorrentId,
    /// The name of the file or folder.
    pub name: String,
    /// The category's slug.
    pub category: String,
    /// The category's name.
    pub category_name: String,
    /// The uploader's name.
    pub uploader_name: String,
    /// When it was uploaded.
    pub uploaded_at: OffsetDateTime,
    /// The sum of the files.
    pub size: Bytes,
    /// How many files it has.
    pub files: i32,
    /// What it is marked with.
    pub tags: Vec<Tag>,
    /// When its own freeleech ends, in seconds since 1970.
    pub free_until: Option<i64>,
    /// Its `info_hash`, hex.
    pub info_hash: String,
    /// What the staff says of it while it isn't approved.
    pub review: Option<Review>,
    /// How many members completed it.
    pub snatches: i64,
    /// The swarm just now.
    pub swarm: Count,
}

/// Gives a page of the list.
pub async fn list(
    reads: &Reads,
    wanted: &Wanted,
    swarms: &dyn Swarms,
) -> Result<Page<Row>, Unavailable> {
    let found = match wanted.words.as_deref().map(str::trim) {
        Some(words) if !words.is_empty() => Some(find(reads, words).await?),
        _ => None,
    };
    let mut query = select(wanted, found.as_deref(), swarms);
    let rows = query.build().fetch_all(&reads.pool).await?;
    let rows: Vec<(Row, Key)> = rows
        .iter()
        .map(|row| list_row(row, swarms))
        .collect::<Result<_, _>>()?;
    let page = Page::cut(rows, wanted.limit, |(_, key)| key.clone());
    let mut rows: Vec<Row> = page.rows.into_iter().map(|(row, _)| row).collect();
    let mut tags = tag::of(reads, rows.iter().map(|row| row.id.0).collect()).await?;
    for row in &mut rows {
        row.tags = tags.remove(&row.id.0).unwrap_or_default();
    }
    Ok(Page {
        rows,
        next: page.next,
    })
}

/// Searches away from the tasks that wait for others: it keeps a core busy.
async fn find(reads: &Reads, words: &str) -> Result<Vec<Uuid>, Unavailable> {
    let (search, words) = (Arc::clone(&reads.search), words.to_owned());
    tokio::task::spawn_blocking(move || search.find(&words, MOST_HITS))
        .await
        .map_err(|error| Unavailable(Box::new(error)))?
}

/// The sort key of a row: a number or a text, and the torrent's id against ties.
type Key = (Option<i64>, Option<String>, Uuid);

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
fn select<'q>(
    wanted: &'q Wanted,
    found: Option<&[Uuid]>,
    swarms: &dyn Swarms,
) -> QueryBuilder<'q, Postgres> {
    let by = match wanted.sort.by {
        Column::Relevance if found.is_none() => Column::Added,
        by => by,
    };
    let (number, text) = match by {
        Column::Added => ("t.position", "null::text"),
        Column::Category => ("null::bigint", "lower(coalesce(c.name, ''))"),
        Column::Name => ("null::bigint", "lower(t.name)"),
        Column::Size => ("t.size", "null::text"),
        Column::Seeders => ("coalesce(live.seeders, 0)", "null::text"),
        Column::Leechers => ("coalesce(live.leechers, 0)", "null::text"),
        Column::Snatches => ("coalesce(s.count, 0)", "null::text"),
        // The best fit comes first in the index's answer, so the greatest key must be the first place.
        Column::Relevance => ("-hit.place", "null::text"),
    };
    let mut query = QueryBuilder::new(format!(
        "select t.id, t.name, coalesce(c.slug, '') as slug, coalesce(c.name, '') as category_name,
                coalesce(m.name, '') as uploader_name, t.uploaded_at, t.size, t.files, t.review, t.review_reason, t.info_hash,
                a.free_until,
                coalesce(s.count, 0) as snatches, {number} as number, {text} as text
         from torrent t left join category c on c.id = t.category left join member m on m.id = t.uploader
         left join access_torrent a on a.torrent = t.id
         left join (select torrent, count(*) as count from snatch group by torrent) s on s.torrent = t.id"
    ));
    join_live(&mut query, by, swarms);
    if let Some(found) = found {
        query.push(" join unnest(").push_bind(found.to_vec());
        query.push("::uuid[]) with ordinality as hit(id, place) on hit.id = t.id");
    }
    filter(&mut query, wanted);
    filter_live(&mut query, wanted, swarms);
    let sorted = if text.starts_with("null") {
        number
    } else {
        text
    };
    seek(&mut query, wanted, sorted);
    query
}

fn join_live(query: &mut QueryBuilder<'_, Postgres>, by: Column, swarms: &dyn Swarms) {
    if !matches!(by, Column::Seeders | Column::Leechers) {
        return;
    }
    let live = swarms.live();
    let ids: Vec<Uuid> = live.iter().map(|(id, _)| id.0).collect();
    let seeders: Vec<i64> = live.iter().map(|(_, count)| count.seeders.into()).collect();
    let leechers: Vec<i64> = live
        .iter()
        .map(|(_, count)| count.leechers.into())
        .collect();
    query
        .push(" left join unnest(")
        .push_bind(ids)
        .push("::uuid[], ")
        .push_bind(seeders);
    query.push("::bigint[], ").push_bind(leechers);
    query.push("::bigint[]) as live(id, seeders, leechers) on live.id = t.id");
}

fn filter(query: &mut QueryBuilder<'_, Postgres>, wanted: &Wanted) {
    query.push(" where not t.withdrawn");
    match wanted.eyes {
        Eyes::Anybody => query.push(" and t.review is null"),
        Eyes::Member(member) => {
            query
                .push(" and (t.review is null or t.review <> 'rejected' and t.uploader = ")
                .push_bind(member.0);
            query.push(")")
        }
        Eyes::Staff => query.push(" and t.review is distinct from 'rejected'"),
    };
    if !wanted.categories.is_empty() {
        let ids: Vec<Uuid> = wanted.categories.iter().map(|one| one.0).collect();
        query
            .push(" and t.category in (with recursive below as (select id from unnest(")
            .push_bind(ids);
        query.push("::uuid[]) as these(id) union all select c.id from category c join below on c.parent = below.id) select id from below)");
    }
    if let Some(uploader) = wanted.uploader {
        query.push(" and t.uploader = ").push_bind(uploader.0);
    }
    if let Some(tag) = wanted.tag {
        query
            .push(" and exists (select from torrent_tag g where g.torrent = t.id and g.tag = ")
            .push_bind(tag.0);
        query.push(")");
    }
    if let Some(member) = wanted.bookmarked_by {
        query
            .push(" and exists (select from bookmark b where b.torrent = t.id and b.member = ")
            .push_bind(member.0);
        query.push(")");
    }
    let column = |bytes: Bytes| i64::try_from(bytes.0).unwrap_or(i64::MAX);
    if let Some(least) = wanted.size.0 {
        query.push(" and t.size >= ").push_bind(column(least));
    }
    if let Some(most) = wanted.size.1 {
        query.push(" and t.size <= ").push_bind(column(most));
    }
    if let Some(since) = wanted.since {
        query.push(" and t.uploaded_at >= ").push_bind(since);
    }
    if let Some(moment) = wanted.free_at {
        query.push(" and a.free_until > ").push_bind(moment);
    }
}

/// Who seeds what is in no table, so the swarms at hand are passed in.
fn filter_live(query: &mut QueryBuilder<'_, Postgres>, wanted: &Wanted, swarms: &dyn Swarms) {
    let Some(seeded) = wanted.seeded else {
        return;
    };
    let live = swarms.live();
    let with = live.iter().filter(|(_, count)| count.seeders > 0);
    let ids: Vec<Uuid> = with.map(|(id, _)| id.0).collect();
    let is = if seeded { "= any(" } else { "<> all(" };
    query.push(format!(" and t.id {is}")).push_bind(ids);
    query.push("::uuid[])");
}

/// Begins behind the cursor's row; a cursor of another sort begins at the first page.
fn seek(query: &mut QueryBuilder<'_, Postgres>, wanted: &Wanted, sorted: &str) {
    let (beyond, way) = if wanted.sort.ascending {
        (">", "asc")
    } else {
        ("<", "desc")
    };
    match wanted.from.as_ref().and_then(Cursor::key::<Key>) {
        Some((Some(number), _, id)) if !sorted.starts_with("lower") => {
            query
                .push(format!(" and ({sorted}, t.id) {beyond} ("))
                .push_bind(number);
            query.push(", ").push_bind(id).push(")");
        }
        Some((_, Some(text), id)) if sorted.starts_with("lower") => {
            query
                .push(format!(" and ({sorted}, t.id) {beyond} ("))
                .push_bind(text);
            query.push(", ").push_bind(id).push(")");
        }
        _ => {}
    }
    query
        .push(format!(" order by {sorted} {way}, t.id {way} limit "))
        .push_bind(wanted.limit + 1);
    if wanted.skip > 0 {
        query.push(" offset ").push_bind(wanted.skip);
    }
}

fn list_row(row: &PgRow, swarms: &dyn Swarms) -> Result<(Row, Key), sqlx::Error> {
    let id: Uuid = row.try_get("id")?;
    let key = (row.try_get("number")?, row.try_get("text")?, id);
    let row = Row {
        id: TorrentId(id),
        name: row.try_get("name")?,
        category: row.try_get("slug")?,
        category_name: row.try_get("category_name")?,
        uploader_name: row.try_get("uploader_name")?,
        uploaded_at: row.try_get("uploaded_at")?,
        size: super::bytes(row, "size")?,
        files: row.try_get("files")?,
        tags: vec![],
        free_until: row.try_get("free_until")?,
        info_hash: row.try_get("info_hash")?,
        review: super::review(row)?,
        snatches: row.try_get("snatches")?,
        swarm: swarms.count(TorrentId(id)),
    };
    Ok((row, key))
}
