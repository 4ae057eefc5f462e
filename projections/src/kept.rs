//! What pages ask for again and again, kept until a projection moves, and for a moment at most.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::Unavailable;

/// The most answers that are kept of one kind.
const MOST: usize = 500;
/// How long one is kept at most: another node's move may be heard late, or never.
const MOMENT: Duration = Duration::from_millis(500);

/// The answers to questions of one kind.
#[derive(Debug)]
pub(crate) struct Kept<A, Q = ()>(Mutex<Answers<A, Q>>);

#[derive(Debug)]
struct Answers<A, Q> {
    /// [`Progress::mark`] as they were asked.
    ///
    /// [`Progress::mark`]: crate::progress::Progress::mark
    mark: u64,
    /// When the first of them was asked.
    since: Instant,
    by_question: HashMap<Q, Arc<A>>,
}

impl<A, Q> Answers<A, Q> {
    fn none_at(mark: u64) -> Self {
        Self {
            mark,
            since: Instant::now(),
            by_question: HashMap::new(),
        }
    }
}

impl<A, Q> Default for Kept<A, Q> {
    fn default() -> Self {
        Self(Mutex::new(Answers::none_at(0)))
    }
}

impl<A, Q: Eq + Hash> Kept<A, Q> {
    /// Gives the last answer if nothing moved since, or asks again. The mark is of before the question:
    /// what moves meanwhile makes the answer too new, never too old. Without one nothing is kept.
    pub(crate) async fn or_ask(
        &self,
        mark: Option<u64>,
        question: Q,
        ask: impl Future<Output = Result<A, Unavailable>>,
    ) -> Result<Arc<A>, Unavailable> {
        let Some(mark) = mark else {
            return ask.await.map(Arc::new);
        };
        let since = {
            let kept = self.at(mark);
            if let Some(answer) = kept.by_question.get(&question) {
                return Ok(Arc::clone(answer));
            }
            kept.since
        };
        let answer = Arc::new(ask.await?);
        let mut kept = self.lock();
        // It was asked at the mark and within the moment of the others.
        if (kept.mark, kept.since) == (mark, since) && kept.by_question.len() < MOST {
            kept.by_question.insert(question, Arc::clone(&answer));
        }
        Ok(answer)
    }

    /// Gives what is kept at a mark; what was kept at another, or for a moment, goes.
    fn at(&self, mark: u64) -> MutexGuard<'_, Answers<A, Q>> {
        let mut kept = self.lock();
        if kept.mark != mark || kept.since.elapsed() >= MOMENT {
            *kept = Answers::none_at(mark);
        }
        kept
    }

    fn lock(&self) -> MutexGuard<'_, Answers<A, Q>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use domain::Position;

    use super::*;
    use crate::progress::Progress;

    async fn asked(kept: &Kept<i32>, progress: &Progress, answer: i32) -> i32 {
        let asked = kept.or_ask(progress.mark(), (), async { Ok(answer) });
        *asked.await.unwrap()
    }

    #[tokio::test]
    async fn each_question_has_its_answer_and_no_more_are_kept_than_so_many() {
        let kept = Kept::default();
        for (question, answer) in [(1, 10), (2, 20), (1, 30)] {
            let asked = kept.or_ask(Some(7), question, async { Ok(answer) }).await;
            assert_eq!(*asked.unwrap(), question * 10);
        }
        for question in 0..2 * MOST {
            let asked = kept.or_ask(Some(8), question, async { Ok(0) }).await;
            asked.unwrap();
        }
        assert!(kept.lock().by_question.len() <= MOST);
        assert!(kept.at(9).by_question.is_empty(), "of another mark");
    }

    #[tokio::test]
    async fn it_is_asked_again_once_a_projection_moved_and_always_where_none_is_told_of() {
        let (kept, mut progress) = (Kept::default(), Progress::default());
        assert_eq!(asked(&kept, &progress, 1).await, 1);
        assert_eq!(asked(&kept, &progress, 2).await, 2);
        progress.reach("tag", Position(7));
        assert_eq!(asked(&kept, &progress, 3).await, 3);
        assert_eq!(asked(&kept, &progress, 4).await, 3);
        progress.reach("tag", Position(8));
        assert_eq!(asked(&kept, &progress, 5).await, 5);
        progress.stop("tag", "an event".to_owned());
        assert_eq!(asked(&kept, &progress, 6).await, 6);
    }

    #[tokio::test]
    async fn it_is_asked_again_after_a_moment_though_nobody_told_of_a_move() {
        let kept = Kept::default();
        for (answer, wanted) in [(1, 1), (2, 1)] {
            let asked = kept.or_ask(Some(7), (), async { Ok(answer) }).await;
            assert_eq!(*asked.unwrap(), wanted);
        }
        tokio::time::sleep(MOMENT).await;
        let asked = kept.or_ask(Some(7), (), async { Ok(3) }).await;
        assert_eq!(*asked.unwrap(), 3);
    }
}
