//! The search for words: what has them whole in its name comes first, then what has them whole anywhere,
//! then begun, and where nothing fits, misspelt by a letter. In another order than the best first, it is all
//! the same whether a word is whole or begun.
//!
//! Who wants few hits asks no further than they need: of one word the index passes by what can't come before
//! what it has found already. All words of a document stand in one field, so that several words are what
//! their lists have in common.

use std::collections::{BTreeSet, HashSet};

use tantivy::collector::TopDocs;
use tantivy::columnar::Column;
use tantivy::query::{BooleanQuery, BoostQuery, FuzzyTermQuery, Occur, Query, TermQuery};
use tantivy::schema::{Field, IndexRecordOption};
use tantivy::tokenizer::TokenStream as _;
use tantivy::{DocAddress, Searcher, SegmentReader, Term};
use uuid::Uuid;

use super::{HALVES, Narrow, Search};
use crate::Unavailable;

/// The most words of a search that count.
const MOST_WORDS: usize = 16;
/// The most words of one beginning that are looked for each by itself.
const FEW_BEGUN: usize = 64;

/// Where words are looked for.
#[derive(Clone, Copy)]
pub(crate) struct Within {
    /// Whose hits come first.
    pub(crate) foremost: Field,
    /// What has all the words, the foremost too.
    pub(crate) all: Field,
    /// Whether tags' names count besides.
    pub(crate) tags: bool,
}

/// How a word fits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fit {
    /// As it stands.
    Whole,
    /// Or as the beginning of another.
    Begun,
    /// Or as the beginning of another, but for a letter.
    Misspelt,
}

/// A query with its weight.
pub(crate) type Weighed = (Box<dyn Query>, f32);

impl Fit {
    /// A word in a field, each way with its weight.
    pub(crate) fn queries(
        self,
        searcher: &Searcher,
        field: Field,
        word: &str,
    ) -> tantivy::Result<Vec<Weighed>> {
        let term = Term::from_field_text(field, word);
        let mut queries = vec![of_term(&term, 2.0)];
        let few = match self {
            Self::Whole => return Ok(queries),
            Self::Begun => begun(searcher, field, word)?,
            Self::Misspelt => None,
        };
        if let Some(few) = few {
            queries.extend(few.iter().map(|term| of_term(term, 1.0)));
        } else {
            let distance = u8::from(self == Self::Misspelt);
            let begun = FuzzyTermQuery::new_prefix(term, distance, true);
            queries.push((Box::new(begun), 1.0));
        }
        Ok(queries)
    }
}

fn of_term(term: &Term, weight: f32) -> Weighed {
    let query = TermQuery::new(term.clone(), IndexRecordOption::WithFreqs);
    (Box::new(query), weight)
}

/// Gives the longer words of a field that begin so, where they are few: then what the other words of a search
/// leave is looked at, rather than all that has one of these.
fn begun(searcher: &Searcher, field: Field, word: &str) -> tantivy::Result<Option<BTreeSet<Term>>> {
    let mut few = BTreeSet::new();
    for segment in searcher.segment_readers() {
        let index = segment.inverted_index(field)?;
        let mut longer = index.terms().range().gt(word).into_stream()?;
        while longer.advance() && longer.key().starts_with(word.as_bytes()) {
            let Ok(found) = std::str::from_utf8(longer.key()) else {
                continue;
            };
            few.insert(Term::from_field_text(field, found));
            if few.len() > FEW_BEGUN {
                return Ok(None);
            }
        }
    }
    Ok(Some(few))
}

impl Search {
    /// Finds the torrents that fit all the words, the best first where no other order is wanted.
    pub fn find(
        &self,
        words: &str,
        narrow: &Narrow,
        limit: usize,
    ) -> Result<Vec<Uuid>, Unavailable> {
        let within = Within {
            foremost: self.fields.name,
            all: self.fields.text,
            tags: true,
        };
        self.find_in(within, words, narrow, limit)
    }

    /// Finds what fits all the words, the foremost first.
    pub(crate) fn find_in(
        &self,
        within: Within,
        words: &str,
        narrow: &Narrow,
        limit: usize,
    ) -> Result<Vec<Uuid>, Unavailable> {
        let terms = self.terms(words);
        if terms.is_empty() {
            return Ok(vec![]);
        }
        let searcher = self.reader.searcher();
        let run = |field, fit| self.run(&searcher, field, (&terms, fit), (narrow, limit));
        let (foremost, all) = ((within.foremost, false), (within.all, within.tags));
        let tiers: &[((Field, bool), Fit)] = if narrow.order.is_some() {
            &[(all, Fit::Begun)]
        } else {
            &[(foremost, Fit::Whole), (all, Fit::Whole), (all, Fit::Begun)]
        };
        let mut hits: Vec<DocAddress> = vec![];
        for (field, fit) in tiers.iter().copied() {
            if hits.len() < limit {
                let known: HashSet<DocAddress> = hits.iter().copied().collect();
                let more = run(field, fit)?.into_iter();
                hits.extend(more.filter(|hit| !known.contains(hit)));
            }
        }
        hits.truncate(limit);
        if hits.is_empty() {
            // Words that fit something, though nothing that is wanted, aren't misspelt.
            let begun = (terms.as_slice(), Fit::Begun);
            let any = self.run(&searcher, all, begun, (&Narrow::default(), 1))?;
            if any.is_empty() {
                hits = run(all, Fit::Misspelt)?;
            }
        }
        Ok(found(&searcher, hits.iter())?)
    }

    fn terms(&self, words: &str) -> Vec<String> {
        let Some(mut analyzer) = self.index.tokenizers().get("default") else {
            return vec![];
        };
        let mut tokens = analyzer.token_stream(words);
        let mut terms = vec![];
        while terms.len() < MOST_WORDS && tokens.advance() {
            terms.push(tokens.token().text.clone());
        }
        terms
    }

    fn run(
        &self,
        searcher: &Searcher,
        (field, tags): (Field, bool),
        (terms, fit): (&[String], Fit),
        (narrow, limit): (&Narrow, usize),
    ) -> Result<Vec<DocAddress>, Unavailable> {
        let mut all = self.narrowed(narrow);
        for term in terms {
            let mut either = fit.queries(searcher, field, term)?;
            if tags {
                either.extend(self.tagged(searcher, term, fit)?);
            }
            all.push(either_of(either));
        }
        let query: &dyn Query = match all.as_slice() {
            // Inside another query, nothing would be passed by.
            [only] => only.as_ref(),
            _ => &BooleanQuery::intersection(all),
        };
        if let Some(order) = narrow.order {
            return Ok(order.first(searcher, query, limit)?);
        }
        let best = TopDocs::with_limit(limit).order_by_score();
        let hits = searcher.search(query, &best)?;
        Ok(hits.into_iter().map(|(_, hit)| hit).collect())
    }
}

/// Any of several queries; of the only one the index passes by what it can where it stands as it is.
fn either_of(mut either: Vec<Weighed>) -> Box<dyn Query> {
    match either.pop() {
        Some((only, _)) if either.is_empty() => only,
        last => {
            let all = either.into_iter().chain(last);
            let weighted = all.map(|(query, weight)| -> (Occur, Box<dyn Query>) {
                (Occur::Should, Box::new(BoostQuery::new(query, weight)))
            });
            Box::new(BooleanQuery::new(weighted.collect()))
        }
    }
}

/// Gives the ids of documents.
pub(crate) fn found<'a>(
    searcher: &Searcher,
    hits: impl Iterator<Item = &'a DocAddress>,
) -> tantivy::Result<Vec<Uuid>> {
    let segments = searcher.segment_readers().iter();
    let ids = segments.map(Ids::of).collect::<Result<Vec<_>, _>>()?;
    let id = |hit: &DocAddress| {
        ids.get(usize::try_from(hit.segment_ord).ok()?)?
            .get(hit.doc_id)
    };
    Ok(hits.filter_map(id).collect())
}

/// The ids of a segment's documents.
struct Ids(Column<u64>, Column<u64>);

impl Ids {
    fn of(segment: &SegmentReader) -> tantivy::Result<Self> {
        let [high, low] = HALVES.map(|half| segment.fast_fields().u64(half));
        Ok(Self(high?, low?))
    }

    fn get(&self, document: u32) -> Option<Uuid> {
        Some(Uuid::from_u64_pair(
            self.0.first(document)?,
            self.1.first(document)?,
        ))
    }
}
