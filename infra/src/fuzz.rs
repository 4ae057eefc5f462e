//! Sealed envelopes, as a fuzzer makes them up.

use domain::{Actor, Meta};
use serde_json::json;
use uuid::Uuid;

use crate::seal::{Envelope, Key, encrypt, open, open_plain, seal, stream_key};

/// Opens bytes as an envelope, then a true one that the bytes change: neither opens.
pub fn envelope(bytes: &[u8]) {
    let key = Key::new([7; 32]);
    let envelope = Envelope {
        stream_type: "torrent",
        stream: Uuid::nil(),
        sequence: 3,
        name: "TorrentEdited",
        version: 1,
        key_id: 2,
    };
    assert!(open(&key, &envelope, bytes).is_err());
    let meta = Meta {
        actor: Actor::System,
        correlation: Uuid::nil(),
        causation: None,
        reason: None,
    };
    let payload = json!({ "text": hex::encode(bytes) });
    let Ok(sealed) = seal(&key, &envelope, &payload, &meta, [9; 40]) else {
        return;
    };
    let opened = open(&key, &envelope, &sealed.bytes);
    assert!(opened.is_ok_and(|inside| inside.payload == payload));
    let other = Envelope {
        sequence: 4,
        ..envelope
    };
    assert!(open_plain(&key, &other, &sealed.bytes).is_err());
    let mut changed = sealed.bytes.clone();
    let mask = bytes.iter().cycle();
    for (byte, mask) in changed.iter_mut().zip(mask) {
        *byte ^= mask;
    }
    assert!(changed == sealed.bytes || open(&key, &envelope, &changed).is_err());
    // What is inside is read by the same reader, whatever it is.
    let sealed = stream_key(&key, envelope.stream)
        .and_then(|key| encrypt(&key, &[1; 24], bytes, &envelope.bytes()));
    if let Ok(sealed) = sealed {
        let _whether = open(&key, &envelope, &sealed).is_ok();
    }
}
