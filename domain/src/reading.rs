//! Up to where a member has read the forum, by their own word; the stream has the member's id.
//!
//! What is noted with each topic that is looked at is no event; see `api::web::forum::unread`.

use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::recorded::Position;

/// What happened to a member's reading.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The member said that everything up to here is read.
    ForumRead {
        /// The position up to which nothing is new to them.
        upto: Position,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::ForumRead { .. } => "ForumRead",
        }
    }
}

/// Up to where a member has read everything.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Reading {
    upto: Position,
}

/// What may be asked of a stream of a member's reading.
#[derive(Debug, Clone)]
pub enum Command {
    /// Note that everything up to a position is read.
    ReadAll {
        /// The position.
        upto: Position,
    },
}

/// Why a reading's command is refused: it never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {}

impl Decider for Reading {
    const STREAM: &'static str = "reading";
    const SHAPE: Option<i32> = Some(1);
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command::ReadAll { upto } = command;
        let is_new = upto > self.upto;
        Ok(is_new
            .then_some(Event::ForumRead { upto })
            .into_iter()
            .collect())
    }

    fn evolve(&mut self, event: &Event) {
        let Event::ForumRead { upto } = event;
        self.upto = *upto;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    #[test]
    fn what_was_read_stays_read() {
        let read = |upto| Event::ForumRead {
            upto: Position(upto),
        };
        let all = |upto| Command::ReadAll {
            upto: Position(upto),
        };
        given::<Reading>(&[]).when(all(5)).then(&[read(5)]);
        given::<Reading>(&[read(5)]).when(all(9)).then(&[read(9)]);
        for upto in [5, 3] {
            given::<Reading>(&[read(5)]).when(all(upto)).then(&[]);
        }
    }
}
