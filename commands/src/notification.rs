//! Noting that notifications are read; what they are is a fold of other events.
//!
//! Before: `api::web::notification`. After: [`domain::reading`] and `projections::notification`.

use domain::id::MemberId;
use domain::reading::{Command, Reading, Rejection};
use domain::{Actor, Position};

use crate::{Commands, Refusal};

impl Commands {
    /// Notes that every notification of a member up to a position is read.
    pub async fn read_notifications(
        &self,
        by: MemberId,
        upto: Position,
    ) -> Result<Position, Refusal<Rejection>> {
        let frame = self.frame(Actor::Member(by));
        let command = Command::ReadNotifications { upto };
        self.execute::<Reading>(by.0, command, frame).await
    }
}
