//! Messages between trackers of one process.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use commands::ports::{Channel, Relay, Unavailable};
use tokio::sync::Notify;

/// Messages that are heard at once.
const TOGETHER: usize = 64;

/// Messages between trackers of one process; gone with it.
#[derive(Debug, Default)]
pub struct InProcess {
    told: Mutex<Told>,
    news: Notify,
}

#[derive(Debug, Default)]
struct Told {
    messages: VecDeque<(u64, Instant, Channel, Vec<u8>)>,
    last: u64,
}

impl InProcess {
    fn told(&self) -> std::sync::MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn after(&self, channel: Channel, mark: u64) -> Vec<(String, Vec<u8>)> {
        let told = self.told();
        let heard = told
            .messages
            .iter()
            .filter(|(number, _, of, _)| *number > mark && *of == channel);
        heard
            .take(TOGETHER)
            .map(|(number, _, _, message)| (number.to_string(), message.clone()))
            .collect()
    }
}

#[async_trait]
impl Relay for InProcess {
    async fn tell(
        &self,
        channel: Channel,
        messages: &[Vec<u8>],
        keep: Duration,
    ) -> Result<(), Unavailable> {
        let mut told = self.told();
        let now = Instant::now();
        told.messages
            .retain(|(_, at, of, _)| *of != channel || now.duration_since(*at) <= keep);
        for message in messages {
            told.last += 1;
            let number = told.last;
            told.messages
                .push_back((number, now, channel, message.clone()));
        }
        drop(told);
        self.news.notify_waiters();
        Ok(())
    }

    async fn hear(
        &self,
        channel: Channel,
        after: &str,
        wait: Duration,
    ) -> Result<Vec<(String, Vec<u8>)>, Unavailable> {
        let mark = after.parse().unwrap_or(0);
        let news = self.news.notified();
        let heard = self.after(channel, mark);
        if !heard.is_empty() || wait.is_zero() {
            return Ok(heard);
        }
        let _in_time = tokio::time::timeout(wait, news).await;
        Ok(self.after(channel, mark))
    }

    async fn last(&self, channel: Channel) -> Result<String, Unavailable> {
        let told = self.told();
        let last = told
            .messages
            .iter()
            .rev()
            .find(|(_, _, of, _)| *of == channel);
        Ok(last.map_or(0, |(number, ..)| *number).to_string())
    }

    async fn holds(&self, channel: Channel, mark: &str) -> Result<bool, Unavailable> {
        let mark = mark.parse().unwrap_or(0);
        let told = self.told();
        let mut kept = told.messages.iter();
        Ok(kept.any(|(number, _, of, _)| *number == mark && *of == channel))
    }

    async fn forget(&self) -> Result<(), Unavailable> {
        self.told().messages.clear();
        Ok(())
    }
}
