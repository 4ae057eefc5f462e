//! What a .torrent file may hold (BEP 3, 27, 47, 52), checked and made ours.
//!
//! A private torrent says so and names its site, so its swarm is ours alone. An upload that says
//! both keeps its info dictionary to the byte and its uploader can seed at once; any other gets
//! them, and with them another `info_hash`.

use std::collections::BTreeMap;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::amount::Bytes;
use crate::bencode::{self, Malformed, Value, write_bytes, write_dict};
use crate::info_hash::{InfoHash, InfoHashV2};
use crate::torrent::{File, Metainfo};

mod path;
mod v2;

pub use path::PathFault;

/// The largest .torrent file, as given and as made ours.
pub const LARGEST: usize = 10 * 1024 * 1024;
/// The most files of a torrent, padding left out.
pub const MOST_FILES: usize = 100_000;
/// The shortest and the longest piece.
const PIECE_LENGTHS: std::ops::RangeInclusive<u64> = 16 << 10..=64 << 20;
/// The largest payload, exclusive; padding counts.
const LARGEST_PAYLOAD: u64 = 1 << 50;
/// Bytes of a piece's SHA-1.
const PIECE_HASH: usize = 20;

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
    /// It was marked as private and as ours, so its `info_hash` is another one.
    Changed,
}

/// Why a .torrent file is refused, in words for its uploader.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseError {
    /// It is larger than [`LARGEST`].
    #[error("a .torrent file has at most 10 MiB; make it anew with larger pieces")]
    TooLarge,
    /// It isn't canonical bencode.
    #[error("this isn't a whole and valid .torrent file; make it anew with a current client")]
    Malformed,
    /// It is nested deeper than [`bencode::DEEPEST`].
    #[error("the folders are nested too deep; use fewer levels or make a v1 torrent")]
    TooDeep,
    /// It has more than [`bencode::MOST_VALUES`] values.
    #[error("the .torrent file has more than a million fields; put the files into archives")]
    TooManyValues,
    /// A field is missing, has the wrong type or a value out of range.
    #[error("the field `{0}` is missing or invalid; make the torrent anew with a current client")]
    Field(&'static str),
    /// It has no v1 part.
    #[error(
        "not every client can use a v2-only torrent; make a hybrid (v1 and v2) or a v1 torrent"
    )]
    OnlyV2,
    /// Its pieces have a length that clients don't expect.
    #[error("the piece size must be a power of two from 16 KiB to 64 MiB; choose another one")]
    PieceLength,
    /// Its pieces don't fit its files.
    #[error("it has {found} pieces where its files need {expected}; make the torrent anew")]
    Pieces {
        /// Pieces that it has.
        found: u64,
        /// Pieces that its files need.
        expected: u64,
    },
    /// Its files hold nothing, or more than can be.
    #[error("the files together must hold at least 1 byte and less than 1 PiB; choose other files")]
    Size,
    /// It has more than [`MOST_FILES`] files.
    #[error("a torrent has at most 100,000 files; put them into archives")]
    TooManyFiles,
    /// A path would be dangerous or unusable on somebody's machine.
    #[error("the path `{path}` can't be used: {why}; rename it and make the torrent anew")]
    Path {
        /// The beginning of the path or of its bad part, without control characters.
        path: String,
        /// What is wrong with it.
        why: PathFault,
    },
    /// Two files have one path, or a file is a folder too, on machines that don't tell case.
    #[error("two files have the path `{0}` where case doesn't count; rename one of them")]
    DoubledPath(String),
    /// Some clients would show other names than we do.
    #[error("`{0}.utf-8` differs from `{0}`; make the torrent anew with a current client")]
    Disguised(&'static str),
    /// A file is a link to another one.
    #[error("a torrent can't hold symbolic links; make it anew from the files themselves")]
    Symlink,
    /// It has padding files that only confuse.
    #[error("only hybrid torrents may hold padding files; make it anew without padding")]
    Padding,
    /// Its v1 and v2 parts disagree.
    #[error("the v1 and v2 parts disagree: {0}; make the torrent anew with a current client")]
    Hybrid(&'static str),
}

impl From<Malformed> for ParseError {
    fn from(why: Malformed) -> Self {
        match why {
            Malformed::Syntax => Self::Malformed,
            Malformed::TooDeep => Self::TooDeep,
            Malformed::TooMany => Self::TooManyValues,
        }
    }
}

/// Checks a .torrent file and makes it ours: private, and of this source.
pub fn read(bytes: &[u8], source: &str) -> Result<Checked, ParseError> {
    if bytes.len() > LARGEST {
        return Err(ParseError::TooLarge);
    }
    let top = bencode::read(bytes)?;
    let info = top.get("info").ok_or(ParseError::Field("info"))?;
    let (own, layers) = parts(bytes)?;
    let hybrid = v2::is_v2(info)?;
    let contents = contents(info, hybrid)?;
    if hybrid {
        let layers = top.get("piece layers");
        v2::check(info, layers, &contents.files, contents.piece_length)?;
    }
    let (kept, info_bytes) = ours(info, own, source);
    let metainfo = end(vec![b'd'], &info_bytes, layers.filter(|_| hybrid));
    if metainfo.len() > LARGEST {
        return Err(ParseError::TooLarge);
    }
    Ok(Checked {
        name: contents.name,
        size: Bytes(contents.files.iter().map(|file| file.size.0).sum()),
        files: contents.files,
        piece_length: Bytes(contents.piece_length),
        info_hash: InfoHash(Sha1::digest(&info_bytes).into()),
        info_hash_v2: hybrid.then(|| InfoHashV2(Sha256::digest(&info_bytes).into())),
        metainfo: Metainfo(metainfo),
        info: kept,
    })
}

/// Writes a member's own .torrent file around the info dictionary as it is stored.
///
/// Gives nothing if what is stored isn't a .torrent file, which [`read`] never gives.
pub fn personal(
    metainfo: &Metainfo,
    announces: &[String],
    comment: &str,
    created_by: &str,
) -> Option<Vec<u8>> {
    let (info, layers) = parts(&metainfo.0).ok()?;
    let mut bytes = vec![b'd'];
    let text = |key: &str, text: &str, bytes: &mut Vec<u8>| {
        write_bytes(key.as_bytes(), bytes);
        write_bytes(text.as_bytes(), bytes);
    };
    text("announce", announces.first()?, &mut bytes);
    if announces.len() > 1 {
        // Each URL is a tier of its own (BEP 12).
        write_bytes(b"announce-list", &mut bytes);
        bytes.push(b'l');
        for announce in announces {
            bytes.push(b'l');
            write_bytes(announce.as_bytes(), &mut bytes);
            bytes.push(b'e');
        }
        bytes.push(b'e');
    }
    text("comment", comment, &mut bytes);
    text("created by", created_by, &mut bytes);
    Some(end(bytes, info, layers))
}

/// Gives the bytes of the info dictionary and of the piece layers.
fn parts(bytes: &[u8]) -> Result<(&[u8], Option<&[u8]>), ParseError> {
    let info = bencode::raw_dict(bytes, "info")?.ok_or(ParseError::Field("info"))?;
    Ok((info, bencode::raw_dict(bytes, "piece layers")?))
}

/// What an info dictionary says of its files.
struct Contents {
    name: String,
    piece_length: u64,
    /// Padding left out.
    files: Vec<File>,
}

fn contents(info: &Value<'_>, hybrid: bool) -> Result<Contents, ParseError> {
    let pieces = match info.get("pieces") {
        None if hybrid => return Err(ParseError::OnlyV2),
        pieces => pieces
            .and_then(Value::bytes)
            .ok_or(ParseError::Field("pieces"))?,
    };
    let piece_length = amount(info, "piece length")?;
    if !piece_length.is_power_of_two() || !PIECE_LENGTHS.contains(&piece_length) {
        return Err(ParseError::PieceLength);
    }
    let name = info.get("name").and_then(Value::bytes);
    let name = path::part(name.ok_or(ParseError::Field("name"))?)?;
    undisguised(info, "name", "name.utf-8")?;
    let (files, total) = match (info.get("files"), info.get("length")) {
        (Some(files), None) => {
            let files = files.list().ok_or(ParseError::Field("files"))?;
            folder(files, piece_length, hybrid)?
        }
        (None, Some(_)) => single(info, &name)?,
        (Some(_), Some(_)) => return Err(ParseError::Field("files")),
        (None, None) => return Err(ParseError::Field("length")),
    };
    if total >= LARGEST_PAYLOAD || files.iter().all(|file| file.size == Bytes(0)) {
        return Err(ParseError::Size);
    }
    count_pieces(pieces, total, piece_length)?;
    Ok(Contents {
        name,
        piece_length,
        files,
    })
}

fn count_pieces(pieces: &[u8], total: u64, piece_length: u64) -> Result<(), ParseError> {
    let (hashes, rest) = pieces.as_chunks::<PIECE_HASH>();
    if !rest.is_empty() {
        return Err(ParseError::Field("pieces"));
    }
    let found = u64::try_from(hashes.len()).unwrap_or(u64::MAX);
    let expected = total.div_ceil(piece_length);
    if found == expected {
        Ok(())
    } else {
        Err(ParseError::Pieces { found, expected })
    }
}

/// Reads the one file of a torrent without a folder.
fn single(info: &Value<'_>, name: &str) -> Result<(Vec<File>, u64), ParseError> {
    if attributes(info)?.padding || path::is_comets(name) {
        return Err(ParseError::Padding);
    }
    let size = amount(info, "length")?;
    let file = File {
        path: name.to_owned(),
        size: Bytes(size),
    };
    Ok((vec![file], size))
}

/// Reads the files of a folder; the sum counts padding too.
fn folder(
    entries: &[Value<'_>],
    piece_length: u64,
    hybrid: bool,
) -> Result<(Vec<File>, u64), ParseError> {
    let mut total: u64 = 0;
    let mut files = vec![];
    for entry in entries {
        let file = entry_file(entry)?;
        let to_next_piece = total.next_multiple_of(piece_length) - total;
        let is_padding = attributes(entry)?.padding;
        if path::is_comets(&file.path) || is_padding && !hybrid {
            return Err(ParseError::Padding);
        }
        if is_padding && (file.size.0 == 0 || file.size.0 != to_next_piece) {
            return Err(ParseError::Hybrid("padding doesn't end with a piece"));
        }
        if hybrid && !is_padding && file.size.0 > 0 && to_next_piece > 0 {
            return Err(ParseError::Hybrid("a file doesn't begin with a piece"));
        }
        total = total
            .checked_add(file.size.0)
            .filter(|sum| *sum < LARGEST_PAYLOAD)
            .ok_or(ParseError::Size)?;
        if is_padding {
            continue;
        }
        if files.len() == MOST_FILES {
            return Err(ParseError::TooManyFiles);
        }
        files.push(file);
    }
    path::distinct(&files)?;
    Ok((files, total))
}

fn entry_file(entry: &Value<'_>) -> Result<File, ParseError> {
    let size = Bytes(amount(entry, "length")?);
    let parts = entry.get("path").and_then(Value::list);
    let path = path::joined(parts.ok_or(ParseError::Field("path"))?)?;
    undisguised(entry, "path", "path.utf-8")?;
    Ok(File { path, size })
}

/// Refuses a second name that some clients prefer, unless it is the same.
fn undisguised(of: &Value<'_>, key: &'static str, twin: &str) -> Result<(), ParseError> {
    match of.get(twin) {
        Some(other) if Some(other) != of.get(key) => Err(ParseError::Disguised(key)),
        _ => Ok(()),
    }
}

/// What a file is besides its bytes (BEP 47).
struct Attributes {
    padding: bool,
}

/// Reads a file's attributes and refuses a link, which could lead anywhere.
fn attributes(of: &Value<'_>) -> Result<Attributes, ParseError> {
    let attr = match of.get("attr") {
        Some(attr) => attr.bytes().ok_or(ParseError::Field("attr"))?,
        None => &[],
    };
    if attr.contains(&b'l') || of.get("symlink path").is_some() {
        return Err(ParseError::Symlink);
    }
    Ok(Attributes {
        padding: attr.contains(&b'p'),
    })
}

/// Reads a number that isn't negative.
fn amount(of: &Value<'_>, key: &'static str) -> Result<u64, ParseError> {
    of.get(key)
        .and_then(Value::integer)
        .and_then(|stored| u64::try_from(stored).ok())
        .ok_or(ParseError::Field(key))
}

/// Marks the info dictionary as private and as ours, where it isn't.
fn ours(info: &Value<'_>, own: &[u8], source: &str) -> (Info, Vec<u8>) {
    let private = Value::Integer(1);
    let source = Value::Bytes(source.as_bytes());
    if info.get("private") == Some(&private) && info.get("source") == Some(&source) {
        return (Info::Kept, own.to_vec());
    }
    let pairs = info.dict().unwrap_or_default();
    let mut pairs: BTreeMap<&[u8], &Value<'_>> =
        pairs.iter().map(|(key, value)| (*key, value)).collect();
    pairs.insert(b"private", &private);
    pairs.insert(b"source", &source);
    let mut bytes = vec![];
    write_dict(pairs, &mut bytes);
    (Info::Changed, bytes)
}

/// Writes the end of a .torrent file: what stood before must have keys that come before `info`.
fn end(mut bytes: Vec<u8>, info: &[u8], layers: Option<&[u8]>) -> Vec<u8> {
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
