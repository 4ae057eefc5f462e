//! Reports: the staff's queue, and each member's own.
//!
//! Before: [`domain::report`]. Of a post in a section for the staff alone, and of what is about
//! themselves, nobody else learns; [`Eyes`] says who looks.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::id::{MemberId, ReportId};
use domain::report::{Event, Filing, Kind, Reason, Target};
use domain::{Fact, Recorded};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::page::{Cursor, Page};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// The most open reports that are counted.
pub const MOST_COUNTED: i64 = 100;

/// How a report stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nobody looks after it.
    Open,
    /// Somebody of the staff looks after it.
    Taken,
    /// Something was done about it.
    Resolved,
    /// Nothing is done about it.
    Dismissed,
}

impl State {
    /// Every state, in the order of the queue.
    pub const ALL: [Self; 4] = [Self::Open, Self::Taken, Self::Resolved, Self::Dismissed];

    /// Gives its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Taken => "taken",
            Self::Resolved => "resolved",
            Self::Dismissed => "dismissed",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Tells whether it ended.
    pub fn is_closed(self) -> bool {
        matches!(self, Self::Resolved | Self::Dismissed)
    }

    fn rank(self) -> i16 {
        match self {
            Self::Open => 0,
            Self::Taken => 1,
            Self::Resolved => 2,
            Self::Dismissed => 3,
        }
    }

    fn ranked(rank: i16) -> Self {
        let found = Self::ALL.into_iter().find(|state| state.rank() == rank);
        found.unwrap_or(Self::Open)
    }
}

/// Who of the staff looks.
#[derive(Debug, Clone, Copy)]
pub struct Eyes {
    /// Who it is.
    pub member: MemberId,
    /// Whether they see every section of the forum.
    pub is_forum_staff: bool,
}

/// Which reports of the queue are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Those of a kind of thing.
    pub kind: Option<Kind>,
    /// Those that stand so.
    pub state: Option<State>,
}

/// A report as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Which one it is.
    pub id: ReportId,
    /// Who reported.
    pub reporter: MemberId,
    /// Their name.
    pub reporter_name: String,
    /// What kind of thing is reported.
    pub kind: Kind,
    /// Which one.
    pub target: Uuid,
    /// What it is called, or where it stands; nothing where the one who looks doesn't see it.
    pub label: Option<String>,
    /// The name of whose it is.
    pub about_name: String,
    /// What is wrong.
    pub reason: Reason,
    /// The same in the reporter's words.
    pub text: String,
    /// When it was made.
    pub at: OffsetDateTime,
    /// How it stands.
    pub state: State,
    /// The name of who looks after it.
    pub taken_name: Option<String>,
    /// The name of who closed it.
    pub closed_name: Option<String>,
    /// When it was closed.
    pub closed_at: Option<OffsetDateTime>,
    /// The word to the reporter.
    pub word: Option<String>,
    /// Where it was made in the log.
    pub position: i64,
    /// Its place among those that stand so.
    pub place: i64,
}

impl Report {
    /// Gives the address at which what is reported stands.
    pub fn address(&self) -> String {
        match self.kind {
            Kind::Torrent => format!("/torrents/{}", self.target),
            Kind::Member => format!("/members/{}", self.about_name),
            Kind::Post => format!("/forum/posts/{}", self.target),
            Kind::Comment => format!("/comments/{}", self.target),
        }
    }
}

/// What somebody of the staff noted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Note {
    /// Their name.
    pub by_name: String,
    /// When.
    pub at: OffsetDateTime,
    /// What.
    pub text: String,
}

const FROM: &str = "select r.*, coalesce(b.name, '') as reporter_name, coalesce(a.name, '') as about_name,
        k.name as taken_name, z.name as closed_name,
        case r.kind when 'torrent' then t.name when 'member' then a.name when 'comment' then w.name
             when 'post' then case when $1 or not s.staff_only then o.title end end as label
    from report r left join member b on b.id = r.reporter left join member a on a.id = r.about
    left join member k on k.id = r.taken_by left join member z on z.id = r.closed_by
    left join torrent t on r.kind = 'torrent' and t.id = r.target
    left join comment c on r.kind = 'comment' and c.id = r.target left join torrent w on w.id = c.torrent
    left join topic o on o.id = r.topic left join section s on s.id = o.section";

/// What the staff sees: nothing about themselves, and no section that isn't for them.
const SEEN: &str = "r.about <> $2 and ($1 or s.staff_only is not true)";

/// Gives a page of the staff's queue: those that wait first, the longest first, then those that ended, the
/// latest first.
pub async fn queue(
    reads: &Reads,
    eyes: Eyes,
    wanted: Wanted,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Report>, Unavailable> {
    let (state, place): (i16, i64) = from.and_then(Cursor::key).unwrap_or((-1, 0));
    let query = format!(
        "{FROM} where {SEEN} and (r.state, r.place) > ($3, $4)
           and ($5::smallint is null or r.state = $5) and ($6::text is null or r.kind = $6)
         order by r.state, r.place limit $7"
    );
    let rows = sqlx::query(&query)
        .bind(eyes.is_forum_staff)
        .bind(eyes.member.0)
        .bind(state)
        .bind(place)
        .bind(wanted.state.map(State::rank))
        .bind(wanted.kind.map(Kind::name))
        .bind(limit + 1)
        .fetch_all(&reads.pool)
        .await?;
    let rows = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Page::cut(rows, limit, |one: &Report| {
        (one.state.rank(), one.place)
    }))
}

/// Counts the reports that wait for the staff, up to [`MOST_COUNTED`].
pub async fn waiting(reads: &Reads, eyes: Eyes) -> Result<i64, Unavailable> {
    let query = format!(
        "select count(*) from (
             select 1 from report r left join topic o on o.id = r.topic left join section s on s.id = o.section
             where r.state < 2 and {SEEN} limit {MOST_COUNTED}
         ) counted"
    );
    Ok(sqlx::query_scalar(&query)
        .bind(eyes.is_forum_staff)
        .bind(eyes.member.0)
        .fetch_one(&reads.pool)
        .await?)
}

/// Gives one report to the staff.
pub async fn one(reads: &Reads, eyes: Eyes, id: ReportId) -> Result<Option<Report>, Unavailable> {
    let query = format!("{FROM} where {SEEN} and r.id = $3");
    let row = sqlx::query(&query)
        .bind(eyes.is_forum_staff)
        .bind(eyes.member.0)
        .bind(id.0)
        .fetch_optional(&reads.pool)
        .await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// Gives a page of what a member reported, the latest first.
pub async fn own(
    reads: &Reads,
    eyes: Eyes,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Report>, Unavailable> {
    let before: i64 = from.and_then(Cursor::key).unwrap_or(i64::MAX);
    let query = format!(
        "{FROM} where r.reporter = $2 and r.position < $3 order by r.position desc limit $4"
    );
    let rows = sqlx::query(&query)
        .bind(eyes.is_forum_staff)
        .bind(eyes.member.0)
        .bind(before)
        .bind(limit + 1)
        .fetch_all(&reads.pool)
        .await?;
    let rows = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Page::cut(rows, limit, |one: &Report| one.position))
}

/// Gives one report to who made it.
pub async fn own_one(
    reads: &Reads,
    eyes: Eyes,
    id: ReportId,
) -> Result<Option<Report>, Unavailable> {
    let query = format!("{FROM} where r.reporter = $2 and r.id = $3");
    let row = sqlx::query(&query)
        .bind(eyes.is_forum_staff)
        .bind(eyes.member.0)
        .bind(id.0)
        .fetch_optional(&reads.pool)
        .await?;
    Ok(row.as_ref().map(read).transpose()?)
}

/// Gives what the staff noted about a report, the first first, at most two hundred.
pub async fn notes(reads: &Reads, id: ReportId) -> Result<Vec<Note>, Unavailable> {
    let rows = sqlx::query(
        "select n.at, n.text, coalesce(m.name, '') as by_name from report_note n left join member m on m.id = n.by
         where n.report = $1 order by n.position limit 200",
    )
    .bind(id.0)
    .fetch_all(&reads.pool)
    .await?;
    let row = |row: &PgRow| {
        Ok(Note {
            by_name: row.try_get("by_name")?,
            at: row.try_get("at")?,
            text: row.try_get("text")?,
        })
    };
    Ok(rows.iter().map(row).collect::<Result<_, sqlx::Error>>()?)
}

fn read(row: &PgRow) -> Result<Report, sqlx::Error> {
    let (kind, reason): (String, String) = (row.try_get("kind")?, row.try_get("reason")?);
    Ok(Report {
        id: ReportId(row.try_get("id")?),
        reporter: MemberId(row.try_get("reporter")?),
        reporter_name: row.try_get("reporter_name")?,
        kind: Kind::named(&kind).ok_or_else(|| sqlx::Error::Decode(kind.into()))?,
        target: row.try_get("target")?,
        label: row.try_get("label")?,
        about_name: row.try_get("about_name")?,
        reason: Reason::named(&reason).ok_or_else(|| sqlx::Error::Decode(reason.into()))?,
        text: row.try_get("text")?,
        at: row.try_get("at")?,
        state: State::ranked(row.try_get("state")?),
        taken_name: row.try_get("taken_name")?,
        closed_name: row.try_get("closed_name")?,
        closed_at: row.try_get("closed_at")?,
        word: row.try_get("word")?,
        position: row.try_get("position")?,
        place: row.try_get("place")?,
    })
}

/// The projection behind reports.
#[derive(Debug)]
pub struct Reports;

impl Projection for Reports {
    fn name(&self) -> &'static str {
        "report"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/report.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/report.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["report", "report_note"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["report"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            filed: Copy::into(
                "report (id, position, reporter, kind, target, topic, about, reason, text, at, state, place)",
                12,
            ),
            notes: Copy::into("report_note (position, report, by, at, text)", 5),
            taken: BTreeMap::new(),
            closed: BTreeMap::new(),
        })
    }
}

/// New reports and notes, and the last word on each report that changed.
struct Said {
    filed: Copy,
    notes: Copy,
    taken: BTreeMap<Uuid, Uuid>,
    closed: BTreeMap<Uuid, Closed>,
}

/// How a report ended.
struct Closed {
    state: State,
    by: Uuid,
    word: Option<String>,
    at: OffsetDateTime,
    position: i64,
}

impl Said {
    fn filed(&mut self, event: &Recorded, filing: &Filing) -> Result<(), NotApplied> {
        let topic = match filing.target {
            Target::Post { topic, .. } => Some(topic.0),
            Target::Torrent(_) | Target::Member(_) | Target::Comment(_) => None,
        };
        let row = self.filed.row().put(event.stream_id)?;
        let row = row.put(event.position.0)?.put(filing.by.0)?;
        let row = row.put(filing.target.kind().name())?;
        let row = row
            .put(filing.target.id())?
            .put(topic)?
            .put(filing.about.0)?;
        let row = row.put(filing.reason.name())?.put(&filing.text)?;
        row.put(event.at)?
            .put(State::Open.rank())?
            .put(event.position.0)?;
        Ok(())
    }

    fn closed(&mut self, event: &Recorded, state: State, by: MemberId, word: Option<&String>) {
        let closed = Closed {
            state,
            by: by.0,
            word: word.cloned(),
            at: event.at,
            position: event.position.0,
        };
        self.closed.insert(event.stream_id, closed);
    }
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let Fact::Report(happened) = &event.fact else {
            return Ok(());
        };
        match happened {
            Event::ReportFiled(filing) => self.filed(event, filing)?,
            Event::ReportTaken { by } => {
                self.taken.insert(event.stream_id, by.0);
            }
            Event::ReportNoted { by, text } => {
                let row = self.notes.row().put(event.position.0)?;
                row.put(event.stream_id)?
                    .put(by.0)?
                    .put(event.at)?
                    .put(text)?;
            }
            Event::ReportResolved { by, word, .. } => {
                self.closed(event, State::Resolved, *by, word.as_ref());
            }
            Event::ReportDismissed { by, word, .. } => {
                self.closed(event, State::Dismissed, *by, word.as_ref());
            }
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.filed.bytes() + self.notes.bytes(),
            changes: self.taken.len() + self.closed.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.filed.write(to).await?;
        self.notes.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        for (id, by) in std::mem::take(&mut self.taken) {
            sqlx::query("update report set taken_by = $2, state = 1 where id = $1")
                .bind(id)
                .bind(by)
                .execute(&mut *to)
                .await?;
        }
        for (id, closed) in std::mem::take(&mut self.closed) {
            sqlx::query(
                "update report set state = $2, place = $3, closed_by = $4, closed_at = $5, word = $6 where id = $1",
            )
            .bind(id)
            .bind(closed.state.rank())
            .bind(-closed.position)
            .bind(closed.by)
            .bind(closed.at)
            .bind(closed.word)
            .execute(&mut *to)
            .await?;
        }
        Ok(())
    }
}
