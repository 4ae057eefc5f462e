//! The sum of all events, read from their stored names, versions and payloads.

use serde_json::Value;

use crate::decider::{Decider, Event};
use crate::{
    api_key, audit, bookmark, category, comment, feed_key, reading, report, role, section, site,
    tag, topic, torrent, traffic, transfer, user, vault,
};

/// Makes the sum of all events of one line for each stream: its variant, what that holds, its decider.
macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident($event:ty) of $decider:ty;)*) => {
        /// Something that happened, in any stream.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Fact {
            $($(#[$doc])* $name($event),)*
            /// In a stream of a member who was erased: what it says is gone for ever.
            Erased(Erased),
        }

        /// Every stream type, in the catalogue's order.
        pub const STREAMS: &[&str] = &[$(<$decider>::STREAM),*];

        impl Fact {
            /// Reads a stored event; `payload` is what its aggregate serialised.
            pub fn read(
                stream: &str,
                name: &str,
                version: i32,
                payload: Value,
            ) -> Result<Self, Unreadable> {
                match stream {
                    $(<$decider>::STREAM => {
                        event::<<$decider as Decider>::Event>(name, version, payload)
                            .map(|event| Self::$name(event.into()))
                    })*
                    other => Err(Unreadable::Stream(other.to_owned())),
                }
            }

            /// Tells the name under which the event is stored.
            pub fn name(&self) -> &str {
                match self {
                    $(Self::$name(event) => event.name(),)*
                    Self::Erased(erased) => &erased.name,
                }
            }

            /// Tells the version of the event's shape, after upcasting.
            pub fn version(&self) -> i32 {
                match self {
                    $(Self::$name(event) => event.version(),)*
                    Self::Erased(erased) => erased.version,
                }
            }

            /// Gives the payload as it is stored.
            pub fn payload(&self) -> Result<Value, serde_json::Error> {
                match self {
                    $(Self::$name(event) => serde_json::to_value(event),)*
                    Self::Erased(_) => Ok(Value::from(crate::history::ERASED)),
                }
            }
        }

        /// Folds a stream's facts into its state; nothing where it has none but its events.
        pub(crate) fn state<'a>(
            stream: &str,
            facts: impl Iterator<Item = &'a Fact>,
        ) -> Option<Result<Value, serde_json::Error>> {
            match stream {
                $(<$decider>::STREAM if <$decider>::REMEMBERS => {
                    let mut state = <$decider>::default();
                    for fact in facts {
                        if let Fact::$name(event) = fact {
                            state.evolve(event);
                        }
                    }
                    Some(serde_json::to_value(&state))
                })*
                _ => None,
            }
        }
    };
}

facts! {
    /// In a member's stream.
    User(user::Event) of user::User;
    /// In a member's stream of API keys.
    ApiKey(api_key::Event) of api_key::ApiKeys;
    /// In a torrent's stream.
    Torrent(Box<torrent::Event>) of torrent::Torrent;
    /// In a category's stream.
    Category(category::Event) of category::Category;
    /// In a stream of a section of the forum.
    Section(section::Event) of section::Section;
    /// In a topic's stream.
    Topic(topic::Event) of topic::Topic;
    /// In a stream of what a member has read.
    Reading(reading::Event) of reading::Reading;
    /// In a tag's stream.
    Tag(tag::Event) of tag::Tag;
    /// In a stream of a role of the site's own.
    Role(role::Event) of role::OwnRole;
    /// In a comment's stream.
    Comment(comment::Event) of comment::Comment;
    /// In a report's stream.
    Report(report::Event) of report::Report;
    /// In the stream of a member's bookmarks.
    Bookmark(bookmark::Event) of bookmark::Bookmarks;
    /// In the stream of a member's feed key.
    FeedKey(feed_key::Event) of feed_key::Feeds;
    /// In the site's stream.
    Site(site::Event) of site::Site;
    /// In a tracker node's stream of a day.
    Traffic(traffic::Event) of traffic::Traffic;
    /// Between a member and a torrent.
    Transfer(transfer::Event) of transfer::Transfer;
    /// In a stream of the audit.
    Audit(audit::Event) of audit::Audit;
    /// In the vault's stream.
    Vault(vault::Event) of vault::Vault;
}

/// What stands in the clear beside an event whose member was erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erased {
    /// The stored name.
    pub name: String,
    /// The stored version.
    pub version: i32,
}

impl Fact {
    /// Tells whether what it says went with its member.
    pub fn is_erased(&self) -> bool {
        matches!(self, Self::Erased(_))
    }
}

/// Why a stored event can't be read.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// No aggregate writes such streams.
    #[error("unknown stream type {0}")]
    Stream(String),
    /// A newer program wrote it.
    #[error("{name} version {version} isn't known to this program")]
    Version {
        /// The stored name.
        name: String,
        /// The stored version.
        version: i32,
    },
    /// The payload doesn't have the shape of its name and version.
    #[error("{name} version {version} doesn't have its shape")]
    Shape {
        /// The stored name.
        name: String,
        /// The stored version.
        version: i32,
        /// What was wrong.
        source: serde_json::Error,
    },
}

fn event<E: Event>(name: &str, version: i32, payload: Value) -> Result<E, Unreadable> {
    let payload = E::upcast(name, version, payload).ok_or_else(|| Unreadable::Version {
        name: name.to_owned(),
        version,
    })?;
    serde_json::from_value(payload).map_err(|source| Unreadable::Shape {
        name: name.to_owned(),
        version,
        source,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_older_version_is_lifted_and_a_newer_one_is_named() {
        let old = json!({ "TorrentWithdrawn": { "reason": null } });
        let read = |version| Fact::read("torrent", "TorrentWithdrawn", version, old.clone());
        let lifted = read(1).unwrap();
        assert_eq!(lifted.version(), 2);
        let today = json!({ "TorrentWithdrawn": { "reason": null, "by_staff": false } });
        assert_eq!(lifted.payload().unwrap(), today);
        for version in [0, 3] {
            let told = read(version).unwrap_err().to_string();
            assert_eq!(
                told,
                format!("TorrentWithdrawn version {version} isn't known to this program")
            );
        }
    }
}
