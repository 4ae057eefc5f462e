//! A walk from category to category, in each no further than a page.

use sqlx::{Postgres, QueryBuilder};
use uuid::Uuid;

use super::select::{Select, WALKED, Walk};

impl Select<'_> {
    /// Walks over categories by name or, where some are wanted, over those, and merges what it finds.
    pub(super) fn by_shelf(&self, query: &mut QueryBuilder<'_, Postgres>, walk: Walk) {
        let (way, by_name) = (self.way(), walk == Walk::Shelves);
        let key = if by_name { "k.folded" } else { "y.position" };
        query.push(format!("select y.*, {} from (", self.key(key)));
        if by_name {
            self.shelves_by_name(query);
        } else {
            let shelves = self.shelves.clone().unwrap_or_default();
            query.push("select id from unnest(").push_bind(shelves);
            query.push("::uuid[]) as these(id)");
        }
        query.push(format!(") k cross join lateral ({WALKED} from torrent t"));
        self.join_and_filter(query, walk);
        query.push(" and t.category = k.id");
        self.seek_in_shelf(query, by_name);
        let inner = if by_name { "t.id" } else { "t.position" };
        let most = self.wanted.limit + 1 + self.wanted.skip;
        query.push(format!(
            " order by {inner} {way} limit {most}) y order by {key} {way}, y.id {way}"
        ));
        self.cut(query);
    }

    /// The categories in order, so that the walk ends with the first ones that fill the page.
    fn shelves_by_name(&self, query: &mut QueryBuilder<'_, Postgres>) {
        query.push("select id, lower(name) as folded from category where true");
        if let Some((_, Some(text), _)) = &self.from {
            query.push(format!(" and lower(name) {}= ", self.beyond()));
            query.push_bind(text.clone());
        }
        if let Some(shelves) = self.shelves.clone() {
            query.push(" and id = any(").push_bind(shelves).push(")");
        }
        query.push(format!(" order by folded {}", self.way()));
    }

    /// Begins behind the cursor's row: in its own category there, in others of another name at their start.
    fn seek_in_shelf(&self, query: &mut QueryBuilder<'_, Postgres>, by_name: bool) {
        let Some((number, text, last)) = self.from.clone().filter(|_| self.seeks()) else {
            return;
        };
        let beyond = self.beyond();
        if !by_name {
            query.push(format!(" and t.position {beyond} "));
            query.push_bind(number);
            return;
        }
        let start = if self.wanted.sort.ascending {
            Uuid::nil()
        } else {
            Uuid::max()
        };
        query.push(format!(" and t.id {beyond} case when k.folded = "));
        query.push_bind(text).push(" then ").push_bind(last);
        query.push("::uuid else ").push_bind(start);
        query.push("::uuid end");
    }
}
