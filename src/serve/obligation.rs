//! What follows by itself from completed downloads: each is noted with what it owes, marked when its
//! grace period ends unmet, and settled when the seed time is reached.
//!
//! Every node may do it: the aggregate decides, and what was decided before changes nothing.

use std::time::Duration;

use commands::Commands;
use domain::Position;
use domain::amount::Seconds;
use domain::transfer::Pair;
use projections::{Reads, transfer};
use time::OffsetDateTime;
use tokio::sync::watch;

/// How often it is looked.
const EVERY: Duration = Duration::from_secs(2);
/// How many are taken at once.
const AT_ONCE: i64 = 200;
/// How far back it is looked for seed time that was recorded since the last look.
const OVERLAP: time::Duration = time::Duration::minutes(2);

/// Looks again and again until `stop` turns true.
pub(super) async fn follow(commands: Commands, reads: Reads, mut stop: watch::Receiver<bool>) {
    let mut following = Following {
        commands,
        reads,
        noted: Position(0),
        looked: OffsetDateTime::UNIX_EPOCH,
    };
    let mut away = false;
    while !*stop.borrow() {
        match following.look(OffsetDateTime::now_utc()).await {
            Ok(()) => away = false,
            Err(error) => {
                if !away {
                    tracing::warn!(%error, "what downloads owe can't be looked at");
                }
                away = true;
            }
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            _ = stop.changed() => {}
        }
    }
}

struct Following {
    commands: Commands,
    reads: Reads,
    /// Completed downloads up to here are noted.
    noted: Position,
    /// Seed time that was recorded before this was looked at.
    looked: OffsetDateTime,
}

impl Following {
    async fn look(&mut self, now: OffsetDateTime) -> anyhow::Result<()> {
        if self.reads.refilled().is_some() {
            // Seed time that isn't in its table again yet would be missed; it is looked for afterwards.
            return Ok(());
        }
        while self.note().await? {}
        let reached = transfer::reached(&self.reads, self.looked).await?;
        self.settle(reached, now).await?;
        loop {
            let due = transfer::due(&self.reads, now.unix_timestamp(), AT_ONCE).await?;
            let more = i64::try_from(due.len()).is_ok_and(|many| many >= AT_ONCE);
            self.settle(due, now).await?;
            if !more {
                self.looked = now - OVERLAP;
                return Ok(());
            }
        }
    }

    /// Notes the next completed downloads; tells whether there may be more.
    async fn note(&mut self) -> anyhow::Result<bool> {
        let snatched = transfer::snatched(&self.reads, self.noted, AT_ONCE).await?;
        for one in &snatched {
            self.commands
                .complete(one.of, one.at.unix_timestamp())
                .await?;
            self.noted = one.position;
        }
        Ok(!snatched.is_empty())
    }

    async fn settle(&self, pairs: Vec<(Pair, Seconds)>, now: OffsetDateTime) -> anyhow::Result<()> {
        let mut last = Position(0);
        for (of, seeded) in pairs {
            last = last.max(self.commands.look(of, seeded, now.unix_timestamp()).await?);
        }
        self.reads.wait_for(last).await;
        Ok(())
    }
}
