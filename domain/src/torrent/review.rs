//! What the staff says of a torrent that has to wait before other members see it.

use serde::{Deserialize, Serialize};

use super::{Event, Rejection, Torrent};

/// The most characters of a reason.
pub const LONGEST_REASON: usize = 1_000;

/// What the staff says of a torrent that isn't approved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Review {
    /// Nothing yet.
    Waiting,
    /// Its uploader should change something first.
    ChangesAsked {
        /// What, in the words of who asks.
        reason: String,
    },
    /// Others don't get it.
    Rejected {
        /// Why, in the words of who rejected it.
        reason: String,
    },
}

impl Review {
    /// Gives its name, as read tables hold it.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::ChangesAsked { .. } => "changes",
            Self::Rejected { .. } => "rejected",
        }
    }

    /// Gives the reason, where there is one.
    pub fn reason(&self) -> Option<&str> {
        match self {
            Self::Waiting => None,
            Self::ChangesAsked { reason } | Self::Rejected { reason } => Some(reason),
        }
    }

    /// Reads a name and a reason; whatever it doesn't know waits.
    pub fn named(name: &str, reason: String) -> Self {
        match name {
            "changes" => Self::ChangesAsked { reason },
            "rejected" => Self::Rejected { reason },
            _ => Self::Waiting,
        }
    }
}

/// What the staff decides of a torrent that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Every member may have it.
    Approve,
    /// Others don't get it, and why.
    Reject(String),
    /// Its uploader should change something first, and what.
    AskForChanges(String),
}

impl Verdict {
    pub(super) fn event(self) -> Result<Event, Rejection> {
        Ok(match self {
            Self::Approve => Event::TorrentApproved {},
            Self::Reject(reason) => Event::TorrentRejected {
                reason: said(&reason)?,
            },
            Self::AskForChanges(reason) => Event::TorrentChangesAsked {
                reason: said(&reason)?,
            },
        })
    }
}

impl Torrent {
    pub(super) fn restore(&self, by_staff: bool) -> Result<Vec<Event>, Rejection> {
        match self {
            Self::Unknown => Err(Rejection::Unknown),
            Self::Withdrawn { by_staff: true, .. } if !by_staff => Err(Rejection::WithdrawnByStaff),
            Self::Withdrawn { .. } => Ok(vec![Event::TorrentRestored {}]),
            Self::Held {
                review: Review::Rejected { .. },
                ..
            } if by_staff => Ok(vec![Event::TorrentSubmitted {}]),
            Self::Held {
                review: Review::Rejected { .. },
                ..
            } => Err(Rejection::Rejected),
            Self::Offered(_) | Self::Held { .. } => Err(Rejection::NotWithdrawn),
        }
    }

    pub(super) fn review(&self, verdict: Verdict) -> Result<Vec<Event>, Rejection> {
        match self {
            Self::Unknown => Err(Rejection::Unknown),
            Self::Withdrawn { .. } => Err(Rejection::AlreadyWithdrawn),
            Self::Offered(_) => Err(Rejection::NotWaiting),
            Self::Held {
                review: Review::Rejected { .. },
                ..
            } => Err(Rejection::Rejected),
            Self::Held { .. } => Ok(vec![verdict.event()?]),
        }
    }
}

fn said(reason: &str) -> Result<String, Rejection> {
    let reason = reason.trim();
    if (1..=LONGEST_REASON).contains(&reason.chars().count()) {
        Ok(reason.to_owned())
    } else {
        Err(Rejection::ReasonMissing)
    }
}
