//! A comment below a torrent.

use serde::{Deserialize, Serialize};
use serde_json::Value;

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
        /// The members that it names.
        mentioned: Vec<MemberId>,
    },
    /// It says something else.
    CommentEdited {
        /// The text in markdown, as written.
        text: String,
        /// The members that it names.
        mentioned: Vec<MemberId>,
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

    fn version(&self) -> i32 {
        match self {
            Self::CommentWritten { .. } | Self::CommentEdited { .. } => 2,
            Self::CommentRemoved { .. } | Self::CommentRestored {} => 1,
        }
    }

    fn upcast(name: &str, version: i32, mut payload: Value) -> Option<Value> {
        match (name, version) {
            // Version 1 told nobody that they were named.
            ("CommentWritten" | "CommentEdited", 1) => {
                let said = payload.get_mut(name)?.as_object_mut()?;
                said.insert("mentioned".to_owned(), Value::Array(vec![]));
                Some(payload)
            }
            ("CommentWritten" | "CommentEdited", 2) | (_, 1) => Some(payload),
            _ => None,
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
    Write {
        /// What is said, and by whom.
        said: Said,
        /// The members that it names.
        mentioned: Vec<MemberId>,
    },
    /// Let it say something else.
    Edit {
        /// The text in markdown.
        text: String,
        /// The members that it names.
        mentioned: Vec<MemberId>,
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
            (Self::Unknown, Command::Write { said, mentioned }) => {
                Ok(vec![Event::CommentWritten {
                    torrent: said.torrent,
                    author: said.author,
                    text: fitting(said.text)?,
                    mentioned,
                }])
            }
            (
                Self::Unknown,
                Command::Edit { .. } | Command::Remove { .. } | Command::Restore { .. },
            ) => Err(Rejection::Unknown),
            (Self::Shown(_) | Self::Removed { .. }, Command::Write { .. }) => {
                Err(Rejection::AlreadyWritten)
            }
            (Self::Shown(said), Command::Edit { text, mentioned }) => {
                let text = fitting(text)?;
                let is_new = text != said.text;
                let edited = is_new.then_some(Event::CommentEdited { text, mentioned });
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
                ..
            } => {
                *self = Self::Shown(Said {
                    torrent: *torrent,
                    author: *author,
                    text: text.clone(),
                });
            }
            Event::CommentEdited { text, .. } => {
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

    const BOB: MemberId = MemberId(Uuid::from_u128(3));

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
            mentioned: vec![BOB],
        }
    }

    fn write(text: &str) -> Command {
        Command::Write {
            said: said(text),
            mentioned: vec![BOB],
        }
    }

    fn edit(text: &str) -> Command {
        let (text, mentioned) = (text.into(), vec![]);
        Command::Edit { text, mentioned }
    }

    #[test]
    fn a_comment_is_written_once_and_has_a_text() {
        let longest = "é".repeat(LONGEST);
        given::<Comment>(&[])
            .when(write(&longest))
            .then(&[written(&longest)]);
        for wrong in ["", " \n ", &"é".repeat(LONGEST + 1)] {
            given::<Comment>(&[])
                .when(write(wrong))
                .rejected(&Rejection::Length);
            given::<Comment>(&[written("x")])
                .when(edit(wrong))
                .rejected(&Rejection::Length);
        }
        given::<Comment>(&[written("x")])
            .when(write("x"))
            .rejected(&Rejection::AlreadyWritten);
    }

    #[test]
    fn an_edit_that_changes_nothing_is_no_event() {
        given::<Comment>(&[written("x")])
            .when(edit("y"))
            .then(&[Event::CommentEdited {
                text: "y".into(),
                mentioned: vec![],
            }]);
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
        for command in [edit("y"), Command::Remove { by_staff: true }] {
            given::<Comment>(&removed(false))
                .when(command)
                .rejected(&Rejection::Removed);
        }
    }
}
