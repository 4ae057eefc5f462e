//! Keeps the search index up with the log: documents and position in one commit.

use std::sync::Arc;
use std::time::Duration;

use domain::Position;
use tokio::sync::watch;

use super::{RETRY, Runner, Step};
use crate::Unavailable;
use crate::feed::NotRead;
use crate::torrent::search::{Mark, STREAMS, Search};

/// What it is called beside the projections.
pub(crate) const NAME: &str = "search";
/// Positions that one commit covers at most: each costs a segment.
const BATCH: i64 = 50_000;

impl Runner {
    /// Follows the feed with the search index until `stop` turns true; where an event can't be read, it
    /// tries again by itself, since the index has no checkpoint at which it could be told to.
    pub async fn follow_search(&self, search: &Arc<Search>, mut stop: watch::Receiver<bool>) {
        let mut known = None;
        while !*stop.borrow() {
            let wait = match self.step_search(search, &mut known).await {
                Ok(Step::Applied | Step::Behind(_)) => continue,
                Ok(Step::CaughtUp(position)) => {
                    tokio::select! {
                        _ = self.feed.wait(position) => {}
                        _ = stop.changed() => {}
                    }
                    continue;
                }
                Err(NotRead::Away(error)) => {
                    tracing::warn!(projection = NAME, reason = %error.0, "projection waits");
                    Duration::from_millis(500)
                }
                Err(error @ NotRead::Event { .. }) => {
                    self.search_stopped(error.to_string());
                    RETRY
                }
            };
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = stop.changed() => {}
            }
        }
    }

    fn search_stopped(&self, reason: String) {
        let is_new = {
            let progress = self.progress.borrow();
            let standing = progress.standing().get(NAME);
            standing.is_none_or(|standing| standing.stopped.as_deref() != Some(reason.as_str()))
        };
        if is_new {
            tracing::error!(projection = NAME, %reason, "projection stopped");
            self.progress
                .send_modify(|progress| progress.stop(NAME, reason));
        }
    }

    /// Applies one batch behind what is known to be committed.
    async fn step_search(
        &self,
        search: &Arc<Search>,
        known: &mut Option<Position>,
    ) -> Result<Step, NotRead> {
        // After a failure only the index itself can tell what is committed.
        let position = match known.take() {
            Some(position) => position,
            None => self.search_from(search).await?,
        };
        let batch = self.feed.read(position, BATCH, STREAMS).await?;
        let (upto, step) = (batch.upto, Step::of(&batch));
        if !batch.events.is_empty() {
            let chain = self.feed.chain(upto).await?;
            let mark = Mark {
                position: upto,
                chain: chain.unwrap_or_default(),
            };
            let search = Arc::clone(search);
            tokio::task::spawn_blocking(move || search.apply(&batch.events, &mark))
                .await
                .map_err(|error| Unavailable(Box::new(error)))??;
        }
        *known = Some(upto);
        self.reached(NAME, upto);
        Ok(step)
    }

    /// Gives the position from which the index goes on; one of another log is emptied.
    async fn search_from(&self, search: &Search) -> Result<Position, NotRead> {
        let Some(mark) = search.mark()? else {
            return Ok(Position(0));
        };
        if self.feed.chain(mark.position).await? == Some(mark.chain) {
            return Ok(mark.position);
        }
        tracing::warn!("the search index belongs to another log and is filled anew");
        search.clear()?;
        Ok(Position(0))
    }
}
