//! How long a search takes over many small torrents while more of them come in.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use domain::amount::Bytes;
use domain::id::{CommandId, MemberId};
use domain::torrent::Event;
use domain::{Actor, Fact, Meta, Position, Recorded};
use projections::torrent::search::{By, Narrow, Order, Search};
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use uuid::Uuid;

use super::{percentile, replay};
use crate::announcement::{self, Progress};
use crate::demo::WORDS;

/// Torrents of a batch while the index is filled, and while it is searched.
const BATCH: (usize, usize) = (20_000, 200);
/// How long batches come in between while it is searched.
const PAUSE: Duration = Duration::from_millis(250);
/// Hits that are asked for: as a page of the best does, as one of the greatest, and as one in an order that
/// the index doesn't know.
const HITS: [(&str, Option<Order>, usize); 3] = [
    ("best", None, 102),
    ("greatest", Some(GREATEST), 102),
    ("all", None, projections::torrent::list::MOST_HITS),
];
const GREATEST: Order = Order {
    by: By::Size,
    ascending: false,
    behind: None,
};
/// Searches of each kind.
const SEARCHES: usize = 500;

/// Makes the words of a search.
type Words = fn() -> String;

/// Fills an index, then searches it while it grows.
pub(super) fn run(documents: usize) -> anyhow::Result<()> {
    let index = Arc::new(Search::in_memory()?);
    let began = Instant::now();
    let mut progress = Progress::new("documents");
    for from in (0..documents).step_by(BATCH.0) {
        let upto = documents.min(from + BATCH.0);
        let mark = replay::mark(Position(i64::try_from(upto)?));
        index.apply(&batch(from..upto), &mark)?;
        progress.show(i64::try_from(upto)?, i64::try_from(documents).ok());
    }
    drop(progress);
    let filled = began.elapsed();
    let over = Arc::new(AtomicBool::new(false));
    let (growing, ends) = (Arc::clone(&index), Arc::clone(&over));
    let writer = std::thread::spawn(move || grow(&growing, documents, &ends));
    let kinds: [(&str, Words); 5] = [
        ("rare_word", || below(1_000_000).to_string()),
        ("common_word", || word().to_owned()),
        ("three_words", || {
            format!("{} {} {}", word(), word(), word())
        }),
        ("begun_word", || word().chars().take(3).collect()),
        ("misspelt_word", || format!("q{}", word())),
    ];
    let mut figures = Map::new();
    for (kind, words) in kinds {
        for (which, order, hits) in HITS {
            let narrow = Narrow {
                order,
                ..Narrow::default()
            };
            let figure = searched(&index, words, &narrow, hits)?;
            figures.insert(format!("{kind}_{which}"), figure);
        }
    }
    over.store(true, Ordering::Relaxed);
    let added = writer
        .join()
        .map_err(|_| anyhow::anyhow!("the writer failed"))??;
    let line = json!({
        "documents": documents, "filled_s": filled.as_secs_f64(), "added_meanwhile": added,
        "hits_at_most": Map::from_iter(HITS.map(|(which, _, hits)| (which.to_owned(), json!(hits)))), "ms": figures,
    });
    announcement::print(&line.to_string());
    Ok(())
}

fn searched(index: &Search, words: Words, narrow: &Narrow, most: usize) -> anyhow::Result<Value> {
    let (mut took, mut hits) = (vec![], 0);
    for _ in 0..SEARCHES {
        let words = words();
        let began = Instant::now();
        hits += index.find(&words, narrow, most)?.len();
        took.push(began.elapsed());
    }
    Ok(json!({
        "p50": percentile(&mut took, 50), "p99": percentile(&mut took, 99), "hits": hits / SEARCHES,
    }))
}

/// Adds torrents until told to stop; gives how many.
fn grow(index: &Search, from: usize, over: &AtomicBool) -> anyhow::Result<usize> {
    let mut added = 0;
    while !over.load(Ordering::Relaxed) {
        let start = from + added;
        added += BATCH.1;
        let mark = replay::mark(Position(i64::try_from(from + added)?));
        index.apply(&batch(start..from + added), &mark)?;
        std::thread::sleep(PAUSE);
    }
    Ok(added)
}

fn batch(numbers: std::ops::Range<usize>) -> Vec<Arc<Recorded>> {
    numbers.map(uploaded).map(Arc::new).collect()
}

/// An upload of one file, its name made of common words and a number.
fn uploaded(number: usize) -> Recorded {
    let mut upload = replay::upload(number, MemberId(Uuid::nil()));
    upload.name = format!("{}.{}.{}.{number}", word(), word(), word());
    upload.size = Bytes(u64::try_from(below(1 << 40)).unwrap_or(0));
    upload.description = format!("{} {} and {}", word(), word(), word());
    let stream_id = Uuid::new_v4();
    Recorded {
        position: Position(0),
        stream_type: "torrent".to_owned(),
        stream_id,
        sequence: 1,
        at: OffsetDateTime::UNIX_EPOCH,
        command: CommandId(stream_id),
        meta: Meta {
            actor: Actor::System,
            correlation: stream_id,
            causation: None,
            reason: None,
        },
        fact: Fact::Torrent(Box::new(Event::TorrentUploaded(upload))),
    }
}

/// A number below another, at random.
fn below(limit: usize) -> usize {
    let random = Uuid::new_v4().as_u128() % u128::try_from(limit).unwrap_or(1);
    usize::try_from(random).unwrap_or(0)
}

/// A word, the first ones more often.
fn word() -> &'static str {
    let place = below(WORDS.len()).min(below(WORDS.len()));
    WORDS.get(place).copied().unwrap_or("linux")
}
