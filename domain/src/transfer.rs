//! What a member and a torrent have to do with each other: what a completed download owes, and what
//! looks wrong about the traffic.
//!
//! The rare facts alone stand here; what was moved is [`crate::traffic`]'s. The program asks by itself
//! as time passes (`src/serve/obligation.rs`), the staff on its pages.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::amount::{Bytes, Seconds};
use crate::decider::Decider;
use crate::id::{MemberId, SPACE, TorrentId};

/// What happened between a member and a torrent.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Event {
    /// The member completed the download, and owes seed time by the rules of that moment.
    SnatchCompleted {
        /// Who and what.
        of: Pair,
        /// The seed time owed; none where none was asked for.
        owes: Seconds,
        /// When the grace period ends, in seconds since 1970.
        due: i64,
    },
    /// The grace period ended unmet.
    HitAndRunMarked {
        /// Who and what.
        of: Pair,
        /// The seed time by then.
        seeded: Seconds,
    },
    /// The seed time owed was reached in time.
    SeedTimeMet {
        /// Who and what.
        of: Pair,
        /// The seed time by then.
        seeded: Seconds,
    },
    /// A mark is gone: the staff cleared it, or the member seeded on.
    HitAndRunCleared {
        /// Who and what.
        of: Pair,
        /// The seed time by then, where it is the reason.
        seeded: Option<Seconds>,
    },
    /// The staff asks for no seed time here.
    HitAndRunExempted {
        /// Who and what.
        of: Pair,
        /// Whether a mark goes with it.
        was_marked: bool,
    },
    /// Something about the traffic looks wrong; nothing follows from it by itself.
    TrafficFlagged {
        /// Who and what.
        of: Pair,
        /// What looks wrong.
        suspicion: Suspicion,
    },
    /// The staff looked at what was flagged.
    FlagDismissed {
        /// Who and what.
        of: Pair,
        /// What was flagged.
        kind: Kind,
    },
}

impl crate::Event for Event {
    fn name(&self) -> &'static str {
        match self {
            Self::SnatchCompleted { .. } => "SnatchCompleted",
            Self::HitAndRunMarked { .. } => "HitAndRunMarked",
            Self::SeedTimeMet { .. } => "SeedTimeMet",
            Self::HitAndRunCleared { .. } => "HitAndRunCleared",
            Self::HitAndRunExempted { .. } => "HitAndRunExempted",
            Self::TrafficFlagged { .. } => "TrafficFlagged",
            Self::FlagDismissed { .. } => "FlagDismissed",
        }
    }
}

/// A member and a torrent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Pair {
    /// The member.
    pub member: MemberId,
    /// The torrent.
    pub torrent: TorrentId,
}

impl Pair {
    /// Names their stream.
    pub fn stream(self) -> Uuid {
        let Self { member, torrent } = self;
        Uuid::new_v5(&SPACE, format!("transfer/{member}/{torrent}").as_bytes())
    }
}

/// What looks wrong about a report, with its facts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Suspicion {
    /// A client's totals shrank within a run.
    Shrunk {
        /// What it reported before, sent and received.
        before: (Bytes, Bytes),
        /// What it reported then.
        then: (Bytes, Bytes),
    },
    /// A client moved more than a line carries.
    TooFast {
        /// Bytes moved between two reports, the greater of both ways.
        moved: Bytes,
        /// Seconds between them.
        within: Seconds,
    },
    /// A client sent though nobody was there to receive.
    NobodyThere {
        /// Bytes sent between two reports.
        sent: Bytes,
        /// Seconds between them.
        within: Seconds,
    },
}

/// What kind of thing looks wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Totals shrank.
    Shrunk,
    /// It was too fast.
    TooFast,
    /// Nobody was there.
    NobodyThere,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Shrunk, Self::TooFast, Self::NobodyThere];

    /// Gives its name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Shrunk => "shrunk",
            Self::TooFast => "too_fast",
            Self::NobodyThere => "nobody_there",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }
}

impl Suspicion {
    /// Tells its kind.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Shrunk { .. } => Kind::Shrunk,
            Self::TooFast { .. } => Kind::TooFast,
            Self::NobodyThere { .. } => Kind::NobodyThere,
        }
    }
}

/// How a member and a torrent stand.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Transfer {
    /// What the download owes, once it was completed.
    pub obligation: Option<Obligation>,
    /// What is flagged and wasn't looked at.
    pub flagged: BTreeSet<Kind>,
}

/// What a completed download owes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Obligation {
    /// The seed time owed.
    pub owes: Seconds,
    /// When the grace period ends, in seconds since 1970.
    pub due: i64,
    /// How it stands.
    pub standing: Standing,
}

/// How an obligation stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Seed time is owed.
    Owing,
    /// The grace period ended unmet.
    Marked,
    /// The staff asks for none.
    Exempt,
    /// Nothing is owed any more.
    Met,
}

impl Standing {
    /// Every standing, the most pressing first.
    pub const ALL: [Self; 4] = [Self::Marked, Self::Owing, Self::Exempt, Self::Met];

    /// Gives its name, as it is stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Owing => "owing",
            Self::Marked => "marked",
            Self::Exempt => "exempt",
            Self::Met => "met",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.name() == name)
    }
}

/// What may be asked of a transfer's stream.
#[derive(Debug, Clone)]
pub struct Command {
    /// Who and what.
    pub of: Pair,
    /// What is asked.
    pub ask: Ask,
}

/// What may be asked.
#[derive(Debug, Clone)]
pub enum Ask {
    /// Note that the download was completed, and what it owes.
    Complete {
        /// The seed time owed.
        owes: Seconds,
        /// When the grace period ends, in seconds since 1970.
        due: i64,
    },
    /// See whether the seed time is reached, or the grace period over.
    Look {
        /// The seed time by now.
        seeded: Seconds,
        /// Now, in seconds since 1970.
        now: i64,
    },
    /// Take a mark away.
    Clear,
    /// Ask for no seed time.
    Exempt,
    /// Flag what looks wrong.
    Flag(Suspicion),
    /// Say that what was flagged was looked at.
    Dismiss(Kind),
}

/// Why a transfer's command is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// There is no mark.
    #[error("there is no hit-and-run to clear here")]
    NotMarked,
    /// Nothing is owed.
    #[error("nothing is owed here, so there is nothing to exempt from")]
    NothingOwed,
    /// Nothing of the kind is flagged.
    #[error("somebody looked at this already")]
    NotFlagged,
}

impl Decider for Transfer {
    const STREAM: &'static str = "transfer";
    type Command = Command;
    type Event = Event;
    type Rejection = Rejection;

    fn decide(&self, Command { of, ask }: Command) -> Result<Vec<Event>, Rejection> {
        let standing = self.obligation.map(|obligation| obligation.standing);
        let event = match ask {
            Ask::Complete { .. } if self.obligation.is_some() => None,
            Ask::Complete { owes, due } => Some(Event::SnatchCompleted { of, owes, due }),
            Ask::Look { seeded, now } => self.look(of, seeded, now),
            Ask::Clear if standing == Some(Standing::Marked) => {
                Some(Event::HitAndRunCleared { of, seeded: None })
            }
            Ask::Clear => return Err(Rejection::NotMarked),
            Ask::Exempt => match standing {
                Some(Standing::Owing | Standing::Marked) => {
                    let was_marked = standing == Some(Standing::Marked);
                    Some(Event::HitAndRunExempted { of, was_marked })
                }
                Some(Standing::Exempt | Standing::Met) | None => {
                    return Err(Rejection::NothingOwed);
                }
            },
            Ask::Flag(suspicion) => (!self.flagged.contains(&suspicion.kind()))
                .then_some(Event::TrafficFlagged { of, suspicion }),
            Ask::Dismiss(kind) if self.flagged.contains(&kind) => {
                Some(Event::FlagDismissed { of, kind })
            }
            Ask::Dismiss(_) => return Err(Rejection::NotFlagged),
        };
        Ok(event.into_iter().collect())
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::SnatchCompleted { owes, due, .. } => {
                let standing = if owes.0 == 0 {
                    Standing::Met
                } else {
                    Standing::Owing
                };
                let (owes, due) = (*owes, *due);
                self.obligation = Some(Obligation {
                    owes,
                    due,
                    standing,
                });
            }
            Event::HitAndRunMarked { .. } => self.stands(Standing::Marked),
            Event::SeedTimeMet { .. } | Event::HitAndRunCleared { .. } => {
                self.stands(Standing::Met);
            }
            Event::HitAndRunExempted { .. } => self.stands(Standing::Exempt),
            Event::TrafficFlagged { suspicion, .. } => {
                self.flagged.insert(suspicion.kind());
            }
            Event::FlagDismissed { kind, .. } => {
                self.flagged.remove(kind);
            }
        }
    }
}

impl Transfer {
    fn look(&self, of: Pair, seeded: Seconds, now: i64) -> Option<Event> {
        let obligation = self.obligation?;
        let reached = seeded >= obligation.owes;
        match obligation.standing {
            Standing::Owing if reached => Some(Event::SeedTimeMet { of, seeded }),
            Standing::Owing if now >= obligation.due => Some(Event::HitAndRunMarked { of, seeded }),
            Standing::Marked if reached => Some(Event::HitAndRunCleared {
                of,
                seeded: Some(seeded),
            }),
            Standing::Owing | Standing::Marked | Standing::Exempt | Standing::Met => None,
        }
    }

    fn stands(&mut self, standing: Standing) {
        if let Some(obligation) = &mut self.obligation {
            obligation.standing = standing;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::given;

    fn pair() -> Pair {
        Pair {
            member: MemberId(Uuid::from_u128(1)),
            torrent: TorrentId(Uuid::from_u128(2)),
        }
    }

    fn ask(ask: Ask) -> Command {
        Command { of: pair(), ask }
    }

    fn look(seeded: u64, now: i64) -> Command {
        let seeded = Seconds(seeded);
        ask(Ask::Look { seeded, now })
    }

    fn completed() -> Event {
        let (of, owes) = (pair(), Seconds(100));
        Event::SnatchCompleted { of, owes, due: 50 }
    }

    fn marked() -> Event {
        let (of, seeded) = (pair(), Seconds(99));
        Event::HitAndRunMarked { of, seeded }
    }

    #[test]
    fn a_snatch_without_seeding_becomes_a_hit_and_run() {
        given::<Transfer>(&[completed()])
            .when(look(99, 49))
            .then(&[]);
        given::<Transfer>(&[completed()])
            .when(look(99, 50))
            .then(&[marked()]);
        given::<Transfer>(&[completed(), marked()])
            .when(look(99, 51))
            .then(&[]);
    }

    #[test]
    fn what_is_owed_is_frozen_with_the_first_completion() {
        let again = Ask::Complete {
            owes: Seconds(9_999),
            due: 9_999,
        };
        given::<Transfer>(&[completed()]).when(ask(again)).then(&[]);
    }

    #[test]
    fn seeding_on_clears_a_mark_and_seeding_in_time_meets_it() {
        let seeded = Seconds(100);
        given::<Transfer>(&[completed()])
            .when(look(100, 60))
            .then(&[Event::SeedTimeMet { of: pair(), seeded }]);
        let cleared = Event::HitAndRunCleared {
            of: pair(),
            seeded: Some(seeded),
        };
        given::<Transfer>(&[completed(), marked()])
            .when(look(100, 60))
            .then(std::slice::from_ref(&cleared));
        given::<Transfer>(&[completed(), marked(), cleared])
            .when(look(0, 99))
            .then(&[]);
    }

    #[test]
    fn where_nothing_is_owed_nothing_follows() {
        let free = Event::SnatchCompleted {
            of: pair(),
            owes: Seconds(0),
            due: 0,
        };
        given::<Transfer>(std::slice::from_ref(&free))
            .when(look(0, 99))
            .then(&[]);
        given::<Transfer>(&[free])
            .when(ask(Ask::Exempt))
            .rejected(&Rejection::NothingOwed);
        given::<Transfer>(&[]).when(look(0, 99)).then(&[]);
    }

    #[test]
    fn the_staff_clears_a_mark_and_exempts_from_what_is_owed() {
        let exempted = |was_marked| Event::HitAndRunExempted {
            of: pair(),
            was_marked,
        };
        given::<Transfer>(&[completed()])
            .when(ask(Ask::Clear))
            .rejected(&Rejection::NotMarked);
        given::<Transfer>(&[completed()])
            .when(ask(Ask::Exempt))
            .then(&[exempted(false)]);
        given::<Transfer>(&[completed(), marked()])
            .when(ask(Ask::Exempt))
            .then(&[exempted(true)]);
        given::<Transfer>(&[completed(), exempted(false)])
            .when(look(0, 99))
            .then(&[]);
    }

    #[test]
    fn a_kind_is_flagged_once_until_somebody_looked() {
        let suspicion = Suspicion::NobodyThere {
            sent: Bytes(9),
            within: Seconds(3),
        };
        let flagged = Event::TrafficFlagged {
            of: pair(),
            suspicion,
        };
        let dismissed = Event::FlagDismissed {
            of: pair(),
            kind: Kind::NobodyThere,
        };
        let flag = ask(Ask::Flag(suspicion));
        given::<Transfer>(std::slice::from_ref(&flagged))
            .when(flag.clone())
            .then(&[]);
        given::<Transfer>(&[flagged.clone(), dismissed.clone()])
            .when(flag)
            .then(std::slice::from_ref(&flagged));
        let dismiss = ask(Ask::Dismiss(Kind::NobodyThere));
        given::<Transfer>(&[])
            .when(dismiss.clone())
            .rejected(&Rejection::NotFlagged);
        given::<Transfer>(&[flagged])
            .when(dismiss)
            .then(&[dismissed]);
    }
}
