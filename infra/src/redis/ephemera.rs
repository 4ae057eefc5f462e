//! Small values that expire, in Redis.
//!
//! The key `session:<member>:<hash>` stands beside an index of all that begin with `session:<member>:`,
//! so that a list reads no others.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use commands::ports::{Ephemera, Unavailable};
use redis::{Pipeline, cmd};

use super::Redis;

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX).max(1)
}

fn now() -> Duration {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default()
}

/// Splits a key into the prefix by which it is listed and the rest.
fn group(key: &str) -> Option<(&str, &str)> {
    let (group, rest) = key.rsplit_once(':')?;
    group.contains(':').then_some((group, rest))
}

impl Redis {
    /// Gives the name of a key; all of a list share a hash tag.
    fn name(&self, key: &str) -> String {
        match group(key) {
            Some((group, rest)) => format!("{}:{{{group}}}:{rest}", self.prefix),
            None => format!("{}:{key}", self.prefix),
        }
    }

    fn index(&self, group: &str) -> String {
        format!("{}:{{{group}}}", self.prefix)
    }

    /// Notes a key in the index of its list.
    fn note(&self, commands: &mut Pipeline, key: &str, keep: Duration) {
        let Some((group, _)) = group(key) else {
            return;
        };
        let index = self.index(group);
        let end = millis(now() + keep);
        commands.cmd("ZADD").arg(&index).arg(end).arg(key).ignore();
        // The index lives as long as the last of its keys.
        for when in ["NX", "GT"] {
            let expire = commands.cmd("PEXPIRE").arg(&index);
            expire.arg(millis(keep)).arg(when).ignore();
        }
    }
}

#[async_trait]
impl Ephemera for Redis {
    async fn put(&self, key: &str, value: &[u8], keep: Duration) -> Result<(), Unavailable> {
        let name = self.name(key);
        let mut commands = redis::pipe();
        let set = commands.atomic().cmd("SET").arg(&name);
        set.arg(self.seal(value, &name))
            .arg("PX")
            .arg(millis(keep))
            .ignore();
        self.note(&mut commands, key, keep);
        self.ask_all(&commands).await
    }

    async fn put_new(&self, key: &str, value: &[u8], keep: Duration) -> Result<bool, Unavailable> {
        let name = self.name(key);
        let mut commands = redis::pipe();
        let set = commands.atomic().cmd("SET").arg(&name);
        set.arg(self.seal(value, &name))
            .arg("NX")
            .arg("PX")
            .arg(millis(keep));
        self.note(&mut commands, key, keep);
        let (new,): (Option<String>,) = self.ask_all(&commands).await?;
        Ok(new.is_some())
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        let name = self.name(key);
        let sealed: Option<Vec<u8>> = self.ask(cmd("GET").arg(&name)).await?;
        Ok(sealed.and_then(|sealed| self.open(&sealed, &name)))
    }

    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        let name = self.name(key);
        let mut commands = redis::pipe();
        commands.atomic().cmd("GETDEL").arg(&name);
        if let Some((group, _)) = group(key) {
            commands
                .cmd("ZREM")
                .arg(self.index(group))
                .arg(key)
                .ignore();
        }
        let (sealed,): (Option<Vec<u8>>,) = self.ask_all(&commands).await?;
        Ok(sealed.and_then(|sealed| self.open(&sealed, &name)))
    }

    /// Gives the keys of one index: the prefix ends in the colon before the last part.
    async fn list(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, Unavailable> {
        let index = self.index(prefix.trim_end_matches(':'));
        let mut commands = redis::pipe();
        let over = commands.atomic().cmd("ZREMRANGEBYSCORE").arg(&index);
        over.arg(0).arg(millis(now())).ignore();
        commands.cmd("ZRANGE").arg(&index).arg(0).arg(-1);
        let (mut keys,): (Vec<String>,) = self.ask_all(&commands).await?;
        if keys.is_empty() {
            return Ok(vec![]);
        }
        keys.sort_unstable();
        let names: Vec<String> = keys.iter().map(|key| self.name(key)).collect();
        let values: Vec<Option<Vec<u8>>> = self.ask(cmd("MGET").arg(&names)).await?;
        let living = keys.into_iter().zip(names).zip(values);
        Ok(living
            .filter_map(|((key, name), sealed)| Some((key, self.open(&sealed?, &name)?)))
            .collect())
    }
}
