//! The v2 half of a hybrid (BEP 52): its file tree must tell of the same files, its piece layers
//! must be complete and lead to the files' roots.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};

use super::{ParseError, amount, attributes};
use crate::bencode::Value;
use crate::torrent::File;

/// Bytes under one leaf of a hash tree.
const BLOCK: u64 = 16 << 10;
/// Bytes of a hash.
const HASH: usize = 32;

/// Tells whether an info dictionary has a v2 half.
pub(super) fn is_v2(info: &Value<'_>) -> Result<bool, ParseError> {
    let version = info.get("meta version").map(Value::integer);
    match (version, info.get("file tree")) {
        (None | Some(Some(1)), None) => Ok(false),
        (Some(Some(2)), Some(_)) => Ok(true),
        (Some(Some(2)), None) => Err(ParseError::Field("file tree")),
        _ => Err(ParseError::Field("meta version")),
    }
}

/// A file of the tree.
struct Leaf<'a> {
    path: String,
    size: u64,
    root: Option<&'a [u8]>,
}

/// Checks that both halves tell of the same files in one order, and that every file of more than
/// one piece has its layer.
pub(super) fn check(
    info: &Value<'_>,
    layers: Option<&Value<'_>>,
    files: &[File],
    piece_length: u64,
) -> Result<(), ParseError> {
    let tree = info
        .get("file tree")
        .ok_or(ParseError::Field("file tree"))?;
    let mut leaves = vec![];
    walk(tree, "", &mut leaves)?;
    let treed = leaves.iter().map(|leaf| (leaf.path.as_str(), leaf.size));
    if !treed.eq(files.iter().map(|file| (file.path.as_str(), file.size.0))) {
        let why = "they name different files, or in another order";
        return Err(ParseError::Hybrid(why));
    }
    let layers = match layers {
        Some(layers) => layers.dict().ok_or(ParseError::Field("piece layers"))?,
        None => &[],
    };
    check_layers(&layered(&leaves, piece_length)?, layers, piece_length)
}

/// Gives the root of every file that needs a layer, and how many hashes the layer has.
fn layered<'a>(
    leaves: &[Leaf<'a>],
    piece_length: u64,
) -> Result<BTreeMap<&'a [u8], u64>, ParseError> {
    let mut needed = BTreeMap::new();
    for leaf in leaves.iter().filter(|leaf| leaf.size > 0) {
        let root = leaf.root.filter(|root| root.len() == HASH);
        let root = root.ok_or(ParseError::Field("pieces root"))?;
        let hashes = leaf.size.div_ceil(piece_length);
        if hashes > 1
            && needed
                .insert(root, hashes)
                .is_some_and(|before| before != hashes)
        {
            return Err(ParseError::Hybrid("files of different sizes have one root"));
        }
    }
    Ok(needed)
}

fn check_layers(
    needed: &BTreeMap<&[u8], u64>,
    layers: &[(&[u8], Value<'_>)],
    piece_length: u64,
) -> Result<(), ParseError> {
    if !needed.keys().eq(layers.iter().map(|(root, _)| root)) {
        return Err(ParseError::Hybrid("the piece layers aren't the files' own"));
    }
    for ((root, expected), (_, layer)) in needed.iter().zip(layers) {
        let layer = layer.bytes().ok_or(ParseError::Field("piece layers"))?;
        let (hashes, rest) = layer.as_chunks();
        if !rest.is_empty() || u64::try_from(hashes.len()) != Ok(*expected) {
            return Err(ParseError::Hybrid("a piece layer has the wrong length"));
        }
        if root_of(hashes, piece_length).as_slice() != *root {
            let why = "a piece layer doesn't lead to its file's root";
            return Err(ParseError::Hybrid(why));
        }
    }
    Ok(())
}

/// Gives the root above a piece layer; what lies behind the file counts as zeros on the lowest row.
fn root_of(hashes: &[[u8; HASH]], piece_length: u64) -> [u8; HASH] {
    let mut filler = [0; HASH];
    for _ in 0..(piece_length / BLOCK).ilog2() {
        filler = parent(&filler, &filler);
    }
    let mut row = hashes.to_vec();
    while row.len() > 1 {
        if !row.len().is_multiple_of(2) {
            row.push(filler);
        }
        let (pairs, _) = row.as_chunks();
        row = pairs.iter().map(|[one, two]| parent(one, two)).collect();
        filler = parent(&filler, &filler);
    }
    row.first().copied().unwrap_or(filler)
}

fn parent(one: &[u8; HASH], two: &[u8; HASH]) -> [u8; HASH] {
    let mut hash = Sha256::new();
    hash.update(one);
    hash.update(two);
    hash.finalize().into()
}

fn walk<'a>(tree: &Value<'a>, above: &str, leaves: &mut Vec<Leaf<'a>>) -> Result<(), ParseError> {
    for (name, node) in tree.dict().ok_or(ParseError::Field("file tree"))? {
        if name.is_empty() {
            if attributes(node)?.padding {
                return Err(ParseError::Hybrid("the file tree has padding"));
            }
            leaves.push(Leaf {
                path: above.to_owned(),
                size: amount(node, "length")?,
                root: node.get("pieces root").and_then(Value::bytes),
            });
            continue;
        }
        let name = super::path::part(name)?;
        let path = if above.is_empty() {
            name
        } else {
            format!("{above}/{name}")
        };
        walk(node, &path, leaves)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests;
