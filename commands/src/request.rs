//! What goes with everything that one request asks for: its key, and how far the log grew by it.
//!
//! A change that is asked for under a key happens once, however often it is asked for. The key makes
//! the command's id, under which the log remembers the first answer for ever, and the id of whatever
//! the command makes. So a repeated request finds both again, also after a restart and on another
//! node.

use std::cell::Cell;

use domain::Position;
use domain::id::{CommandId, MemberId, SPACE};
use uuid::Uuid;

tokio::task_local! {
    static REQUEST: Request;
}

#[derive(Default)]
struct Request {
    key: Option<Key>,
    reached: Cell<Position>,
}

/// The key of a request, of the member who made it up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Key(Uuid);

impl Key {
    /// Makes the key; `what` tells apart requests for different things under the same words.
    pub fn new(by: MemberId, what: &str, words: &str) -> Self {
        let name = format!("once/{by}/{what}/{words}");
        Self(Uuid::new_v5(&SPACE, name.as_bytes()))
    }

    /// Gives the id of what a request under the key makes.
    pub fn made(self) -> Uuid {
        Uuid::new_v5(&self.0, b"made")
    }
}

/// Does a request's work; gives what came of it and the position of the last event that it appended
/// or, where it was asked before, had appended; 0 for none.
pub async fn request<T>(key: Option<Key>, work: impl Future<Output = T>) -> (T, Position) {
    let request = Request {
        key,
        reached: Cell::default(),
    };
    let work = async {
        let done = work.await;
        (done, REQUEST.with(|request| request.reached.get()))
    };
    let (done, position) = REQUEST.scope(request, work).await;
    // A part of a request may have a key of its own.
    reached(position);
    (done, position)
}

/// Gives the command's id, if the request has a key.
pub(crate) fn command() -> Option<CommandId> {
    key().map(|key| CommandId(key.0))
}

/// Gives the id of what the command makes, if the request has a key.
pub(crate) fn made() -> Option<Uuid> {
    key().map(Key::made)
}

fn key() -> Option<Key> {
    REQUEST.try_with(|request| request.key).ok().flatten()
}

/// Notes how far the log has grown by the request.
pub(crate) fn reached(position: Position) {
    // Work that isn't a request's has nobody to tell.
    let _noted =
        REQUEST.try_with(|request| request.reached.set(position.max(request.reached.get())));
}
