//! What a search wants of its hits besides words, and the orders that the index knows, so that PostgreSQL looks
//! up no more of them than a page shows.

use domain::id::TagId;
use tantivy::collector::TopDocs;
use tantivy::query::{Query, TermSetQuery};
use tantivy::{DocAddress, DocId, Searcher, SegmentReader, Term};
use uuid::Uuid;

use super::{HALVES, SORTED, Search, key};

/// What hits must be besides; anything, the best first, by default.
#[derive(Debug, Clone, Default)]
pub struct Narrow {
    /// The categories of which it stands in one.
    pub categories: Option<Vec<Uuid>>,
    /// What it is marked with.
    pub tag: Option<TagId>,
    /// The order, where it isn't the best first.
    pub order: Option<Order>,
}

/// An order that the index knows.
#[derive(Debug, Clone, Copy)]
pub struct Order {
    /// By what.
    pub by: By,
    /// Smallest first rather than greatest first.
    pub ascending: bool,
    /// The key and the id of the last one that isn't wanted any more.
    pub behind: Option<(i64, Uuid)>,
}

/// By what the index can sort.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By {
    /// When it came into the log.
    Position,
    /// The sum of its files.
    Size,
}

/// The key and the two halves of the id, as they are or each turned over, so that the greatest comes first.
type Place = [u64; 3];

impl Search {
    /// What hits must be besides, as queries.
    pub(super) fn narrowed(&self, narrow: &Narrow) -> Vec<Box<dyn Query>> {
        let categories = narrow.categories.iter().map(|these| {
            let term = |id: &Uuid| Term::from_field_bytes(self.fields.category, id.as_bytes());
            TermSetQuery::new(these.iter().map(term))
        });
        let tag = narrow.tag.iter().map(|tag| {
            TermSetQuery::new([Term::from_field_bytes(self.fields.tags, tag.0.as_bytes())])
        });
        let boxed = |query| -> Box<dyn Query> { Box::new(query) };
        categories.chain(tag).map(boxed).collect()
    }
}

impl Order {
    /// The first hits of a query.
    pub(super) fn first(
        self,
        searcher: &Searcher,
        query: &dyn Query,
        limit: usize,
    ) -> tantivy::Result<Vec<DocAddress>> {
        let behind = self.behind.map(|(number, id)| {
            let (high, low) = id.as_u64_pair();
            self.turned([key(number), high, low])
        });
        let place = move |segment: &SegmentReader| {
            let columns = [self.column(), HALVES[0], HALVES[1]];
            let columns = columns.map(|column| segment.fast_fields().u64(column).ok());
            move |document: DocId| {
                let mut place = Place::default();
                for (part, column) in place.iter_mut().zip(&columns) {
                    *part = column.as_ref()?.first(document)?;
                }
                let place = self.turned(place);
                behind.is_none_or(|behind| place < behind).then_some(place)
            }
        };
        let hits = searcher.search(query, &TopDocs::with_limit(limit).order_by(place))?;
        let wanted = hits.into_iter().filter(|(place, _)| place.is_some());
        Ok(wanted.map(|(_, hit)| hit).collect())
    }

    fn column(self) -> &'static str {
        let [position, size] = SORTED;
        match self.by {
            By::Position => position,
            By::Size => size,
        }
    }

    fn turned(self, place: Place) -> Place {
        if self.ascending {
            place.map(|part| !part)
        } else {
            place
        }
    }
}
