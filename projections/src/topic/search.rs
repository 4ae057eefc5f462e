//! Posts as Tantivy documents beside the torrents, in fields of their own, and the search for words.

use std::collections::BTreeMap;
use std::sync::Arc;

use domain::topic::Event;
use domain::{Fact, Recorded};
use tantivy::IndexWriter;
use uuid::Uuid;

use crate::torrent::search::find::Within;
use crate::torrent::search::{Narrow, Search};
use crate::{Reads, Unavailable};

/// The most posts that a search for words finds.
pub const MOST_HITS: usize = 1_000;

/// Finds posts away from the tasks that wait for others: it keeps a core busy.
pub(super) async fn find(
    reads: &Reads,
    words: &str,
    limit: usize,
) -> Result<Vec<Uuid>, Unavailable> {
    let (search, words) = (Arc::clone(&reads.search), words.to_owned());
    tokio::task::spawn_blocking(move || search.find_posts(&words, limit))
        .await
        .map_err(|error| Unavailable(Box::new(error)))?
}

impl Search {
    /// Finds the posts that fit all the words, the best first, as [`Search::find`] does torrents; a topic's
    /// title belongs to its first post, and its words come first.
    pub fn find_posts(&self, words: &str, limit: usize) -> Result<Vec<Uuid>, Unavailable> {
        let fields = self.fields();
        let within = Within {
            foremost: fields.title,
            all: fields.said,
            tags: false,
        };
        self.find_in(within, words, &Narrow::default(), limit)
    }

    /// Puts the posts of which events tell, each as they word it last. Removed ones stay: lists leave
    /// them out, and they may be restored.
    pub(crate) fn put_posts(
        &self,
        writer: &mut IndexWriter,
        events: &[Arc<Recorded>],
    ) -> Result<(), Unavailable> {
        let mut said: BTreeMap<Uuid, (Option<&str>, &str)> = BTreeMap::new();
        for event in events {
            let Fact::Topic(happened) = &event.fact else {
                continue;
            };
            match happened {
                Event::TopicOpened(opening) => {
                    said.insert(opening.post.0, (Some(&opening.title), &opening.text));
                }
                Event::TopicReplied(reply) => {
                    said.insert(reply.post.0, (Some(""), &reply.text));
                }
                Event::PostEdited { post, text, .. } => {
                    said.entry(post.0).or_insert((None, text)).1 = text;
                }
                Event::PostRemoved { .. }
                | Event::PostRestored { .. }
                | Event::TopicRemoved { .. }
                | Event::TopicRestored {}
                | Event::TopicPinned {}
                | Event::TopicUnpinned {}
                | Event::TopicLocked {}
                | Event::TopicUnlocked {}
                | Event::TopicMoved { .. } => {}
            }
        }
        for (id, (title, text)) in said {
            let (title, is_new) = match title {
                Some(title) => (title.to_owned(), true),
                // An edit doesn't say it, so it is kept with the document.
                None => (self.kept(id, self.fields().title)?, false),
            };
            let mut document = self.identified(id);
            if !title.is_empty() {
                document.add_text(self.fields().title, &title);
                document.add_text(self.fields().said, &title);
            }
            document.add_text(self.fields().said, text);
            if is_new {
                writer.add_document(document)?;
            } else {
                self.put(writer, id, document)?;
            }
        }
        Ok(())
    }
}
