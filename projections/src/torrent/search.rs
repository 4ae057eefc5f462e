//! The same torrents as Tantivy documents, and the search for words.
//!
//! The index lives in memory: its terms are plaintext. It is a projection like the others, only
//! that its checkpoint is the commit's payload, so documents and position move together.

use std::sync::{Mutex, PoisonError};

use domain::torrent::Event;
use domain::{Fact, Position, Recorded};
use tantivy::collector::TopDocs;
use tantivy::query::{BooleanQuery, BoostQuery, FuzzyTermQuery, Occur, Query, TermQuery};
use tantivy::schema::{
    Field, INDEXED, IndexRecordOption, STORED, STRING, Schema, TEXT, Value as _,
};
use tantivy::tokenizer::TokenStream as _;
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};
use uuid::Uuid;

use crate::Unavailable;

/// Memory that one writer may fill before it makes a segment.
const WRITER_BYTES: usize = 32 << 20;
/// The most words of a search that count.
const MOST_WORDS: usize = 16;

/// The index, its writer and its reader.
pub struct Search {
    fields: Fields,
    index: Index,
    writer: Mutex<IndexWriter>,
    reader: IndexReader,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
struct Fields {
    id: Field,
    name: Field,
    files: Field,
    description: Field,
}

impl From<tantivy::TantivyError> for Unavailable {
    fn from(error: tantivy::TantivyError) -> Self {
        Self(Box::new(error))
    }
}

impl Search {
    /// Makes an empty index in memory.
    pub fn in_memory() -> Result<Self, Unavailable> {
        let mut schema = Schema::builder();
        let fields = Fields {
            id: schema.add_bytes_field("id", INDEXED | STORED),
            name: schema.add_text_field("name", TEXT),
            files: schema.add_text_field("files", TEXT),
            description: schema.add_text_field("description", TEXT),
        };
        schema.add_text_field("kind", STRING);
        let index = Index::create_in_ram(schema.build());
        let writer = Mutex::new(index.writer_with_num_threads(1, WRITER_BYTES)?);
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        Ok(Self {
            fields,
            index,
            writer,
            reader,
        })
    }

    /// Gives the position that the last commit carries.
    pub fn position(&self) -> Result<Position, Unavailable> {
        let payload = self.index.load_metas()?.payload;
        Ok(Position(
            payload.and_then(|text| text.parse().ok()).unwrap_or(0),
        ))
    }

    /// Applies events and commits them with their position.
    pub fn apply(&self, events: &[Recorded], upto: Position) -> Result<(), Unavailable> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            let Fact::Torrent(happened) = &event.fact else {
                continue;
            };
            // Withdrawn torrents stay: the list leaves them out, and they may be restored.
            if let Event::TorrentUploaded(upload) = happened.as_ref() {
                writer.delete_term(Term::from_field_bytes(
                    self.fields.id,
                    event.stream_id.as_bytes(),
                ));
                let mut document = TantivyDocument::new();
                document.add_bytes(self.fields.id, event.stream_id.as_bytes());
                document.add_text(self.fields.name, &upload.name);
                document.add_text(self.fields.description, &upload.description);
                for file in upload.files.iter().take(1_000) {
                    document.add_text(self.fields.files, &file.path);
                }
                writer.add_document(document)?;
            }
        }
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(&upto.to_string());
        commit.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    /// Finds the torrents that fit all the words, the best first; words may be begun, and where
    /// nothing fits, misspelt by a letter.
    pub fn find(&self, words: &str, limit: usize) -> Result<Vec<Uuid>, Unavailable> {
        let terms = self.terms(words);
        if terms.is_empty() {
            return Ok(vec![]);
        }
        let exact = self.run(&terms, 0, limit)?;
        if exact.is_empty() {
            self.run(&terms, 1, limit)
        } else {
            Ok(exact)
        }
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

    fn run(&self, terms: &[String], distance: u8, limit: usize) -> Result<Vec<Uuid>, Unavailable> {
        let all = terms
            .iter()
            .map(|term| (Occur::Must, self.anywhere(term, distance)))
            .collect();
        let searcher = self.reader.searcher();
        let hits = searcher.search(
            &BooleanQuery::new(all),
            &TopDocs::with_limit(limit).order_by_score(),
        )?;
        let mut found = Vec::with_capacity(hits.len());
        for (_, address) in hits {
            let document: TantivyDocument = searcher.doc(address)?;
            let id = document
                .get_first(self.fields.id)
                .and_then(|value| value.as_bytes());
            found.extend(id.and_then(|bytes| Uuid::from_slice(bytes).ok()));
        }
        Ok(found)
    }

    /// A word in the name weighs most, then in a file's path, then in the description.
    fn anywhere(&self, word: &str, distance: u8) -> Box<dyn Query> {
        let weighted = [
            (self.fields.name, 4.0),
            (self.fields.files, 2.0),
            (self.fields.description, 1.0),
        ];
        let mut either: Vec<(Occur, Box<dyn Query>)> = vec![];
        for (field, weight) in weighted {
            let term = Term::from_field_text(field, word);
            let whole = TermQuery::new(term.clone(), IndexRecordOption::WithFreqs);
            let begun = FuzzyTermQuery::new_prefix(term, distance, true);
            either.push((
                Occur::Should,
                Box::new(BoostQuery::new(Box::new(whole), 2.0 * weight)),
            ));
            either.push((
                Occur::Should,
                Box::new(BoostQuery::new(Box::new(begun), weight)),
            ));
        }
        Box::new(BooleanQuery::new(either))
    }
}
