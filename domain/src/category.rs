//! A category of the tree in which torrents stand, and the tree that a site starts with.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::decider::Decider;
use crate::id::{CategoryId, SPACE};

/// What happened to a category.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It came into being.
    CategoryCreated(Shelf),
    /// It has another name or stands elsewhere.
    CategoryChanged(Shelf),
    /// Nothing more is put into it; what stands in it stays.
    CategoryRetired {},
    /// Torrents may be put into it again.
    CategoryReopened {},
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::CategoryCreated(_) => "CategoryCreated",
            Self::CategoryChanged(_) => "CategoryChanged",
            Self::CategoryRetired {} => "CategoryRetired",
            Self::CategoryReopened {} => "CategoryReopened",
        }
    }
}

/// A category as it stands in the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shelf {
    /// What stands in addresses, unique on the site.
    pub slug: String,
    /// What members read.
    pub name: String,
    /// The category above it.
    pub parent: Option<CategoryId>,
    /// Its place among its neighbours, smallest first.
    pub rank: i32,
}

/// A category's situation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum Category {
    /// Nothing was made under this id.
    #[default]
    Unknown,
    /// Torrents may be put into it.
    Open(Shelf),
    /// Nothing more is put into it.
    Retired(Shelf),
}

/// What may be asked of a category's stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make it.
    Create(Shelf),
    /// Give it another name or another place.
    Change(Shelf),
    /// Let nothing more be put into it.
    Retire,
    /// Let torrents be put into it again.
    Reopen,
}

/// Why a category's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The stream has a category already.
    #[error("this category exists already")]
    AlreadyCreated,
    /// The slug or the name has the wrong length or form.
    #[error(
        "a category needs a slug of 1 to 40 lower-case letters, digits or hyphens and a name of 1 to 60 characters"
    )]
    Unnamed,
    /// The stream has no category.
    #[error("there is no such category")]
    Unknown,
    /// The slug stands in links.
    #[error("a category keeps its slug, since links hold it")]
    SlugStays,
    /// It would go below another one, and others may stand below it.
    #[error("a category at the top stays there, since others may stand below it")]
    TopStays,
    /// The category above it stands below another one itself.
    #[error("categories have two levels: nothing stands below one that stands below another")]
    TooDeep,
    /// It is retired.
    #[error("this category is retired")]
    Retired,
    /// It isn't retired.
    #[error("this category isn't retired")]
    NotRetired,
}

impl Decider for Category {
    const STREAM: &'static str = "category";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match (self, command) {
            (Self::Unknown, Command::Create(shelf)) if named(&shelf) => {
                Ok(vec![Event::CategoryCreated(shelf)])
            }
            (Self::Unknown, Command::Create(_)) => Err(Rejection::Unnamed),
            (Self::Unknown, Command::Change(_) | Command::Retire | Command::Reopen) => {
                Err(Rejection::Unknown)
            }
            (Self::Open(_) | Self::Retired(_), Command::Create(_)) => {
                Err(Rejection::AlreadyCreated)
            }
            (Self::Open(before), Command::Change(shelf)) => change(before, shelf),
            (Self::Open(_), Command::Retire) => Ok(vec![Event::CategoryRetired {}]),
            (Self::Open(_), Command::Reopen) => Err(Rejection::NotRetired),
            (Self::Retired(_), Command::Reopen) => Ok(vec![Event::CategoryReopened {}]),
            (Self::Retired(_), Command::Change(_) | Command::Retire) => Err(Rejection::Retired),
        }
    }

    fn evolve(&mut self, event: &Event) {
        *self = match (std::mem::take(self), event) {
            (_, Event::CategoryCreated(shelf) | Event::CategoryChanged(shelf)) => {
                Self::Open(shelf.clone())
            }
            (Self::Open(shelf), Event::CategoryRetired {}) => Self::Retired(shelf),
            (Self::Retired(shelf), Event::CategoryReopened {}) => Self::Open(shelf),
            (other, Event::CategoryRetired {} | Event::CategoryReopened {}) => other,
        };
    }
}

/// What once stood at the top stays there, so whoever finds a category at the top may put another
/// below it: there is no third level and no circle, whatever happens meanwhile.
fn change(before: &Shelf, shelf: Shelf) -> Result<Vec<Event>, Rejection> {
    if !named(&shelf) {
        return Err(Rejection::Unnamed);
    }
    if shelf.slug != before.slug {
        return Err(Rejection::SlugStays);
    }
    if before.parent.is_none() && shelf.parent.is_some() {
        return Err(Rejection::TopStays);
    }
    let changed = (shelf != *before).then_some(Event::CategoryChanged(shelf));
    Ok(changed.into_iter().collect())
}

fn named(shelf: &Shelf) -> bool {
    let slug = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=40).contains(&shelf.slug.len())
        && shelf.slug.bytes().all(slug)
        && (1..=60).contains(&shelf.name.chars().count())
}

/// The tree that a site starts with: (slug, name, slug above it), parents first.
const SEEDED: [(&str, &str, Option<&str>); 19] = [
    ("movies", "Movies", None),
    ("movies-hd", "Movies HD", Some("movies")),
    ("movies-uhd", "Movies UHD", Some("movies")),
    ("tv", "TV", None),
    ("tv-hd", "TV HD", Some("tv")),
    ("tv-uhd", "TV UHD", Some("tv")),
    ("tv-anime", "Anime", Some("tv")),
    ("audio", "Audio", None),
    ("audio-lossless", "Lossless", Some("audio")),
    ("audio-books", "Audiobooks", Some("audio")),
    ("software", "Software", None),
    ("software-linux", "Linux", Some("software")),
    ("games", "Games", None),
    ("games-pc", "PC games", Some("games")),
    ("games-console", "Console games", Some("games")),
    ("books", "Books", None),
    ("books-e", "E-books", Some("books")),
    ("books-comics", "Comics", Some("books")),
    ("other", "Other", None),
];

/// Gives the tree that a site starts with; the ids follow from the slugs.
pub fn seeded() -> Vec<(CategoryId, Shelf)> {
    let shelf = |(rank, (slug, name, parent)): (i32, &(&str, &str, Option<&str>))| {
        let parent = parent.map(seeded_id);
        (
            seeded_id(slug),
            Shelf {
                slug: (*slug).to_owned(),
                name: (*name).to_owned(),
                parent,
                rank,
            },
        )
    };
    (0..).zip(&SEEDED).map(shelf).collect()
}

fn seeded_id(slug: &str) -> CategoryId {
    CategoryId(Uuid::new_v5(&SPACE, format!("category/{slug}").as_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    #[test]
    fn the_seeded_tree_is_accepted_and_parents_come_first() {
        let mut seen = vec![];
        for (id, shelf) in seeded() {
            assert!(
                shelf.parent.is_none_or(|above| seen.contains(&above)),
                "{}",
                shelf.slug
            );
            given::<Category>(&[])
                .when(Command::Create(shelf.clone()))
                .then(&[Event::CategoryCreated(shelf)]);
            assert!(!seen.contains(&id));
            seen.push(id);
        }
    }

    #[test]
    fn a_category_is_made_once_and_has_a_name() {
        let shelf = Shelf {
            slug: "x".into(),
            name: "X".into(),
            parent: None,
            rank: 0,
        };
        given::<Category>(&[Event::CategoryCreated(shelf.clone())])
            .when(Command::Create(shelf.clone()))
            .rejected(&Rejection::AlreadyCreated);
        given::<Category>(&[])
            .when(Command::Create(Shelf {
                slug: "No Slug".into(),
                ..shelf
            }))
            .rejected(&Rejection::Unnamed);
    }
    fn shelf(name: &str, parent: Option<u128>) -> Shelf {
        Shelf {
            slug: "x".into(),
            name: name.into(),
            parent: parent.map(|id| CategoryId(Uuid::from_u128(id))),
            rank: 0,
        }
    }

    #[test]
    fn a_category_below_another_moves_and_one_at_the_top_stays() {
        let below = [Event::CategoryCreated(shelf("X", Some(1)))];
        for moved in [shelf("Y", Some(1)), shelf("X", Some(2)), shelf("X", None)] {
            given::<Category>(&below)
                .when(Command::Change(moved.clone()))
                .then(&[Event::CategoryChanged(moved)]);
        }
        given::<Category>(&below)
            .when(Command::Change(shelf("X", Some(1))))
            .then(&[]);
        let top = [Event::CategoryCreated(shelf("X", None))];
        given::<Category>(&top)
            .when(Command::Change(shelf("X", Some(1))))
            .rejected(&Rejection::TopStays);
        let slug = Shelf {
            slug: "y".into(),
            ..shelf("X", None)
        };
        given::<Category>(&top)
            .when(Command::Change(slug))
            .rejected(&Rejection::SlugStays);
        given::<Category>(&top)
            .when(Command::Change(shelf("", None)))
            .rejected(&Rejection::Unnamed);
    }

    #[test]
    fn a_category_is_retired_and_reopened() {
        let open = Event::CategoryCreated(shelf("X", None));
        given::<Category>(std::slice::from_ref(&open))
            .when(Command::Retire)
            .then(&[Event::CategoryRetired {}]);
        given::<Category>(std::slice::from_ref(&open))
            .when(Command::Reopen)
            .rejected(&Rejection::NotRetired);
        let retired = [open, Event::CategoryRetired {}];
        for command in [Command::Retire, Command::Change(shelf("Y", None))] {
            given::<Category>(&retired)
                .when(command)
                .rejected(&Rejection::Retired);
        }
        given::<Category>(&retired)
            .when(Command::Reopen)
            .then(&[Event::CategoryReopened {}]);
        for command in [Command::Retire, Command::Reopen] {
            given::<Category>(&[])
                .when(command)
                .rejected(&Rejection::Unknown);
        }
    }
}
