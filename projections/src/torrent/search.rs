//! The same torrents as Tantivy documents, and the search for words.
//!
//! The index lives in memory, or on disk where its plaintext terms may. It is a projection like the
//! others, only that its checkpoint is the commit's payload, so documents and position move together.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use domain::torrent::Event;
use domain::{Fact, Position, Recorded};
use tantivy::collector::TopDocs;
use tantivy::columnar::Column;
use tantivy::directory::MmapDirectory;
use tantivy::query::{BooleanQuery, BoostQuery, FuzzyTermQuery, Occur, Query, TermQuery};
use tantivy::schema::{FAST, Field, INDEXED, IndexRecordOption, Schema, TEXT};
use tantivy::tokenizer::TokenStream as _;
use tantivy::{
    DocAddress, Index, IndexReader, IndexWriter, ReloadPolicy, SegmentReader, TantivyDocument, Term,
};
use uuid::Uuid;

use crate::Unavailable;

/// Memory that one writer may fill before it makes a segment.
const WRITER_BYTES: usize = 32 << 20;
/// The most words of a search that count.
const MOST_WORDS: usize = 16;

/// The fields that hold the halves of a torrent's id.
const HALVES: [&str; 2] = ["id_high", "id_low"];

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
    /// The two halves of the id, to be had without the document.
    halves: [Field; 2],
    name: Field,
    files: Field,
    description: Field,
}

impl From<tantivy::TantivyError> for Unavailable {
    fn from(error: tantivy::TantivyError) -> Self {
        Self(Box::new(error))
    }
}

/// A place in one log and no other.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mark {
    /// The position.
    pub position: Position,
    /// The chain's hash there, hex.
    pub chain: String,
}

impl Mark {
    fn write(&self) -> String {
        format!("{} {}", self.position, self.chain)
    }

    fn read(payload: &str) -> Option<Self> {
        let (position, chain) = payload.split_once(' ')?;
        Some(Self {
            position: Position(position.parse().ok()?),
            chain: chain.to_owned(),
        })
    }
}

fn schema() -> (Schema, Fields) {
    let mut schema = Schema::builder();
    let fields = Fields {
        id: schema.add_bytes_field("id", INDEXED),
        halves: HALVES.map(|half| schema.add_u64_field(half, FAST)),
        name: schema.add_text_field("name", TEXT),
        files: schema.add_text_field("files", TEXT),
        description: schema.add_text_field("description", TEXT),
    };
    (schema.build(), fields)
}

impl Search {
    /// Makes an empty index in memory.
    pub fn in_memory() -> Result<Self, Unavailable> {
        let (schema, fields) = schema();
        Self::over(Index::create_in_ram(schema), fields)
    }

    /// Opens the index in a folder; one that can't be read is made anew.
    pub fn on_disk(folder: &Path) -> Result<Self, Unavailable> {
        let (schema, fields) = schema();
        let open = || {
            std::fs::create_dir_all(folder)?;
            let directory = MmapDirectory::open(folder)?;
            Index::open_or_create(directory, schema.clone())
        };
        let index = open().or_else(|error| {
            tracing::warn!(%error, "the search index can't be read and is made anew");
            std::fs::remove_dir_all(folder)?;
            open()
        })?;
        Self::over(index, fields)
    }

    fn over(index: Index, fields: Fields) -> Result<Self, Unavailable> {
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

    /// Gives the place in the log that the last commit carries.
    pub fn mark(&self) -> Result<Option<Mark>, Unavailable> {
        let payload = self.index.load_metas()?.payload;
        Ok(payload.as_deref().and_then(Mark::read))
    }

    /// Forgets every document.
    pub fn clear(&self) -> Result<(), Unavailable> {
        let mut writer = self.writer();
        writer.delete_all_documents()?;
        writer.commit()?;
        self.reader.reload()?;
        Ok(())
    }

    /// Gives the number of documents.
    pub fn documents(&self) -> u64 {
        self.reader.searcher().num_docs()
    }

    fn writer(&self) -> MutexGuard<'_, IndexWriter> {
        self.writer.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Applies events and commits them with the place up to which they reach.
    pub fn apply(&self, events: &[Recorded], upto: &Mark) -> Result<(), Unavailable> {
        let mut writer = self.writer();
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
                let (high, low) = event.stream_id.as_u64_pair();
                for (field, half) in self.fields.halves.into_iter().zip([high, low]) {
                    document.add_u64(field, half);
                }
                document.add_text(self.fields.name, &upload.name);
                document.add_text(self.fields.description, &upload.description);
                for file in upload.files.iter().take(1_000) {
                    document.add_text(self.fields.files, &file.path);
                }
                writer.add_document(document)?;
            }
        }
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(&upto.write());
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
        let ids = searcher
            .segment_readers()
            .iter()
            .map(Ids::of)
            .collect::<Result<Vec<_>, _>>()?;
        let id = |hit: &DocAddress| {
            ids.get(usize::try_from(hit.segment_ord).ok()?)?
                .get(hit.doc_id)
        };
        Ok(hits.iter().filter_map(|(_, hit)| id(hit)).collect())
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
