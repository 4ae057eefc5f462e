//! Lists of topics: a section's, the latest of all, and what a search found.

use domain::id::{MemberId, PostId, SectionId, TopicId};
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use uuid::Uuid;

use super::search::{self, MOST_HITS};
use crate::page::{Cursor, Page};
use crate::{Reads, Unavailable};

/// A topic in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which one it is.
    pub id: TopicId,
    /// What it is about.
    pub title: String,
    /// The slug of its section.
    pub section: String,
    /// The name of its section.
    pub section_name: String,
    /// The name of who opened it.
    pub author_name: String,
    /// When it was opened.
    pub opened_at: OffsetDateTime,
    /// Whether it stands before the others.
    pub pinned: bool,
    /// Whether the staff alone writes in it.
    pub locked: bool,
    /// Posts, the first one too.
    pub posts: i32,
    /// The last post that is shown.
    pub last_post: PostId,
    /// The name of who wrote it.
    pub last_name: String,
    /// When.
    pub last_at: OffsetDateTime,
    /// Its position.
    pub activity: i64,
}

const COLUMNS: &str = "t.id, t.title, s.slug, s.name as section_name, coalesce(a.name, '') as author_name, t.opened_at,
    t.pinned, t.locked, t.posts, t.last_post, coalesce(l.name, '') as last_name, t.last_at, t.activity";

const NAMES: &str = "left join member a on a.id = t.author left join member l on l.id = t.last_by";

/// Gives a page of a section's topics: the pinned first, then by what was said last.
pub async fn of_section(
    reads: &Reads,
    section: SectionId,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, Unavailable> {
    let from: Option<(bool, i64)> = from.and_then(Cursor::key);
    // What is beyond every row stands for the beginning, so there is one statement with one plan.
    let (pinned, activity) = from.unwrap_or((true, i64::MAX));
    let query = format!(
        "select {COLUMNS} from topic t join section s on s.id = t.section {NAMES}
         where t.section = $1 and not t.removed and (t.pinned, t.activity) < ($2, $3)
         order by t.pinned desc, t.activity desc limit {}",
        limit + 1
    );
    let rows = sqlx::query(&query)
        .bind(section.0)
        .bind(pinned)
        .bind(activity)
        .fetch_all(&reads.pool)
        .await?;
    let rows = rows.iter().map(row).collect::<Result<_, _>>()?;
    Ok(Page::cut(rows, limit, |row: &Row| {
        (row.pinned, row.activity)
    }))
}

/// Gives the topics in which something was said last, of the sections that are seen.
pub async fn latest(reads: &Reads, is_staff: bool, limit: i64) -> Result<Vec<Row>, Unavailable> {
    let query = format!(
        "select {COLUMNS} from section s cross join lateral (
             select * from topic where section = s.id and not removed order by activity desc limit {limit}
         ) t {NAMES}
         where $1 or not s.staff_only order by t.activity desc limit {limit}"
    );
    let rows = sqlx::query(&query)
        .bind(is_staff)
        .fetch_all(&reads.pool)
        .await?;
    Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
}

fn row(row: &PgRow) -> Result<Row, sqlx::Error> {
    Ok(Row {
        id: TopicId(row.try_get("id")?),
        title: row.try_get("title")?,
        section: row.try_get("slug")?,
        section_name: row.try_get("section_name")?,
        author_name: row.try_get("author_name")?,
        opened_at: row.try_get("opened_at")?,
        pinned: row.try_get("pinned")?,
        locked: row.try_get("locked")?,
        posts: row.try_get("posts")?,
        last_post: PostId(row.try_get("last_post")?),
        last_name: row.try_get("last_name")?,
        last_at: row.try_get("last_at")?,
        activity: row.try_get("activity")?,
    })
}

/// A post that was found, or that a member wrote.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The post.
    pub post: PostId,
    /// What its topic is about.
    pub title: String,
    /// The name of its section.
    pub section_name: String,
    /// The name of who wrote it.
    pub author_name: String,
    /// When.
    pub at: OffsetDateTime,
    /// What it says, in markdown.
    pub text: String,
}

const HIT: &str =
    "p.id, t.title, s.name as section_name, coalesce(m.name, '') as author_name, p.at,
    coalesce(v.text, p.text) as text";

const AROUND: &str = "join topic t on t.id = p.topic join section s on s.id = t.section
    left join post_version v on v.post = p.id and v.version = p.version
    left join member m on m.id = p.author
    where not p.removed and not t.removed and ($1 or not s.staff_only)";

/// Gives a page of the posts that fit words, the best first.
pub async fn find(
    reads: &Reads,
    words: &str,
    is_staff: bool,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Hit>, Unavailable> {
    let beyond: i64 = from.and_then(Cursor::key).unwrap_or(0);
    // Of those that fit best, few more than the page holds fill it as a rule.
    let few = usize::try_from(beyond.saturating_add(2 * (limit + 1))).unwrap_or(MOST_HITS);
    let mut rows = vec![];
    for most in [few.min(MOST_HITS), MOST_HITS] {
        let found = search::find(reads, words, most).await?;
        let is_all = found.len() < most || most == MOST_HITS;
        rows = among(reads, found, is_staff, beyond, limit + 1).await?;
        if is_all || rows.len() > usize::try_from(limit).unwrap_or(0) {
            break;
        }
    }
    let page = Page::cut(rows, limit, |(_, place)| *place);
    Ok(Page {
        rows: page.rows.into_iter().map(|(hit, _)| hit).collect(),
        next: page.next,
    })
}

/// Gives those of the found posts that are seen, behind a place, each with its own.
async fn among(
    reads: &Reads,
    found: Vec<Uuid>,
    is_staff: bool,
    beyond: i64,
    limit: i64,
) -> Result<Vec<(Hit, i64)>, Unavailable> {
    let query = format!(
        "select {HIT}, hit.place from unnest($2::uuid[]) with ordinality as hit(id, place)
         join post p on p.id = hit.id {AROUND} and hit.place > $3 order by hit.place limit $4"
    );
    let rows = sqlx::query(&query)
        .bind(is_staff)
        .bind(found)
        .bind(beyond)
        .bind(limit)
        .fetch_all(&reads.pool)
        .await?;
    let placed = |row: &PgRow| Ok((hit(row)?, row.try_get("place")?));
    let rows = rows.iter().map(placed);
    Ok(rows.collect::<Result<_, sqlx::Error>>()?)
}

/// How many of a member's posts are looked through for those that somebody may see.
const LOOKED_THROUGH: i64 = 200;

/// Gives what a member wrote last, of what is seen.
pub async fn by_member(
    reads: &Reads,
    member: MemberId,
    is_staff: bool,
    limit: i64,
) -> Result<Vec<Hit>, Unavailable> {
    let query = format!(
        "select {HIT} from (
             select * from post where author = $2 and not removed order by position desc limit {LOOKED_THROUGH}
         ) p {AROUND} order by p.position desc limit {limit}"
    );
    let rows = sqlx::query(&query)
        .bind(is_staff)
        .bind(member.0)
        .fetch_all(&reads.pool)
        .await?;
    Ok(rows.iter().map(hit).collect::<Result<_, _>>()?)
}

fn hit(row: &PgRow) -> Result<Hit, sqlx::Error> {
    Ok(Hit {
        post: PostId(row.try_get::<Uuid, _>("id")?),
        title: row.try_get("title")?,
        section_name: row.try_get("section_name")?,
        author_name: row.try_get("author_name")?,
        at: row.try_get("at")?,
        text: row.try_get("text")?,
    })
}
