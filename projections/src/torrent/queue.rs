//! What waits for approval, the longest first; and all that a member uploaded, the latest first.

use domain::amount::Bytes;
use domain::id::{MemberId, TorrentId};
use domain::torrent::Review;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use time::OffsetDateTime;

use super::withdrawal::Withdrawal;
use crate::page::{Cursor, Page};
use crate::{Reads, Unavailable};

/// The most waiting torrents that are counted.
pub const MOST_COUNTED: i64 = 100;

/// A torrent and how it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Which one it is.
    pub id: TorrentId,
    /// The name of the file or folder.
    pub name: String,
    /// The category's name.
    pub category_name: String,
    /// The uploader's name.
    pub uploader_name: String,
    /// When it was uploaded.
    pub uploaded_at: OffsetDateTime,
    /// The sum of the files.
    pub size: Bytes,
    /// Who withdrew it and why, while it isn't offered.
    pub withdrawn: Option<Withdrawal>,
    /// What the staff says of it while it isn't approved.
    pub review: Option<Review>,
}

/// What a row shows, behind `where`.
const SELECT: &str = "select t.id, t.name, coalesce(c.name, '') as category_name, coalesce(m.name, '') as uploader_name,
            t.uploaded_at, t.size, t.withdrawn, t.withdrawn_by_staff, t.withdrawal_reason, t.review,
            t.review_reason, t.position
     from torrent t left join category c on c.id = t.category left join member m on m.id = t.uploader";

/// Gives a page of what waits for approval.
pub async fn waiting(
    reads: &Reads,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, Unavailable> {
    let after: i64 = from.and_then(Cursor::key).unwrap_or(0);
    let query = format!(
        "{SELECT} where t.held and t.review in ('waiting', 'changes') and not t.withdrawn and t.position > $1
         order by t.position limit $2"
    );
    let query = sqlx::query(&query);
    let rows = query.bind(after).bind(limit + 1).fetch_all(&reads.pool);
    cut(&rows.await?, limit)
}

/// Counts what waits for the staff, up to [`MOST_COUNTED`].
pub async fn count(reads: &Reads) -> Result<i64, Unavailable> {
    let query = "select count(*) from (
             select 1 from torrent where held and review in ('waiting', 'changes') and not withdrawn limit $1
         ) counted";
    let query = sqlx::query_scalar(query).bind(MOST_COUNTED);
    Ok(query.fetch_one(&reads.pool).await?)
}

/// Gives a page of what a member uploaded, however it stands.
pub async fn uploads(
    reads: &Reads,
    uploader: MemberId,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Row>, Unavailable> {
    let before: i64 = from.and_then(Cursor::key).unwrap_or(i64::MAX);
    let query = format!(
        "{SELECT} where t.uploader = $3 and t.position < $1 order by t.position desc limit $2"
    );
    let query = sqlx::query(&query).bind(before).bind(limit + 1);
    cut(&query.bind(uploader.0).fetch_all(&reads.pool).await?, limit)
}

fn cut(rows: &[PgRow], limit: i64) -> Result<Page<Row>, Unavailable> {
    let rows: Vec<(Row, i64)> = rows.iter().map(read).collect::<Result<_, _>>()?;
    let page = Page::cut(rows, limit, |(_, position)| *position);
    Ok(Page {
        rows: page.rows.into_iter().map(|(row, _)| row).collect(),
        next: page.next,
    })
}

fn read(row: &PgRow) -> Result<(Row, i64), sqlx::Error> {
    let one = Row {
        id: TorrentId(row.try_get("id")?),
        name: row.try_get("name")?,
        category_name: row.try_get("category_name")?,
        uploader_name: row.try_get("uploader_name")?,
        uploaded_at: row.try_get("uploaded_at")?,
        size: super::bytes(row, "size")?,
        withdrawn: Withdrawal::read(row)?,
        review: super::review(row)?,
    };
    Ok((one, row.try_get("position")?))
}
