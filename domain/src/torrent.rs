//! A torrent: uploaded, edited, withdrawn.
//!
//! The story begins in `api::web::upload`, goes through `commands::torrent`, and goes on in
//! `projections::torrent`. What a .torrent file may hold is [`crate::metainfo`]'s; what the page said at
//! any time is [`version`]'s.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::amount::Bytes;
use crate::decider::Decider;
use crate::id::{CategoryId, MemberId};
use crate::info_hash::{InfoHash, InfoHashV2};

pub mod version;

/// What happened to a torrent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It came into being.
    TorrentUploaded(Upload),
    /// Its page says something else; its file stays what it is.
    TorrentEdited(Edit),
    /// It is no longer offered; its announces are refused.
    TorrentWithdrawn {
        /// Why, in the words of who withdrew it.
        reason: Option<String>,
        /// Whether an administrator did, and not the uploader.
        by_staff: bool,
    },
    /// It is offered again.
    TorrentRestored {},
    /// Downloads of it aren't charged.
    FreeleechSet {
        /// The end, in seconds since 1970, where one is set.
        until: Option<i64>,
    },
    /// Downloads of it are charged again.
    FreeleechLifted {},
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::TorrentUploaded(_) => "TorrentUploaded",
            Self::TorrentEdited(_) => "TorrentEdited",
            Self::TorrentWithdrawn { .. } => "TorrentWithdrawn",
            Self::TorrentRestored {} => "TorrentRestored",
            Self::FreeleechSet { .. } => "FreeleechSet",
            Self::FreeleechLifted {} => "FreeleechLifted",
        }
    }

    fn version(&self) -> i32 {
        match self {
            Self::TorrentWithdrawn { .. } => 2,
            Self::TorrentUploaded(_)
            | Self::TorrentEdited(_)
            | Self::TorrentRestored {}
            | Self::FreeleechSet { .. }
            | Self::FreeleechLifted {} => 1,
        }
    }

    fn upcast(name: &str, version: i32, mut payload: Value) -> Option<Value> {
        match (name, version) {
            // Version 1 didn't say who withdrew; it is taken for the uploader.
            ("TorrentWithdrawn", 1) => {
                let fields = payload.get_mut(name)?.as_object_mut()?;
                fields.insert("by_staff".to_owned(), Value::Bool(false));
                Some(payload)
            }
            ("TorrentWithdrawn", 2) => Some(payload),
            (_, version) => (version == 1).then_some(payload),
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

/// What may change of a torrent: what its page says besides its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// Where it stands in the category tree.
    pub category: CategoryId,
    /// The description in markdown, as written.
    pub description: String,
}

impl Upload {
    /// Tells what may change of it.
    pub fn editable(&self) -> Edit {
        Edit {
            category: self.category,
            description: self.description.clone(),
        }
    }
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
    Withdrawn {
        /// What was offered.
        #[serde(flatten)]
        upload: Box<Upload>,
        /// Whether an administrator withdrew it.
        by_staff: bool,
    },
}

/// What may be asked of a torrent's stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// Offer it.
    Upload(Box<Upload>),
    /// Let its page say something else.
    Edit(Edit),
    /// Offer it no longer.
    Withdraw {
        /// Why, in the words of who withdraws it.
        reason: Option<String>,
        /// Whether an administrator does, and not the uploader.
        by_staff: bool,
    },
    /// Offer it again.
    Restore {
        /// Whether an administrator asks, and not the uploader.
        by_staff: bool,
    },
    /// Charge downloads of it, or don't.
    SetFreeleech(Free),
}

/// Whether downloads of a torrent are charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Free {
    /// They aren't, till an end that lies ahead of now; both in seconds since 1970.
    Until {
        /// The end, where one is set.
        end: Option<i64>,
        /// When it is asked.
        now: i64,
    },
    /// They are.
    Charged,
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
    /// It is offered.
    #[error("this torrent isn't withdrawn")]
    NotWithdrawn,
    /// Its uploader wants back what an administrator withdrew.
    #[error("an administrator withdrew this torrent, so only administrators restore it")]
    WithdrawnByStaff,
    /// The end of a freeleech lies behind.
    #[error("freeleech ends at a moment that lies ahead")]
    EndsBehind,
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
                short_enough(&upload.description)?;
                Ok(vec![Event::TorrentUploaded(*upload)])
            }
            (
                Self::Unknown,
                Command::Edit(_)
                | Command::Withdraw { .. }
                | Command::Restore { .. }
                | Command::SetFreeleech(_),
            ) => Err(Rejection::Unknown),
            (_, Command::SetFreeleech(Free::Charged)) => Ok(vec![Event::FreeleechLifted {}]),
            (_, Command::SetFreeleech(Free::Until { end, now })) => {
                if end.is_some_and(|end| end <= now) {
                    return Err(Rejection::EndsBehind);
                }
                Ok(vec![Event::FreeleechSet { until: end }])
            }
            (Self::Offered(upload) | Self::Withdrawn { upload, .. }, Command::Edit(edit)) => {
                short_enough(&edit.description)?;
                let is_new = edit != upload.editable();
                Ok(is_new
                    .then_some(Event::TorrentEdited(edit))
                    .into_iter()
                    .collect())
            }
            (Self::Offered(_) | Self::Withdrawn { .. }, Command::Upload(_)) => {
                Err(Rejection::AlreadyUploaded)
            }
            (Self::Offered(_), Command::Withdraw { reason, by_staff }) => {
                Ok(vec![Event::TorrentWithdrawn { reason, by_staff }])
            }
            (Self::Withdrawn { .. }, Command::Withdraw { .. }) => Err(Rejection::AlreadyWithdrawn),
            (Self::Offered(_), Command::Restore { .. }) => Err(Rejection::NotWithdrawn),
            (Self::Withdrawn { by_staff: true, .. }, Command::Restore { by_staff: false }) => {
                Err(Rejection::WithdrawnByStaff)
            }
            (Self::Withdrawn { .. }, Command::Restore { .. }) => {
                Ok(vec![Event::TorrentRestored {}])
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::TorrentUploaded(upload) => *self = Self::Offered(Box::new(upload.clone())),
            Event::TorrentEdited(edit) => {
                if let Self::Offered(upload) | Self::Withdrawn { upload, .. } = self {
                    upload.category = edit.category;
                    upload.description.clone_from(&edit.description);
                }
            }
            Event::TorrentWithdrawn { by_staff, .. } => {
                if let Self::Offered(upload) = std::mem::take(self) {
                    let by_staff = *by_staff;
                    *self = Self::Withdrawn { upload, by_staff };
                }
            }
            // Nothing is decided on it.
            Event::FreeleechSet { .. } | Event::FreeleechLifted {} => {}
            Event::TorrentRestored {} => {
                if let Self::Withdrawn { upload, .. } = std::mem::take(self) {
                    *self = Self::Offered(upload);
                }
            }
        }
    }
}

fn short_enough(description: &str) -> Result<(), Rejection> {
    if description.chars().count() > LONGEST_DESCRIPTION {
        return Err(Rejection::DescriptionTooLong);
    }
    Ok(())
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
    fn freeleech_ends_ahead_or_never() {
        let set = |end| Command::SetFreeleech(Free::Until { end, now: 9 });
        let uploaded = [Event::TorrentUploaded(upload())];
        given::<Torrent>(&[])
            .when(set(None))
            .rejected(&Rejection::Unknown);
        given::<Torrent>(&uploaded)
            .when(set(Some(9)))
            .rejected(&Rejection::EndsBehind);
        given::<Torrent>(&uploaded)
            .when(set(Some(10)))
            .then(&[Event::FreeleechSet { until: Some(10) }]);
        given::<Torrent>(&uploaded)
            .when(Command::SetFreeleech(Free::Charged))
            .then(&[Event::FreeleechLifted {}]);
    }

    #[test]
    fn a_torrent_is_withdrawn_once() {
        let withdrawn = withdrawn(false);
        let withdraw = Command::Withdraw {
            reason: Some("wrong file".into()),
            by_staff: false,
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

    fn withdrawn(by_staff: bool) -> Event {
        Event::TorrentWithdrawn {
            reason: Some("wrong file".into()),
            by_staff,
        }
    }

    #[test]
    fn a_withdrawn_torrent_is_restored_by_who_withdrew_it_or_the_staff() {
        let uploaded = Event::TorrentUploaded(upload());
        let restore = |by_staff| Command::Restore { by_staff };
        let gone = |by_staff| given::<Torrent>(&[uploaded.clone(), withdrawn(by_staff)]);
        for (withdrawn, restored) in [(false, false), (false, true), (true, true)] {
            gone(withdrawn)
                .when(restore(restored))
                .then(&[Event::TorrentRestored {}]);
        }
        gone(true)
            .when(restore(false))
            .rejected(&Rejection::WithdrawnByStaff);
        let again = [uploaded, withdrawn(false), Event::TorrentRestored {}];
        given::<Torrent>(&again)
            .when(restore(false))
            .rejected(&Rejection::NotWithdrawn);
        given::<Torrent>(&[])
            .when(restore(true))
            .rejected(&Rejection::Unknown);
    }

    fn edit(description: &str) -> Edit {
        Edit {
            category: CategoryId(Uuid::from_u128(3)),
            description: description.into(),
        }
    }

    #[test]
    fn an_edit_changes_the_page_and_not_the_file() {
        let uploaded = Event::TorrentUploaded(upload());
        let edited = Event::TorrentEdited(edit("new"));
        given::<Torrent>(&[])
            .when(Command::Edit(edit("new")))
            .rejected(&Rejection::Unknown);
        for past in [
            vec![uploaded.clone()],
            vec![uploaded.clone(), withdrawn(true)],
        ] {
            given::<Torrent>(&past)
                .when(Command::Edit(edit("new")))
                .then(std::slice::from_ref(&edited));
        }
        let mut state = Torrent::default();
        state.evolve(&uploaded);
        state.evolve(&edited);
        let Torrent::Offered(now) = state else {
            panic!("it is offered")
        };
        let expected = Upload {
            category: edit("new").category,
            description: "new".into(),
            ..upload()
        };
        assert_eq!(*now, expected);
    }

    #[test]
    fn an_edit_that_changes_nothing_is_no_event() {
        let uploaded = Event::TorrentUploaded(upload());
        given::<Torrent>(std::slice::from_ref(&uploaded))
            .when(Command::Edit(upload().editable()))
            .then(&[]);
        let past = [uploaded, Event::TorrentEdited(edit("new"))];
        given::<Torrent>(&past)
            .when(Command::Edit(edit("new")))
            .then(&[]);
        given::<Torrent>(&past)
            .when(Command::Edit(upload().editable()))
            .then(&[Event::TorrentEdited(upload().editable())]);
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
        given::<Torrent>(&[Event::TorrentUploaded(upload())])
            .when(Command::Edit(edit(&"é".repeat(50_001))))
            .rejected(&Rejection::DescriptionTooLong);
    }
}
