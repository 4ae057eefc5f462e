//! The forum's sections, with how much stands in each and what was said last.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::id::{PostId, SectionId, TopicId};
use domain::section::{self, Board};
use domain::{Fact, Recorded};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// A section of the forum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Which one it is.
    pub id: SectionId,
    /// What stands in addresses.
    pub slug: String,
    /// What members read.
    pub board: Board,
    /// Its place among the others, smallest first.
    pub rank: i32,
    /// Whether it takes no new topics.
    pub retired: bool,
    /// Topics that are shown.
    pub topics: i64,
    /// Posts in them.
    pub posts: i64,
    /// The topic in which something was said last.
    pub latest: Option<Latest>,
}

/// What was said last in a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Latest {
    /// The topic.
    pub topic: TopicId,
    /// What it is about.
    pub title: String,
    /// The post.
    pub post: PostId,
    /// Who wrote it.
    pub by_name: String,
    /// When.
    pub at: OffsetDateTime,
    /// Its position.
    pub activity: i64,
}

/// Gives the sections in their order; those for the staff alone only to the staff.
pub async fn list(reads: &Reads, is_staff: bool) -> Result<Vec<Section>, Unavailable> {
    let rows = sqlx::query(
        "select s.*, coalesce(n.topics, 0) as topics, coalesce(n.posts, 0) as posts,
                t.id as topic, t.title, t.last_post, t.last_at, t.activity, coalesce(m.name, '') as by_name
         from section s left join section_total n on n.section = s.id
         left join lateral (
             select id, title, last_post, last_by, last_at, activity from topic
             where section = s.id and not removed order by activity desc limit 1
         ) t on true
         left join member m on m.id = t.last_by
         where $1 or not s.staff_only order by s.rank, s.slug",
    )
    .bind(is_staff)
    .fetch_all(&reads.pool)
    .await?;
    Ok(rows.iter().map(row).collect::<Result<_, _>>()?)
}

fn row(row: &PgRow) -> Result<Section, sqlx::Error> {
    let topic: Option<Uuid> = row.try_get("topic")?;
    let latest = topic.map(|topic| {
        Ok::<_, sqlx::Error>(Latest {
            topic: TopicId(topic),
            title: row.try_get("title")?,
            post: PostId(row.try_get("last_post")?),
            by_name: row.try_get("by_name")?,
            at: row.try_get("last_at")?,
            activity: row.try_get("activity")?,
        })
    });
    Ok(Section {
        id: SectionId(row.try_get("id")?),
        slug: row.try_get("slug")?,
        board: Board {
            name: row.try_get("name")?,
            description: row.try_get("description")?,
            staff_only: row.try_get("staff_only")?,
        },
        rank: row.try_get("rank")?,
        retired: row.try_get("retired")?,
        topics: row.try_get("topics")?,
        posts: row.try_get("posts")?,
        latest: latest.transpose()?,
    })
}

/// The projection behind the forum's sections.
#[derive(Debug)]
pub struct Sections;

impl Projection for Sections {
    fn name(&self) -> &'static str {
        "section"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/section.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/section.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["section"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["section"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        let table = "section (id, slug, name, description, rank, staff_only, retired)";
        Box::new(Said {
            made: Copy::into(table, 7),
            changed: BTreeMap::new(),
        })
    }
}

/// New sections, and the last word on each one that changed.
struct Said {
    made: Copy,
    changed: BTreeMap<Uuid, Changed>,
}

/// What changed of a section.
#[derive(Default)]
struct Changed {
    board: Option<Board>,
    rank: Option<i32>,
    retired: Option<bool>,
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let Fact::Section(happened) = &event.fact else {
            return Ok(());
        };
        if let section::Event::SectionCreated { slug, board, rank } = happened {
            let row = self.made.row().put(event.stream_id)?;
            row.put(slug)?
                .put(&board.name)?
                .put(&board.description)?
                .put(*rank)?
                .put(board.staff_only)?
                .put(false)?;
            return Ok(());
        }
        let changed = self.changed.entry(event.stream_id).or_default();
        match happened {
            section::Event::SectionCreated { .. } => {}
            section::Event::SectionChanged(board) => changed.board = Some(board.clone()),
            section::Event::SectionReordered { rank } => changed.rank = Some(*rank),
            section::Event::SectionRetired {} => changed.retired = Some(true),
            section::Event::SectionReopened {} => changed.retired = Some(false),
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.made.bytes(),
            changes: self.changed.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.made.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        for (id, changed) in std::mem::take(&mut self.changed) {
            let board = changed.board;
            sqlx::query(
                "update section set name = coalesce($2, name), description = coalesce($3, description),
                     staff_only = coalesce($4, staff_only), rank = coalesce($5, rank), retired = coalesce($6, retired)
                 where id = $1",
            )
            .bind(id)
            .bind(board.as_ref().map(|board| board.name.as_str()))
            .bind(board.as_ref().map(|board| board.description.as_str()))
            .bind(board.as_ref().map(|board| board.staff_only))
            .bind(changed.rank)
            .bind(changed.retired)
            .execute(&mut *to)
            .await?;
        }
        Ok(())
    }
}
