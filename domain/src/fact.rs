//! The sum of all events, read from their stored names, versions and payloads.

use serde_json::Value;

use crate::decider::{Decider, Event};
use crate::{audit, category, site, torrent, traffic, user, vault};

/// Something that happened, in any stream.
#[derive(Debug, Clone, PartialEq)]
pub enum Fact {
    /// In a member's stream.
    User(user::Event),
    /// In a torrent's stream.
    Torrent(Box<torrent::Event>),
    /// In a category's stream.
    Category(category::Event),
    /// In the site's stream.
    Site(site::Event),
    /// In a tracker node's stream of a day.
    Traffic(traffic::Event),
    /// In a stream of the audit.
    Audit(audit::Event),
    /// In the vault's stream.
    Vault(vault::Event),
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

impl Fact {
    /// Reads a stored event; `payload` is what its aggregate serialised.
    pub fn read(
        stream: &str,
        name: &str,
        version: i32,
        payload: Value,
    ) -> Result<Self, Unreadable> {
        match stream {
            user::User::STREAM => event(name, version, payload).map(Self::User),
            torrent::Torrent::STREAM => event(name, version, payload)
                .map(Box::new)
                .map(Self::Torrent),
            category::Category::STREAM => event(name, version, payload).map(Self::Category),
            site::Site::STREAM => event(name, version, payload).map(Self::Site),
            traffic::Traffic::STREAM => event(name, version, payload).map(Self::Traffic),
            audit::Audit::STREAM => event(name, version, payload).map(Self::Audit),
            vault::Vault::STREAM => event(name, version, payload).map(Self::Vault),
            other => Err(Unreadable::Stream(other.to_owned())),
        }
    }

    /// Tells the name under which the event is stored.
    pub fn name(&self) -> &'static str {
        match self {
            Self::User(event) => event.name(),
            Self::Torrent(event) => event.name(),
            Self::Category(event) => event.name(),
            Self::Site(event) => event.name(),
            Self::Traffic(event) => event.name(),
            Self::Audit(event) => event.name(),
            Self::Vault(event) => event.name(),
        }
    }

    /// Tells the version of the event's shape, after upcasting.
    pub fn version(&self) -> i32 {
        match self {
            Self::User(event) => event.version(),
            Self::Torrent(event) => event.version(),
            Self::Category(event) => event.version(),
            Self::Site(event) => event.version(),
            Self::Traffic(event) => event.version(),
            Self::Audit(event) => event.version(),
            Self::Vault(event) => event.version(),
        }
    }

    /// Gives the payload as it is stored.
    pub fn payload(&self) -> Result<Value, serde_json::Error> {
        match self {
            Self::User(event) => serde_json::to_value(event),
            Self::Torrent(event) => serde_json::to_value(event),
            Self::Category(event) => serde_json::to_value(event),
            Self::Site(event) => serde_json::to_value(event),
            Self::Traffic(event) => serde_json::to_value(event),
            Self::Audit(event) => serde_json::to_value(event),
            Self::Vault(event) => serde_json::to_value(event),
        }
    }
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
