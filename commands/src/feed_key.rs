//! A member's feed key: made, revoked, and whose one is.
//!
//! Before: `api::web::settings` and `api::web::feed`. After: [`domain::feed_key`]. The log knows a key
//! by its claim, a keyed hash.

use domain::Actor;
use domain::feed_key::{Command, FeedKey, Feeds, Rejection};
use domain::id::MemberId;

use crate::ports::{Claim, Unavailable};
use crate::{Commands, Done, Refusal};

impl Commands {
    /// Gives the member a feed key; the one before is void at once.
    pub async fn make_feed_key(&self, by: MemberId) -> Result<Done<FeedKey>, Refusal<Rejection>> {
        let held = self.feed_key(by).await?;
        let mut random = [0; 16];
        self.random.fill(&mut random);
        let key = FeedKey::new(random);
        let mut frame = self.frame(Actor::Member(by));
        frame.claims.push(self.feed_claim(&key));
        frame
            .releases
            .extend(held.map(|held| self.feed_claim(&held)));
        let command = Command::Make(key.clone());
        let position = self.execute::<Feeds>(by.0, command, frame).await?;
        Ok(Done { of: key, position })
    }

    /// Makes the member's feed key void.
    pub async fn revoke_feed_key(&self, by: MemberId) -> Result<Done<()>, Refusal<Rejection>> {
        let held = self.feed_key(by).await?;
        let mut frame = self.frame(Actor::Member(by));
        frame
            .releases
            .extend(held.map(|held| self.feed_claim(&held)));
        let position = self.execute::<Feeds>(by.0, Command::Revoke, frame).await?;
        Ok(Done { of: (), position })
    }

    /// Gives the member's feed key, if they have one.
    pub async fn feed_key(&self, of: MemberId) -> Result<Option<FeedKey>, Unavailable> {
        Ok(self.load::<Feeds>(of.0).await?.feed_key)
    }

    /// Tells whose a feed key is.
    pub async fn with_feed_key(&self, key: &FeedKey) -> Result<Option<MemberId>, Unavailable> {
        let holder = self.log.holder(&self.feed_claim(key)).await?;
        Ok(holder.map(MemberId))
    }

    pub(crate) fn feed_claim(&self, key: &FeedKey) -> Claim {
        self.claim("feed_key", key.reveal().as_bytes())
    }
}
