//! A tag with which torrents are marked.

use serde::{Deserialize, Serialize};

use crate::decider::Decider;

/// What happened to a tag.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It came into being.
    TagCreated(Label),
    /// It has another name, colour or place.
    TagChanged(Label),
    /// Nothing more is marked with it.
    TagRetired {},
    /// Torrents may be marked with it again.
    TagReopened {},
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::TagCreated(_) => "TagCreated",
            Self::TagChanged(_) => "TagChanged",
            Self::TagRetired {} => "TagRetired",
            Self::TagReopened {} => "TagReopened",
        }
    }
}

/// What members see of a tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    /// What members read.
    pub name: String,
    /// How it is told apart.
    pub colour: Colour,
    /// Its place among the others, smallest first.
    pub rank: i32,
}

impl Label {
    /// Gives the name as it is compared: one name, whatever its case, is one tag.
    pub fn folded(&self) -> String {
        self.name.to_lowercase()
    }
}

/// The colours of tags; what each looks like is the style's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Colour {
    /// Grey.
    #[default]
    Grey,
    /// Red.
    Red,
    /// Orange.
    Orange,
    /// Yellow.
    Yellow,
    /// Green.
    Green,
    /// Blue-green.
    Teal,
    /// Blue.
    Blue,
    /// Violet.
    Violet,
    /// Pink.
    Pink,
}

impl Colour {
    /// Every colour.
    pub const ALL: [Self; 9] = [
        Self::Grey,
        Self::Red,
        Self::Orange,
        Self::Yellow,
        Self::Green,
        Self::Teal,
        Self::Blue,
        Self::Violet,
        Self::Pink,
    ];

    /// Gives its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Grey => "grey",
            Self::Red => "red",
            Self::Orange => "orange",
            Self::Yellow => "yellow",
            Self::Green => "green",
            Self::Teal => "teal",
            Self::Blue => "blue",
            Self::Violet => "violet",
            Self::Pink => "pink",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// A tag's situation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum Tag {
    /// Nothing was made under this id.
    #[default]
    Unknown,
    /// Torrents may be marked with it.
    Open(Label),
    /// Nothing more is marked with it.
    Retired(Label),
}

/// What may be asked of a tag's stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make it.
    Create(Label),
    /// Change what there is.
    Turn {
        /// How.
        turn: Turn,
        /// The name that it has, folded, which may be given up or taken again.
        held: String,
    },
}

/// What may be asked of a tag that there is.
#[derive(Debug, Clone)]
pub enum Turn {
    /// Give it another name, colour or place.
    Change(Label),
    /// Let nothing more be marked with it.
    Retire,
    /// Let torrents be marked with it again.
    Reopen,
}

/// Why a tag's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The stream has a tag already.
    #[error("this tag exists already")]
    AlreadyCreated,
    /// The stream has no tag.
    #[error("there is no such tag")]
    Unknown,
    /// The name has the wrong length or form.
    #[error("a tag has a name of 1 to 50 characters on one line")]
    Unnamed,
    /// It is retired.
    #[error("this tag is retired")]
    Retired,
    /// It isn't retired.
    #[error("this tag isn't retired")]
    NotRetired,
    /// It isn't called any more what is given up or taken again.
    #[error("this tag was renamed meanwhile; try again")]
    Renamed,
}

impl Decider for Tag {
    const STREAM: &'static str = "tag";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match (self, command) {
            (Self::Unknown, Command::Create(label)) => Ok(vec![Event::TagCreated(named(&label)?)]),
            (Self::Unknown, Command::Turn { .. }) => Err(Rejection::Unknown),
            (Self::Open(_) | Self::Retired(_), Command::Create(_)) => {
                Err(Rejection::AlreadyCreated)
            }
            (Self::Open(before) | Self::Retired(before), Command::Turn { held, .. })
                if before.folded() != held =>
            {
                Err(Rejection::Renamed)
            }
            (Self::Open(before), Command::Turn { turn, .. }) => match turn {
                Turn::Change(label) => {
                    let label = named(&label)?;
                    let changed = (label != *before).then_some(Event::TagChanged(label));
                    Ok(changed.into_iter().collect())
                }
                Turn::Retire => Ok(vec![Event::TagRetired {}]),
                Turn::Reopen => Err(Rejection::NotRetired),
            },
            (Self::Retired(_), Command::Turn { turn, .. }) => match turn {
                Turn::Reopen => Ok(vec![Event::TagReopened {}]),
                Turn::Change(_) | Turn::Retire => Err(Rejection::Retired),
            },
        }
    }

    fn evolve(&mut self, event: &Event) {
        *self = match (std::mem::take(self), event) {
            (_, Event::TagCreated(label) | Event::TagChanged(label)) => Self::Open(label.clone()),
            (Self::Open(label), Event::TagRetired {}) => Self::Retired(label),
            (Self::Retired(label), Event::TagReopened {}) => Self::Open(label),
            (other, Event::TagRetired {} | Event::TagReopened {}) => other,
        };
    }
}

fn named(label: &Label) -> Result<Label, Rejection> {
    let name = label.name.trim().to_owned();
    let fits = (1..=50).contains(&name.chars().count()) && !name.contains(char::is_control);
    let trimmed = Label {
        name,
        ..label.clone()
    };
    fits.then_some(trimmed).ok_or(Rejection::Unnamed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    fn label(name: &str) -> Label {
        Label {
            name: name.into(),
            colour: Colour::Teal,
            rank: 1,
        }
    }

    #[test]
    fn a_tag_is_made_once_with_a_name_of_fifty_characters_at_most() {
        let longest = "é".repeat(50);
        given::<Tag>(&[])
            .when(Command::Create(label(&longest)))
            .then(&[Event::TagCreated(label(&longest))]);
        given::<Tag>(&[])
            .when(Command::Create(label(" trimmed ")))
            .then(&[Event::TagCreated(label("trimmed"))]);
        for wrong in ["", "  ", "two\nlines", &"é".repeat(51)] {
            given::<Tag>(&[])
                .when(Command::Create(label(wrong)))
                .rejected(&Rejection::Unnamed);
        }
        given::<Tag>(&[Event::TagCreated(label("x"))])
            .when(Command::Create(label("x")))
            .rejected(&Rejection::AlreadyCreated);
    }

    fn turn(turn: Turn, held: &str) -> Command {
        let held = held.to_owned();
        Command::Turn { turn, held }
    }

    #[test]
    fn a_tag_is_changed_retired_and_reopened() {
        let past = [Event::TagCreated(label("X"))];
        let (change, retire) = (
            |name| turn(Turn::Change(label(name)), "x"),
            turn(Turn::Retire, "x"),
        );
        let reopen = turn(Turn::Reopen, "x");
        given::<Tag>(&past)
            .when(change("y"))
            .then(&[Event::TagChanged(label("y"))]);
        given::<Tag>(&past).when(change("X")).then(&[]);
        given::<Tag>(&past)
            .when(retire.clone())
            .then(&[Event::TagRetired {}]);
        given::<Tag>(&past)
            .when(reopen.clone())
            .rejected(&Rejection::NotRetired);
        let retired = [Event::TagCreated(label("X")), Event::TagRetired {}];
        for command in [change("y"), retire.clone()] {
            given::<Tag>(&retired)
                .when(command)
                .rejected(&Rejection::Retired);
        }
        given::<Tag>(&retired)
            .when(reopen.clone())
            .then(&[Event::TagReopened {}]);
        for command in [change("y"), retire, reopen] {
            given::<Tag>(&[])
                .when(command)
                .rejected(&Rejection::Unknown);
        }
    }

    #[test]
    fn whoever_saw_another_name_is_refused() {
        let renamed = [Event::TagCreated(label("x")), Event::TagChanged(label("y"))];
        let retired = [&renamed[..], &[Event::TagRetired {}]].concat();
        for (past, asked) in [
            (&renamed[..], Turn::Change(label("z"))),
            (&renamed, Turn::Retire),
            (&retired, Turn::Reopen),
        ] {
            given::<Tag>(past)
                .when(turn(asked, "x"))
                .rejected(&Rejection::Renamed);
        }
    }

    #[test]
    fn colours_have_their_stored_names() {
        for colour in Colour::ALL {
            assert_eq!(Colour::named(colour.name()), Some(colour));
            assert_eq!(serde_json::to_value(colour).unwrap(), colour.name());
        }
    }
}
