//! Tags, as pages show them.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::id::TagId;
use domain::tag::{self, Colour, Label};
use domain::{Fact, Recorded};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

pub(crate) mod search;

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Which one it is.
    pub id: TagId,
    /// What members read.
    pub name: String,
    /// How it is told apart.
    pub colour: Colour,
    /// Its place among the others.
    pub rank: i32,
    /// Whether nothing more is marked with it.
    pub retired: bool,
}

/// Gives every tag, also retired ones, in order.
pub async fn all(reads: &Reads) -> Result<Arc<Vec<Tag>>, Unavailable> {
    reads.often.tags.or_ask(reads.mark(), (), ask(reads)).await
}

async fn ask(reads: &Reads) -> Result<Vec<Tag>, Unavailable> {
    let query = "select id, name, colour, rank, retired from tag order by rank, lower(name), id";
    let rows = sqlx::query(query).fetch_all(&reads.pool).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Picks tags, which stay in order.
pub(crate) fn these(all: &[Tag], ids: &[Uuid]) -> Vec<Tag> {
    let wanted = all.iter().filter(|tag| ids.contains(&tag.id.0));
    wanted.cloned().collect()
}

fn read(row: &PgRow) -> Result<Tag, sqlx::Error> {
    let colour: String = row.try_get("colour")?;
    Ok(Tag {
        id: TagId(row.try_get("id")?),
        name: row.try_get("name")?,
        colour: Colour::named(&colour).unwrap_or_default(),
        rank: row.try_get("rank")?,
        retired: row.try_get("retired")?,
    })
}

/// The projection behind the tags.
#[derive(Debug)]
pub struct Tags;

impl Projection for Tags {
    fn name(&self) -> &'static str {
        "tag"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/tag.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/tag.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["tag"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["tag"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Labels {
            new: Copy::into("tag (id, name, colour, rank, retired)", 5),
            changed: BTreeMap::new(),
            retired: BTreeMap::new(),
        })
    }
}

/// New tags, and the last word on each that changed.
struct Labels {
    new: Copy,
    changed: BTreeMap<Uuid, Label>,
    retired: BTreeMap<Uuid, bool>,
}

#[async_trait]
impl Fold for Labels {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let Fact::Tag(happened) = &event.fact else {
            return Ok(());
        };
        let id = event.stream_id;
        match happened {
            tag::Event::TagCreated(label) => {
                let row = self.new.row().put(id)?.put(&label.name)?;
                row.put(label.colour.name())?.put(label.rank)?.put(false)?;
            }
            tag::Event::TagChanged(label) => {
                self.changed.insert(id, label.clone());
            }
            tag::Event::TagRetired {} => {
                self.retired.insert(id, true);
            }
            tag::Event::TagReopened {} => {
                self.retired.insert(id, false);
            }
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.new.bytes(),
            changes: self.changed.len() + self.retired.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.new.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        for (id, label) in std::mem::take(&mut self.changed) {
            sqlx::query("update tag set name = $2, colour = $3, rank = $4 where id = $1")
                .bind(id)
                .bind(label.name)
                .bind(label.colour.name())
                .bind(label.rank)
                .execute(&mut *to)
                .await?;
        }
        for (id, retired) in std::mem::take(&mut self.retired) {
            sqlx::query("update tag set retired = $2 where id = $1")
                .bind(id)
                .bind(retired)
                .execute(&mut *to)
                .await?;
        }
        Ok(())
    }
}
