//! The Merkle tree hash of RFC 6962, section 2.1, over leaves that come one after the other.

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A tree that grows to the right; it keeps one hash for each of its full parts.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Tree {
    /// Height and hash of the full parts, the highest first.
    parts: Vec<(u32, [u8; 32])>,
}

impl Tree {
    /// Adds a leaf.
    pub(crate) fn push(&mut self, leaf: &[u8; 32]) {
        let mut hash: [u8; 32] = Sha256::new()
            .chain_update([0])
            .chain_update(leaf)
            .finalize()
            .into();
        let mut height = 0;
        while let Some((_, left)) = self.parts.pop_if(|(part, _)| *part == height) {
            hash = node(&left, &hash);
            height += 1;
        }
        self.parts.push((height, hash));
    }

    /// Gives the root; that of no leaf is the hash of nothing.
    pub(crate) fn root(&self) -> [u8; 32] {
        self.parts
            .iter()
            .rev()
            .map(|(_, hash)| *hash)
            .reduce(|right, left| node(&left, &right))
            .unwrap_or_else(|| Sha256::digest([]).into())
    }
}

fn node(left: &[u8; 32], right: &[u8; 32]) -> [u8; 32] {
    Sha256::new()
        .chain_update([1])
        .chain_update(left)
        .chain_update(right)
        .finalize()
        .into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition, word for word: split at the greatest power of two that is smaller.
    fn defined(leaves: &[[u8; 32]]) -> [u8; 32] {
        match leaves {
            [] => Sha256::digest([]).into(),
            [leaf] => Sha256::new()
                .chain_update([0])
                .chain_update(leaf)
                .finalize()
                .into(),
            _ => {
                let mut half = 1;
                while half * 2 < leaves.len() {
                    half *= 2;
                }
                let (left, right) = leaves.split_at(half);
                node(&defined(left), &defined(right))
            }
        }
    }

    #[test]
    fn a_growing_tree_has_the_defined_root() {
        let leaves: Vec<[u8; 32]> = (0..70).map(|number| [number; 32]).collect();
        let mut tree = Tree::default();
        for length in 0..=leaves.len() {
            assert_eq!(tree.root(), defined(&leaves[..length]), "{length} leaves");
            if let Some(leaf) = leaves.get(length) {
                tree.push(leaf);
            }
        }
    }
}
