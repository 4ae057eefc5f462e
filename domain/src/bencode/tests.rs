//! Tests of [`super`].

use std::collections::BTreeMap;

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;

fn refused(bytes: &[u8], why: Malformed) {
    let shown = String::from_utf8_lossy(bytes.get(..40).unwrap_or(bytes));
    assert_eq!(read(bytes), Err(why), "{shown:?}");
}

#[test]
fn what_is_cut_off_is_refused() {
    for bytes in [
        b"".as_slice(),
        b"i",
        b"i1",
        b"1",
        b"2:a",
        b"l",
        b"li1e",
        b"d",
        b"d1:a",
        b"d1:ai1e",
    ] {
        refused(bytes, Malformed::Syntax);
    }
}

#[test]
fn what_is_followed_by_more_is_refused() {
    for bytes in [b"i1ei2e".as_slice(), b"i1ee", b"dex", b"de\n", b"0:\0"] {
        refused(bytes, Malformed::Syntax);
    }
}

#[test]
fn numbers_are_written_one_way_and_fit() {
    for bytes in [
        b"ie".as_slice(),
        b"i-e",
        b"i00e",
        b"i01e",
        b"i-0e",
        b"i-01e",
        b"i+1e",
        b"i 1e",
        b"i1.5e",
        b"i0x1e",
        b"i9223372036854775808e",
        b"i-9223372036854775809e",
    ] {
        refused(bytes, Malformed::Syntax);
    }
    refused(
        &[b"i1".as_slice(), &b"0".repeat(100_000), b"e"].concat(),
        Malformed::Syntax,
    );
    assert_eq!(
        read(b"i-9223372036854775808e"),
        Ok(Value::Integer(i64::MIN))
    );
    assert_eq!(read(b"i9223372036854775807e"), Ok(Value::Integer(i64::MAX)));
}

#[test]
fn a_string_claims_no_more_than_there_is() {
    for bytes in [
        b"01:a".as_slice(),
        b"-1:a",
        b"+1:a",
        b"00:",
        b":a",
        b"9223372036854775807:a",
        b"9223372036854775808:a",
        b"18446744073709551615:a",
        b"18446744073709551616:a",
        b"99999999999999999999999:a",
    ] {
        refused(bytes, Malformed::Syntax);
    }
}

#[test]
fn keys_are_strings_sorted_and_unique() {
    for bytes in [
        b"d1:bi1e1:ai1ee".as_slice(),
        b"d1:ai1e1:ai1ee",
        b"d2:aai1e1:ai1ee",
        b"d1:ad1:bi1e1:ai1eee",
        b"d1:bde1:alee",
        b"di1ei1ee",
        b"dlei1ee",
        b"d1:ae",
    ] {
        refused(bytes, Malformed::Syntax);
    }
    let value = read(b"d0:i0e1:Ai1e1:ai2e2:aai3ee").unwrap();
    assert_eq!(value.get("aa"), Some(&Value::Integer(3)));
    assert_eq!(value.get(""), Some(&Value::Integer(0)));
    assert_eq!(value.get("b"), None);
}

#[test]
fn twelve_levels_are_read_and_one_more_is_not() {
    let nest = |levels| [b"l".repeat(levels), b"e".repeat(levels)].concat();
    assert!(read(&nest(DEEPEST)).is_ok());
    refused(&nest(DEEPEST + 1), Malformed::TooDeep);
    let filled = [b"l".repeat(DEEPEST), b"i1e".to_vec(), b"e".repeat(DEEPEST)].concat();
    assert!(read(&filled).is_ok());
}

#[test]
fn bombs_of_nesting_are_refused() {
    refused(&b"l".repeat(10_000_000), Malformed::TooDeep);
    refused(&b"d1:a".repeat(1_000_000), Malformed::TooDeep);
    refused(&b"d4:info".repeat(1_000_000), Malformed::TooDeep);
}

#[test]
fn a_million_values_are_read_and_one_more_is_not() {
    let list = |length| [b"l".to_vec(), b"0:".repeat(length), b"e".to_vec()].concat();
    assert!(read(&list(MOST_VALUES - 1)).is_ok());
    refused(&list(MOST_VALUES), Malformed::TooMany);
    let lists = [b"l".to_vec(), b"le".repeat(MOST_VALUES), b"e".to_vec()].concat();
    refused(&lists, Malformed::TooMany);
}

#[test]
fn the_bytes_of_inner_dictionaries_are_given_as_they_are() {
    let bytes = b"d1:ai1e4:infod1:xi2ee1:lld1:bi1eee1:zdee";
    assert_eq!(raw_dict(bytes, "info"), Ok(Some(b"d1:xi2ee".as_slice())));
    assert_eq!(raw_dict(bytes, "z"), Ok(Some(b"de".as_slice())));
    for none in ["a", "l", "b", "x", ""] {
        assert_eq!(raw_dict(bytes, none), Ok(None));
    }
    assert_eq!(raw_dict(b"le", "info"), Err(Malformed::Syntax));
    assert_eq!(raw_dict(b"d4:infod1:x", "info"), Err(Malformed::Syntax));
}

/// Canonical bencode of any shape.
fn canonical() -> impl Strategy<Value = Vec<u8>> {
    let text = vec(any::<u8>(), 0..20).prop_map(|text| {
        let mut bytes = vec![];
        write_bytes(&text, &mut bytes);
        bytes
    });
    let leaf = prop_oneof![
        any::<i64>().prop_map(|number| format!("i{number}e").into_bytes()),
        text,
    ];
    leaf.prop_recursive(8, 64, 6, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(|values| [
                b"l".to_vec(),
                values.concat(),
                b"e".to_vec()
            ]
            .concat()),
            btree_map(vec(any::<u8>(), 0..6), inner, 0..6).prop_map(dict),
        ]
    })
}

fn dict(pairs: BTreeMap<Vec<u8>, Vec<u8>>) -> Vec<u8> {
    let mut bytes = b"d".to_vec();
    for (key, value) in pairs {
        write_bytes(&key, &mut bytes);
        bytes.extend(value);
    }
    bytes.push(b'e');
    bytes
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic(bytes: Vec<u8>) {
        let _ = read(&bytes).is_ok();
        let _ = raw_dict(&bytes, "a").is_ok();
    }

    #[test]
    fn nothing_that_looks_like_bencode_makes_it_panic(text in "[ilde0-9:-]{0,60}") {
        let _ = read(text.as_bytes()).is_ok();
        let _ = raw_dict(text.as_bytes(), "").is_ok();
    }

    #[test]
    fn what_is_read_is_written_the_same(bytes in canonical()) {
        let mut again = vec![];
        read(&bytes).unwrap().write(&mut again);
        prop_assert_eq!(again, bytes);
    }

    #[test]
    fn whatever_is_accepted_is_canonical(text in "[ilde0-9:-]{0,12}") {
        if let Ok(value) = read(text.as_bytes()) {
            let mut again = vec![];
            value.write(&mut again);
            prop_assert_eq!(again, text.as_bytes());
        }
    }

    #[test]
    fn every_truncation_is_refused(bytes in canonical()) {
        for end in 0..bytes.len() {
            prop_assert_eq!(read(&bytes[..end]), Err(Malformed::Syntax));
        }
    }
}
