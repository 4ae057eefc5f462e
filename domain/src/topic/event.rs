//! What happens to a topic and its posts.

use serde::{Deserialize, Serialize};

use crate::id::{MemberId, PostId, SectionId};

/// What happened to a topic or one of its posts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It came into being with its first post.
    TopicOpened(Opening),
    /// Somebody answered.
    TopicReplied(Reply),
    /// A post says something else; what it said before stays in the log.
    PostEdited {
        /// The post.
        post: PostId,
        /// How often it was worded by now: 2 with the first edit.
        version: u32,
        /// What it says, in markdown.
        text: String,
        /// The members that it names.
        mentioned: Vec<MemberId>,
    },
    /// A post that isn't the first is shown no longer.
    PostRemoved {
        /// The post.
        post: PostId,
        /// Why, in the words of who removed it.
        reason: Option<String>,
        /// Whether the staff did, and not the author.
        by_staff: bool,
    },
    /// A post is shown again.
    PostRestored {
        /// The post.
        post: PostId,
    },
    /// The topic is shown no longer.
    TopicRemoved {
        /// Why, in the words of who removed it.
        reason: Option<String>,
        /// Whether the staff did, and not the author.
        by_staff: bool,
    },
    /// The topic is shown again.
    TopicRestored {},
    /// It stands before the others of its section.
    TopicPinned {},
    /// It stands among the others of its section.
    TopicUnpinned {},
    /// The staff alone writes in it.
    TopicLocked {},
    /// Everybody may write in it.
    TopicUnlocked {},
    /// It stands in another section.
    TopicMoved {
        /// The section.
        section: SectionId,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::TopicOpened(_) => "TopicOpened",
            Self::TopicReplied(_) => "TopicReplied",
            Self::PostEdited { .. } => "PostEdited",
            Self::PostRemoved { .. } => "PostRemoved",
            Self::PostRestored { .. } => "PostRestored",
            Self::TopicRemoved { .. } => "TopicRemoved",
            Self::TopicRestored {} => "TopicRestored",
            Self::TopicPinned {} => "TopicPinned",
            Self::TopicUnpinned {} => "TopicUnpinned",
            Self::TopicLocked {} => "TopicLocked",
            Self::TopicUnlocked {} => "TopicUnlocked",
            Self::TopicMoved { .. } => "TopicMoved",
        }
    }
}

/// A topic as its author opened it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opening {
    /// The section in which it stands.
    pub section: SectionId,
    /// Who opened it.
    pub author: MemberId,
    /// What it is about.
    pub title: String,
    /// Its first post.
    pub post: PostId,
    /// What that says, in markdown.
    pub text: String,
    /// The members that it names.
    pub mentioned: Vec<MemberId>,
}

/// A post that answers, with everybody whom it concerns.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reply {
    /// The post.
    pub post: PostId,
    /// Its place in the topic; the first post is 1.
    pub number: u32,
    /// Who wrote it.
    pub author: MemberId,
    /// What it says, in markdown.
    pub text: String,
    /// Who opened the topic.
    pub topic_author: MemberId,
    /// Whose posts of this topic it quotes.
    pub quoted: Vec<MemberId>,
    /// The members that it names.
    pub mentioned: Vec<MemberId>,
}
