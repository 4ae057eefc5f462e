//! How far each projection has come, for all who wait for it.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher as _};

use domain::Position;

use crate::runner::search;

/// By how much a projection may seem to go back: who only reads hears less than its checkpoint says, and
/// the other way round.
const NEAR: i64 = 5_000;

/// Where each projection stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Progress {
    standing: BTreeMap<&'static str, Standing>,
    /// How far those stood whose tables were lost, and who haven't come so far again.
    lost: BTreeMap<&'static str, Position>,
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
        let now = Standing {
            position,
            stopped: None,
        };
        let before = self.standing.insert(name, now);
        let before = before.map_or(Position(0), |before| before.position);
        let least = if position.0 == 0 { 1 } else { NEAR };
        if before.0 - position.0 >= least {
            self.lose(name, before);
        } else if self.lost.get(name).is_some_and(|stood| position >= *stood) {
            self.lost.remove(name);
        }
    }

    fn lose(&mut self, name: &'static str, stood: Position) {
        // Each node that shows pages fills its own search index, and says so.
        if name != search::NAME {
            self.lost.entry(name).or_insert(stood);
        }
    }

    /// Tells how far read tables are, and how far they were, that the database lost and that are being filled
    /// anew: what they say meanwhile is of long ago.
    pub fn refilled(&self) -> Option<(Position, Position)> {
        let of = *self.lost.values().max()?;
        let at = |name| {
            self.standing
                .get(name)
                .map_or(Position(0), |one| one.position)
        };
        let least = self.lost.keys().map(at).min();
        Some((least.unwrap_or_default(), of))
    }

    /// Notes that a projection stopped.
    pub fn stop(&mut self, name: &'static str, reason: String) {
        self.standing.entry(name).or_default().stopped = Some(reason);
    }

    /// Notes that a projection has no tables.
    pub(crate) fn forget(&mut self, name: &'static str) {
        let before = self.standing.remove(name);
        if let Some(before) = before.filter(|before| before.position.0 > 0) {
            self.lose(name, before.position);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_that_were_lost_are_filled_until_they_are_where_they_were() {
        let mut progress = Progress::default();
        for name in ["user", "torrent", search::NAME] {
            progress.reach(name, Position(0));
            progress.reach(name, Position(9_000));
        }
        assert_eq!(progress.refilled(), None, "they were filled first");
        progress.reach("user", Position(8_000));
        progress.reach(search::NAME, Position(0));
        assert_eq!(progress.refilled(), None, "nothing was lost");
        progress.reach("user", Position(0));
        progress.forget("torrent");
        let stood = Position(9_000);
        assert_eq!(progress.refilled(), Some((Position(0), stood)));
        progress.reach("user", Position(8_500));
        progress.reach("torrent", Position(5_000));
        assert_eq!(progress.refilled(), Some((Position(5_000), stood)));
        progress.reach("torrent", Position(9_001));
        assert_eq!(progress.refilled(), None, "{progress:?}");
    }

    #[test]
    fn one_that_goes_far_back_lost_its_tables() {
        let mut progress = Progress::default();
        progress.reach("user", Position(90_000));
        progress.reach("user", Position(5_000));
        progress.reach("user", Position(10_000));
        let standing = Some((Position(10_000), Position(90_000)));
        assert_eq!(progress.refilled(), standing);
        progress.reach("user", Position(90_000));
        assert_eq!(progress.refilled(), None);
    }
}
