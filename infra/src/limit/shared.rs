//! The limiter of a site with several nodes: in Redis, and in each node while Redis is away.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use commands::limit::{Block, Limiter, Question, Rules, Subject, Suspect, Verdict, Why, Window};
use commands::ports::Unavailable;

use super::{InProcess, millis};
use crate::redis::Redis;
use crate::redis::limit::Counting;

/// How long Redis may take for a decision.
const PATIENCE: Duration = Duration::from_millis(300);
/// How long a node counts for itself before it asks Redis again.
const PAUSE: Duration = Duration::from_secs(1);
/// How long a block is known without asking Redis anew.
const KNOWN: Duration = Duration::from_secs(1);
/// The most blocks that are known so.
const MANY: usize = 10_000;
/// Blocks that Redis is told of at once.
const TOGETHER: usize = 500;

/// A limiter in Redis that goes on in the node.
#[derive(Debug)]
pub struct Shared {
    far: Counting,
    near: InProcess,
    alone: AtomicBool,
    /// When Redis is asked again, in milliseconds since the start.
    again: AtomicU64,
    began: Instant,
    /// Blocks that Redis told of lately: when, until when, and why.
    known: Mutex<HashMap<Subject, (Instant, Instant, Why)>>,
}

impl Shared {
    /// Counts by some rules.
    pub fn new(redis: Redis, rules: Rules) -> Self {
        Self {
            far: Counting::new(redis, rules),
            near: InProcess::new(rules),
            alone: AtomicBool::new(false),
            again: AtomicU64::new(0),
            began: Instant::now(),
            known: Mutex::default(),
        }
    }

    fn known(&self) -> MutexGuard<'_, HashMap<Subject, (Instant, Instant, Why)>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Gives a block of which Redis told a moment ago.
    fn blocked(&self, address: &Subject) -> Option<Verdict> {
        let now = Instant::now();
        let (seen, until, why) = self.known().get(address).copied()?;
        let holds = now.duration_since(seen) < KNOWN && now < until;
        holds.then(|| Verdict::Blocked {
            left: until.duration_since(now),
            why,
            fresh: false,
        })
    }

    /// Keeps in mind what Redis said of an address.
    fn note(&self, address: Subject, verdict: Verdict) {
        let mut known = self.known();
        if let Verdict::Blocked { left, why, .. } = verdict {
            let now = Instant::now();
            if known.len() >= MANY {
                known.retain(|_, (seen, ..)| now.duration_since(*seen) < KNOWN);
            }
            if known.len() >= MANY {
                known.clear();
            }
            known.insert(address, (now, now + left, why));
            self.near.remember(address, left, why);
        } else {
            // What this node blocked, or knew of, was lifted or is over.
            known.remove(&address);
            self.near.forget(&address);
        }
    }

    /// Tells whether Redis may be asked: where it is lost one request tries it, once a pause.
    fn may_ask(&self) -> bool {
        let (now, again) = (self.began.elapsed(), self.again.load(Ordering::Relaxed));
        !self.is_alone()
            || again <= millis(now)
                && self
                    .again
                    .compare_exchange(
                        again,
                        millis(now + PAUSE),
                        Ordering::Relaxed,
                        Ordering::Relaxed,
                    )
                    .is_ok()
    }

    /// Has Redis do something, unless it is away.
    async fn asked<T>(&self, asking: impl Future<Output = Result<T, Unavailable>>) -> Option<T> {
        if !self.may_ask() {
            return None;
        }
        if let Ok(Ok(answer)) = tokio::time::timeout(PATIENCE, asking).await
            && (!self.is_alone() || self.give_back().await)
        {
            if self.alone.swap(false, Ordering::Relaxed) {
                tracing::info!("Redis is back; requests are counted over all nodes again");
            }
            return Some(answer);
        }
        if !self.alone.swap(true, Ordering::Relaxed) {
            tracing::warn!("Redis is away; this node counts requests for itself");
        }
        let again = millis(self.began.elapsed() + PAUSE);
        self.again.store(again, Ordering::Relaxed);
        None
    }

    /// Tells Redis of the blocks that this node made; says whether it took them.
    async fn give_back(&self) -> bool {
        for blocks in self.near.own().chunks(TOGETHER) {
            let put = self.far.put(blocks);
            if !matches!(tokio::time::timeout(PATIENCE, put).await, Ok(Ok(()))) {
                return false;
            }
            self.near.told(blocks);
        }
        true
    }
}

#[async_trait]
impl Limiter for Shared {
    async fn ask(&self, question: &Question<'_>) -> Result<Verdict, Unavailable> {
        if let Some(blocked) = self.blocked(&question.address) {
            return Ok(blocked);
        }
        match self.asked(self.far.ask(question)).await {
            Some(verdict) => {
                self.note(question.address, verdict);
                Ok(verdict)
            }
            None => Ok(self.near.decide(question)),
        }
    }

    async fn forgive(&self, window: &Window) -> Result<(), Unavailable> {
        match self.asked(self.far.forgive(window)).await {
            Some(()) => Ok(()),
            None => self.near.forgive(window).await,
        }
    }

    async fn blocked(&self) -> Result<u64, Unavailable> {
        match self.asked(self.far.blocked()).await {
            Some(blocked) => Ok(blocked),
            None => self.near.blocked().await,
        }
    }

    async fn blocks(&self) -> Result<Vec<Block>, Unavailable> {
        match self.asked(self.far.blocks()).await {
            Some(blocks) => Ok(blocks),
            None => self.near.blocks().await,
        }
    }

    async fn suspects(&self) -> Result<Vec<Suspect>, Unavailable> {
        match self.asked(self.far.suspects()).await {
            Some(suspects) => Ok(suspects),
            None => self.near.suspects().await,
        }
    }

    async fn lift(&self, name: &str) -> Result<Option<Block>, Unavailable> {
        // Here first: what is this node's own is given back to a Redis that returns.
        let near = self.near.lift(name).await?;
        let far = self.asked(self.far.lift(name)).await.flatten();
        self.known().clear();
        Ok(far.or(near))
    }

    fn is_alone(&self) -> bool {
        self.alone.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use domain::{Keyed, Purpose};

    use super::*;

    #[derive(Debug)]
    struct Keys;

    impl Keyed for Keys {
        fn mac(&self, _purpose: Purpose, _message: &[u8]) -> [u8; 32] {
            [0; 32]
        }
    }

    fn shared() -> Shared {
        let rules = Rules {
            flood: 1,
            flood_span: KNOWN,
            score: 1,
            score_span: KNOWN,
            strikes: 1,
            first: KNOWN,
            longest: KNOWN,
        };
        // Nobody listens there.
        Shared::new(Redis::new("redis://127.0.0.1:1/", &Keys, 0).unwrap(), rules)
    }

    #[tokio::test]
    async fn of_many_requests_one_tries_a_lost_redis() {
        let shared = shared();
        assert!(shared.may_ask() && shared.may_ask());
        shared.alone.store(true, Ordering::Relaxed);
        assert!(shared.may_ask() && !shared.may_ask());
    }

    #[tokio::test]
    async fn many_blocks_fill_no_memory() {
        let shared = shared();
        for number in 0..30_000_u32 {
            let mut address = [0; 16];
            address[..4].copy_from_slice(&number.to_be_bytes());
            let (left, why, fresh) = (Duration::from_hours(1), Why::Flood, false);
            shared.note(address, Verdict::Blocked { left, why, fresh });
        }
        assert!(shared.known().len() <= MANY);
    }
}
