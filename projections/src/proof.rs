//! The proof that the log is what was appended, asked for on a page and made in the background.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::Position;
use time::OffsetDateTime;

use crate::history::History;

/// What a walk through the whole log found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every event fits.
    Fits {
        /// The last position.
        position: Position,
        /// The chain's hash there, hex.
        chain: String,
        /// The Merkle root of all leaves, hex.
        root: String,
    },
    /// An event doesn't fit.
    Differs {
        /// The first one.
        event: Position,
        /// Why.
        reason: String,
    },
}

/// How far a proof is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// It goes on.
    At {
        /// The last position that is proved.
        position: Position,
        /// The position that it must reach.
        of: Position,
    },
    /// It is made.
    Done {
        /// What it found.
        verdict: Verdict,
        /// When.
        at: OffsetDateTime,
        /// How long it took.
        took: Duration,
    },
    /// The log couldn't be read.
    Failed(String),
}

/// The one proof that this process makes at a time, and what the last one found.
#[derive(Debug)]
pub struct Proofs {
    history: Arc<dyn History>,
    standing: Mutex<Option<Standing>>,
}

impl Proofs {
    /// Makes the desk at which proofs are asked for.
    pub fn new(history: Arc<dyn History>) -> Self {
        Self {
            history,
            standing: Mutex::default(),
        }
    }

    /// Starts a proof, unless one goes on.
    pub fn start(self: &Arc<Self>) {
        let mut standing = self.lock();
        if let Some(Standing::At { .. }) = *standing {
            return;
        }
        let (position, of) = (Position(0), Position(0));
        *standing = Some(Standing::At { position, of });
        drop(standing);
        let (desk, began) = (Arc::clone(self), Instant::now());
        let telling = Arc::clone(self);
        let seen = Box::new(move |position, of| {
            *telling.lock() = Some(Standing::At { position, of });
        });
        tokio::spawn(async move {
            let proved = desk.history.prove(seen).await;
            let found = proved.map(|verdict| Standing::Done {
                verdict,
                at: OffsetDateTime::now_utc(),
                took: began.elapsed(),
            });
            *desk.lock() =
                Some(found.unwrap_or_else(|error| Standing::Failed(error.0.to_string())));
        });
    }

    /// Gives how far the proof is, or what the last one found since the start.
    pub fn standing(&self) -> Option<Standing> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Option<Standing>> {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
