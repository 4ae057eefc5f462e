//! Stretches of the log that were read and opened lately, for projections that catch up side by side.
//!
//! Several fold the same streams. Each stretch is read once for all of them, one type of stream at a
//! time, so that nobody opens what nobody asked for. A reader that falls far behind reads for itself.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use domain::{Position, Recorded};

/// Sealed bytes of what is kept; opened they are a few times as many.
const MOST_BYTES: usize = 12 << 20;
/// Stretches that are kept, most of them of a few events.
const MOST: usize = 128;
/// How long they are kept when nobody asks.
const KEPT: Duration = Duration::from_secs(3);

/// The events of one type of stream behind one position and up to another.
struct Stretch {
    stream_type: String,
    after: Position,
    upto: Position,
    bytes: usize,
    events: Vec<Arc<Recorded>>,
}

/// What was read lately.
#[derive(Default)]
pub(super) struct Stretches {
    held: VecDeque<Stretch>,
    bytes: usize,
    asked: Option<Instant>,
}

impl Stretches {
    /// Gives those of some stream types of which a stretch isn't held whole.
    pub(super) fn missing<'a>(
        &mut self,
        streams: &[&'a str],
        after: Position,
        upto: Position,
    ) -> Vec<&'a str> {
        self.asked = Some(Instant::now());
        let missing = |one: &&str| self.whole(one, after, upto).is_none();
        streams.iter().copied().filter(missing).collect()
    }

    fn whole(&self, stream_type: &str, after: Position, upto: Position) -> Option<&Stretch> {
        self.held
            .iter()
            .find(|one| one.stream_type == stream_type && one.after <= after && one.upto >= upto)
    }

    /// Keeps what was read of some types of streams, with each event's sealed bytes.
    pub(super) fn keep(
        &mut self,
        streams: &[&str],
        after: Position,
        upto: Position,
        events: &[(Arc<Recorded>, usize)],
    ) {
        for stream_type in streams {
            let theirs = || {
                events
                    .iter()
                    .filter(|(event, _)| event.stream_type == *stream_type)
            };
            let bytes = theirs().map(|(_, bytes)| bytes).sum();
            self.bytes += bytes;
            self.held.push_back(Stretch {
                stream_type: (*stream_type).to_owned(),
                after,
                upto,
                bytes,
                events: theirs().map(|(event, _)| Arc::clone(event)).collect(),
            });
        }
    }

    /// Lets the oldest go where there is too much.
    pub(super) fn trim(&mut self) {
        while (self.bytes > MOST_BYTES || self.held.len() > MOST)
            && let Some(oldest) = self.held.pop_front()
        {
            self.bytes -= oldest.bytes;
        }
    }

    /// Gives the events of some stream types in position order, of a stretch that is held whole.
    pub(super) fn events(
        &self,
        streams: &[&str],
        after: Position,
        upto: Position,
    ) -> Vec<Arc<Recorded>> {
        let whole = streams
            .iter()
            .filter_map(|one| self.whole(one, after, upto));
        let within = |event: &&Arc<Recorded>| event.position > after && event.position <= upto;
        let mut events: Vec<_> = whole
            .flat_map(|one| one.events.iter().filter(within).cloned())
            .collect();
        events.sort_unstable_by_key(|event| event.position);
        events
    }

    /// Forgets everything, unless somebody asked lately.
    pub(super) fn forget(&mut self) {
        if self.asked.is_none_or(|asked| asked.elapsed() >= KEPT) {
            *self = Self::default();
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::id::CommandId;
    use domain::{Actor, Fact, Meta, reading};
    use uuid::Uuid;

    use super::*;

    fn event(stream_type: &str, position: i64) -> (Arc<Recorded>, usize) {
        let happened = reading::Event::ForumRead { upto: Position(1) };
        let event = Recorded {
            position: Position(position),
            stream_type: stream_type.to_owned(),
            stream_id: Uuid::nil(),
            sequence: 1,
            at: time::OffsetDateTime::UNIX_EPOCH,
            command: CommandId(Uuid::nil()),
            meta: Meta {
                actor: Actor::System,
                correlation: Uuid::nil(),
                causation: None,
                reason: None,
            },
            fact: Fact::Reading(happened),
        };
        (Arc::new(event), MOST_BYTES / 4)
    }

    #[test]
    fn what_was_read_is_given_in_order_and_what_is_missing_is_named() {
        let (zero, ten) = (Position(0), Position(10));
        let mut stretches = Stretches::default();
        assert_eq!(stretches.missing(&["a", "b"], zero, ten), ["a", "b"]);
        stretches.keep(&["b"], zero, ten, &[event("b", 2), event("b", 7)]);
        assert_eq!(stretches.missing(&["a", "b"], zero, ten), ["a"]);
        // Somebody who reads further finds nothing half.
        assert_eq!(stretches.missing(&["b"], zero, Position(11)), ["b"]);
        stretches.keep(&["a"], zero, ten, &[event("a", 5)]);
        let given = |stretches: &Stretches, after, upto| -> Vec<i64> {
            let events = stretches.events(&["a", "b"], Position(after), Position(upto));
            events.iter().map(|event| event.position.0).collect()
        };
        assert_eq!(given(&stretches, 0, 10), [2, 5, 7]);
        assert_eq!(given(&stretches, 2, 6), [5]);
    }

    #[test]
    fn the_oldest_makes_room_and_all_goes_when_nobody_asks() {
        let (zero, ten) = (Position(0), Position(10));
        let mut stretches = Stretches::default();
        let two = |stream_type| [event(stream_type, 1), event(stream_type, 2)];
        for stream_type in ["a", "b", "c"] {
            stretches.keep(&[stream_type], zero, ten, &two(stream_type));
        }
        stretches.trim();
        assert_eq!(stretches.missing(&["a", "b", "c"], zero, ten), ["a"]);
        stretches.forget();
        assert_eq!(stretches.missing(&["c"], zero, ten), [""; 0]);
        stretches.asked = None;
        stretches.forget();
        assert_eq!(stretches.missing(&["c"], zero, ten), ["c"]);
        assert_eq!(stretches.bytes, 0);
    }
}
