//! What commands need from outside, as narrow traits that infra implements.

use std::time::Duration;

use async_trait::async_trait;
use domain::audit::Digest;
use domain::{Meta, Position, Recorded, id::CommandId};
use serde_json::Value;
use uuid::Uuid;

/// Something outside can't be reached now; trying again later is right.
#[derive(Debug, thiserror::Error)]
#[error("{what} can't be reached")]
pub struct Unavailable {
    /// What can't be reached, such as `the event store`.
    pub what: &'static str,
    /// Why.
    pub source: Box<dyn std::error::Error + Send + Sync>,
}

impl Unavailable {
    /// Says that something can't be reached, and why.
    pub fn new(
        what: &'static str,
        source: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Self {
        Self {
            what,
            source: source.into(),
        }
    }
}

/// The event log, sealed, gapless and in order.
#[async_trait]
pub trait EventLog: Send + Sync + std::fmt::Debug {
    /// Gives a stream's events in order.
    async fn load(
        &self,
        stream_type: &'static str,
        stream: Uuid,
        reach: Reach,
    ) -> Result<Vec<Recorded>, Unavailable>;

    /// Appends a command's events, claims and releases in one transaction, or nothing.
    async fn append(&self, append: Append) -> Result<Appended, AppendError>;

    /// Gives a stream's snapshot, if there is one of this shape that opens.
    async fn snapshot(
        &self,
        stream_type: &'static str,
        stream: Uuid,
        shape: i32,
    ) -> Result<Option<Snapshot>, Unavailable>;

    /// Keeps a snapshot in place of an earlier one; where that fails, there is none.
    async fn keep(&self, stream_type: &'static str, stream: Uuid, snapshot: Snapshot);

    /// Tells the last position of a command that was carried out before.
    async fn answered(&self, command: CommandId) -> Result<Option<Position>, Unavailable>;

    /// Tells the stream that holds a claim.
    async fn holder(&self, claim: &Claim) -> Result<Option<Uuid>, Unavailable>;
}

/// How much of a stream is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Every event.
    All,
    /// The last event alone, for its sequence.
    Last,
    /// The events from a sequence on.
    From(i64),
}

/// A stream's state as it was after one of its events.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The sequence of that event.
    pub sequence: i64,
    /// The version of the state's shape.
    pub shape: i32,
    /// The state.
    pub state: Value,
}

/// What a command wants to append.
#[derive(Debug, Clone)]
pub struct Append {
    /// The stream's type.
    pub stream_type: &'static str,
    /// The stream's id.
    pub stream: Uuid,
    /// The sequence of the last event that the decision knew; 0 for none.
    pub expected: i64,
    /// The events, in order, at least one.
    pub events: Vec<NewEvent>,
    /// The command's id; a second append under it answers with the first one's positions.
    pub command: CommandId,
    /// Who and why.
    pub meta: Meta,
    /// Values that must be unique.
    pub claims: Vec<Claim>,
    /// Values that are free again.
    pub releases: Vec<Claim>,
    /// The traffic batch that this append is.
    pub flush: Option<Flush>,
    /// What changes in the vault with this append.
    pub vault: Option<VaultChange>,
}

/// What changes in the vault, in the transaction of the event that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum VaultChange {
    /// Another panic slot stands beside the log.
    Slot(PanicSlot),
    /// Nothing is appended any more, and no key stands beside the log.
    Seal,
    /// The keys of the member whose stream it is are destroyed; the event that says so isn't sealed
    /// under them.
    Erase,
    /// Other keys stand beside the log, as the vault made them, in JSON.
    Rekey(String),
    /// Other keys stand beside the log, and the vault is open again.
    Reopen(String),
}

/// The way back to the master key, as the vault made it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PanicSlot {
    /// Its fingerprint.
    pub key: Digest,
    /// The slot itself, in JSON; it holds nothing that anybody may not see.
    pub row: String,
}

/// An event to be appended.
#[derive(Debug, Clone)]
pub struct NewEvent {
    /// The stored name.
    pub name: String,
    /// The version of its shape.
    pub version: i32,
    /// The payload as the aggregate serialised it.
    pub payload: Value,
}

/// A value that only one stream may hold, known by its keyed hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// What kind of value it is, such as `username`.
    pub scope: &'static str,
    /// The keyed hash of the normalised value.
    pub key: [u8; 32],
}

/// The identity of a traffic batch, unique for ever.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flush {
    /// The tracker node.
    pub node: String,
    /// When the node started, in milliseconds since 1970.
    pub epoch: i64,
    /// The batch's number within the epoch.
    pub number: i64,
}

/// Where a command's events stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    /// The first event's position.
    pub first: Position,
    /// The last event's position.
    pub last: Position,
}

/// Why nothing was appended.
#[derive(Debug, thiserror::Error)]
pub enum AppendError {
    /// Somebody else appended to the stream meanwhile.
    #[error("the stream has moved on")]
    Conflict,
    /// A claimed value belongs to another stream.
    #[error("the {scope} is taken")]
    Claimed {
        /// What kind of value it is.
        scope: &'static str,
        /// The stream that holds it, when it still does.
        holder: Option<Uuid>,
    },
    /// The member whose stream it is was erased.
    #[error("the member was erased")]
    Erased,
    /// The traffic batch was recorded before.
    #[error("the traffic batch was recorded before")]
    Flushed,
    /// The log can't be reached, or is overloaded.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// A source of randomness.
pub trait Random: Send + Sync + std::fmt::Debug {
    /// Fills the bytes.
    fn fill(&self, bytes: &mut [u8]);

    /// Makes a random id.
    fn id(&self) -> Uuid {
        let mut bytes = [0; 16];
        self.fill(&mut bytes);
        uuid::Builder::from_random_bytes(bytes).into_uuid()
    }

    /// Makes an id that is greater than those made before, for an index that grows at its end.
    fn id_in_time(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Small values that expire: sessions, challenges, what was spent. Never events.
///
/// Keys are built of a scope and a hash, never of a secret or an address.
#[async_trait]
pub trait Ephemera: Send + Sync + std::fmt::Debug {
    /// Keeps a value for a while, in place of an older one.
    async fn put(&self, key: &str, value: &[u8], keep: Duration) -> Result<(), Unavailable>;

    /// Keeps a value unless there is one; tells whether it did.
    async fn put_new(&self, key: &str, value: &[u8], keep: Duration) -> Result<bool, Unavailable>;

    /// Gives a value that hasn't expired.
    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable>;

    /// Gives a value and forgets it; of many at once, one gets it.
    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable>;

    /// Gives all keys and values whose key begins so.
    async fn list(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, Unavailable>;
}

/// What the nodes of a site tell each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Channel {
    /// How clients stand in the swarms.
    Swarms,
    /// What peers in browsers say to each other.
    Talk,
}

/// Messages between the nodes of a site: kept for a while, in an order that all see, unreadable to
/// whoever keeps them.
#[async_trait]
pub trait Relay: Send + Sync + std::fmt::Debug {
    /// Tells messages; those that are older than `keep` may be dropped.
    async fn tell(
        &self,
        channel: Channel,
        messages: &[Vec<u8>],
        keep: Duration,
    ) -> Result<(), Unavailable>;

    /// Gives what was told after a mark, each with its own mark, in order and not all at once; waits
    /// where there is nothing. The mark `0` lies before everything.
    async fn hear(
        &self,
        channel: Channel,
        after: &str,
        wait: Duration,
    ) -> Result<Vec<(String, Vec<u8>)>, Unavailable>;

    /// Gives the mark of the last message.
    async fn last(&self, channel: Channel) -> Result<String, Unavailable>;

    /// Tells whether the message of a mark is still kept: where it isn't, those after it may have gone
    /// with it.
    async fn holds(&self, channel: Channel, mark: &str) -> Result<bool, Unavailable>;

    /// Forgets every message.
    async fn forget(&self) -> Result<(), Unavailable>;
}
