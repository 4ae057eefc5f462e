//! The category tree.

use async_trait::async_trait;
use domain::id::CategoryId;
use domain::{Fact, Recorded, category};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// A category in the tree.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Category {
    /// Which one it is.
    #[sqlx(try_from = "Uuid")]
    pub id: CategoryId,
    /// What stands in addresses.
    pub slug: String,
    /// What members read.
    pub name: String,
    /// How deep it stands: 0 at the top.
    pub depth: i32,
}

/// Gives the tree, each category behind the one above it.
pub async fn tree(reads: &Reads) -> Result<Vec<Category>, Unavailable> {
    let rows = sqlx::query_as(
        "with recursive tree as (
             select id, slug, name, 0 as depth, array[rank] as path from category where parent is null
             union all
             select c.id, c.slug, c.name, depth + 1, path || c.rank from category c join tree on c.parent = tree.id)
         select id, slug, name, depth from tree order by path",
    );
    Ok(rows.fetch_all(&reads.pool).await?)
}

/// The projection behind the category tree.
#[derive(Debug)]
pub struct Categories;

impl Projection for Categories {
    fn name(&self) -> &'static str {
        "category"
    }

    fn version(&self) -> i32 {
        1
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
        let table = "category (id, slug, name, parent, rank)";
        Box::new(Shelves(Copy::into(table, 5)))
    }
}

/// New categories.
struct Shelves(Copy);

#[async_trait]
impl Fold for Shelves {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        if let Fact::Category(category::Event::CategoryCreated(shelf)) = &event.fact {
            let row = self.0.row().put(event.stream_id)?;
            row.put(&shelf.slug)?
                .put(&shelf.name)?
                .put(shelf.parent.map(|parent| parent.0))?
                .put(shelf.rank)?;
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.0.bytes(),
            changes: 0,
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.0.write(to).await
    }

    async fn update(&mut self, _to: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
}
