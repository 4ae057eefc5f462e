//! Who is blocked waits for each refusal, the longer the more wait: however many connections a flood comes
//! on, it costs others little.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

/// How long one waits while few do.
const LEAST: Duration = Duration::from_millis(250);
/// So many wait no longer than one; twice as many twice as long.
const FEW: u32 = 64;
/// The longest that anybody waits.
const LONGEST: Duration = Duration::from_secs(4);

/// How many wait just now.
#[derive(Debug, Default)]
pub(super) struct Drag(AtomicU32);

impl Drag {
    /// Waits for one's turn to be refused.
    pub(super) async fn wait(&self) {
        let place = Place::of(&self.0);
        tokio::time::sleep(span(place.before)).await;
    }
}

/// One who waits, until they are refused or go.
struct Place<'a> {
    waiting: &'a AtomicU32,
    before: u32,
}

impl<'a> Place<'a> {
    fn of(waiting: &'a AtomicU32) -> Self {
        let before = waiting.fetch_add(1, Ordering::Relaxed);
        Self { waiting, before }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}

fn span(before: u32) -> Duration {
    LEAST.saturating_mul(before / FEW + 1).min(LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_more_wait_the_longer_each_does_until_they_go() {
        let waiting = AtomicU32::new(0);
        let mut places: Vec<_> = (0..1_000).map(|_| Place::of(&waiting)).collect();
        let spans: Vec<_> = places.iter().map(|place| span(place.before)).collect();
        assert_eq!(spans[..64], [LEAST; 64]);
        assert_eq!(spans[64], 2 * LEAST);
        assert_eq!(spans[999], Duration::from_secs(4));
        assert_eq!(span(100_000), LONGEST);
        places.drain(10..);
        assert_eq!(span(Place::of(&waiting).before), LEAST);
    }

    #[tokio::test]
    async fn who_goes_before_their_turn_makes_room() {
        let drag = Drag::default();
        for _ in 0..100 {
            let gone = tokio::time::timeout(Duration::ZERO, drag.wait()).await;
            assert!(gone.is_err());
        }
        assert_eq!(drag.0.load(Ordering::Relaxed), 0);
    }
}
