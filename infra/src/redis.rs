//! What the nodes of a site share while it lives, in Redis: values that expire and messages.
//!
//! Everything is encrypted under a key of the vault, and stands under names that change with the vault's
//! epoch: whoever reads Redis, or a copy of its memory on a disk, learns no address, and what was left
//! from before a panic is of no use after it. Names that belong together carry a hash tag, so a Redis
//! Cluster spreads the others; what is asked at once has one tag. It needs Redis 7.0 or later.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use commands::ports::{Channel, Relay, Unavailable};
use domain::{Keyed, Purpose};
use redis::streams::{StreamId, StreamRangeReply, StreamReadReply};
use redis::{FromRedisValue, Pipeline, RedisError, cmd, from_redis_value};

use crate::seal::{Key, decrypt, encrypt};
use crate::vault::keyring::random;

mod ephemera;
pub mod limit;
mod way;

use way::{Place, Way};

/// How long Redis may take for an answer.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long a lost connection waits at most before it is made again.
const SOON: Duration = Duration::from_secs(1);
/// Messages that are heard at once.
const TOGETHER: usize = 64;
/// The field of a stream's entry that holds the message.
const FIELD: &str = "m";

/// Redis, as one site sees it between two panics; cheap to clone.
#[derive(Clone)]
pub struct Redis {
    commands: Way,
    /// One for each channel: who waits for messages holds up all that comes behind.
    heard: [Way; 2],
    /// When something was told last, in milliseconds by the server's clock.
    newest: Arc<AtomicU64>,
    prefix: String,
    key: Key,
}

impl std::fmt::Debug for Redis {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Redis").finish_non_exhaustive()
    }
}

fn away(error: RedisError) -> Unavailable {
    Unavailable::new("Redis", error)
}

/// Tells whether a text is a connection string of Redis, or several of a cluster.
pub fn is_url(text: &str) -> bool {
    Place::read(text).is_ok()
}

impl Redis {
    /// Makes connections, which are opened when they are needed, for a site whose vault is open.
    pub fn new(url: &str, keys: &dyn Keyed, epoch: i64) -> Result<Self, Unavailable> {
        let place = Place::read(url).map_err(away)?;
        let connect = || place.connect().map_err(away);
        let name = keys.mac(Purpose::Relay, format!("name {epoch}").as_bytes());
        let name = name.first_chunk::<8>().map(hex::encode).unwrap_or_default();
        let key = keys.mac(Purpose::Relay, format!("key {epoch}").as_bytes());
        Ok(Self {
            commands: connect()?,
            heard: [connect()?, connect()?],
            newest: Arc::default(),
            prefix: format!("opentracker:{name}"),
            key: Key::new(key),
        })
    }

    /// Tells whether a server keeps copies of its memory on a disk, where it says so.
    pub async fn persists(&self) -> Result<bool, Unavailable> {
        let mut asked = cmd("CONFIG");
        asked.arg("GET").arg("save").arg("appendonly");
        for told in self.commands.ask_each(&asked).await.map_err(away)? {
            let settings: Vec<String> =
                from_redis_value(told).map_err(|error| away(error.into()))?;
            let set = |name: &str, off: &str| {
                let mut pairs = settings.chunks_exact(2);
                pairs.any(|pair| matches!(pair, [key, value] if key == name && value != off))
            };
            if set("save", "") || set("appendonly", "no") {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn ask<T: FromRedisValue>(&self, command: &redis::Cmd) -> Result<T, Unavailable> {
        let mut connection = self.commands.clone();
        command.query_async(&mut connection).await.map_err(away)
    }

    async fn ask_all<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, Unavailable> {
        let mut connection = self.commands.clone();
        commands.query_async(&mut connection).await.map_err(away)
    }

    fn seal(&self, plain: &[u8], name: &str) -> Vec<u8> {
        let nonce = random();
        // Nothing that fits into memory is too long for it.
        encrypt(
            &self.key,
            nonce.as_slice().get(..24).unwrap_or_default(),
            plain,
            name.as_bytes(),
        )
        .unwrap_or_default()
    }

    fn open(&self, sealed: &[u8], name: &str) -> Option<Vec<u8>> {
        let plain = decrypt(&self.key, sealed, name.as_bytes()).ok()?;
        Some(plain.to_vec())
    }

    fn stream(&self, channel: Channel) -> String {
        let name = match channel {
            Channel::Swarms => "swarms",
            Channel::Talk => "talk",
        };
        format!("{}:{{{name}}}", self.prefix)
    }
}

#[async_trait]
impl Relay for Redis {
    async fn tell(
        &self,
        channel: Channel,
        messages: &[Vec<u8>],
        keep: Duration,
    ) -> Result<(), Unavailable> {
        let name = self.stream(channel);
        let keep = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        // By Redis's own clock: this machine's may be set.
        let newest = self.newest.load(Ordering::Relaxed);
        let oldest = newest.saturating_sub(keep).to_string();
        let mut commands = redis::pipe();
        for message in messages {
            let added = commands
                .cmd("XADD")
                .arg(&name)
                .arg("MINID")
                .arg("~")
                .arg(&oldest);
            added.arg("*").arg(FIELD).arg(self.seal(message, &name));
        }
        // A site that is gone leaves nothing behind.
        commands.cmd("PEXPIRE").arg(&name).arg(keep).ignore();
        let marks: Vec<String> = self.ask_all(&commands).await?;
        let last = marks.last().and_then(|mark| mark.split('-').next());
        if let Some(last) = last.and_then(|millis| millis.parse().ok()) {
            self.newest.store(last, Ordering::Relaxed);
        }
        Ok(())
    }

    async fn hear(
        &self,
        channel: Channel,
        after: &str,
        wait: Duration,
    ) -> Result<Vec<(String, Vec<u8>)>, Unavailable> {
        let name = self.stream(channel);
        let mut asked = cmd("XREAD");
        asked.arg("COUNT").arg(TOGETHER);
        let wait = u64::try_from(wait.min(PATIENCE / 2).as_millis()).unwrap_or(0);
        if wait > 0 {
            asked.arg("BLOCK").arg(wait);
        }
        asked.arg("STREAMS").arg(&name).arg(after);
        let [swarms, talk] = &self.heard;
        let mut connection = match channel {
            Channel::Swarms => swarms.clone(),
            Channel::Talk => talk.clone(),
        };
        let heard: Option<StreamReadReply> =
            asked.query_async(&mut connection).await.map_err(away)?;
        let entries = heard.into_iter().flat_map(|reply| reply.keys);
        let entries = entries.flat_map(|stream| stream.ids);
        Ok(entries.map(|entry| self.message(&entry, &name)).collect())
    }

    async fn last(&self, channel: Channel) -> Result<String, Unavailable> {
        let mut asked = cmd("XREVRANGE");
        asked
            .arg(self.stream(channel))
            .arg("+")
            .arg("-")
            .arg("COUNT")
            .arg(1);
        let last: StreamRangeReply = self.ask(&asked).await?;
        let entry = last.ids.into_iter().next();
        Ok(entry.map_or_else(|| "0".to_owned(), |entry| entry.id))
    }

    async fn holds(&self, channel: Channel, mark: &str) -> Result<bool, Unavailable> {
        let mut asked = cmd("XRANGE");
        asked.arg(self.stream(channel)).arg(mark).arg(mark);
        let held: StreamRangeReply = self.ask(&asked).await?;
        Ok(!held.ids.is_empty())
    }

    async fn forget(&self) -> Result<(), Unavailable> {
        let mut forgotten = cmd("UNLINK");
        forgotten.arg(self.stream(Channel::Swarms));
        self.ask::<()>(&forgotten).await?;
        let mut forgotten = cmd("UNLINK");
        forgotten.arg(self.stream(Channel::Talk));
        self.ask(&forgotten).await
    }
}

impl Redis {
    /// Gives an entry's mark and what it says; nothing, where it is none of ours.
    fn message(&self, entry: &StreamId, name: &str) -> (String, Vec<u8>) {
        let sealed: Option<Vec<u8>> = entry.get(FIELD);
        let plain = sealed.and_then(|sealed| self.open(&sealed, name));
        (entry.id.clone(), plain.unwrap_or_default())
    }
}
