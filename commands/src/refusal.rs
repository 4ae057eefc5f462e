//! Why a command wasn't carried out.

use uuid::Uuid;

use crate::ports::Unavailable;

/// Why a command wasn't carried out; `R` is its aggregate's rejection.
#[derive(Debug, thiserror::Error)]
pub enum Refusal<R: std::error::Error> {
    /// The aggregate refused.
    #[error(transparent)]
    Rejected(R),
    /// Who asks may not.
    #[error("this needs another role")]
    Forbidden,
    /// What it is about doesn't exist.
    #[error("there is no such thing")]
    NotFound,
    /// A value that must be unique belongs to another stream.
    #[error("the {scope} is taken")]
    Taken {
        /// What kind of value it is, such as `username`.
        scope: &'static str,
        /// The stream that holds it.
        holder: Option<Uuid>,
    },
    /// Others changed the same thing again and again; trying once more is right.
    #[error("somebody else changed this at the same time")]
    Conflict,
    /// Something outside can't be reached.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}
