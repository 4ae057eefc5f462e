//! How long processes were on a processor, as Linux tells.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Context as _;

/// One of the hundredths of a second in which Linux counts.
const TICK: Duration = Duration::from_millis(10);

/// What a program spent, and what the processes that it started did: its database.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Spent {
    pub(super) program: Duration,
    pub(super) database: Duration,
}

impl Spent {
    pub(super) fn since(&self, before: &Self) -> Self {
        Self {
            program: self.program.saturating_sub(before.program),
            database: self.database.saturating_sub(before.database),
        }
    }

    pub(super) fn all(&self) -> Duration {
        self.program + self.database
    }
}

/// Gives what a program and those below it spent so far; what ended is counted with who waited for it.
pub(super) fn spent(pid: u32) -> anyhow::Result<Spent> {
    let mut all: BTreeMap<u32, Stat> = BTreeMap::new();
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let name = entry.file_name();
        let id = name.to_str().and_then(|name| name.parse::<u32>().ok());
        let text = std::fs::read_to_string(entry.path().join("stat"));
        if let (Some(id), Ok(text)) = (id, text)
            && let Some(stat) = Stat::read(&text)
        {
            all.insert(id, stat);
        }
    }
    let own = all.get(&pid).context("the site's process is gone")?;
    let mut spent = Spent {
        program: own.own,
        ..Spent::default()
    };
    for (id, stat) in &all {
        let mut above = stat.parent;
        while *id != pid && above != 0 {
            if above == pid {
                spent.database += stat.own + stat.waited_for;
                break;
            }
            above = all.get(&above).map_or(0, |stat| stat.parent);
        }
    }
    Ok(spent)
}

/// Gives what this thread spent so far.
pub(super) fn spent_here() -> anyhow::Result<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/stat")?;
    Ok(Stat::read(&text).context("the thread can't be read")?.own)
}

/// A process in `/proc`.
struct Stat {
    parent: u32,
    own: Duration,
    /// What ended children of it spent.
    waited_for: Duration,
}

impl Stat {
    fn read(text: &str) -> Option<Self> {
        // The name before may hold anything.
        let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
        let ticks = |place: usize| fields.get(place)?.parse::<u32>().ok();
        Some(Self {
            parent: ticks(1)?,
            own: TICK * (ticks(11)? + ticks(12)?),
            waited_for: TICK * (ticks(13)? + ticks(14)?),
        })
    }
}
