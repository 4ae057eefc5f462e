//! The site's settings.
//!
//! Before: `api::web::staff`. After: [`domain::site`].

use domain::id::{MemberId, SITE};
use domain::site::{Command, Rejection, Site};
use domain::{Actor, Permission};

use crate::{Commands, Done, Refusal};

impl Commands {
    /// Changes a setting of the site; who may change settings does.
    pub async fn set_site(
        &self,
        by: MemberId,
        command: Command,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        self.require(by, Permission::Settings).await?;
        let position = self
            .execute::<Site>(SITE, command, self.frame(Actor::Member(by)))
            .await?;
        Ok(Done { of: (), position })
    }
}
