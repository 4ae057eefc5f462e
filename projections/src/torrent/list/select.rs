//! The statement behind a page: it walks an index in the list's order, and stops when the page is full.

use domain::amount::Bytes;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::{Column, Eyes, Key, Wanted};
use crate::{Reads, Unavailable};

/// What is asked of the database.
pub(super) struct Select<'a> {
    pub(super) wanted: &'a Wanted,
    /// The categories that are wanted, and those below them.
    pub(super) shelves: Option<Vec<Uuid>>,
    /// What was found by words, the best first.
    pub(super) found: Option<&'a [Uuid]>,
    /// Whether it must or must not be among those that are seeded.
    pub(super) seeded: Option<(bool, Vec<Uuid>)>,
    /// The last row of the page before.
    pub(super) from: Option<Key>,
}

/// Where the walk goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Walk {
    /// Over torrents, or those that are at hand.
    Torrents,
    /// Over what a tag marks, the newest first.
    Tag,
    /// Over counted snatches.
    Snatches,
    /// Over categories by name, and in each by id.
    Shelves,
    /// Over wanted categories, in each by age.
    Wanted,
}

pub(super) type Query<'q> = QueryBuilder<'q, Postgres>;

/// A torrent `t` as it is walked to.
pub(super) const WALKED: &str =
    "select t.id, t.name, t.category, t.uploader, t.uploaded_at, t.size, t.files, t.review,
        t.review_reason, t.info_hash, t.position";

/// What stands around the rows that were walked to, before them.
pub(super) const AROUND: &str = "select x.id, x.name, coalesce(c.slug, '') as slug, coalesce(c.name, '') as category_name,
        coalesce(m.name, '') as uploader_name, x.uploaded_at, x.size, x.files, x.review, x.review_reason, x.info_hash,
        a.free_until, coalesce(n.count, 0) as snatches, array(select g.tag from torrent_tag g where g.torrent = x.id) as tags,
        x.number, x.text
    from (";

/// And behind them.
pub(super) const NAMES: &str =
    ") x left join category c on c.id = x.category left join member m on m.id = x.uploader
    left join access_torrent a on a.torrent = x.id left join snatch_count n on n.torrent = x.id order by ";

impl Select<'_> {
    /// Gives one row more than the page holds, in an order that the tables know.
    pub(super) async fn sorted(&self, reads: &Reads) -> Result<Vec<PgRow>, Unavailable> {
        let (walk, way) = (self.walk(), self.way());
        let mut query = QueryBuilder::new(AROUND);
        if matches!(walk, Walk::Shelves | Walk::Wanted) {
            self.by_shelf(&mut query, walk);
        } else {
            self.straight(&mut query, walk);
        }
        let key = if self.is_text() { "text" } else { "number" };
        query.push(format!("{NAMES} x.{key} {way}, x.id {way}"));
        Ok(self.rows(reads, query).await?)
    }

    pub(super) async fn rows(
        &self,
        reads: &Reads,
        mut query: Query<'_>,
    ) -> Result<Vec<PgRow>, sqlx::Error> {
        if self.costs_by_value() {
            let query = query.build().persistent(false);
            return query.fetch_all(&reads.planning).await;
        }
        query.build().fetch_all(&reads.pool).await
    }

    /// Tells whether what is asked costs more or less by the length of a list of ids, or by how much is
    /// beyond a bound: no plan is kept for all of them.
    fn costs_by_value(&self) -> bool {
        let wanted = self.wanted;
        let lists = self.found.is_some() || self.seeded.is_some() || self.shelves.is_some();
        let bounds = wanted.size != (None, None) || wanted.since.is_some();
        lists || bounds || wanted.free_at.is_some()
    }

    fn walk(&self) -> Walk {
        let by = self.wanted.sort.by;
        match (by, &self.shelves, self.wanted.tag) {
            _ if self.found.is_some() => Walk::Torrents,
            (Column::Snatches, _, _) => Walk::Snatches,
            (Column::Category, _, _) => Walk::Shelves,
            (Column::Added | Column::Relevance, Some(_), None) => Walk::Wanted,
            (Column::Added | Column::Relevance, None, Some(_)) => Walk::Tag,
            _ => Walk::Torrents,
        }
    }

    fn is_text(&self) -> bool {
        matches!(self.wanted.sort.by, Column::Name | Column::Category)
    }

    pub(super) fn way(&self) -> &'static str {
        if self.wanted.sort.ascending {
            "asc"
        } else {
            "desc"
        }
    }

    pub(super) fn beyond(&self) -> &'static str {
        if self.wanted.sort.ascending { ">" } else { "<" }
    }

    /// Walks one index.
    fn straight(&self, query: &mut Query<'_>, walk: Walk) {
        // A key, and what tells rows of the same one apart.
        let (key, id) = match (walk, self.wanted.sort.by) {
            (Walk::Tag, _) => ("g.position", "g.torrent"),
            (Walk::Snatches, _) => ("k.count", "k.torrent"),
            (_, Column::Name) => ("lower(t.name)", "t.id"),
            (_, Column::Category) => ("lower(coalesce(h.name, ''))", "t.id"),
            (_, Column::Snatches) => ("coalesce(k.count, 0)", "t.id"),
            (_, Column::Size) => ("t.size", "t.id"),
            _ => ("t.position", "t.id"),
        };
        query.push(format!("{WALKED}, {} from ", self.key(key)));
        query.push(match (walk, self.wanted.sort.by) {
            (Walk::Tag, _) => "torrent_tag g join torrent t on t.id = g.torrent",
            (Walk::Snatches, _) => "snatch_count k join torrent t on t.id = k.torrent",
            (_, Column::Category) => "torrent t left join category h on h.id = t.category",
            (_, Column::Snatches) => "torrent t left join snatch_count k on k.torrent = t.id",
            _ => "torrent t",
        });
        self.join_and_filter(query, walk);
        let (way, beyond) = (self.way(), self.beyond());
        if self.seeks() {
            query.push(format!(" and ({key}, {id}) {beyond} ("));
            self.bind_key(query);
            query.push(")");
        }
        query.push(format!(" order by {key} {way}, {id} {way}"));
        self.cut(query);
    }

    /// Names a sort key, as the number or the text that it is.
    pub(super) fn key(&self, key: &str) -> String {
        if self.is_text() {
            format!("null::bigint as number, {key} as text")
        } else {
            format!("{key} as number, null::text as text")
        }
    }

    /// Tells whether there is a row to begin behind; one of another sort begins at the first page.
    pub(super) fn seeks(&self) -> bool {
        let key = self.from.as_ref();
        key.is_some_and(|(number, text, _)| {
            if self.is_text() {
                text.is_some()
            } else {
                number.is_some()
            }
        })
    }

    fn bind_key(&self, query: &mut Query<'_>) {
        if let Some((number, text, id)) = self.from.clone() {
            match text.filter(|_| self.is_text()) {
                Some(text) => query.push_bind(text),
                None => query.push_bind(number),
            };
            query.push(", ").push_bind(id);
        }
    }

    /// Ends the walk with one row more than the page holds.
    pub(super) fn cut(&self, query: &mut Query<'_>) {
        // A number that is known lets one plan serve every page.
        query.push(format!(" limit {}", self.wanted.limit + 1));
        if self.wanted.skip > 0 {
            query.push(" offset ").push_bind(self.wanted.skip);
        }
    }

    /// Joins what is asked of each torrent, and leaves out what isn't wanted.
    pub(super) fn join_and_filter(&self, query: &mut Query<'_>, walk: Walk) {
        self.join_access(query);
        if let Some(found) = self.found {
            query.push(" join unnest(").push_bind(found.to_vec());
            query.push("::uuid[]) as hit(id) on hit.id = t.id");
        }
        self.filter(query, walk);
    }

    /// Joins the access `f` where it decides what is wanted.
    pub(super) fn join_access(&self, query: &mut Query<'_>) {
        if self.wanted.free_at.is_some() {
            query.push(" left join access_torrent f on f.torrent = t.id");
        }
    }

    /// Leaves out what isn't wanted.
    pub(super) fn filter(&self, query: &mut Query<'_>, walk: Walk) {
        let wanted = self.wanted;
        query.push(" where not t.withdrawn");
        self.seen(query);
        let walked = matches!(walk, Walk::Shelves | Walk::Wanted);
        if let Some(shelves) = self.shelves.clone().filter(|_| !walked) {
            query.push(" and t.category = any(");
            query.push_bind(shelves).push(")");
        }
        if let Some(uploader) = wanted.uploader {
            query.push(" and t.uploader = ").push_bind(uploader.0);
        }
        match wanted.tag {
            None => {}
            Some(tag) if walk == Walk::Tag => {
                query.push(" and g.tag = ").push_bind(tag.0);
            }
            Some(tag) => {
                query.push(
                    " and exists (select from torrent_tag g where g.torrent = t.id and g.tag = ",
                );
                query.push_bind(tag.0).push(")");
            }
        }
        if let Some(member) = wanted.bookmarked_by {
            query
                .push(" and exists (select from bookmark b where b.torrent = t.id and b.member = ")
                .push_bind(member.0);
            query.push(")");
        }
        self.filter_more(query);
    }

    fn filter_more(&self, query: &mut Query<'_>) {
        let wanted = self.wanted;
        let column = |bytes: Bytes| i64::try_from(bytes.0).unwrap_or(i64::MAX);
        if let Some(least) = wanted.size.0 {
            query.push(" and t.size >= ").push_bind(column(least));
        }
        if let Some(most) = wanted.size.1 {
            query.push(" and t.size <= ").push_bind(column(most));
        }
        if let Some(since) = wanted.since {
            // Positions grow with time, so a walk by position ends there.
            query
                .push(" and t.position >= (select position from torrent where uploaded_at >= ")
                .push_bind(since);
            query.push(" order by uploaded_at, position limit 1)");
        }
        if let Some(moment) = wanted.free_at {
            query.push(" and f.free_until > ").push_bind(moment);
        }
        // Who seeds what is in no table, so the swarms at hand are passed in.
        if let Some((is, seeded)) = self.seeded.clone() {
            let is = if is { "= any(" } else { "<> all(" };
            query.push(format!(" and t.id {is}")).push_bind(seeded);
            query.push("::uuid[])");
        }
    }

    /// Leaves out what isn't for whose eyes the list is.
    fn seen(&self, query: &mut Query<'_>) {
        match self.wanted.eyes {
            Eyes::Anybody => query.push(" and not t.held"),
            Eyes::Member(member) => {
                query
                    .push(" and (not t.held or t.review <> 'rejected' and t.uploader = ")
                    .push_bind(member.0);
                query.push(")")
            }
            Eyes::Staff => query.push(" and (not t.held or t.review <> 'rejected')"),
        };
    }
}
