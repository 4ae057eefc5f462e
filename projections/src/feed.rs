//! Where projections read the log from.

use std::sync::Arc;

use async_trait::async_trait;
use domain::{Position, Recorded};

use crate::Unavailable;

/// A stretch of the log.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The events of the wanted stream types, in position order.
    pub events: Vec<Arc<Recorded>>,
    /// Up to where the log was read; nothing at or below can still appear.
    pub upto: Position,
    /// Where the log ended then.
    pub head: Position,
}

/// Why a stretch of the log wasn't read.
#[derive(Debug, thiserror::Error)]
pub enum NotRead {
    /// The log can't be reached; trying again is right.
    #[error(transparent)]
    Away(#[from] Unavailable),
    /// An event can't be opened or isn't known; trying again changes nothing.
    #[error("event {position} can't be read: {reason}")]
    Event {
        /// Where the event stands.
        position: Position,
        /// What is wrong with it.
        reason: String,
    },
}

/// The log in position order; infra implements it.
#[async_trait]
pub trait Feed: Send + Sync + std::fmt::Debug {
    /// Reads at most `limit` positions after one, of these stream types alone.
    async fn read(&self, after: Position, limit: i64, streams: &[&str]) -> Result<Batch, NotRead>;

    /// Gives the last position.
    async fn head(&self) -> Result<Position, Unavailable>;

    /// Gives the chain's hash at a position, hex, if the log is that long.
    async fn chain(&self, at: Position) -> Result<Option<String>, Unavailable>;

    /// Tells how many milliseconds ago the first event after a position was recorded; 0 without one.
    async fn age_ms(&self, after: Position) -> Result<i64, Unavailable>;

    /// Waits until the log has grown past a position, at most a short while; tells whether it has.
    async fn wait(&self, after: Position) -> bool;
}
