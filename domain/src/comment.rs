//! A comment below a torrent.

use serde::{Deserialize, Serialize};

use crate::decider::Decider;
use crate::id::{MemberId, TorrentId};

pub mod wording;

/// What happened to a comment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It was written.
    CommentWritten {
        /// What it is about.
        torrent: TorrentId,
        /// Who wrote it.
        author: MemberId,
        /// The text in markdown, as written.
        text: String,
    },
    /// It says something else.
    CommentEdited {
        /// The text in markdown, as written.
        text: String,
    },
    /// It is shown no more.
    CommentRemoved {
        /// Whether the staff did, and not its author.
        by_staff: bool,
    },
    /// It is shown again.
    CommentRestored {},
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::CommentWritten { .. } => "CommentWritten",
            Self::CommentEdited { .. } => "CommentEdited",
            Self::CommentRemoved { .. } => "CommentRemoved",
            Self::CommentRestored {} => "CommentRestored",
        }
    }
}

/// A comment as it reads now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// What it is about.
    pub torrent: TorrentId,
    /// Who wrote it.
    pub author: MemberId,
    /// The text in markdown, as written.
    pub text: String,
}

/// A comment's situation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum Comment {
    /// Nothing was written under this id.
    #[default]
    Unknown,
    /// Members read it.
    Shown(Said),
    /// It was removed.
    Removed {
        /// What was written.
        #[serde(flatten)]
        said: Said,
        /// Whether the staff did, and not its author.
        by_staff: bool,
    },
}

/// What may be asked of a comment's stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// Write it.
    Write(Said),
    /// Let it say something else.
    Edit {
        /// The text in markdown.
        text: String,
    },
    /// Show it no more.
    Remove {
        /// Whether the staff asks, and not its author.
        by_staff: bool,
    },
    /// Show it again.
    Restore {
        /// Whether the staff asks, and not its author.
        by_staff: bool,
    },
}

/// Why a comment's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The stream has a comment already.
    #[error("this comment was written already")]
    AlreadyWritten,
    /// The stream has no comment.
    #[error("there is no such comment")]
    Unknown,
    /// It has no text, or too much.
    #[error("a comment has 1 to 5,000 characters")]
    Length,
    /// It was removed.
    #[error("this comment was removed")]
    Removed,
    /// It is shown.
    #[error("this comment isn't removed")]
    NotRemoved,
    /// Its author wants back what the staff removed.
    #[error("the staff removed this comment, so only the staff restores it")]
    RemovedByStaff,
}

/// The most characters of a comment.
pub const LONGEST: usize = 5_000;

impl Decider for Comment {
    const STREAM: &'static str = "comment";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match (self, command) {
            (Self::Unknown, Command::Write(said)) => Ok(vec![Event::CommentWritten {
                torrent: said.torrent,
                author: said.author,
                text: fitting(said.text)?,
            }]),
            (
                Self::Unknown,
                Command::Edit { .. } | Command::Remove { .. } | Command::Restore { .. },
            ) => Err(Rejection::Unknown),
            (Self::Shown(_) | Self::Removed { .. }, Command::Write(_)) => {
                Err(Rejection::AlreadyWritten)
            }
            (Self::Shown(said), Command::Edit { text }) => {
                let text = fitting(text)?;
                let edited = (text != said.text).then_some(Event::CommentEdited { text });
                Ok(edited.into_iter().collect())
            }
            (Self::Shown(_), Command::Remove { by_staff }) => {
                Ok(vec![Event::CommentRemoved { by_staff }])
            }
            (Self::Shown(_), Command::Restore { .. }) => Err(Rejection::NotRemoved),
            (Self::Removed { .. }, Command::Edit { .. } | Command::Remove { .. }) => {
                Err(Rejection::Removed)
            }
            (Self::Removed { by_staff: true, .. }, Command::Restore { by_staff: false }) => {
                Err(Rejection::RemovedByStaff)
            }
            (Self::Removed { .. }, Command::Restore { .. }) => Ok(vec![Event::CommentRestored {}]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::CommentWritten {
                torrent,
                author,
                text,
            } => {
                *self = Self::Shown(Said {
                    torrent: *torrent,
                    author: *author,
                    text: text.clone(),
                });
            }
            Event::CommentEdited { text } => {
                if let Self::Shown(said) | Self::Removed { said, .. } = self {
                    said.text.clone_from(text);
                }
            }
            Event::CommentRemoved { by_staff } => {
                if let Self::Shown(said) = std::mem::take(self) {
                    let by_staff = *by_staff;
                    *self = Self::Removed { said, by_staff };
                }
            }
            Event::CommentRestored {} => {
                if let Self::Removed { said, .. } = std::mem::take(self) {
                    *self = Self::Shown(said);
                }
            }
        }
    }
}

impl Comment {
    /// Gives what was written.
    pub fn said(&self) -> Option<&Said> {
        match self {
            Self::Unknown => None,
            Self::Shown(said) | Self::Removed { said, .. } => Some(said),
        }
    }
}

fn fitting(text: String) -> Result<String, Rejection> {
    let fits = !text.trim().is_empty() && text.chars().count() <= LONGEST;
    fits.then_some(text).ok_or(Rejection::Length)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;
    use uuid::Uuid;

    fn said(text: &str) -> Said {
        Said {
            torrent: TorrentId(Uuid::from_u128(1)),
            author: MemberId(Uuid::from_u128(2)),
            text: text.into(),
        }
    }

    fn written(text: &str) -> Event {
        let Said {
            torrent,
            author,
            text,
        } = said(text);
        Event::CommentWritten {
            torrent,
            author,
            text,
        }
    }

    #[test]
    fn a_comment_is_written_once_and_has_a_text() {
        let longest = "é".repeat(LONGEST);
        given::<Comment>(&[])
            .when(Command::Write(said(&longest)))
            .then(&[written(&longest)]);
        for wrong in ["", " \n ", &"é".repeat(LONGEST + 1)] {
            given::<Comment>(&[])
                .when(Command::Write(said(wrong)))
                .rejected(&Rejection::Length);
            given::<Comment>(&[written("x")])
                .when(Command::Edit { text: wrong.into() })
                .rejected(&Rejection::Length);
        }
        given::<Comment>(&[written("x")])
            .when(Command::Write(said("x")))
            .rejected(&Rejection::AlreadyWritten);
    }

    #[test]
    fn an_edit_that_changes_nothing_is_no_event() {
        let edit = |text: &str| Command::Edit { text: text.into() };
        given::<Comment>(&[written("x")])
            .when(edit("y"))
            .then(&[Event::CommentEdited { text: "y".into() }]);
        given::<Comment>(&[written("x")]).when(edit("x")).then(&[]);
        given::<Comment>(&[])
            .when(edit("x"))
            .rejected(&Rejection::Unknown);
    }

    #[test]
    fn a_removed_comment_is_restored_by_who_removed_it_or_the_staff() {
        let removed = |by_staff| [written("x"), Event::CommentRemoved { by_staff }];
        let restore = |by_staff| Command::Restore { by_staff };
        for (by, asked) in [(false, false), (false, true), (true, true)] {
            given::<Comment>(&removed(by))
                .when(restore(asked))
                .then(&[Event::CommentRestored {}]);
        }
        given::<Comment>(&removed(true))
            .when(restore(false))
            .rejected(&Rejection::RemovedByStaff);
        given::<Comment>(&[written("x")])
            .when(restore(true))
            .rejected(&Rejection::NotRemoved);
        for command in [
            Command::Edit { text: "y".into() },
            Command::Remove { by_staff: true },
        ] {
            given::<Comment>(&removed(false))
                .when(command)
                .rejected(&Rejection::Removed);
        }
    }
}
