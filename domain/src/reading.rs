//! Up to where a member has read the forum and their notifications, by their own word; the stream has the
//! member's id.
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
    /// The member said that every notification up to here is read.
    NotificationsRead {
        /// The position up to which none is new to them.
        upto: Position,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::ForumRead { .. } => "ForumRead",
            Self::NotificationsRead { .. } => "NotificationsRead",
        }
    }
}

/// Up to where a member has read everything.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Reading {
    upto: Position,
    notified: Position,
}

/// What may be asked of a stream of a member's reading.
#[derive(Debug, Clone)]
pub enum Command {
    /// Note that everything in the forum up to a position is read.
    ReadAll {
        /// The position.
        upto: Position,
    },
    /// Note that every notification up to a position is read.
    ReadNotifications {
        /// The position.
        upto: Position,
    },
}

/// Why a reading's command is refused: it never is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {}

impl Decider for Reading {
    const STREAM: &'static str = "reading";
    const SHAPE: Option<i32> = Some(2);
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        let happened = match command {
            Command::ReadAll { upto } => (upto > self.upto).then_some(Event::ForumRead { upto }),
            Command::ReadNotifications { upto } => {
                (upto > self.notified).then_some(Event::NotificationsRead { upto })
            }
        };
        Ok(happened.into_iter().collect())
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::ForumRead { upto } => self.upto = *upto,
            Event::NotificationsRead { upto } => self.notified = *upto,
        }
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

    #[test]
    fn notifications_are_read_apart_from_the_forum() {
        let upto = Position(5);
        let all = Command::ReadNotifications { upto };
        let read = Event::NotificationsRead { upto };
        given::<Reading>(&[Event::ForumRead { upto }])
            .when(all.clone())
            .then(std::slice::from_ref(&read));
        given::<Reading>(&[read]).when(all).then(&[]);
    }
}
