//! One topic's page: its head, its posts in numbered pages, and what a post said before.

use domain::id::{MemberId, PostId, SectionId, TopicId};
use domain::user::Role;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::role::{self, OWN, OwnRole};
use crate::{Reads, Unavailable};

/// Posts of a page.
pub const POSTS: i32 = 25;

/// A topic's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// Which one it is.
    pub id: TopicId,
    /// What it is about.
    pub title: String,
    /// Its section.
    pub section: SectionId,
    /// What stands in the section's addresses.
    pub slug: String,
    /// The section's name.
    pub section_name: String,
    /// Whether the section is for the staff alone.
    pub staff_only: bool,
    /// Who opened it.
    pub author: MemberId,
    /// Whether it stands before the others.
    pub pinned: bool,
    /// Whether the staff alone writes in it.
    pub locked: bool,
    /// How it was removed, where it was.
    pub removed: Option<Removed>,
    /// Posts, the first one and the removed ones too.
    pub posts: i32,
    /// The last post that is shown.
    pub last_post: PostId,
}

/// How something was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removed {
    /// Whether the staff did, and not the author.
    pub by_staff: bool,
    /// The name of who did.
    pub by_name: String,
    /// Why, in their words.
    pub reason: Option<String>,
}

/// A post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Post {
    /// Which one it is.
    pub id: PostId,
    /// The topic.
    pub topic: TopicId,
    /// Its place in the topic; the first is 1.
    pub number: i32,
    /// Who wrote it.
    pub author: MemberId,
    /// Their name.
    pub author_name: String,
    /// Their built-in role.
    pub role: Option<Role>,
    /// The site's own roles that they have.
    pub own_roles: Vec<OwnRole>,
    /// When.
    pub at: OffsetDateTime,
    /// Its position in the log.
    pub position: i64,
    /// What it says, in markdown.
    pub text: String,
    /// How often it was worded: 1 at first.
    pub version: i32,
    /// When it was worded last, where that was later.
    pub edited_at: Option<OffsetDateTime>,
    /// How it was removed, where it was.
    pub removed: Option<Removed>,
}

impl Post {
    /// Gives the number of the page on which it stands, the first being 1.
    pub fn page(&self) -> i32 {
        page_of(self.number)
    }
}

/// Gives the number of the page on which a post stands, by its place in the topic.
pub fn page_of(number: i32) -> i32 {
    (number.max(1) - 1) / POSTS + 1
}

/// One wording of a post.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wording {
    /// Which one: 1 is what it said at first.
    pub version: i32,
    /// The name of who worded it so.
    pub by_name: String,
    /// When.
    pub at: OffsetDateTime,
    /// What it said, in markdown.
    pub text: String,
}

/// Gives a topic's head.
pub async fn head(reads: &Reads, topic: TopicId) -> Result<Option<Head>, Unavailable> {
    let row = sqlx::query(
        "select t.*, s.slug, s.name as section_name, s.staff_only, coalesce(r.name, '') as remover_name
         from topic t join section s on s.id = t.section left join member r on r.id = t.remover
         where t.id = $1",
    )
    .bind(topic.0)
    .fetch_optional(&reads.pool)
    .await?;
    Ok(row.as_ref().map(head_row).transpose()?)
}

fn head_row(row: &PgRow) -> Result<Head, sqlx::Error> {
    Ok(Head {
        id: TopicId(row.try_get("id")?),
        title: row.try_get("title")?,
        section: SectionId(row.try_get("section")?),
        slug: row.try_get("slug")?,
        section_name: row.try_get("section_name")?,
        staff_only: row.try_get("staff_only")?,
        author: MemberId(row.try_get("author")?),
        pinned: row.try_get("pinned")?,
        locked: row.try_get("locked")?,
        removed: removed(row)?,
        posts: row.try_get("posts")?,
        last_post: PostId(row.try_get("last_post")?),
    })
}

fn removed(row: &PgRow) -> Result<Option<Removed>, sqlx::Error> {
    if !row.try_get::<bool, _>("removed")? {
        return Ok(None);
    }
    Ok(Some(Removed {
        by_staff: row.try_get("by_staff")?,
        by_name: row.try_get("remover_name")?,
        reason: row.try_get("reason")?,
    }))
}

const POST: &str = "select p.id, p.topic, p.number, p.author, p.at, p.position, p.version, p.removed, p.by_staff, p.reason,
        coalesce(v.text, p.text) as text, v.at as edited_at, coalesce(m.name, '') as author_name, m.role,
        coalesce(r.name, '') as remover_name, own.*
    from post p left join post_version v on v.post = p.id and v.version = p.version
    left join member m on m.id = p.author left join member r on r.id = p.remover";

/// Gives the posts of a page of a topic, the first page being 1.
pub async fn posts(reads: &Reads, topic: TopicId, page: i32) -> Result<Vec<Post>, Unavailable> {
    let first = page.clamp(1, i32::MAX / POSTS).saturating_sub(1) * POSTS;
    let query = format!(
        "{POST} {OWN} where p.topic = $1 and p.number > $2 and p.number <= $3 order by p.number"
    );
    let rows = sqlx::query(&query)
        .bind(topic.0)
        .bind(first)
        .bind(first.saturating_add(POSTS))
        .fetch_all(&reads.pool)
        .await?;
    Ok(rows.iter().map(post_row).collect::<Result<_, _>>()?)
}

/// Gives the number and the id of the first post of a topic that is shown behind a position.
pub async fn next(
    reads: &Reads,
    topic: TopicId,
    position: i64,
) -> Result<Option<(i32, PostId)>, Unavailable> {
    let found: Option<(i32, Uuid)> = sqlx::query_as(
        "select number, id from post where topic = $1 and position > $2 and not removed order by position limit 1",
    )
    .bind(topic.0)
    .bind(position)
    .fetch_optional(&reads.pool)
    .await?;
    Ok(found.map(|(number, id)| (number, PostId(id))))
}

/// Gives a post.
pub async fn post(reads: &Reads, id: PostId) -> Result<Option<Post>, Unavailable> {
    let row = sqlx::query(&format!("{POST} {OWN} where p.id = $1"))
        .bind(id.0)
        .fetch_optional(&reads.pool)
        .await?;
    Ok(row.as_ref().map(post_row).transpose()?)
}

fn post_row(row: &PgRow) -> Result<Post, sqlx::Error> {
    let role: Option<String> = row.try_get("role")?;
    Ok(Post {
        id: PostId(row.try_get("id")?),
        topic: TopicId(row.try_get("topic")?),
        number: row.try_get("number")?,
        author: MemberId(row.try_get::<Uuid, _>("author")?),
        author_name: row.try_get("author_name")?,
        role: role.as_deref().and_then(Role::named),
        own_roles: role::own(row)?,
        at: row.try_get("at")?,
        position: row.try_get("position")?,
        text: row.try_get("text")?,
        version: row.try_get("version")?,
        edited_at: row.try_get("edited_at")?,
        removed: removed(row)?,
    })
}

/// Gives every wording of a post, the first first.
pub async fn wordings(reads: &Reads, post: PostId) -> Result<Vec<Wording>, Unavailable> {
    let rows = sqlx::query(
        "select w.version, w.at, w.text, coalesce(m.name, '') as by_name from (
             select 1 as version, author as by, at, text from post where id = $1
             union all select version, by, at, text from post_version where post = $1
         ) w left join member m on m.id = w.by order by w.version",
    )
    .bind(post.0)
    .fetch_all(&reads.pool)
    .await?;
    let row = |row: &PgRow| {
        Ok(Wording {
            version: row.try_get("version")?,
            by_name: row.try_get("by_name")?,
            at: row.try_get("at")?,
            text: row.try_get("text")?,
        })
    };
    Ok(rows.iter().map(row).collect::<Result<_, sqlx::Error>>()?)
}
