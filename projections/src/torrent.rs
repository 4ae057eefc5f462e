//! One torrent's page, and the fold behind it and the list.
//!
//! Before: [`domain::torrent`]. The list is [`list`], words are [`search`]'s.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::amount::Bytes;
use domain::id::{CategoryId, MemberId, TorrentId};
use domain::torrent::{self, Edit, File, Review, Upload};
use domain::{Fact, Position, Recorded};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::tag::{self, Tag};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

pub mod list;
pub mod queue;
pub mod search;
pub mod withdrawal;

use withdrawal::Withdrawal;

/// Bytes of descriptions that weigh as one change in memory.
const BYTES_OF_A_CHANGE: usize = 256;

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
    /// Who withdrew it and why, while it isn't offered.
    pub withdrawn: Option<Withdrawal>,
    /// What it is marked with.
    pub tags: Vec<Tag>,
    /// What the staff says of it while it isn't approved.
    pub review: Option<Review>,
    /// How many members completed it.
    pub snatches: i64,
}

/// Gives one torrent.
pub async fn detail(reads: &Reads, id: TorrentId) -> Result<Option<Detail>, Unavailable> {
    let row = sqlx::query(
        "select t.id, t.name, t.category, coalesce(c.name, '') as category_name, t.description, t.uploader,
                coalesce(m.name, '') as uploader_name, t.uploaded_at, t.size, t.files, t.piece_length,
                t.info_hash, t.info_hash_v2, t.withdrawn, t.withdrawn_by_staff, t.withdrawal_reason, t.review, t.review_reason,
                coalesce(s.count, 0) as snatches, array(select g.tag from torrent_tag g where g.torrent = t.id) as tags
         from torrent t left join category c on c.id = t.category left join member m on m.id = t.uploader
         left join snatch_count s on s.torrent = t.id
         where t.id = $1",
    )
    .bind(id.0)
    .fetch_optional(&reads.pool)
    .await?;
    let tags = tag::all(reads).await?;
    let detail = row.as_ref().map(|row| detail_row(row, &tags));
    Ok(detail.transpose()?)
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

fn detail_row(row: &PgRow, tags: &[Tag]) -> Result<Detail, sqlx::Error> {
    let marks: Vec<Uuid> = row.try_get("tags")?;
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
        withdrawn: Withdrawal::read(row)?,
        tags: tag::these(tags, &marks),
        review: review(row)?,
        snatches: row.try_get("snatches")?,
    })
}

fn review(row: &PgRow) -> Result<Option<Review>, sqlx::Error> {
    let name: Option<String> = row.try_get("review")?;
    let reason: Option<String> = row.try_get("review_reason")?;
    Ok(name.map(|name| Review::named(&name, reason.unwrap_or_default())))
}

fn bytes(row: &PgRow, column: &str) -> Result<Bytes, sqlx::Error> {
    let stored: i64 = row.try_get(column)?;
    Ok(Bytes(stored.unsigned_abs()))
}

/// The projection behind torrents' pages and the list.
#[derive(Debug)]
pub struct Torrents;

impl Projection for Torrents {
    fn name(&self) -> &'static str {
        "torrent"
    }

    fn version(&self) -> i32 {
        6
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/torrent.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/torrent.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["torrent", "torrent_file", "torrent_tag"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["torrent"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            uploads: Copy::into(
                "torrent (id, name, category, description, uploader, uploaded_at, size, files, piece_length,
                          info_hash, info_hash_v2, withdrawn, review, held, position)",
                15,
            ),
            files: Copy::into("torrent_file (torrent, place, path, size)", 4),
            tags: Copy::into("torrent_tag (torrent, tag, position)", 3),
            edits: BTreeMap::new(),
            edited: 0,
            withdrawn: BTreeMap::new(),
            reviews: BTreeMap::new(),
        })
    }
}

/// New torrents with their files, and the last word on what each page says, whether it is withdrawn, and
/// what the staff says of it.
struct Said {
    uploads: Copy,
    files: Copy,
    tags: Copy,
    edits: BTreeMap<Uuid, Edit>,
    /// Bytes of the descriptions in `edits`.
    edited: usize,
    withdrawn: BTreeMap<Uuid, Option<Withdrawal>>,
    reviews: BTreeMap<Uuid, Option<Review>>,
}

impl Said {
    fn edited(&mut self, torrent: Uuid, edit: &Edit) {
        self.edited += edit.description.len();
        if let Some(before) = self.edits.insert(torrent, edit.clone()) {
            self.edited -= before.description.len();
        }
    }

    fn uploaded(&mut self, at: &Recorded, upload: &Upload) -> Result<(), NotApplied> {
        let row = self.uploads.row().put(at.stream_id)?;
        row.put(&upload.name)?
            .put(upload.category.0)?
            .put(&upload.description)?
            .put(upload.uploader.0)?
            .put(at.at)?
            .put(column(upload.size, at.position)?)?
            .put(i32::try_from(upload.files.len()).unwrap_or(i32::MAX))?
            .put(column(upload.piece_length, at.position)?)?
            .put(upload.info_hash.to_string())?
            .put(upload.info_hash_v2.map(|hash| hash.to_string()))?
            .put(false)?
            .put(upload.pending.then(|| Review::Waiting.name()))?
            .put(upload.pending)?
            .put(at.position.0)?;
        for (place, file) in (0_i32..).zip(&upload.files) {
            let row = self.files.row().put(at.stream_id)?.put(place)?;
            row.put(&file.path)?.put(column(file.size, at.position)?)?;
        }
        for tag in &upload.tags {
            let row = self.tags.row().put(at.stream_id)?;
            row.put(tag.0)?.put(at.position.0)?;
        }
        Ok(())
    }
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let Fact::Torrent(happened) = &event.fact else {
            return Ok(());
        };
        match happened.as_ref() {
            torrent::Event::TorrentUploaded(upload) => self.uploaded(event, upload)?,
            torrent::Event::TorrentEdited(edit) => self.edited(event.stream_id, edit),
            torrent::Event::TorrentWithdrawn { .. } | torrent::Event::TorrentRestored {} => {
                let said = Withdrawal::told(happened);
                self.withdrawn.insert(event.stream_id, said);
            }
            // `access` keeps it.
            torrent::Event::FreeleechSet { .. } | torrent::Event::FreeleechLifted {} => {}
            torrent::Event::TorrentApproved {}
            | torrent::Event::TorrentRejected { .. }
            | torrent::Event::TorrentChangesAsked { .. }
            | torrent::Event::TorrentSubmitted {} => {
                self.reviews.insert(event.stream_id, reviewed(happened));
            }
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.uploads.bytes() + self.files.bytes() + self.tags.bytes(),
            // Long descriptions count as the changes that would fill as much memory.
            changes: self.withdrawn.len()
                + self.reviews.len()
                + self.edits.len()
                + self.edited / BYTES_OF_A_CHANGE,
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.uploads.write(to).await?;
        self.files.write(to).await?;
        self.tags.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.write_edits(to).await?;
        self.write_reviews(to).await?;
        withdrawal::write(std::mem::take(&mut self.withdrawn), to).await
    }
}

impl Said {
    async fn write_edits(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let (ids, edits): (Vec<Uuid>, Vec<Edit>) =
            std::mem::take(&mut self.edits).into_iter().unzip();
        self.edited = 0;
        if ids.is_empty() {
            return Ok(());
        }
        let marked = ids.iter().zip(&edits);
        let (of, tags): (Vec<Uuid>, Vec<Uuid>) = marked
            .flat_map(|(id, edit)| edit.tags.iter().map(|tag| (*id, tag.0)))
            .unzip();
        let (categories, descriptions): (Vec<Uuid>, Vec<String>) = edits
            .into_iter()
            .map(|edit| (edit.category.0, edit.description))
            .unzip();
        sqlx::query("delete from torrent_tag where torrent = any($1)")
            .bind(&ids)
            .execute(&mut *to)
            .await?;
        sqlx::query(
            "insert into torrent_tag (torrent, tag, position)
             select s.torrent, s.tag, t.position from unnest($1::uuid[], $2::uuid[]) as s(torrent, tag)
             join torrent t on t.id = s.torrent",
        )
        .bind(of)
        .bind(tags)
        .execute(&mut *to)
        .await?;
        sqlx::query(
            "update torrent t set category = s.category, description = s.description
             from unnest($1::uuid[], $2::uuid[], $3::text[]) as s(id, category, description)
             where t.id = s.id",
        )
        .bind(ids)
        .bind(categories)
        .bind(descriptions)
        .execute(to)
        .await
        .map(|_| ())
    }

    async fn write_reviews(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.reviews.is_empty() {
            return Ok(());
        }
        let (ids, reviews): (Vec<Uuid>, Vec<_>) =
            std::mem::take(&mut self.reviews).into_iter().unzip();
        let said = reviews.iter().map(Option::as_ref);
        let (names, reasons): (Vec<_>, Vec<_>) = said
            .map(|review| (review.map(Review::name), review.and_then(Review::reason)))
            .unzip();
        sqlx::query(
            "update torrent t set review = s.review, review_reason = s.reason, held = s.review is not null
             from unnest($1::uuid[], $2::text[], $3::text[]) as s(id, review, reason) where t.id = s.id",
        )
        .bind(ids)
        .bind(names)
        .bind(reasons)
        .execute(to)
        .await
        .map(|_| ())
    }
}

/// What the staff says of a torrent after an event; nothing once it is approved.
fn reviewed(event: &torrent::Event) -> Option<Review> {
    match event {
        torrent::Event::TorrentRejected { reason } => Some(Review::Rejected {
            reason: reason.clone(),
        }),
        torrent::Event::TorrentChangesAsked { reason } => Some(Review::ChangesAsked {
            reason: reason.clone(),
        }),
        torrent::Event::TorrentSubmitted {} => Some(Review::Waiting),
        torrent::Event::TorrentApproved {}
        | torrent::Event::TorrentUploaded(_)
        | torrent::Event::TorrentEdited(_)
        | torrent::Event::TorrentWithdrawn { .. }
        | torrent::Event::TorrentRestored {}
        | torrent::Event::FreeleechSet { .. }
        | torrent::Event::FreeleechLifted {} => None,
    }
}

fn column(amount: Bytes, position: Position) -> Result<i64, NotApplied> {
    i64::try_from(amount.0).map_err(|_| NotApplied::Event {
        position,
        reason: format!("{} bytes are too many", amount.0),
    })
}
