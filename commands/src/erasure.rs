//! Erasing a member: the key is destroyed under which everything of their own stands.
//!
//! Before: `api::sign_in::erasure` and the command line. After: [`domain::user`]. What the member held
//! alone, such as the name, is free again with the same append.

use domain::feed_key::Feeds;
use domain::id::MemberId;
use domain::user::{Command, Rejection, User};
use domain::{Actor, Permission};

use crate::ports::{Claim, Unavailable, VaultChange};
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Erases a member for ever; they may themselves, and administrators, but for administrators.
    pub async fn erase_member(
        &self,
        by: Actor,
        member: MemberId,
    ) -> Result<Done<MemberId>, Refusal<Rejection>> {
        let may = match by {
            Actor::Member(by) => {
                by == member || self.permissions(by).await?.has(Permission::Administer)
            }
            Actor::Operator | Actor::System => true,
        };
        if !may {
            return Err(Refusal::Forbidden);
        }
        let mut frame = self.frame(by);
        frame.releases = self.held(member).await?.ok_or(Refusal::NotFound)?;
        frame.vault = Some(VaultChange::Erase);
        let erased = self.execute::<User>(member.0, Command::Erase, frame);
        let position = erased.await?;
        Ok(Done {
            of: member,
            position,
        })
    }

    /// Gives what a member alone may hold, as long as there is one.
    async fn held(&self, member: MemberId) -> Result<Option<Vec<Claim>>, Unavailable> {
        let User::Registered {
            name,
            passkey,
            issued,
            security_keys,
            ..
        } = self.load(member.0).await?
        else {
            return Ok(None);
        };
        let feeds: Feeds = self.load(member.0).await?;
        let mut held = vec![
            self.name_claim(&name),
            self.looks_claim(&name),
            self.passkey_claim(&passkey),
        ];
        held.extend(feeds.feed_key.map(|key| self.feed_claim(&key)));
        held.extend(issued.values().map(|invite| self.code_claim(&invite.code)));
        held.extend(security_keys.iter().map(|one| self.key_claim(&one.key.id)));
        Ok(Some(held))
    }
}
