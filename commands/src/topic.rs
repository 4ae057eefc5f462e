//! Opening topics, answering, editing, moderating, and the ways back.
//!
//! Before: `api::web::forum`. After: [`domain::topic`]. A section for the staff alone, and what stands
//! in it, is nothing at all to everybody else.

use domain::id::{MemberId, PostId, SectionId, TopicId};
use domain::reading::{self, Reading};
use domain::topic::{Command, Event, Opening, Rejection, Thread, Topic, Writer};
use domain::{Actor, Decider as _, Fact, Permission, Position, Recorded, mention};

use crate::ports::{Reach, Unavailable};
use crate::{Commands, Done, Refusal};

/// What the staff does to a topic.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moderation {
    /// Lets it stand before the others, or among them.
    Pin(bool),
    /// Lets the staff alone write in it, or everybody.
    Lock(bool),
    /// Lets it stand in another section.
    Move(SectionId),
}

impl Commands {
    /// Opens a topic in a section that its author sees.
    pub async fn open_topic(
        &self,
        by: MemberId,
        section: SectionId,
        title: String,
        text: String,
    ) -> Result<Done<TopicId>, Refusal<Rejection>> {
        let writer = self.writer(by).await?;
        match self.seen_section(section, writer.is_staff).await? {
            None => return Err(Refusal::NotFound),
            Some(true) => return Err(Refusal::Rejected(Rejection::SectionRetired)),
            Some(false) => {}
        }
        let topic = TopicId(self.new_id());
        let opening = Opening {
            section,
            author: by,
            title: title.trim().to_owned(),
            post: PostId(topic.0),
            mentioned: self.mentioned(&text).await?,
            text,
        };
        let command = Command::Open(opening);
        let frame = self.frame(Actor::Member(by));
        let position = self.execute::<Topic>(topic.0, command, frame).await?;
        Ok(Done {
            of: topic,
            position,
        })
    }

    /// Answers in a topic.
    pub async fn reply(
        &self,
        by: MemberId,
        topic: TopicId,
        text: String,
    ) -> Result<Done<PostId>, Refusal<Rejection>> {
        let (writer, _) = self.seen_topic(by, topic).await?;
        let post = PostId(self.new_id());
        let command = Command::Reply {
            by: writer,
            post,
            quotes: mention::quoted(&text),
            mentioned: self.mentioned(&text).await?,
            text,
        };
        self.change_topic(by, topic, post, command).await
    }

    /// Lets a post say something else; its author and the staff may.
    pub async fn edit_post(
        &self,
        by: MemberId,
        topic: TopicId,
        post: PostId,
        text: String,
    ) -> Result<Done<PostId>, Refusal<Rejection>> {
        let (writer, _) = self.seen_topic(by, topic).await?;
        let command = Command::Edit {
            by: writer,
            post,
            mentioned: self.mentioned(&text).await?,
            text,
        };
        self.change_topic(by, topic, post, command).await
    }

    /// Shows a post no longer, and with its first one a topic; its author and the staff may.
    pub async fn remove_post(
        &self,
        by: MemberId,
        topic: TopicId,
        post: PostId,
        reason: Option<String>,
    ) -> Result<Done<PostId>, Refusal<Rejection>> {
        let (writer, _) = self.seen_topic(by, topic).await?;
        let command = Command::Remove {
            by: writer,
            post,
            reason,
        };
        self.change_topic(by, topic, post, command).await
    }

    /// Shows a removed post again, and with its first one a topic; the staff may, and the author what
    /// they removed themselves.
    pub async fn restore_post(
        &self,
        by: MemberId,
        topic: TopicId,
        post: PostId,
    ) -> Result<Done<PostId>, Refusal<Rejection>> {
        let (writer, _) = self.seen_topic(by, topic).await?;
        let command = Command::Restore { by: writer, post };
        self.change_topic(by, topic, post, command).await
    }

    /// Pins, locks or moves a topic; the forum's staff may.
    pub async fn moderate(
        &self,
        by: MemberId,
        topic: TopicId,
        moderation: Moderation,
    ) -> Result<Done<PostId>, Refusal<Rejection>> {
        self.require(by, Permission::Forum).await?;
        let (_, thread) = self.seen_topic(by, topic).await?;
        let command = match moderation {
            Moderation::Pin(pinned) => Command::Pin(pinned),
            Moderation::Lock(locked) => Command::Lock(locked),
            Moderation::Move(section) => {
                match self.seen_section(section, true).await? {
                    None => return Err(Refusal::NotFound),
                    Some(true) => return Err(Refusal::Rejected(Rejection::SectionRetired)),
                    Some(false) => {}
                }
                Command::Move(section)
            }
        };
        self.change_topic(by, topic, thread.first, command).await
    }

    /// Notes that everything in the forum up to a position is read.
    pub async fn read_forum(
        &self,
        by: MemberId,
        upto: Position,
    ) -> Result<Position, Refusal<reading::Rejection>> {
        let frame = self.frame(Actor::Member(by));
        let command = reading::Command::ReadAll { upto };
        self.execute::<Reading>(by.0, command, frame).await
    }

    async fn change_topic(
        &self,
        by: MemberId,
        topic: TopicId,
        post: PostId,
        command: Command,
    ) -> Result<Done<PostId>, Refusal<Rejection>> {
        let mut frame = self.frame(Actor::Member(by));
        if let Command::Remove { reason, .. } = &command {
            frame.meta.reason.clone_from(reason);
        }
        if let Command::Restore { .. } = &command {
            let stream = self.log.load(Topic::STREAM, topic.0, Reach::All).await?;
            frame.meta.causation = last_removal(&stream, post);
        }
        match self.execute::<Topic>(topic.0, command, frame).await {
            Ok(position) => Ok(Done { of: post, position }),
            Err(Refusal::Rejected(Rejection::NotYours)) => Err(Refusal::Forbidden),
            Err(refusal) => Err(refusal),
        }
    }

    /// Gives a topic that somebody may see: one in a section that they see, and a removed one if they
    /// opened it or are of the staff.
    async fn seen_topic(
        &self,
        by: MemberId,
        topic: TopicId,
    ) -> Result<(Writer, Thread), Refusal<Rejection>> {
        let seen = self.topic_seen_by(by, topic).await?;
        seen.ok_or(Refusal::NotFound)
    }

    /// Gives the same, or nothing.
    pub(crate) async fn topic_seen_by(
        &self,
        by: MemberId,
        topic: TopicId,
    ) -> Result<Option<(Writer, Thread)>, Unavailable> {
        let Topic::Opened(thread) = self.load(topic.0).await? else {
            return Ok(None);
        };
        let writer = self.writer(by).await?;
        let section = self.seen_section(thread.section, writer.is_staff).await?;
        let hidden = thread.removed.is_some() && thread.author() != by && !writer.is_staff;
        Ok((section.is_some() && !hidden).then_some((writer, thread)))
    }

    async fn writer(&self, member: MemberId) -> Result<Writer, Unavailable> {
        let permissions = self.permissions(member).await?;
        Ok(Writer {
            member,
            is_staff: permissions.has(Permission::Forum),
        })
    }

    /// Gives the members that a text names, those that there are.
    pub(crate) async fn mentioned(&self, text: &str) -> Result<Vec<MemberId>, Unavailable> {
        let mut found = vec![];
        for name in mention::names(text) {
            found.extend(self.member_named(&name).await?.map(|member| member.id));
        }
        Ok(found)
    }
}

/// Tells where a post, or with its first one the topic, was removed last: what a restoration undoes.
fn last_removal(stream: &[Recorded], wanted: PostId) -> Option<Position> {
    let is_removal = |event: &&Recorded| {
        let Fact::Topic(happened) = &event.fact else {
            return false;
        };
        match happened {
            Event::TopicRemoved { .. } => event.stream_id == wanted.0,
            Event::PostRemoved { post, .. } => *post == wanted,
            Event::TopicOpened(_)
            | Event::TopicReplied(_)
            | Event::PostEdited { .. }
            | Event::PostRestored { .. }
            | Event::TopicRestored {}
            | Event::TopicPinned {}
            | Event::TopicUnpinned {}
            | Event::TopicLocked {}
            | Event::TopicUnlocked {}
            | Event::TopicMoved { .. } => false,
        }
    };
    stream.iter().rfind(is_removal).map(|event| event.position)
}
