//! What this process appended last, as its projections will read it: they need not fetch and open it again.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use domain::{Fact, Position, Recorded, user};
use tokio::sync::watch;

/// Events that are kept at most.
const MOST: usize = 256;
/// Sealed bytes of what is kept at most.
const MOST_BYTES: usize = 1 << 20;

/// The head that this process appended, and the last committed events before it.
#[derive(Debug, Default)]
pub struct Recent {
    head: watch::Sender<Position>,
    run: Mutex<Run>,
}

/// Events without a gap between them, behind one position and up to another.
#[derive(Debug, Default)]
struct Run {
    after: Position,
    upto: Position,
    bytes: usize,
    events: VecDeque<Own>,
}

/// An event that was committed, and how many sealed bytes it has.
#[derive(Debug)]
pub(crate) struct Own {
    pub(crate) event: Arc<Recorded>,
    pub(crate) bytes: usize,
}

impl Recent {
    /// Gives a receiver of each head that this process appends.
    pub fn head(&self) -> watch::Receiver<Position> {
        self.head.subscribe()
    }

    /// Tells a new head.
    pub(crate) fn tell(&self, position: Position) {
        self.head.send_if_modified(|known| {
            let newer = position > *known;
            *known = position.max(*known);
            newer
        });
    }

    /// Keeps committed events in their order.
    pub(crate) fn keep(&self, events: impl IntoIterator<Item = Own>) {
        let mut run = self.run();
        for own in events {
            run.push(own);
        }
    }

    /// Gives what follows a position, and up to where, if all of that is kept.
    pub(crate) fn since(&self, after: Position) -> Option<(Vec<Arc<Recorded>>, Position)> {
        let run = self.run();
        if after < run.after || after >= run.upto {
            return None;
        }
        let behind = run
            .events
            .partition_point(|own| own.event.position <= after);
        let events = run.events.range(behind..);
        Some((events.map(|own| Arc::clone(&own.event)).collect(), run.upto))
    }

    /// Keeps nothing of it any more.
    pub(crate) fn forget(&self) {
        *self.run() = Run::default();
    }

    fn run(&self) -> MutexGuard<'_, Run> {
        self.run.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    fn push(&mut self, own: Own) {
        let position = own.event.position;
        let erases = matches!(
            &own.event.fact,
            Fact::User(user::Event::MemberErased { .. })
        );
        if erases || position.0 != self.upto.0 + 1 {
            // Another node, or something that isn't kept, came between; or what was kept tells of
            // somebody who is erased.
            *self = Self {
                after: Position(position.0 - 1),
                ..Self::default()
            };
        }
        self.upto = position;
        self.bytes += own.bytes;
        self.events.push_back(own);
        while self.events.len() > MOST || self.bytes > MOST_BYTES {
            let Some(oldest) = self.events.pop_front() else {
                return;
            };
            self.bytes -= oldest.bytes;
            self.after = oldest.event.position;
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::id::CommandId;
    use domain::{Actor, Meta, site};
    use time::OffsetDateTime;
    use uuid::Uuid;

    use super::*;

    fn own(position: i64, bytes: usize) -> Own {
        let event = Recorded {
            position: Position(position),
            stream_type: "site".into(),
            stream_id: Uuid::nil(),
            sequence: position,
            at: OffsetDateTime::UNIX_EPOCH,
            command: CommandId(Uuid::nil()),
            meta: Meta {
                actor: Actor::System,
                correlation: Uuid::nil(),
                causation: None,
                reason: None,
            },
            fact: Fact::Site(site::Event::FreeleechEnded {}),
        };
        Own {
            event: Arc::new(event),
            bytes,
        }
    }

    fn kept(recent: &Recent, after: i64) -> Option<(Vec<i64>, i64)> {
        let (events, upto) = recent.since(Position(after))?;
        Some((events.iter().map(|one| one.position.0).collect(), upto.0))
    }

    #[test]
    fn what_follows_a_position_is_given_whole_or_not_at_all() {
        let recent = Recent::default();
        assert_eq!(kept(&recent, 0), None);
        recent.keep((11..=13).map(|position| own(position, 10)));
        assert_eq!(kept(&recent, 9), None);
        assert_eq!(kept(&recent, 10), Some((vec![11, 12, 13], 13)));
        assert_eq!(kept(&recent, 12), Some((vec![13], 13)));
        assert_eq!(kept(&recent, 13), None);
        // Another node appended 14.
        recent.keep([own(15, 10)]);
        assert_eq!(kept(&recent, 12), None);
        assert_eq!(kept(&recent, 14), Some((vec![15], 15)));
    }

    #[test]
    fn no_more_is_kept_than_so_many_events_and_bytes() {
        let recent = Recent::default();
        recent.keep((1..=300).map(|position| own(position, 10)));
        assert_eq!(kept(&recent, 43), None);
        assert_eq!(kept(&recent, 44).unwrap().0.len(), MOST);
        recent.keep([own(301, MOST_BYTES)]);
        assert_eq!(kept(&recent, 300), Some((vec![301], 301)));
        recent.keep([own(302, MOST_BYTES + 1)]);
        assert_eq!(kept(&recent, 301), None);
        recent.keep([own(303, 1)]);
        assert_eq!(kept(&recent, 302), Some((vec![303], 303)));
    }
}
