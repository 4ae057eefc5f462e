//! What the tracker measures of announces: how many came over which transport, with which outcome, and
//! how long each took from its being read to its being answered.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

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

/// What is measured.
#[derive(Debug, Default)]
pub(crate) struct Measures {
    counts: [Counts; Transport::NAMES.len()],
    /// Whether a thread that answers ended by itself.
    broken: AtomicBool,
}

impl Measures {
    /// Counts an announce that was read at `began` and refused for a reason, or answered.
    pub(crate) fn count(&self, transport: Transport, began: Instant, refused: Option<Failure>) {
        let Some(counts) = self.counts.get(transport.0) else {
            return;
        };
        let nanos = u64::try_from(began.elapsed().as_nanos()).unwrap_or(u64::MAX);
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
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let seconds = |nanos: u64| std::time::Duration::from_nanos(nanos).as_secs_f64();
        let ends = TIMES.into_iter().map(seconds).chain([f64::INFINITY]);
        let told = Transport::NAMES.into_iter().zip(&self.counts);
        told.map(|(transport, counts)| Announces {
            transport,
            outcomes: OUTCOMES
                .into_iter()
                .zip(counts.outcomes.iter().map(read))
                .collect(),
            times: ends.clone().zip(counts.times.iter().map(read)).collect(),
            seconds: seconds(read(&counts.nanos)),
        })
        .collect()
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
        measures.count(Transport::UDP, Instant::now(), None);
        measures.count(
            Transport::UDP,
            Instant::now(),
            Some(Failure::PasskeyUnknown),
        );
        let second = std::time::Duration::from_secs(1);
        let long_ago = Instant::now().checked_sub(second).unwrap();
        measures.count(Transport::HTTP, long_ago, None);
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
