//! Tags: made, changed, retired.
//!
//! Before: `api::web::staff::tags`. After: [`domain::tag`].

use domain::id::{MemberId, TagId};
use domain::tag::{Command, Label, Rejection, Tag, Turn};
use domain::{Actor, Permission};

use crate::ports::Claim;
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Makes a tag; who may change categories does.
    pub async fn create_tag(
        &self,
        by: MemberId,
        label: Label,
    ) -> Result<Done<TagId>, Refusal<Rejection>> {
        self.require(by, Permission::Categories).await?;
        let tag = TagId(self.new_id());
        let mut frame = self.frame(Actor::Member(by));
        frame.claims.push(self.tag_claim(&label));
        let command = Command::Create(label);
        let position = self.execute::<Tag>(tag.0, command, frame).await?;
        Ok(Done { of: tag, position })
    }

    /// Gives a tag another name, colour or place, retires it, or reopens it. A retired tag's name is
    /// free: the tag itself refuses where it has another one than was looked up.
    pub async fn change_tag(
        &self,
        by: MemberId,
        tag: TagId,
        turn: Turn,
    ) -> Result<Done<TagId>, Refusal<Rejection>> {
        self.require(by, Permission::Categories).await?;
        let (Tag::Open(now) | Tag::Retired(now)) = self.load::<Tag>(tag.0).await? else {
            return Err(Refusal::NotFound);
        };
        let claim = self.tag_claim(&now);
        let mut frame = self.frame(Actor::Member(by));
        match &turn {
            Turn::Change(label) => {
                let wanted = self.tag_claim(label);
                if wanted != claim {
                    frame.claims.push(wanted);
                    frame.releases.push(claim);
                }
            }
            Turn::Retire => frame.releases.push(claim),
            Turn::Reopen => frame.claims.push(claim),
        }
        let held = now.folded();
        let command = Command::Turn { turn, held };
        let position = self.execute::<Tag>(tag.0, command, frame).await?;
        Ok(Done { of: tag, position })
    }

    fn tag_claim(&self, label: &Label) -> Claim {
        self.claim("tag", label.folded().trim().as_bytes())
    }
}
