//! Paths that are safe on every member's machine.

use unicode_normalization::UnicodeNormalization as _;

use super::ParseError;
use crate::bencode::Value;
use crate::torrent::File;

/// The longest part of a path in bytes.
const LONGEST_PART: usize = 255;
/// The most parts of a path.
const MOST_PARTS: usize = 64;
/// The longest path in bytes.
const LONGEST: usize = 4_096;
/// Names that Windows keeps for devices, with any extension.
const RESERVED: [&str; 30] = [
    "con", "prn", "aux", "nul", "conin$", "conout$", "com1", "com2", "com3", "com4", "com5",
    "com6", "com7", "com8", "com9", "com¹", "com²", "com³", "lpt1", "lpt2", "lpt3", "lpt4", "lpt5",
    "lpt6", "lpt7", "lpt8", "lpt9", "lpt¹", "lpt²", "lpt³",
];

/// Why a path can't be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PathFault {
    /// It isn't text.
    #[error("it isn't UTF-8")]
    NotUtf8,
    /// It has no part, or one without a character.
    #[error("a part of it is empty")]
    Empty,
    /// A part leads elsewhere: `.` and `..`, and what Windows takes for them.
    #[error("a part of it is made of dots and spaces alone")]
    Dots,
    /// A character separates parts or is none to print.
    #[error("it has a slash, a backslash or a control character in a part")]
    Character,
    /// A part is the name of a device on Windows.
    #[error("Windows keeps a part of it for a device")]
    Reserved,
    /// A part or the whole has too many bytes.
    #[error("a part has more than 255 bytes or the whole more than 4,096")]
    TooLong,
    /// It has too many parts.
    #[error("it has more than 64 parts")]
    TooManyParts,
}

/// Checks one part of a path.
pub(super) fn part(bytes: &[u8]) -> Result<String, ParseError> {
    match fault(bytes) {
        Ok(text) => Ok(text.to_owned()),
        Err(why) => Err(refusal(&String::from_utf8_lossy(bytes), why)),
    }
}

fn fault(bytes: &[u8]) -> Result<&str, PathFault> {
    let text = std::str::from_utf8(bytes).or(Err(PathFault::NotUtf8))?;
    let stem = text.split('.').next().unwrap_or(text).trim_end();
    if text.is_empty() {
        Err(PathFault::Empty)
    } else if text.chars().all(|c| c == '.' || c == ' ') {
        Err(PathFault::Dots)
    } else if text.contains(|c: char| c.is_control() || c == '/' || c == '\\') {
        Err(PathFault::Character)
    } else if text.len() > LONGEST_PART {
        Err(PathFault::TooLong)
    } else if RESERVED.contains(&stem.to_ascii_lowercase().as_str()) {
        Err(PathFault::Reserved)
    } else {
        Ok(text)
    }
}

/// Checks a path's parts and joins them by `/`.
pub(super) fn joined(parts: &[Value<'_>]) -> Result<String, ParseError> {
    if parts.len() > MOST_PARTS {
        let start = parts.first().and_then(Value::bytes);
        let start = String::from_utf8_lossy(start.unwrap_or_default());
        return Err(refusal(&start, PathFault::TooManyParts));
    }
    let checked = parts
        .iter()
        .map(|one| part(one.bytes().ok_or(ParseError::Field("path"))?));
    let path = checked.collect::<Result<Vec<_>, _>>()?.join("/");
    if path.is_empty() {
        Err(refusal(&path, PathFault::Empty))
    } else if path.len() > LONGEST {
        Err(refusal(&path, PathFault::TooLong))
    } else {
        Ok(path)
    }
}

/// Shows enough of a path to find it, and nothing that could harm whoever reads it.
fn refusal(path: &str, why: PathFault) -> ParseError {
    let printable = path.chars().filter(|c| !c.is_control());
    ParseError::Path {
        path: printable.take(80).collect(),
        why,
    }
}

/// Refuses two files with one path and a file that is a folder too, as machines see it that don't
/// tell case or the ways to write an accent.
pub(super) fn distinct(files: &[File]) -> Result<(), ParseError> {
    let mut folded: Vec<(String, &str)> = files
        .iter()
        .map(|file| (fold(&file.path), file.path.as_str()))
        .collect();
    folded.sort_unstable();
    // What lies in a folder comes right behind a file of the folder's name: NUL is the least.
    let clash = folded
        .iter()
        .zip(folded.iter().skip(1))
        .find(|(one, next)| {
            let rest = next.0.strip_prefix(one.0.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('\0'))
        });
    match clash {
        Some((_, (_, path))) => Err(ParseError::DoubledPath((*path).to_owned())),
        None => Ok(()),
    }
}

fn fold(path: &str) -> String {
    let composed: String = path.nfc().collect();
    composed.to_uppercase().to_lowercase().replace('/', "\0")
}

/// Tells whether this is the padding that `BitComet` makes.
pub(super) fn is_comets(path: &str) -> bool {
    path.rsplit('/')
        .next()
        .is_some_and(|name| name.starts_with("_____padding_file_"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::Bytes;

    fn refused(bytes: &[u8]) -> Option<PathFault> {
        match part(bytes) {
            Err(ParseError::Path { why, .. }) => Some(why),
            other => {
                assert!(other.is_ok(), "{other:?}");
                None
            }
        }
    }

    fn files(paths: &[&str]) -> Vec<File> {
        let file = |path: &&str| File {
            path: (*path).to_owned(),
            size: Bytes(1),
        };
        paths.iter().map(file).collect()
    }

    #[test]
    fn parts_that_lead_elsewhere_are_refused() {
        assert_eq!(refused(b""), Some(PathFault::Empty));
        for bad in [".", "..", "...", ".. ", ". .", " "] {
            assert_eq!(refused(bad.as_bytes()), Some(PathFault::Dots), "{bad:?}");
        }
        for bad in [
            "a/b", "/etc", "..\\a", "C:\\a", "a\0b", "a\nb", "a\u{7f}", "a\u{85}b",
        ] {
            let why = Some(PathFault::Character);
            assert_eq!(refused(bad.as_bytes()), why, "{bad:?}");
        }
        assert_eq!(refused(b"a\xffb"), Some(PathFault::NotUtf8));
        assert_eq!(refused(b"\xc0\xaf"), Some(PathFault::NotUtf8));
    }

    #[test]
    fn names_of_devices_are_refused_with_any_extension() {
        for bad in [
            "CON",
            "con",
            "Nul.txt",
            "NUL.tar.gz",
            "AUX ",
            "prn .txt",
            "COM1",
            "lpt9.log",
            "COM².x",
            "CONIN$",
        ] {
            assert_eq!(
                refused(bad.as_bytes()),
                Some(PathFault::Reserved),
                "{bad:?}"
            );
        }
        for good in [
            "CONCERT",
            "com10",
            "nullify.txt",
            "a.con",
            "com0",
            "Console",
        ] {
            assert_eq!(refused(good.as_bytes()), None, "{good:?}");
        }
    }

    #[test]
    fn ordinary_names_are_kept_as_they_are() {
        for good in [
            "..a",
            "a..b",
            ".hidden",
            "Vol. 1 etc.",
            "日本語",
            "a:b?*<>|",
            " a ",
        ] {
            assert_eq!(part(good.as_bytes()).as_deref(), Ok(good));
        }
    }

    #[test]
    fn a_part_has_at_most_255_bytes() {
        assert_eq!(refused("x".repeat(255).as_bytes()), None);
        let why = Some(PathFault::TooLong);
        assert_eq!(refused("x".repeat(256).as_bytes()), why);
        assert_eq!(refused("é".repeat(128).as_bytes()), why);
    }

    #[test]
    fn a_path_has_at_most_64_parts_and_4096_bytes() {
        let path = |count: usize, length: usize| {
            let part = vec![b'x'; length];
            joined(&vec![Value::Bytes(&part); count])
        };
        let why = |path: Result<String, ParseError>| match path {
            Err(ParseError::Path { why, .. }) => Some(why),
            _ => None,
        };
        assert!(path(64, 1).is_ok());
        assert_eq!(why(path(65, 1)), Some(PathFault::TooManyParts));
        assert_eq!(path(16, 255).map(|path| path.len()), Ok(4_095));
        assert_eq!(why(path(17, 255)), Some(PathFault::TooLong));
        assert_eq!(path(64, 63).map(|path| path.len()), Ok(4_095));
        assert_eq!(why(path(64, 64)), Some(PathFault::TooLong));
        assert_eq!(why(path(0, 1)), Some(PathFault::Empty));
        assert_eq!(joined(&[Value::Integer(1)]), Err(ParseError::Field("path")));
    }

    #[test]
    fn paths_differ_by_more_than_case_and_accents_writing() {
        for (one, other) in [
            ("a", "a"),
            ("a", "A"),
            ("ÉTÉ", "été"),
            ("straße", "STRASSE"),
            ("e\u{301}", "\u{e9}"),
            ("ΟΔΟΣ", "οδος"),
            ("d/A.txt", "D/a.TXT"),
        ] {
            let clash = distinct(&files(&[one, "between", other]));
            assert!(
                matches!(clash, Err(ParseError::DoubledPath(_))),
                "{one} {other}"
            );
        }
        assert_eq!(distinct(&files(&["a", "b", "a b", "d/a", "d/b"])), Ok(()));
    }

    #[test]
    fn a_file_is_no_folder_too() {
        let clash = distinct(&files(&["A!", "a-b", "a/b/c", "A"]));
        assert_eq!(clash, Err(ParseError::DoubledPath("a/b/c".into())));
        assert_eq!(distinct(&files(&["a", "ab/c", "a b/c", "a!/c"])), Ok(()));
    }

    #[test]
    fn a_refusal_shows_no_control_characters_and_not_everything() {
        let Err(ParseError::Path { path, .. }) = part(&b"\x1b[2Jab".repeat(100)) else {
            panic!("not refused");
        };
        assert_eq!((path.chars().count(), path.contains('\x1b')), (80, false));
    }
}
