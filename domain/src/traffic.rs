//! The traffic that one tracker node saw on one day, as numbered batches of cumulative totals.
//!
//! A client reports what it has moved since it started. An [`Entry`] repeats those totals, so that a
//! batch that comes twice, late or out of order adds nothing: what is credited for a run is the
//! greatest total that was ever recorded for it, and [`projections::traffic`] derives it.
//!
//! [`projections::traffic`]: ../../projections/traffic/index.html

use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::amount::{Bytes, Seconds};
use crate::decider::Decider;
use crate::id::{MemberId, SPACE, TorrentId};

/// What happened at a tracker node.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Clients reported traffic.
    TrafficRecorded(Batch),
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::TrafficRecorded(_) => "TrafficRecorded",
        }
    }

    fn version(&self) -> i32 {
        2
    }

    fn upcast(name: &str, version: i32, mut payload: Value) -> Option<Value> {
        match version {
            // Version 1 knew no freeleech: everything was charged.
            1 => {
                let entries = payload.get_mut(name)?.get_mut("entries")?.as_array_mut()?;
                for entry in entries {
                    let entry = entry.as_object_mut()?;
                    let downloaded = entry.get("downloaded")?.clone();
                    entry.insert("charged".to_owned(), downloaded);
                }
                Some(payload)
            }
            2 => Some(payload),
            _ => None,
        }
    }
}

/// The most entries of a batch.
pub const LARGEST_BATCH: usize = 256;

/// One numbered batch; node, epoch and number together are unique for ever.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// The tracker node's name.
    pub node: String,
    /// When the node started, in milliseconds since 1970.
    pub epoch: i64,
    /// The batch's number within the epoch, starting at 1.
    pub number: i64,
    /// What the clients reported.
    pub entries: Vec<Entry>,
}

/// What one client reported in one run: totals since the run began.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Whose passkey it was.
    pub member: MemberId,
    /// What was moved.
    pub torrent: TorrentId,
    /// Which client: a keyed hash of its peer id and key, 16 hex digits.
    pub client: String,
    /// Which run of the client: it counts from 0 and grows whenever a client starts again from nothing.
    pub run: i32,
    /// Bytes sent to peers.
    pub uploaded: Bytes,
    /// Bytes received from peers.
    pub downloaded: Bytes,
    /// What of them counts against the member's ratio: all but what came while it was freeleech.
    pub charged: Bytes,
    /// Bytes that the client still wants.
    pub left: Bytes,
    /// Time as a seeder.
    pub seeded: Seconds,
    /// Time as a leecher.
    pub leeched: Seconds,
    /// Whether the client said that it completed the download in this run.
    pub completed: bool,
}

/// A node's stream of a day; deciding needs nothing of its past.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Traffic;

/// What may be asked of a node's stream of a day.
#[derive(Debug, Clone)]
pub enum Command {
    /// Record a batch.
    Record(Batch),
}

/// Why a batch is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The batch has no entry, or too many.
    #[error("a batch has 1 to 256 entries")]
    Size,
}

impl Decider for Traffic {
    const STREAM: &'static str = "traffic";
    const REMEMBERS: bool = false;
    const KEPT: bool = true;
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command::Record(batch) = command;
        if (1..=LARGEST_BATCH).contains(&batch.entries.len()) {
            Ok(vec![Event::TrafficRecorded(batch)])
        } else {
            Err(Rejection::Size)
        }
    }

    fn evolve(&mut self, event: &Event) {
        let Event::TrafficRecorded(_) = event;
    }
}

/// Names the stream of a node on a day; `day` counts from 1970-01-01.
pub fn stream(node: &str, day: i64) -> Uuid {
    Uuid::new_v5(&SPACE, format!("traffic/{node}/{day}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    fn batch(entries: usize) -> Batch {
        let entry = Entry {
            member: MemberId(Uuid::from_u128(1)),
            torrent: TorrentId(Uuid::from_u128(2)),
            client: "00".repeat(8),
            run: 0,
            uploaded: Bytes(1),
            downloaded: Bytes(2),
            charged: Bytes(2),
            left: Bytes(0),
            seeded: Seconds(3),
            leeched: Seconds(4),
            completed: true,
        };
        Batch {
            node: "n".into(),
            epoch: 1,
            number: 1,
            entries: vec![entry; entries],
        }
    }

    #[test]
    fn a_batch_has_1_to_256_entries() {
        given::<Traffic>(&[])
            .when(Command::Record(batch(0)))
            .rejected(&Rejection::Size);
        given::<Traffic>(&[])
            .when(Command::Record(batch(257)))
            .rejected(&Rejection::Size);
        given::<Traffic>(&[])
            .when(Command::Record(batch(256)))
            .then(&[Event::TrafficRecorded(batch(256))]);
    }

    #[test]
    fn each_node_has_its_stream_a_day() {
        assert_eq!(stream("a", 1), stream("a", 1));
        assert_ne!(stream("a", 1), stream("a", 2));
        assert_ne!(stream("a", 1), stream("b", 1));
    }
}
