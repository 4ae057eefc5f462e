//! What the limiter in the process tells of blocks and suspects, and how a block is lifted there.

use async_trait::async_trait;
use commands::limit::{Block, Limiter, Question, SHOWN, Subject, Suspect, Verdict, Window};
use commands::ports::Unavailable;

use super::{Address, Blocked, InProcess, key, millis, seconds};

impl InProcess {
    /// Gives the blocks that hold and are such ones, the longest first.
    fn held(&self, which: impl Fn(&Blocked) -> bool) -> Vec<Block> {
        let (now, today) = (self.now(), seconds());
        let state = self.state();
        let blocked = |(whose, known): (&Subject, &Address)| {
            let block = known.block.as_ref().filter(|block| block.until > now)?;
            let left = i64::try_from((block.until - now).div_ceil(1_000)).unwrap_or(i64::MAX);
            which(block).then(|| Block {
                whose: hex::encode(whose),
                why: block.why,
                about: block.about.clone(),
                since: block.since,
                until: today.saturating_add(left),
                // Of one that it heard of it doesn't know which one it is.
                times: known.blocks.0.max(1),
            })
        };
        let mut blocks: Vec<Block> = state.addresses.iter().filter_map(blocked).collect();
        blocks.sort_by_key(|block| std::cmp::Reverse(block.until));
        blocks
    }

    /// Gives the blocks that nobody else knows of.
    pub(super) fn own(&self) -> Vec<Block> {
        self.held(|block| block.own)
    }

    /// Notes that others know of blocks.
    pub(super) fn told(&self, blocks: &[Block]) {
        let mut state = self.state();
        for whose in blocks.iter().filter_map(subject) {
            let known = state.addresses.get_mut(&whose);
            if let Some(block) = known.and_then(|known| known.block.as_mut()) {
                block.own = false;
            }
        }
    }
}

fn subject(block: &Block) -> Option<Subject> {
    let mut whose = [0; 16];
    hex::decode_to_slice(&block.whose, &mut whose).ok()?;
    Some(whose)
}

#[async_trait]
impl Limiter for InProcess {
    async fn ask(&self, question: &Question<'_>) -> Result<Verdict, Unavailable> {
        Ok(self.decide(question))
    }

    async fn forgive(&self, window: &Window) -> Result<(), Unavailable> {
        let mut state = self.state();
        if let Some(held) = state.windows.get_mut(&key(window)) {
            held.counted.forgive();
        }
        Ok(())
    }

    async fn blocked(&self) -> Result<u64, Unavailable> {
        let now = self.now();
        let state = self.state();
        let blocks = state
            .addresses
            .values()
            .filter_map(|one| one.block.as_ref());
        let held = blocks.filter(|block| block.until > now).count();
        Ok(u64::try_from(held).unwrap_or(u64::MAX))
    }

    async fn blocks(&self) -> Result<Vec<Block>, Unavailable> {
        let mut blocks = self.held(|_| true);
        blocks.truncate(SHOWN);
        Ok(blocks)
    }

    async fn suspects(&self) -> Result<Vec<Suspect>, Unavailable> {
        let (now, span) = (self.now(), millis(self.rules.score_span));
        let state = self.state();
        let suspect = |(whose, known): (&Subject, &Address)| {
            let points = known.score.used(now, span);
            (points > 0).then(|| Suspect {
                whose: hex::encode(whose),
                points: u32::try_from(points).unwrap_or(u32::MAX),
                about: known.about.clone(),
            })
        };
        let mut suspects: Vec<Suspect> = state.addresses.iter().filter_map(suspect).collect();
        suspects.sort_by_key(|one| std::cmp::Reverse(one.points));
        suspects.truncate(SHOWN);
        Ok(suspects)
    }

    async fn lift(&self, name: &str) -> Result<Option<Block>, Unavailable> {
        let blocks = self.held(|_| true);
        let found = blocks.into_iter().find(|one| is_called(&one.whose, name));
        if let Some(whose) = found.as_ref().and_then(subject) {
            self.forget(&whose);
        }
        Ok(found)
    }
}

/// Tells whether a block goes by a name: the short one, or more of it.
pub(crate) fn is_called(whose: &str, name: &str) -> bool {
    name.len() >= commands::limit::SHORT && whose.starts_with(name)
}
