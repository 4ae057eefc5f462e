//! What pages ask for again and again, kept until a projection moves.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{Reads, Unavailable};

/// The last answer to a question, with where the projections stood when it was asked.
#[derive(Debug)]
pub(crate) struct Kept<T>(Mutex<Option<(u64, Arc<T>)>>);

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<T> Kept<T> {
    /// Gives the last answer if nothing moved since, or asks again.
    pub(crate) async fn or_ask(
        &self,
        reads: &Reads,
        ask: impl Future<Output = Result<T, Unavailable>>,
    ) -> Result<Arc<T>, Unavailable> {
        // Asked for ahead of the question: what moves meanwhile makes the answer too new, never too old.
        let standing = reads.progress.borrow().mark();
        if let Some((at, answer)) = &*self.lock()
            && Some(*at) == standing
        {
            return Ok(Arc::clone(answer));
        }
        let answer = Arc::new(ask.await?);
        if let Some(standing) = standing {
            *self.lock() = Some((standing, Arc::clone(&answer)));
        }
        Ok(answer)
    }

    fn lock(&self) -> MutexGuard<'_, Option<(u64, Arc<T>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
