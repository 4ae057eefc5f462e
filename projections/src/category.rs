//! The category tree.

use async_trait::async_trait;
use domain::id::CategoryId;
use domain::{Fact, Recorded, category};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{NotApplied, Projection, Reads, Unavailable};

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

#[async_trait]
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

    fn table_names(&self) -> &'static [&'static str] {
        &["category"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["category"]
    }

    async fn apply(&self, to: &mut PgConnection, events: &[Recorded]) -> Result<(), NotApplied> {
        for event in events {
            let Fact::Category(category::Event::CategoryCreated(shelf)) = &event.fact else {
                continue;
            };
            sqlx::query(
                "insert into category (id, slug, name, parent, rank) values ($1, $2, $3, $4, $5)",
            )
            .bind(event.stream_id)
            .bind(&shelf.slug)
            .bind(&shelf.name)
            .bind(shelf.parent.map(|parent| parent.0))
            .bind(shelf.rank)
            .execute(&mut *to)
            .await?;
        }
        Ok(())
    }
}
