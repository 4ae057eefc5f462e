//! Tags: made, changed, retired.
//!
//! Before: `api::web::staff::tags`. After: [`domain::tag`].

use domain::id::{MemberId, TagId};
use domain::tag::{Command, Label, Rejection, Tag};
use domain::{Actor, Permission};

use crate::ports::Claim;
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Makes a tag; who keeps order among torrents may.
    pub async fn create_tag(
        &self,
        by: MemberId,
        label: Label,
    ) -> Result<Done<TagId>, Refusal<Rejection>> {
        self.require(by, Permission::Administer).await?;
        let tag = TagId(self.new_id());
        let mut frame = self.frame(Actor::Member(by));
        frame.claims.push(self.tag_claim(&label));
        let command = Command::Create(label);
        let position = self.execute::<Tag>(tag.0, command, frame).await?;
        Ok(Done { of: tag, position })
    }

    /// Gives a tag another name, colour or place, retires it, or reopens it. A retired tag's name is
    /// free.
    pub async fn change_tag(
        &self,
        by: MemberId,
        tag: TagId,
        command: Command,
    ) -> Result<Done<TagId>, Refusal<Rejection>> {
        self.require(by, Permission::Administer).await?;
        let (Tag::Open(now) | Tag::Retired(now)) = self.load::<Tag>(tag.0).await? else {
            return Err(Refusal::NotFound);
        };
        let held = self.tag_claim(&now);
        let mut frame = self.frame(Actor::Member(by));
        match &command {
            Command::Change(label) => {
                let wanted = self.tag_claim(label);
                if wanted != held {
                    frame.claims.push(wanted);
                    frame.releases.push(held);
                }
            }
            Command::Retire => frame.releases.push(held),
            Command::Reopen => frame.claims.push(held),
            Command::Create(_) => {}
        }
        let position = self.execute::<Tag>(tag.0, command, frame).await?;
        Ok(Done { of: tag, position })
    }

    fn tag_claim(&self, label: &Label) -> Claim {
        self.claim("tag", label.folded().trim().as_bytes())
    }
}
