//! What members are told: a fold of what concerns them, the latest of each member.
//!
//! No event says that somebody is told something. A row bears what leads to names and texts, which
//! other tables hold; so what a member may no longer see isn't told either. Nobody is told what they
//! did themselves. How rows come into being is [`fold`]'s.

use domain::id::MemberId;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::page::{Cursor, Page};
use crate::{Fold, Projection, Reads, Unavailable};

mod fold;

/// Notifications of a member that are kept, the latest.
pub const KEPT: i64 = 200;
/// The most unread ones that are counted.
pub const MOST_COUNTED: i64 = 100;

/// What somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A post names them.
    Named,
    /// A post quotes theirs.
    Quoted,
    /// Somebody answered in a topic in which they wrote.
    Answered,
    /// Somebody commented on their torrent.
    Commented,
    /// Their torrent was approved.
    Approved,
    /// Their torrent was rejected.
    Rejected,
    /// Changes are asked of their torrent.
    ChangesAsked,
    /// Their torrent was withdrawn by the staff.
    Withdrawn,
    /// Something was done about their report.
    Resolved,
    /// Nothing is done about their report.
    Dismissed,
    /// They were warned.
    Warned,
    /// A ban was lifted.
    LetIn,
    /// A hit-and-run was marked.
    HitAndRun,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 13] = [
        Self::Named,
        Self::Quoted,
        Self::Answered,
        Self::Commented,
        Self::Approved,
        Self::Rejected,
        Self::ChangesAsked,
        Self::Withdrawn,
        Self::Resolved,
        Self::Dismissed,
        Self::Warned,
        Self::LetIn,
        Self::HitAndRun,
    ];

    /// Gives its name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::Quoted => "quoted",
            Self::Answered => "answered",
            Self::Commented => "commented",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::ChangesAsked => "changes_asked",
            Self::Withdrawn => "withdrawn",
            Self::Resolved => "resolved",
            Self::Dismissed => "dismissed",
            Self::Warned => "warned",
            Self::LetIn => "let_in",
            Self::HitAndRun => "hit_and_run",
        }
    }

    fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// Who asks for their notifications.
#[derive(Debug, Clone, Copy)]
pub struct Eyes<'a> {
    /// Who it is.
    pub member: MemberId,
    /// Whether they see every section of the forum.
    pub is_forum_staff: bool,
    /// Those at which they looked, one by one.
    pub looked: &'a [i64],
}

/// What a member is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notification {
    /// Where the event stands that tells it.
    pub position: i64,
    /// What.
    pub kind: Kind,
    /// When.
    pub at: OffsetDateTime,
    /// The name of who did it.
    pub by_name: Option<String>,
    /// The title of the topic, or the name of the torrent.
    pub title: Option<String>,
    /// The post, comment, torrent or report.
    pub subject: Option<Uuid>,
    /// Why, in the words of the staff.
    pub reason: Option<String>,
    /// Whether it is new to them.
    pub unread: bool,
}

/// What a member may be told: nothing of a topic that they don't see.
const SEEN: &str =
    "n.member = $1 and (n.topic is null or not o.removed and ($2 or not s.staff_only))";

const TOPIC: &str = "left join reading g on g.member = n.member
    left join topic o on o.id = n.topic left join section s on s.id = o.section";

/// Counts a member's unread notifications, up to [`MOST_COUNTED`].
pub async fn unread(reads: &Reads, eyes: Eyes<'_>) -> Result<i64, Unavailable> {
    let query = format!(
        "select count(*) from (
             select 1 from notification n {TOPIC}
             where {SEEN} and n.position > coalesce(g.notified, 0) and n.position <> all ($3) limit $4
         ) counted"
    );
    Ok(sqlx::query_scalar(&query)
        .bind(eyes.member.0)
        .bind(eyes.is_forum_staff)
        .bind(eyes.looked)
        .bind(MOST_COUNTED)
        .fetch_one(&reads.pool)
        .await?)
}

const COLUMNS: &str = "n.position, n.kind, n.at, n.subject, a.name as by_name, coalesce(o.title, t.name, w.name) as title,
        coalesce(z.reason, p.word, case when t.review is not null then t.review_reason end) as reason,
        n.position > coalesce(g.notified, 0) and n.position <> all ($3) as unread";

const NAMES: &str = "left join member a on a.id = n.actor
    left join torrent t on n.kind in ('approved', 'rejected', 'changes_asked', 'withdrawn', 'hit_and_run') and t.id = n.subject
    left join comment c on n.kind = 'commented' and c.id = n.subject left join torrent w on w.id = c.torrent
    left join sanction z on z.position = n.position
    left join report p on n.kind in ('resolved', 'dismissed') and p.id = n.subject";

/// Gives a page of a member's notifications, the latest first.
pub async fn list(
    reads: &Reads,
    eyes: Eyes<'_>,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Notification>, Unavailable> {
    let before: i64 = from.and_then(Cursor::key).unwrap_or(i64::MAX);
    let query = format!(
        "select {COLUMNS} from notification n {TOPIC} {NAMES}
         where {SEEN} and n.position < $4 order by n.position desc limit $5"
    );
    let rows = sqlx::query(&query)
        .bind(eyes.member.0)
        .bind(eyes.is_forum_staff)
        .bind(eyes.looked)
        .bind(before)
        .bind(limit + 1)
        .fetch_all(&reads.pool)
        .await?;
    let rows = rows.iter().map(read).collect::<Result<_, _>>()?;
    Ok(Page::cut(rows, limit, |one: &Notification| one.position))
}

/// Gives one of a member's notifications.
pub async fn one(
    reads: &Reads,
    eyes: Eyes<'_>,
    position: i64,
) -> Result<Option<Notification>, Unavailable> {
    let query = format!(
        "select {COLUMNS} from notification n {TOPIC} {NAMES} where {SEEN} and n.position = $4"
    );
    let row = sqlx::query(&query)
        .bind(eyes.member.0)
        .bind(eyes.is_forum_staff)
        .bind(eyes.looked)
        .bind(position)
        .fetch_optional(&reads.pool)
        .await?;
    Ok(row.as_ref().map(read).transpose()?)
}

fn read(row: &PgRow) -> Result<Notification, sqlx::Error> {
    let kind: String = row.try_get("kind")?;
    let kind = Kind::named(&kind).ok_or_else(|| sqlx::Error::Decode(kind.into()))?;
    let reason: Option<String> = row.try_get("reason")?;
    Ok(Notification {
        position: row.try_get("position")?,
        kind,
        at: row.try_get("at")?,
        by_name: row.try_get("by_name")?,
        title: row.try_get("title")?,
        subject: row.try_get("subject")?,
        reason: reason.filter(|reason| !reason.is_empty()),
        unread: row.try_get("unread")?,
    })
}

/// The projection behind notifications.
#[derive(Debug)]
pub struct Notifications;

impl Projection for Notifications {
    fn name(&self) -> &'static str {
        "notification"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/notification.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/notification.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &[
            "notification",
            "notification_writer",
            "notification_naming",
            "notification_uploader",
        ]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["topic", "comment", "torrent", "report", "user", "transfer"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(fold::Told::default())
    }
}
