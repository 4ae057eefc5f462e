//! The pages of the vault, filled.

use domain::vault::State;
use maud::Markup;

use super::super::{panic, sealed};
use super::{AT, site};
use crate::vault;

pub(super) fn bodies() -> Vec<(&'static str, Markup)> {
    vec![
        ("panic", panic::body(&panic_page(Ok(Some(sheet()))))),
        ("no panic password", panic::body(&panic_page(Ok(None)))),
        (
            "panic slot tampered with",
            panic::body(&panic_page(Err("It was tampered with.".into()))),
        ),
        ("recovery sheet", panic::sheet_body(&site(), &sheet(), AT)),
        ("sealed", sealed::body(&vault::Standing::default(), None)),
        ("restoring", sealed::body(&restoring(), Some("<wrong>"))),
    ]
}

fn sheet() -> vault::Sheet {
    vault::Sheet {
        key: "ab".repeat(32),
        slot: r#"{"work":18,"salt":"<00>"}"#.into(),
    }
}

fn panic_page(sheet: Result<Option<vault::Sheet>, String>) -> panic::Shown {
    panic::Shown {
        sheet,
        saved: true,
        wrong: Some("<wrong>".into()),
        name: "zoë_42".into(),
        token: "00".into(),
    }
}

fn restoring() -> vault::Standing {
    vault::Standing {
        state: State::Restoring,
        doing: "opening <events>".into(),
        done: 3,
        total: 9,
        trouble: Some("the disk is full".into()),
    }
}
