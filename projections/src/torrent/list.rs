//! The list of torrents: browse and search in one, filtered, sorted, in keyset pages.
//!
//! A page costs what it shows and what is in the swarms, however many torrents there are: [`select`] walks an index in the list's
//! order, [`shelf`] one in each category, and an order that no table knows is [`ranked`].

use std::sync::Arc;

use domain::amount::Bytes;
use domain::id::{CategoryId, MemberId, TagId, TorrentId};
use domain::torrent::Review;
use sqlx::postgres::PgRow;
use sqlx::{QueryBuilder, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::category;
use crate::page::{Cursor, Page};
use crate::swarm::{Count, Swarms};
use crate::tag::{self, Tag};
use crate::torrent::search::{By, Narrow, Order};
use crate::{Reads, Unavailable};

pub(crate) mod ranked;
mod select;
mod shelf;

use select::{Select, Walk};

/// The most torrents that a search for words finds.
pub const MOST_HITS: usize = 10_000;

/// By how many times more hits are looked up when those there were didn't fill the page.
const DEEPER: usize = 8;

/// The most torrents of a member that are counted.
pub const MOST_COUNTED: i64 = 1_000;

/// What the list is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Wanted {
    /// Words of the name, the tags, the files or the description, or an info hash; all torrents without.
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
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

impl Wanted {
    /// Tells whether what is found changes with the read tables and the search index alone, not with the
    /// moment or the swarms.
    fn is_kept(&self) -> bool {
        let live = self.seeded.is_some() || self.free_at.is_some();
        !live && !matches!(self.sort.by, Column::Seeders | Column::Leechers)
    }

    /// How many hits fill the page as a rule: few more than it shows in an order that the index knows.
    fn few(&self) -> usize {
        let few = self.skip.saturating_add(2 * (self.limit + 1));
        let few = if matches!(self.sort.by, Column::Added | Column::Size) {
            few
        } else if self.sort.by == Column::Relevance && !self.sort.ascending {
            // Hits are counted from the best.
            let last = self.last().map_or(0, |(place, _)| place);
            few.saturating_sub(last)
        } else {
            return MOST_HITS;
        };
        usize::try_from(few).unwrap_or(MOST_HITS).min(MOST_HITS)
    }

    /// The number and the id of the last row of the page before.
    fn last(&self) -> Option<(i64, Uuid)> {
        let key: Option<Key> = self.from.as_ref().and_then(Cursor::key);
        key.and_then(|(number, _, id)| Some((number?, id)))
    }

    /// The order that the index knows besides how well words fit; whom nobody seeds or leeches comes by age.
    fn order(&self) -> Option<Order> {
        let (by, behind) = match self.sort.by {
            Column::Added => (By::Position, self.last()),
            Column::Size => (By::Size, self.last()),
            Column::Seeders | Column::Leechers => (By::Position, None),
            Column::Category | Column::Name | Column::Snatches | Column::Relevance => return None,
        };
        Some(Order {
            by,
            ascending: self.sort.ascending,
            behind,
        })
    }
}

/// Rows of the list, of which one more than the page holds tells that there is a next one.
pub(crate) type Found = Vec<(Row, Key)>;

/// Gives a page of the list.
pub async fn list(
    reads: &Reads,
    wanted: &Wanted,
    swarms: &dyn Swarms,
) -> Result<Page<Row>, Unavailable> {
    let mark = reads.mark().filter(|_| wanted.is_kept());
    let ask = find(reads, wanted, swarms);
    let found = reads.often.lists.or_ask(mark, wanted.clone(), ask).await?;
    let page = Page::cut(Arc::unwrap_or_clone(found), wanted.limit, |(_, key)| {
        key.clone()
    });
    let live = |(row, _): (Row, Key)| Row {
        swarm: swarms.count(row.id),
        ..row
    };
    Ok(Page {
        rows: page.rows.into_iter().map(live).collect(),
        next: page.next,
    })
}

async fn find(reads: &Reads, wanted: &Wanted, swarms: &dyn Swarms) -> Result<Found, Unavailable> {
    let shelves = match wanted.categories.as_slice() {
        [] => None,
        these => Some(category::below(reads, these).await?),
    };
    let among = |hits| among(reads, wanted, swarms, shelves.clone(), hits);
    let words = wanted.words.as_deref().map(str::trim);
    let Some(words) = words.filter(|words| !words.is_empty()) else {
        return among(None).await;
    };
    if is_hash(words) {
        return among(Some(of_hash(reads, words).await?)).await;
    }
    let narrow = Narrow {
        categories: shelves.clone(),
        tag: wanted.tag,
        order: wanted.order(),
    };
    let mut most = wanted.few();
    loop {
        let hits = search(reads, words, &narrow, most).await?;
        let is_all = hits.len() < most || most == MOST_HITS;
        let rows = among(Some(hits)).await?;
        if is_all || rows.len() > usize::try_from(wanted.limit).unwrap_or(0) {
            return Ok(rows);
        }
        most = most.saturating_mul(DEEPER).min(MOST_HITS);
    }
}

/// Finds among some torrents, or all.
async fn among(
    reads: &Reads,
    wanted: &Wanted,
    swarms: &dyn Swarms,
    shelves: Option<Vec<Uuid>>,
    hits: Option<Vec<Uuid>>,
) -> Result<Found, Unavailable> {
    let select = Select {
        shelves,
        from: wanted.from.as_ref().and_then(Cursor::key),
        found: hits.as_deref(),
        seeded: wanted.seeded.map(|is| (is, seeded(swarms))),
        wanted,
    };
    let rows = match (wanted.sort.by, &hits) {
        (Column::Relevance, Some(hits)) => select.by_place(reads, hits).await?,
        (Column::Seeders | Column::Leechers, _) => select.by_peers(reads, swarms).await?,
        _ => select.sorted(reads).await?,
    };
    let tags = tag::all(reads).await?;
    let rows = rows.iter().map(|row| list_row(row, &tags));
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Counts what a member uploaded that is for whose eyes, up to [`MOST_COUNTED`].
pub async fn count(reads: &Reads, uploader: MemberId, eyes: Eyes) -> Result<i64, Unavailable> {
    let wanted = Wanted {
        uploader: Some(uploader),
        eyes,
        ..Wanted::default()
    };
    let select = Select {
        wanted: &wanted,
        shelves: None,
        found: None,
        seeded: None,
        from: None,
    };
    let mut query = QueryBuilder::new("select count(*) from (select from torrent t");
    select.filter(&mut query, Walk::Torrents);
    query.push(format!(" limit {MOST_COUNTED}) counted"));
    let query = query.build_query_scalar();
    Ok(query.fetch_one(&reads.pool).await?)
}

/// Gives what somebody seeds just now.
fn seeded(swarms: &dyn Swarms) -> Vec<Uuid> {
    let live = swarms.live();
    let with = live.iter().filter(|(_, count)| count.seeders > 0);
    with.map(|(id, _)| id.0).collect()
}

/// Tells whether words are an info hash: SHA-1 or the front of SHA-256, or the whole of it, in hex.
fn is_hash(words: &str) -> bool {
    matches!(words.len(), 40 | 64) && words.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// Finds the torrent of an info hash, by the front of it that announces bear.
async fn of_hash(reads: &Reads, hash: &str) -> Result<Vec<Uuid>, Unavailable> {
    let front = hash.get(..40).unwrap_or_default().to_lowercase();
    let query = "select id from torrent where info_hash = $1 or left(info_hash_v2, 40) = $1";
    Ok(sqlx::query_scalar(query)
        .bind(front)
        .fetch_all(&reads.pool)
        .await?)
}

/// Searches away from the tasks that wait for others: it keeps a core busy.
async fn search(
    reads: &Reads,
    words: &str,
    narrow: &Narrow,
    limit: usize,
) -> Result<Vec<Uuid>, Unavailable> {
    let (index, words) = (Arc::clone(&reads.search), words.to_owned());
    let narrow = narrow.clone();
    tokio::task::spawn_blocking(move || index.find(&words, &narrow, limit))
        .await
        .map_err(|error| Unavailable(Box::new(error)))?
}

/// The sort key of a row: a number or a text, and the torrent's id against ties.
type Key = (Option<i64>, Option<String>, Uuid);

fn list_row(row: &PgRow, tags: &[Tag]) -> Result<(Row, Key), sqlx::Error> {
    let id: Uuid = row.try_get("id")?;
    let marks: Vec<Uuid> = row.try_get("tags")?;
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
        tags: tag::these(tags, &marks),
        free_until: row.try_get("free_until")?,
        info_hash: row.try_get("info_hash")?,
        review: super::review(row)?,
        snatches: row.try_get("snatches")?,
        // Counted when it is shown.
        swarm: Count::default(),
    };
    Ok((row, key))
}
