//! The log itself as auditors read it: newest first, by stream, at any moment.

use async_trait::async_trait;
use domain::id::MemberId;
use domain::{Actor, Position, Recorded};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Unavailable;
use crate::proof::Verdict;

/// Which events are wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Of this stream type.
    pub stream_type: Option<String>,
    /// Of this stream.
    pub stream: Option<Uuid>,
    /// Of this name.
    pub event: Option<String>,
    /// Caused by this member.
    pub actor: Option<MemberId>,
    /// Before this position.
    pub before: Option<Position>,
    /// After this position.
    pub after: Position,
}

impl Filter {
    /// Tells whether an event that the database found is wanted; its sealed part is open now.
    pub fn wants(&self, event: &Recorded) -> bool {
        self.actor
            .is_none_or(|member| event.meta.actor == Actor::Member(member))
    }
}

/// Events, newest first.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Events {
    /// The events.
    pub events: Vec<Recorded>,
    /// Where to look on for older ones, unless there are none.
    pub older: Option<Position>,
}

/// Who is told how far a proof is.
pub type Seen = Box<dyn FnMut(Position, Position) + Send>;

/// The log as auditors read it; infra implements it.
#[async_trait]
pub trait History: Send + Sync + std::fmt::Debug {
    /// Gives at most `limit` events, newest first.
    ///
    /// Where few events fit a filter that only opening tells, it may give fewer and still say where
    /// to look on.
    async fn events(&self, filter: &Filter, limit: usize) -> Result<Events, Unavailable>;

    /// Gives a stream's events in order.
    async fn stream(&self, stream_type: &str, stream: Uuid) -> Result<Vec<Recorded>, Unavailable>;

    /// Walks through the whole log and tells whether it is what was appended; `seen` is told how far it
    /// is, and how far it must go.
    async fn prove(&self, seen: Seen) -> Result<Verdict, Unavailable>;

    /// Gives the last position that was recorded up to a time.
    async fn position_at(&self, at: OffsetDateTime) -> Result<Position, Unavailable>;
}
