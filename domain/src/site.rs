//! The site itself: who may join, its settings, freeleech, and what every member is told.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::decider::Decider;
use crate::setting::{self, Key, NotRead, Settings, Value};

/// What happened to the site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Strangers may register.
    RegistrationOpened {},
    /// Strangers may not register.
    RegistrationClosed {},
    /// Strangers may register with an invite.
    RegistrationLimited {},
    /// Settings have other values; nothing stands for the default.
    SettingsChanged {
        /// Each that changed, with its new value.
        changes: Changes,
    },
    /// No download is charged.
    FreeleechBegun {
        /// The end, in seconds since 1970, where one is set.
        until: Option<i64>,
    },
    /// Downloads are charged again.
    FreeleechEnded {},
    /// A picture stands in the place of the mark.
    LogoSet {
        /// PNG, in base64.
        png: String,
    },
    /// The mark stands there again.
    LogoRemoved {},
    /// Every member is told something above each page; nothing when the text is empty.
    AnnouncementSet {
        /// The announcement in markdown, as written.
        text: String,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::RegistrationOpened {} => "RegistrationOpened",
            Self::RegistrationClosed {} => "RegistrationClosed",
            Self::RegistrationLimited {} => "RegistrationLimited",
            Self::SettingsChanged { .. } => "SettingsChanged",
            Self::FreeleechBegun { .. } => "FreeleechBegun",
            Self::FreeleechEnded {} => "FreeleechEnded",
            Self::LogoSet { .. } => "LogoSet",
            Self::LogoRemoved {} => "LogoRemoved",
            Self::AnnouncementSet { .. } => "AnnouncementSet",
        }
    }
}

/// Bytes of a logo at most.
pub const LARGEST_LOGO: usize = 128 << 10;

/// How every PNG begins.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// Settings with their new values; nothing stands for the default.
pub type Changes = BTreeMap<Key, Option<Value>>;

/// Whether strangers may register.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registration {
    /// They may.
    Open,
    /// They may with an invite.
    ByInvite,
    /// They may not; a site starts so.
    #[default]
    Closed,
}

impl Registration {
    /// Every one, the most open first.
    pub const ALL: [Self; 3] = [Self::Open, Self::ByInvite, Self::Closed];

    /// Gives its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::ByInvite => "invite",
            Self::Closed => "closed",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// A time in which downloads aren't charged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Freeleech {
    /// The end, in seconds since 1970, where one is set.
    pub until: Option<i64>,
}

impl Freeleech {
    /// Tells whether it holds at a moment, in seconds since 1970.
    pub fn holds(self, now: i64) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// The site's settings.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Site {
    /// Whether strangers may register.
    pub registration: Registration,
    /// What every member is told, in markdown.
    pub announcement: String,
    /// What was set.
    pub settings: Settings,
    /// While downloads aren't charged anywhere.
    pub freeleech: Option<Freeleech>,
    /// The logo's SHA-256 in hex, where there is one.
    pub logo: Option<String>,
}

/// What may be asked of the site.
#[derive(Debug, Clone)]
pub enum Command {
    /// Let strangers register, or let them no longer.
    SetRegistration(Registration),
    /// Change settings.
    Change(Changes),
    /// Charge no download, till an end that lies ahead of now; both in seconds since 1970.
    BeginFreeleech {
        /// The end, where one is set.
        until: Option<i64>,
        /// When it is asked.
        now: i64,
    },
    /// Charge downloads again.
    EndFreeleech,
    /// Show a picture, a PNG, in the place of the mark.
    SetLogo(Vec<u8>),
    /// Show the mark again.
    RemoveLogo,
    /// Tell every member something.
    Announce(String),
}

/// Why a site's command is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// A setting can't have that value.
    #[error("{}: {reason}", key.label())]
    Setting {
        /// Which one.
        key: Key,
        /// Why.
        reason: NotRead,
    },
    /// The end lies behind.
    #[error("freeleech ends at a moment that lies ahead")]
    EndsBehind,
    /// The logo has too many bytes, or isn't a PNG.
    #[error("a logo is a PNG of at most 128 KiB")]
    NotALogo,
    /// The announcement is too long.
    #[error("an announcement has at most 5,000 characters")]
    AnnouncementTooLong,
}

impl Decider for Site {
    const STREAM: &'static str = "site";
    const KEPT: bool = true;
    const SHAPE: Option<i32> = Some(3);
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match command {
            Command::SetRegistration(wanted) if wanted == self.registration => Ok(vec![]),
            Command::SetRegistration(Registration::Open) => Ok(vec![Event::RegistrationOpened {}]),
            Command::SetRegistration(Registration::Closed) => {
                Ok(vec![Event::RegistrationClosed {}])
            }
            Command::SetRegistration(Registration::ByInvite) => {
                Ok(vec![Event::RegistrationLimited {}])
            }
            Command::Change(changes) => self.change(changes),
            Command::BeginFreeleech { until, now } => {
                let wanted = Freeleech { until };
                if !wanted.holds(now) {
                    return Err(Rejection::EndsBehind);
                }
                let begun =
                    (self.freeleech != Some(wanted)).then_some(Event::FreeleechBegun { until });
                Ok(begun.into_iter().collect())
            }
            Command::EndFreeleech => {
                let ended = self.freeleech.map(|_| Event::FreeleechEnded {});
                Ok(ended.into_iter().collect())
            }
            Command::SetLogo(png) if png.len() > LARGEST_LOGO || !png.starts_with(PNG) => {
                Err(Rejection::NotALogo)
            }
            Command::SetLogo(png) => {
                let png = STANDARD.encode(png);
                let is_new = self.logo.as_ref() != Some(&digest(&png));
                Ok(is_new
                    .then_some(Event::LogoSet { png })
                    .into_iter()
                    .collect())
            }
            Command::RemoveLogo => {
                let removed = self.logo.as_ref().map(|_| Event::LogoRemoved {});
                Ok(removed.into_iter().collect())
            }
            Command::Announce(text) if text.chars().count() > 5_000 => {
                Err(Rejection::AnnouncementTooLong)
            }
            Command::Announce(text) if text == self.announcement => Ok(vec![]),
            Command::Announce(text) => Ok(vec![Event::AnnouncementSet { text }]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::RegistrationOpened {} => self.registration = Registration::Open,
            Event::RegistrationClosed {} => self.registration = Registration::Closed,
            Event::RegistrationLimited {} => self.registration = Registration::ByInvite,
            Event::SettingsChanged { changes } => {
                for (key, value) in changes {
                    self.settings.set(*key, value.clone());
                }
            }
            Event::FreeleechBegun { until } => self.freeleech = Some(Freeleech { until: *until }),
            Event::FreeleechEnded {} => self.freeleech = None,
            Event::LogoSet { png } => self.logo = Some(digest(png)),
            Event::LogoRemoved {} => self.logo = None,
            Event::AnnouncementSet { text } => self.announcement.clone_from(text),
        }
    }
}

fn digest(png: &str) -> String {
    hex::encode(Sha256::digest(png))
}

impl Site {
    fn change(&self, mut changes: Changes) -> Result<Vec<Event>, Rejection> {
        for (key, value) in &changes {
            if let Some(value) = value {
                setting::check(*key, value)
                    .map_err(|reason| Rejection::Setting { key: *key, reason })?;
            }
        }
        changes.retain(|key, value| self.settings.get(*key) != value.as_ref());
        let changed = (!changes.is_empty()).then_some(Event::SettingsChanged { changes });
        Ok(changed.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    #[test]
    fn a_site_starts_closed_and_the_same_setting_again_changes_nothing() {
        let set = Command::SetRegistration;
        given::<Site>(&[]).when(set(Registration::Closed)).then(&[]);
        given::<Site>(&[])
            .when(set(Registration::Open))
            .then(&[Event::RegistrationOpened {}]);
        given::<Site>(&[Event::RegistrationOpened {}])
            .when(set(Registration::Closed))
            .then(&[Event::RegistrationClosed {}]);
    }

    #[test]
    fn only_what_changes_is_written_and_only_within_its_limits() {
        let change = |key, value| Command::Change(Changes::from([(key, value)]));
        let two = Some(Value::Count(2));
        let changed = Event::SettingsChanged {
            changes: Changes::from([(Key::DefaultInvites, two.clone())]),
        };
        given::<Site>(&[])
            .when(change(Key::DefaultInvites, None))
            .then(&[]);
        given::<Site>(&[])
            .when(change(Key::DefaultInvites, two.clone()))
            .then(std::slice::from_ref(&changed));
        given::<Site>(&[changed])
            .when(change(Key::DefaultInvites, two))
            .then(&[]);
        let decided =
            Site::default().decide(change(Key::DefaultInvites, Some(Value::Count(1_001))));
        assert_eq!(
            decided.unwrap_err().to_string(),
            "Invites of a new member: this lies between 0 and 1000"
        );
        let wrong_kind = Site::default().decide(change(Key::SiteName, Some(Value::Count(1))));
        assert!(wrong_kind.is_err());
    }

    #[test]
    fn freeleech_ends_ahead_or_never() {
        let begin = |until| Command::BeginFreeleech { until, now: 100 };
        let begun = |until| Event::FreeleechBegun { until };
        given::<Site>(&[])
            .when(begin(Some(100)))
            .rejected(&Rejection::EndsBehind);
        given::<Site>(&[])
            .when(begin(Some(101)))
            .then(&[begun(Some(101))]);
        given::<Site>(&[begun(None)]).when(begin(None)).then(&[]);
        given::<Site>(&[begun(None)])
            .when(Command::EndFreeleech)
            .then(&[Event::FreeleechEnded {}]);
        given::<Site>(&[]).when(Command::EndFreeleech).then(&[]);
        assert!(Freeleech { until: None }.holds(0));
    }

    #[test]
    fn a_logo_is_a_small_png_and_is_set_once() {
        let png = [PNG, b"rest"].concat();
        let set = Event::LogoSet {
            png: STANDARD.encode(&png),
        };
        let (ask, removed) = (Command::SetLogo(png), Event::LogoRemoved {});
        given::<Site>(&[])
            .when(ask.clone())
            .then(std::slice::from_ref(&set));
        given::<Site>(std::slice::from_ref(&set))
            .when(ask.clone())
            .then(&[]);
        given::<Site>(&[set.clone(), removed.clone()])
            .when(ask)
            .then(std::slice::from_ref(&set));
        given::<Site>(&[set])
            .when(Command::RemoveLogo)
            .then(&[removed]);
        given::<Site>(&[]).when(Command::RemoveLogo).then(&[]);
        let large = [PNG, &vec![0; LARGEST_LOGO]].concat();
        for wrong in [large, b"GIF89a".to_vec(), vec![]] {
            given::<Site>(&[])
                .when(Command::SetLogo(wrong))
                .rejected(&Rejection::NotALogo);
        }
    }

    #[test]
    fn an_endless_announcement_is_refused() {
        given::<Site>(&[])
            .when(Command::Announce("x".repeat(5_001)))
            .rejected(&Rejection::AnnouncementTooLong);
    }
}
