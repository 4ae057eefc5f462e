//! Tests of [`super`].

use proptest::prelude::*;

use super::*;

const SITE: &str = "Our Site";

/// An info dictionary of one 40,000-byte file in three pieces, with replaced or added fields.
fn info(changes: &[(&str, Option<&str>)]) -> Vec<u8> {
    let pieces = format!("60:{}", "x".repeat(60));
    let mut fields = vec![
        ("length", "i40000e".to_owned()),
        ("name", "4:file".to_owned()),
        ("piece length", "i16384e".to_owned()),
        ("pieces", pieces),
    ];
    for (key, value) in changes {
        fields.retain(|(known, _)| known != key);
        fields.extend(value.map(|value| (*key, value.to_owned())));
    }
    fields.sort();
    let body: String = fields
        .iter()
        .map(|(key, value)| format!("{}:{key}{value}", key.len()))
        .collect();
    format!("d{body}e").into_bytes()
}

fn torrent(info: &[u8]) -> Vec<u8> {
    [
        b"d8:announce20:http://elsewhere/ann4:info".as_slice(),
        info,
        b"e",
    ]
    .concat()
}

fn with(changes: &[(&str, Option<&str>)]) -> Result<Checked, ParseError> {
    read(&torrent(&info(changes)), SITE)
}

/// A folder with these files, and as many pieces as they need.
fn folder(files: &str, total: u64) -> Result<Checked, ParseError> {
    let pieces = usize::try_from(total.div_ceil(16_384)).unwrap() * 20;
    let pieces = format!("{pieces}:{}", "x".repeat(pieces));
    with(&[
        ("length", None),
        ("files", Some(files)),
        ("pieces", Some(&pieces)),
    ])
}

#[test]
fn a_foreign_torrent_is_made_ours_once() {
    let first = with(&[]).unwrap();
    assert_eq!(
        (first.info, first.size, first.files.len()),
        (Info::Changed, Bytes(40_000), 1)
    );
    assert!(!String::from_utf8_lossy(&first.metainfo.0).contains("elsewhere"));
    let second = read(&first.metainfo.0, SITE).unwrap();
    assert_eq!(
        second,
        Checked {
            info: Info::Kept,
            ..first
        }
    );
}

#[test]
fn an_info_dictionary_that_is_ours_is_kept_to_the_byte() {
    let own = info(&[
        ("private", Some("i1e")),
        ("source", Some("8:Our Site")),
        ("zz", Some("3:any")),
    ]);
    let checked = read(&torrent(&own), SITE).unwrap();
    assert_eq!(checked.info, Info::Kept);
    assert_eq!(checked.info_hash, InfoHash(Sha1::digest(&own).into()));
    assert_eq!(
        checked.metainfo.0,
        [b"d4:info".as_slice(), &own, b"e"].concat()
    );
}

#[test]
fn a_members_file_has_their_announce_and_the_same_info() {
    let checked = with(&[]).unwrap();
    let own = personal(
        &checked.metainfo,
        "http://t/announce?passkey=00",
        "http://t/torrents/1",
        "OpenTracker",
    )
    .unwrap();
    let top = bencode::read(&own).unwrap();
    assert_eq!(
        top.get("announce").and_then(Value::bytes),
        Some(b"http://t/announce?passkey=00".as_slice())
    );
    assert_eq!(read(&own, SITE).unwrap().info_hash, checked.info_hash);
}

#[test]
fn every_truncation_is_refused() {
    let whole = torrent(&info(&[]));
    for end in 0..whole.len() {
        assert!(read(&whole[..end], SITE).is_err(), "{end} bytes");
    }
    assert_eq!(
        read(&[whole.as_slice(), b"x"].concat(), SITE),
        Err(ParseError::Malformed)
    );
}

#[test]
fn ten_mebibytes_are_read_and_one_byte_more_is_not() {
    let frame = torrent(&info(&[("pad", Some("00000000:"))])).len() - 9;
    let pad = LARGEST - frame;
    let value = |length: usize| format!("{length}:{}", "p".repeat(length));
    let mut text = value(pad - 8);
    let bytes = loop {
        let bytes = torrent(&info(&[("pad", Some(&text))]));
        match bytes.len().cmp(&LARGEST) {
            std::cmp::Ordering::Equal => break bytes,
            std::cmp::Ordering::Less => {
                text = value(text.len() - 8 + 1 + LARGEST - bytes.len() - 1)
            }
            std::cmp::Ordering::Greater => text = value(text.len() - 9 - (bytes.len() - LARGEST)),
        }
    };
    assert!(read(&bytes, SITE).is_ok());
    assert_eq!(
        read(&[bytes.as_slice(), b"x"].concat(), SITE),
        Err(ParseError::TooLarge)
    );
}

#[test]
fn pieces_must_fit_the_files() {
    let pieces = |count: usize| format!("{}:{}", count * 20, "x".repeat(count * 20));
    for (count, found) in [(0, 0), (2, 2), (4, 4)] {
        let refused = with(&[("pieces", Some(&pieces(count)))]);
        assert_eq!(refused, Err(ParseError::Pieces { found, expected: 3 }));
    }
    assert_eq!(
        with(&[("pieces", Some("3:abc"))]),
        Err(ParseError::Field("pieces"))
    );
    assert_eq!(with(&[("pieces", None)]), Err(ParseError::Field("pieces")));
}

#[test]
fn lengths_must_be_possible() {
    assert_eq!(
        with(&[("length", Some("i-1e"))]),
        Err(ParseError::Field("length"))
    );
    assert_eq!(with(&[("length", Some("i0e"))]), Err(ParseError::Size));
    assert_eq!(
        with(&[("length", Some("i1125899906842624e"))]),
        Err(ParseError::Size)
    );
    assert_eq!(
        with(&[("length", Some("i99999999999999999999e"))]),
        Err(ParseError::Malformed)
    );
    assert_eq!(
        with(&[("length", Some("3:abc"))]),
        Err(ParseError::Field("length"))
    );
    let overflow = format!("l{}e", "d6:lengthi1125899906842623e4:pathl1:aee".repeat(2));
    assert_eq!(folder(&overflow, 16_384), Err(ParseError::Size));
}

#[test]
fn piece_lengths_are_powers_of_two_in_range() {
    for bad in ["i0e", "i-16384e", "i8192e", "i16385e", "i134217728e"] {
        let refused = with(&[("piece length", Some(bad))]);
        assert!(
            matches!(refused, Err(ParseError::PieceLength | ParseError::Field(_))),
            "{bad}"
        );
    }
}

#[test]
fn dangerous_paths_are_refused() {
    for bad in [
        "2:..",
        "1:.",
        "0:",
        "3:a/b",
        "3:a\\b",
        "3:a\nb",
        "3:NUL",
        "8:com1.txt",
    ] {
        let refused = folder(&format!("ld6:lengthi5e4:pathl{bad}eee"), 5);
        assert!(
            matches!(refused, Err(ParseError::Path(_))),
            "{bad}: {refused:?}"
        );
        assert!(
            matches!(with(&[("name", Some(bad))]), Err(ParseError::Path(_))),
            "{bad}"
        );
    }
    let long = format!("256:{}", "x".repeat(256));
    assert!(matches!(
        with(&[("name", Some(&long))]),
        Err(ParseError::Path(_))
    ));
    assert!(matches!(
        folder("ld6:lengthi5e4:pathleee", 5),
        Err(ParseError::Path(_))
    ));
}

#[test]
fn a_path_stands_there_once_whatever_its_case() {
    let twice = "ld6:lengthi5e4:pathl1:aeed6:lengthi5e4:pathl1:Aeee";
    assert_eq!(folder(twice, 10), Err(ParseError::DoubledPath("A".into())));
    let nested = folder("ld6:lengthi5e4:pathl1:a1:beed6:lengthi5e4:pathl1:ceee", 10).unwrap();
    assert_eq!(
        nested
            .files
            .iter()
            .map(|file| file.path.as_str())
            .collect::<Vec<_>>(),
        ["a/b", "c"]
    );
}

#[test]
fn padding_belongs_into_hybrids() {
    let padded = "ld6:lengthi5e4:pathl1:aeed4:attr1:p6:lengthi5e4:pathl4:.pad1:5eee";
    assert_eq!(folder(padded, 10), Err(ParseError::Padding));
    let comet = "ld6:lengthi5e4:pathl30:_____padding_file_0_if you seeeee";
    assert_eq!(folder(comet, 5), Err(ParseError::Padding));
}

#[test]
fn doubled_and_unsorted_keys_are_refused() {
    assert_eq!(
        read(b"d4:infod6:lengthi1e6:lengthi2eee", SITE),
        Err(ParseError::Malformed)
    );
    assert_eq!(
        read(b"d4:infod4:name1:a6:lengthi2eee", SITE),
        Err(ParseError::Malformed)
    );
    assert_eq!(
        read(&b"d4:info".repeat(200), SITE),
        Err(ParseError::Malformed)
    );
}

/// The v2 fields of the file that [`info`] tells of.
fn v2_fields(size: &str) -> Vec<(&'static str, Option<String>)> {
    let root = "r".repeat(32);
    let tree = format!("d4:filed0:d6:length{size}11:pieces root32:{root}eee");
    vec![
        ("file tree", Some(tree)),
        ("meta version", Some("i2e".into())),
    ]
}

fn hybrid(size: &str, layers: &str) -> Vec<u8> {
    let fields = v2_fields(size);
    let changes: Vec<(&str, Option<&str>)> = fields
        .iter()
        .map(|(key, value)| (*key, value.as_deref()))
        .collect();
    [
        b"d4:info".as_slice(),
        &info(&changes),
        b"12:piece layers",
        layers.as_bytes(),
        b"e",
    ]
    .concat()
}

#[test]
fn a_hybrid_is_known_by_both_hashes() {
    let layers = format!("d32:{}96:{}e", "r".repeat(32), "h".repeat(96));
    let checked = read(&hybrid("i40000e", &layers), SITE).unwrap();
    let again = read(&checked.metainfo.0, SITE).unwrap();
    assert_eq!(
        (again.info, again.info_hash_v2),
        (Info::Kept, checked.info_hash_v2)
    );
    assert!(checked.info_hash_v2.is_some());
}

#[test]
fn a_hybrid_whose_halves_disagree_is_refused() {
    let layers = |length: usize| format!("d32:{}{length}:{}e", "r".repeat(32), "h".repeat(length));
    assert!(matches!(
        read(&hybrid("i39999e", &layers(96)), SITE),
        Err(ParseError::Hybrid(_))
    ));
    assert!(matches!(
        read(&hybrid("i40000e", &layers(64)), SITE),
        Err(ParseError::Hybrid(_))
    ));
    assert!(matches!(
        read(&hybrid("i40000e", "de"), SITE),
        Err(ParseError::Hybrid(_))
    ));
}

#[test]
fn a_torrent_without_a_v1_half_is_refused() {
    let fields = v2_fields("i40000e");
    let mut changes: Vec<(&str, Option<&str>)> = fields
        .iter()
        .map(|(key, value)| (*key, value.as_deref()))
        .collect();
    changes.extend([("pieces", None), ("length", None)]);
    assert_eq!(with(&changes), Err(ParseError::OnlyV2));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = read(&bytes, SITE).is_ok();
    }

    #[test]
    fn no_change_of_a_byte_makes_it_panic(place in 0_usize..200, byte: u8) {
        let mut bytes = torrent(&info(&[]));
        if let Some(old) = bytes.get_mut(place) {
            *old = byte;
        }
        let _ = read(&bytes, SITE).is_ok();
    }
}
