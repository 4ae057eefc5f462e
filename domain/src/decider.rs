//! What every aggregate is: a state that decides and evolves.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;

/// An event's stored identity: its name and the version of its shape.
///
/// The name and version are written beside the payload for ever; a changed shape is a new version,
/// to which [`Event::upcast`] brings the older ones.
pub trait Event:
    Serialize + DeserializeOwned + Clone + PartialEq + std::fmt::Debug + Send + Sync
{
    /// Tells the name under which the event is stored.
    fn name(&self) -> &'static str;

    /// Tells the version of the event's shape.
    fn version(&self) -> i32 {
        1
    }

    /// Brings a stored payload to today's shape; gives nothing for a version that isn't known.
    fn upcast(name: &str, version: i32, payload: Value) -> Option<Value> {
        let _ = name;
        (version == 1).then_some(payload)
    }
}

/// An aggregate as two pure functions over its state; the default value is the stream without events.
pub trait Decider: Default + Serialize + DeserializeOwned + Send + Sync + 'static {
    /// The stream type under which the events are stored; it never changes.
    const STREAM: &'static str;

    /// Whether deciding needs the stream's past; where it doesn't, only its last event is loaded.
    const REMEMBERS: bool = true;

    /// Whether its states are small and asked often enough to be kept in memory between commands.
    const KEPT: bool = false;

    /// The version of the state's own shape, where its streams grow long: its states are written down
    /// then, and one of another version is passed by. It grows whenever the state or `evolve` changes.
    const SHAPE: Option<i32> = None;

    /// What may be asked.
    type Command: Clone + Send;
    /// What may have happened.
    type Event: Event;
    /// Why a command is refused: a closed set, word for word what the person reads.
    type Rejection: std::error::Error + PartialEq + Send + Sync + 'static;

    /// Decides which events the command causes, or why it is refused.
    fn decide(&self, command: Self::Command) -> Result<Vec<Self::Event>, Self::Rejection>;

    /// Folds one event into the state.
    fn evolve(&mut self, event: &Self::Event);
}
