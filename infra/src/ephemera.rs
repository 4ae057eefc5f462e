//! Small values that expire, kept in the process.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use commands::ports::{Ephemera, Unavailable};

/// Values above which the expired are swept out before another is kept.
const SWEEP_ABOVE: usize = 1_024;

/// Small values that expire, kept in the process; gone with it.
#[derive(Default)]
pub struct InProcess {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    values: BTreeMap<String, (Instant, Vec<u8>)>,
    sweep_at: usize,
}

impl std::fmt::Debug for InProcess {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InProcess").finish_non_exhaustive()
    }
}

impl InProcess {
    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Kept {
    fn living(&self, key: &str) -> Option<&Vec<u8>> {
        self.values
            .get(key)
            .filter(|(end, _)| *end > Instant::now())
            .map(|(_, value)| value)
    }

    fn put(&mut self, key: &str, value: &[u8], keep: Duration) {
        if self.values.len() >= self.sweep_at.max(SWEEP_ABOVE) {
            let now = Instant::now();
            self.values.retain(|_, (end, _)| *end > now);
            self.sweep_at = self.values.len() * 2;
        }
        self.values
            .insert(key.to_owned(), (Instant::now() + keep, value.to_vec()));
    }
}

#[async_trait]
impl Ephemera for InProcess {
    async fn put(&self, key: &str, value: &[u8], keep: Duration) -> Result<(), Unavailable> {
        self.kept().put(key, value, keep);
        Ok(())
    }

    async fn put_new(&self, key: &str, value: &[u8], keep: Duration) -> Result<bool, Unavailable> {
        let mut kept = self.kept();
        if kept.living(key).is_some() {
            return Ok(false);
        }
        kept.put(key, value, keep);
        Ok(true)
    }

    async fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        Ok(self.kept().living(key).cloned())
    }

    async fn take(&self, key: &str) -> Result<Option<Vec<u8>>, Unavailable> {
        let taken = self.kept().values.remove(key);
        Ok(taken
            .filter(|(end, _)| *end > Instant::now())
            .map(|(_, value)| value))
    }

    async fn list(&self, prefix: &str) -> Result<Vec<(String, Vec<u8>)>, Unavailable> {
        let now = Instant::now();
        let kept = self.kept();
        let from = kept
            .values
            .range(prefix.to_owned()..)
            .take_while(|(key, _)| key.starts_with(prefix));
        let living = from.filter(|(_, (end, _))| *end > now);
        Ok(living
            .map(|(key, (_, value))| (key.clone(), value.clone()))
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_mins(1);

    #[tokio::test]
    async fn of_many_takers_one_gets_the_value() {
        let kept = std::sync::Arc::new(InProcess::default());
        kept.put("challenge:a", b"x", LONG).await.unwrap();
        let takers = (0..20).map(|_| {
            let kept = std::sync::Arc::clone(&kept);
            tokio::spawn(async move { kept.take("challenge:a").await.unwrap().is_some() })
        });
        let mut got = 0;
        for taker in takers.collect::<Vec<_>>() {
            got += u32::from(taker.await.unwrap());
        }
        assert_eq!(got, 1);
    }

    #[tokio::test]
    async fn a_value_is_new_once_until_it_expires() {
        let kept = InProcess::default();
        assert!(kept.put_new("spent:a", b"", LONG).await.unwrap());
        assert!(!kept.put_new("spent:a", b"", LONG).await.unwrap());
        kept.put("spent:b", b"", Duration::ZERO).await.unwrap();
        assert!(kept.get("spent:b").await.unwrap().is_none());
        assert!(kept.put_new("spent:b", b"", LONG).await.unwrap());
    }

    #[tokio::test]
    async fn a_list_holds_the_living_of_its_prefix() {
        let kept = InProcess::default();
        for (key, keep) in [
            ("a:1", LONG),
            ("a:2", Duration::ZERO),
            ("b:1", LONG),
            ("a:3", LONG),
        ] {
            kept.put(key, key.as_bytes(), keep).await.unwrap();
        }
        let keys: Vec<String> = kept
            .list("a:")
            .await
            .unwrap()
            .into_iter()
            .map(|(key, _)| key)
            .collect();
        assert_eq!(keys, ["a:1", "a:3"]);
    }

    #[tokio::test]
    async fn the_expired_are_swept_out() {
        let kept = InProcess::default();
        for n in 0..SWEEP_ABOVE {
            kept.put(&format!("old:{n}"), b"", Duration::ZERO)
                .await
                .unwrap();
        }
        kept.put("new", b"", LONG).await.unwrap();
        assert_eq!(kept.kept().values.len(), 1);
    }
}
