//! Bencode.
