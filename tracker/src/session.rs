//! What one client reported on one torrent: totals, times, runs.
//!
//! A client counts from 0 when it starts; such a count is a run. What is credited for a run is the
//! greatest total that it ever reported, so a repeated, doubled or late report adds nothing. A new
//! run begins with `started` and smaller totals, unless the last `started` was a moment ago: then
//! the smaller totals are a late copy of it, as a client sends one over each family. The first report
//! after a restart of the tracker may begin a run without `started`, which was lost then. Totals that
//! shrink otherwise are kept at their greatest: `stopped` with zeros is a habit of some clients,
//! anything else is flagged.
//!
//! A download is completed when the client says so, or when it wants nothing any more of what it wanted
//! before, be it under another peer id.
//! Of several clients of one member that seed one torrent, each adds the time that none of them added yet.

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

/// A client's session on one torrent, in 88 bytes.
#[derive(Debug, Clone, Default)]
pub(crate) struct Session {
    pub(crate) totals: Totals,
    /// The client's peer id.
    pub(crate) peer: [u8; 20],
    bits: Bits,
}

/// A side and a slot of it, or none, and four marks, in four bytes.
#[derive(Debug, Clone, Copy, Default)]
struct Bits(u32);

/// What is noted of a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Mark(u32);

impl Mark {
    /// Nothing was reported since the ledger told of it.
    const RESUMED: Self = Self(1 << 30);
    /// It changed since the last hand-over.
    pub(crate) const DIRTY: Self = Self(1 << 29);
    /// It changed since other trackers were told.
    pub(crate) const UNTOLD: Self = Self(1 << 28);
    /// It was let in and completed the download in an earlier run.
    const ONCE: Self = Self(1 << 27);
}

impl Bits {
    const SEEDER: u32 = 1 << 31;
    /// Where the slot stands, from 1: a swarm has fewer than 134 million peers.
    const SLOT: u32 = (1 << 27) - 1;

    fn put(&mut self, place: Option<(Side, u32)>) {
        let bits = match place {
            None => 0,
            Some((Side::Seeders, slot)) => ((slot + 1) & Self::SLOT) | Self::SEEDER,
            Some((Side::Leechers, slot)) => (slot + 1) & Self::SLOT,
        };
        self.0 = self.0 & !(Self::SLOT | Self::SEEDER) | bits;
    }

    fn get(self) -> Option<(Side, u32)> {
        let slot = (self.0 & Self::SLOT).checked_sub(1)?;
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
    /// The stretch of the member's time as a seeder that other clients added already.
    pub(crate) counted: (u32, u32),
    /// Whether another client of the member began the download that this one has whole.
    pub(crate) begun: bool,
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
        self.bits.get()
    }

    /// Notes its place.
    pub(crate) fn set_place(&mut self, place: Option<(Side, u32)>) {
        self.bits.put(place);
    }

    /// Tells whether something is noted of it.
    pub(crate) fn is(&self, mark: Mark) -> bool {
        self.bits.0 & mark.0 != 0
    }

    /// Notes something of it; tells whether that is new.
    pub(crate) fn mark(&mut self, mark: Mark) -> bool {
        let is_new = !self.is(mark);
        self.bits.0 |= mark.0;
        is_new
    }

    /// Takes a note of it back.
    pub(crate) fn unmark(&mut self, mark: Mark) {
        self.bits.0 &= !mark.0;
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
        let mut session = Self {
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
            ..Self::default()
        };
        session.mark(Mark::RESUMED);
        session
    }

    /// Takes a report.
    pub(crate) fn report(&mut self, announce: &Announce, at: Moment) -> Reported {
        let now = at.now;
        let mut reported = Reported::default();
        let passed = self.pass_time(at);
        let (resumed, dirty) = (self.is(Mark::RESUMED), self.is(Mark::DIRTY));
        let totals = &mut self.totals;
        let smaller =
            announce.uploaded < totals.uploaded || announce.downloaded < totals.downloaded;
        if smaller && totals.starts_anew(announce.event, now, resumed) {
            reported.ended = dirty.then_some(*totals);
            reported.new_run = true;
            self.end_run();
            self.totals.begin_run();
        } else {
            reported.shrunk = smaller && !matches!(announce.event, Event::Started | Event::Stopped);
        }
        let totals = &mut self.totals;
        let sent = announce.uploaded.saturating_sub(totals.uploaded);
        let got = announce.downloaded.saturating_sub(totals.downloaded);
        reported.moved = Moved { sent, got, passed };
        totals.uploaded += sent;
        totals.downloaded += got;
        totals.charged += if at.free { 0 } else { got };
        if announce.event == Event::Started {
            totals.started = now;
        }
        // What shrank is believed in nothing.
        let believed = announce.downloaded == totals.downloaded;
        let finished = totals.left > 0 && totals.downloaded > 0 && believed;
        let whole = finished || at.begun || announce.event == Event::Completed;
        if announce.left == 0 && whole {
            reported.completed = !totals.completed;
            totals.completed = true;
        }
        totals.left = announce.left;
        totals.stopped = announce.event == Event::Stopped;
        self.unmark(Mark::RESUMED);
        self.mark(Mark::DIRTY);
        reported
    }

    /// Takes over what another tracker was told by the same client.
    pub(crate) fn learn(&mut self, told: &Totals) -> Learned {
        let totals = self.totals;
        let newer = told.order() >= totals.order();
        let completed = told.completed && (told.run > totals.run || !totals.completed);
        let mut ended = None;
        if told.run > totals.run {
            ended = self.is(Mark::DIRTY).then_some(totals);
            self.end_run();
            self.totals = *told;
        } else if told.run == totals.run {
            let totals = &mut self.totals;
            totals.uploaded = totals.uploaded.max(told.uploaded);
            totals.downloaded = totals.downloaded.max(told.downloaded);
            totals.charged = totals.charged.max(told.charged);
            totals.seeded = totals.seeded.max(told.seeded);
            totals.leeched = totals.leeched.max(told.leeched);
            totals.completed |= told.completed;
        }
        if newer {
            let totals = &mut self.totals;
            (totals.left, totals.stopped) = (told.left, told.stopped);
            (totals.last, totals.part) = (told.last, told.part);
            totals.started = totals.started.max(told.started);
            self.unmark(Mark::RESUMED);
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
        match self.bits.get() {
            Some((Side::Seeders, _)) => {
                let (from, till) = at.counted;
                let from = from.max(at.now.saturating_sub(passed));
                let alone = passed - till.min(at.now).saturating_sub(from).min(passed);
                totals.seeded = totals.seeded.saturating_add(alone);
            }
            // A second at least: it tells who was let in.
            Some((Side::Leechers, _)) => {
                totals.leeched = totals.leeched.saturating_add(passed).max(1);
            }
            None => {}
        }
        // Another tracker's clock may be ahead, and what it told came before.
        (totals.last, totals.part) = (at.now, at.part).max(totals.after());
        since
    }

    /// Remembers of a run that ends whether the download was completed in it.
    fn end_run(&mut self) {
        if self.has_completed() {
            self.mark(Mark::ONCE);
        }
    }

    /// Tells whether it was let in to download, and completed it.
    pub(crate) fn has_completed(&self) -> bool {
        self.is(Mark::ONCE) || self.totals.completed && self.totals.leeched > 0
    }

    /// Tells whether nothing more is to be expected of it.
    pub(crate) fn is_over(&self, now: u32) -> bool {
        const DAY: u32 = 86_400;
        let remembered = if self.totals.stopped { DAY } else { 14 * DAY };
        let waits = self.is(Mark::DIRTY) || self.is(Mark::UNTOLD);
        let settled = !waits && self.place().is_none();
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

    /// Tells whether it was let in to download, received something and wanted more at last.
    pub(crate) fn has_begun(&self) -> bool {
        self.left > 0 && self.downloaded > 0 && self.leeched > 0
    }

    /// Gives for how many seconds it seeded beyond what is known.
    pub(crate) fn seeded_beyond(&self, known: &Self) -> u32 {
        let before = if self.run > known.run {
            0
        } else {
            known.seeded
        };
        self.seeded.saturating_sub(before)
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
mod tests;
