//! The site itself: whether strangers may register, and what every member is told.

use serde::{Deserialize, Serialize};

use crate::decider::Decider;

/// What happened to the site.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// Strangers may register.
    RegistrationOpened {},
    /// Strangers may not register.
    RegistrationClosed {},
    /// Every member is told something on the home page; nothing when the text is empty.
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
            Self::AnnouncementSet { .. } => "AnnouncementSet",
        }
    }
}

/// Whether strangers may register.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Registration {
    /// They may.
    Open,
    /// They may not; a site starts so.
    #[default]
    Closed,
}

/// The site's settings.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Site {
    /// Whether strangers may register.
    pub registration: Registration,
    /// What every member is told, in markdown.
    pub announcement: String,
}

/// What may be asked of the site.
#[derive(Debug, Clone)]
pub enum Command {
    /// Let strangers register, or let them no longer.
    SetRegistration(Registration),
    /// Tell every member something.
    Announce(String),
}

/// Why a site's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The announcement is too long.
    #[error("an announcement has at most 5,000 characters")]
    AnnouncementTooLong,
}

impl Decider for Site {
    const STREAM: &'static str = "site";
    const KEPT: bool = true;
    const SHAPE: Option<i32> = Some(1);
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
            Event::AnnouncementSet { text } => self.announcement.clone_from(text),
        }
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
    fn an_endless_announcement_is_refused() {
        given::<Site>(&[])
            .when(Command::Announce("x".repeat(5_001)))
            .rejected(&Rejection::AnnouncementTooLong);
    }
}
