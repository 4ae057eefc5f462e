//! Warnings and bans, and who lifted them.

use domain::id::MemberId;
use domain::user::Network;
use sqlx::Row as _;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{Reads, Unavailable};

/// What happened to a member.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A warning.
    Warning,
    /// A ban.
    Ban,
    /// The end of a ban before its time.
    Lifted,
}

impl Kind {
    /// Gives its name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Warning => "warning",
            Self::Ban => "ban",
            Self::Lifted => "lifted",
        }
    }

    fn named(name: &str) -> Option<Self> {
        let all = [Self::Warning, Self::Ban, Self::Lifted];
        all.into_iter().find(|kind| kind.name() == name)
    }
}

/// A sanction of a member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sanction {
    /// What happened.
    pub kind: Kind,
    /// Why.
    pub reason: String,
    /// When a ban ends, in seconds since 1970, where it does.
    pub until: Option<i64>,
    /// Whether a ban covers an address.
    pub by_address: bool,
    /// When it was imposed.
    pub at: OffsetDateTime,
    /// Who did.
    pub by: Option<MemberId>,
}

/// Gives a member's sanctions, the latest first, at most a hundred.
pub async fn of(reads: &Reads, member: MemberId) -> Result<Vec<Sanction>, Unavailable> {
    let rows = sqlx::query(
        "select kind, reason, until, by_address, at, by from sanction where member = $1 order by position desc limit 100",
    )
    .bind(member.0)
    .fetch_all(&reads.pool)
    .await?;
    let mut sanctions = vec![];
    for row in rows {
        let kind: String = row.try_get("kind")?;
        sanctions.push(Sanction {
            kind: Kind::named(&kind).ok_or_else(|| sqlx::Error::Decode(kind.into()))?,
            reason: row.try_get("reason")?,
            until: row
                .try_get::<Option<i64>, _>("until")?
                .filter(|until| *until != i64::MAX),
            by_address: row.try_get("by_address")?,
            at: row.try_get("at")?,
            by: row.try_get::<Option<Uuid>, _>("by")?.map(MemberId),
        });
    }
    Ok(sanctions)
}

/// Gives when the last ban ends that covers a network, in seconds since 1970; one without an end is over
/// at [`i64::MAX`].
pub async fn covering(
    reads: &Reads,
    network: Network,
    now: i64,
) -> Result<Option<i64>, Unavailable> {
    let until = sqlx::query_scalar(
        "select max(banned_until) from member where banned_network = $1 and banned_until > $2",
    );
    let until = until.bind(network.0.as_slice()).bind(now);
    Ok(until.fetch_one(&reads.pool).await?)
}
