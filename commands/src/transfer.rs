//! What completed downloads owe, and what looks wrong about traffic.
//!
//! Before: `src/serve/obligation.rs`, `tracker::credit` and `api::web::transfer`. After:
//! [`domain::transfer`].

use domain::amount::Seconds;
use domain::id::{MemberId, SITE};
use domain::setting::Key;
use domain::site::Site;
use domain::transfer::{Ask, Command, Kind, Pair, Rejection, Suspicion, Transfer};
use domain::{Actor, Permission, Position};

use crate::{Commands, Done, Refusal};

/// What the staff does about what is owed, or flagged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Take a mark away.
    Clear,
    /// Ask for no seed time.
    Exempt,
    /// Say that what was flagged was looked at.
    Dismiss(Kind),
}

impl Commands {
    /// Notes that a member completed a download, and what it owes by the rules of now, in seconds since
    /// 1970. Noted before, it stays as it is.
    pub async fn complete(&self, of: Pair, now: i64) -> Result<Position, Refusal<Rejection>> {
        let site: Site = self.load(SITE).await?;
        let settings = &site.settings;
        let owes = if settings.switch(Key::HitAndRun) {
            settings.span(Key::SeedTime)
        } else {
            Seconds(0)
        };
        let grace = i64::try_from(settings.count(Key::GracePeriod)).unwrap_or(i64::MAX);
        let due = now.saturating_add(grace);
        self.by_itself(of, Ask::Complete { owes, due }).await
    }

    /// Marks a hit-and-run whose grace period is over by now, or notes that the seed time is reached.
    pub async fn look(
        &self,
        of: Pair,
        seeded: Seconds,
        now: i64,
    ) -> Result<Position, Refusal<Rejection>> {
        self.by_itself(of, Ask::Look { seeded, now }).await
    }

    /// Flags traffic that looks wrong.
    pub async fn flag(
        &self,
        of: Pair,
        suspicion: Suspicion,
    ) -> Result<Position, Refusal<Rejection>> {
        self.by_itself(of, Ask::Flag(suspicion)).await
    }

    /// Acts on what is owed or flagged; who keeps order over traffic may.
    pub async fn settle(
        &self,
        by: MemberId,
        of: Pair,
        act: Act,
        reason: Option<String>,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        self.require(by, Permission::Traffic).await?;
        let ask = match act {
            Act::Clear => Ask::Clear,
            Act::Exempt => Ask::Exempt,
            Act::Dismiss(kind) => Ask::Dismiss(kind),
        };
        let mut frame = self.frame(Actor::Member(by));
        frame.meta.reason = reason;
        let command = Command { of, ask };
        let position = self
            .execute::<Transfer>(of.stream(), command, frame)
            .await?;
        Ok(Done { of: (), position })
    }

    async fn by_itself(&self, of: Pair, ask: Ask) -> Result<Position, Refusal<Rejection>> {
        let command = Command { of, ask };
        let frame = self.frame(Actor::System);
        self.execute::<Transfer>(of.stream(), command, frame).await
    }
}
