//! The site's settings and its category tree.
//!
//! Before: `api::web::staff`. After: [`domain::site`] and [`domain::category`].

use domain::category::{self, Category};
use domain::id::{MemberId, SITE};
use domain::site::{Command, Rejection, Site};
use domain::{Actor, Permission, Position};

use crate::ports::Unavailable;
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Changes a setting of the site; administrators may.
    pub async fn set_site(
        &self,
        by: MemberId,
        command: Command,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        self.require(by, Permission::Administer).await?;
        let position = self
            .execute::<Site>(SITE, command, self.frame(Actor::Member(by)))
            .await?;
        Ok(Done { of: (), position })
    }

    /// Makes the categories that a site starts with, those that are missing.
    pub async fn seed_categories(&self) -> Result<Position, Refusal<category::Rejection>> {
        let mut last = Position(0);
        for (id, shelf) in category::seeded() {
            if self.has_category(id.0).await? {
                continue;
            }
            let mut frame = self.frame(Actor::System);
            frame
                .claims
                .push(self.claim("category", shelf.slug.as_bytes()));
            match self
                .execute::<Category>(id.0, category::Command::Create(shelf), frame)
                .await
            {
                Ok(position) => last = position,
                // Another node seeds at the same moment.
                Err(
                    Refusal::Taken { .. } | Refusal::Rejected(category::Rejection::AlreadyCreated),
                ) => {}
                Err(refusal) => return Err(refusal),
            }
        }
        Ok(last)
    }

    async fn has_category(&self, id: uuid::Uuid) -> Result<bool, Unavailable> {
        Ok(matches!(
            self.load::<Category>(id).await?,
            Category::Open(_)
        ))
    }
}
