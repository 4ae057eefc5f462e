//! Why a torrent is withdrawn, as it is said and as it is told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;

/// Why a torrent is withdrawn.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Why {
    /// In your own words; its uploader reads it.
    #[schema(max_length = 500)]
    reason: Option<String>,
}

impl Why {
    /// Gives the reason, where there is one.
    pub(super) fn said(self) -> Result<Option<String>, Problem> {
        let reason = self.reason.map(|reason| reason.trim().to_owned());
        let reason = reason.filter(|reason| !reason.is_empty());
        let is_long = |reason: &String| reason.chars().count() > 500;
        if reason.as_ref().is_some_and(is_long) {
            let detail = "A reason has at most 500 characters.";
            return Err(Problem::field("reason", detail));
        }
        Ok(reason)
    }
}

/// By whom.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub(crate) enum By {
    /// Who uploaded it.
    Uploader,
    /// The staff.
    Staff,
}

/// Who withdrew a torrent, and why.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Withdrawal {
    by: By,
    reason: Option<String>,
}

impl From<projections::torrent::withdrawal::Withdrawal> for Withdrawal {
    fn from(told: projections::torrent::withdrawal::Withdrawal) -> Self {
        Self {
            by: if told.by_staff {
                By::Staff
            } else {
                By::Uploader
            },
            reason: told.reason,
        }
    }
}
