//! Reads the log in order, some batches at once.

use std::collections::VecDeque;
use std::sync::Arc;

use domain::Position;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::away;
use crate::feed::{Batch, Feed, NotRead};
use crate::{NotApplied, Unavailable};

/// Positions that are read at once, by a reader that is alone with it: the feed keeps nothing of so many.
pub(super) const BATCH: i64 = 6_000;
/// Batches that are read and opened at once, each on a processor of its own.
const READERS: usize = 2;

/// Reads batches in tasks of their own, each with the position to reach, until that is reached.
pub(super) fn ahead(
    feed: Arc<dyn Feed>,
    streams: Vec<&'static str>,
    upto: Option<Position>,
) -> mpsc::Receiver<Result<(Batch, Position), NotApplied>> {
    let (to, read) = mpsc::channel(1);
    tokio::spawn(async move {
        let mut reading = Reading {
            feed,
            streams: streams.into(),
            upto,
            goal: Position(0),
            asked: Position(0),
            under_way: VecDeque::new(),
        };
        while let Some(batch) = reading.next().await.transpose() {
            let failed = batch.is_err();
            if to.send(batch).await.is_err() || failed {
                return;
            }
        }
    });
    read
}

/// The log, read in order by several at once.
struct Reading {
    feed: Arc<dyn Feed>,
    streams: Arc<[&'static str]>,
    upto: Option<Position>,
    goal: Position,
    /// Up to where it is being read.
    asked: Position,
    /// What is being read, in order, and where each should end.
    under_way: VecDeque<(Position, JoinHandle<Result<Batch, NotRead>>)>,
}

impl Reading {
    /// Gives the next batch; none where the position to reach is reached.
    async fn next(&mut self) -> Result<Option<(Batch, Position)>, NotApplied> {
        if self.under_way.is_empty() {
            let head = self.feed.head().await.map_err(away)?;
            self.goal = self.upto.map_or(head, |upto| upto.min(head));
        }
        while self.under_way.len() < READERS && self.asked < self.goal {
            let (feed, streams) = (Arc::clone(&self.feed), Arc::clone(&self.streams));
            let (after, limit) = (self.asked, BATCH.min(self.goal.0 - self.asked.0));
            let read = tokio::spawn(async move { feed.read(after, limit, &streams).await });
            self.asked = Position(after.0 + limit);
            self.under_way.push_back((self.asked, read));
        }
        let Some((end, read)) = self.under_way.pop_front() else {
            return Ok(None);
        };
        let batch = read
            .await
            .map_err(|error| away(Unavailable(Box::new(error))))??;
        if batch.upto != end {
            // It was too much at once, or more is there: what is read behind it doesn't follow it.
            self.asked = batch.upto;
            self.under_way.clear();
        }
        Ok(Some((batch, self.goal)))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};
    use std::time::Duration;

    use async_trait::async_trait;

    use super::*;

    /// A log without events that grows while it is read: some batches come late, and the first one ends before it
    /// should, as one of too many bytes does.
    #[derive(Debug)]
    struct Log {
        /// How often the head was asked for.
        asked: AtomicI64,
    }

    #[async_trait]
    impl Feed for Log {
        async fn read(&self, after: Position, limit: i64, _: &[&str]) -> Result<Batch, NotRead> {
            if after.0 / BATCH % 2 == 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            let all = after.0 + limit;
            let cut = after.0 == 0 && limit > 1_000;
            Ok(Batch {
                events: vec![],
                upto: Position(if cut { 1_000 } else { all }),
                head: Position(GROWN),
            })
        }

        async fn head(&self) -> Result<Position, Unavailable> {
            // At first, behind the batch that is cut, and where that is reached.
            let asked = self.asked.fetch_add(1, Ordering::Relaxed);
            Ok(Position(if asked < 2 { FIRST } else { GROWN }))
        }

        async fn chain(&self, _: Position) -> Result<Option<String>, Unavailable> {
            Ok(None)
        }

        async fn age_ms(&self, _: Position) -> Result<i64, Unavailable> {
            Ok(0)
        }

        async fn wait(&self, _: Position) -> bool {
            false
        }
    }

    const FIRST: i64 = 10 * BATCH + 7;
    const GROWN: i64 = 10 * BATCH + 9;

    /// Gives where each batch ended.
    async fn ends(upto: Option<Position>) -> Vec<i64> {
        let feed = Arc::new(Log {
            asked: AtomicI64::new(0),
        });
        let mut batches = ahead(feed, vec!["torrent"], upto);
        let mut ends = vec![];
        while let Some(read) = batches.recv().await {
            ends.push(read.unwrap().0.upto.0);
        }
        ends
    }

    #[tokio::test]
    async fn batches_come_in_order_without_a_gap_however_they_are_cut_and_end_at_the_head() {
        let ends = ends(None).await;
        assert!(ends.is_sorted_by(|one, next| one < next), "{ends:?}");
        let gaps = ends.windows(2).map(|pair| pair[1] - pair[0]);
        assert!(gaps.max() <= Some(BATCH), "{ends:?}");
        assert!(ends.contains(&1_000) && ends.contains(&FIRST), "{ends:?}");
        assert_eq!(ends.last(), Some(&GROWN));
    }

    #[tokio::test]
    async fn who_wants_a_moment_gets_no_more() {
        assert_eq!(ends(Some(Position(1))).await, [1]);
        assert_eq!(ends(Some(Position(0))).await, [0; 0]);
        let some = ends(Some(Position(2 * BATCH))).await;
        assert_eq!(some, [1_000, BATCH + 1_000, 2 * BATCH]);
    }
}
