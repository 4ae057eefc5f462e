//! What one client reported on one torrent: totals, times, runs.
//!
//! A client counts from 0 when it starts; such a count is a run. What is credited for a run is the
//! greatest total that it ever reported, so a repeated, doubled or late report adds nothing. A new
//! run begins with `started` and smaller totals, unless the last `started` was a moment ago: then
//! the smaller totals are a late copy of it, as a client sends one over each family. The first report
//! after a restart of the tracker may begin a run without `started`, which was lost then. Totals that
//! shrink otherwise are kept at their greatest: `stopped` with zeros is a habit of some clients,
//! anything else is flagged.

use std::cmp::Reverse;

use domain::amount::{Bytes, Seconds};
use domain::id::{MemberId, TorrentId};
use domain::traffic::Entry;
use serde::{Deserialize, Serialize};

use crate::announce::{Announce, Event};
use crate::swarm::Side;

/// Seconds within which a second `started` is a copy of the first.
const COPY_WINDOW: u32 = 120;

/// Where a client's totals stand on one torrent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    /// The client's hash in the ledger.
    pub(crate) client: u64,
    run: i32,
    pub(crate) uploaded: u64,
    pub(crate) downloaded: u64,
    /// What of the download counts against the member's ratio.
    charged: u64,
    pub(crate) left: u64,
    seeded: u32,
    leeched: u32,
    pub(crate) completed: bool,
    stopped: bool,
    /// When it announced last, in seconds since 1970; never before what was known when it did.
    pub(crate) last: u32,
    /// The part of the next second, in 65,536ths, by which trackers tell which announce was the last.
    part: u16,
    /// When it said that it started, or 0.
    started: u32,
}

/// A client's session on one torrent.
#[derive(Debug, Clone, Default)]
pub(crate) struct Session {
    pub(crate) totals: Totals,
    /// Whether nothing was reported since the ledger told of it.
    resumed: bool,
    /// Whether it changed since the last hand-over.
    pub(crate) dirty: bool,
    /// Whether it changed since other trackers were told.
    pub(crate) untold: bool,
    place: Place,
}

/// A side and a slot of it, or none, in four bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Place(u32);

impl Place {
    const SEEDER: u32 = 1 << 31;

    fn of(place: Option<(Side, u32)>) -> Self {
        Self(match place {
            None => 0,
            Some((Side::Seeders, slot)) => (slot + 1) | Self::SEEDER,
            Some((Side::Leechers, slot)) => slot + 1,
        })
    }

    fn get(self) -> Option<(Side, u32)> {
        let slot = (self.0 & !Self::SEEDER).checked_sub(1)?;
        let side = if self.0 & Self::SEEDER == 0 {
            Side::Leechers
        } else {
            Side::Seeders
        };
        Some((side, slot))
    }
}

/// What was new in what another tracker told.
pub(crate) struct Learned {
    /// It is the client's last announce, as far as anybody here knows.
    pub(crate) newer: bool,
    /// The client completed the download, which wasn't known here.
    pub(crate) completed: bool,
    /// Where a run ended that is still to be handed over.
    pub(crate) ended: Option<Totals>,
}

/// When a report comes, and what holds then.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Seconds since 1970.
    pub(crate) now: u32,
    /// The part of the next one, in 65,536ths.
    pub(crate) part: u16,
    /// The most seconds that one announce may add.
    pub(crate) longest: u32,
    /// Whether downloads aren't charged.
    pub(crate) free: bool,
}

/// What a client moved between two reports.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Moved {
    /// Bytes sent.
    pub(crate) sent: u64,
    /// Bytes received.
    pub(crate) got: u64,
    /// Seconds between the two.
    pub(crate) passed: u32,
}

/// What a report did beyond raising totals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Reported {
    /// What was moved since the report before.
    pub(crate) moved: Moved,
    /// The client completed the download in this run, for the first time.
    pub(crate) completed: bool,
    /// The client started again from less.
    pub(crate) new_run: bool,
    /// Where the run before ended, if that is still to be handed over.
    pub(crate) ended: Option<Totals>,
    /// Totals shrank without a reason that is known.
    pub(crate) shrunk: bool,
}

impl Session {
    /// Gives its place among the seeders or the leechers, while it is a peer.
    pub(crate) fn place(&self) -> Option<(Side, u32)> {
        self.place.get()
    }

    /// Notes its place.
    pub(crate) fn set_place(&mut self, place: Option<(Side, u32)>) {
        self.place = Place::of(place);
    }

    /// Begins where the ledger says that the client stood.
    pub(crate) fn resumed(client: u64, stored: Option<Entry>, now: u32) -> Self {
        let totals = Totals {
            client,
            last: now,
            ..Totals::default()
        };
        let Some(stored) = stored else {
            return Self {
                totals,
                ..Self::default()
            };
        };
        Self {
            totals: Totals {
                run: stored.run,
                uploaded: stored.uploaded.0,
                downloaded: stored.downloaded.0,
                charged: stored.charged.0,
                left: stored.left.0,
                seeded: u32::try_from(stored.seeded.0).unwrap_or(u32::MAX),
                leeched: u32::try_from(stored.leeched.0).unwrap_or(u32::MAX),
                completed: stored.completed,
                ..totals
            },
            resumed: true,
            ..Self::default()
        }
    }

    /// Takes a report.
    pub(crate) fn report(&mut self, announce: &Announce, at: Moment) -> Reported {
        let now = at.now;
        let mut reported = Reported::default();
        let passed = self.pass_time(at);
        let totals = &mut self.totals;
        let smaller =
            announce.uploaded < totals.uploaded || announce.downloaded < totals.downloaded;
        if smaller && totals.starts_anew(announce.event, now, self.resumed) {
            reported.ended = self.dirty.then_some(*totals);
            reported.new_run = true;
            totals.begin_run();
        } else {
            reported.shrunk = smaller && !matches!(announce.event, Event::Started | Event::Stopped);
        }
        let sent = announce.uploaded.saturating_sub(totals.uploaded);
        let got = announce.downloaded.saturating_sub(totals.downloaded);
        reported.moved = Moved { sent, got, passed };
        totals.uploaded += sent;
        totals.downloaded += got;
        totals.charged += if at.free { 0 } else { got };
        if announce.event == Event::Started {
            totals.started = now;
        }
        if announce.event == Event::Completed && announce.left == 0 {
            reported.completed = !totals.completed;
            totals.completed = true;
        }
        totals.left = announce.left;
        totals.stopped = announce.event == Event::Stopped;
        self.resumed = false;
        self.dirty = true;
        reported
    }

    /// Takes over what another tracker was told by the same client.
    pub(crate) fn learn(&mut self, told: &Totals) -> Learned {
        let totals = &mut self.totals;
        let newer = told.order() >= totals.order();
        let completed = told.completed && (told.run > totals.run || !totals.completed);
        let mut ended = None;
        if told.run > totals.run {
            ended = self.dirty.then_some(*totals);
            *totals = *told;
        } else if told.run == totals.run {
            totals.uploaded = totals.uploaded.max(told.uploaded);
            totals.downloaded = totals.downloaded.max(told.downloaded);
            totals.charged = totals.charged.max(told.charged);
            totals.seeded = totals.seeded.max(told.seeded);
            totals.leeched = totals.leeched.max(told.leeched);
            totals.completed |= told.completed;
        }
        if newer {
            (totals.left, totals.stopped) = (told.left, told.stopped);
            (totals.last, totals.part) = (told.last, told.part);
            totals.started = totals.started.max(told.started);
            self.resumed = false;
        }
        Learned {
            newer,
            completed,
            ended,
        }
    }

    /// Adds the time since the last announce to the side on which the client was, and gives it.
    fn pass_time(&mut self, at: Moment) -> u32 {
        let totals = &mut self.totals;
        let since = at.now.saturating_sub(totals.last);
        let passed = since.min(at.longest);
        match self.place.get() {
            Some((Side::Seeders, _)) => totals.seeded = totals.seeded.saturating_add(passed),
            Some((Side::Leechers, _)) => totals.leeched = totals.leeched.saturating_add(passed),
            None => {}
        }
        // Another tracker's clock may be ahead, and what it told came before.
        (totals.last, totals.part) = (at.now, at.part).max(totals.after());
        since
    }

    /// Tells whether nothing more is to be expected of it.
    pub(crate) fn is_over(&self, now: u32) -> bool {
        const DAY: u32 = 86_400;
        let remembered = if self.totals.stopped { DAY } else { 14 * DAY };
        let settled = !self.dirty && !self.untold && self.place().is_none();
        settled && now.saturating_sub(self.totals.last) > remembered
    }
}

impl Totals {
    /// Gives what grows with each announce. Of two at once that know nothing of each other every tracker
    /// takes the same, rather one that stays.
    fn order(&self) -> (u32, u16, bool, Reverse<u64>) {
        (self.last, self.part, !self.stopped, Reverse(self.left))
    }

    /// Gives the first moment behind the last announce.
    fn after(&self) -> (u32, u16) {
        match self.part.checked_add(1) {
            Some(part) => (self.last, part),
            None => (self.last.saturating_add(1), 0),
        }
    }

    fn starts_anew(&self, event: Event, now: u32, resumed: bool) -> bool {
        let long_ago = now.saturating_sub(self.started) > COPY_WINDOW;
        match event {
            Event::Started => self.stopped || long_ago,
            Event::Stopped => false,
            Event::Update | Event::Completed | Event::Paused => resumed,
        }
    }

    fn begin_run(&mut self) {
        self.run = self.run.saturating_add(1);
        (self.uploaded, self.downloaded, self.charged) = (0, 0, 0);
        (self.seeded, self.leeched, self.completed) = (0, 0, false);
    }

    /// Writes the totals as the ledger's entry.
    pub(crate) fn entry(&self, member: MemberId, torrent: TorrentId) -> Entry {
        Entry {
            member,
            torrent,
            client: format!("{:016x}", self.client),
            run: self.run,
            uploaded: Bytes(self.uploaded),
            downloaded: Bytes(self.downloaded),
            charged: Bytes(self.charged),
            left: Bytes(self.left),
            seeded: Seconds(self.seeded.into()),
            leeched: Seconds(self.leeched.into()),
            completed: self.completed,
        }
    }
}

#[cfg(test)]
mod tests {
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
    fn time_is_added_to_the_side_and_capped() {
        let mut session = Session {
            place: Place::of(Some((Side::Seeders, 0))),
            ..Session::default()
        };
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
}
