//! The v2 half of a hybrid (BEP 52): its file tree must tell of the same files, its piece layers
//! must be complete.

use super::{Contents, ParseError};
use crate::bencode::Value;

/// Tells whether an info dictionary has a v2 half.
pub(super) fn is_v2(info: &Value<'_>) -> Result<bool, ParseError> {
    match (
        info.get("meta version").and_then(Value::integer),
        info.get("file tree"),
    ) {
        (None, None) => Ok(false),
        (Some(2), Some(_)) => Ok(true),
        _ => Err(ParseError::Field("meta version")),
    }
}

/// A file of the tree.
struct Leaf<'a> {
    path: String,
    size: u64,
    root: Option<&'a [u8]>,
}

/// Checks that both halves tell of the same files and that every large file has its layer.
pub(super) fn check(
    info: &Value<'_>,
    layers: Option<&Value<'_>>,
    v1: &Contents,
) -> Result<(), ParseError> {
    let mut leaves = vec![];
    walk(
        info.get("file tree")
            .ok_or(ParseError::Field("file tree"))?,
        "",
        &mut leaves,
    )?;
    let mut listed: Vec<(&str, u64)> = v1
        .files
        .iter()
        .map(|file| (file.path.as_str(), file.size.0))
        .collect();
    let mut treed: Vec<(&str, u64)> = leaves
        .iter()
        .map(|leaf| (leaf.path.as_str(), leaf.size))
        .collect();
    listed.sort_unstable();
    treed.sort_unstable();
    if listed != treed || (!v1.is_folder && leaves.len() != 1) {
        return Err(ParseError::Hybrid("they name different files"));
    }
    let layers = layers
        .and_then(Value::dict)
        .ok_or(ParseError::Field("piece layers"))?;
    leaves
        .iter()
        .try_for_each(|leaf| layer(leaf, layers, v1.piece_length))
}

fn layer(
    leaf: &Leaf<'_>,
    layers: &[(&[u8], Value<'_>)],
    piece_length: u64,
) -> Result<(), ParseError> {
    if leaf.size == 0 {
        return Ok(());
    }
    let root = leaf
        .root
        .filter(|root| root.len() == 32)
        .ok_or(ParseError::Field("pieces root"))?;
    if leaf.size <= piece_length {
        return Ok(());
    }
    let layer = layers
        .iter()
        .find(|(key, _)| *key == root)
        .and_then(|(_, layer)| layer.bytes());
    let hashes = layer
        .ok_or(ParseError::Hybrid("a piece layer is missing"))?
        .len();
    let expected = leaf.size.div_ceil(piece_length) * 32;
    if u64::try_from(hashes) == Ok(expected) {
        Ok(())
    } else {
        Err(ParseError::Hybrid("a piece layer has the wrong length"))
    }
}

fn walk<'a>(tree: &Value<'a>, above: &str, leaves: &mut Vec<Leaf<'a>>) -> Result<(), ParseError> {
    for (name, node) in tree.dict().ok_or(ParseError::Field("file tree"))? {
        if name.is_empty() {
            let size = super::length(node)?;
            let root = node.get("pieces root").and_then(Value::bytes);
            leaves.push(Leaf {
                path: above.to_owned(),
                size,
                root,
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
