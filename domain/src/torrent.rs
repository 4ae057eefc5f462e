//! A torrent: uploaded, approved, edited, withdrawn.
//!
//! The story begins in `api::web::upload`, goes through `commands::torrent`, and goes on in
//! `projections::torrent`. What a .torrent file may hold is [`crate::metainfo`]'s; what the page said at
//! any time is [`version`]'s, and whether it waits for the staff is [`review`]'s.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::amount::Bytes;
use crate::decider::Decider;
use crate::id::{CategoryId, MemberId, TagId};
use crate::info_hash::{InfoHash, InfoHashV2};

pub mod review;
pub mod version;

pub use review::{Review, Verdict};

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
    /// It waited, and every member may have it.
    TorrentApproved {},
    /// It waited, and is never offered to others unless the staff looks at it anew.
    TorrentRejected {
        /// Why, in the words of who rejected it.
        reason: String,
    },
    /// It waits till its uploader has changed something.
    TorrentChangesAsked {
        /// What should change, in the words of who asks for it.
        reason: String,
    },
    /// It waits for the staff once more.
    TorrentSubmitted {},
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
            Self::TorrentApproved {} => "TorrentApproved",
            Self::TorrentRejected { .. } => "TorrentRejected",
            Self::TorrentChangesAsked { .. } => "TorrentChangesAsked",
            Self::TorrentSubmitted {} => "TorrentSubmitted",
        }
    }

    fn version(&self) -> i32 {
        match self {
            Self::TorrentUploaded(_) | Self::TorrentEdited(_) | Self::TorrentWithdrawn { .. } => 2,
            Self::TorrentRestored {}
            | Self::FreeleechSet { .. }
            | Self::FreeleechLifted {}
            | Self::TorrentApproved {}
            | Self::TorrentRejected { .. }
            | Self::TorrentChangesAsked { .. }
            | Self::TorrentSubmitted {} => 1,
        }
    }

    fn upcast(name: &str, version: i32, mut payload: Value) -> Option<Value> {
        let mut fields = payload.get_mut(name).and_then(Value::as_object_mut);
        match (name, version) {
            // Version 1 didn't say who withdrew; it is taken for the uploader.
            ("TorrentWithdrawn", 1) => {
                fields.as_mut()?.insert("by_staff".to_owned(), false.into());
            }
            // Version 1 was offered to everybody at once, and had no tags.
            ("TorrentUploaded", 1) => {
                fields
                    .as_mut()?
                    .insert("tags".to_owned(), Value::Array(vec![]));
                fields.as_mut()?.insert("pending".to_owned(), false.into());
            }
            ("TorrentEdited", 1) => {
                fields
                    .as_mut()?
                    .insert("tags".to_owned(), Value::Array(vec![]));
            }
            ("TorrentWithdrawn" | "TorrentUploaded" | "TorrentEdited", 2) => {}
            ("TorrentWithdrawn" | "TorrentUploaded" | "TorrentEdited", _) => return None,
            (_, version) => return (version == 1).then_some(payload),
        }
        Some(payload)
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
    /// What it is marked with, each once.
    pub tags: Vec<TagId>,
    /// Whether it waits for the staff before other members see it.
    pub pending: bool,
}

/// What may change of a torrent: what its page says besides its file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Edit {
    /// Where it stands in the category tree.
    pub category: CategoryId,
    /// The description in markdown, as written.
    pub description: String,
    /// What it is marked with, each once.
    pub tags: Vec<TagId>,
}

impl Upload {
    /// Tells what may change of it.
    pub fn editable(&self) -> Edit {
        Edit {
            category: self.category,
            description: self.description.clone(),
            tags: self.tags.clone(),
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
    /// Its uploader and the staff alone see it.
    Held {
        /// What was uploaded.
        #[serde(flatten)]
        upload: Box<Upload>,
        /// What the staff says of it.
        review: Review,
    },
    /// It is no longer offered.
    Withdrawn {
        /// What was offered.
        #[serde(flatten)]
        upload: Box<Upload>,
        /// Whether an administrator withdrew it.
        by_staff: bool,
        /// What the staff said of it, where it was held.
        review: Option<Review>,
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
    /// Offer it again, or look anew at one that was rejected.
    Restore {
        /// Whether an administrator asks, and not the uploader.
        by_staff: bool,
    },
    /// Charge downloads of it, or don't.
    SetFreeleech(Free),
    /// Say whether others may have it.
    Review(Verdict),
    /// Put it before the staff once more.
    Submit,
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
    /// It has too many tags.
    #[error("a torrent has at most 10 tags")]
    TooManyTags,
    /// A tag isn't there, or is retired.
    #[error("a tag that you chose is gone; choose others")]
    TagGone,
    /// Nothing more is put into the category.
    #[error("nothing more is put into this category; choose another")]
    CategoryRetired,
    /// It doesn't wait for the staff.
    #[error("this torrent doesn't wait for approval")]
    NotWaiting,
    /// The staff rejected it.
    #[error("this torrent was rejected")]
    Rejected,
    /// Nobody asked its uploader for changes.
    #[error("nobody asked for changes of this torrent")]
    NotAsked,
    /// It isn't said why.
    #[error("say why, in 1 to 1,000 characters")]
    ReasonMissing,
}

/// The most characters of a description.
pub const LONGEST_DESCRIPTION: usize = 50_000;

/// The most tags of a torrent.
pub const MOST_TAGS: usize = 10;

impl Decider for Torrent {
    const STREAM: &'static str = "torrent";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Upload(upload) => match self {
                Self::Unknown => {
                    fits(&upload.editable())?;
                    Ok(vec![Event::TorrentUploaded(*upload)])
                }
                Self::Offered(_) | Self::Held { .. } | Self::Withdrawn { .. } => {
                    Err(Rejection::AlreadyUploaded)
                }
            },
            Command::Edit(edit) => self.edit(edit),
            Command::Withdraw { reason, by_staff } => match self {
                Self::Unknown => Err(Rejection::Unknown),
                Self::Withdrawn { .. } => Err(Rejection::AlreadyWithdrawn),
                Self::Held {
                    review: Review::Rejected { .. },
                    ..
                } => Err(Rejection::Rejected),
                Self::Offered(_) | Self::Held { .. } => {
                    Ok(vec![Event::TorrentWithdrawn { reason, by_staff }])
                }
            },
            Command::Restore { by_staff } => self.restore(by_staff),
            Command::Review(verdict) => self.review(verdict),
            Command::Submit => match self {
                Self::Unknown => Err(Rejection::Unknown),
                Self::Held {
                    review: Review::ChangesAsked { .. },
                    ..
                } => Ok(vec![Event::TorrentSubmitted {}]),
                Self::Offered(_) | Self::Held { .. } | Self::Withdrawn { .. } => {
                    Err(Rejection::NotAsked)
                }
            },
            Command::SetFreeleech(free) => self.free(free),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::TorrentUploaded(upload) => {
                let upload = Box::new(upload.clone());
                *self = match upload.pending.then_some(Review::Waiting) {
                    Some(review) => Self::Held { upload, review },
                    None => Self::Offered(upload),
                };
            }
            Event::TorrentEdited(edit) => {
                if let Some(upload) = self.upload_mut() {
                    upload.category = edit.category;
                    upload.description.clone_from(&edit.description);
                    upload.tags.clone_from(&edit.tags);
                }
            }
            Event::TorrentWithdrawn { by_staff, .. } => {
                let by_staff = *by_staff;
                *self = match std::mem::take(self) {
                    Self::Offered(upload) => Self::Withdrawn {
                        upload,
                        by_staff,
                        review: None,
                    },
                    Self::Held { upload, review } => Self::Withdrawn {
                        upload,
                        by_staff,
                        review: Some(review),
                    },
                    other @ (Self::Unknown | Self::Withdrawn { .. }) => other,
                };
            }
            // Nothing is decided on it.
            Event::FreeleechSet { .. } | Event::FreeleechLifted {} => {}
            Event::TorrentRestored {} => {
                if let Self::Withdrawn { upload, review, .. } = std::mem::take(self) {
                    *self = match review {
                        Some(review) => Self::Held { upload, review },
                        None => Self::Offered(upload),
                    };
                }
            }
            Event::TorrentApproved {} => {
                if let Self::Held { upload, .. } = std::mem::take(self) {
                    *self = Self::Offered(upload);
                }
            }
            Event::TorrentRejected { reason } => self.held(Review::Rejected {
                reason: reason.clone(),
            }),
            Event::TorrentChangesAsked { reason } => self.held(Review::ChangesAsked {
                reason: reason.clone(),
            }),
            Event::TorrentSubmitted {} => self.held(Review::Waiting),
        }
    }
}

impl Torrent {
    /// Gives what was uploaded.
    pub fn upload(&self) -> Option<&Upload> {
        match self {
            Self::Unknown => None,
            Self::Offered(upload) | Self::Held { upload, .. } | Self::Withdrawn { upload, .. } => {
                Some(upload)
            }
        }
    }

    fn upload_mut(&mut self) -> Option<&mut Upload> {
        match self {
            Self::Unknown => None,
            Self::Offered(upload) | Self::Held { upload, .. } | Self::Withdrawn { upload, .. } => {
                Some(upload)
            }
        }
    }

    fn free(&self, free: Free) -> Result<Vec<Event>, Rejection> {
        match (self, free) {
            (Self::Unknown, _) => Err(Rejection::Unknown),
            (_, Free::Charged) => Ok(vec![Event::FreeleechLifted {}]),
            (_, Free::Until { end, now }) if end.is_some_and(|end| end <= now) => {
                Err(Rejection::EndsBehind)
            }
            (_, Free::Until { end, .. }) => Ok(vec![Event::FreeleechSet { until: end }]),
        }
    }

    fn held(&mut self, now: Review) {
        if let Self::Held { review, .. } = self {
            *review = now;
        }
    }

    /// What was asked for is done with an edit, so the torrent waits for the staff again.
    fn edit(&self, edit: Edit) -> Result<Vec<Event>, Rejection> {
        let upload = self.upload().ok_or(Rejection::Unknown)?;
        fits(&edit)?;
        if edit == upload.editable() {
            return Ok(vec![]);
        }
        let was_asked = matches!(
            self,
            Self::Held {
                review: Review::ChangesAsked { .. },
                ..
            }
        );
        let submitted = was_asked.then_some(Event::TorrentSubmitted {});
        let edited = std::iter::once(Event::TorrentEdited(edit));
        Ok(edited.chain(submitted).collect())
    }
}

fn fits(edit: &Edit) -> Result<(), Rejection> {
    if edit.description.chars().count() > LONGEST_DESCRIPTION {
        return Err(Rejection::DescriptionTooLong);
    }
    if edit.tags.len() > MOST_TAGS {
        return Err(Rejection::TooManyTags);
    }
    Ok(())
}

#[cfg(test)]
mod tests;
