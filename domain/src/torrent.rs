//! A torrent: uploaded, withdrawn.
//!
//! The story begins in `api::web::upload`, goes through `commands::torrent`, and goes on in
//! `projections::torrent`. What a .torrent file may hold is [`crate::metainfo`]'s.

use serde::{Deserialize, Serialize};

use crate::amount::Bytes;
use crate::decider::Decider;
use crate::id::{CategoryId, MemberId};
use crate::info_hash::{InfoHash, InfoHashV2};

/// What happened to a torrent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It came into being.
    TorrentUploaded(Upload),
    /// It is no longer offered; its announces are refused.
    TorrentWithdrawn {
        /// Why, in the words of who withdrew it.
        reason: Option<String>,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::TorrentUploaded(_) => "TorrentUploaded",
            Self::TorrentWithdrawn { .. } => "TorrentWithdrawn",
        }
    }
}

/// A torrent as its uploader gave it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    /// Who uploaded it.
    pub uploader: MemberId,
    /// The name of the file or folder in the info dictionary.
    pub name: String,
    /// Where it stands in the category tree.
    pub category: CategoryId,
    /// The description in markdown, as written.
    pub description: String,
    /// SHA-1 of the info dictionary; absent for nothing that is accepted today.
    pub info_hash: InfoHash,
    /// SHA-256 of the info dictionary of a hybrid (BEP 52).
    pub info_hash_v2: Option<InfoHashV2>,
    /// The sum of the files, padding left out.
    pub size: Bytes,
    /// Bytes in one piece.
    pub piece_length: Bytes,
    /// The files in the order of the info dictionary, padding left out.
    pub files: Vec<File>,
    /// The normalised .torrent file without any announce URL, base64.
    pub metainfo: Metainfo,
}

/// One file of a torrent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The path within the torrent, parts joined by `/`.
    pub path: String,
    /// The file's length.
    pub size: Bytes,
}

/// The bytes of a .torrent file; shown by `Debug` as their number only.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Metainfo(pub Vec<u8>);

impl std::fmt::Debug for Metainfo {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Metainfo({} bytes)", self.0.len())
    }
}

impl From<Metainfo> for String {
    fn from(metainfo: Metainfo) -> Self {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        STANDARD.encode(metainfo.0)
    }
}

impl TryFrom<String> for Metainfo {
    type Error = base64::DecodeError;
    fn try_from(text: String) -> Result<Self, Self::Error> {
        use base64::{Engine as _, engine::general_purpose::STANDARD};
        STANDARD.decode(text).map(Self)
    }
}

/// A torrent's situation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum Torrent {
    /// Nothing was uploaded under this id.
    #[default]
    Unknown,
    /// Members may download it.
    Offered(Box<Upload>),
    /// It is no longer offered.
    Withdrawn(Box<Upload>),
}

/// What may be asked of a torrent's stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// Offer it.
    Upload(Box<Upload>),
    /// Offer it no longer.
    Withdraw {
        /// Why, in the words of who withdraws it.
        reason: Option<String>,
    },
}

/// Why a torrent's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The stream has a torrent already.
    #[error("this torrent was uploaded already")]
    AlreadyUploaded,
    /// The stream has no torrent.
    #[error("there is no such torrent")]
    Unknown,
    /// It isn't offered any more.
    #[error("this torrent was withdrawn already")]
    AlreadyWithdrawn,
    /// The description is too long.
    #[error("a description has at most 50,000 characters")]
    DescriptionTooLong,
}

/// The most characters of a description.
pub const LONGEST_DESCRIPTION: usize = 50_000;

impl Decider for Torrent {
    const STREAM: &'static str = "torrent";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match (self, command) {
            (Self::Unknown, Command::Upload(upload)) => {
                if upload.description.chars().count() > LONGEST_DESCRIPTION {
                    return Err(Rejection::DescriptionTooLong);
                }
                Ok(vec![Event::TorrentUploaded(*upload)])
            }
            (Self::Unknown, Command::Withdraw { .. }) => Err(Rejection::Unknown),
            (Self::Offered(_) | Self::Withdrawn(_), Command::Upload(_)) => {
                Err(Rejection::AlreadyUploaded)
            }
            (Self::Offered(_), Command::Withdraw { reason }) => {
                Ok(vec![Event::TorrentWithdrawn { reason }])
            }
            (Self::Withdrawn(_), Command::Withdraw { .. }) => Err(Rejection::AlreadyWithdrawn),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::TorrentUploaded(upload) => *self = Self::Offered(Box::new(upload.clone())),
            Event::TorrentWithdrawn { .. } => {
                if let Self::Offered(upload) = std::mem::take(self) {
                    *self = Self::Withdrawn(upload);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;
    use uuid::Uuid;

    fn upload() -> Upload {
        Upload {
            uploader: MemberId(Uuid::from_u128(1)),
            name: "debian.iso".into(),
            category: CategoryId(Uuid::from_u128(2)),
            description: String::new(),
            info_hash: InfoHash([1; 20]),
            info_hash_v2: None,
            size: Bytes(5),
            piece_length: Bytes(16_384),
            files: vec![File {
                path: "debian.iso".into(),
                size: Bytes(5),
            }],
            metainfo: Metainfo(b"de".to_vec()),
        }
    }

    #[test]
    fn a_torrent_is_uploaded_once() {
        let again = Command::Upload(Box::new(upload()));
        given::<Torrent>(&[])
            .when(again.clone())
            .then(&[Event::TorrentUploaded(upload())]);
        given::<Torrent>(&[Event::TorrentUploaded(upload())])
            .when(again)
            .rejected(&Rejection::AlreadyUploaded);
    }

    #[test]
    fn a_torrent_is_withdrawn_once() {
        let withdrawn = Event::TorrentWithdrawn {
            reason: Some("wrong file".into()),
        };
        let withdraw = Command::Withdraw {
            reason: Some("wrong file".into()),
        };
        given::<Torrent>(&[])
            .when(withdraw.clone())
            .rejected(&Rejection::Unknown);
        given::<Torrent>(&[Event::TorrentUploaded(upload())])
            .when(withdraw.clone())
            .then(std::slice::from_ref(&withdrawn));
        given::<Torrent>(&[Event::TorrentUploaded(upload()), withdrawn])
            .when(withdraw)
            .rejected(&Rejection::AlreadyWithdrawn);
    }

    #[test]
    fn an_endless_description_is_refused() {
        let long = Upload {
            description: "é".repeat(50_001),
            ..upload()
        };
        given::<Torrent>(&[])
            .when(Command::Upload(Box::new(long)))
            .rejected(&Rejection::DescriptionTooLong);
    }
}
