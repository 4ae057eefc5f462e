//! Paths that are safe on every member's machine.

use super::ParseError;
use crate::bencode::Value;

/// The longest part of a path in bytes.
const LONGEST_PART: usize = 255;
/// The longest path in bytes.
const LONGEST: usize = 4_096;
/// Names that Windows keeps for devices, with any extension.
const RESERVED: [&str; 22] = [
    "con", "prn", "aux", "nul", "com1", "com2", "com3", "com4", "com5", "com6", "com7", "com8",
    "com9", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5", "lpt6", "lpt7", "lpt8", "lpt9",
];

/// Checks one part of a path.
pub(super) fn part(bytes: &[u8]) -> Result<String, ParseError> {
    let shown = || {
        ParseError::Path(
            String::from_utf8_lossy(bytes)
                .chars()
                .filter(|c| !c.is_control())
                .take(80)
                .collect(),
        )
    };
    let text = std::str::from_utf8(bytes).map_err(|_| shown())?;
    let stem = text
        .split('.')
        .next()
        .unwrap_or(text)
        .trim_end()
        .to_lowercase();
    let forbidden = |c: char| c.is_control() || c == '/' || c == '\\';
    let bad = text.is_empty()
        || text == "."
        || text == ".."
        || text.len() > LONGEST_PART
        || text.contains(forbidden)
        || RESERVED.contains(&stem.as_str());
    if bad {
        Err(shown())
    } else {
        Ok(text.to_owned())
    }
}

/// Checks a path's parts and joins them by `/`.
pub(super) fn joined(parts: &[Value<'_>]) -> Result<String, ParseError> {
    let checked = parts
        .iter()
        .map(|one| part(one.bytes().ok_or(ParseError::Field("path"))?));
    let path = checked.collect::<Result<Vec<_>, _>>()?.join("/");
    if path.is_empty() || path.len() > LONGEST {
        return Err(ParseError::Path(path.chars().take(80).collect()));
    }
    Ok(path)
}

/// Tells whether this is the padding that BitComet makes.
pub(super) fn is_padding(path: &str) -> bool {
    path.rsplit('/')
        .next()
        .is_some_and(|name| name.starts_with("_____padding_file_"))
}
