//! The arithmetic of a sliding window, in milliseconds; `limit.lua` does the same.

use std::collections::VecDeque;

/// Two buckets of a window's length: what was counted in the one before counts by how much of it
/// still lies within the window.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Buckets {
    start: u64,
    now: u64,
    before: u64,
}

impl Buckets {
    /// Lets time pass.
    fn at(self, now: u64, span: u64) -> Self {
        let age = now.saturating_sub(self.start);
        if self.start == 0 || age >= 2 * span {
            return Self {
                start: now,
                ..Self::default()
            };
        }
        if age < span {
            return self;
        }
        Self {
            start: self.start + span,
            now: 0,
            before: self.now,
        }
    }

    /// Counts what lies within the window.
    pub(super) fn used(self, now: u64, span: u64) -> u64 {
        let it = self.at(now, span);
        let left = span - now.saturating_sub(it.start).min(span);
        it.now + (it.before * left).div_ceil(span)
    }

    /// Adds to what was counted.
    pub(super) fn add(&mut self, now: u64, span: u64, count: u64) {
        *self = self.at(now, span);
        self.now += count;
    }

    /// Takes one back.
    fn forgive(&mut self) {
        self.now = self.now.saturating_sub(1);
    }

    /// Gives the time until one more fits.
    fn wait(self, now: u64, span: u64, most: u64) -> u64 {
        let it = self.at(now, span);
        let ends = (it.start + span).saturating_sub(now);
        let room = most.saturating_sub(1);
        if it.now > room {
            // After the bucket's end so much of it must have left the window.
            let kept = span * room / it.now.max(1);
            return ends + span - kept;
        }
        let kept = span * (room - it.now) / it.before.max(1);
        ends.saturating_sub(kept)
    }
}

/// What was counted in one window.
#[derive(Debug, Clone)]
pub(super) enum Counted {
    /// By the time of each.
    Exact(VecDeque<u64>),
    /// In two buckets.
    Buckets(Buckets),
}

impl Counted {
    /// Begins empty; a small limit is counted exactly.
    pub(super) fn new(most: u32) -> Self {
        if most <= commands::limit::EXACT {
            Self::Exact(VecDeque::new())
        } else {
            Self::Buckets(Buckets::default())
        }
    }

    /// Counts what lies within the window.
    pub(super) fn used(&mut self, now: u64, span: u64) -> u64 {
        match self {
            Self::Exact(times) => {
                while times.front().is_some_and(|time| time + span <= now) {
                    times.pop_front();
                }
                u64::try_from(times.len()).unwrap_or(u64::MAX)
            }
            Self::Buckets(buckets) => buckets.used(now, span),
        }
    }

    /// Counts one more.
    pub(super) fn add(&mut self, now: u64, span: u64) {
        match self {
            Self::Exact(times) => times.push_back(now),
            Self::Buckets(buckets) => buckets.add(now, span, 1),
        }
    }

    /// Takes one back.
    pub(super) fn forgive(&mut self) {
        match self {
            Self::Exact(times) => {
                times.pop_back();
            }
            Self::Buckets(buckets) => buckets.forgive(),
        }
    }

    /// Gives the time until one more fits.
    pub(super) fn wait(&self, now: u64, span: u64, most: u64) -> u64 {
        match self {
            Self::Exact(times) => {
                let most = usize::try_from(most).unwrap_or(usize::MAX);
                let leaves = times.get(times.len().saturating_sub(most));
                leaves.map_or(span, |time| (time + span).saturating_sub(now))
            }
            Self::Buckets(buckets) => buckets.wait(now, span, most),
        }
    }

    /// Gives the time until all of the present bucket, or the first one that is known, has left.
    pub(super) fn resets(&self, now: u64, span: u64) -> u64 {
        match self {
            Self::Exact(times) => times
                .front()
                .map_or(0, |time| (time + span).saturating_sub(now)),
            Self::Buckets(buckets) => (buckets.at(now, span).start + span).saturating_sub(now),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Asks every so many milliseconds; gives when requests passed.
    fn passed(most: u32, span: u64, every: u64, upto: u64) -> Vec<u64> {
        let mut counted = Counted::new(most);
        let mut passed = vec![];
        for now in (1_000..upto).step_by(usize::try_from(every).unwrap()) {
            if counted.used(now, span) < u64::from(most) {
                counted.add(now, span);
                passed.push(now);
            }
        }
        passed
    }

    #[test]
    fn a_burst_gets_exactly_what_the_limit_says() {
        for most in [1, 5, 32, 33, 100, 1_000] {
            let passed = passed(most, 60_000, 1, 31_000);
            assert_eq!(passed.len(), usize::try_from(most).unwrap());
        }
    }

    #[test]
    fn an_exact_window_never_holds_more_than_its_limit_wherever_it_begins() {
        for every in [1, 7, 333, 1_999] {
            let passed = passed(5, 10_000, every, 100_000);
            for start in &passed {
                let within = passed
                    .iter()
                    .filter(|at| (*start..start + 10_000).contains(at));
                assert!(within.count() <= 5, "{every}");
            }
            assert!(passed.len() >= 25, "{every}: {}", passed.len());
        }
    }

    #[test]
    fn who_waits_as_long_as_told_passes_and_who_comes_earlier_does_not() {
        for most in [5, 100] {
            let (span, limit) = (60_000, u64::from(most));
            let mut counted = Counted::new(most);
            for at in 0..limit {
                counted.add(1_000 + at * 10, span);
            }
            let now = 2_500;
            assert!(counted.used(now, span) >= limit);
            let wait = counted.wait(now, span, limit);
            assert!((1..=2 * span).contains(&wait), "{wait}");
            assert!(
                counted.clone().used(now + wait - 2, span) >= limit,
                "{most}"
            );
            assert!(counted.used(now + wait + 1, span) < limit, "{most}");
        }
    }
}
