//! The tree of categories: made, changed, retired.
//!
//! Before: `api::web::staff::categories`. After: [`domain::category`].

use domain::category::{Category, Command, Rejection, Shelf, seeded};
use domain::id::{CategoryId, MemberId};
use domain::{Actor, Permission, Position};

use crate::ports::Unavailable;
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Makes a category; who may change categories does.
    pub async fn create_category(
        &self,
        by: MemberId,
        shelf: Shelf,
    ) -> Result<Done<CategoryId>, Refusal<Rejection>> {
        self.require(by, Permission::Categories).await?;
        self.top(shelf.parent).await?;
        let category = CategoryId(self.new_id());
        let mut frame = self.frame(Actor::Member(by));
        frame
            .claims
            .push(self.claim("category", shelf.slug.as_bytes()));
        let position = self
            .execute::<Category>(category.0, Command::Create(shelf), frame)
            .await?;
        Ok(Done {
            of: category,
            position,
        })
    }

    /// Gives a category another name or place, retires it, or reopens it; who may change categories does.
    pub async fn change_category(
        &self,
        by: MemberId,
        category: CategoryId,
        command: Command,
    ) -> Result<Done<CategoryId>, Refusal<Rejection>> {
        self.require(by, Permission::Categories).await?;
        if let Command::Change(shelf) = &command {
            self.top(shelf.parent).await?;
        }
        let frame = self.frame(Actor::Member(by));
        let position = self.execute::<Category>(category.0, command, frame).await?;
        Ok(Done {
            of: category,
            position,
        })
    }

    /// Refuses to put anything below a category that isn't at the top.
    async fn top(&self, parent: Option<CategoryId>) -> Result<(), Refusal<Rejection>> {
        let Some(parent) = parent else {
            return Ok(());
        };
        match self.load::<Category>(parent.0).await? {
            Category::Unknown => Err(Refusal::Rejected(Rejection::Unknown)),
            Category::Open(shelf) if shelf.parent.is_none() => Ok(()),
            Category::Open(_) => Err(Refusal::Rejected(Rejection::TooDeep)),
            Category::Retired(_) => Err(Refusal::Rejected(Rejection::Retired)),
        }
    }

    /// Makes the categories that a site starts with, those that are missing.
    pub async fn seed_categories(&self) -> Result<Position, Refusal<Rejection>> {
        let mut last = Position(0);
        for (id, shelf) in seeded() {
            if self.has_category(id.0).await? {
                continue;
            }
            let mut frame = self.frame(Actor::System);
            frame
                .claims
                .push(self.claim("category", shelf.slug.as_bytes()));
            match self
                .execute::<Category>(id.0, Command::Create(shelf), frame)
                .await
            {
                Ok(position) => last = position,
                // Another node seeds at the same moment.
                Err(Refusal::Taken { .. } | Refusal::Rejected(Rejection::AlreadyCreated)) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(last)
    }

    async fn has_category(&self, id: uuid::Uuid) -> Result<bool, Unavailable> {
        let found = self.load::<Category>(id).await?;
        Ok(!matches!(found, Category::Unknown))
    }
}
