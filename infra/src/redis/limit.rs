//! The limiter in Redis: one call of a script for each request.
//!
//! Addresses and members stand there as keyed hashes, under names that change with the vault's epoch;
//! counts and the kinds of attacks stand in the clear. All of it shares a hash tag, since one script
//! reads several of these keys.

use std::sync::LazyLock;
use std::time::Duration;

use async_trait::async_trait;
use commands::limit::{
    Block, EXACT, LONGEST_WAIT, Limiter, MEMORY, Past, Question, Rules, SHOWN, Suspect, Verdict,
    Why, Window,
};
use commands::ports::Unavailable;
use redis::{Script, Value, cmd, from_redis_value};

use super::{Redis, away};
use crate::limit::{is_called, millis, seconds};

static SCRIPT: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("limit.lua")));
static GIVE: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("give.lua")));
/// Counts what isn't over, by Redis's own clock.
static COUNT: LazyLock<Script> = LazyLock::new(|| {
    Script::new("return redis.call('ZCOUNT', KEYS[1], redis.call('TIME')[1] * 1000, '+inf')")
});
/// The last place of an index that is shown.
const LAST: isize = SHOWN.cast_signed() - 1;

/// A limiter that all nodes share.
#[derive(Debug, Clone)]
pub struct Counting {
    redis: Redis,
    rules: Rules,
}

impl Counting {
    /// Counts by some rules.
    pub fn new(redis: Redis, rules: Rules) -> Self {
        Self { redis, rules }
    }

    fn base(&self) -> String {
        format!("{}:{{limit}}", self.redis.prefix)
    }

    fn key(&self, kind: &str, whose: &str) -> String {
        format!("{}:{kind}:{whose}", self.base())
    }

    /// Takes over blocks that a node made while it couldn't reach Redis.
    pub(crate) async fn put(&self, blocks: &[Block]) -> Result<(), Unavailable> {
        let mut asked = GIVE.prepare_invoke();
        let keep = millis(self.rules.longest.saturating_add(MEMORY));
        asked.key(self.base()).arg(keep).arg(millis(MEMORY));
        let today = seconds();
        for block in blocks {
            let left = u64::try_from(block.until - today).unwrap_or(0).max(1) * 1_000;
            asked.arg(&block.whose).arg(block.why.name());
            asked.arg(&block.about).arg(block.since * 1_000);
            asked.arg(block.times).arg(left);
        }
        let mut connection = self.redis.commands.clone();
        asked.invoke_async(&mut connection).await.map_err(away)
    }

    fn index(&self, name: &str) -> String {
        format!("{}:{name}", self.base())
    }

    /// Gives the members of an index up to a place, the greatest first.
    async fn members(&self, index: &str, last: isize) -> Result<Vec<String>, Unavailable> {
        let mut asked = cmd("ZREVRANGE");
        asked.arg(self.index(index)).arg(0).arg(last);
        self.redis.ask(&asked).await
    }

    /// Reads fields of what belongs to each.
    async fn fields<const N: usize>(
        &self,
        kind: &str,
        all: &[String],
        names: [&str; N],
    ) -> Result<Vec<[Option<String>; N]>, Unavailable> {
        if all.is_empty() {
            return Ok(vec![]);
        }
        let mut commands = redis::pipe();
        for whose in all {
            let command = commands.cmd("HMGET").arg(self.key(kind, whose));
            command.arg(names.as_slice());
        }
        self.redis.ask_all(&commands).await
    }

    /// Reads the blocks of some addresses, as far as they hold.
    async fn read(&self, all: Vec<String>) -> Result<Vec<Block>, Unavailable> {
        let names = ["why", "about", "since", "until", "times"];
        let read = self.fields("block", &all, names).await?;
        let number = |text: Option<String>| text?.parse::<i64>().ok();
        let block = |(whose, [why, about, since, until, times]): (_, [Option<String>; 5])| {
            Some(Block {
                whose,
                why: Why::named(&why?)?,
                about: about.unwrap_or_default(),
                since: number(since).unwrap_or(0) / 1_000,
                until: (number(until)? + 999) / 1_000,
                times: number(times)
                    .and_then(|times| u32::try_from(times).ok())
                    .unwrap_or(1),
            })
        };
        Ok(all.into_iter().zip(read).filter_map(block).collect())
    }
}

fn verdict(answer: &[Value]) -> Option<Verdict> {
    let number = |at: usize| from_redis_value::<u64>(answer.get(at)?.clone()).ok();
    let span = |at: usize| number(at).map(Duration::from_millis);
    Some(match number(0)? {
        0 => Verdict::Passes {
            left: u32::try_from(number(1)?).unwrap_or(u32::MAX),
            resets: span(2)?,
        },
        1 => Verdict::Waits {
            window: usize::try_from(number(1)?).ok()?,
            wait: span(2)?,
        },
        _ => Verdict::Blocked {
            left: span(1)?,
            fresh: number(2)? == 1,
            why: Why::named(&from_redis_value::<String>(answer.get(3)?.clone()).ok()?)?,
        },
    })
}

#[async_trait]
impl Limiter for Counting {
    async fn ask(&self, question: &Question<'_>) -> Result<Verdict, Unavailable> {
        let rules = &self.rules;
        let mut asked = SCRIPT.prepare_invoke();
        asked.key(self.base()).arg(hex::encode(question.address));
        asked.arg(u8::from(question.floods)).arg(question.points);
        asked.arg(question.about);
        asked.arg(rules.flood).arg(millis(rules.flood_span));
        asked.arg(rules.score).arg(millis(rules.score_span));
        asked.arg(rules.strikes).arg(millis(rules.first));
        asked.arg(millis(rules.longest)).arg(EXACT);
        asked.arg(millis(LONGEST_WAIT)).arg(millis(MEMORY));
        for one in question.windows {
            asked.arg(one.name).arg(hex::encode(one.whose));
            asked.arg(one.most).arg(millis(one.span));
            asked.arg(match one.past {
                Past::Wait => "wait",
                Past::Double => "double",
                Past::Strike => "strike",
            });
        }
        let mut connection = self.redis.commands.clone();
        let answer: Vec<Value> = asked.invoke_async(&mut connection).await.map_err(away)?;
        verdict(&answer)
            .ok_or_else(|| Unavailable::new("Redis", "the limiter's answer is no answer"))
    }

    async fn forgive(&self, window: &Window) -> Result<(), Unavailable> {
        let whose = format!("{}:{}", window.name, hex::encode(window.whose));
        let mut commands = redis::pipe();
        if window.most <= EXACT {
            let key = self.key("window-times", &whose);
            commands.cmd("RPOP").arg(&key).ignore();
        } else {
            let key = self.key("window-buckets", &whose);
            commands.cmd("HINCRBY").arg(&key).arg("c").arg(-1).ignore();
            let keep = 2 * millis(window.span);
            commands.cmd("PEXPIRE").arg(&key).arg(keep).ignore();
        }
        self.redis.ask_all(&commands).await
    }

    async fn blocked(&self) -> Result<u64, Unavailable> {
        let mut asked = COUNT.prepare_invoke();
        asked.key(self.index("blocks"));
        let mut connection = self.redis.commands.clone();
        asked.invoke_async(&mut connection).await.map_err(away)
    }

    async fn blocks(&self) -> Result<Vec<Block>, Unavailable> {
        self.read(self.members("blocks", LAST).await?).await
    }

    async fn suspects(&self) -> Result<Vec<Suspect>, Unavailable> {
        let all = self.members("scores", LAST).await?;
        let read = self.fields("score", &all, ["c", "p", "about"]).await?;
        let number = |text: Option<String>| text?.parse::<u32>().ok();
        let suspect = |(whose, [now, before, about]): (_, [Option<String>; 3])| {
            Some(Suspect {
                whose,
                points: number(now)? + number(before).unwrap_or(0),
                about: about.unwrap_or_default(),
            })
        };
        let suspects = all.into_iter().zip(read).filter_map(suspect);
        let mut suspects: Vec<Suspect> = suspects.collect();
        suspects.sort_by_key(|one| std::cmp::Reverse(one.points));
        Ok(suspects)
    }

    async fn lift(&self, name: &str) -> Result<Option<Block>, Unavailable> {
        let mut called = self.members("blocks", -1).await?;
        called.retain(|whose| is_called(whose, name));
        let Some(block) = self.read(called).await?.into_iter().next() else {
            return Ok(None);
        };
        let mut commands = redis::pipe();
        for kind in ["block", "times", "strikes", "flood", "score"] {
            let key = self.key(kind, &block.whose);
            commands.atomic().cmd("UNLINK").arg(key).ignore();
        }
        let index = self.index("blocks");
        commands.cmd("ZREM").arg(index).arg(&block.whose).ignore();
        self.redis.ask_all::<()>(&commands).await?;
        Ok(Some(block))
    }
}
