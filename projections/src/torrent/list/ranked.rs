//! Orders that no table knows: how well words fit, and who is in the swarms just now. They are at hand,
//! so they are looked up from their front until the page is full.

use std::collections::HashSet;

use sqlx::QueryBuilder;
use sqlx::postgres::PgRow;
use uuid::Uuid;

use super::select::{AROUND, NAMES, Select, WALKED, Walk};
use super::{Column, Count, Swarms};
use crate::{Reads, Unavailable};

/// By how much more is looked up when what was didn't fill the page.
const GROWTH: usize = 4;

/// Torrents with their sort keys, in the order of the list.
pub(crate) type Ranked = Vec<(i64, Uuid)>;

/// Gives those who have seeders or leechers, by how many.
fn rank(swarms: &dyn Swarms, leechers: bool) -> Ranked {
    let peers = |count: Count| {
        i64::from(if leechers {
            count.leechers
        } else {
            count.seeders
        })
    };
    let live = swarms.live().into_iter();
    let mut ranked: Ranked = live.map(|(id, count)| (peers(count), id.0)).collect();
    ranked.retain(|(peers, _)| *peers > 0);
    ranked.sort_unstable();
    ranked
}

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

    /// Gives a page by seeders or leechers: those who have some, and the others by age.
    pub(super) async fn by_peers(
        &self,
        reads: &Reads,
        swarms: &dyn Swarms,
    ) -> Result<Vec<PgRow>, Unavailable> {
        let leechers = self.wanted.sort.by == Column::Leechers;
        // Who is live changes all the time, and ranking all of them costs more than a page: a moment old will do.
        let ask = async { Ok(rank(swarms, leechers)) };
        let live = reads.often.ranks.or_ask(Some(0), leechers, ask).await?;
        let mut ranked = Ranked::clone(&live);
        if let Some(found) = self.found {
            let found: HashSet<&Uuid> = found.iter().collect();
            ranked.retain(|(_, id)| found.contains(id));
        }
        let ascending = self.wanted.sort.ascending;
        if !ascending {
            ranked.reverse();
        }
        let (ranked, needed) = (self.behind(ranked), self.needed());
        let last = self.from.as_ref().and_then(|(number, _, _)| *number);
        let mut rows = vec![];
        if ascending {
            if last.is_none_or(|last| last == 0) {
                rows = self.rest(reads, &live, needed).await?;
            }
            let more = needed - rows.len().min(needed);
            rows.extend(self.ranked(reads, &ranked, more).await?);
        } else {
            rows.extend(self.ranked(reads, &ranked, needed).await?);
            let more = needed - rows.len().min(needed);
            if more > 0 {
                rows.extend(self.rest(reads, &live, more).await?);
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

    /// Gives the newest or oldest of those whom nobody seeds or leeches.
    async fn rest(
        &self,
        reads: &Reads,
        live: &Ranked,
        needed: usize,
    ) -> Result<Vec<PgRow>, Unavailable> {
        let last = self
            .from
            .as_ref()
            .and_then(|(number, _, id)| (*number == Some(0)).then_some(*id));
        let live = live.iter().map(|(_, id)| *id);
        if let Some(found) = self.found {
            // They are at hand, by age.
            let live: HashSet<Uuid> = live.collect();
            let place = last.and_then(|last| found.iter().position(|id| *id == last));
            let others = found.iter().skip(place.map_or(0, |place| place + 1));
            let others = others.filter(|id| !live.contains(*id));
            let others: Ranked = others.map(|id| (0, *id)).collect();
            return self.ranked(reads, &others, needed).await;
        }
        let (way, beyond) = (self.way(), self.beyond());
        let mut query = QueryBuilder::new(AROUND);
        query.push(format!(
            "{WALKED}, {} from torrent t",
            self.key("0::bigint")
        ));
        self.join_access(&mut query);
        self.filter(&mut query, Walk::Torrents);
        if live.len() > 0 {
            query
                .push(" and not exists (select from unnest(")
                .push_bind(live.collect::<Vec<_>>());
            query.push("::uuid[]) as live(id) where live.id = t.id)");
        }
        if let Some(last) = last {
            // A bound that is known, so that the walk begins there.
            let bound: Option<i64> =
                sqlx::query_scalar("select position from torrent where id = $1")
                    .bind(last)
                    .fetch_optional(&reads.pool)
                    .await?;
            query.push(format!(" and t.position {beyond} "));
            query.push_bind(bound);
        }
        query.push(format!(" order by t.position {way} limit "));
        query.push_bind(i64::try_from(needed).unwrap_or(i64::MAX));
        query.push(format!("{NAMES} x.position {way}"));
        Ok(query
            .build()
            .persistent(false)
            .fetch_all(&reads.planning)
            .await?)
    }
}
