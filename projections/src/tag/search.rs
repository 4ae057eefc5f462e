//! Tags as Tantivy documents beside the torrents, which hold their ids alone: who renames a tag writes one
//! document anew, and from then on all that it marks is found by the new name.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::id::TagId;
use domain::tag::Event;
use domain::{Fact, Recorded};
use tantivy::collector::DocSetCollector;
use tantivy::query::TermSetQuery;
use tantivy::{IndexWriter, Searcher, TantivyDocument, Term};
use uuid::Uuid;

use crate::torrent::search::Search;
use crate::torrent::search::find::{Fit, Weighed, found};

/// How much a word of a tag's name weighs, beside one of the torrent's own that is neither rare nor common.
const WEIGHT: f32 = 2.0;

impl Search {
    /// Marks a torrent's document.
    pub(crate) fn tag(&self, document: &mut TantivyDocument, tags: &[TagId]) {
        for tag in tags {
            document.add_bytes(self.fields().tags, tag.0.as_bytes());
        }
    }

    /// Puts the tags of which events tell, each as it is called last. Retired ones stay: what they mark
    /// stays marked.
    pub(crate) fn put_tags(
        &self,
        writer: &mut IndexWriter,
        events: &[Arc<Recorded>],
    ) -> tantivy::Result<()> {
        let mut called: BTreeMap<Uuid, &str> = BTreeMap::new();
        for event in events {
            if let Fact::Tag(Event::TagCreated(label) | Event::TagChanged(label)) = &event.fact {
                called.insert(event.stream_id, &label.name);
            }
        }
        for (id, name) in called {
            let mut document = self.identified(id);
            document.add_text(self.fields().tag_name, name);
            self.put(writer, id, document)?;
        }
        Ok(())
    }

    /// What is marked with a tag of whose name a word fits.
    pub(crate) fn tagged(
        &self,
        searcher: &Searcher,
        word: &str,
        fit: Fit,
    ) -> tantivy::Result<Vec<Weighed>> {
        let fields = self.fields();
        let mut either: Vec<Weighed> = vec![];
        for (name, weight) in fit.queries(searcher, fields.tag_name, word)? {
            let hits = searcher.search(&name, &DocSetCollector)?;
            let tags = found(searcher, hits.iter())?;
            if tags.is_empty() {
                continue;
            }
            let term = |tag: Uuid| Term::from_field_bytes(fields.tags, tag.as_bytes());
            let marked = TermSetQuery::new(tags.into_iter().map(term));
            either.push((Box::new(marked), WEIGHT * weight));
        }
        Ok(either)
    }
}
