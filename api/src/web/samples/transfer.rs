//! Pages of what downloads owe, and of what looks wrong.

use domain::amount::{Bytes, Seconds};
use domain::transfer::{Pair, Standing, Suspicion};
use maud::Markup;
use projections::page::{Cursor, Page as Rows};
use projections::transfer::{Flag, Owed};
use time::OffsetDateTime;

use super::super::transfer;
use super::{AT, row, viewer};

/// The pages with their names.
pub(super) fn bodies() -> Vec<(&'static str, Markup)> {
    vec![
        (
            "hit-and-runs",
            transfer::own_body(&owed(), OffsetDateTime::UNIX_EPOCH),
        ),
        (
            "everybody's hit-and-runs",
            transfer::list_body(&owed(), Standing::Marked, "00"),
        ),
        ("flags", transfer::flags_body(&flags(), "00")),
    ]
}

fn pair() -> Pair {
    Pair {
        member: viewer().profile.id,
        torrent: row().id,
    }
}

fn owed() -> Rows<Owed> {
    let owed = |standing| Owed {
        of: pair(),
        member: "zoë_42".into(),
        torrent: row().name,
        owes: Seconds(86_400),
        seeded: Seconds(60),
        due: 100_000,
        completed_at: AT,
        standing,
        reason: Some("<i>".into()),
        position: 3,
    };
    Rows {
        rows: vec![owed(Standing::Marked)],
        next: Some(Cursor("00".into())),
    }
}

fn flags() -> Rows<Flag> {
    let flag = Flag {
        of: pair(),
        member: "zoë_42".into(),
        torrent: row().name,
        suspicion: Suspicion::TooFast {
            moved: Bytes(1 << 40),
            within: Seconds(2),
        },
        at: AT,
        position: 3,
    };
    Rows {
        rows: vec![flag],
        next: None,
    }
}
