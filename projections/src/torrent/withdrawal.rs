//! Who withdrew a torrent, and why.

use std::collections::BTreeMap;

use domain::torrent::Event;
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use uuid::Uuid;

/// A torrent's withdrawal, for its uploader and the staff.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withdrawal {
    /// Whether the staff did, and not the uploader.
    pub by_staff: bool,
    /// Why, in the words of who did.
    pub reason: Option<String>,
}

impl Withdrawal {
    /// Gives what an event says of it; nothing where the torrent is offered again.
    pub(super) fn told(event: &Event) -> Option<Self> {
        if let Event::TorrentWithdrawn { reason, by_staff } = event {
            Some(Self {
                by_staff: *by_staff,
                reason: reason.clone(),
            })
        } else {
            None
        }
    }

    pub(super) fn read(row: &PgRow) -> Result<Option<Self>, sqlx::Error> {
        let is_withdrawn: bool = row.try_get("withdrawn")?;
        let withdrawal = Self {
            by_staff: row.try_get("withdrawn_by_staff")?,
            reason: row.try_get("withdrawal_reason")?,
        };
        Ok(is_withdrawn.then_some(withdrawal))
    }
}

/// Writes the last word on each torrent.
pub(super) async fn write(
    said: BTreeMap<Uuid, Option<Withdrawal>>,
    to: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    if said.is_empty() {
        return Ok(());
    }
    let (ids, said): (Vec<Uuid>, Vec<Option<Withdrawal>>) = said.into_iter().unzip();
    let gone: Vec<bool> = said.iter().map(Option::is_some).collect();
    let (by_staff, reasons): (Vec<bool>, Vec<Option<String>>) = said
        .into_iter()
        .map(|said| said.map_or((false, None), |said| (said.by_staff, said.reason)))
        .unzip();
    sqlx::query(
        "update torrent t set withdrawn = s.withdrawn, withdrawn_by_staff = s.by_staff, withdrawal_reason = s.reason
         from unnest($1::uuid[], $2::bool[], $3::bool[], $4::text[]) as s(id, withdrawn, by_staff, reason)
         where t.id = s.id",
    )
    .bind(ids)
    .bind(gone)
    .bind(by_staff)
    .bind(reasons)
    .execute(to)
    .await
    .map(|_| ())
}
