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
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::CategoryCreated(_) => "CategoryCreated",
        }
    }
}

/// A category as it was made.
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
    /// Torrents may stand in it.
    Open(Shelf),
}

/// What may be asked of a category's stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make it.
    Create(Shelf),
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
}

impl Decider for Category {
    const STREAM: &'static str = "category";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        let Command::Create(shelf) = command;
        match self {
            Self::Open(_) => Err(Rejection::AlreadyCreated),
            Self::Unknown if named(&shelf) => Ok(vec![Event::CategoryCreated(shelf)]),
            Self::Unknown => Err(Rejection::Unnamed),
        }
    }

    fn evolve(&mut self, event: &Event) {
        let Event::CategoryCreated(shelf) = event;
        *self = Self::Open(shelf.clone());
    }
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
}
