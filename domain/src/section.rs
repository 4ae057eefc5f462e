//! A section of the forum, and those that a site starts with.
//!
//! What is written in it is [`crate::topic`]'s.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::decider::Decider;
use crate::id::{SPACE, SectionId};

/// What happened to a section.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It came into being.
    SectionCreated {
        /// What stands in addresses, unique on the site; it never changes.
        slug: String,
        /// What members read.
        board: Board,
        /// Its place among the others, smallest first.
        rank: i32,
    },
    /// Members read something else of it, or others may see it.
    SectionChanged(Board),
    /// It stands elsewhere among the others.
    SectionReordered {
        /// Its place, smallest first.
        rank: i32,
    },
    /// It takes no new topics; the old ones stay.
    SectionRetired {},
    /// It takes new topics again.
    SectionReopened {},
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::SectionCreated { .. } => "SectionCreated",
            Self::SectionChanged(_) => "SectionChanged",
            Self::SectionReordered { .. } => "SectionReordered",
            Self::SectionRetired {} => "SectionRetired",
            Self::SectionReopened {} => "SectionReopened",
        }
    }
}

/// What members read of a section, and who sees it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// What it is called.
    pub name: String,
    /// What it is for, in plain words.
    pub description: String,
    /// Whether it is for the forum's staff alone.
    pub staff_only: bool,
}

/// A section's situation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum Section {
    /// Nothing was made under this id.
    #[default]
    Unknown,
    /// It is there.
    Made {
        /// What members read.
        #[serde(flatten)]
        board: Board,
        /// Its place among the others.
        rank: i32,
        /// Whether it takes no new topics.
        retired: bool,
    },
}

/// What may be asked of a section's stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make it.
    Create {
        /// What stands in addresses.
        slug: String,
        /// What members read.
        board: Board,
        /// Its place among the others.
        rank: i32,
    },
    /// Change what members read, who sees it, and its place.
    Change {
        /// What members read.
        board: Board,
        /// Its place among the others.
        rank: i32,
    },
    /// Let it take no new topics.
    Retire,
    /// Let it take new topics again.
    Reopen,
}

/// Why a section's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The stream has a section already.
    #[error("this section exists already")]
    AlreadyCreated,
    /// The stream has no section.
    #[error("there is no such section")]
    Unknown,
    /// The slug has the wrong form, or an address of the forum's own.
    #[error("this name can't stand in an address, so choose another one")]
    Unaddressable,
    /// The name has the wrong length.
    #[error("a section needs a name of 1 to 100 characters")]
    Unnamed,
    /// The description is too long.
    #[error("a section's description has at most 500 characters")]
    DescriptionTooLong,
    /// It is retired.
    #[error("this section is retired already")]
    AlreadyRetired,
    /// It isn't retired.
    #[error("this section isn't retired")]
    NotRetired,
}

/// The most characters of a name.
pub const LONGEST_NAME: usize = 100;
/// The most characters of a description.
pub const LONGEST_DESCRIPTION: usize = 500;
/// The most letters of a slug.
const LONGEST_SLUG: usize = 40;
/// What stands in the forum's own addresses.
const RESERVED: [&str; 5] = ["topics", "posts", "search", "read", "new"];

impl Decider for Section {
    const STREAM: &'static str = "section";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match (self, command) {
            (Self::Unknown, Command::Create { slug, board, rank }) => {
                addressable(&slug)?;
                readable(&board)?;
                Ok(vec![Event::SectionCreated { slug, board, rank }])
            }
            (Self::Unknown, Command::Change { .. } | Command::Retire | Command::Reopen) => {
                Err(Rejection::Unknown)
            }
            (Self::Made { .. }, Command::Create { .. }) => Err(Rejection::AlreadyCreated),
            (
                Self::Made { board, rank, .. },
                Command::Change {
                    board: new,
                    rank: to,
                },
            ) => {
                readable(&new)?;
                let changed = (*board != new).then_some(Event::SectionChanged(new));
                let moved = (*rank != to).then_some(Event::SectionReordered { rank: to });
                Ok(changed.into_iter().chain(moved).collect())
            }
            (Self::Made { retired: true, .. }, Command::Retire) => Err(Rejection::AlreadyRetired),
            (Self::Made { .. }, Command::Retire) => Ok(vec![Event::SectionRetired {}]),
            (Self::Made { retired: false, .. }, Command::Reopen) => Err(Rejection::NotRetired),
            (Self::Made { .. }, Command::Reopen) => Ok(vec![Event::SectionReopened {}]),
        }
    }

    fn evolve(&mut self, event: &Event) {
        if let Event::SectionCreated { board, rank, .. } = event {
            *self = Self::Made {
                board: board.clone(),
                rank: *rank,
                retired: false,
            };
            return;
        }
        let Self::Made {
            board,
            rank,
            retired,
        } = self
        else {
            return;
        };
        match event {
            Event::SectionCreated { .. } => {}
            Event::SectionChanged(new) => board.clone_from(new),
            Event::SectionReordered { rank: to } => *rank = *to,
            Event::SectionRetired {} => *retired = true,
            Event::SectionReopened {} => *retired = false,
        }
    }
}

fn addressable(slug: &str) -> Result<(), Rejection> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    let fits = (1..=LONGEST_SLUG).contains(&slug.len()) && slug.bytes().all(allowed);
    if fits && !RESERVED.contains(&slug) {
        Ok(())
    } else {
        Err(Rejection::Unaddressable)
    }
}

fn readable(board: &Board) -> Result<(), Rejection> {
    if !(1..=LONGEST_NAME).contains(&board.name.trim().chars().count()) {
        return Err(Rejection::Unnamed);
    }
    if board.description.chars().count() > LONGEST_DESCRIPTION {
        return Err(Rejection::DescriptionTooLong);
    }
    Ok(())
}

/// Makes a slug of a name: its letters and digits of ASCII, hyphens between; empty where it has none.
pub fn slug(name: &str) -> String {
    let mut slug = String::new();
    for c in name.chars().map(|c| c.to_ascii_lowercase()) {
        if c.is_ascii_alphanumeric() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    let cut: String = slug.chars().take(LONGEST_SLUG).collect();
    cut.trim_end_matches('-').to_owned()
}

/// What a site starts with: (slug, name, description, for the staff alone).
const SEEDED: [(&str, &str, &str, bool); 4] = [
    ("general", "General", "Talk about anything.", false),
    (
        "requests",
        "Requests",
        "What you look for and can't find.",
        false,
    ),
    (
        "help",
        "Help",
        "Questions about the site, clients and seeding.",
        false,
    ),
    ("staff", "Staff", "For the forum's staff alone.", true),
];

/// A section that a site starts with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Its id, which follows from the slug.
    pub id: SectionId,
    /// What stands in addresses.
    pub slug: String,
    /// What members read.
    pub board: Board,
    /// Its place among the others.
    pub rank: i32,
}

/// Gives the sections that a site starts with; the ids follow from the slugs.
pub fn seeded() -> Vec<Seed> {
    let seed =
        |(rank, (slug, name, description, staff_only)): (i32, &(&str, &str, &str, bool))| Seed {
            id: SectionId(Uuid::new_v5(&SPACE, format!("section/{slug}").as_bytes())),
            slug: (*slug).to_owned(),
            board: Board {
                name: (*name).to_owned(),
                description: (*description).to_owned(),
                staff_only: *staff_only,
            },
            rank,
        };
    (1..).zip(&SEEDED).map(seed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    fn board(name: &str) -> Board {
        Board {
            name: name.into(),
            description: String::new(),
            staff_only: false,
        }
    }

    fn created() -> Event {
        Event::SectionCreated {
            slug: "one".into(),
            board: board("One"),
            rank: 1,
        }
    }

    fn create(slug: &str, board: Board) -> Command {
        let slug = slug.into();
        Command::Create {
            slug,
            board,
            rank: 1,
        }
    }

    #[test]
    fn the_seeded_sections_are_accepted_and_one_is_for_the_staff() {
        for seed in seeded() {
            given::<Section>(&[])
                .when(create(&seed.slug, seed.board.clone()))
                .then(&[Event::SectionCreated {
                    slug: seed.slug,
                    board: seed.board,
                    rank: 1,
                }]);
        }
        assert_eq!(
            seeded().iter().filter(|seed| seed.board.staff_only).count(),
            1
        );
    }

    #[test]
    fn a_section_is_made_once_with_a_name_and_an_address_of_its_own() {
        given::<Section>(&[created()])
            .when(create("one", board("One")))
            .rejected(&Rejection::AlreadyCreated);
        for name in ["", "   ", &"é".repeat(101)] {
            given::<Section>(&[])
                .when(create("one", board(name)))
                .rejected(&Rejection::Unnamed);
        }
        for slug in ["", "topics", "posts", "search", "No Slug", &"x".repeat(41)] {
            given::<Section>(&[])
                .when(create(slug, board("One")))
                .rejected(&Rejection::Unaddressable);
        }
        let long = Board {
            description: "é".repeat(501),
            ..board("One")
        };
        given::<Section>(&[])
            .when(create("one", long))
            .rejected(&Rejection::DescriptionTooLong);
    }

    #[test]
    fn a_change_says_what_changed_alone() {
        let change = |name, rank| Command::Change {
            board: board(name),
            rank,
        };
        let moved = Event::SectionReordered { rank: 2 };
        let changed = Event::SectionChanged(board("Two"));
        let made = || given::<Section>(&[created()]);
        made().when(change("One", 1)).then(&[]);
        made()
            .when(change("One", 2))
            .then(std::slice::from_ref(&moved));
        made()
            .when(change("Two", 1))
            .then(std::slice::from_ref(&changed));
        made().when(change("Two", 2)).then(&[changed, moved]);
        given::<Section>(&[])
            .when(change("One", 1))
            .rejected(&Rejection::Unknown);
    }

    #[test]
    fn a_section_is_retired_once_and_reopened() {
        let retired = [created(), Event::SectionRetired {}];
        given::<Section>(&[created()])
            .when(Command::Retire)
            .then(&[Event::SectionRetired {}]);
        given::<Section>(&retired)
            .when(Command::Retire)
            .rejected(&Rejection::AlreadyRetired);
        given::<Section>(&retired)
            .when(Command::Reopen)
            .then(&[Event::SectionReopened {}]);
        given::<Section>(&[created()])
            .when(Command::Reopen)
            .rejected(&Rejection::NotRetired);
    }

    #[test]
    fn a_slug_is_what_an_address_may_hold() {
        for (name, expected) in [
            ("Off topic & more!", "off-topic-more"),
            ("  Grüße  ", "gr-e"),
            ("音楽", ""),
        ] {
            assert_eq!(slug(name), expected);
        }
        assert_eq!(slug(&"a ".repeat(60)).len(), 39);
    }
}
