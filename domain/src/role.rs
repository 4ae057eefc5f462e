//! A role of the site's own: its name, its colour, and what it lets its members do.
//!
//! Who has it stands in the members' own streams ([`crate::user`]). The built-in roles are
//! [`crate::user::Role`].

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization as _;
use unicode_security::MixedScript as _;

use crate::decider::Decider;
use crate::permission::{Permission, Permissions};
use crate::tag::Colour;
use crate::user;

/// What happened to a role.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It came into being.
    RoleCreated(Mandate),
    /// It has another name or colour, or lets its members do something else.
    RoleChanged(Mandate),
    /// Nobody has it any more, and what it let them do is over.
    RoleRetired {},
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::RoleCreated(_) => "RoleCreated",
            Self::RoleChanged(_) => "RoleChanged",
            Self::RoleRetired {} => "RoleRetired",
        }
    }
}

/// What a role is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mandate {
    /// What members read.
    pub name: String,
    /// How it is told apart.
    pub colour: Colour,
    /// What it lets its members do besides.
    pub permissions: Permissions,
}

impl Mandate {
    /// Gives the name as it is compared: one name, whatever its case, is one role.
    pub fn folded(&self) -> String {
        tidy(&self.name).to_lowercase()
    }

    /// Gives the form in which names are compared by their looks.
    pub fn looks(&self) -> String {
        user::looks(&tidy(&self.name))
    }
}

/// The most characters of a name.
pub const LONGEST_NAME: usize = 30;

/// A role's situation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum OwnRole {
    /// Nothing was made under this id.
    #[default]
    Unknown,
    /// It may be given.
    Open(Mandate),
    /// It lets nobody do anything.
    Retired,
}

impl OwnRole {
    /// Tells what it lets its members do.
    pub fn permissions(&self) -> Permissions {
        match self {
            Self::Open(mandate) => mandate.permissions,
            Self::Unknown | Self::Retired => Permissions::default(),
        }
    }
}

/// What may be asked of a role's stream; `may` is what who asks may do themselves.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make it.
    Create {
        /// What it will be.
        mandate: Mandate,
        /// What who asks may do.
        may: Permissions,
    },
    /// Give it another name or colour, or let it do something else.
    Change {
        /// What it will be.
        mandate: Mandate,
        /// What who asks may do.
        may: Permissions,
        /// The name that it has, which may be given up.
        held: String,
    },
    /// Take it from everybody.
    Retire {
        /// What who asks may do.
        may: Permissions,
        /// The name that it has, which is given up.
        held: String,
    },
}

/// Why a role's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The stream has a role already.
    #[error("this role exists already")]
    AlreadyCreated,
    /// The stream has no role.
    #[error("there is no such role")]
    Unknown,
    /// The name has the wrong length or form.
    #[error("a role has a name of 2 to 30 letters, digits, spaces or hyphens")]
    Unnamed,
    /// The name is mixed of several scripts.
    #[error("a name keeps to one script; letters of several look like what they aren't")]
    NameMixed,
    /// The name is, or looks like, that of a built-in role or of the site itself.
    #[error("this name is the site's own; choose another one")]
    NameReserved,
    /// It would make administrators.
    #[error("what is the administrators' alone is in no other role")]
    Administers,
    /// It lets its members do what who asks may not.
    #[error("nobody gives or takes away what they may not do themselves")]
    Beyond,
    /// It is retired.
    #[error("this role is retired")]
    Retired,
    /// It isn't called any more what is given up.
    #[error("this role was renamed meanwhile; try again")]
    Renamed,
}

impl Decider for OwnRole {
    const STREAM: &'static str = "role";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match (self, command) {
            (Self::Unknown, Command::Create { mandate, may }) => {
                Ok(vec![Event::RoleCreated(given(&mandate, may)?)])
            }
            (Self::Unknown, Command::Change { .. } | Command::Retire { .. }) => {
                Err(Rejection::Unknown)
            }
            (Self::Open(_) | Self::Retired, Command::Create { .. }) => {
                Err(Rejection::AlreadyCreated)
            }
            (Self::Open(before), Command::Change { mandate, may, held }) => {
                reached(before, may, &held)?;
                let mandate = given(&mandate, may)?;
                let changed = (mandate != *before).then_some(Event::RoleChanged(mandate));
                Ok(changed.into_iter().collect())
            }
            (Self::Open(before), Command::Retire { may, held }) => {
                reached(before, may, &held)?;
                Ok(vec![Event::RoleRetired {}])
            }
            (Self::Retired, Command::Change { .. } | Command::Retire { .. }) => {
                Err(Rejection::Retired)
            }
        }
    }

    fn evolve(&mut self, event: &Event) {
        *self = match event {
            Event::RoleCreated(mandate) | Event::RoleChanged(mandate) => {
                Self::Open(mandate.clone())
            }
            Event::RoleRetired {} => Self::Retired,
        };
    }
}

/// Refuses to touch what reaches further than who asks, and to give up another name than is held.
fn reached(before: &Mandate, may: Permissions, held: &str) -> Result<(), Rejection> {
    if !before.permissions.are_within(may) {
        return Err(Rejection::Beyond);
    }
    if before.name != held {
        return Err(Rejection::Renamed);
    }
    Ok(())
}

fn given(mandate: &Mandate, may: Permissions) -> Result<Mandate, Rejection> {
    if mandate.permissions.has(Permission::Administer) {
        return Err(Rejection::Administers);
    }
    if !mandate.permissions.are_within(may) {
        return Err(Rejection::Beyond);
    }
    let name = tidy(&mandate.name);
    let allowed = |c: char| c.is_alphanumeric() || c == ' ' || c == '-';
    if !(2..=LONGEST_NAME).contains(&name.chars().count()) || !name.chars().all(allowed) {
        return Err(Rejection::Unnamed);
    }
    if !name.as_str().is_single_script() {
        return Err(Rejection::NameMixed);
    }
    if user::is_of_the_site(&name) {
        return Err(Rejection::NameReserved);
    }
    Ok(Mandate {
        name,
        ..mandate.clone()
    })
}

/// Brings a name to form NFKC, with one space between its words.
fn tidy(name: &str) -> String {
    let name: String = name.chars().take(4 * LONGEST_NAME).nfkc().collect();
    name.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
