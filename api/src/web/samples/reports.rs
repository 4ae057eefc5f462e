//! Pages of reports, notifications and statistics.

use domain::amount::Bytes;
use domain::id::ReportId;
use domain::report::{Reason, Rejection, Target};
use maud::Markup;
use projections::notification::{Kind, Notification};
use projections::page::{Cursor, Page as Rows};
use projections::report::{Note, Report, State, Wanted};
use projections::statistic::{Range, Tally};
use uuid::Uuid;

use super::super::{notification, report, staff, statistic};
use super::{AT, row, viewer};

/// The pages with their names.
pub(super) fn bodies() -> Vec<(&'static str, Markup)> {
    let none = Rows::default;
    let rows = || Rows {
        rows: vec![one(State::Taken), one(State::Dismissed)],
        next: Some(Cursor("00".into())),
    };
    let told = Kind::ALL.map(told).to_vec();
    let told = Rows {
        rows: told,
        next: Some(Cursor("00".into())),
    };
    vec![
        ("report something", report::body(&draft(None))),
        ("report own", report::body(&draft(Some(Rejection::Own)))),
        ("own reports", report::list_body(&rows())),
        ("no reports", report::list_body(&none())),
        ("own report", report::one_body(&one(State::Open))),
        ("closed report", report::one_body(&one(State::Resolved))),
        ("reports", staff::reports::body(Wanted::default(), &rows())),
        (
            "none waits",
            staff::reports::body(Wanted::default(), &none()),
        ),
        ("a report", staff::reports::one_body(&shown(State::Taken))),
        (
            "an old report",
            staff::reports::one_body(&shown(State::Dismissed)),
        ),
        ("statistics", statistic::body(&statistics(), &[row()])),
        (
            "no statistics",
            statistic::body(&statistic::Shown::default(), &[]),
        ),
        ("notifications", notification::body(&told, "00")),
        (
            "no notifications",
            notification::body(&Rows::default(), "00"),
        ),
    ]
}

/// What the administrators see first.
pub(super) fn dashboard() -> staff::dashboard::Dashboard {
    staff::dashboard::Dashboard {
        room: projections::statistic::Room::default(),
        waiting: [0, 7, 100],
        backups: projections::backup::Runs::default(),
        statistics: statistics(),
    }
}

fn statistics() -> statistic::Shown {
    let tally = Tally {
        members: 3,
        uploaded: Bytes(5 << 30),
        ..Tally::default()
    };
    statistic::Shown {
        range: Range::Week,
        totals: tally,
        series: vec![(AT, Tally::default()), (AT, tally)],
        ..statistic::Shown::default()
    }
}

fn target() -> Target {
    Target::Torrent(row().id)
}

fn draft(hindrance: Option<Rejection>) -> report::Draft {
    report::Draft {
        found: report::Found {
            target: target(),
            label: "<b>".into(),
            address: "/torrents/1".into(),
            hindrance,
        },
        to: "/report/torrent/1".into(),
        reason: Some(Reason::Abuse),
        text: "<i>".into(),
        error: Some("Too short.".into()),
        before: Some(ReportId(Uuid::nil())),
        nonce: "00".into(),
        token: "00".into(),
    }
}

fn one(state: State) -> Report {
    let closed = state.is_closed();
    Report {
        id: ReportId(Uuid::nil()),
        reporter: viewer().profile.id,
        reporter_name: "zoë_42".into(),
        kind: target().kind(),
        target: target().id(),
        label: Some("<b>".into()),
        about_name: "bob".into(),
        reason: Reason::Spam,
        text: "<script>alert(1)</script>".into(),
        at: AT,
        state,
        taken_name: Some("alice".into()),
        closed_name: closed.then(|| "alice".into()),
        closed_at: closed.then_some(AT),
        word: (state == State::Resolved).then(|| "<i>".into()),
        position: 1,
        place: 1,
    }
}

fn shown(state: State) -> staff::reports::Shown {
    let note = Note {
        by_name: "alice".into(),
        at: AT,
        text: "<b>".into(),
    };
    staff::reports::Shown {
        report: one(state),
        notes: vec![note],
        note: "<i>".into(),
        word: "<i>".into(),
        error: Some(("note", "Too long.".into())),
        nonce: "00".into(),
        token: "00".into(),
    }
}

fn told(kind: Kind) -> Notification {
    Notification {
        position: 7,
        kind,
        at: AT,
        by_name: Some("alice".into()),
        device: Some("Firefox on <b>".into()),
        title: Some("<b>".into()),
        subject: Some(Uuid::nil()),
        reason: Some("<i>".into()),
        unread: true,
    }
}
