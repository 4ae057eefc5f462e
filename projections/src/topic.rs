//! The forum's topics and posts: the fold behind their pages.
//!
//! Before: [`domain::topic`]. Lists are [`list`]'s, a topic's page is [`page`]'s, words are [`search`]'s.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::topic::{Event, Opening, Reply};
use domain::{Actor, Fact, Recorded};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::{Fold, NotApplied, Projection};

pub mod list;
pub mod page;
pub mod search;

/// The projection behind topics and posts.
#[derive(Debug)]
pub struct Topics;

impl Projection for Topics {
    fn name(&self) -> &'static str {
        "topic"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/topic.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/topic.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["topic", "post", "post_version", "section_total"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["topic"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            topics: Copy::into(
                "topic (id, section, title, author, opened_at, posts, last_post, last_by, last_at, activity)",
                10,
            ),
            posts: Copy::into("post (id, topic, number, author, at, position, text)", 7),
            versions: Copy::into("post_version (post, version, by, at, text)", 5),
            touched: BTreeSet::new(),
            grown: BTreeMap::new(),
            states: BTreeMap::new(),
            sections: BTreeMap::new(),
            worded: BTreeMap::new(),
            removed: BTreeMap::new(),
        })
    }
}

/// New rows, and the last word on each topic and post that changed.
struct Said {
    topics: Copy,
    posts: Copy,
    versions: Copy,
    /// Topics whose place in lists may be another one.
    touched: BTreeSet<Uuid>,
    /// The number of each topic's last post.
    grown: BTreeMap<Uuid, i32>,
    /// Whether topics are pinned and locked.
    states: BTreeMap<Uuid, (Option<bool>, Option<bool>)>,
    sections: BTreeMap<Uuid, Uuid>,
    /// How often posts were worded.
    worded: BTreeMap<Uuid, i32>,
    /// Posts, and topics by the same id as their first post.
    removed: BTreeMap<(Of, Uuid), Removal>,
}

/// What is removed or restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Of {
    Topic,
    Post,
}

/// Whether something is removed, by whom and why.
#[derive(Default)]
struct Removal {
    is_gone: bool,
    by_staff: bool,
    by: Option<Uuid>,
    reason: Option<String>,
}

fn member(event: &Recorded) -> Option<Uuid> {
    match event.meta.actor {
        Actor::Member(member) => Some(member.0),
        Actor::Operator | Actor::System => None,
    }
}

fn number(number: u32) -> i32 {
    i32::try_from(number).unwrap_or(i32::MAX)
}

impl Said {
    fn opened(&mut self, at: &Recorded, opening: &Opening) -> Result<(), NotApplied> {
        let row = self.topics.row().put(at.stream_id)?;
        row.put(opening.section.0)?
            .put(&opening.title)?
            .put(opening.author.0)?
            .put(at.at)?
            .put(1_i32)?
            .put(opening.post.0)?
            .put(opening.author.0)?
            .put(at.at)?
            .put(at.position.0)?;
        self.post(at, (opening.post.0, 1, opening.author.0), &opening.text)
    }

    fn replied(&mut self, at: &Recorded, reply: &Reply) -> Result<(), NotApplied> {
        let place = number(reply.number);
        self.grown.insert(at.stream_id, place);
        self.post(at, (reply.post.0, place, reply.author.0), &reply.text)
    }

    fn post(
        &mut self,
        at: &Recorded,
        (id, number, author): (Uuid, i32, Uuid),
        text: &str,
    ) -> Result<(), NotApplied> {
        let row = self.posts.row().put(id)?;
        row.put(at.stream_id)?
            .put(number)?
            .put(author)?
            .put(at.at)?
            .put(at.position.0)?
            .put(text)?;
        Ok(())
    }

    fn worded(
        &mut self,
        at: &Recorded,
        (post, version): (Uuid, i32),
        text: &str,
    ) -> Result<(), NotApplied> {
        let row = self.versions.row().put(post)?;
        row.put(version)?.put(member(at))?.put(at.at)?.put(text)?;
        self.worded.insert(post, version);
        Ok(())
    }

    fn removed(&mut self, at: &Recorded, of: (Of, Uuid), by_staff: bool, reason: Option<&String>) {
        let removal = Removal {
            is_gone: true,
            by_staff,
            by: member(at),
            reason: reason.cloned(),
        };
        self.removed.insert(of, removal);
    }

    fn state(&mut self, topic: Uuid) -> &mut (Option<bool>, Option<bool>) {
        self.states.entry(topic).or_default()
    }

    async fn update_topics(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (ids, posts): (Vec<Uuid>, Vec<i32>) =
            std::mem::take(&mut self.grown).into_iter().unzip();
        sqlx::query(
            "update topic t set posts = s.posts from unnest($1::uuid[], $2::int[]) as s(id, posts) where t.id = s.id",
        )
        .bind(ids)
        .bind(posts)
        .execute(&mut *to)
        .await?;
        let (ids, sections): (Vec<Uuid>, Vec<Uuid>) =
            std::mem::take(&mut self.sections).into_iter().unzip();
        sqlx::query(
            "update topic t set section = s.section
             from unnest($1::uuid[], $2::uuid[]) as s(id, section) where t.id = s.id",
        )
        .bind(ids)
        .bind(sections)
        .execute(&mut *to)
        .await?;
        let (ids, states): (Vec<Uuid>, Vec<_>) =
            std::mem::take(&mut self.states).into_iter().unzip();
        let (pinned, locked): (Vec<Option<bool>>, Vec<Option<bool>>) = states.into_iter().unzip();
        sqlx::query(
            "update topic t set pinned = coalesce(s.pinned, t.pinned), locked = coalesce(s.locked, t.locked)
             from unnest($1::uuid[], $2::bool[], $3::bool[]) as s(id, pinned, locked) where t.id = s.id",
        )
        .bind(ids)
        .bind(pinned)
        .bind(locked)
        .execute(to)
        .await
        .map(|_| ())
    }

    async fn update_posts(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (ids, versions): (Vec<Uuid>, Vec<i32>) =
            std::mem::take(&mut self.worded).into_iter().unzip();
        sqlx::query(
            "update post p set version = s.version
             from unnest($1::uuid[], $2::int[]) as s(id, version) where p.id = s.id",
        )
        .bind(ids)
        .bind(versions)
        .execute(&mut *to)
        .await?;
        for ((of, id), removal) in std::mem::take(&mut self.removed) {
            let change = match of {
                Of::Topic => {
                    "update topic set removed = $2, by_staff = $3, remover = $4, reason = $5 where id = $1"
                }
                Of::Post => {
                    "update post set removed = $2, by_staff = $3, remover = $4, reason = $5 where id = $1"
                }
            };
            sqlx::query(change)
                .bind(id)
                .bind(removal.is_gone)
                .bind(removal.by_staff)
                .bind(removal.by)
                .bind(removal.reason)
                .execute(&mut *to)
                .await?;
        }
        Ok(())
    }
}

/// Which post of a topic was the last that is shown.
const LAST: &str = "
    update topic t set last_post = p.id, last_by = p.author, last_at = p.at, activity = p.position
    from unnest($1::uuid[]) as s(id) cross join lateral (
        select id, author, at, position from post
        where topic = s.id and not removed order by position desc limit 1
    ) p
    where t.id = s.id";

/// Moves what topics count for from where they counted to where they count.
const TOTALS: &str = "
    with counts as (
        select section, 1 as topics, posts from topic where id = any($1) and not removed
        union all
        select counted_in, -1, -counted from topic where id = any($1) and counted_in is not null
    )
    insert into section_total (section, topics, posts)
    select section, sum(topics), sum(posts) from counts group by section
    on conflict (section) do update
    set topics = section_total.topics + excluded.topics, posts = section_total.posts + excluded.posts";

const COUNTED: &str = "
    update topic set counted_in = case when removed then null else section end,
                     counted = case when removed then 0 else posts end
    where id = any($1)";

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let Fact::Topic(happened) = &event.fact else {
            return Ok(());
        };
        let topic = event.stream_id;
        self.touched.insert(topic);
        match happened {
            Event::TopicOpened(opening) => self.opened(event, opening)?,
            Event::TopicReplied(reply) => self.replied(event, reply)?,
            Event::PostEdited {
                post,
                version,
                text,
                ..
            } => self.worded(event, (post.0, number(*version)), text)?,
            Event::PostRemoved {
                post,
                reason,
                by_staff,
            } => self.removed(event, (Of::Post, post.0), *by_staff, reason.as_ref()),
            Event::PostRestored { post } => {
                self.removed.insert((Of::Post, post.0), Removal::default());
            }
            Event::TopicRemoved { reason, by_staff } => {
                self.removed(event, (Of::Topic, topic), *by_staff, reason.as_ref());
            }
            Event::TopicRestored {} => {
                self.removed.insert((Of::Topic, topic), Removal::default());
            }
            Event::TopicPinned {} => self.state(topic).0 = Some(true),
            Event::TopicUnpinned {} => self.state(topic).0 = Some(false),
            Event::TopicLocked {} => self.state(topic).1 = Some(true),
            Event::TopicUnlocked {} => self.state(topic).1 = Some(false),
            Event::TopicMoved { section } => {
                self.sections.insert(topic, section.0);
            }
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.topics.bytes() + self.posts.bytes() + self.versions.bytes(),
            changes: self.touched.len() + self.worded.len() + self.removed.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.topics.write(to).await?;
        self.posts.write(to).await?;
        self.versions.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let touched: Vec<Uuid> = std::mem::take(&mut self.touched).into_iter().collect();
        if touched.is_empty() {
            return Ok(());
        }
        self.update_topics(to).await?;
        self.update_posts(to).await?;
        for statement in [LAST, TOTALS, COUNTED] {
            sqlx::query(statement)
                .bind(&touched)
                .execute(&mut *to)
                .await?;
        }
        sqlx::query("delete from section_total where topics = 0")
            .execute(to)
            .await
            .map(|_| ())
    }
}
