//! Setting checkpoints over the log, and noting its backups, who read its history or lifted a block.
//!
//! Before: `opentracker audit`, `opentracker backup` and `api::web::audit`. After: [`domain::audit`].

use domain::audit::{Audit, BACKUPS, Backup, CHECKPOINTS, Checkpoint, Event, OPERATOR, Rejection};
use domain::{Actor, Position};
use uuid::Uuid;

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

    /// Notes that a backup was made.
    pub async fn note_backup(&self, backup: Backup) -> Result<Position, Refusal<Rejection>> {
        let event = Event::BackupMade(backup);
        self.execute::<Audit>(BACKUPS, event, self.frame(Actor::Operator))
            .await
    }

    /// Notes that a backup was proved.
    pub async fn note_proof(&self, backup: Backup) -> Result<Position, Refusal<Rejection>> {
        let event = Event::BackupVerified(backup);
        self.execute::<Audit>(BACKUPS, event, self.frame(Actor::Operator))
            .await
    }

    /// Notes that somebody read the history.
    pub async fn note_reading(
        &self,
        by: Actor,
        what: &str,
    ) -> Result<Position, Refusal<Rejection>> {
        let event = Event::HistoryRead {
            what: what.chars().take(200).collect(),
        };
        self.execute::<Audit>(own_stream(by), event, self.frame(by))
            .await
    }

    /// Notes that somebody lifted the block of an address, which goes by a short name.
    pub async fn note_lifting(
        &self,
        by: Actor,
        whose: &str,
        why: &str,
    ) -> Result<Position, Refusal<Rejection>> {
        let event = Event::BlockLifted {
            whose: whose.to_owned(),
            why: why.to_owned(),
        };
        self.execute::<Audit>(own_stream(by), event, self.frame(by))
            .await
    }
}

/// Gives the stream of what somebody did.
fn own_stream(by: Actor) -> Uuid {
    match by {
        Actor::Member(member) => member.0,
        Actor::Operator | Actor::System => OPERATOR,
    }
}
