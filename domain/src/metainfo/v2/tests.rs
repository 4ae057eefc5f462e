//! Tests of [`super`].

use sha1::Sha1;

use super::super::tests::{Fields, SITE, dict, entry, fields, list, number, text};
use super::super::{Checked, Info, personal, read};
use super::*;

const PIECE: u64 = 32_768;

/// The layer of a file full of `a`, and the root above it.
fn hashed(size: u64) -> (Vec<u8>, [u8; HASH]) {
    let content = vec![b'a'; usize::try_from(size).unwrap()];
    let row = |hashes: &[[u8; HASH]]| {
        let pairs = hashes.chunks(2);
        pairs
            .map(|pair| parent(&pair[0], pair.get(1).unwrap_or(&[0; HASH])))
            .collect::<Vec<_>>()
    };
    let blocks: Vec<[u8; HASH]> = content
        .chunks(16_384)
        .map(|block| Sha256::digest(block).into())
        .collect();
    if let [one] = blocks.as_slice() {
        return (one.to_vec(), *one);
    }
    let layer = row(&blocks);
    (layer.concat(), root_of(&layer, PIECE))
}

fn leaf(size: u64) -> Fields {
    let mut leaf = fields(&[("length", number(size))]);
    if size > 0 {
        leaf.insert(b"pieces root".to_vec(), text(hashed(size).1));
    }
    leaf
}

fn node(leaf: &Fields) -> Vec<u8> {
    dict(&fields(&[("", dict(leaf))]))
}

fn padding(size: u64) -> Vec<u8> {
    dict(&fields(&[
        ("attr", text("p")),
        ("length", number(size)),
        ("path", list(&[text(".pad"), text(size.to_string())])),
    ]))
}

fn pieces(total: u64) -> Vec<u8> {
    text("x".repeat(usize::try_from(total.div_ceil(PIECE)).unwrap() * 20))
}

/// The info dictionary of a hybrid.
fn info(contents: (&str, Vec<u8>), total: u64, tree: Vec<u8>) -> Fields {
    fields(&[
        contents,
        ("file tree", tree),
        ("meta version", number(2)),
        ("name", text("file")),
        ("piece length", number(PIECE)),
        ("pieces", pieces(total)),
    ])
}

/// The info dictionary of one file.
fn one(size: u64) -> Fields {
    let tree = dict(&fields(&[("file", node(&leaf(size)))]));
    info(("length", number(size)), size, tree)
}

/// The tree and the info dictionary of `a/x` of 40,000 bytes, `b` of none and `c` of 5, padded.
fn three() -> Fields {
    let inner = dict(&fields(&[("x", node(&leaf(40_000)))]));
    let tree = [("a", inner), ("b", node(&leaf(0))), ("c", node(&leaf(5)))];
    let files = [
        entry(&["a", "x"], 40_000),
        padding(25_536),
        entry(&["b"], 0),
        entry(&["c"], 5),
    ];
    let total = 2 * PIECE + 5;
    info(("files", list(&files)), total, dict(&fields(&tree)))
}

/// The layers of files of these sizes.
fn layers(sizes: &[u64]) -> Vec<u8> {
    let layer = |size: &u64| {
        let (layer, root) = hashed(*size);
        (root.to_vec(), text(layer))
    };
    dict(&sizes.iter().map(layer).collect())
}

fn torrent(info: &Fields, layers: Vec<u8>) -> Vec<u8> {
    dict(&fields(&[("info", dict(info)), ("piece layers", layers)]))
}

fn disagreement(refused: Result<Checked, ParseError>) -> Option<&'static str> {
    if let ParseError::Hybrid(why) = refused.err()? {
        return Some(why);
    }
    None
}

#[test]
fn a_hybrid_is_known_by_both_hashes() {
    let mut info = one(200_000);
    let content = b"a".repeat(200_000);
    let hashes: Vec<u8> = content
        .chunks(32_768)
        .flat_map(|piece| Sha1::digest(piece).to_vec())
        .collect();
    info.insert(b"pieces".to_vec(), text(hashes));
    let checked = read(&torrent(&info, layers(&[200_000])), SITE).unwrap();
    assert_eq!(checked.info, Info::Changed);
    assert_eq!(
        checked.info_hash.to_string(),
        "6460acced3e3cb40e77e6d1837dcb0889db5f146"
    );
    assert_eq!(
        checked.info_hash_v2.unwrap().to_string(),
        "508441a7674fdcf03cf038bd9783e63b7bdda93d8c062a0d39477001fba92d3b"
    );
    let again = read(&checked.metainfo.0, SITE).unwrap();
    let kept = Checked {
        info: Info::Kept,
        ..checked
    };
    assert_eq!(again, kept);
}

#[test]
fn the_root_is_found_above_a_layer() {
    for (size, root) in [
        (
            200_000,
            "df85d60a2cebf528c08feead7bcf9d763e8688f71c6d58232cd2d68eb893fdc4",
        ),
        (
            150_000,
            "0665401b6e22d389fc690c610b95df7ebd3c6ff65275423f2bd6c23684046a19",
        ),
    ] {
        assert_eq!(hex::encode(hashed(size).1), root, "{size}");
    }
}

#[test]
fn padding_is_left_out_and_layers_are_kept() {
    let bytes = torrent(&three(), layers(&[40_000]));
    let checked = read(&bytes, SITE).unwrap();
    let files: Vec<_> = (checked.files.iter())
        .map(|file| (file.path.as_str(), file.size.0))
        .collect();
    assert_eq!(files, [("a/x", 40_000), ("b", 0), ("c", 5)]);
    assert_eq!(checked.size.0, 40_005);
    let tail = [text("piece layers"), layers(&[40_000]), b"e".to_vec()].concat();
    assert!(checked.metainfo.0.ends_with(&tail));
    let own = personal(
        &checked.metainfo,
        &["http://t/announce".to_owned()],
        "",
        "us",
    )
    .unwrap();
    assert!(own.ends_with(&tail));
    assert_eq!(read(&own, SITE).unwrap().metainfo, checked.metainfo);
}

#[test]
fn every_truncation_of_a_hybrid_is_refused() {
    let whole = torrent(&three(), layers(&[40_000]));
    for end in 0..whole.len() {
        assert_eq!(read(&whole[..end], SITE), Err(ParseError::Malformed));
    }
}

#[test]
fn small_files_need_no_layers() {
    let small = one(PIECE);
    assert!(read(&torrent(&small, b"de".to_vec()), SITE).is_ok());
    let bare = dict(&fields(&[("info", dict(&small))]));
    assert!(read(&bare, SITE).is_ok());
}

#[test]
fn halves_that_name_different_files_are_refused() {
    let why = Some("they name different files, or in another order");
    let trees = [
        ("a name", fields(&[("other", node(&leaf(40_000)))])),
        ("a size", fields(&[("file", node(&leaf(39_999)))])),
        ("nothing", fields(&[])),
        (
            "one more",
            fields(&[("file", node(&leaf(40_000))), ("more", node(&leaf(5)))]),
        ),
        (
            "a folder",
            fields(&[("d", dict(&fields(&[("file", node(&leaf(40_000)))])))]),
        ),
    ];
    for (what, tree) in trees {
        let info = info(("length", number(40_000)), 40_000, dict(&tree));
        let refused = read(&torrent(&info, layers(&[40_000])), SITE);
        assert_eq!(disagreement(refused), why, "{what}");
    }
    let mut swapped = three();
    let files = [
        entry(&["b"], 0),
        entry(&["a", "x"], 40_000),
        padding(25_536),
        entry(&["c"], 5),
    ];
    swapped.insert(b"files".to_vec(), list(&files));
    let refused = read(&torrent(&swapped, layers(&[40_000])), SITE);
    assert_eq!(disagreement(refused), why);
}

#[test]
fn files_begin_with_a_piece_and_padding_ends_with_one() {
    let (begins, ends) = (
        Some("a file doesn't begin with a piece"),
        Some("padding doesn't end with a piece"),
    );
    let (x, c) = (entry(&["a", "x"], 40_000), entry(&["c"], 5));
    for (files, why) in [
        (vec![x.clone(), c.clone()], begins),
        (vec![x.clone(), padding(25_535), c.clone()], ends),
        (vec![x.clone(), padding(25_536 + PIECE), c.clone()], ends),
        (
            vec![x.clone(), padding(0), padding(25_536), c.clone()],
            ends,
        ),
        (
            vec![padding(0), x.clone(), padding(25_536), c.clone()],
            ends,
        ),
        (vec![padding(PIECE), x, padding(25_536), c], ends),
    ] {
        let mut info = three();
        info.insert(b"files".to_vec(), list(&files));
        let refused = read(&torrent(&info, layers(&[40_000])), SITE);
        assert_eq!(disagreement(refused), why);
    }
}

#[test]
fn padding_behind_the_last_file_is_accepted() {
    let mut info = three();
    let files = [
        entry(&["a", "x"], 40_000),
        padding(25_536),
        entry(&["b"], 0),
        entry(&["c"], 5),
        padding(PIECE - 5),
    ];
    info.insert(b"files".to_vec(), list(&files));
    let checked = read(&torrent(&info, layers(&[40_000])), SITE).unwrap();
    assert_eq!(checked.size.0, 40_005);
}

#[test]
fn layers_are_complete_and_the_files_own() {
    let why = Some("the piece layers aren't the files' own");
    let info = one(200_000);
    for layers in [
        b"de".to_vec(),
        layers(&[40_000]),
        layers(&[200_000, 40_000]),
        dict(&fields(&[("short", text("h".repeat(224)))])),
    ] {
        let refused = read(&torrent(&info, layers), SITE);
        assert_eq!(disagreement(refused), why);
    }
    let bare = read(&dict(&fields(&[("info", dict(&info))])), SITE);
    assert_eq!(disagreement(bare), why);
    for bad in [number(1), text("x"), list(&[])] {
        let refused = read(&torrent(&info, bad), SITE);
        assert_eq!(refused, Err(ParseError::Field("piece layers")));
    }
}

#[test]
fn layers_have_their_length_and_lead_to_their_root() {
    let info = one(200_000);
    let (layer, root) = hashed(200_000);
    let with = |layer: &[u8]| {
        let layers = Fields::from([(root.to_vec(), text(layer))]);
        read(&torrent(&info, dict(&layers)), SITE)
    };
    assert!(with(&layer).is_ok());
    let longer = [layer.as_slice(), &[0; HASH]].concat();
    let length = Some("a piece layer has the wrong length");
    let uneven = [layer.as_slice(), b"h"].concat();
    for bad in [&layer[..6 * HASH], &uneven, &longer, b""] {
        assert_eq!(disagreement(with(bad)), length);
    }
    let mut other = layer.clone();
    other[100] ^= 1;
    let leads = Some("a piece layer doesn't lead to its file's root");
    assert_eq!(disagreement(with(&other)), leads);
    let number = Fields::from([(root.to_vec(), number(1))]);
    let refused = read(&torrent(&info, dict(&number)), SITE);
    assert_eq!(refused, Err(ParseError::Field("piece layers")));
}

#[test]
fn files_that_hold_something_have_a_root() {
    for root in [
        None,
        Some(text("short")),
        Some(text([0; 33])),
        Some(number(1)),
    ] {
        let mut leaf = fields(&[("length", number(5))]);
        leaf.extend(root.map(|root| (b"pieces root".to_vec(), root)));
        let tree = dict(&fields(&[("file", node(&leaf))]));
        let refused = read(
            &torrent(&info(("length", number(5)), 5, tree), b"de".to_vec()),
            SITE,
        );
        assert_eq!(refused, Err(ParseError::Field("pieces root")));
    }
}

#[test]
fn one_root_has_one_size() {
    let root = text(hashed(40_000).1);
    let leaf = |size: u64| {
        node(&fields(&[
            ("length", number(size)),
            ("pieces root", root.clone()),
        ]))
    };
    let tree = dict(&fields(&[("a", leaf(2 * PIECE)), ("b", leaf(3 * PIECE))]));
    let files = [entry(&["a"], 2 * PIECE), entry(&["b"], 3 * PIECE)];
    let info = info(("files", list(&files)), 5 * PIECE, tree);
    let refused = read(&torrent(&info, layers(&[40_000])), SITE);
    let why = Some("files of different sizes have one root");
    assert_eq!(disagreement(refused), why);
}

#[test]
fn a_torrent_without_a_v1_half_is_refused() {
    let mut info = one(40_000);
    info.remove(b"pieces".as_slice());
    info.remove(b"length".as_slice());
    let refused = read(&torrent(&info, layers(&[40_000])), SITE);
    assert_eq!(refused, Err(ParseError::OnlyV2));
}

#[test]
fn a_v2_half_says_its_version() {
    let version = |version: Option<Vec<u8>>, tree: bool| {
        let mut info = one(5);
        info.remove(b"meta version".as_slice());
        info.extend(version.map(|version| (b"meta version".to_vec(), version)));
        if !tree {
            info.remove(b"file tree".as_slice());
        }
        read(&torrent(&info, b"de".to_vec()), SITE).map(|checked| checked.info_hash_v2.is_some())
    };
    assert_eq!(version(Some(number(2)), true), Ok(true));
    assert_eq!(version(None, false), Ok(false));
    assert_eq!(version(Some(number(1)), false), Ok(false));
    let refused = Err(ParseError::Field("meta version"));
    assert_eq!(version(None, true), refused);
    assert_eq!(version(Some(number(1)), true), refused);
    assert_eq!(version(Some(number(3)), true), refused);
    assert_eq!(version(Some(number(3)), false), refused);
    assert_eq!(version(Some(text("2")), false), refused);
    let refused = Err(ParseError::Field("file tree"));
    assert_eq!(version(Some(number(2)), false), refused);
}

#[test]
fn the_tree_has_no_padding_no_links_and_no_dangerous_names() {
    let with = |extra: (&str, Vec<u8>)| {
        let mut leaf = leaf(5);
        leaf.extend(fields(&[extra]));
        let tree = dict(&fields(&[("file", node(&leaf))]));
        let info = info(("length", number(5)), 5, tree);
        read(&torrent(&info, b"de".to_vec()), SITE)
    };
    assert!(with(("attr", text("x"))).is_ok());
    let padding = disagreement(with(("attr", text("p"))));
    assert_eq!(padding, Some("the file tree has padding"));
    assert_eq!(with(("attr", text("l"))), Err(ParseError::Symlink));
    let link = ("symlink path", list(&[text("..")]));
    assert_eq!(with(link), Err(ParseError::Symlink));
    assert_eq!(
        with(("length", number(-1))),
        Err(ParseError::Field("length"))
    );
    for name in ["..", "a/b", "NUL"] {
        let tree = dict(&fields(&[(name, node(&leaf(5)))]));
        let info = info(("length", number(5)), 5, tree);
        let refused = read(&torrent(&info, b"de".to_vec()), SITE);
        assert!(matches!(refused, Err(ParseError::Path { .. })), "{name}");
    }
    let flat = dict(&fields(&[("file", number(5))]));
    let info = info(("length", number(5)), 5, flat);
    let refused = read(&torrent(&info, b"de".to_vec()), SITE);
    assert_eq!(refused, Err(ParseError::Field("file tree")));
}

#[test]
fn a_hybrid_of_padding_alone_is_refused() {
    let tree = dict(&fields(&[("b", node(&leaf(0)))]));
    let files = [padding(PIECE), entry(&["b"], 0)];
    let refused = read(
        &torrent(&info(("files", list(&files)), PIECE, tree), b"de".to_vec()),
        SITE,
    );
    assert!(disagreement(refused).is_some());
}

#[test]
fn piece_layers_of_a_v1_torrent_are_left_out() {
    let mut info = one(40_000);
    info.remove(b"meta version".as_slice());
    info.remove(b"file tree".as_slice());
    let checked = read(&torrent(&info, layers(&[40_000])), SITE).unwrap();
    assert_eq!(checked.info_hash_v2, None);
    assert!(!String::from_utf8_lossy(&checked.metainfo.0).contains("piece layers"));
}
