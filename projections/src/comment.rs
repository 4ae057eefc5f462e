//! Comments below torrents, the latest first.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::id::{CommentId, MemberId, TorrentId};
use domain::user::Role;
use domain::{Fact, Recorded, comment};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::page::{Cursor, Page};
use crate::role::{self, OWN, OwnRole};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// Bytes of texts that weigh as one change in memory.
const BYTES_OF_A_CHANGE: usize = 256;

/// A comment as it reads now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Which one it is.
    pub id: CommentId,
    /// What it is about.
    pub torrent: TorrentId,
    /// Who wrote it.
    pub author: MemberId,
    /// The name of who wrote it.
    pub author_name: String,
    /// Their built-in role.
    pub role: Option<Role>,
    /// The site's own roles that they have.
    pub own_roles: Vec<OwnRole>,
    /// The text in markdown, as written.
    pub text: String,
    /// When it was written.
    pub at: OffsetDateTime,
    /// When it was edited last.
    pub edited_at: Option<OffsetDateTime>,
    /// How it was removed, if it was.
    pub removed: Option<Removed>,
    /// Where it was written in the log.
    pub position: i64,
}

/// Who removed a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Removed {
    /// Its author.
    ByAuthor,
    /// The staff.
    ByStaff,
}

impl Comment {
    /// Gives the cursor of the page that begins with it.
    pub fn cursor(&self) -> Option<Cursor> {
        Cursor::of(&(self.position + 1))
    }
}

const SELECT: &str =
    "select c.id, c.torrent, c.author, coalesce(m.name, '') as author_name, m.role, c.text, c.at,
            c.edited_at, c.removed, c.by_staff, c.position, own.*
     from comment c left join member m on m.id = c.author";

/// Gives a page of a torrent's comments, the latest first.
pub async fn list(
    reads: &Reads,
    torrent: TorrentId,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Comment>, Unavailable> {
    let before: i64 = from.and_then(Cursor::key).unwrap_or(i64::MAX);
    let query = format!(
        "{SELECT} {OWN} where c.torrent = $1 and c.position < $2 order by c.position desc limit {}",
        limit + 1
    );
    let query = sqlx::query(&query).bind(torrent.0).bind(before);
    let rows = query.fetch_all(&reads.pool).await?;
    let rows = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Page::cut(rows, limit, |comment: &Comment| comment.position))
}

/// Gives one comment.
pub async fn one(reads: &Reads, id: CommentId) -> Result<Option<Comment>, Unavailable> {
    let query = format!("{SELECT} {OWN} where c.id = $1");
    let row = sqlx::query(&query).bind(id.0).fetch_optional(&reads.pool);
    Ok(row.await?.as_ref().map(read).transpose()?)
}

/// Counts the comments of a torrent that are shown.
pub async fn count(reads: &Reads, torrent: TorrentId) -> Result<i64, Unavailable> {
    let query = "select count(*) from comment where torrent = $1 and not removed";
    Ok(sqlx::query_scalar(query)
        .bind(torrent.0)
        .fetch_one(&reads.pool)
        .await?)
}

fn read(row: &PgRow) -> Result<Comment, sqlx::Error> {
    let (removed, by_staff): (bool, bool) = (row.try_get("removed")?, row.try_get("by_staff")?);
    let how = if by_staff {
        Removed::ByStaff
    } else {
        Removed::ByAuthor
    };
    let role: Option<String> = row.try_get("role")?;
    Ok(Comment {
        id: CommentId(row.try_get("id")?),
        torrent: TorrentId(row.try_get("torrent")?),
        author: MemberId(row.try_get("author")?),
        author_name: row.try_get("author_name")?,
        role: role.as_deref().and_then(Role::named),
        own_roles: role::own(row)?,
        text: row.try_get("text")?,
        at: row.try_get("at")?,
        edited_at: row.try_get("edited_at")?,
        removed: removed.then_some(how),
        position: row.try_get("position")?,
    })
}

/// The projection behind the comments.
#[derive(Debug)]
pub struct Comments;

impl Projection for Comments {
    fn name(&self) -> &'static str {
        "comment"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/comment.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/comment.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["comment"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["comment"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            written: Copy::into(
                "comment (id, torrent, author, text, at, removed, by_staff, position)",
                8,
            ),
            edited: BTreeMap::new(),
            bytes: 0,
            removed: BTreeMap::new(),
        })
    }
}

/// New comments, and the last word on each that changed.
struct Said {
    written: Copy,
    edited: BTreeMap<Uuid, (String, OffsetDateTime)>,
    /// Bytes of the texts in `edited`.
    bytes: usize,
    /// Whether it is removed, and whether by the staff.
    removed: BTreeMap<Uuid, (bool, bool)>,
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let Fact::Comment(happened) = &event.fact else {
            return Ok(());
        };
        let id = event.stream_id;
        match happened {
            comment::Event::CommentWritten {
                torrent,
                author,
                text,
                ..
            } => {
                let row = self.written.row().put(id)?.put(torrent.0)?.put(author.0)?;
                let row = row.put(text)?.put(event.at)?.put(false)?.put(false)?;
                row.put(event.position.0)?;
            }
            comment::Event::CommentEdited { text, .. } => {
                self.bytes += text.len();
                if let Some((before, _)) = self.edited.insert(id, (text.clone(), event.at)) {
                    self.bytes -= before.len();
                }
            }
            comment::Event::CommentRemoved { by_staff } => {
                self.removed.insert(id, (true, *by_staff));
            }
            comment::Event::CommentRestored {} => {
                self.removed.insert(id, (false, false));
            }
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.written.bytes(),
            changes: self.edited.len() + self.removed.len() + self.bytes / BYTES_OF_A_CHANGE,
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.written.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.bytes = 0;
        for (id, (text, at)) in std::mem::take(&mut self.edited) {
            sqlx::query("update comment set text = $2, edited_at = $3 where id = $1")
                .bind(id)
                .bind(text)
                .bind(at)
                .execute(&mut *to)
                .await?;
        }
        for (id, (removed, by_staff)) in std::mem::take(&mut self.removed) {
            sqlx::query("update comment set removed = $2, by_staff = $3 where id = $1")
                .bind(id)
                .bind(removed)
                .bind(by_staff)
                .execute(&mut *to)
                .await?;
        }
        Ok(())
    }
}
