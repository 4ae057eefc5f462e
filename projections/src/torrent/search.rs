//! The same torrents as Tantivy documents, which `find` searches for words; posts stand in the same index,
//! by [`crate::topic::search`], and tags, by [`crate::tag::search`].
//!
//! The index lives in memory, or on disk where its plaintext terms may. It is a projection like the
//! others, only that its checkpoint is the commit's payload, so documents and position move together.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use domain::id::{CategoryId, TagId};
use domain::torrent::{Edit, Event, Upload};
use domain::{Fact, Position, Recorded};
use tantivy::collector::DocSetCollector;
use tantivy::directory::MmapDirectory;
use tantivy::query::TermQuery;
use tantivy::schema::{
    FAST, Field, INDEXED, IndexRecordOption, STORED, Schema, TextFieldIndexing, TextOptions,
    Value as _,
};
use tantivy::{Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term};
use uuid::Uuid;

use crate::Unavailable;

pub(crate) mod find;
mod narrow;

pub use narrow::{By, Narrow, Order};

/// Memory that one writer may fill before it makes a segment.
const WRITER_BYTES: usize = 32 << 20;
/// The most files of a torrent whose paths are found.
const MOST_FILES: usize = 1_000;

/// The fields that hold the halves of a torrent's id.
const HALVES: [&str; 2] = ["id_high", "id_low"];
/// The fields by which torrents are sorted.
const SORTED: [&str; 2] = ["position", "size"];

/// The streams of which the index knows something.
pub const STREAMS: &[&str] = &["torrent", "topic", "tag"];

/// The index, its writer and its reader.
pub struct Search {
    fields: Fields,
    index: Index,
    /// None after a failure: what it held uncommitted is gone, and the next one begins at the last commit.
    writer: Mutex<Option<IndexWriter>>,
    reader: IndexReader,
}

impl std::fmt::Debug for Search {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Search").finish_non_exhaustive()
    }
}

#[derive(Clone, Copy)]
pub(crate) struct Fields {
    id: Field,
    /// The two halves of the id, to be had without the document.
    halves: [Field; 2],
    /// What a torrent is sorted by: where it came into the log, and its size.
    sorted: [Field; 2],
    /// The id of the category in which it stands.
    category: Field,
    name: Field,
    /// The paths of its files, kept alone.
    files: Field,
    /// All its words: the name, the files and the description.
    text: Field,
    /// The ids of the tags that mark it.
    pub(crate) tags: Field,
    /// What a tag is called.
    pub(crate) tag_name: Field,
    /// What a topic is about, with its first post.
    pub(crate) title: Field,
    /// What a post says, after that.
    pub(crate) said: Field,
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
    // Nobody asks for words beside each other, so their places aren't kept.
    let words = TextFieldIndexing::default().set_index_option(IndexRecordOption::WithFreqs);
    let text = TextOptions::default().set_indexing_options(words);
    let kept = text.clone().set_stored();
    let fields = Fields {
        id: schema.add_bytes_field("id", INDEXED),
        halves: HALVES.map(|half| schema.add_u64_field(half, FAST)),
        sorted: SORTED.map(|key| schema.add_u64_field(key, FAST)),
        category: schema.add_bytes_field("category", INDEXED),
        // An edit brings another description and tags, so the rest is kept to be had again.
        name: schema.add_text_field("name", kept.clone()),
        files: schema.add_text_field("files", STORED),
        text: schema.add_text_field("text", text.clone()),
        tags: schema.add_bytes_field("tags", INDEXED),
        tag_name: schema.add_text_field("tag_name", text.clone()),
        title: schema.add_text_field("title", kept),
        said: schema.add_text_field("said", text),
    };
    (schema.build(), fields)
}

/// What an edit may change of a document.
#[derive(Clone, Copy)]
struct Said<'a> {
    category: CategoryId,
    description: &'a str,
    tags: &'a [TagId],
}

impl<'a> From<&'a Edit> for Said<'a> {
    fn from(edit: &'a Edit) -> Self {
        Self {
            category: edit.category,
            description: &edit.description,
            tags: &edit.tags,
        }
    }
}

impl<'a> From<&'a Upload> for Said<'a> {
    fn from(upload: &'a Upload) -> Self {
        Self {
            category: upload.category,
            description: &upload.description,
            tags: &upload.tags,
        }
    }
}

/// Makes the index's writer; what is left of a commit that was cut off would be in the next one's way.
fn writer_of(index: &Index) -> tantivy::Result<IndexWriter> {
    let writer = index.writer_with_num_threads(1, WRITER_BYTES)?;
    writer.garbage_collect_files().wait()?;
    Ok(writer)
}

fn of_torrent(event: &Recorded) -> Option<&Event> {
    if let Fact::Torrent(happened) = &event.fact {
        Some(happened)
    } else {
        None
    }
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
        let writer = writer_of(&index)?;
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()?;
        Ok(Self {
            fields,
            index,
            writer: Mutex::new(Some(writer)),
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
        self.with_writer(|writer| {
            writer.delete_all_documents()?;
            writer.commit()?;
            Ok(())
        })
    }

    /// Lets a change be made and committed, and shows it.
    fn with_writer(
        &self,
        change: impl FnOnce(&mut IndexWriter) -> Result<(), Unavailable>,
    ) -> Result<(), Unavailable> {
        let mut held = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let mut writer = match held.take() {
            Some(writer) => writer,
            None => writer_of(&self.index)?,
        };
        change(&mut writer)?;
        *held = Some(writer);
        self.reader.reload()?;
        Ok(())
    }

    /// Gives the number of documents.
    pub fn documents(&self) -> u64 {
        self.reader.searcher().num_docs()
    }

    pub(crate) fn fields(&self) -> Fields {
        self.fields
    }

    /// Applies events and commits them with the place up to which they reach.
    pub fn apply(&self, events: &[Arc<Recorded>], upto: &Mark) -> Result<(), Unavailable> {
        self.with_writer(|writer| self.write(writer, events, upto))
    }

    fn write(
        &self,
        writer: &mut IndexWriter,
        events: &[Arc<Recorded>],
        upto: &Mark,
    ) -> Result<(), Unavailable> {
        // The last word on each page that these events change.
        let mut said: BTreeMap<Uuid, Said<'_>> = BTreeMap::new();
        for event in events {
            if let Some(Event::TorrentEdited(edit)) = of_torrent(event) {
                said.insert(event.stream_id, edit.into());
            }
        }
        // Withdrawn torrents stay: the list leaves them out, and they may be restored.
        for event in events {
            if let Some(Event::TorrentUploaded(upload)) = of_torrent(event) {
                let id = event.stream_id;
                let says = said.remove(&id).unwrap_or(upload.into());
                let sorted = [key(event.position.0), upload.size.0];
                let files = upload.files.iter().take(MOST_FILES);
                let files = files.map(|file| file.path.as_str());
                let mut document = self.document(id, &upload.name, files, says);
                self.sort(&mut document, sorted);
                // It is new: documents and position are committed together.
                writer.add_document(document)?;
            }
        }
        for (id, says) in said {
            if let Some(document) = self.edited(id, says)? {
                self.put(writer, id, document)?;
            }
        }
        self.put_posts(writer, events)?;
        self.put_tags(writer, events)?;
        let mut commit = writer.prepare_commit()?;
        commit.set_payload(&upto.write());
        commit.commit()?;
        Ok(())
    }

    /// Puts a document in place of an earlier one.
    pub(crate) fn put(
        &self,
        to: &mut IndexWriter,
        id: Uuid,
        document: TantivyDocument,
    ) -> tantivy::Result<()> {
        to.delete_term(Term::from_field_bytes(self.fields.id, id.as_bytes()));
        to.add_document(document)?;
        Ok(())
    }

    /// Begins a document.
    pub(crate) fn identified(&self, id: Uuid) -> TantivyDocument {
        let mut document = TantivyDocument::new();
        document.add_bytes(self.fields.id, id.as_bytes());
        let (high, low) = id.as_u64_pair();
        for (field, half) in self.fields.halves.into_iter().zip([high, low]) {
            document.add_u64(field, half);
        }
        document
    }

    fn document<'a>(
        &self,
        id: Uuid,
        name: &str,
        files: impl Iterator<Item = &'a str>,
        says: Said<'_>,
    ) -> TantivyDocument {
        let mut document = self.identified(id);
        document.add_text(self.fields.name, name);
        document.add_text(self.fields.text, name);
        for file in files {
            document.add_text(self.fields.files, file);
            document.add_text(self.fields.text, file);
        }
        document.add_bytes(self.fields.category, says.category.0.as_bytes());
        document.add_text(self.fields.text, says.description);
        self.tag(&mut document, says.tags);
        document
    }

    /// Tells a document what it is sorted by.
    fn sort(&self, document: &mut TantivyDocument, keys: [u64; 2]) {
        for (field, key) in self.fields.sorted.into_iter().zip(keys) {
            document.add_u64(field, key);
        }
    }

    /// Gives what a committed document keeps in a field; empty where it has nothing there.
    pub(crate) fn kept(&self, id: Uuid, field: Field) -> tantivy::Result<String> {
        let kept = self.committed(id)?.map(|(document, _)| document);
        let kept = kept.as_ref().and_then(|document| document.get_first(field));
        Ok(kept
            .and_then(|text| text.as_str())
            .unwrap_or_default()
            .to_owned())
    }

    /// Gives a committed document with what it is sorted by.
    fn committed(&self, id: Uuid) -> tantivy::Result<Option<(TantivyDocument, [u64; 2])>> {
        let term = Term::from_field_bytes(self.fields.id, id.as_bytes());
        let searcher = self.reader.searcher();
        let query = TermQuery::new(term, IndexRecordOption::Basic);
        let found = searcher.search(&query, &DocSetCollector)?;
        let Some(at) = found.into_iter().next() else {
            return Ok(None);
        };
        let fast = searcher.segment_reader(at.segment_ord).fast_fields();
        let mut keys = [0; 2];
        for (key, field) in keys.iter_mut().zip(SORTED) {
            *key = fast.u64(field)?.first(at.doc_id).unwrap_or(0);
        }
        Ok(Some((searcher.doc(at)?, keys)))
    }

    /// Makes a committed document anew where its page says something else.
    fn edited(&self, id: Uuid, says: Said<'_>) -> tantivy::Result<Option<TantivyDocument>> {
        let Some((kept, keys)) = self.committed(id)? else {
            return Ok(None);
        };
        let name = kept.get_first(self.fields.name);
        let name = name.and_then(|name| name.as_str()).unwrap_or_default();
        let files = kept.get_all(self.fields.files);
        let files = files.filter_map(|file| file.as_str());
        let mut document = self.document(id, name, files, says);
        self.sort(&mut document, keys);
        Ok(Some(document))
    }
}

/// A number of the read tables as the index sorts it.
fn key(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
