//! The category tree.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use domain::category::Shelf;
use domain::id::CategoryId;
use domain::{Fact, Recorded, category};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// A category in the tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Category {
    /// Which one it is.
    pub id: CategoryId,
    /// What stands in addresses.
    pub slug: String,
    /// What members read.
    pub name: String,
    /// How deep it stands: 0 at the top.
    pub depth: i32,
    /// The category above it.
    pub parent: Option<CategoryId>,
    /// Its place among its neighbours.
    pub rank: i32,
    /// Whether nothing more is put into it.
    pub retired: bool,
}

/// Gives the tree, each category behind the one above it.
pub async fn tree(reads: &Reads) -> Result<Arc<Vec<Category>>, Unavailable> {
    reads.often.tree.or_ask(reads.mark(), (), ask(reads)).await
}

async fn ask(reads: &Reads) -> Result<Vec<Category>, Unavailable> {
    let rows = sqlx::query(
        "with recursive tree as (
             select c.*, 0 as depth, array[(rank, id)] as path from category c where parent is null
             union all
             select c.*, depth + 1, path || (c.rank, c.id) from category c join tree on c.parent = tree.id)
         select id, slug, name, depth, parent, rank, retired from tree order by path",
    );
    let rows = rows.fetch_all(&reads.pool).await?;
    Ok(rows.iter().map(read).collect::<Result<_, _>>()?)
}

/// Gives categories and everything below them.
pub async fn below(reads: &Reads, these: &[CategoryId]) -> Result<Vec<Uuid>, Unavailable> {
    let these: Vec<Uuid> = these.iter().map(|one| one.0).collect();
    let query = sqlx::query_scalar(
        "with recursive below as (
             select id from unnest($1) as these(id)
             union select c.id from category c join below on c.parent = below.id)
         select id from below",
    );
    Ok(query.bind(these).fetch_all(&reads.pool).await?)
}

fn read(row: &PgRow) -> Result<Category, sqlx::Error> {
    Ok(Category {
        id: CategoryId(row.try_get("id")?),
        slug: row.try_get("slug")?,
        name: row.try_get("name")?,
        depth: row.try_get("depth")?,
        parent: row.try_get::<Option<Uuid>, _>("parent")?.map(CategoryId),
        rank: row.try_get("rank")?,
        retired: row.try_get("retired")?,
    })
}

/// The projection behind the category tree.
#[derive(Debug)]
pub struct Categories;

impl Projection for Categories {
    fn name(&self) -> &'static str {
        "category"
    }

    fn version(&self) -> i32 {
        2
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/category.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/category.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["category"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["category"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Shelves {
            new: Copy::into("category (id, slug, name, parent, rank, retired)", 6),
            changed: BTreeMap::new(),
            retired: BTreeMap::new(),
        })
    }
}

/// New categories, and the last word on each that changed.
struct Shelves {
    new: Copy,
    changed: BTreeMap<Uuid, Shelf>,
    retired: BTreeMap<Uuid, bool>,
}

#[async_trait]
impl Fold for Shelves {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let Fact::Category(happened) = &event.fact else {
            return Ok(());
        };
        let id = event.stream_id;
        match happened {
            category::Event::CategoryCreated(shelf) => {
                let row = self.new.row().put(id)?.put(&shelf.slug)?.put(&shelf.name)?;
                row.put(shelf.parent.map(|parent| parent.0))?
                    .put(shelf.rank)?
                    .put(false)?;
            }
            category::Event::CategoryChanged(shelf) => {
                self.changed.insert(id, shelf.clone());
            }
            category::Event::CategoryRetired {} => {
                self.retired.insert(id, true);
            }
            category::Event::CategoryReopened {} => {
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
        for (id, shelf) in std::mem::take(&mut self.changed) {
            sqlx::query("update category set name = $2, parent = $3, rank = $4 where id = $1")
                .bind(id)
                .bind(shelf.name)
                .bind(shelf.parent.map(|parent| parent.0))
                .bind(shelf.rank)
                .execute(&mut *to)
                .await?;
        }
        for (id, retired) in std::mem::take(&mut self.retired) {
            sqlx::query("update category set retired = $2 where id = $1")
                .bind(id)
                .bind(retired)
                .execute(&mut *to)
                .await?;
        }
        Ok(())
    }
}
