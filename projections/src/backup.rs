//! When the log was last backed up, and when a backup was last proved.

use std::collections::BTreeMap;

use async_trait::async_trait;
use domain::audit::Event;
use domain::{Fact, Position, Recorded};
use sqlx::PgConnection;
use time::OffsetDateTime;

use crate::fold::Held;
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// Seconds after which a backup is old: the timer makes one each day.
pub const OLD: i64 = 36 * 3_600;

/// The last time that something was done with a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Run {
    /// When.
    pub at: OffsetDateTime,
    /// The last position that the backup holds.
    pub upto: Position,
}

/// What was last done with backups.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Runs {
    /// One was made.
    pub made: Option<Run>,
    /// One was restored into a scratch database, and was whole.
    pub verified: Option<Run>,
}

const MADE: &str = "made";
const VERIFIED: &str = "verified";

/// Tells what was last done with backups.
pub async fn last(reads: &Reads) -> Result<Runs, Unavailable> {
    let rows: Vec<(String, OffsetDateTime, i64)> =
        sqlx::query_as("select kind, at, upto from backup_run")
            .fetch_all(&reads.pool)
            .await?;
    let of = |kind: &str| {
        let found = rows.iter().find(|(one, ..)| one == kind);
        found.map(|(_, at, upto)| Run {
            at: *at,
            upto: Position(*upto),
        })
    };
    Ok(Runs {
        made: of(MADE),
        verified: of(VERIFIED),
    })
}

/// The projection of backups.
#[derive(Debug)]
pub struct Backups;

impl Projection for Backups {
    fn name(&self) -> &'static str {
        "backup"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/backup.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/backup.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["backup_run"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["audit"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Last::default())
    }
}

/// The last of each kind.
#[derive(Default)]
struct Last(BTreeMap<&'static str, Run>);

#[async_trait]
impl Fold for Last {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        if let Fact::Audit(happened) = &event.fact {
            let (kind, backup) = match happened {
                Event::BackupMade(backup) => (MADE, backup),
                Event::BackupVerified(backup) => (VERIFIED, backup),
                Event::CheckpointSet(_) | Event::HistoryRead { .. } | Event::BlockLifted { .. } => {
                    return Ok(());
                }
            };
            let run = Run {
                at: event.at,
                upto: backup.upto,
            };
            self.0.insert(kind, run);
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: 0,
            changes: self.0.len(),
        }
    }

    async fn insert(&mut self, _to: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        for (kind, run) in std::mem::take(&mut self.0) {
            sqlx::query(
                "insert into backup_run (kind, at, upto) values ($1, $2, $3)
                 on conflict (kind) do update set at = excluded.at, upto = excluded.upto",
            )
            .bind(kind)
            .bind(run.at)
            .bind(run.upto.0)
            .execute(&mut *to)
            .await?;
        }
        Ok(())
    }
}
