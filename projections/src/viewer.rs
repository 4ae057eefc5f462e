//! What stands on every page of a member, in one question.

use sqlx::Row as _;

use crate::notification::{self, Eyes};
use crate::traffic::{self, Totals};
use crate::{Reads, Unavailable};

/// What a member's masthead shows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Figures {
    /// What they moved.
    pub totals: Totals,
    /// Notifications that are new to them, up to [`notification::MOST_COUNTED`].
    pub unread: i64,
}

/// Gives what a member's masthead shows.
pub async fn figures(reads: &Reads, eyes: Eyes<'_>) -> Result<Figures, Unavailable> {
    let question = (eyes.member, eyes.is_forum_staff, eyes.looked.to_vec());
    let kept = reads
        .often
        .figures
        .or_ask(reads.mark(), question, ask(reads, eyes));
    kept.await.map(|figures| *figures)
}

async fn ask(reads: &Reads, eyes: Eyes<'_>) -> Result<Figures, Unavailable> {
    let query = format!(
        "select {}, ({}) as unread from (select) always left join member_total on member = $1",
        traffic::TOTALS,
        notification::unread(),
    );
    let row = sqlx::query(&query)
        .bind(eyes.member.0)
        .bind(eyes.is_forum_staff)
        .bind(eyes.looked)
        .fetch_one(&reads.pool)
        .await?;
    Ok(Figures {
        totals: traffic::read(&row)?,
        unread: row.try_get("unread")?,
    })
}
