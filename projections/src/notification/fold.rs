//! Whom each event concerns. All of a batch is written by a few statements, and what comes of it is the
//! same however the log is cut into batches: no row depends on one that may be thrown away.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::id::MemberId;
use domain::{Actor, Fact, Recorded, comment, report, topic, torrent, transfer, user};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{KEPT, Kind};
use crate::fold::{Copy, Held};
use crate::{Fold, NotApplied};

/// An answer is told to so many of a topic's writers, those who came last.
const MOST_TOLD: i64 = 50;

/// What a batch of events tells.
pub(super) struct Told {
    /// Whose torrents are whose.
    uploaders: Copy,
    /// Who wrote in which topic.
    writers: Vec<(Uuid, Uuid, i64)>,
    /// What posts say, with whom they name.
    named: Vec<(Uuid, Row)>,
    /// What is told to one member.
    direct: Vec<(Uuid, Row)>,
    /// What is told to who wrote in the topic.
    answers: Vec<Row>,
    /// What is told to whose torrent it is.
    torrents: Vec<(Uuid, Row)>,
    /// From where members signed in that was new, by where the event stands.
    devices: Vec<(Uuid, i64, String)>,
    /// Who was erased: they are told nothing, whatever happens.
    erased: BTreeSet<Uuid>,
}

impl Default for Told {
    fn default() -> Self {
        Self {
            uploaders: Copy::into("notification_uploader (torrent, member)", 2),
            writers: vec![],
            named: vec![],
            direct: vec![],
            answers: vec![],
            torrents: vec![],
            devices: vec![],
            erased: BTreeSet::new(),
        }
    }
}

/// A notification, but for whom.
#[derive(Clone, Copy)]
struct Row {
    position: i64,
    kind: Kind,
    at: OffsetDateTime,
    actor: Option<Uuid>,
    topic: Option<Uuid>,
    subject: Option<Uuid>,
}

impl Row {
    fn of(event: &Recorded, kind: Kind, subject: Option<Uuid>) -> Self {
        let actor = match event.meta.actor {
            Actor::Member(member) => Some(member.0),
            Actor::Operator | Actor::System => None,
        };
        Self {
            position: event.position.0,
            kind,
            at: event.at,
            actor,
            topic: None,
            subject,
        }
    }

    fn in_topic(event: &Recorded, kind: Kind, post: Uuid) -> Self {
        Self {
            topic: Some(event.stream_id),
            ..Self::of(event, kind, Some(post))
        }
    }
}

impl Told {
    fn direct(&mut self, member: Uuid, row: Row) {
        if row.actor != Some(member) {
            self.direct.push((member, row));
        }
    }

    fn named(&mut self, row: Row, mentioned: &[MemberId]) {
        let others = mentioned.iter().filter(|one| Some(one.0) != row.actor);
        self.named.extend(others.map(|one| (one.0, row)));
    }

    fn topic(&mut self, event: &Recorded, happened: &topic::Event) {
        let (topic, position) = (event.stream_id, event.position.0);
        match happened {
            topic::Event::TopicOpened(opening) => {
                self.writers.push((topic, opening.author.0, position));
                let row = Row::in_topic(event, Kind::Named, opening.post.0);
                self.named(row, &opening.mentioned);
            }
            topic::Event::TopicReplied(reply) => {
                let row = Row::in_topic(event, Kind::Named, reply.post.0);
                self.named(row, &reply.mentioned);
                for quoted in &reply.quoted {
                    let row = Row::in_topic(event, Kind::Quoted, reply.post.0);
                    self.direct(quoted.0, row);
                }
                let row = Row::in_topic(event, Kind::Answered, reply.post.0);
                self.answers.push(row);
                self.writers.push((topic, reply.author.0, position));
            }
            topic::Event::PostEdited {
                post, mentioned, ..
            } => self.named(Row::in_topic(event, Kind::Named, post.0), mentioned),
            topic::Event::PostRemoved { .. }
            | topic::Event::PostRestored { .. }
            | topic::Event::TopicRemoved { .. }
            | topic::Event::TopicRestored {}
            | topic::Event::TopicPinned {}
            | topic::Event::TopicUnpinned {}
            | topic::Event::TopicLocked {}
            | topic::Event::TopicUnlocked {}
            | topic::Event::TopicMoved { .. } => {}
        }
    }

    fn comment(&mut self, event: &Recorded, happened: &comment::Event) {
        let row = |kind| Row::of(event, kind, Some(event.stream_id));
        match happened {
            comment::Event::CommentWritten {
                torrent, mentioned, ..
            } => {
                self.named(row(Kind::NamedBelow), mentioned);
                self.torrents.push((torrent.0, row(Kind::Commented)));
            }
            comment::Event::CommentEdited { mentioned, .. } => {
                self.named(row(Kind::NamedBelow), mentioned);
            }
            comment::Event::CommentRemoved { .. } | comment::Event::CommentRestored {} => {}
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest tells nobody")]
    fn member(&mut self, event: &Recorded, happened: &user::Event) {
        let member = event.stream_id;
        let kind = match happened {
            user::Event::MemberErased { .. } => {
                self.erased.insert(member);
                return;
            }
            user::Event::MemberWarned { .. } => {
                return self.direct(member, Row::of(event, Kind::Warned, None));
            }
            user::Event::MemberUnbanned { .. } => {
                return self.direct(member, Row::of(event, Kind::LetIn, None));
            }
            user::Event::DeviceSeen {
                name, first: false, ..
            } => {
                let row = (member, event.position.0, name.clone());
                self.devices.push(row);
                Kind::NewDevice
            }
            user::Event::CredentialsChanged { .. } => Kind::PasswordChanged,
            user::Event::SecondFactorEnabled { .. } => Kind::FactorOn,
            user::Event::SecondFactorDisabled {} => Kind::FactorOff,
            user::Event::SecurityKeyAdded { .. } => Kind::KeyAdded,
            user::Event::SecurityKeyRemoved { .. } => Kind::KeyRemoved,
            _ => return,
        };
        // It may have been somebody else in the member's name, so they are told what they did themself.
        self.direct.push((member, Row::of(event, kind, None)));
    }

    fn torrent(&mut self, event: &Recorded, happened: &torrent::Event) -> Result<(), NotApplied> {
        let id = event.stream_id;
        let kind = match happened {
            torrent::Event::TorrentUploaded(upload) => {
                self.uploaders.row().put(id)?.put(upload.uploader.0)?;
                return Ok(());
            }
            torrent::Event::TorrentApproved {} => Kind::Approved,
            torrent::Event::TorrentRejected { .. } => Kind::Rejected,
            torrent::Event::TorrentChangesAsked { .. } => Kind::ChangesAsked,
            torrent::Event::TorrentWithdrawn { by_staff: true, .. } => Kind::Withdrawn,
            torrent::Event::TorrentWithdrawn { .. }
            | torrent::Event::TorrentEdited(_)
            | torrent::Event::TorrentRestored {}
            | torrent::Event::TorrentSubmitted {}
            | torrent::Event::FreeleechSet { .. }
            | torrent::Event::FreeleechLifted {} => return Ok(()),
        };
        self.torrents.push((id, Row::of(event, kind, Some(id))));
        Ok(())
    }

    fn report(&mut self, event: &Recorded, happened: &report::Event) {
        let (reporter, kind) = match happened {
            report::Event::ReportResolved { reporter, .. } => (reporter, Kind::Resolved),
            report::Event::ReportDismissed { reporter, .. } => (reporter, Kind::Dismissed),
            report::Event::ReportFiled(_)
            | report::Event::ReportTaken { .. }
            | report::Event::ReportNoted { .. } => return,
        };
        let row = Row::of(event, kind, Some(event.stream_id));
        self.direct(reporter.0, row);
    }
}

#[async_trait]
impl Fold for Told {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest tells nobody")]
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        match &event.fact {
            Fact::Topic(happened) => self.topic(event, happened),
            Fact::Torrent(happened) => self.torrent(event, happened)?,
            Fact::Report(happened) => self.report(event, happened),
            Fact::Comment(happened) => self.comment(event, happened),
            Fact::User(happened) => self.member(event, happened),
            Fact::Transfer(transfer::Event::HitAndRunMarked { of, .. }) => {
                let row = Row::of(event, Kind::HitAndRun, Some(of.torrent.0));
                self.direct(of.member.0, row);
            }
            _ => {}
        }
        Ok(())
    }

    fn held(&self) -> Held {
        let rows = self.named.len() + self.direct.len() + self.answers.len() + self.torrents.len();
        Held {
            bytes: self.uploaders.bytes(),
            changes: self.writers.len() + rows + self.devices.len() + self.erased.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.uploaders.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.learn(to).await?;
        self.note_devices(to).await?;
        let mut touched = BTreeSet::new();
        // An event tells a member one thing: that it names them, before that it quotes or answers them.
        for (statement, told) in [
            (NAMED, std::mem::take(&mut self.named)),
            (DIRECT, std::mem::take(&mut self.direct)),
            (TO_UPLOADERS, std::mem::take(&mut self.torrents)),
            (TO_WRITERS, self.answers()),
        ] {
            touched.extend(tell(to, statement, &told).await?);
        }
        let erased: Vec<Uuid> = std::mem::take(&mut self.erased).into_iter().collect();
        if !erased.is_empty() {
            let statement = "insert into notification_gone select * from unnest($1::uuid[]) on conflict do nothing";
            let query = sqlx::query(statement).bind(&erased);
            query.execute(&mut *to).await?;
            touched.extend(erased);
        }
        let touched: Vec<Uuid> = touched.into_iter().collect();
        if !touched.is_empty() {
            let forget = sqlx::query(FORGET).bind(&touched).bind(KEPT);
            forget.execute(&mut *to).await?;
            let forget = sqlx::query(FORGET_GONE).bind(&touched);
            forget.execute(&mut *to).await?;
            let forget = sqlx::query(FORGET_DEVICES).bind(touched);
            forget.execute(to).await?;
        }
        Ok(())
    }
}

impl Told {
    /// Takes the answers, each with its topic.
    fn answers(&mut self) -> Vec<(Uuid, Row)> {
        let answers = std::mem::take(&mut self.answers).into_iter();
        answers.filter_map(|row| Some((row.topic?, row))).collect()
    }

    /// Writes down from where members signed in.
    async fn note_devices(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.devices.is_empty() {
            return Ok(());
        }
        let mut columns = (vec![], vec![], vec![]);
        for (member, position, name) in std::mem::take(&mut self.devices) {
            columns.0.push(member);
            columns.1.push(position);
            columns.2.push(name);
        }
        let statement = "insert into notification_device (member, position, name)
             select * from unnest($1::uuid[], $2::bigint[], $3::text[]) on conflict do nothing";
        let query = sqlx::query(statement).bind(columns.0).bind(columns.1);
        query.bind(columns.2).execute(to).await.map(|_| ())
    }

    /// Writes down who wrote where, and whom posts name for the first time.
    async fn learn(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let written = std::mem::take(&mut self.writers).into_iter();
        let named = self.named.iter();
        let named = named.filter_map(|(member, row)| Some((row.subject?, *member, row.position)));
        for (statement, rows) in [
            (
                "insert into notification_writer (topic, member, since)
                 select * from unnest($1::uuid[], $2::uuid[], $3::bigint[]) on conflict do nothing",
                written.collect::<Vec<_>>(),
            ),
            (
                "insert into notification_naming (post, member, position)
                 select * from unnest($1::uuid[], $2::uuid[], $3::bigint[]) on conflict do nothing",
                named.collect(),
            ),
        ] {
            if rows.is_empty() {
                continue;
            }
            let (ids, members): (Vec<Uuid>, Vec<Uuid>) =
                rows.iter().map(|(id, member, _)| (*id, *member)).unzip();
            let positions: Vec<i64> = rows.iter().map(|(_, _, position)| *position).collect();
            let query = sqlx::query(statement).bind(ids).bind(members);
            query.bind(positions).execute(&mut *to).await?;
        }
        Ok(())
    }
}

/// The rows of a statement; `id` is whose they are, or by what that is found.
const ROWS: &str = "unnest($1::uuid[], $2::bigint[], $3::text[], $4::timestamptz[], $5::uuid[], $6::uuid[], $7::uuid[])
    as r(id, position, kind, at, actor, topic, subject)";

const NAMED: &str = "select id, r.position, kind, at, actor, r.topic, subject from rows r
    join notification_naming n on n.post = r.subject and n.member = r.id and n.position = r.position
    where $8 > 0";

const DIRECT: &str =
    "select id, position, kind, at, actor, topic, subject from rows r where $8 > 0";

const TO_UPLOADERS: &str = "select u.member, position, kind, at, actor, topic, subject from rows r
    join notification_uploader u on u.torrent = r.id where u.member is distinct from r.actor and $8 > 0";

const TO_WRITERS: &str = "select w.member, position, kind, at, actor, r.topic, subject from rows r
    cross join lateral (
        select member from notification_writer
        where topic = r.id and since < r.position and member is distinct from r.actor order by since desc limit $8
    ) w";

/// Throws away what lies behind the latest.
const FORGET: &str = "delete from notification n using (
        select m.member, c.position from unnest($1::uuid[]) as m(member) cross join lateral (
            select position from notification where member = m.member order by position desc offset $2 limit 1
        ) c
    ) last where n.member = last.member and n.position <= last.position";

/// Throws away what is told to nobody any more.
const FORGET_GONE: &str = "delete from notification n using notification_gone g
    where g.member = any($1) and n.member = g.member";

/// Throws away from where members signed in that they aren't told any more.
const FORGET_DEVICES: &str = "delete from notification_device d where d.member = any($1)
    and not exists (select from notification n where n.member = d.member and n.position = d.position)";

/// Writes rows, and tells to whom.
async fn tell(
    to: &mut PgConnection,
    statement: &str,
    told: &[(Uuid, Row)],
) -> Result<Vec<Uuid>, sqlx::Error> {
    if told.is_empty() {
        return Ok(vec![]);
    }
    let statement = format!(
        "with rows as (select * from {ROWS})
         insert into notification (member, position, kind, at, actor, topic, subject)
         {statement} on conflict do nothing returning member"
    );
    let column = |of: fn(&Row) -> Option<Uuid>| -> Vec<Option<Uuid>> {
        told.iter().map(|(_, row)| of(row)).collect()
    };
    let kinds: Vec<&str> = told.iter().map(|(_, row)| row.kind.name()).collect();
    let times: Vec<OffsetDateTime> = told.iter().map(|(_, row)| row.at).collect();
    sqlx::query_scalar(&statement)
        .bind(told.iter().map(|(id, _)| *id).collect::<Vec<_>>())
        .bind(told.iter().map(|(_, row)| row.position).collect::<Vec<_>>())
        .bind(kinds)
        .bind(times)
        .bind(column(|row| row.actor))
        .bind(column(|row| row.topic))
        .bind(column(|row| row.subject))
        .bind(MOST_TOLD)
        .fetch_all(to)
        .await
}
