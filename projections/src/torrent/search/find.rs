//! The search for words: what has them whole in its name comes first, then what has them whole anywhere,
//! then begun, and where nothing fits, misspelt by a letter. In another order than the best first, it is all
//! the same whether a word is whole or begun.
//!
//! Who wants few hits asks no further than they need: in one field the index passes by what can't come
//! before what it has found already, so words that stand everywhere cost little.

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

/// Fields, each with its weight; and whether tags' names count besides.
type Weighted<'a> = (&'a [(Field, f32)], bool);

/// Queries of which any may fit.
pub(crate) type Either = Vec<(Occur, Box<dyn Query>)>;

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
type Weighed = (Box<dyn Query>, f32);

impl Fit {
    /// A word in a field, each way with its weight.
    pub(crate) fn queries(
        self,
        searcher: &Searcher,
        (field, weight): (Field, f32),
        word: &str,
    ) -> tantivy::Result<Vec<Weighed>> {
        let term = Term::from_field_text(field, word);
        let mut queries = vec![of_term(&term, 2.0 * weight)];
        let few = match self {
            Self::Whole => return Ok(queries),
            Self::Begun => begun(searcher, field, word)?,
            Self::Misspelt => None,
        };
        if let Some(few) = few {
            queries.extend(few.iter().map(|term| of_term(term, weight)));
        } else {
            let distance = u8::from(self == Self::Misspelt);
            let begun = FuzzyTermQuery::new_prefix(term, distance, true);
            queries.push((Box::new(begun), weight));
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
        // A word in the name weighs most, then in a tag's, in a file's path, and in the description.
        let weighted = [
            (self.fields.name, 4.0),
            (self.fields.files, 2.0),
            (self.fields.description, 1.0),
        ];
        self.find_in((&weighted, true), words, narrow, limit)
    }

    /// Finds what fits all the words in some fields, the foremost first, each with its weight, and in
    /// tags' names if they count.
    pub(crate) fn find_in(
        &self,
        fields: Weighted<'_>,
        words: &str,
        narrow: &Narrow,
        limit: usize,
    ) -> Result<Vec<Uuid>, Unavailable> {
        let terms = self.terms(words);
        if terms.is_empty() {
            return Ok(vec![]);
        }
        let searcher = self.reader.searcher();
        let run = |fields, fit| self.run(&searcher, fields, (&terms, fit), (narrow, limit));
        let foremost = (fields.0.get(..1).unwrap_or_default(), false);
        let tiers: &[(Weighted<'_>, Fit)] = if narrow.order.is_some() {
            &[(fields, Fit::Begun)]
        } else {
            &[
                (foremost, Fit::Whole),
                (fields, Fit::Whole),
                (fields, Fit::Begun),
            ]
        };
        let mut hits: Vec<DocAddress> = vec![];
        for (fields, fit) in tiers.iter().copied() {
            if hits.len() < limit {
                let known: HashSet<DocAddress> = hits.iter().copied().collect();
                let more = run(fields, fit)?.into_iter();
                hits.extend(more.filter(|hit| !known.contains(hit)));
            }
        }
        hits.truncate(limit);
        if hits.is_empty() {
            // Words that fit something, though nothing that is wanted, aren't misspelt.
            let begun = (terms.as_slice(), Fit::Begun);
            let any = self.run(&searcher, fields, begun, (&Narrow::default(), 1))?;
            if any.is_empty() {
                hits = run(fields, Fit::Misspelt)?;
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
        (weighted, tags): Weighted<'_>,
        (terms, fit): (&[String], Fit),
        (narrow, limit): (&Narrow, usize),
    ) -> Result<Vec<DocAddress>, Unavailable> {
        let mut all = self.narrowed(narrow);
        for term in terms {
            let mut either = anywhere(searcher, weighted, (term, fit))?;
            if tags {
                either.extend(self.tagged(searcher, term, fit)?);
            }
            all.push(Box::new(BooleanQuery::new(either)));
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

/// A word in any of the fields.
fn anywhere(
    searcher: &Searcher,
    weighted: &[(Field, f32)],
    (word, fit): (&str, Fit),
) -> tantivy::Result<Either> {
    let mut either: Either = vec![];
    for field in weighted {
        for (query, weight) in fit.queries(searcher, *field, word)? {
            either.push((Occur::Should, Box::new(BoostQuery::new(query, weight))));
        }
    }
    Ok(either)
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
