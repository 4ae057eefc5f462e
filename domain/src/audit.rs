//! What auditors rest on: checkpoints over the log, its backups, who read its history, and who lifted a
//! block.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::Position;
use crate::decider::Decider;
use crate::info_hash::hex_text;

/// The stream of the checkpoints; what a reader read stands in a stream with the reader's id.
pub const CHECKPOINTS: Uuid = Uuid::from_u128(0x5173_0000_0000_4000_8000_0000_0000_0002);

/// The stream of what was read at the command line.
pub const OPERATOR: Uuid = Uuid::from_u128(0x5173_0000_0000_4000_8000_0000_0000_0003);

/// The stream of the backups.
pub const BACKUPS: Uuid = Uuid::from_u128(0x5173_0000_0000_4000_8000_0000_0000_0005);

/// What happened to the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Event {
    /// The log up to a position is these events and no others.
    CheckpointSet(Checkpoint),
    /// Somebody read the history.
    HistoryRead {
        /// What was read, such as `log` or `torrent-…`.
        what: String,
    },
    /// Somebody lifted the block of an address.
    BlockLifted {
        /// The short name that stands for the address.
        whose: String,
        /// Why it was blocked.
        why: String,
    },
    /// A backup holds the log up to a position.
    BackupMade(Backup),
    /// A backup of the log up to a position was restored into a scratch database, and is whole.
    BackupVerified(Backup),
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::CheckpointSet(_) => "CheckpointSet",
            Self::HistoryRead { .. } => "HistoryRead",
            Self::BlockLifted { .. } => "BlockLifted",
            Self::BackupMade(_) => "BackupMade",
            Self::BackupVerified(_) => "BackupVerified",
        }
    }
}

/// What of the log a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// The last position.
    pub upto: Position,
    /// The Merkle root of all leaves up to there.
    pub root: Digest,
}

/// What the log was at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The position up to which the checkpoint before reaches; 0 for the first.
    pub after: Position,
    /// The last position that this one covers.
    pub upto: Position,
    /// The chain's hash at that position.
    pub chain: Digest,
    /// The Merkle root of the leaves in between (RFC 6962, section 2.1).
    pub root: Digest,
}

/// A SHA-256 hash, as 64 hex digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

hex_text!(Digest, 32);

/// A stream of the audit, as its last event tells it.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Audit {
    /// The position up to which the last checkpoint reaches.
    covered: Position,
}

/// Why nothing is noted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is nothing new to cover.
    #[error("a checkpoint covers at least one event")]
    NothingNew,
    /// Another checkpoint was set meanwhile.
    #[error("a checkpoint begins where the one before it ends")]
    NotNext,
}

impl Decider for Audit {
    const STREAM: &'static str = "audit";
    const REMEMBERS: bool = false;
    const KEPT: bool = true;
    type Command = Event;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Event) -> Result<Vec<Event>, Rejection> {
        match &command {
            Event::CheckpointSet(checkpoint) if checkpoint.upto <= checkpoint.after => {
                Err(Rejection::NothingNew)
            }
            Event::CheckpointSet(checkpoint) if checkpoint.after != self.covered => {
                Err(Rejection::NotNext)
            }
            Event::CheckpointSet(_)
            | Event::HistoryRead { .. }
            | Event::BlockLifted { .. }
            | Event::BackupMade(_)
            | Event::BackupVerified(_) => Ok(vec![command]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        if let Event::CheckpointSet(checkpoint) = event {
            self.covered = checkpoint.upto;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    fn checkpoint(after: i64, upto: i64) -> Event {
        Event::CheckpointSet(Checkpoint {
            after: Position(after),
            upto: Position(upto),
            chain: Digest([7; 32]),
            root: Digest([8; 32]),
        })
    }

    #[test]
    fn checkpoints_follow_one_another_and_cover_something() {
        let given = || given::<Audit>(&[checkpoint(0, 3)]);
        given().when(checkpoint(3, 5)).then(&[checkpoint(3, 5)]);
        given()
            .when(checkpoint(3, 3))
            .rejected(&Rejection::NothingNew);
        given().when(checkpoint(0, 5)).rejected(&Rejection::NotNext);
    }

    #[test]
    fn reading_lifting_and_backups_are_always_noted() {
        let read = Event::HistoryRead { what: "log".into() };
        let lifted = Event::BlockLifted {
            whose: "3f0c6a1b92de".into(),
            why: "refused sign-ins".into(),
        };
        let backup = Backup {
            upto: Position(3),
            root: Digest([8; 32]),
        };
        let (made, verified) = (Event::BackupMade(backup), Event::BackupVerified(backup));
        for event in [read, lifted, made, verified] {
            given::<Audit>(&[])
                .when(event.clone())
                .then(std::slice::from_ref(&event));
        }
    }
}
