//! A topic of the forum with its posts: opened, replied, edited, pinned, locked, moved, removed.
//!
//! The story begins in `api::web::forum`, goes through `commands::topic`, and goes on in
//! `projections::topic`. A topic is one stream; its first post has its own id, and is removed with it.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::decider::Decider;
use crate::id::{MemberId, PostId, SPACE, SectionId};

mod event;
#[cfg(test)]
mod tests;

pub use event::{Event, Opening, Reply};

/// A topic's situation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum Topic {
    /// Nothing was opened under this id.
    #[default]
    Unknown,
    /// It is there, to be seen by everybody or not.
    Opened(Thread),
}

/// What is known of a topic.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Thread {
    /// The section in which it stands.
    pub section: SectionId,
    /// Its first post.
    pub first: PostId,
    /// Every post.
    pub posts: BTreeMap<PostId, Post>,
    /// Whether it stands before the others.
    pub pinned: bool,
    /// Whether the staff alone writes in it.
    pub locked: bool,
    /// Who removed it.
    pub removed: Option<Remover>,
}

/// What is known of a post.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Post {
    /// Who wrote it.
    pub author: MemberId,
    /// How often it was worded: 1 at first.
    pub version: u32,
    /// What its text hashes to; the text itself is in the log.
    pub said: Uuid,
    /// Who removed it.
    pub removed: Option<Remover>,
}

/// Who removed something, and so who restores it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Remover {
    /// Who wrote it.
    Author,
    /// The staff.
    Staff,
}

/// Who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Writer {
    /// The member.
    pub member: MemberId,
    /// Whether they are of the forum's staff.
    pub is_staff: bool,
}

/// What may be asked of a topic's stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// Open it.
    Open(Opening),
    /// Answer in it.
    Reply {
        /// Who answers.
        by: Writer,
        /// The new post.
        post: PostId,
        /// What it says, in markdown.
        text: String,
        /// The posts that it quotes.
        quotes: BTreeSet<PostId>,
        /// The members that it names.
        mentioned: Vec<MemberId>,
    },
    /// Let a post say something else.
    Edit {
        /// Who asks.
        by: Writer,
        /// The post.
        post: PostId,
        /// What it says, in markdown.
        text: String,
        /// The members that it names.
        mentioned: Vec<MemberId>,
    },
    /// Show a post no longer, or with the first one the topic.
    Remove {
        /// Who asks.
        by: Writer,
        /// The post.
        post: PostId,
        /// Why, in their words.
        reason: Option<String>,
    },
    /// Show a post again, or with the first one the topic.
    Restore {
        /// Who asks.
        by: Writer,
        /// The post.
        post: PostId,
    },
    /// Let it stand before the others, or among them.
    Pin(bool),
    /// Let the staff alone write in it, or everybody.
    Lock(bool),
    /// Let it stand in another section.
    Move(SectionId),
}

/// Why a topic's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The stream has a topic already.
    #[error("this topic was opened already")]
    AlreadyOpened,
    /// The stream has no topic.
    #[error("there is no such topic")]
    Unknown,
    /// The topic has no such post.
    #[error("there is no such post in this topic")]
    NoSuchPost,
    /// The title has the wrong length.
    #[error("a title has 1 to 200 characters")]
    Title,
    /// The text is empty.
    #[error("a post needs words, and this one has none")]
    Empty,
    /// The text is too long.
    #[error("a post has at most 50,000 characters")]
    TooLong,
    /// The section takes no new topics.
    #[error("this section is retired: it takes no new topics")]
    SectionRetired,
    /// The topic is removed.
    #[error("this topic was removed, so nothing is written in it until it is restored")]
    TopicRemoved,
    /// The post is removed.
    #[error("this post was removed; it can be edited once it is restored")]
    PostRemoved,
    /// It is removed already.
    #[error("this was removed already")]
    AlreadyRemoved,
    /// It isn't removed.
    #[error("this isn't removed")]
    NotRemoved,
    /// The staff alone writes in it.
    #[error("this topic is locked: only the staff writes in it")]
    Locked,
    /// Somebody else wrote it.
    #[error("only its author and the staff may change a post")]
    NotYours,
    /// The author wants to take everybody's answers away.
    #[error("others have answered in this topic, so only the staff may remove it")]
    Answered,
    /// The author wants back what the staff removed.
    #[error("the staff removed this, so only the staff restores it")]
    RemovedByStaff,
}

/// The most characters of a title.
pub const LONGEST_TITLE: usize = 200;
/// The most characters of a text.
pub const LONGEST_TEXT: usize = 50_000;

impl Decider for Topic {
    const STREAM: &'static str = "topic";
    const SHAPE: Option<i32> = Some(1);
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        let (thread, command) = match (self, command) {
            (Self::Unknown, Command::Open(opening)) => {
                let title = opening.title.trim().chars().count();
                if !(1..=LONGEST_TITLE).contains(&title) {
                    return Err(Rejection::Title);
                }
                sayable(&opening.text)?;
                return Ok(vec![Event::TopicOpened(opening)]);
            }
            (Self::Unknown, _) => return Err(Rejection::Unknown),
            (Self::Opened(_), Command::Open(_)) => return Err(Rejection::AlreadyOpened),
            (Self::Opened(thread), command) => (thread, command),
        };
        let happened = match command {
            Command::Open(_) => None,
            Command::Reply {
                by,
                post,
                text,
                quotes,
                mentioned,
            } => {
                thread.takes_words(by)?;
                sayable(&text)?;
                Some(Event::TopicReplied(Reply {
                    post,
                    number: u32::try_from(thread.posts.len() + 1).unwrap_or(u32::MAX),
                    author: by.member,
                    text,
                    topic_author: thread.author(),
                    quoted: thread.authors(&quotes),
                    mentioned,
                }))
            }
            Command::Edit {
                by,
                post,
                text,
                mentioned,
            } => thread.edit(by, post, text, mentioned)?,
            Command::Remove { by, post, reason } => Some(thread.remove(by, post, reason)?),
            Command::Restore { by, post } => Some(thread.restore(by, post)?),
            Command::Pin(pinned) => (thread.pinned != pinned).then_some(if pinned {
                Event::TopicPinned {}
            } else {
                Event::TopicUnpinned {}
            }),
            Command::Lock(locked) => (thread.locked != locked).then_some(if locked {
                Event::TopicLocked {}
            } else {
                Event::TopicUnlocked {}
            }),
            Command::Move(section) => {
                (thread.section != section).then_some(Event::TopicMoved { section })
            }
        };
        Ok(happened.into_iter().collect())
    }

    fn evolve(&mut self, event: &Event) {
        if let Event::TopicOpened(opening) = event {
            let post = Post::new(opening.author, &opening.text);
            *self = Self::Opened(Thread {
                section: opening.section,
                first: opening.post,
                posts: BTreeMap::from([(opening.post, post)]),
                pinned: false,
                locked: false,
                removed: None,
            });
        } else if let Self::Opened(thread) = self {
            thread.evolve(event);
        }
    }
}

impl Thread {
    /// Gives who opened it.
    pub fn author(&self) -> MemberId {
        let first = self.posts.get(&self.first);
        first.map_or(MemberId(Uuid::nil()), |post| post.author)
    }

    /// Gives the authors of some of its posts, each once.
    fn authors(&self, posts: &BTreeSet<PostId>) -> Vec<MemberId> {
        let found = posts.iter().filter_map(|post| self.posts.get(post));
        let authors: BTreeSet<MemberId> = found.map(|post| post.author).collect();
        authors.into_iter().collect()
    }

    fn takes_words(&self, by: Writer) -> Result<(), Rejection> {
        if self.removed.is_some() {
            return Err(Rejection::TopicRemoved);
        }
        if self.locked && !by.is_staff {
            return Err(Rejection::Locked);
        }
        Ok(())
    }

    /// Gives a post that somebody may change.
    fn own(&self, by: Writer, post: PostId) -> Result<&Post, Rejection> {
        let post = self.posts.get(&post).ok_or(Rejection::NoSuchPost)?;
        if post.author == by.member || by.is_staff {
            Ok(post)
        } else {
            Err(Rejection::NotYours)
        }
    }

    fn edit(
        &self,
        by: Writer,
        id: PostId,
        text: String,
        mentioned: Vec<MemberId>,
    ) -> Result<Option<Event>, Rejection> {
        let post = self.own(by, id)?;
        self.takes_words(by)?;
        if post.removed.is_some() {
            return Err(Rejection::PostRemoved);
        }
        sayable(&text)?;
        let is_new = fingerprint(&text) != post.said;
        Ok(is_new.then(|| Event::PostEdited {
            post: id,
            version: post.version + 1,
            text,
            mentioned,
        }))
    }

    fn remove(&self, by: Writer, id: PostId, reason: Option<String>) -> Result<Event, Rejection> {
        let post = self.own(by, id)?;
        let is_first = id == self.first;
        if is_first && self.removed.is_some() || post.removed.is_some() {
            return Err(Rejection::AlreadyRemoved);
        }
        self.takes_words(by)?;
        let is_answered = || self.posts.values().any(|one| one.author != by.member);
        if is_first && !by.is_staff && is_answered() {
            return Err(Rejection::Answered);
        }
        let by_staff = post.author != by.member;
        Ok(if is_first {
            Event::TopicRemoved { reason, by_staff }
        } else {
            Event::PostRemoved {
                post: id,
                reason,
                by_staff,
            }
        })
    }

    fn restore(&self, by: Writer, id: PostId) -> Result<Event, Rejection> {
        let post = self.own(by, id)?;
        let is_first = id == self.first;
        let removed = if is_first { self.removed } else { post.removed };
        match removed.ok_or(Rejection::NotRemoved)? {
            Remover::Staff if !by.is_staff => return Err(Rejection::RemovedByStaff),
            Remover::Staff | Remover::Author => {}
        }
        if is_first {
            return Ok(Event::TopicRestored {});
        }
        self.takes_words(by)?;
        Ok(Event::PostRestored { post: id })
    }

    fn evolve(&mut self, event: &Event) {
        let remover = |by_staff: &bool| {
            Some(if *by_staff {
                Remover::Staff
            } else {
                Remover::Author
            })
        };
        match event {
            Event::TopicOpened(_) => {}
            Event::TopicReplied(reply) => {
                let post = Post::new(reply.author, &reply.text);
                self.posts.insert(reply.post, post);
            }
            Event::PostEdited {
                post,
                version,
                text,
                ..
            } => {
                if let Some(post) = self.posts.get_mut(post) {
                    (post.version, post.said) = (*version, fingerprint(text));
                }
            }
            Event::PostRemoved { post, by_staff, .. } => {
                if let Some(post) = self.posts.get_mut(post) {
                    post.removed = remover(by_staff);
                }
            }
            Event::PostRestored { post } => {
                if let Some(post) = self.posts.get_mut(post) {
                    post.removed = None;
                }
            }
            Event::TopicRemoved { by_staff, .. } => self.removed = remover(by_staff),
            Event::TopicRestored {} => self.removed = None,
            Event::TopicPinned {} => self.pinned = true,
            Event::TopicUnpinned {} => self.pinned = false,
            Event::TopicLocked {} => self.locked = true,
            Event::TopicUnlocked {} => self.locked = false,
            Event::TopicMoved { section } => self.section = *section,
        }
    }
}

impl Post {
    fn new(author: MemberId, text: &str) -> Self {
        Self {
            author,
            version: 1,
            said: fingerprint(text),
            removed: None,
        }
    }
}

fn sayable(text: &str) -> Result<(), Rejection> {
    if text.trim().is_empty() {
        return Err(Rejection::Empty);
    }
    if text.chars().count() > LONGEST_TEXT {
        return Err(Rejection::TooLong);
    }
    Ok(())
}

/// A long topic's state must stay small, so it knows texts by their hash.
fn fingerprint(text: &str) -> Uuid {
    Uuid::new_v5(&SPACE, text.as_bytes())
}
