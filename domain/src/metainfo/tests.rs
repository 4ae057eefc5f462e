//! Tests of [`super`].

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::*;

mod contents;

pub(super) const SITE: &str = "Our Site";
const PIECE: u64 = 16_384;

/// A dictionary's values by key, encoded already.
pub(super) type Fields = BTreeMap<Vec<u8>, Vec<u8>>;

pub(super) fn text(content: impl AsRef<[u8]>) -> Vec<u8> {
    let mut bytes = vec![];
    write_bytes(content.as_ref(), &mut bytes);
    bytes
}

pub(super) fn number(of: impl std::fmt::Display) -> Vec<u8> {
    format!("i{of}e").into_bytes()
}

pub(super) fn list(values: &[Vec<u8>]) -> Vec<u8> {
    [b"l".to_vec(), values.concat(), b"e".to_vec()].concat()
}

pub(super) fn dict(fields: &Fields) -> Vec<u8> {
    let pairs = fields.iter().map(|(key, value)| [text(key), value.clone()]);
    [
        b"d".to_vec(),
        pairs.flatten().collect::<Vec<_>>().concat(),
        b"e".to_vec(),
    ]
    .concat()
}

pub(super) fn fields(pairs: &[(&str, Vec<u8>)]) -> Fields {
    let pairs = pairs.iter().cloned();
    pairs.map(|(key, value)| (key.into(), value)).collect()
}

/// As many hashes as so many bytes need.
fn pieces(total: u64) -> Vec<u8> {
    text("x".repeat(usize::try_from(total.div_ceil(PIECE)).unwrap() * 20))
}

/// An info dictionary of one 40,000-byte file in three pieces.
fn info() -> Fields {
    fields(&[
        ("length", number(40_000)),
        ("name", text("file")),
        ("piece length", number(PIECE)),
        ("pieces", pieces(40_000)),
    ])
}

fn torrent(info: &Fields) -> Vec<u8> {
    dict(&fields(&[
        ("announce", text("http://elsewhere/announce")),
        (
            "announce-list",
            list(&[list(&[text("http://elsewhere/2")])]),
        ),
        ("comment", text("from elsewhere")),
        ("creation date", number(1_700_000_000)),
        ("httpseeds", list(&[text("http://elsewhere/3")])),
        ("info", dict(info)),
        ("nodes", list(&[list(&[text("elsewhere"), number(6881)])])),
        ("url-list", text("http://elsewhere/4")),
    ]))
}

/// Reads a torrent of which some fields are replaced or added.
fn with(changes: &[(&str, Vec<u8>)]) -> Result<Checked, ParseError> {
    let mut info = info();
    info.extend(fields(changes));
    read(&torrent(&info), SITE)
}

fn without(key: &str) -> Result<Checked, ParseError> {
    let mut info = info();
    info.remove(key.as_bytes());
    read(&torrent(&info), SITE)
}

pub(super) fn entry(path: &[&str], size: u64) -> Vec<u8> {
    let parts: Vec<_> = path.iter().map(text).collect();
    dict(&fields(&[("length", number(size)), ("path", list(&parts))]))
}

/// An info dictionary of a folder, with as many pieces as so many bytes need.
fn folder_info(entries: &[Vec<u8>], total: u64) -> Fields {
    let mut info = info();
    info.remove(b"length".as_slice());
    info.extend(fields(&[
        ("files", list(entries)),
        ("pieces", pieces(total)),
    ]));
    info
}

fn folder(entries: &[Vec<u8>], total: u64) -> Result<Checked, ParseError> {
    read(&torrent(&folder_info(entries, total)), SITE)
}

fn paths(checked: &Checked) -> Vec<&str> {
    checked
        .files
        .iter()
        .map(|file| file.path.as_str())
        .collect()
}

fn fault(refused: Result<Checked, ParseError>) -> Option<PathFault> {
    if let ParseError::Path { why, .. } = refused.err()? {
        return Some(why);
    }
    None
}

#[test]
fn a_foreign_torrent_is_made_ours_once() {
    let first = with(&[]).unwrap();
    assert_eq!(first.info, Info::Changed);
    assert_eq!((first.size, first.files.len()), (Bytes(40_000), 1));
    assert_eq!(
        first.info_hash.to_string(),
        "d689f1d4c15c54ef45f5eca2e49744c1d9503036"
    );
    let second = read(&first.metainfo.0, SITE).unwrap();
    let kept = Checked {
        info: Info::Kept,
        ..first
    };
    assert_eq!(second, kept);
}

#[test]
fn nothing_foreign_stays_beside_the_info_dictionary() {
    let checked = with(&[]).unwrap();
    let top = bencode::read(&checked.metainfo.0).unwrap();
    let keys: Vec<_> = top.dict().unwrap().iter().map(|(key, _)| *key).collect();
    assert_eq!(keys, [b"info"]);
    assert!(!String::from_utf8_lossy(&checked.metainfo.0).contains("elsewhere"));
}

#[test]
fn an_info_dictionary_that_is_ours_is_kept_to_the_byte() {
    let mut own = info();
    own.extend(fields(&[
        ("private", number(1)),
        ("source", text(SITE)),
        ("zz", list(&[text([0xff, 0x00]), number(-7)])),
    ]));
    let checked = read(&torrent(&own), SITE).unwrap();
    assert_eq!(checked.info, Info::Kept);
    assert_eq!(
        checked.info_hash.0,
        <[u8; 20]>::from(Sha1::digest(dict(&own)))
    );
    let stored = [b"d4:info".to_vec(), dict(&own), b"e".to_vec()].concat();
    assert_eq!(checked.metainfo, Metainfo(stored));
}

#[test]
fn an_info_dictionary_that_is_not_ours_keeps_its_other_fields() {
    for (private, source) in [
        (number(0), text(SITE)),
        (number(2), text(SITE)),
        (text("1"), text(SITE)),
        (number(1), text("Their Site")),
        (number(1), text("our site")),
        (number(1), list(&[text(SITE)])),
    ] {
        let other = [
            ("Aa", text("first")),
            ("private", private),
            ("source", source),
        ];
        let mut expected = info();
        expected.extend(fields(&other));
        let checked = read(&torrent(&expected), SITE).unwrap();
        expected.extend(fields(&[("private", number(1)), ("source", text(SITE))]));
        let stored = [b"d4:info".to_vec(), dict(&expected), b"e".to_vec()].concat();
        assert_eq!(checked.info, Info::Changed);
        assert_eq!(checked.metainfo, Metainfo(stored));
    }
}

#[test]
fn a_members_file_has_their_announce_and_the_same_info() {
    let checked = with(&[]).unwrap();
    let own = personal(
        &checked.metainfo,
        &["http://t/announce".to_owned()],
        "a comment",
        "us",
    )
    .unwrap();
    let expected = [
        b"d8:announce17:http://t/announce7:comment9:a comment10:created by2:us".as_slice(),
        &checked.metainfo.0[1..],
    ];
    assert_eq!(own, expected.concat());
    let urls = ["http://t/announce", "udp://t/announce"].map(str::to_owned);
    let tiers = personal(&checked.metainfo, &urls, "", "us").unwrap();
    let list = b"17:http://t/announce13:announce-listll17:http://t/announceel16:udp://t/announceee7:comment";
    assert!(tiers.windows(list.len()).any(|window| window == list));
    assert_eq!(
        read(&own, SITE),
        Ok(Checked {
            info: Info::Kept,
            ..checked
        })
    );
    for nothing in ["", "de", "d4:infoi1ee", "d4:info"] {
        assert_eq!(
            personal(&Metainfo(nothing.into()), &[String::new()], "", ""),
            None
        );
    }
}

#[test]
fn every_truncation_and_every_tail_is_refused() {
    let whole = torrent(&info());
    for end in 0..whole.len() {
        assert_eq!(read(&whole[..end], SITE), Err(ParseError::Malformed));
    }
    for tail in [b"x".as_slice(), b"e", b"i1e", b"\n", b"\0"] {
        let longer = [whole.as_slice(), tail].concat();
        assert_eq!(read(&longer, SITE), Err(ParseError::Malformed));
    }
}

#[test]
fn ten_mebibytes_are_read_and_one_byte_more_is_not() {
    let sized = |length: usize| {
        let whole = |pad: usize| {
            let comment = ("comment", text("p".repeat(pad)));
            dict(&fields(&[comment, ("info", dict(&info()))]))
        };
        let frame = whole(10_000_000).len() - 10_000_000;
        whole(length - frame)
    };
    assert_eq!(sized(LARGEST).len(), 10 * 1024 * 1024);
    assert!(read(&sized(LARGEST), SITE).is_ok());
    assert_eq!(read(&sized(LARGEST + 1), SITE), Err(ParseError::TooLarge));
}

#[test]
fn what_is_stored_has_ten_mebibytes_too() {
    let sized = |length: usize| {
        let whole = |pad: usize| {
            let mut info = info();
            info.extend(fields(&[("pad", text("p".repeat(pad)))]));
            dict(&fields(&[("info", dict(&info))]))
        };
        let frame = whole(10_000_000).len() - 10_000_000;
        whole(length - frame)
    };
    let added = "7:privatei1e6:source8:Our Site".len();
    let stored = read(&sized(LARGEST - added), SITE).unwrap().metainfo;
    assert_eq!(stored.0.len(), LARGEST);
    assert!(read(&stored.0, SITE).is_ok());
    let refused = read(&sized(LARGEST - added + 1), SITE);
    assert_eq!(refused, Err(ParseError::TooLarge));
}

#[test]
fn what_is_no_torrent_is_refused() {
    for bytes in [
        "",
        "x",
        "i1e1:a",
        "d4:infod4:name1:a6:lengthi2eee",
        "<html>",
    ] {
        assert_eq!(read(bytes.as_bytes(), SITE), Err(ParseError::Malformed));
    }
    for bytes in ["de", "d4:infoi1ee", "d4:info2:dee", "d8:announce1:ae"] {
        let refused = read(bytes.as_bytes(), SITE);
        assert_eq!(refused, Err(ParseError::Field("info")), "{bytes}");
    }
    for bytes in ["i1e", "le", "0:"] {
        assert!(read(bytes.as_bytes(), SITE).is_err(), "{bytes}");
    }
}

#[test]
fn doubled_and_unsorted_keys_are_refused() {
    for bytes in [
        "d4:infod6:lengthi1e6:lengthi2eee",
        "d4:infod4:name1:a6:lengthi2eee",
        "d4:infode4:infodee",
        "d4:infode8:announce1:ae",
    ] {
        assert_eq!(read(bytes.as_bytes(), SITE), Err(ParseError::Malformed));
    }
}

#[test]
fn bombs_are_refused() {
    let deep = b"d4:info".repeat(1_000_000);
    assert_eq!(read(&deep, SITE), Err(ParseError::TooDeep));
    let nest = |levels| [b"l".repeat(levels), b"e".repeat(levels)].concat();
    assert!(with(&[("zz", nest(10))]).is_ok());
    assert_eq!(with(&[("zz", nest(11))]), Err(ParseError::TooDeep));
    let many = list(&vec![text(""); bencode::MOST_VALUES]);
    assert_eq!(with(&[("zz", many)]), Err(ParseError::TooManyValues));
    let claim = b"d4:infod6:pieces9223372036854775808:xx".as_slice();
    assert_eq!(read(claim, SITE), Err(ParseError::Malformed));
}

#[test]
fn refusals_read_as_the_rest_of_a_sentence() {
    for refusal in [
        ParseError::TooLarge,
        ParseError::Malformed,
        ParseError::TooDeep,
        ParseError::TooManyValues,
        ParseError::Field("info"),
        ParseError::OnlyV2,
        ParseError::PieceLength,
        ParseError::Size,
        ParseError::TooManyFiles,
        ParseError::DoubledPath("a".into()),
        ParseError::Symlink,
        ParseError::Padding,
    ] {
        let shown = refusal.to_string();
        assert!(shown.starts_with(|c: char| c.is_lowercase()), "{shown}");
        assert!(!shown.ends_with('.'), "{shown}");
    }
    let shown = fault(with(&[("name", text(".."))])).map(|why| why.to_string());
    let expected = "a part of it is made of dots and spaces alone";
    assert_eq!(shown.as_deref(), Some(expected));
}

/// A torrent that is accepted, of any contents and with any fields that aren't known.
fn acceptable() -> impl Strategy<Value = Vec<u8>> {
    let any_text = || vec(any::<u8>(), 0..12).prop_map(text);
    (
        vec(0..100_000_u64, 1..12),
        option::of(0..3_i64),
        option::of(prop_oneof![Just(SITE), Just("Their Site")]),
        vec(("z[a-z]{0,5}", any_text()), 0..4),
        vec(("[a-hj-z][a-z ]{0,8}", any_text()), 0..4),
    )
        .prop_map(|(sizes, private, source, inner, outer)| {
            let name = |n: usize| format!("file {n}");
            let mut entries: Vec<_> = (sizes.iter().enumerate())
                .map(|(n, size)| entry(&["folder", &name(n)], *size))
                .collect();
            entries.push(entry(&["last"], 1));
            let mut info = folder_info(&entries, sizes.iter().sum::<u64>() + 1);
            info.extend(private.map(|it| (b"private".to_vec(), number(it))));
            info.extend(source.map(|it| (b"source".to_vec(), text(it))));
            info.extend(inner.into_iter().map(|(key, it)| (key.into(), it)));
            let mut top: Fields = outer
                .into_iter()
                .map(|(key, it)| (key.into(), it))
                .collect();
            top.insert(b"info".to_vec(), dict(&info));
            dict(&top)
        })
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = read(&bytes, SITE).is_ok();
    }

    #[test]
    fn no_changed_bytes_make_it_panic(
        bytes in acceptable(),
        changes in vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
    ) {
        let mut bytes = bytes;
        for (place, byte) in changes {
            let place = place.index(bytes.len());
            bytes[place] = byte;
        }
        let _ = read(&bytes, SITE).is_ok();
    }

    #[test]
    fn truncating_anywhere_is_refused(bytes in acceptable(), end: prop::sample::Index) {
        let end = end.index(bytes.len());
        prop_assert_eq!(read(&bytes[..end], SITE), Err(ParseError::Malformed));
    }

    #[test]
    fn making_it_ours_a_second_time_changes_nothing(bytes in acceptable()) {
        let first = read(&bytes, SITE).unwrap();
        let second = read(&first.metainfo.0, SITE).unwrap();
        prop_assert_eq!(second, Checked { info: Info::Kept, ..first.clone() });
        let own = personal(&first.metainfo, &["http://t/announce".to_owned()], "", "us").unwrap();
        prop_assert_eq!(read(&own, SITE).unwrap().metainfo, first.metainfo);
    }

    #[test]
    fn the_info_hash_is_that_of_the_stored_bytes(bytes in acceptable()) {
        let checked = read(&bytes, SITE).unwrap();
        let info = bencode::raw_dict(&checked.metainfo.0, "info").unwrap().unwrap();
        prop_assert_eq!(checked.info_hash.0, <[u8; 20]>::from(Sha1::digest(info)));
        let uploaded = bencode::raw_dict(&bytes, "info").unwrap().unwrap();
        prop_assert_eq!(checked.info == Info::Kept, info == uploaded);
    }
}
