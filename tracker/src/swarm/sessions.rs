//! A swarm's sessions, found by their peer or their member.

use std::sync::LazyLock;

use ahash::RandomState;
use hashbrown::HashTable;

use super::{PeerKey, number, place, push};
use crate::session::Session;

/// Sessions among which a peer is found without a table.
const FEW: usize = 16;
/// Members that are compared before it is asked whether the one was among them.
const AT_ONCE: usize = 64;

/// Under a key that nobody else knows, so that nobody makes peers that stand in one place of the table.
static HASH: LazyLock<RandomState> = LazyLock::new(RandomState::new);

/// The sessions in two columns; where one is removed, the last moves into its place.
#[derive(Default)]
pub(crate) struct Sessions {
    /// Each session's member, by number: who looks for a member's sessions reads nothing else.
    members: Vec<u32>,
    all: Vec<Session>,
    /// The places of all sessions, or nothing while they are few.
    table: HashTable<u32>,
}

fn hash(peer: &PeerKey) -> u64 {
    HASH.hash_one(peer)
}

impl Sessions {
    pub(crate) fn len(&self) -> usize {
        self.all.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn get(&self, at: usize) -> Option<&Session> {
        self.all.get(at)
    }

    pub(crate) fn get_mut(&mut self, at: usize) -> Option<&mut Session> {
        self.all.get_mut(at)
    }

    /// Gives the member of a session.
    pub(crate) fn member(&self, at: usize) -> Option<u32> {
        self.members.get(at).copied()
    }

    fn is(&self, at: usize, peer: &PeerKey) -> bool {
        let is_client = |session: &Session| session.peer == peer.id;
        self.all.get(at).is_some_and(is_client) && self.member(at) == Some(peer.member)
    }

    fn key(&self, at: u32) -> Option<PeerKey> {
        let session = self.all.get(place(at))?;
        let member = self.member(place(at))?;
        let id = session.peer;
        Some(PeerKey { member, id })
    }

    /// Gives the place of a peer's session.
    pub(crate) fn find(&self, peer: &PeerKey) -> Option<usize> {
        if self.table.is_empty() {
            let mut own = self.of_member(peer.member);
            return own.find(|at| self.is(*at, peer));
        }
        let found = self
            .table
            .find(hash(peer), |at| self.is(place(*at), peer))
            .copied();
        found.map(place)
    }

    /// Gives the places of a member's sessions. It reads four bytes of each session, several at once.
    pub(crate) fn of_member(&self, member: u32) -> impl Iterator<Item = usize> {
        let chunks = self.members.chunks(AT_ONCE).zip((0..).step_by(AT_ONCE));
        chunks
            .filter(move |(some, _)| some.contains(&member))
            .flat_map(|(some, from)| some.iter().zip(from..))
            .filter(move |(one, _)| **one == member)
            .map(|(_, at)| at)
    }

    /// Gives all sessions with their members.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (u32, &mut Session)> {
        self.members.iter().copied().zip(&mut self.all)
    }

    /// Adds the session of a peer that has none, and gives its place.
    pub(super) fn add(&mut self, peer: PeerKey, mut session: Session) -> usize {
        let at = self.all.len();
        session.peer = peer.id;
        push(&mut self.members, peer.member);
        push(&mut self.all, session);
        if !self.table.is_empty() {
            self.note(at);
        } else if at >= FEW {
            (0..=at).for_each(|at| self.note(at));
        }
        at
    }

    /// Notes the place of a session in the table.
    fn note(&mut self, at: usize) {
        let mut table = std::mem::take(&mut self.table);
        let hash = |at: &u32| self.key(*at).map_or(0, |peer| hash(&peer));
        let at = number(at);
        table.insert_unique(hash(&at), at, hash);
        self.table = table;
    }

    /// Removes a session.
    pub(super) fn remove(&mut self, at: usize) {
        let last = number(self.all.len().saturating_sub(1));
        let (gone, moved) = (self.key(number(at)), self.key(last));
        if let (Some(gone), Some(moved), false) = (gone, moved, self.table.is_empty()) {
            if let Ok(found) = self.table.find_entry(hash(&gone), |one| place(*one) == at) {
                found.remove();
            }
            if let Some(found) = self.table.find_mut(hash(&moved), |one| *one == last) {
                *found = number(at);
            }
        }
        if at < self.all.len() {
            self.members.swap_remove(at);
            self.all.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashMap;

    proptest! {
        #[test]
        fn sessions_are_found_as_in_a_map(
            steps in prop::collection::vec((0_u32..6, 0_u8..12, 0_usize..3), 1..200),
        ) {
            let mut sessions = Sessions::default();
            let mut model: HashMap<(u32, u8), u64> = HashMap::new();
            for ((member, id, what), client) in steps.into_iter().zip(1..) {
                let peer = PeerKey { member, id: [id; 20] };
                match (sessions.find(&peer), what) {
                    (Some(at), 0) => {
                        sessions.remove(at);
                        model.remove(&(member, id));
                    }
                    (Some(at), _) => {
                        sessions.get_mut(at).unwrap().totals.client = client;
                        model.insert((member, id), client);
                    }
                    (None, _) => {
                        sessions.add(peer, Session::resumed(client, None, 0));
                        model.insert((member, id), client);
                    }
                }
                prop_assert_eq!(sessions.len(), model.len());
            }
            for ((member, id), client) in &model {
                let at = sessions.find(&PeerKey { member: *member, id: [*id; 20] }).unwrap();
                prop_assert_eq!(sessions.get(at).unwrap().totals.client, *client);
            }
            for member in 0..6 {
                let own = sessions.of_member(member).count();
                prop_assert_eq!(own, model.keys().filter(|(of, _)| *of == member).count());
            }
        }
    }
}
