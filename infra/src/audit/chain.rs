//! What makes a log whole, checked one event after the other.

use domain::audit::Checkpoint;
use domain::{Position, audit};

use super::Mismatch;
use crate::merkle::Tree;
use crate::seal::{self, Inside, Place};

/// The fold over the log that finds the first event that doesn't fit.
#[derive(Debug, Default)]
pub(super) struct Check {
    position: i64,
    recorded_at: i64,
    chain: Vec<u8>,
    all: Tree,
    /// The leaves since the last checkpoint, and where they begin.
    recent: Vec<[u8; 32]>,
    covered: i64,
    erased: i64,
}

/// An event as it is stored, with its plaintext unless that is withheld.
pub(super) struct Link<'a> {
    pub(super) place: Place<'a>,
    pub(super) plain: Option<&'a [u8]>,
    pub(super) commitment: [u8; 32],
    pub(super) leaf: &'a [u8],
    pub(super) chain: &'a [u8],
}

impl Check {
    /// Takes the next event; says what is wrong with it, if anything is.
    pub(super) fn take(&mut self, link: &Link<'_>) -> Result<(), Mismatch> {
        let position = link.place.position;
        self.follows(position, link.place.recorded_at)?;
        let leaf = seal::leaf(&link.place, &link.commitment);
        if leaf != link.leaf {
            let reason = "its place, its time, its command or its content was changed";
            return Err(mismatch(position, reason));
        }
        let chain = self.linked(position, &leaf, link.chain)?;
        if link.place.envelope.stream_type == "audit" {
            self.checkpoint(link)?;
        }
        self.note(link.place.recorded_at, leaf, chain);
        self.recent.push(leaf);
        Ok(())
    }

    /// Takes the next event by its leaf alone, where its content can't be opened, or went with a member.
    pub(super) fn take_leaf(
        &mut self,
        position: i64,
        recorded_at: i64,
        leaf: [u8; 32],
        chain: &[u8],
        is_erased: bool,
    ) -> Result<(), Mismatch> {
        self.follows(position, recorded_at)?;
        let chain = self.linked(position, &leaf, chain)?;
        self.note(recorded_at, leaf, chain);
        if is_erased {
            self.erased += 1;
            self.recent.push(leaf);
        }
        Ok(())
    }

    fn follows(&self, position: i64, recorded_at: i64) -> Result<(), Mismatch> {
        let expected = self.position + 1;
        if position != expected {
            return Err(mismatch(expected, "it is missing"));
        }
        if recorded_at < self.recorded_at {
            return Err(mismatch(position, "it is older than the event before it"));
        }
        Ok(())
    }

    fn linked(&self, position: i64, leaf: &[u8; 32], chain: &[u8]) -> Result<[u8; 32], Mismatch> {
        let linked = seal::link(&self.chain, leaf);
        if linked == chain {
            Ok(linked)
        } else {
            Err(mismatch(position, "its hash doesn't continue the chain"))
        }
    }

    fn note(&mut self, recorded_at: i64, leaf: [u8; 32], chain: [u8; 32]) {
        self.position += 1;
        self.recorded_at = recorded_at;
        self.chain = chain.to_vec();
        self.all.push(&leaf);
    }

    /// Compares a checkpoint with the events that it covers.
    fn checkpoint(&mut self, link: &Link<'_>) -> Result<(), Mismatch> {
        let wrong = |reason| mismatch(link.place.position, reason);
        let inside: Option<Inside> = link
            .plain
            .and_then(|plain| serde_json::from_slice(plain).ok());
        let event = inside.and_then(|inside| serde_json::from_value(inside.payload).ok());
        let event = event.ok_or_else(|| wrong("it has no shape that is known"))?;
        let audit::Event::CheckpointSet(checkpoint) = event else {
            return Ok(());
        };
        if checkpoint.after.0 != self.covered || checkpoint.upto.0 > self.position {
            return Err(wrong("this checkpoint doesn't follow the one before it"));
        }
        if self.root_upto(checkpoint) != Some(checkpoint.root.0) {
            return Err(wrong(
                "the events before this checkpoint aren't the ones it covers",
            ));
        }
        Ok(())
    }

    /// Gives the root of what a checkpoint covers, and begins after it.
    fn root_upto(&mut self, checkpoint: Checkpoint) -> Option<[u8; 32]> {
        let length = usize::try_from(checkpoint.upto.0 - self.covered).ok()?;
        if length > self.recent.len() {
            return None;
        }
        let mut tree = Tree::default();
        self.recent
            .drain(..length)
            .for_each(|leaf| tree.push(&leaf));
        self.covered = checkpoint.upto.0;
        Some(tree.root())
    }

    pub(super) fn position(&self) -> Position {
        Position(self.position)
    }

    pub(super) fn erased(&self) -> i64 {
        self.erased
    }

    pub(super) fn chain(&self) -> String {
        hex::encode(&self.chain)
    }

    pub(super) fn root(&self) -> String {
        hex::encode(self.all.root())
    }
}

pub(super) fn mismatch(position: i64, reason: &'static str) -> Mismatch {
    Mismatch {
        event: Position(position),
        reason: reason.to_owned(),
    }
}
