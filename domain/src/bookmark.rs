//! What a member marked to find again.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::id::TorrentId;

/// What happened to a member's bookmarks.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// A torrent is among them.
    BookmarkSet {
        /// Which one.
        torrent: TorrentId,
    },
    /// A torrent is no longer among them.
    BookmarkCleared {
        /// Which one.
        torrent: TorrentId,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::BookmarkSet { .. } => "BookmarkSet",
            Self::BookmarkCleared { .. } => "BookmarkCleared",
        }
    }
}

/// A member's bookmarks; the stream's id is the member's.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Bookmarks(BTreeSet<TorrentId>);

/// What may be asked of a member's bookmarks.
#[derive(Debug, Clone, Copy)]
pub enum Command {
    /// Put a torrent among them.
    Set(TorrentId),
    /// Take a torrent out.
    Clear(TorrentId),
}

/// Why it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There are too many.
    #[error("you have 5,000 bookmarks, which is the most")]
    TooMany,
}

/// The most bookmarks of a member.
const MOST: usize = 5_000;

impl Decider for Bookmarks {
    const STREAM: &'static str = "bookmarks";
    const SHAPE: Option<i32> = Some(1);
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        let is_new = |torrent| !self.0.contains(torrent);
        match command {
            Command::Set(torrent) if is_new(&torrent) && self.0.len() >= MOST => {
                Err(Rejection::TooMany)
            }
            Command::Set(torrent) => Ok(is_new(&torrent)
                .then_some(Event::BookmarkSet { torrent })
                .into_iter()
                .collect()),
            Command::Clear(torrent) if is_new(&torrent) => Ok(vec![]),
            Command::Clear(torrent) => Ok(vec![Event::BookmarkCleared { torrent }]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::BookmarkSet { torrent } => self.0.insert(*torrent),
            Event::BookmarkCleared { torrent } => self.0.remove(torrent),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;
    use uuid::Uuid;

    #[test]
    fn a_torrent_is_bookmarked_once_and_cleared_once() {
        let torrent = TorrentId(Uuid::from_u128(1));
        let set = Event::BookmarkSet { torrent };
        let cleared = Event::BookmarkCleared { torrent };
        given::<Bookmarks>(&[])
            .when(Command::Set(torrent))
            .then(std::slice::from_ref(&set));
        given::<Bookmarks>(std::slice::from_ref(&set))
            .when(Command::Set(torrent))
            .then(&[]);
        given::<Bookmarks>(std::slice::from_ref(&set))
            .when(Command::Clear(torrent))
            .then(std::slice::from_ref(&cleared));
        given::<Bookmarks>(&[set, cleared])
            .when(Command::Clear(torrent))
            .then(&[]);
    }

    #[test]
    fn a_member_has_five_thousand_at_most() {
        let torrent = |number: usize| TorrentId(Uuid::from_u128(u128::try_from(number).unwrap()));
        let full: Vec<Event> = (0..MOST)
            .map(|number| Event::BookmarkSet {
                torrent: torrent(number),
            })
            .collect();
        given::<Bookmarks>(&full)
            .when(Command::Set(torrent(MOST)))
            .rejected(&Rejection::TooMany);
        given::<Bookmarks>(&full)
            .when(Command::Set(torrent(0)))
            .then(&[]);
    }
}
