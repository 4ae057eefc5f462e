//! A member's feed key: what feed readers and tools show in place of a session. It isn't the passkey:
//! with it nobody announces.

use serde::{Deserialize, Serialize};

use crate::decider::Decider;

/// The secret of a member's feeds: thirty-two lower-case hex digits; never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct FeedKey(String);

/// The text isn't a feed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a feed key is 32 hexadecimal digits")]
pub struct NotAFeedKey;

impl FeedKey {
    /// Makes the key of sixteen random bytes.
    pub fn new(random: [u8; 16]) -> Self {
        Self(hex::encode(random))
    }

    /// Reads the text of an address.
    pub fn parse(text: &str) -> Result<Self, NotAFeedKey> {
        if text.len() == 32 && text.bytes().all(|b| b.is_ascii_hexdigit()) {
            Ok(Self(text.to_ascii_lowercase()))
        } else {
            Err(NotAFeedKey)
        }
    }

    /// Gives the text away, for the member's own addresses.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for FeedKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FeedKey(…)")
    }
}

impl TryFrom<String> for FeedKey {
    type Error = NotAFeedKey;
    fn try_from(text: String) -> Result<Self, NotAFeedKey> {
        Self::parse(&text)
    }
}

impl From<FeedKey> for String {
    fn from(key: FeedKey) -> Self {
        key.0
    }
}

/// What happened to a member's feed key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// This one holds, and none before it.
    FeedKeyMade {
        /// The key.
        feed_key: FeedKey,
    },
    /// None holds.
    FeedKeyRevoked {},
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::FeedKeyMade { .. } => "FeedKeyMade",
            Self::FeedKeyRevoked {} => "FeedKeyRevoked",
        }
    }
}

/// The feed key that holds, if one does; the stream's id is the member's.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Feeds {
    /// The key.
    pub feed_key: Option<FeedKey>,
}

/// What may be asked of a member's feed key.
#[derive(Debug, Clone)]
pub enum Command {
    /// Let this one hold.
    Make(FeedKey),
    /// Let none hold.
    Revoke,
}

/// Why it is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// None holds.
    #[error("you have no feed key")]
    None,
}

impl Decider for Feeds {
    const STREAM: &'static str = "feed_key";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::Make(feed_key) => Ok(vec![Event::FeedKeyMade { feed_key }]),
            Command::Revoke if self.feed_key.is_none() => Err(Rejection::None),
            Command::Revoke => Ok(vec![Event::FeedKeyRevoked {}]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        self.feed_key = match event {
            Event::FeedKeyMade { feed_key } => Some(feed_key.clone()),
            Event::FeedKeyRevoked {} => None,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    #[test]
    fn a_key_takes_the_place_of_the_one_before_and_is_revoked_once() {
        let key = FeedKey::new([0xAB; 16]);
        let made = Event::FeedKeyMade {
            feed_key: key.clone(),
        };
        given::<Feeds>(std::slice::from_ref(&made))
            .when(Command::Make(key))
            .then(std::slice::from_ref(&made));
        given::<Feeds>(std::slice::from_ref(&made))
            .when(Command::Revoke)
            .then(&[Event::FeedKeyRevoked {}]);
        given::<Feeds>(&[made, Event::FeedKeyRevoked {}])
            .when(Command::Revoke)
            .rejected(&Rejection::None);
    }

    #[test]
    fn a_key_is_read_in_any_case_and_never_shown() {
        let key = FeedKey::new([0xAB; 16]);
        assert_eq!(FeedKey::parse(&"AB".repeat(16)), Ok(key.clone()));
        assert_eq!(format!("{key:?}"), "FeedKey(…)");
        for foreign in ["", "ab", &"xy".repeat(16), &"ab".repeat(17)] {
            assert_eq!(FeedKey::parse(foreign), Err(NotAFeedKey), "{foreign}");
        }
    }
}
