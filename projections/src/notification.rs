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
    /// A comment names them.
    NamedBelow,
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
    /// They signed in from where they weren't known to.
    NewDevice,
    /// Their password was changed.
    PasswordChanged,
    /// Their second factor was set up.
    FactorOn,
    /// Their second factor was turned off.
    FactorOff,
    /// A security key of theirs was added.
    KeyAdded,
    /// A security key of theirs was removed.
    KeyRemoved,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 20] = [
        Self::Named,
        Self::NamedBelow,
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
        Self::NewDevice,
        Self::PasswordChanged,
        Self::FactorOn,
        Self::FactorOff,
        Self::KeyAdded,
        Self::KeyRemoved,
    ];

    /// Gives its name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Named => "named",
            Self::NamedBelow => "named_below",
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
            Self::NewDevice => "new_device",
            Self::PasswordChanged => "password_changed",
            Self::FactorOn => "second_factor_on",
            Self::FactorOff => "second_factor_off",
            Self::KeyAdded => "security_key_added",
            Self::KeyRemoved => "security_key_removed",
        }
    }

    /// Tells whether it says that somebody else may be in.
    pub fn is_alert(self) -> bool {
        matches!(
            self,
            Self::NewDevice
                | Self::PasswordChanged
                | Self::FactorOn
                | Self::FactorOff
                | Self::KeyAdded
                | Self::KeyRemoved
        )
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
    /// From which browser on which system they signed in.
    pub device: Option<String>,
    /// Why, in the words of the staff.
    pub reason: Option<String>,
    /// Whether it is new to them.
    pub unread: bool,
}

/// What a member may be told: nothing of a topic that they don't see, nor of a comment or torrent that is gone.
const SEEN: &str =
    "n.member = $1 and (n.topic is null or not o.removed and ($2 or not s.staff_only))
    and (n.kind <> 'named_below' or not c.removed and not w.withdrawn and not w.held)";

const TOPIC: &str = "left join reading g on g.member = n.member
    left join topic o on o.id = n.topic left join section s on s.id = o.section
    left join comment c on n.kind in ('commented', 'named_below') and c.id = n.subject
    left join torrent w on w.id = c.torrent";

/// Counts what is new to who asks, their [`Eyes`] being the parameters; up to [`MOST_COUNTED`].
pub(crate) fn unread() -> String {
    format!(
        "select count(*) from (
             select 1 from notification n {TOPIC}
             where {SEEN} and n.position > coalesce(g.notified, 0) and n.position <> all ($3) limit {MOST_COUNTED}
         ) counted"
    )
}

const COLUMNS: &str = "n.position, n.kind, n.at, n.subject, a.name as by_name, d.name as device, coalesce(o.title, t.name, w.name) as title,
        coalesce(z.reason, p.word, case when t.review is not null then t.review_reason end) as reason,
        n.position > coalesce(g.notified, 0) and n.position <> all ($3) as unread";

const NAMES: &str = "left join member a on a.id = n.actor
    left join torrent t on n.kind in ('approved', 'rejected', 'changes_asked', 'withdrawn', 'hit_and_run') and t.id = n.subject
    left join notification_device d on d.member = n.member and d.position = n.position
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
        device: row.try_get("device")?,
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
        3
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
            "notification_device",
            "notification_gone",
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
