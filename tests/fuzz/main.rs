//! The inputs that fuzzing kept are read again: none of them may break anything.

use std::panic::catch_unwind;

use tests::fuzz::{TARGETS, corpus};

/// The most bytes of all that is kept for one target.
const LARGEST: usize = 64 * 1024;

#[test]
fn every_input_that_is_kept_is_read_without_harm() {
    for (name, target) in TARGETS {
        let folder = std::fs::read_dir(corpus(name)).unwrap();
        let inputs: Vec<_> = folder.map(|entry| entry.unwrap().path()).collect();
        assert!(inputs.len() >= 3, "{name} has too few inputs");
        let mut length = 0;
        for input in &inputs {
            let bytes = std::fs::read(input).unwrap();
            length += bytes.len();
            let read = catch_unwind(|| target(&bytes));
            assert!(read.is_ok(), "{}", input.display());
        }
        assert!(length <= LARGEST, "the corpus of {name} is too large");
    }
}

#[test]
fn the_key_that_is_kept_whole_is_taken_and_none_that_was_changed() {
    let folder = std::fs::read_dir(corpus("security_key")).unwrap();
    let taken = folder
        .map(|entry| entry.unwrap().path())
        .filter(|path| api::fuzz::adds_a_key(&std::fs::read(path).unwrap()));
    let taken: Vec<_> = taken.collect();
    assert_eq!(taken, [corpus("security_key").join("new-key")]);
}
