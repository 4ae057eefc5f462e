//! What the tracker measures of announces: how many came over which transport, with which outcome, and
//! how long each took from its being read to its being answered.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use projections::swarm::Announces;

use crate::Tracker;
use crate::announce::Failure;

/// How an announce came, by its place among [`Self::NAMES`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Transport(usize);

impl Transport {
    const NAMES: [&str; 3] = ["http", "udp", "websocket"];
    pub(crate) const HTTP: Self = Self(0);
    pub(crate) const UDP: Self = Self(1);
    pub(crate) const WEBSOCKET: Self = Self(2);
}

/// What may become of an announce.
const OUTCOMES: [&str; 9] = [
    "answered", "invalid", "passkey", "banned", "client", "torrent", "rules", "limits", "closed",
];

/// Gives the place of what became of an announce among [`OUTCOMES`].
fn outcome(refused: Option<Failure>) -> usize {
    let Some(failure) = refused else { return 0 };
    match failure {
        Failure::Invalid(_) => 1,
        Failure::PasskeyMissing | Failure::PasskeyUnknown => 2,
        Failure::Banned => 3,
        Failure::ClientNotAllowed => 4,
        Failure::TorrentUnknown | Failure::TorrentWithdrawn | Failure::TorrentNotApproved => 5,
        Failure::RatioTooLow { .. } | Failure::TooManyHitAndRuns(_) => 6,
        Failure::TooOften | Failure::TooManyAddresses | Failure::TooManySockets => 7,
        Failure::Closed => 8,
    }
}

/// The upper ends of the times that are told apart, in nanoseconds; what takes longer has no end.
const TIMES: [u64; 8] = [
    5_000, 10_000, 25_000, 50_000, 100_000, 500_000, 2_000_000, 10_000_000,
];

/// Counts over one transport since the start.
#[derive(Debug, Default)]
struct Counts {
    outcomes: [AtomicU64; OUTCOMES.len()],
    times: [AtomicU64; TIMES.len() + 1],
    nanos: AtomicU64,
}

/// How many threads count in a place of their own; more of them share.
const LANES: usize = 16;

/// The counts of some threads, on lines of the processor's cache that no other thread writes to.
#[derive(Debug, Default)]
#[repr(align(128))]
struct Lane([Counts; Transport::NAMES.len()]);

thread_local! {
    /// The place where this thread counts.
    static LANE: usize = {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        NEXT.fetch_add(1, Ordering::Relaxed) % LANES
    };
}

/// What is measured.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    lanes: [Lane; LANES],
    /// Whether a thread that answers ended by itself.
    broken: AtomicBool,
}

impl Measures {
    /// Counts an announce that took so long from its being read, and was refused for a reason or answered.
    pub(crate) fn count(&self, transport: Transport, took: Duration, refused: Option<Failure>) {
        let lane = LANE.with(|lane| self.lanes.get(*lane));
        let Some(counts) = lane.and_then(|lane| lane.0.get(transport.0)) else {
            return;
        };
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        let time = TIMES.iter().position(|end| nanos <= *end);
        let outcome = counts.outcomes.get(outcome(refused));
        let time = counts.times.get(time.unwrap_or(TIMES.len()));
        for counter in outcome.into_iter().chain(time) {
            counter.fetch_add(1, Ordering::Relaxed);
        }
        counts.nanos.fetch_add(nanos, Ordering::Relaxed);
    }

    /// Gives what was counted over each transport.
    pub(crate) fn announces(&self) -> Vec<Announces> {
        let seconds = |nanos: u64| Duration::from_nanos(nanos).as_secs_f64();
        let ends = TIMES.into_iter().map(seconds).chain([f64::INFINITY]);
        let told = Transport::NAMES.into_iter().enumerate();
        told.map(|(at, transport)| Announces {
            transport,
            outcomes: OUTCOMES
                .into_iter()
                .zip(self.sums(at, |counts| &counts.outcomes))
                .collect(),
            times: ends
                .clone()
                .zip(self.sums(at, |counts| &counts.times))
                .collect(),
            seconds: seconds(self.sums(at, |counts| std::array::from_ref(&counts.nanos))[0]),
        })
        .collect()
    }

    /// Adds up what all threads counted over a transport.
    fn sums<const MANY: usize>(
        &self,
        transport: usize,
        of: impl Fn(&Counts) -> &[AtomicU64; MANY],
    ) -> [u64; MANY] {
        let mut sums = [0; MANY];
        for counts in self.lanes.iter().filter_map(|lane| lane.0.get(transport)) {
            for (sum, counter) in sums.iter_mut().zip(of(counts)) {
                *sum += counter.load(Ordering::Relaxed);
            }
        }
        sums
    }

    /// Tells whether every thread that answers goes on.
    pub(crate) fn listens(&self) -> bool {
        !self.broken.load(Ordering::Relaxed)
    }
}

/// Held by a thread that answers: one that ends before it is told to is noted.
pub(crate) struct Listening<'a> {
    tracker: &'a Tracker,
    told: bool,
}

impl<'a> Listening<'a> {
    pub(crate) fn new(tracker: &'a Tracker) -> Self {
        let told = false;
        Self { tracker, told }
    }

    /// Ends as it was told.
    pub(crate) fn end(mut self) {
        self.told = true;
    }
}

impl Drop for Listening<'_> {
    fn drop(&mut self) {
        if !self.told {
            self.tracker
                .0
                .measures
                .broken
                .store(true, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn announces_are_counted_by_transport_outcome_and_time() {
        let measures = Measures::default();
        let unknown = Some(Failure::PasskeyUnknown);
        let at_once = Duration::from_nanos(1);
        measures.count(Transport::UDP, at_once, None);
        std::thread::scope(|scope| {
            scope.spawn(|| measures.count(Transport::UDP, at_once, unknown));
        });
        measures.count(Transport::HTTP, Duration::from_secs(1), None);
        let told = measures.announces();
        let told = |name| told.iter().find(|one| one.transport == name).unwrap();
        let had = |name, outcome| {
            let mut outcomes = told(name).outcomes.iter();
            outcomes.find(|(of, _)| *of == outcome).unwrap().1
        };
        assert_eq!((had("udp", "answered"), had("udp", "passkey")), (1, 1));
        assert_eq!((had("http", "answered"), had("http", "passkey")), (1, 0));
        assert_eq!(told("http").times.last(), Some(&(f64::INFINITY, 1)));
        assert!(told("http").seconds >= 1.0);
        assert!(told("udp").times.iter().map(|(_, many)| many).sum::<u64>() == 2);
    }

    #[test]
    fn a_thread_that_breaks_is_noted_and_one_that_is_told_to_end_is_not() {
        let tracker = crate::bench::tracker(crate::bench::Load::default());
        Listening::new(&tracker).end();
        assert!(tracker.0.measures.listens());
        let breaks = || {
            let _listening = Listening::new(&tracker);
            panic!("as if something had broken");
        };
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(breaks)).unwrap_err();
        assert!(!tracker.0.measures.listens());
    }
}
