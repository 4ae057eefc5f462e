//! What the fuzzer may call, by name, and the inputs that are kept for each.

use std::path::{Path, PathBuf};

use domain::{bencode, metainfo};

/// A reader with what must hold of it; it fails by panicking.
pub type Target = fn(&[u8]);

/// Every target, as its corpus and its command line name it.
pub const TARGETS: [(&str, Target); 9] = [
    ("announce", tracker::fuzz::announce),
    ("packet", tracker::fuzz::packet),
    ("message", tracker::fuzz::message),
    ("proxy", tracker::fuzz::proxy),
    ("metainfo", metainfo),
    ("markdown", api::fuzz::markdown),
    ("envelope", infra::fuzz::envelope),
    ("sign_in", api::fuzz::sign_in),
    ("security_key", api::fuzz::security_key),
];

/// Where the inputs are kept that found a way of their own.
pub fn corpus(target: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target)
}

/// Reads bencode, which is written as it was, and a .torrent file, which is ours once it was made ours.
fn metainfo(bytes: &[u8]) {
    if let Ok(value) = bencode::read(bytes) {
        let mut written = vec![];
        value.write(&mut written);
        assert_eq!(written, bytes, "bencode has one form");
    }
    if let Ok(made) = metainfo::read(bytes, "OpenTracker") {
        let urls = ["http://here/announce".to_owned()];
        let ours = metainfo::personal(&made.metainfo, &urls, "", "").unwrap();
        let again = metainfo::read(&ours, "OpenTracker").unwrap();
        assert_eq!(again.info_hash, made.info_hash);
    }
}
