//! Members by numbers, which take a quarter of the room of their ids.

use std::sync::{PoisonError, RwLock};

use ahash::AHashMap;
use domain::id::MemberId;

/// A member, and the number that stands for it in this tracker's memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) id: MemberId,
    pub(crate) number: u32,
    /// Whether the member keeps order among torrents.
    pub(crate) staff: bool,
    /// When a ban ends, in seconds since 1970; 0 where there is none.
    pub(crate) banned_until: u32,
}

/// The members that have a number.
#[derive(Debug, Default)]
pub(crate) struct Members(RwLock<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    of: AHashMap<MemberId, u32>,
    ids: Vec<MemberId>,
}

impl Members {
    /// Gives a member's number, a new one where it has none.
    pub(crate) fn number(&self, id: MemberId) -> Member {
        let mut numbers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let next = u32::try_from(numbers.ids.len()).unwrap_or(u32::MAX);
        let number = *numbers.of.entry(id).or_insert(next);
        if number == next {
            numbers.ids.push(id);
        }
        Member {
            id,
            number,
            staff: false,
            banned_until: 0,
        }
    }

    /// Gives the number of a member that has one.
    pub(crate) fn find(&self, id: MemberId) -> Option<u32> {
        let numbers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        numbers.of.get(&id).copied()
    }

    /// Gives the member of a number.
    pub(crate) fn id(&self, number: u32) -> MemberId {
        let numbers = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let found = usize::try_from(number)
            .ok()
            .and_then(|at| numbers.ids.get(at));
        found.copied().unwrap_or(MemberId(uuid::Uuid::nil()))
    }

    /// Forgets every number; nobody may hold one any more.
    pub(crate) fn clear(&self) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Numbers::default();
    }
}
