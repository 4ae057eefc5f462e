//! What pages ask for again and again, kept until a projection moves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::Unavailable;

/// The last answer to a question, with [`Progress::mark`] as it was asked.
///
/// [`Progress::mark`]: crate::progress::Progress::mark
#[derive(Debug)]
pub(crate) struct Kept<T>(Mutex<Option<(u64, Arc<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Kept<T> {
    /// Gives the last answer if nothing moved since, or asks again. The mark is of before the question:
    /// what moves meanwhile makes the answer too new, never too old. Without one nothing is kept.
    pub(crate) async fn or_ask(
        &self,
        mark: Option<u64>,
        ask: impl Future<Output = Result<T, Unavailable>>,
    ) -> Result<Arc<T>, Unavailable> {
        if let Some((at, answer)) = &*self.lock()
            && Some(*at) == mark
        {
            return Ok(Arc::clone(answer));
        }
        let answer = Arc::new(ask.await?);
        if let Some(mark) = mark {
            *self.lock() = Some((mark, Arc::clone(&answer)));
        }
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(u64, Arc<T>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use domain::Position;

    use super::*;
    use crate::progress::Progress;

    async fn asked(kept: &Kept<i32>, progress: &Progress, answer: i32) -> i32 {
        let asked = kept.or_ask(progress.mark(), async { Ok(answer) });
        *asked.await.unwrap()
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
}
