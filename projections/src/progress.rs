//! How far each projection has come, for all who wait for it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use domain::Position;

/// Where each projection stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    standing: BTreeMap<&'static str, Standing>,
}

/// Where one projection stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Standing {
    /// The last position it has applied.
    pub position: Position,
    /// Why it stopped, where it has.
    pub stopped: Option<String>,
}

impl Progress {
    /// Notes that a projection has applied the log up to a position.
    pub fn reach(&mut self, name: &'static str, position: Position) {
        self.standing.insert(
            name,
            Standing {
                position,
                stopped: None,
            },
        );
    }

    /// Notes that a projection stopped.
    pub fn stop(&mut self, name: &'static str, reason: String) {
        self.standing.entry(name).or_default().stopped = Some(reason);
    }

    /// Notes that a projection has no tables.
    pub(crate) fn forget(&mut self, name: &str) {
        self.standing.remove(name);
    }

    /// Tells whether every projection that runs has applied the log up to a position.
    pub fn all_reached(&self, position: Position) -> bool {
        self.standing
            .values()
            .all(|standing| standing.stopped.is_some() || standing.position >= position)
    }

    /// Gives a number that is another one once a projection moved; none while nobody tells of any.
    pub(crate) fn mark(&self) -> Option<u64> {
        if self.standing.is_empty() {
            return None;
        }
        let mut hasher = DefaultHasher::new();
        self.standing.hash(&mut hasher);
        Some(hasher.finish())
    }

    /// Gives every projection's standing by name.
    pub fn standing(&self) -> &BTreeMap<&'static str, Standing> {
        &self.standing
    }
}
