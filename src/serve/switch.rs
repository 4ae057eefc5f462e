//! The dead man's switches: files whose word, or whose silence, makes everything unreadable.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use api::vault::{NotDone, PHRASE};
use domain::Actor;
use tokio::sync::watch;

use super::desk::Desk;
use crate::config;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(500);
/// The most bytes of a trigger that are read.
const LONGEST: u64 = 1_024;

/// Why a switch goes off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    Told,
    Silence,
}

/// Looks at the files until `stop` turns true, and seals the vault where they say so.
pub(super) async fn watch(desk: Arc<Desk>, config: config::Vault, mut stop: watch::Receiver<bool>) {
    let off = config.trigger.as_os_str().is_empty() && config.heartbeat.as_os_str().is_empty();
    let mut last = SystemTime::now();
    while !off && !*stop.borrow() {
        if let Some(reason) = goes_off(&config, &mut last, SystemTime::now()) {
            pull(&desk, &config, reason).await;
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            _ = stop.changed() => {}
        }
    }
}

async fn pull(desk: &Desk, config: &config::Vault, reason: Reason) {
    match desk.panic(Actor::Operator).await {
        Ok(()) => {
            tracing::warn!(?reason, "a dead man's switch sealed the vault");
            if reason == Reason::Told {
                // After a restore it must be said anew.
                let _gone = std::fs::remove_file(&config.trigger);
            }
        }
        // It is sealed already, or has no way back: the latter is told at each start.
        Err(NotDone::Refused(_)) => {}
        Err(error) => tracing::error!(%error, "a dead man's switch can't seal the vault yet"),
    }
}

/// Tells whether a switch goes off; `last` is when the heartbeat was last known to be touched.
fn goes_off(config: &config::Vault, last: &mut SystemTime, now: SystemTime) -> Option<Reason> {
    if says_so(&config.trigger) {
        return Some(Reason::Told);
    }
    if config.heartbeat.as_os_str().is_empty() {
        return None;
    }
    // A file that is gone is one that isn't touched any more.
    if let Ok(touched) = std::fs::metadata(&config.heartbeat).and_then(|found| found.modified()) {
        *last = touched;
    }
    let most = Duration::from_secs(config.heartbeat_hours.saturating_mul(3_600));
    let silent = now.duration_since(*last).unwrap_or_default() > most;
    silent.then_some(Reason::Silence)
}

fn says_so(trigger: &Path) -> bool {
    use std::io::Read as _;
    let mut text = String::new();
    let read =
        std::fs::File::open(trigger).and_then(|file| file.take(LONGEST).read_to_string(&mut text));
    read.is_ok() && text.trim() == PHRASE
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_switch_goes_off_by_its_words_or_by_silence() {
        let folder = std::env::temp_dir().join(format!("switch-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let config = config::Vault {
            trigger: folder.join("trigger"),
            heartbeat: folder.join("heartbeat"),
            heartbeat_hours: 2,
            ..config::Vault::default()
        };
        std::fs::write(&config.heartbeat, "").unwrap();
        let (now, hour) = (SystemTime::now(), Duration::from_hours(1));
        let mut last = now;
        let mut look = |at| goes_off(&config, &mut last, at);
        assert_eq!(look(now + hour), None);
        assert_eq!(look(now + 3 * hour), Some(Reason::Silence));
        std::fs::write(&config.trigger, "encrypt_all_data").unwrap();
        assert_eq!(look(now), None, "it has to be said as it is");
        std::fs::write(&config.trigger, "ENCRYPT_ALL_DATA\n").unwrap();
        assert_eq!(look(now), Some(Reason::Told));
        std::fs::remove_file(&config.trigger).unwrap();
        std::fs::remove_file(&config.heartbeat).unwrap();
        assert_eq!(look(now + hour), None);
        assert_eq!(look(now + 3 * hour), Some(Reason::Silence));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
