//! What is new to a member: everything said since they last looked.
//!
//! That everything is read is the member's own word, and an event. That one topic was looked at happens
//! with every page, so it is kept beside the sessions: a bounded list, which may get lost. Then some
//! topics are told to be new once more.

use std::time::Duration;

use domain::id::{MemberId, TopicId};
use projections::user::Profile;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::app::App;
use crate::problem::Problem;

/// How long it is known which topics a member looked at.
const KEEP: Duration = Duration::from_hours(30 * 24);
/// Topics that are known at most, those in which something was said last.
const MOST: usize = 500;
/// Bytes of one of them: its id and a position.
const BYTES: usize = 24;

/// Up to where a member has read.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    member: MemberId,
    joined: OffsetDateTime,
    /// The position up to which everything is read.
    upto: i64,
    topics: Vec<(TopicId, i64)>,
}

impl Seen {
    /// Finds out what a member has read.
    pub(crate) async fn by(app: &App, profile: &Profile) -> Result<Self, Problem> {
        let kept = app.ephemera.get(&key(profile.id)).await?;
        Ok(Self {
            member: profile.id,
            joined: profile.joined,
            upto: projections::reading::upto(&app.reads, profile.id).await?.0,
            topics: read(&kept.unwrap_or_default()),
        })
    }

    /// Tells whether something that was said in a topic is new.
    pub(crate) fn is_new(&self, topic: TopicId, position: i64, at: OffsetDateTime) -> bool {
        // What was said before the member came isn't new to them.
        at > self.joined && position > self.upto(topic)
    }

    /// Tells up to which position a topic is read.
    pub(super) fn upto(&self, topic: TopicId) -> i64 {
        let known = self.topics.iter().find(|(known, _)| *known == topic);
        known.map_or(self.upto, |(_, position)| *position.max(&self.upto))
    }

    /// Notes that a topic is read up to a position.
    pub(super) async fn note(
        mut self,
        app: &App,
        topic: TopicId,
        position: i64,
    ) -> Result<(), Problem> {
        if position <= self.upto(topic) || app.site.as_of.is_some() {
            return Ok(());
        }
        let upto = self.upto;
        self.topics
            .retain(|(known, at)| *known != topic && *at > upto);
        self.topics.push((topic, position));
        self.topics
            .sort_by_key(|(_, position)| std::cmp::Reverse(*position));
        self.topics.truncate(MOST);
        let value = write(&self.topics);
        app.ephemera.put(&key(self.member), &value, KEEP).await?;
        Ok(())
    }

    #[cfg(test)]
    pub(crate) fn nothing() -> Self {
        Self {
            member: MemberId(Uuid::nil()),
            joined: OffsetDateTime::UNIX_EPOCH - Duration::from_secs(1),
            upto: 0,
            topics: vec![],
        }
    }
}

fn key(member: MemberId) -> String {
    format!("forum-read:{member}")
}

fn write(topics: &[(TopicId, i64)]) -> Vec<u8> {
    let one = |(topic, position): &(TopicId, i64)| {
        topic
            .0
            .into_bytes()
            .into_iter()
            .chain(position.to_be_bytes())
    };
    topics.iter().flat_map(one).collect()
}

fn read(kept: &[u8]) -> Vec<(TopicId, i64)> {
    let one = |bytes: &[u8]| {
        let (id, position) = bytes.split_at_checked(16)?;
        let position = i64::from_be_bytes(position.try_into().ok()?);
        Some((TopicId(Uuid::from_slice(id).ok()?), position))
    };
    kept.chunks_exact(BYTES).filter_map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_read_back_and_tells_what_is_new() {
        let topic = |number| TopicId(Uuid::from_u128(number));
        let topics = vec![(topic(1), 7), (topic(2), i64::MAX)];
        assert_eq!(read(&write(&topics)), topics);
        assert_eq!(read(b"too short"), vec![]);
        let seen = Seen {
            upto: 5,
            topics,
            ..Seen::nothing()
        };
        let now = OffsetDateTime::UNIX_EPOCH;
        assert!(seen.is_new(topic(1), 8, now) && !seen.is_new(topic(1), 7, now));
        assert!(seen.is_new(topic(3), 6, now) && !seen.is_new(topic(3), 5, now));
        let before = seen.joined - Duration::from_secs(1);
        assert!(!seen.is_new(topic(3), 6, before));
    }
}
