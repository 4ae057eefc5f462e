//! The log as a file of JSON lines, which anybody can verify without the database.
//!
//! One line for each event, in position order, with its plaintext as it was committed to, or, where
//! that holds a secret, with the commitment alone, or where it went with a member, with its leaf alone; then one line that says how far the log reached, so that a file that was cut off is known as such.

use std::collections::BTreeMap;
use std::io::{BufRead, Write};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use time::OffsetDateTime;
use uuid::Uuid;

use super::chain::{Check, Link, mismatch};
use super::{AuditError, Mismatch, NOT_ERASED, Verified};
use crate::appender::micros;
use crate::event_store::Row;
use crate::seal::{self, Envelope, Place};

/// An event as a line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Line {
    pub(super) position: i64,
    pub(super) stream_type: String,
    pub(super) stream_id: Uuid,
    pub(super) sequence: i64,
    pub(super) event_type: String,
    pub(super) event_version: i32,
    pub(super) command_id: Uuid,
    #[serde(with = "time::serde::rfc3339")]
    pub(super) recorded_at: OffsetDateTime,
    /// Payload, metadata and salt, byte for byte as they were committed to; absent where they hold
    /// a secret.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) inside: Option<Box<RawValue>>,
    /// The commitment to what is withheld, as hex.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) commitment: Option<String>,
    /// Whether what it said went with its member: its leaf is all that is left.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) erased: bool,
    pub(super) leaf: String,
    pub(super) chain: String,
}

impl Line {
    /// Gives what stands in the clear.
    pub(super) fn of(row: &Row, leaf: &[u8], linked: &[u8]) -> Self {
        Self {
            position: row.position,
            stream_type: row.stream_type.clone(),
            stream_id: row.stream_id,
            sequence: row.sequence,
            event_type: row.event_type.clone(),
            event_version: row.event_version,
            command_id: row.command_id,
            recorded_at: row.recorded_at,
            inside: None,
            commitment: None,
            erased: false,
            leaf: hex::encode(leaf),
            chain: hex::encode(linked),
        }
    }

    fn tells_of_an_erasure(&self) -> bool {
        self.stream_type == "user" && self.event_type == "MemberErased" && !self.erased
    }
}

/// The last line.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct End {
    end: Verified,
}

/// Writes the last line.
pub(super) fn finish(to: &mut impl Write, verified: &Verified) -> Result<(), AuditError> {
    let end = End {
        end: verified.clone(),
    };
    let text = serde_json::to_string(&end).map_err(|error| AuditError::File(error.into()))?;
    writeln!(to, "{text}").map_err(AuditError::File)
}

/// Verifies a file; `seen` is told how many events were.
pub fn verify(from: impl BufRead, mut seen: impl FnMut(i64)) -> Result<Verified, AuditError> {
    let mut check = Check::default();
    // Where streams begin to be erased, until an event tells of it.
    let mut erased = BTreeMap::new();
    let mut end = None;
    for text in from.lines() {
        let text = text.map_err(AuditError::File)?;
        let position = check.position().0 + 1;
        let unreadable = || Mismatch {
            event: domain::Position(position),
            reason: "its line isn't an event as this program writes it".to_owned(),
        };
        if end.is_some() {
            return Err(unreadable().into());
        }
        if let Ok(last) = serde_json::from_str::<End>(&text) {
            end = Some(last.end);
            continue;
        }
        let line: Line = serde_json::from_str(&text).map_err(|_| unreadable())?;
        if line.erased {
            erased.entry(line.stream_id).or_insert(position);
        } else if line.tells_of_an_erasure() {
            erased.remove(&line.stream_id);
        }
        take(&mut check, &line).map_err(|mismatch| mismatch.unwrap_or_else(unreadable))?;
        seen(position);
    }
    if let Some(first) = erased.into_values().min() {
        return Err(mismatch(first, NOT_ERASED).into());
    }
    let found = Verified::of(&check);
    match end {
        Some(end) if end == found => Ok(found),
        Some(_) => Err(Mismatch::after(&found, "the file's last line tells of another log").into()),
        None => Err(Mismatch::after(&found, "the file ends here, without its last line").into()),
    }
}

/// Checks a line; the error is empty where its hashes aren't even hashes.
fn take(check: &mut Check, line: &Line) -> Result<(), Option<Mismatch>> {
    let leaf = hex::decode(&line.leaf).map_err(|_| None)?;
    let linked = hex::decode(&line.chain).map_err(|_| None)?;
    if line.erased {
        if line.inside.is_some() || line.commitment.is_some() {
            return Err(None);
        }
        let leaf = leaf.try_into().map_err(|_| None)?;
        let at = micros(line.recorded_at);
        return (check.take_leaf(line.position, at, leaf, &linked, true)).map_err(Some);
    }
    let place = Place {
        position: line.position,
        envelope: Envelope {
            stream_type: &line.stream_type,
            stream: line.stream_id,
            sequence: line.sequence,
            name: &line.event_type,
            version: line.event_version,
            key_id: 0,
        },
        command: line.command_id,
        recorded_at: micros(line.recorded_at),
    };
    let plain = line.inside.as_ref().map(|inside| inside.get().as_bytes());
    let commitment = match (plain, &line.commitment) {
        (Some(plain), None) => seal::commitment(plain),
        (None, Some(commitment)) => {
            let mut bytes = [0; 32];
            hex::decode_to_slice(commitment, &mut bytes).map_err(|_| None)?;
            bytes
        }
        _ => return Err(None),
    };
    let link = Link {
        place,
        plain,
        commitment,
        leaf: &leaf,
        chain: &linked,
    };
    check.take(&link).map_err(Some)
}
