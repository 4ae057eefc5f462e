//! The limiter in the process: what `limit.lua` does in Redis, for one node, and for each where Redis
//! is away.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use commands::limit::{
    EXACT, LONGEST_WAIT, MEMORY, Past, Question, Rules, Subject, Verdict, Why, Window,
};

pub mod call;
mod list;
pub mod shared;
mod window;

pub(crate) use list::is_called;

use window::{Buckets, Counted};

/// Subjects above which those that matter no longer are swept out.
const SWEEP_ABOVE: usize = 4_096;
/// The most subjects that are remembered; past it windows are forgotten, and no block.
const MOST: usize = 200_000;

/// Gives a time in milliseconds.
pub(crate) fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// A limiter that is gone with the process.
pub struct InProcess {
    rules: Rules,
    began: Instant,
    state: Mutex<State>,
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

/// A window's name, whose it is, and whether it is counted exactly: limits of a member may change.
type Key = (&'static str, Subject, bool);

fn key(window: &Window) -> Key {
    (window.name, window.whose, window.most <= EXACT)
}

#[derive(Default)]
struct State {
    windows: HashMap<Key, Held>,
    addresses: HashMap<Subject, Address>,
    sweep_at: usize,
}

/// One window of one subject.
struct Held {
    counted: Counted,
    /// Till when they wait whatever was counted.
    hold: u64,
    /// How often they went past the limit, and till when that is remembered.
    repeats: (u32, u64),
    /// When nothing of it matters any more.
    over: u64,
}

/// What is known of an address.
#[derive(Default)]
struct Address {
    flood: Buckets,
    score: Buckets,
    about: String,
    strikes: (u32, u64),
    blocks: (u32, u64),
    block: Option<Blocked>,
    over: u64,
}

struct Blocked {
    until: u64,
    why: Why,
    about: String,
    since: i64,
    /// Whether this node made it, and nobody else knows of it.
    own: bool,
}

impl InProcess {
    /// Begins without counts and blocks.
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            began: Instant::now(),
            state: Mutex::default(),
        }
    }

    /// Milliseconds since the start by a clock that nobody sets back, and never 0.
    fn now(&self) -> u64 {
        millis(self.began.elapsed()) + 1
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what becomes of a request, and counts it.
    pub fn decide(&self, question: &Question<'_>) -> Verdict {
        self.decide_at(question, self.now())
    }

    fn decide_at(&self, question: &Question<'_>, now: u64) -> Verdict {
        let mut state = self.state();
        state.sweep(now);
        if let Some(verdict) = self.address(&mut state, question, now) {
            return verdict;
        }
        let full = question.windows.iter().enumerate().find_map(|(at, one)| {
            let wait = state.full(one, now)?;
            Some((at, one, wait))
        });
        if let Some((window, one, wait)) = full {
            let struck = one.past == Past::Strike && self.rules.strikes > 0;
            if struck && self.strike(&mut state, question.address, now) {
                return self.block(&mut state, question.address, Why::SignIn, now);
            }
            let wait = Duration::from_millis(wait);
            return Verdict::Waits { window, wait };
        }
        let mut first = None;
        for one in question.windows.iter().filter(|one| one.most > 0) {
            let span = millis(one.span);
            let held = state.held(one);
            held.counted.add(now, span);
            held.over = held.over.max(now + 2 * span);
            let left = u64::from(one.most).saturating_sub(held.counted.used(now, span));
            first.get_or_insert((left, held.counted.resets(now, span)));
        }
        let (left, resets) = first.unwrap_or((0, 0));
        Verdict::Passes {
            left: u32::try_from(left).unwrap_or(u32::MAX),
            resets: Duration::from_millis(resets),
        }
    }

    /// Looks for a block, counts the flood and the points, and blocks where there are too many.
    fn address(&self, state: &mut State, question: &Question<'_>, now: u64) -> Option<Verdict> {
        let rules = &self.rules;
        let floods = question.floods && rules.flood > 0;
        let scores = question.points > 0 && rules.score > 0;
        if !floods && !scores && !state.addresses.contains_key(&question.address) {
            return None;
        }
        let known = state.addresses.entry(question.address).or_default();
        if let Some(block) = known.block.as_ref().filter(|block| block.until > now) {
            return Some(Verdict::Blocked {
                left: Duration::from_millis(block.until - now),
                why: block.why,
                fresh: false,
            });
        }
        if floods {
            let span = millis(rules.flood_span);
            known.flood.add(now, span, 1);
            known.over = known.over.max(now + 2 * span);
            if known.flood.used(now, span) > u64::from(rules.flood) {
                return Some(self.block(state, question.address, Why::Flood, now));
            }
        }
        if scores {
            let span = millis(rules.score_span);
            known.score.add(now, span, u64::from(question.points));
            question.about.clone_into(&mut known.about);
            known.over = known.over.max(now + 2 * span);
            if known.score.used(now, span) >= u64::from(rules.score) {
                return Some(self.block(state, question.address, Why::Attack, now));
            }
        }
        None
    }

    /// Counts a refused sign-in; tells whether it was one too many.
    fn strike(&self, state: &mut State, address: Subject, now: u64) -> bool {
        let known = state.addresses.entry(address).or_default();
        let before = if known.strikes.1 > now {
            known.strikes.0
        } else {
            0
        };
        known.strikes = (before + 1, now + millis(MEMORY));
        known.over = known.over.max(known.strikes.1);
        known.strikes.0 >= self.rules.strikes
    }

    fn block(&self, state: &mut State, address: Subject, why: Why, now: u64) -> Verdict {
        let known = state.addresses.entry(address).or_default();
        let before = if known.blocks.1 > now {
            known.blocks.0
        } else {
            0
        };
        let doubled = millis(self.rules.first).saturating_mul(1 << before.min(30));
        let left = doubled.min(millis(self.rules.longest));
        known.blocks = (before + 1, now + left + millis(MEMORY));
        known.over = known.over.max(known.blocks.1);
        known.strikes = (0, 0);
        known.score = Buckets::default();
        known.block = Some(Blocked {
            until: now + left,
            why,
            about: if why == Why::Attack {
                std::mem::take(&mut known.about)
            } else {
                String::new()
            },
            since: seconds(),
            own: true,
        });
        Verdict::Blocked {
            left: Duration::from_millis(left),
            why,
            fresh: true,
        }
    }

    /// Takes over a block that another limiter made, so that it holds where that one is away.
    fn remember(&self, address: Subject, left: Duration, why: Why) {
        let now = self.now();
        let mut state = self.state();
        state.sweep(now);
        let known = state.addresses.entry(address).or_default();
        let until = now + millis(left);
        known.over = known.over.max(until);
        let held = known.block.take().filter(|block| block.until > now);
        let held = held.filter(|block| block.why == why);
        let (about, since) = held.map_or_else(
            || (String::new(), seconds()),
            |block| (block.about, block.since),
        );
        known.block = Some(Blocked {
            until,
            why,
            about,
            since,
            own: false,
        });
    }

    /// Ends the block of an address, and forgets what led to it.
    fn forget(&self, address: &Subject) {
        self.state().addresses.remove(address);
    }
}

/// Gives seconds since 1970.
pub(crate) fn seconds() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    i64::try_from(since.unwrap_or_default().as_secs()).unwrap_or(i64::MAX)
}

impl State {
    fn held(&mut self, window: &Window) -> &mut Held {
        self.windows.entry(key(window)).or_insert_with(|| Held {
            counted: Counted::new(window.most),
            hold: 0,
            repeats: (0, 0),
            over: 0,
        })
    }

    /// Gives how long they must wait where a window is full.
    fn full(&mut self, window: &Window, now: u64) -> Option<u64> {
        if window.most == 0 {
            return None;
        }
        let (span, most) = (millis(window.span), u64::from(window.most));
        let held = self.held(window);
        if held.hold > now {
            return Some(held.hold - now);
        }
        if held.counted.used(now, span) < most {
            return None;
        }
        if window.past != Past::Double {
            return Some(held.counted.wait(now, span, most).max(1));
        }
        let before = if held.repeats.1 > now {
            held.repeats.0
        } else {
            0
        };
        let doubled = span.saturating_mul(1 << before.min(30));
        let wait = doubled.min(millis(LONGEST_WAIT).max(span));
        held.hold = now + wait;
        held.repeats = (before + 1, held.hold + millis(LONGEST_WAIT));
        held.over = held.over.max(held.repeats.1);
        Some(wait)
    }

    /// Forgets what matters no longer, and windows where there are too many of them.
    fn sweep(&mut self, now: u64) {
        let many = self.windows.len() + self.addresses.len();
        if many < self.sweep_at.max(SWEEP_ABOVE) {
            return;
        }
        self.windows.retain(|_, held| held.over > now);
        self.addresses.retain(|_, known| known.over > now);
        if self.windows.len() + self.addresses.len() > MOST {
            self.windows.clear();
            let blocked = |known: &mut Address| {
                let block = known.block.as_ref();
                block.is_some_and(|block| block.until > now)
            };
            self.addresses.retain(|_, known| blocked(known));
        }
        self.sweep_at = (self.windows.len() + self.addresses.len()) * 2;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules {
            flood: 100,
            flood_span: Duration::from_secs(10),
            score: 30,
            score_span: Duration::from_mins(10),
            strikes: 3,
            first: Duration::from_mins(5),
            longest: Duration::from_hours(24),
        }
    }

    fn flood(address: u8) -> Question<'static> {
        Question {
            address: [address; 16],
            floods: true,
            points: 0,
            about: "",
            windows: &[],
        }
    }

    #[test]
    fn blocks_double_up_to_a_day() {
        let limiter = InProcess::new(rules());
        let mut now = 1;
        let mut minutes = vec![];
        for _ in 0..11 {
            let left = loop {
                match limiter.decide_at(&flood(1), now) {
                    Verdict::Blocked {
                        left, fresh: true, ..
                    } => break millis(left),
                    Verdict::Passes { .. } | Verdict::Waits { .. } | Verdict::Blocked { .. } => {
                        now += 1;
                    }
                }
            };
            minutes.push(left / 60_000);
            now += left;
        }
        assert_eq!(
            minutes,
            [5, 10, 20, 40, 80, 160, 320, 640, 1_280, 1_440, 1_440]
        );
    }

    #[test]
    fn each_repeat_within_the_hour_doubles_the_wait_and_asking_meanwhile_does_not() {
        let limiter = InProcess::new(rules());
        let windows = [Window {
            name: "write",
            whose: [1; 16],
            most: 10,
            span: Duration::from_mins(1),
            past: Past::Double,
        }];
        let write = Question {
            address: [1; 16],
            floods: false,
            points: 0,
            about: "",
            windows: &windows,
        };
        let (mut now, mut waits) = (1, vec![]);
        for _ in 0..8 {
            for _ in 0..10 {
                assert!(matches!(
                    limiter.decide_at(&write, now),
                    Verdict::Passes { .. }
                ));
            }
            let Verdict::Waits { wait, .. } = limiter.decide_at(&write, now) else {
                panic!("the eleventh passes");
            };
            let again = limiter.decide_at(&write, now);
            assert_eq!(again, Verdict::Waits { window: 0, wait });
            waits.push(wait.as_secs() / 60);
            now += millis(wait);
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 60, 60]);
        now += millis(LONGEST_WAIT) + 1;
        for _ in 0..10 {
            limiter.decide_at(&write, now);
        }
        let wait = Duration::from_mins(1);
        let forgotten = limiter.decide_at(&write, now);
        assert_eq!(forgotten, Verdict::Waits { window: 0, wait });
    }

    #[test]
    fn many_strangers_fill_no_memory_and_lift_no_block() {
        let limiter = InProcess::new(rules());
        for _ in 0..101 {
            limiter.decide_at(&flood(1), 1);
        }
        for stranger in 0..300_000_u32 {
            let mut question = flood(0);
            question.address[..4].copy_from_slice(&stranger.to_be_bytes());
            limiter.decide_at(&question, 2);
        }
        let state = limiter.state();
        assert!(state.addresses.len() + state.windows.len() <= 2 * MOST);
        drop(state);
        let blocked = limiter.decide_at(&flood(1), 3);
        assert!(matches!(blocked, Verdict::Blocked { fresh: false, .. }));
    }

    #[test]
    fn what_another_limiter_tells_fills_no_memory_and_takes_nothing_from_what_is_known() {
        let limiter = InProcess::new(rules());
        let attack = Question {
            floods: false,
            points: 30,
            about: "traversal",
            ..flood(1)
        };
        limiter.decide(&attack);
        limiter.remember([1; 16], Duration::from_mins(1), Why::Attack);
        let known = |whose: &Subject| {
            let state = limiter.state();
            let block = state.addresses.get(whose)?.block.as_ref()?;
            Some((block.about.clone(), block.own))
        };
        assert_eq!(known(&[1; 16]), Some(("traversal".to_owned(), false)));
        for stranger in 0..10_000_u32 {
            let mut address = [0; 16];
            address[..4].copy_from_slice(&stranger.to_be_bytes());
            limiter.remember(address, Duration::ZERO, Why::Flood);
        }
        assert!(limiter.state().addresses.len() <= 2 * SWEEP_ABOVE);
        assert!(known(&[1; 16]).is_some());
    }
}
