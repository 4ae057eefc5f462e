//! Who completed what, and how often each torrent was.

use std::collections::BTreeMap;

use domain::Recorded;
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::NotApplied;
use crate::fold::Copy;

/// New torrents, which nobody has completed, and new snatches.
pub(super) struct Snatches {
    new: Copy,
    /// Who first completed which torrent when, and where that stands in the log.
    first: BTreeMap<(Uuid, Uuid), (OffsetDateTime, i64)>,
}

impl Default for Snatches {
    fn default() -> Self {
        Self {
            new: Copy::into("snatch_count (torrent, count)", 2),
            first: BTreeMap::new(),
        }
    }
}

impl Snatches {
    pub(super) fn uploaded(&mut self, torrent: Uuid) -> Result<(), NotApplied> {
        self.new.row().put(torrent)?.put(0_i64)?;
        Ok(())
    }

    pub(super) fn completed(&mut self, torrent: Uuid, member: Uuid, event: &Recorded) {
        let first = (event.at, event.position.0);
        self.first.entry((torrent, member)).or_insert(first);
    }

    /// Gives the bytes of new rows.
    pub(super) fn bytes(&self) -> usize {
        self.new.bytes()
    }

    pub(super) async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.new.write(to).await
    }

    /// Writes who completed what for the first time, and counts it for the torrent and the member.
    pub(super) async fn write(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.first.is_empty() {
            return Ok(());
        }
        let (keys, said): (Vec<_>, Vec<_>) = std::mem::take(&mut self.first).into_iter().unzip();
        let (torrents, members): (Vec<Uuid>, Vec<Uuid>) = keys.into_iter().unzip();
        let (times, positions): (Vec<OffsetDateTime>, Vec<i64>) = said.into_iter().unzip();
        sqlx::query(
            "with new as (
                 insert into snatch (torrent, member, at, position)
                 select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[]) as s(torrent, member, at, position)
                 where not exists (select from ledger_gone g where g.member = s.member)
                 on conflict do nothing returning torrent, member),
             counted as (
                 insert into snatch_count as c (torrent, count) select torrent, count(*) from new group by torrent
                 on conflict (torrent) do update set count = c.count + excluded.count)
             update member_total m set snatches = m.snatches + grown.count
             from (select member, count(*) from new group by member) grown where m.member = grown.member",
        )
        .bind(torrents)
        .bind(members)
        .bind(times)
        .bind(positions)
        .execute(to)
        .await
        .map(|_| ())
    }
}
