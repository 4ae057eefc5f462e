//! One torrent's page, and the fold behind it and the list.
//!
//! Before: [`domain::torrent`]. The list is [`list`], words are [`search`]'s.

use async_trait::async_trait;
use domain::amount::Bytes;
use domain::id::{CategoryId, MemberId, TorrentId};
use domain::torrent::{self, File, Upload};
use domain::{Fact, Position, Recorded};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use crate::{NotApplied, Projection, Reads, Unavailable};

pub mod list;
pub mod search;

/// One torrent with everything that its page shows, its files aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detail {
    /// Which one it is.
    pub id: TorrentId,
    /// The name of the file or folder.
    pub name: String,
    /// Where it stands in the tree.
    pub category: CategoryId,
    /// The category's name.
    pub category_name: String,
    /// The description in markdown, as written.
    pub description: String,
    /// Who uploaded it.
    pub uploader: MemberId,
    /// The uploader's name.
    pub uploader_name: String,
    /// When it was uploaded.
    pub uploaded_at: OffsetDateTime,
    /// The sum of the files.
    pub size: Bytes,
    /// How many files it has.
    pub files: i32,
    /// Bytes in one piece.
    pub piece_length: Bytes,
    /// SHA-1 of the info dictionary, hex.
    pub info_hash: String,
    /// SHA-256 of the info dictionary of a hybrid, hex.
    pub info_hash_v2: Option<String>,
    /// Whether it is no longer offered.
    pub withdrawn: bool,
    /// How many members completed it.
    pub snatches: i64,
}

/// Gives one torrent.
pub async fn detail(reads: &Reads, id: TorrentId) -> Result<Option<Detail>, Unavailable> {
    let row = sqlx::query(
        "select t.id, t.name, t.category, coalesce(c.name, '') as category_name, t.description, t.uploader,
                coalesce(m.name, '') as uploader_name, t.uploaded_at, t.size, t.files, t.piece_length,
                t.info_hash, t.info_hash_v2, t.withdrawn,
                (select count(*) from snatch s where s.torrent = t.id) as snatches
         from torrent t left join category c on c.id = t.category left join member m on m.id = t.uploader
         where t.id = $1",
    )
    .bind(id.0)
    .fetch_optional(&reads.pool)
    .await?;
    Ok(row.as_ref().map(detail_row).transpose()?)
}

/// Gives at most `limit` of a torrent's files, in the order of its info dictionary.
pub async fn files(reads: &Reads, id: TorrentId, limit: i64) -> Result<Vec<File>, Unavailable> {
    let rows: Vec<(String, i64)> = sqlx::query_as(
        "select path, size from torrent_file where torrent = $1 order by place limit $2",
    )
    .bind(id.0)
    .bind(limit)
    .fetch_all(&reads.pool)
    .await?;
    Ok(rows
        .into_iter()
        .map(|(path, size)| File {
            path,
            size: Bytes(size.unsigned_abs()),
        })
        .collect())
}

fn detail_row(row: &PgRow) -> Result<Detail, sqlx::Error> {
    Ok(Detail {
        id: TorrentId(row.try_get("id")?),
        name: row.try_get("name")?,
        category: CategoryId(row.try_get("category")?),
        category_name: row.try_get("category_name")?,
        description: row.try_get("description")?,
        uploader: MemberId(row.try_get("uploader")?),
        uploader_name: row.try_get("uploader_name")?,
        uploaded_at: row.try_get("uploaded_at")?,
        size: bytes(row, "size")?,
        files: row.try_get("files")?,
        piece_length: bytes(row, "piece_length")?,
        info_hash: row.try_get("info_hash")?,
        info_hash_v2: row.try_get("info_hash_v2")?,
        withdrawn: row.try_get("withdrawn")?,
        snatches: row.try_get("snatches")?,
    })
}

fn bytes(row: &PgRow, column: &str) -> Result<Bytes, sqlx::Error> {
    let stored: i64 = row.try_get(column)?;
    Ok(Bytes(stored.unsigned_abs()))
}

/// The projection behind torrents' pages and the list.
#[derive(Debug)]
pub struct Torrents;

#[async_trait]
impl Projection for Torrents {
    fn name(&self) -> &'static str {
        "torrent"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/torrent.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["torrent", "torrent_file"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["torrent"]
    }

    async fn apply(&self, to: &mut PgConnection, events: &[Recorded]) -> Result<(), NotApplied> {
        let mut uploads = vec![];
        for event in events {
            let Fact::Torrent(happened) = &event.fact else {
                continue;
            };
            let is_offered = match happened.as_ref() {
                torrent::Event::TorrentUploaded(upload) => {
                    uploads.push((event, upload));
                    continue;
                }
                torrent::Event::TorrentWithdrawn { .. } => false,
                torrent::Event::TorrentRestored {} => true,
            };
            uploaded(to, &std::mem::take(&mut uploads)).await?;
            offered(to, event, is_offered).await?;
        }
        uploaded(to, &uploads).await
    }
}

async fn offered(to: &mut PgConnection, at: &Recorded, offered: bool) -> Result<(), sqlx::Error> {
    sqlx::query("update torrent set withdrawn = not $2 where id = $1")
        .bind(at.stream_id)
        .bind(offered)
        .execute(to)
        .await
        .map(|_| ())
}

/// Inserts uploads and their files, all at once.
async fn uploaded(
    to: &mut PgConnection,
    uploads: &[(&Recorded, &Upload)],
) -> Result<(), NotApplied> {
    if uploads.is_empty() {
        return Ok(());
    }
    let sizes = uploads
        .iter()
        .map(|(at, upload)| column(upload.size, at.position))
        .collect::<Result<Vec<_>, _>>()?;
    let pieces = uploads
        .iter()
        .map(|(at, upload)| column(upload.piece_length, at.position))
        .collect::<Result<Vec<_>, _>>()?;
    sqlx::query(
        "insert into torrent (id, name, category, description, uploader, uploaded_at, size, files, piece_length,
                              info_hash, info_hash_v2, position)
         select * from unnest($1::uuid[], $2::text[], $3::uuid[], $4::text[], $5::uuid[], $6::timestamptz[],
                              $7::bigint[], $8::int[], $9::bigint[], $10::text[], $11::text[], $12::bigint[])",
    )
    .bind(each(uploads, |at, _| at.stream_id))
    .bind(each(uploads, |_, upload| upload.name.as_str()))
    .bind(each(uploads, |_, upload| upload.category.0))
    .bind(each(uploads, |_, upload| upload.description.as_str()))
    .bind(each(uploads, |_, upload| upload.uploader.0))
    .bind(each(uploads, |at, _| at.at))
    .bind(sizes)
    .bind(each(uploads, |_, upload| {
        i32::try_from(upload.files.len()).unwrap_or(i32::MAX)
    }))
    .bind(pieces)
    .bind(each(uploads, |_, upload| upload.info_hash.to_string()))
    .bind(each(uploads, |_, upload| {
        upload.info_hash_v2.map(|hash| hash.to_string())
    }))
    .bind(each(uploads, |at, _| at.position.0))
    .execute(&mut *to)
    .await?;
    files_of(to, uploads).await
}

/// Gives a column of uploads.
fn each<'a, T>(
    uploads: &[(&'a Recorded, &'a Upload)],
    of: impl Fn(&'a Recorded, &'a Upload) -> T,
) -> Vec<T> {
    uploads.iter().map(|(at, upload)| of(at, upload)).collect()
}

async fn files_of(
    to: &mut PgConnection,
    uploads: &[(&Recorded, &Upload)],
) -> Result<(), NotApplied> {
    let (mut torrents, mut places, mut paths, mut sizes) = (vec![], vec![], vec![], vec![]);
    for (at, upload) in uploads {
        for (place, file) in (0_i32..).zip(&upload.files) {
            torrents.push(at.stream_id);
            places.push(place);
            paths.push(file.path.as_str());
            sizes.push(column(file.size, at.position)?);
        }
    }
    sqlx::query(
        "insert into torrent_file (torrent, place, path, size)
         select * from unnest($1::uuid[], $2::int[], $3::text[], $4::bigint[])",
    )
    .bind(torrents)
    .bind(places)
    .bind(paths)
    .bind(sizes)
    .execute(to)
    .await?;
    Ok(())
}

fn column(amount: Bytes, position: Position) -> Result<i64, NotApplied> {
    i64::try_from(amount.0).map_err(|_| NotApplied::Event {
        position,
        reason: format!("{} bytes are too many", amount.0),
    })
}
