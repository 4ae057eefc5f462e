//! What a torrent's page said at any time: version 1 is the upload, each edit is one more.

use time::OffsetDateTime;

use super::{Edit, Event};
use crate::fact::Fact;
use crate::recorded::{Actor, Position, Recorded};

/// What a torrent's page said from one event to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Its number, starting at 1.
    pub number: usize,
    /// Where the event stands that made it.
    pub position: Position,
    /// When.
    pub at: OffsetDateTime,
    /// Who wrote it.
    pub by: Actor,
    /// The number of the earlier version that it brought back.
    pub brings_back: Option<usize>,
    /// What the page said.
    pub said: Edit,
}

/// Gives the versions that a torrent's stream holds, the first first.
pub fn versions(stream: &[Recorded]) -> Vec<Version> {
    let mut versions: Vec<Version> = vec![];
    for event in stream {
        let Fact::Torrent(happened) = &event.fact else {
            continue;
        };
        let said = match happened.as_ref() {
            Event::TorrentUploaded(upload) => upload.editable(),
            Event::TorrentEdited(edit) => edit.clone(),
            Event::TorrentWithdrawn { .. }
            | Event::TorrentRestored {}
            | Event::FreeleechSet { .. }
            | Event::FreeleechLifted {}
            | Event::TorrentApproved {}
            | Event::TorrentRejected { .. }
            | Event::TorrentChangesAsked { .. }
            | Event::TorrentSubmitted {} => continue,
        };
        let brings_back = event.meta.causation.and_then(|cause| {
            let earlier = versions.iter().find(|version| version.position == cause);
            earlier.map(|version| version.number)
        });
        versions.push(Version {
            number: versions.len() + 1,
            position: event.position,
            at: event.at,
            by: event.meta.actor,
            brings_back,
            said,
        });
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amount::Bytes;
    use crate::id::{CategoryId, CommandId, MemberId};
    use crate::info_hash::InfoHash;
    use crate::recorded::Meta;
    use crate::torrent::{Metainfo, Upload};
    use uuid::Uuid;

    fn recorded(position: i64, causation: Option<i64>, event: Event) -> Recorded {
        Recorded {
            position: Position(position),
            stream_type: "torrent".into(),
            stream_id: Uuid::nil(),
            sequence: position,
            at: OffsetDateTime::UNIX_EPOCH,
            command: CommandId(Uuid::nil()),
            meta: Meta {
                actor: Actor::Member(MemberId(Uuid::nil())),
                correlation: Uuid::nil(),
                causation: causation.map(Position),
                reason: None,
            },
            fact: Fact::Torrent(Box::new(event)),
        }
    }

    fn edited(description: &str) -> Event {
        Event::TorrentEdited(Edit {
            category: CategoryId(Uuid::nil()),
            description: description.into(),
            tags: vec![],
        })
    }

    fn uploaded(description: &str) -> Event {
        Event::TorrentUploaded(Upload {
            uploader: MemberId(Uuid::nil()),
            name: "file".into(),
            category: CategoryId(Uuid::nil()),
            description: description.into(),
            info_hash: InfoHash([1; 20]),
            info_hash_v2: None,
            size: Bytes(1),
            piece_length: Bytes(1),
            files: vec![],
            metainfo: Metainfo(vec![]),
            tags: vec![],
            pending: false,
        })
    }

    #[test]
    fn the_upload_and_each_edit_are_versions_and_a_way_back_names_its_goal() {
        let withdrawn = Event::TorrentWithdrawn {
            reason: None,
            by_staff: false,
        };
        let stream = [
            recorded(3, None, uploaded("one")),
            recorded(5, None, edited("two")),
            recorded(6, None, withdrawn),
            recorded(8, Some(6), Event::TorrentRestored {}),
            recorded(9, Some(3), edited("one")),
        ];
        let found: Vec<_> = versions(&stream)
            .into_iter()
            .map(|version| {
                let (at, text) = (version.position.0, version.said.description);
                (version.number, at, version.brings_back, text)
            })
            .collect();
        let expected = [
            (1, 3, None, "one".to_owned()),
            (2, 5, None, "two".to_owned()),
            (3, 9, Some(1), "one".to_owned()),
        ];
        assert_eq!(found, expected);
    }
}
