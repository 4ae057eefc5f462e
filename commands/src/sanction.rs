//! Warning and banning members, and letting them in again.
//!
//! Before: `api::web::member`. After: [`domain::user`].

use domain::Actor;
use domain::id::MemberId;
use domain::user::{Ban, Command, Rejection, User};

use crate::{Commands, Done, Refusal};

/// What the staff does to a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sanction {
    /// Warn, and say why.
    Warn(String),
    /// Shut out.
    Ban(Ban),
    /// Let in again, and say why.
    Lift(String),
}

impl Commands {
    /// Sanctions a member; who keeps order among members may, and never against themselves,
    /// administrators, or, but for administrators, others who keep order. `now` is in seconds since
    /// 1970.
    pub async fn sanction(
        &self,
        by: MemberId,
        member: MemberId,
        sanction: Sanction,
        now: i64,
    ) -> Result<Done<()>, Refusal<Rejection>> {
        let own = self.permissions(by).await?;
        if by == member || !own.may_sanction(self.permissions(member).await?) {
            return Err(Refusal::Forbidden);
        }
        let command = match sanction {
            Sanction::Warn(reason) => Command::Warn(reason),
            Sanction::Ban(ban) => Command::Ban { ban, now },
            Sanction::Lift(reason) => Command::Unban(reason),
        };
        let frame = self.frame(Actor::Member(by));
        let position = self.execute::<User>(member.0, command, frame).await?;
        Ok(Done { of: (), position })
    }
}
