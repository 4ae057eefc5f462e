//! A report: a member tells the staff what is wrong with a torrent, a member, a post or a comment.
//!
//! The story begins in `api::web::report`, goes through `commands::report`, and goes on in
//! `projections::report`. That a member reports the same thing once while it is open is a claim.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::decider::Decider;
use crate::id::{CommentId, MemberId, PostId, TopicId, TorrentId};

/// What happened to a report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// It was made.
    ReportFiled(Filing),
    /// Somebody of the staff looks after it.
    ReportTaken {
        /// Who.
        by: MemberId,
    },
    /// Somebody of the staff noted something, for the staff.
    ReportNoted {
        /// Who.
        by: MemberId,
        /// What, in their words.
        text: String,
    },
    /// Something was done about it.
    ReportResolved {
        /// Who says so.
        by: MemberId,
        /// Who reported it.
        reporter: MemberId,
        /// A word to them.
        word: Option<String>,
    },
    /// Nothing is done about it.
    ReportDismissed {
        /// Who says so.
        by: MemberId,
        /// Who reported it.
        reporter: MemberId,
        /// A word to them.
        word: Option<String>,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::ReportFiled(_) => "ReportFiled",
            Self::ReportTaken { .. } => "ReportTaken",
            Self::ReportNoted { .. } => "ReportNoted",
            Self::ReportResolved { .. } => "ReportResolved",
            Self::ReportDismissed { .. } => "ReportDismissed",
        }
    }
}

/// A report as it was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filing {
    /// Who reports.
    pub by: MemberId,
    /// What.
    pub target: Target,
    /// Whose that is.
    pub about: MemberId,
    /// What is wrong with it.
    pub reason: Reason,
    /// The same in the reporter's words.
    pub text: String,
}

/// What is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Target {
    /// A torrent.
    Torrent(TorrentId),
    /// A member.
    Member(MemberId),
    /// A post in the forum.
    Post {
        /// Its topic.
        topic: TopicId,
        /// The post.
        post: PostId,
    },
    /// A comment below a torrent.
    Comment(CommentId),
}

impl Target {
    /// Tells its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Torrent(_) => Kind::Torrent,
            Self::Member(_) => Kind::Member,
            Self::Post { .. } => Kind::Post,
            Self::Comment(_) => Kind::Comment,
        }
    }

    /// Gives the id of the thing itself.
    pub fn id(&self) -> Uuid {
        match self {
            Self::Torrent(id) => id.0,
            Self::Member(id) => id.0,
            Self::Post { post, .. } => post.0,
            Self::Comment(id) => id.0,
        }
    }
}

/// What kind of thing is reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A torrent.
    Torrent,
    /// A member.
    Member,
    /// A post in the forum.
    Post,
    /// A comment below a torrent.
    Comment,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 4] = [Self::Torrent, Self::Member, Self::Post, Self::Comment];

    /// Gives its name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Torrent => "torrent",
            Self::Member => "member",
            Self::Post => "post",
            Self::Comment => "comment",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

/// What is wrong with something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It isn't what it says it is.
    Misleading,
    /// It is there already.
    Duplicate,
    /// It is broken, or harms who opens it.
    Harmful,
    /// It advertises.
    Spam,
    /// It insults or threatens somebody.
    Abuse,
    /// It breaks another rule of the site.
    Rules,
    /// Something else.
    Other,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 7] = [
        Self::Misleading,
        Self::Duplicate,
        Self::Harmful,
        Self::Spam,
        Self::Abuse,
        Self::Rules,
        Self::Other,
    ];

    /// Gives its name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Misleading => "misleading",
            Self::Duplicate => "duplicate",
            Self::Harmful => "harmful",
            Self::Spam => "spam",
            Self::Abuse => "abuse",
            Self::Rules => "rules",
            Self::Other => "other",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|reason| reason.name() == name)
    }
}

/// How a report ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Something was done about it.
    Resolved,
    /// Nothing is done about it.
    Dismissed,
}

/// A report's situation.
#[derive(Debug, Default, Serialize, Deserialize)]
pub enum Report {
    /// Nothing was reported under this id.
    #[default]
    Unknown,
    /// It was made.
    Filed(Case),
}

/// What is known of a report.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Case {
    /// As it was made.
    pub filing: Filing,
    /// Who looks after it.
    pub taken: Option<MemberId>,
    /// How it ended.
    pub outcome: Option<Outcome>,
}

/// What may be asked of a report's stream.
#[derive(Debug, Clone)]
pub enum Command {
    /// Make it.
    File(Filing),
    /// Handle it.
    Handle {
        /// Who of the staff asks.
        by: MemberId,
        /// What is done.
        act: Act,
    },
}

/// What the staff does with a report.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Look after it.
    Take,
    /// Note something for the staff.
    Note(String),
    /// End it, with a word to the reporter.
    Close(Outcome, Option<String>),
}

/// Why a report's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// The stream has a report already.
    #[error("this report was made already")]
    AlreadyFiled,
    /// The stream has no report.
    #[error("there is no such report")]
    Unknown,
    /// The member reports what is theirs.
    #[error("this is your own: change or remove it instead of reporting it")]
    Own,
    /// What is reported was removed.
    #[error("this was removed meanwhile, so there is nothing left to report")]
    Gone,
    /// The text has the wrong length.
    #[error("say what is wrong in 10 to 2,000 characters")]
    Text,
    /// The note has the wrong length.
    #[error("a note has 1 to 2,000 characters")]
    Note,
    /// The word to the reporter is too long.
    #[error("a word to the reporter has at most 1,000 characters")]
    Word,
    /// It ended.
    #[error("this report was closed already")]
    Closed,
    /// Who handles it is whom it is about.
    #[error("this report is about you, so somebody else handles it")]
    AboutYou,
}

/// The fewest characters of a report's text.
pub const SHORTEST: usize = 10;
/// The most characters of a report's text, and of a note.
pub const LONGEST: usize = 2_000;
/// The most characters of a word to the reporter.
pub const LONGEST_WORD: usize = 1_000;

impl Decider for Report {
    const STREAM: &'static str = "report";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, command: Command) -> Result<Vec<Event>, Rejection> {
        match (self, command) {
            (Self::Unknown, Command::File(filing)) => {
                if filing.by == filing.about {
                    return Err(Rejection::Own);
                }
                let text = fitting(&filing.text, SHORTEST).ok_or(Rejection::Text)?;
                Ok(vec![Event::ReportFiled(Filing { text, ..filing })])
            }
            (Self::Unknown, Command::Handle { .. }) => Err(Rejection::Unknown),
            (Self::Filed(_), Command::File(_)) => Err(Rejection::AlreadyFiled),
            (Self::Filed(case), Command::Handle { by, act }) => case.handle(by, act),
        }
    }

    fn evolve(&mut self, event: &Event) {
        match (self, event) {
            (unknown, Event::ReportFiled(filing)) => {
                *unknown = Self::Filed(Case {
                    filing: filing.clone(),
                    taken: None,
                    outcome: None,
                });
            }
            (Self::Filed(case), Event::ReportTaken { by }) => case.taken = Some(*by),
            (Self::Filed(case), Event::ReportResolved { .. }) => {
                case.outcome = Some(Outcome::Resolved);
            }
            (Self::Filed(case), Event::ReportDismissed { .. }) => {
                case.outcome = Some(Outcome::Dismissed);
            }
            (Self::Filed(_), Event::ReportNoted { .. }) | (Self::Unknown, _) => {}
        }
    }
}

impl Case {
    fn handle(&self, by: MemberId, act: Act) -> Result<Vec<Event>, Rejection> {
        if by == self.filing.about {
            return Err(Rejection::AboutYou);
        }
        let reporter = self.filing.by;
        match act {
            Act::Note(text) => {
                let text = fitting(&text, 1).ok_or(Rejection::Note)?;
                Ok(vec![Event::ReportNoted { by, text }])
            }
            Act::Take | Act::Close(..) if self.outcome.is_some() => Err(Rejection::Closed),
            Act::Take => {
                let taken = (self.taken != Some(by)).then_some(Event::ReportTaken { by });
                Ok(taken.into_iter().collect())
            }
            Act::Close(outcome, word) => {
                let word = word.map(|word| word.trim().to_owned());
                let word = word.filter(|word| !word.is_empty());
                if word
                    .as_ref()
                    .is_some_and(|word| word.chars().count() > LONGEST_WORD)
                {
                    return Err(Rejection::Word);
                }
                Ok(vec![match outcome {
                    Outcome::Resolved => Event::ReportResolved { by, reporter, word },
                    Outcome::Dismissed => Event::ReportDismissed { by, reporter, word },
                }])
            }
        }
    }
}

/// Gives a text without the blanks around it, where its length fits.
fn fitting(text: &str, shortest: usize) -> Option<String> {
    let text = text.trim();
    (shortest..=LONGEST)
        .contains(&text.chars().count())
        .then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    fn member(number: u128) -> MemberId {
        MemberId(Uuid::from_u128(number))
    }

    fn filing(text: &str) -> Filing {
        Filing {
            by: member(1),
            target: Target::Member(member(2)),
            about: member(2),
            reason: Reason::Spam,
            text: text.into(),
        }
    }

    fn filed() -> Event {
        Event::ReportFiled(filing("advertises"))
    }

    fn handle(by: u128, act: Act) -> Command {
        let by = member(by);
        Command::Handle { by, act }
    }

    #[test]
    fn a_report_is_made_once_in_enough_words_and_never_of_ones_own() {
        given::<Report>(&[])
            .when(Command::File(filing("  advertises \n")))
            .then(&[filed()]);
        let longest = "é".repeat(LONGEST);
        given::<Report>(&[])
            .when(Command::File(filing(&longest)))
            .then(&[Event::ReportFiled(filing(&longest))]);
        for wrong in ["", "too short", &"é".repeat(LONGEST + 1)] {
            given::<Report>(&[])
                .when(Command::File(filing(wrong)))
                .rejected(&Rejection::Text);
        }
        let own = Filing {
            by: member(2),
            ..filing("advertises")
        };
        given::<Report>(&[])
            .when(Command::File(own))
            .rejected(&Rejection::Own);
        given::<Report>(&[filed()])
            .when(Command::File(filing("advertises")))
            .rejected(&Rejection::AlreadyFiled);
    }

    #[test]
    fn the_staff_takes_notes_and_closes_a_report_once() {
        let by = member(3);
        given::<Report>(&[filed()])
            .when(handle(3, Act::Take))
            .then(&[Event::ReportTaken { by }]);
        let taken = [filed(), Event::ReportTaken { by }];
        given::<Report>(&taken).when(handle(3, Act::Take)).then(&[]);
        let by = member(4);
        given::<Report>(&taken)
            .when(handle(4, Act::Take))
            .then(&[Event::ReportTaken { by }]);
        let closed = |word: Option<&str>| Event::ReportResolved {
            by,
            reporter: member(1),
            word: word.map(Into::into),
        };
        let close = |word: &str| Act::Close(Outcome::Resolved, Some(word.into()));
        given::<Report>(&taken)
            .when(handle(4, close(" done ")))
            .then(&[closed(Some("done"))]);
        given::<Report>(&taken)
            .when(handle(4, close("  ")))
            .then(&[closed(None)]);
        given::<Report>(&taken)
            .when(handle(4, close(&"x".repeat(LONGEST_WORD + 1))))
            .rejected(&Rejection::Word);
        for act in [Act::Take, Act::Close(Outcome::Dismissed, None)] {
            given::<Report>(&[filed(), closed(None)])
                .when(handle(4, act))
                .rejected(&Rejection::Closed);
        }
        let text = "later".to_owned();
        given::<Report>(&[filed(), closed(None)])
            .when(handle(4, Act::Note(text.clone())))
            .then(&[Event::ReportNoted { by, text }]);
        given::<Report>(&[filed()])
            .when(handle(4, Act::Note(" ".into())))
            .rejected(&Rejection::Note);
    }

    #[test]
    fn nobody_handles_a_report_about_themselves() {
        let close = Act::Close(Outcome::Dismissed, None);
        for act in [Act::Take, Act::Note("mine".into()), close] {
            given::<Report>(&[filed()])
                .when(handle(2, act.clone()))
                .rejected(&Rejection::AboutYou);
            given::<Report>(&[])
                .when(handle(3, act))
                .rejected(&Rejection::Unknown);
        }
    }
}
