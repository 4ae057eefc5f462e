//! An event as the log gives it back: where it stands, who caused it, what happened.

use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fact::Fact;
use crate::id::{CommandId, MemberId};

/// A place in the log: gapless, starting at 1; 0 is before everything.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Position(pub i64);

impl std::fmt::Display for Position {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// Who caused an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Actor {
    /// A member, through a page or the API.
    Member(MemberId),
    /// Somebody at the command line of the machine.
    Operator,
    /// The program itself: seeding, crediting, reactions.
    System,
}

/// An event's private metadata; it is sealed with the payload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Meta {
    /// Who caused it.
    pub actor: Actor,
    /// The request or batch of work it belongs to.
    pub correlation: Uuid,
    /// The position of the event that led to it, or that it undoes or brings back.
    pub causation: Option<Position>,
    /// Why, in the words of who did it.
    pub reason: Option<String>,
}

impl Meta {
    /// Gives what is left of an erased event's: nothing, so nobody in particular.
    pub fn erased() -> Self {
        Self {
            actor: Actor::System,
            correlation: Uuid::nil(),
            causation: None,
            reason: None,
        }
    }
}

/// An event as the log gives it back.
#[derive(Debug, Clone, PartialEq)]
pub struct Recorded {
    /// Its place in the log.
    pub position: Position,
    /// The stream's type, such as `torrent`.
    pub stream_type: String,
    /// The stream's random id.
    pub stream_id: Uuid,
    /// Its place in the stream, starting at 1.
    pub sequence: i64,
    /// When it was appended, by the appender's clock, which never goes back.
    pub at: OffsetDateTime,
    /// The command that caused it.
    pub command: CommandId,
    /// Who and why.
    pub meta: Meta,
    /// What happened.
    pub fact: Fact,
}
