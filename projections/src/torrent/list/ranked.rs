//! Orders that no table knows: how well words fit, and who is in the swarms just now. They are at hand,
//! so they are looked up from their front until the page is full.

use std::collections::HashSet;

use sqlx::QueryBuilder;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::select::{AROUND, NAMES, Select, WALKED, Walk};
use super::{Column, Swarms};
use crate::{Reads, Unavailable};

/// By how much more is looked up when what was didn't fill the page.
const GROWTH: usize = 4;

/// Torrents with their sort keys, in the order of the list.
type Ranked = Vec<(i64, Uuid)>;

impl Select<'_> {
    /// Gives a page by how well words fit.
    pub(super) async fn by_place(
        &self,
        reads: &Reads,
        found: &[Uuid],
    ) -> Result<Vec<PgRow>, Unavailable> {
        // The best comes first, so the greatest key is the first place.
        let mut ranked: Ranked = (1..)
            .map(|place: i64| -place)
            .zip(found.iter().copied())
            .collect();
        if self.wanted.sort.ascending {
            ranked.reverse();
        }
        let mut rows = self
            .ranked(reads, &self.behind(ranked), self.needed())
            .await?;
        self.pass(&mut rows);
        Ok(rows)
    }

    /// Gives a page by seeders or leechers: those who have some, and the others by id.
    pub(super) async fn by_peers(
        &self,
        reads: &Reads,
        swarms: &dyn Swarms,
    ) -> Result<Vec<PgRow>, Unavailable> {
        let found: Option<HashSet<&Uuid>> = self.found.map(|found| found.iter().collect());
        let leechers = self.wanted.sort.by == Column::Leechers;
        let live = swarms.live().into_iter();
        let mut ranked: Ranked = live
            .map(|(id, count)| {
                let peers = if leechers {
                    count.leechers
                } else {
                    count.seeders
                };
                (i64::from(peers), id.0)
            })
            .filter(|(count, _)| *count > 0)
            .collect();
        let all: Vec<Uuid> = ranked.iter().map(|(_, id)| *id).collect();
        ranked.retain(|(_, id)| found.as_ref().is_none_or(|found| found.contains(id)));
        ranked.sort_unstable();
        let ascending = self.wanted.sort.ascending;
        if !ascending {
            ranked.reverse();
        }
        let (ranked, needed) = (self.behind(ranked), self.needed());
        let last = self.from.as_ref().and_then(|(number, _, _)| *number);
        let mut rows = vec![];
        if ascending {
            if last.is_none_or(|last| last == 0) {
                rows = self.rest(reads, all, needed).await?;
            }
            let more = needed - rows.len().min(needed);
            rows.extend(self.ranked(reads, &ranked, more).await?);
        } else {
            rows.extend(self.ranked(reads, &ranked, needed).await?);
            let more = needed - rows.len().min(needed);
            if more > 0 {
                rows.extend(self.rest(reads, all, more).await?);
            }
        }
        self.pass(&mut rows);
        Ok(rows)
    }

    /// Counts the rows that a page needs: one more than it holds, and those that are passed by.
    fn needed(&self) -> usize {
        usize::try_from(self.wanted.limit + 1 + self.wanted.skip).unwrap_or(usize::MAX)
    }

    fn pass(&self, rows: &mut Vec<PgRow>) {
        let skip = usize::try_from(self.wanted.skip).unwrap_or(0);
        rows.drain(..skip.min(rows.len()));
    }

    /// Leaves what stands behind the row with which the page before ended.
    fn behind(&self, mut ranked: Ranked) -> Ranked {
        if let Some((Some(number), _, id)) = self.from {
            let last = (number, id);
            ranked.retain(|key| {
                if self.wanted.sort.ascending {
                    *key > last
                } else {
                    *key < last
                }
            });
        }
        ranked
    }

    /// Looks up the first of these that are wanted.
    async fn ranked(
        &self,
        reads: &Reads,
        mut ranked: &[(i64, Uuid)],
        needed: usize,
    ) -> Result<Vec<PgRow>, Unavailable> {
        let (mut rows, mut most) = (vec![], needed.saturating_mul(2));
        while rows.len() < needed && !ranked.is_empty() {
            let (these, later) = ranked.split_at(most.min(ranked.len()));
            let (numbers, ids): (Vec<i64>, Vec<Uuid>) = these.iter().copied().unzip();
            let mut query = QueryBuilder::new(AROUND);
            query.push(WALKED);
            query.push(", hit.number, null::text as text, hit.place from unnest(");
            query.push_bind(ids).push("::uuid[], ").push_bind(numbers);
            query.push("::bigint[]) with ordinality as hit(id, number, place) join torrent t on t.id = hit.id");
            self.join_access(&mut query);
            self.filter(&mut query, Walk::Torrents);
            query.push(NAMES).push("x.place");
            rows.extend(
                query
                    .build()
                    .persistent(false)
                    .fetch_all(&reads.planning)
                    .await?,
            );
            ranked = later;
            most = most.saturating_mul(GROWTH);
        }
        rows.truncate(needed);
        Ok(rows)
    }

    /// Gives the first by id of those whom nobody seeds or leeches.
    async fn rest(
        &self,
        reads: &Reads,
        but: Vec<Uuid>,
        needed: usize,
    ) -> Result<Vec<PgRow>, Unavailable> {
        let (way, beyond) = (self.way(), self.beyond());
        let mut query = QueryBuilder::new(AROUND);
        query.push(format!(
            "{WALKED}, {} from torrent t",
            self.key("0::bigint")
        ));
        self.join_and_filter(&mut query, Walk::Torrents);
        if !but.is_empty() {
            query
                .push(" and not exists (select from unnest(")
                .push_bind(but);
            query.push("::uuid[]) as live(id) where live.id = t.id)");
        }
        if let Some((Some(0), _, last)) = self.from {
            query.push(format!(" and t.id {beyond} ")).push_bind(last);
        }
        query.push(format!(" order by t.id {way} limit "));
        query.push_bind(i64::try_from(needed).unwrap_or(i64::MAX));
        query.push(format!("{NAMES} x.id {way}"));
        Ok(query
            .build()
            .persistent(false)
            .fetch_all(&reads.planning)
            .await?)
    }
}
