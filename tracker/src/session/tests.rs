//! Tests of [`super`].

use super::*;
use crate::announce::Families;
use domain::info_hash::InfoHash;
use proptest::prelude::*;
use std::collections::BTreeMap;
use uuid::Uuid;

fn report(event: Event, uploaded: u64, downloaded: u64) -> Announce {
    Announce {
        info_hash: InfoHash([0; 20]),
        peer_id: [0; 20],
        port: 1,
        uploaded,
        downloaded,
        left: 0,
        event,
        numwant: None,
        compact: true,
        no_peer_id: false,
        families: Families::Both,
    }
}

fn at(now: u32) -> Moment {
    Moment {
        now,
        part: 0,
        longest: 100,
        free: false,
        counted: (0, 0),
        begun: false,
    }
}

fn totals(session: &Session) -> (i32, u64, u64) {
    (
        session.totals.run,
        session.totals.uploaded,
        session.totals.downloaded,
    )
}

#[test]
fn repeated_and_late_reports_add_nothing() {
    let mut session = Session::default();
    for (uploaded, downloaded) in [(10, 5), (10, 5), (30, 5), (10, 5)] {
        session.report(&report(Event::Update, uploaded, downloaded), at(10));
    }
    assert_eq!(totals(&session), (0, 30, 5));
}

#[test]
fn a_client_that_starts_again_begins_a_run() {
    let mut session = Session::default();
    session.report(&report(Event::Started, 0, 0), at(0));
    session.report(&report(Event::Stopped, 50, 20), at(10));
    session.report(&report(Event::Started, 0, 0), at(11));
    session.report(&report(Event::Update, 7, 0), at(12));
    assert_eq!(totals(&session), (1, 7, 0));
}

#[test]
fn a_late_copy_of_started_begins_no_run() {
    let mut session = Session::default();
    session.report(&report(Event::Started, 0, 0), at(0));
    session.report(&report(Event::Update, 500, 0), at(5));
    session.report(&report(Event::Started, 0, 0), at(6));
    session.report(&report(Event::Update, 800, 0), at(7));
    assert_eq!(totals(&session), (0, 800, 0));
}

#[test]
fn the_first_report_after_a_restart_may_begin_a_run() {
    let mut first = Session::default();
    first.report(&report(Event::Update, 500, 0), at(5));
    let stored = first
        .totals
        .entry(MemberId(Uuid::nil()), TorrentId(Uuid::nil()));
    let mut session = Session::resumed(0, Some(stored), 0);
    assert!(session.report(&report(Event::Update, 20, 0), at(1)).new_run);
    assert_eq!(totals(&session), (1, 20, 0));
    assert!(session.report(&report(Event::Update, 10, 0), at(2)).shrunk);
}

#[test]
fn zeros_with_stopped_lose_nothing_and_other_shrinking_is_flagged() {
    let mut session = Session::default();
    session.report(&report(Event::Update, 50, 20), at(10));
    assert!(!session.report(&report(Event::Stopped, 0, 0), at(11)).shrunk);
    assert!(
        session
            .report(&report(Event::Update, 40, 20), at(12))
            .shrunk
    );
    assert_eq!(totals(&session), (0, 50, 20));
}

#[test]
fn trackers_agree_on_the_last_announce_whatever_their_clocks_say() {
    let (mut one, mut other) = (Session::default(), Session::default());
    // The clock of the first is behind.
    for (now_one, now_other) in [(10, 10), (10, 11), (9, 4_000)] {
        other.report(&report(Event::Started, 0, 0), at(now_other));
        one.learn(&other.totals);
        one.report(&report(Event::Stopped, 0, 0), at(now_one));
        assert!(other.learn(&one.totals).newer, "{now_one} {now_other}");
        assert!(other.totals.stopped);
        one.report(&report(Event::Started, 0, 0), at(now_one));
        other.learn(&one.totals);
    }
    // Two in one second that know nothing of each other yet: the later one counts.
    let late = Moment {
        part: 9,
        ..at(4_999)
    };
    one.report(&report(Event::Stopped, 0, 0), late);
    other.report(&report(Event::Update, 0, 0), at(4_999));
    let told = (one.totals, other.totals);
    one.learn(&told.1);
    other.learn(&told.0);
    assert!(one.totals.stopped && other.totals.stopped);
    // Two at once.
    one.report(&report(Event::Stopped, 0, 0), at(5_000));
    other.report(&report(Event::Update, 0, 0), at(5_000));
    let told = (one.totals, other.totals);
    one.learn(&told.1);
    other.learn(&told.0);
    assert!(!one.totals.stopped && !other.totals.stopped);
}

#[test]
fn completing_counts_once() {
    let mut session = Session::default();
    assert!(
        session
            .report(&report(Event::Completed, 0, 9), at(1))
            .completed
    );
    assert!(
        !session
            .report(&report(Event::Completed, 0, 9), at(2))
            .completed
    );
}

#[test]
fn who_wants_nothing_any_more_has_completed_without_saying_so() {
    let wants = |left, downloaded| Announce {
        left,
        ..report(Event::Update, 0, downloaded)
    };
    let mut session = Session::default();
    assert!(!session.report(&wants(9, 0), at(1)).completed);
    assert!(session.report(&wants(0, 9), at(2)).completed);
    assert!(!session.report(&wants(0, 9), at(3)).completed, "once");
    let mut found = Session::default();
    found.report(&wants(9, 0), at(1));
    assert!(
        !found.report(&wants(0, 0), at(2)).completed,
        "it was found on the disk"
    );
    let mut leaves = Session::default();
    leaves.report(&wants(9, 5), at(1));
    let zeros = report(Event::Stopped, 0, 0);
    assert!(!leaves.report(&zeros, at(2)).completed, "a habit of some");
    let stored = session
        .totals
        .entry(MemberId(Uuid::nil()), TorrentId(Uuid::nil()));
    let late = Entry {
        left: Bytes(9),
        completed: false,
        ..stored
    };
    let mut resumed = Session::resumed(0, Some(late), 0);
    assert!(
        resumed.report(&wants(0, 9), at(4)).completed,
        "over a restart"
    );
}

#[test]
fn time_is_added_to_the_side_and_capped() {
    let mut session = Session::default();
    session.set_place(Some((Side::Seeders, 0)));
    session.report(&report(Event::Update, 0, 0), at(40));
    session.report(&report(Event::Update, 0, 0), at(4_000));
    assert_eq!((session.totals.seeded, session.totals.leeched), (140, 0));
}

#[test]
fn what_comes_while_it_is_free_is_not_charged() {
    let free = |now| Moment {
        free: true,
        ..at(now)
    };
    let mut session = Session::default();
    session.report(&report(Event::Started, 0, 0), at(0));
    session.report(&report(Event::Update, 0, 10), at(1));
    session.report(&report(Event::Update, 0, 30), free(2));
    session.report(&report(Event::Update, 0, 35), at(3));
    assert_eq!(
        (session.totals.downloaded, session.totals.charged),
        (35, 15)
    );
    session.report(&report(Event::Started, 0, 0), at(200));
    session.report(&report(Event::Update, 0, 5), free(201));
    assert_eq!((session.totals.downloaded, session.totals.charged), (5, 0));
}

proptest! {
    /// Whatever is doubled, delayed within its run or cut off by a crash: once the client's last
    /// report has arrived, its runs add up to what it claims.
    #[test]
    fn what_is_recorded_equals_the_claims(
        runs in prop::collection::vec(prop::collection::vec((0_u64..1_000, 0_u64..1_000), 1..6), 1..4),
        crash in any::<Vec<bool>>(),
    ) {
        let (member, torrent) = (MemberId(Uuid::nil()), TorrentId(Uuid::nil()));
        let mut ledger: BTreeMap<i32, Entry> = BTreeMap::new();
        let mut session = Session::resumed(7, None, 0);
        let (mut now, mut claimed) = (0, (0, 0));
        let mut crash = crash.into_iter().chain(std::iter::repeat(false));
        for steps in &runs {
            now += COPY_WINDOW + 1;
            if session.report(&report(Event::Started, 0, 0), at(now)).new_run {
                // A new run is handed over at once.
                let entry = session.totals.entry(member, torrent);
                ledger.insert(entry.run, entry);
            }
            let mut sum = (0, 0);
            for (up, down) in steps {
                now += 1;
                let before = sum;
                sum = (sum.0 + up, sum.1 + down);
                session.report(&report(Event::Update, sum.0, sum.1), at(now));
                session.report(&report(Event::Update, before.0, before.1), at(now));
                let entry = session.totals.entry(member, torrent);
                if crash.next() == Some(true) {
                    session = Session::resumed(7, ledger.last_key_value().map(|(_, e)| e.clone()), now);
                } else {
                    ledger.insert(entry.run, entry);
                }
            }
            // The client goes on after a crash, and its next report brings back what was lost.
            session.report(&report(Event::Update, sum.0, sum.1), at(now));
            let entry = session.totals.entry(member, torrent);
            ledger.insert(entry.run, entry);
            claimed = (claimed.0 + sum.0, claimed.1 + sum.1);
        }
        let sums = ledger.values().fold((0, 0), |sum, e| (sum.0 + e.uploaded.0, sum.1 + e.downloaded.0));
        prop_assert_eq!(sums, claimed);
    }
}
