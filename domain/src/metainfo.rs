//! What a .torrent file may hold (BEP 3, 27, 47, 52), checked and made ours.
//!
//! A private torrent says so and names its site, so its swarm is ours alone. An upload that says
//! both keeps its info dictionary to the byte and its uploader can seed at once; any other gets
//! them, and with them another info_hash.

use std::collections::HashSet;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::amount::Bytes;
use crate::bencode::{self, Value, write_bytes};
use crate::info_hash::{InfoHash, InfoHashV2};
use crate::torrent::{File, Metainfo};

mod path;
mod v2;

/// The largest .torrent file.
pub const LARGEST: usize = 10 * 1024 * 1024;
/// The most files of a torrent.
pub const MOST_FILES: usize = 100_000;
/// The largest payload, exclusive.
const LARGEST_PAYLOAD: u64 = 1 << 50;

/// A .torrent file that was checked and made ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checked {
    /// The name of the file or folder.
    pub name: String,
    /// The files in order, padding left out.
    pub files: Vec<File>,
    /// The sum of the files, padding left out.
    pub size: Bytes,
    /// Bytes in one piece.
    pub piece_length: Bytes,
    /// SHA-1 of the info dictionary.
    pub info_hash: InfoHash,
    /// SHA-256 of the info dictionary, for a hybrid.
    pub info_hash_v2: Option<InfoHashV2>,
    /// The file with its info dictionary and, for a hybrid, its piece layers alone.
    pub metainfo: Metainfo,
    /// Whether the info dictionary is the uploader's own.
    pub info: Info,
}

/// Whether an info dictionary had to be changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Info {
    /// It is the uploader's own, to the byte.
    Kept,
    /// It was marked as private and as ours, so its info_hash is another one.
    Changed,
}

/// Why a .torrent file is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is larger than [`LARGEST`].
    #[error("the file is larger than 10 MiB; make the torrent with larger pieces")]
    TooLarge,
    /// It isn't canonical bencode.
    #[error("this is not a complete .torrent file; make it anew with a current client")]
    Malformed,
    /// A field is missing or has the wrong type.
    #[error("the field `{0}` is missing or has the wrong form")]
    Field(&'static str),
    /// It has no v1 part.
    #[error(
        "a v2-only torrent can't be announced by every client; make a hybrid (v1 and v2) or a v1 torrent"
    )]
    OnlyV2,
    /// Its pieces have a length that clients don't expect.
    #[error("the piece length must be a power of two from 16 KiB to 64 MiB")]
    PieceLength,
    /// Its pieces don't fit its files.
    #[error(
        "the number of pieces doesn't fit the size of the files ({found} instead of {expected})"
    )]
    Pieces {
        /// Pieces that it has.
        found: u64,
        /// Pieces that its files need.
        expected: u64,
    },
    /// Its files hold nothing, or more than can be.
    #[error("the files together must hold from 1 byte to 1 PiB")]
    Size,
    /// It has too many files.
    #[error("a torrent has at most 100,000 files; put them into archives")]
    TooManyFiles,
    /// A path would be dangerous or unusable on somebody's machine.
    #[error(
        "the path `{0}` can't be used: a part is empty, reserved, too long or has forbidden characters"
    )]
    Path(String),
    /// Two files have one path, on machines that don't tell case.
    #[error("the path `{0}` stands there twice")]
    DoubledPath(String),
    /// It has padding files that only confuse.
    #[error("padding files belong into hybrid torrents alone; make it anew without padding")]
    Padding,
    /// Its v1 and v2 parts disagree.
    #[error("the v1 and v2 parts of the hybrid disagree: {0}")]
    Hybrid(&'static str),
}

/// Checks a .torrent file and makes it ours: private, and of this source.
pub fn read(bytes: &[u8], source: &str) -> Result<Checked, ParseError> {
    if bytes.len() > LARGEST {
        return Err(ParseError::TooLarge);
    }
    let top = bencode::read(bytes).map_err(|_| ParseError::Malformed)?;
    let dicts = bencode::raw_dicts(bytes).map_err(|_| ParseError::Malformed)?;
    let raw = |key: &str| {
        dicts
            .iter()
            .find(|(known, _)| *known == key.as_bytes())
            .map(|(_, raw)| *raw)
    };
    let own = raw("info").ok_or(ParseError::Field("info"))?;
    let info = top.get("info").ok_or(ParseError::Field("info"))?;
    let hybrid = v2::is_v2(info)?;
    let contents = contents(info, hybrid)?;
    let layers = if hybrid {
        v2::check(info, top.get("piece layers"), &contents)?;
        raw("piece layers")
    } else {
        None
    };
    let (kept, info_bytes) = ours(info, own, source);
    Ok(Checked {
        name: contents.name,
        size: Bytes(contents.files.iter().map(|file| file.size.0).sum()),
        files: contents.files,
        piece_length: Bytes(contents.piece_length),
        info_hash: InfoHash(Sha1::digest(&info_bytes).into()),
        info_hash_v2: hybrid.then(|| InfoHashV2(Sha256::digest(&info_bytes).into())),
        metainfo: Metainfo(file(&[], &info_bytes, layers)),
        info: kept,
    })
}

/// Writes a member's own .torrent file: theirs are the announce URL and the comment.
pub fn personal(
    metainfo: &Metainfo,
    announce: &str,
    comment: &str,
    created_by: &str,
) -> Option<Vec<u8>> {
    let dicts = bencode::raw_dicts(&metainfo.0).ok()?;
    let raw = |key: &str| {
        dicts
            .iter()
            .find(|(known, _)| *known == key.as_bytes())
            .map(|(_, raw)| *raw)
    };
    let head = [
        ("announce", announce),
        ("comment", comment),
        ("created by", created_by),
    ];
    Some(file(&head, raw("info")?, raw("piece layers")))
}

/// What an info dictionary says of its files.
pub(crate) struct Contents {
    pub(crate) name: String,
    pub(crate) piece_length: u64,
    /// Padding left out.
    pub(crate) files: Vec<File>,
    pub(crate) is_folder: bool,
}

fn contents(info: &Value<'_>, hybrid: bool) -> Result<Contents, ParseError> {
    let piece_length = positive(info, "piece length")?;
    if !piece_length.is_power_of_two() || !(16 << 10..=64 << 20).contains(&piece_length) {
        return Err(ParseError::PieceLength);
    }
    let name = path::part(
        info.get("name")
            .and_then(Value::bytes)
            .ok_or(ParseError::Field("name"))?,
    )?;
    let pieces = match info.get("pieces") {
        Some(pieces) => pieces.bytes().ok_or(ParseError::Field("pieces"))?,
        None if hybrid => return Err(ParseError::OnlyV2),
        None => return Err(ParseError::Field("pieces")),
    };
    let (files, total, is_folder) = match (info.get("files"), info.get("length")) {
        (Some(files), None) => {
            let (files, total) = listed(files, hybrid)?;
            (files, total, true)
        }
        (None, Some(_)) => {
            let size = length(info)?;
            (
                vec![File {
                    path: name.clone(),
                    size: Bytes(size),
                }],
                size,
                false,
            )
        }
        _ => return Err(ParseError::Field("length")),
    };
    if total == 0 || total >= LARGEST_PAYLOAD || files.is_empty() {
        return Err(ParseError::Size);
    }
    count_pieces(pieces, total, piece_length)?;
    Ok(Contents {
        name,
        piece_length,
        files,
        is_folder,
    })
}

fn count_pieces(pieces: &[u8], total: u64, piece_length: u64) -> Result<(), ParseError> {
    if !pieces.len().is_multiple_of(20) {
        return Err(ParseError::Field("pieces"));
    }
    let found = u64::try_from(pieces.len() / 20).unwrap_or(u64::MAX);
    let expected = total.div_ceil(piece_length);
    if found == expected {
        Ok(())
    } else {
        Err(ParseError::Pieces { found, expected })
    }
}

/// Reads the files of a folder; the sum counts padding too.
fn listed(files: &Value<'_>, hybrid: bool) -> Result<(Vec<File>, u64), ParseError> {
    let listed = files.list().ok_or(ParseError::Field("files"))?;
    if listed.len() > MOST_FILES {
        return Err(ParseError::TooManyFiles);
    }
    let mut total: u64 = 0;
    let mut seen = HashSet::new();
    let mut kept = vec![];
    for entry in listed {
        let size = length(entry)?;
        total = total
            .checked_add(size)
            .filter(|sum| *sum < LARGEST_PAYLOAD)
            .ok_or(ParseError::Size)?;
        let parts = entry
            .get("path")
            .and_then(Value::list)
            .ok_or(ParseError::Field("path"))?;
        let path = path::joined(parts)?;
        if path::is_padding(&path) {
            return Err(ParseError::Padding);
        }
        if entry
            .get("attr")
            .and_then(Value::bytes)
            .is_some_and(|attr| attr.contains(&b'p'))
        {
            if hybrid {
                continue;
            }
            return Err(ParseError::Padding);
        }
        if !seen.insert(path.to_lowercase()) {
            return Err(ParseError::DoubledPath(path));
        }
        kept.push(File {
            path,
            size: Bytes(size),
        });
    }
    Ok((kept, total))
}

fn length(of: &Value<'_>) -> Result<u64, ParseError> {
    let stored = of
        .get("length")
        .and_then(Value::integer)
        .ok_or(ParseError::Field("length"))?;
    u64::try_from(stored).map_err(|_| ParseError::Field("length"))
}

fn positive(of: &Value<'_>, key: &'static str) -> Result<u64, ParseError> {
    let stored = of
        .get(key)
        .and_then(Value::integer)
        .ok_or(ParseError::Field(key))?;
    u64::try_from(stored).map_err(|_| ParseError::Field(key))
}

/// Marks the info dictionary as private and as ours, where it isn't.
fn ours(info: &Value<'_>, own: &[u8], source: &str) -> (Info, Vec<u8>) {
    let private = info.get("private").and_then(Value::integer) == Some(1);
    if private && info.get("source").and_then(Value::bytes) == Some(source.as_bytes()) {
        return (Info::Kept, own.to_vec());
    }
    let pairs = info.dict().unwrap_or_default();
    let others = pairs
        .iter()
        .filter(|(key, _)| *key != b"private" && *key != b"source");
    let mut pairs: Vec<(&[u8], Value<'_>)> = others.cloned().collect();
    pairs.push((b"private", Value::Integer(1)));
    pairs.push((b"source", Value::Bytes(source.as_bytes())));
    pairs.sort_by_key(|(key, _)| *key);
    let mut bytes = vec![];
    Value::Dict(pairs).write(&mut bytes);
    (Info::Changed, bytes)
}

/// Writes a .torrent file; the texts' keys must come before `info`.
fn file(texts: &[(&str, &str)], info: &[u8], layers: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = vec![b'd'];
    for (key, text) in texts {
        write_bytes(key.as_bytes(), &mut bytes);
        write_bytes(text.as_bytes(), &mut bytes);
    }
    for (key, raw) in [("info", Some(info)), ("piece layers", layers)] {
        if let Some(raw) = raw {
            write_bytes(key.as_bytes(), &mut bytes);
            bytes.extend(raw);
        }
    }
    bytes.push(b'e');
    bytes
}

#[cfg(test)]
mod tests;
