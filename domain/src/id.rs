//! One newtype per identity; every one is a random UUID that says nothing of what it names.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! identity {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(pub Uuid);

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                self.0.fmt(f)
            }
        }

        impl From<Uuid> for $name {
            fn from(id: Uuid) -> Self {
                Self(id)
            }
        }

        impl std::str::FromStr for $name {
            type Err = uuid::Error;
            fn from_str(text: &str) -> Result<Self, Self::Err> {
                Uuid::parse_str(text).map(Self)
            }
        }
    };
}

identity!(
    /// A member; the id of their `user` stream.
    MemberId
);
identity!(
    /// A torrent; the id of its `torrent` stream.
    TorrentId
);
identity!(
    /// A category; the id of its `category` stream.
    CategoryId
);
identity!(
    /// A section of the forum; the id of its `section` stream.
    SectionId
);
identity!(
    /// A topic of the forum; the id of its `topic` stream.
    TopicId
);
identity!(
    /// A post in a topic; the first one has the topic's own id.
    PostId
);
identity!(
    /// An invite.
    InviteId
);
identity!(
    /// An API key, in its member's `api_key` stream.
    ApiKeyId
);
identity!(
    /// A comment; the id of its `comment` stream.
    CommentId
);
identity!(
    /// A report; the id of its `report` stream.
    ReportId
);
identity!(
    /// A tag; the id of its `tag` stream.
    TagId
);
identity!(
    /// A role of the site's own; the id of its `role` stream.
    RoleId
);
identity!(
    /// One asked-for change; the same id gets the same answer.
    CommandId
);

/// The site's one stream.
pub const SITE: Uuid = Uuid::from_u128(0x5173_0000_0000_4000_8000_0000_0000_0001);

/// The space in which derived ids (seeded categories, traffic streams) are made.
pub const SPACE: Uuid = Uuid::from_u128(0x07ac_2e20_1f6b_4f0e_9b5d_6f70_656e_7472);
