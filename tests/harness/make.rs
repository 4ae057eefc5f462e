//! Files and .torrent files for tests.

use domain::bencode::write_bytes;
use sha1::{Digest as _, Sha1};

/// Bytes that no other seed gives.
pub fn payload(seed: u8, length: usize) -> Vec<u8> {
    let mut state = u64::from(seed) + 0x9e37_79b9;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

/// A .torrent file of one file; ours already when a source is given.
pub fn torrent(name: &str, payload: &[u8], source: Option<&str>) -> Vec<u8> {
    const PIECE: usize = 16_384;
    let pieces: Vec<u8> = payload
        .chunks(PIECE)
        .flat_map(|piece| Sha1::digest(piece).to_vec())
        .collect();
    let mut info = format!("d6:lengthi{}e4:name", payload.len()).into_bytes();
    write_bytes(name.as_bytes(), &mut info);
    info.extend(format!("12:piece lengthi{PIECE}e6:pieces").as_bytes());
    write_bytes(&pieces, &mut info);
    if let Some(source) = source {
        info.extend(b"7:privatei1e6:source");
        write_bytes(source.as_bytes(), &mut info);
    }
    info.push(b'e');
    [
        b"d8:announce18:http://foreign/ann4:info".as_slice(),
        &info,
        b"e",
    ]
    .concat()
}

/// A query value's bytes, percent-encoded.
pub fn encode(bytes: &[u8]) -> String {
    let encoded = hex::encode(bytes);
    encoded
        .as_bytes()
        .chunks(2)
        .flat_map(|pair| ['%', char::from(pair[0]), char::from(pair[1])])
        .collect()
}
