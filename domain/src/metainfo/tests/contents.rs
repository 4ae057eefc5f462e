//! What an info dictionary may say of its files.

use super::*;

#[test]
fn pieces_must_fit_the_files() {
    for found in [0, 2, 4] {
        let refused = with(&[("pieces", pieces(found * PIECE))]);
        assert_eq!(refused, Err(ParseError::Pieces { found, expected: 3 }));
    }
    for bad in [text("x".repeat(59)), text("x"), number(60), list(&[])] {
        let refused = with(&[("pieces", bad)]);
        assert_eq!(refused, Err(ParseError::Field("pieces")));
    }
    assert_eq!(without("pieces"), Err(ParseError::Field("pieces")));
    for (length, total) in [(PIECE, 1), (PIECE + 1, 2 * PIECE), (1, 1)] {
        let fitting = with(&[("length", number(length)), ("pieces", pieces(total))]);
        assert!(fitting.is_ok(), "{length}");
    }
}

#[test]
fn lengths_are_possible() {
    for bad in [number(-1), number(i64::MIN), text("abc"), list(&[])] {
        let refused = with(&[("length", bad.clone())]);
        assert_eq!(refused, Err(ParseError::Field("length")));
        let entry = dict(&fields(&[("length", bad), ("path", list(&[text("a")]))]));
        assert_eq!(folder(&[entry], 1), Err(ParseError::Field("length")));
    }
    for huge in [1 << 50, (1 << 50) + 1, i64::MAX] {
        let refused = with(&[("length", number(huge))]);
        assert_eq!(refused, Err(ParseError::Size));
    }
    let refused = with(&[("length", number("99999999999999999999"))]);
    assert_eq!(refused, Err(ParseError::Malformed));
    let just_below = with(&[("length", number((1_i64 << 50) - 1))]);
    let expected = 1 << 36;
    assert_eq!(just_below, Err(ParseError::Pieces { found: 3, expected }));
    assert_eq!(without("length"), Err(ParseError::Field("length")));
}

#[test]
fn sums_are_checked() {
    let half = 1 << 49;
    let refused = folder(&[entry(&["a"], half), entry(&["b"], half)], 1);
    assert_eq!(refused, Err(ParseError::Size));
    let most = i64::MAX.unsigned_abs();
    let wrap = [most, most, 2 + PIECE].map(|size| entry(&["a"], size));
    assert_eq!(folder(&wrap, PIECE), Err(ParseError::Size));
}

#[test]
fn a_torrent_holds_something() {
    let empty = |found| with(&[("length", number(0)), ("pieces", pieces(found))]);
    assert_eq!(empty(0), Err(ParseError::Size));
    assert_eq!(empty(1), Err(ParseError::Size));
    assert_eq!(folder(&[], 0), Err(ParseError::Size));
    assert_eq!(folder(&[entry(&["a"], 0)], 0), Err(ParseError::Size));
    let one = folder(&[entry(&["a"], 0), entry(&["b"], 1)], 1).unwrap();
    assert_eq!(paths(&one), ["a", "b"]);
}

#[test]
fn piece_lengths_are_powers_of_two_in_range() {
    for good in [16_384_u64, 1 << 20, 64 << 20] {
        let one = [
            ("piece length", number(good)),
            ("length", number(1)),
            ("pieces", pieces(1)),
        ];
        assert_eq!(with(&one).map(|it| it.piece_length), Ok(Bytes(good)));
    }
    for bad in [0, 1, 8_192, 16_383, 16_385, 24_576, 128 << 20, i64::MAX] {
        let refused = with(&[("piece length", number(bad))]);
        assert_eq!(refused, Err(ParseError::PieceLength), "{bad}");
    }
    for bad in [number(-16_384), text("16384")] {
        let refused = with(&[("piece length", bad)]);
        assert_eq!(refused, Err(ParseError::Field("piece length")));
    }
}

#[test]
fn dangerous_paths_are_refused() {
    for (bad, why) in [
        ("..", PathFault::Dots),
        (".", PathFault::Dots),
        ("", PathFault::Empty),
        ("a/b", PathFault::Character),
        ("a\\b", PathFault::Character),
        ("a\0b", PathFault::Character),
        ("NUL", PathFault::Reserved),
        ("com1.txt", PathFault::Reserved),
        (&"x".repeat(256), PathFault::TooLong),
    ] {
        assert_eq!(fault(with(&[("name", text(bad))])), Some(why), "{bad}");
        let first = folder(&[entry(&[bad, "a"], 5)], 5);
        assert_eq!(fault(first), Some(why), "{bad}");
        let last = folder(&[entry(&["a", bad], 5)], 5);
        assert_eq!(fault(last), Some(why), "{bad}");
    }
    assert_eq!(fault(folder(&[entry(&[], 5)], 5)), Some(PathFault::Empty));
    let latin = with(&[("name", text([b'\xe9']))]);
    assert_eq!(fault(latin), Some(PathFault::NotUtf8));
}

#[test]
fn paths_have_at_most_64_parts() {
    let parts = |count: usize| folder(&[entry(&vec!["a"; count], 5)], 5);
    assert!(parts(64).is_ok());
    assert_eq!(fault(parts(65)), Some(PathFault::TooManyParts));
}

#[test]
fn names_and_paths_are_there_and_have_their_form() {
    assert_eq!(without("name"), Err(ParseError::Field("name")));
    let refused = with(&[("name", number(1))]);
    assert_eq!(refused, Err(ParseError::Field("name")));
    let pathless = dict(&fields(&[("length", number(5))]));
    assert_eq!(folder(&[pathless], 5), Err(ParseError::Field("path")));
    let flat = dict(&fields(&[("length", number(5)), ("path", text("a"))]));
    assert_eq!(folder(&[flat], 5), Err(ParseError::Field("path")));
    assert_eq!(folder(&[number(5)], 5), Err(ParseError::Field("length")));
    let both = with(&[("files", list(&[entry(&["a"], 40_000)]))]);
    assert_eq!(both, Err(ParseError::Field("files")));
}

#[test]
fn a_path_stands_there_once_whatever_its_case() {
    let twice = folder(&[entry(&["a"], 5), entry(&["A"], 5)], 10);
    assert_eq!(twice, Err(ParseError::DoubledPath("a".into())));
    let both = folder(&[entry(&["a"], 5), entry(&["A", "b"], 5)], 10);
    assert_eq!(both, Err(ParseError::DoubledPath("A/b".into())));
    let nested = folder(&[entry(&["a", "b"], 5), entry(&["c"], 5)], 10).unwrap();
    assert_eq!(paths(&nested), ["a/b", "c"]);
}

#[test]
fn a_second_name_says_the_same() {
    assert!(with(&[("name.utf-8", text("file"))]).is_ok());
    let refused = with(&[("name.utf-8", text("../file"))]);
    assert_eq!(refused, Err(ParseError::Disguised("name")));
    let entry = |twin: &str| {
        dict(&fields(&[
            ("length", number(5)),
            ("path", list(&[text("a")])),
            ("path.utf-8", list(&[text(twin)])),
        ]))
    };
    assert!(folder(&[entry("a")], 5).is_ok());
    let refused = folder(&[entry("..")], 5);
    assert_eq!(refused, Err(ParseError::Disguised("path")));
}

#[test]
fn links_are_refused() {
    assert_eq!(with(&[("attr", text("l"))]), Err(ParseError::Symlink));
    for link in [("attr", text("xl")), ("symlink path", list(&[text("..")]))] {
        let path = ("path", list(&[text("a")]));
        let entry = dict(&fields(&[link, ("length", number(5)), path]));
        assert_eq!(folder(&[entry], 5), Err(ParseError::Symlink));
    }
    assert!(with(&[("attr", text("xh"))]).is_ok());
    assert_eq!(with(&[("attr", number(1))]), Err(ParseError::Field("attr")));
}

#[test]
fn padding_belongs_into_hybrids() {
    let padding = dict(&fields(&[
        ("attr", text("p")),
        ("length", number(5)),
        ("path", list(&[text(".pad"), text("5")])),
    ]));
    let refused = folder(&[entry(&["a"], 5), padding], 10);
    assert_eq!(refused, Err(ParseError::Padding));
    assert_eq!(with(&[("attr", text("p"))]), Err(ParseError::Padding));
    let comets = "_____padding_file_0_if you see this file, update BitComet____";
    let refused = folder(&[entry(&["a"], 5), entry(&[comets], 5)], 10);
    assert_eq!(refused, Err(ParseError::Padding));
    let refused = with(&[("name", text(comets))]);
    assert_eq!(refused, Err(ParseError::Padding));
}

#[test]
fn a_hundred_thousand_files_are_read_and_one_more_is_not() {
    let mut entries: Vec<_> = (0..MOST_FILES)
        .map(|n| entry(&[&n.to_string()], 1))
        .collect();
    let most = folder(&entries, 100_000).unwrap();
    assert_eq!((most.files.len(), most.size), (100_000, Bytes(100_000)));
    entries.push(entry(&["one more"], 1));
    assert_eq!(folder(&entries, 100_001), Err(ParseError::TooManyFiles));
}
