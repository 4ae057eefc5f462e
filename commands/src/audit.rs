//! Setting checkpoints over the log, and noting who read its history.
//!
//! Before: `opentracker audit` and `api::web::audit`. After: [`domain::audit`].

use domain::audit::{Audit, CHECKPOINTS, Checkpoint, Event, OPERATOR, Rejection};
use domain::{Actor, Position};

use crate::{Commands, Refusal};

impl Commands {
    /// Sets a checkpoint; of two at once, one is refused as a conflict.
    pub async fn set_checkpoint(
        &self,
        checkpoint: Checkpoint,
    ) -> Result<Position, Refusal<Rejection>> {
        let event = Event::CheckpointSet(checkpoint);
        self.execute::<Audit>(CHECKPOINTS, event, self.frame(Actor::System))
            .await
    }

    /// Notes that somebody read the history.
    pub async fn note_reading(
        &self,
        by: Actor,
        what: &str,
    ) -> Result<Position, Refusal<Rejection>> {
        let stream = match by {
            Actor::Member(member) => member.0,
            Actor::Operator | Actor::System => OPERATOR,
        };
        let event = Event::HistoryRead {
            what: what.chars().take(200).collect(),
        };
        self.execute::<Audit>(stream, event, self.frame(by)).await
    }
}
