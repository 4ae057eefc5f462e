//! Proves the ledger: what the log says of each run stands there, and adds up to each member's totals.

use std::collections::{BTreeMap, HashMap, HashSet};

use domain::id::MemberId;
use domain::traffic::{self, Entry};
use domain::{Fact, Position, Recorded, user};
use sqlx::{PgPool, Row as _};
use uuid::Uuid;

use crate::Unavailable;

/// A member's run of a client on a torrent.
type Key = (Uuid, Uuid, String, i32);

/// Bytes up, down and charged, seconds as seeder and as leecher.
type Amounts = [i64; 5];

/// What the names of [`Amounts`] are, for people.
const NAMES: [&str; 5] = ["uploaded", "downloaded", "charged", "seeded", "leeched"];

/// What the read tables say at one moment.
#[derive(Debug)]
pub struct Books {
    /// Up to where they were filled.
    pub position: Position,
    runs: HashMap<Key, Amounts>,
    totals: HashMap<Uuid, Amounts>,
}

/// What the log says, told event by event.
#[derive(Debug, Default)]
pub struct Told {
    runs: BTreeMap<Key, Amounts>,
    /// Who was erased: their ledger went with them, and nothing is written into it any more.
    erased: HashSet<Uuid>,
}

/// The streams that tell of it.
pub const STREAMS: &[&str] = &["traffic", "user"];

/// A ledger that adds up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proved {
    /// Members who moved something.
    pub members: usize,
    /// Their runs.
    pub runs: usize,
}

/// The first member whose ledger doesn't add up.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the ledger of member {} doesn't add up: {reason}", member.0)]
pub struct Misfit {
    /// Whose it is.
    pub member: MemberId,
    /// What is wrong with it.
    pub reason: String,
}

impl Told {
    /// Takes what an event says.
    pub fn take(&mut self, event: &Recorded) {
        if let Fact::Traffic(traffic::Event::TrafficRecorded(batch)) = &event.fact {
            for entry in &batch.entries {
                if !self.erased.contains(&entry.member.0) {
                    self.raise(entry);
                }
            }
        }
        if let Fact::User(user::Event::MemberErased { .. }) = &event.fact {
            self.runs.retain(|key, _| key.0 != event.stream_id);
            self.erased.insert(event.stream_id);
        }
    }

    /// A run's credit is the greatest that was ever reported of it.
    fn raise(&mut self, entry: &Entry) {
        let key = (
            entry.member.0,
            entry.torrent.0,
            entry.client.clone(),
            entry.run,
        );
        let amounts = [
            entry.uploaded.0,
            entry.downloaded.0,
            entry.charged.0,
            entry.seeded.0,
            entry.leeched.0,
        ]
        .map(|amount| i64::try_from(amount).unwrap_or(i64::MAX));
        let kept = self.runs.entry(key).or_default();
        for (kept, amount) in kept.iter_mut().zip(amounts) {
            *kept = amount.max(*kept);
        }
    }
}

/// Reads the ledger and the totals as they stand at one moment.
pub async fn books(pool: &PgPool) -> Result<Books, Unavailable> {
    let mut reading = crate::at_once(pool).await?;
    let position: i64 =
        sqlx::query_scalar("select position from read.checkpoint where name = 'traffic'")
            .fetch_one(&mut *reading)
            .await?;
    let rows = sqlx::query(
        "select member, torrent, client, run, uploaded, downloaded, charged, seeded, leeched from ledger",
    )
    .fetch_all(&mut *reading)
    .await?;
    let mut runs = HashMap::with_capacity(rows.len());
    for row in rows {
        let key = (
            row.try_get(0)?,
            row.try_get(1)?,
            row.try_get(2)?,
            row.try_get(3)?,
        );
        let amounts = [
            row.try_get(4)?,
            row.try_get(5)?,
            row.try_get(6)?,
            row.try_get(7)?,
            row.try_get(8)?,
        ];
        runs.insert(key, amounts);
    }
    let totals: Vec<(Uuid, i64, i64, i64, i64, i64)> = sqlx::query_as(
        "select member, uploaded, downloaded, charged, seeded, leeched from member_total",
    )
    .fetch_all(&mut *reading)
    .await?;
    reading.commit().await?;
    Ok(Books {
        position: Position(position),
        runs,
        totals: totals
            .into_iter()
            .map(|(member, up, down, charged, seeded, leeched)| {
                (member, [up, down, charged, seeded, leeched])
            })
            .collect(),
    })
}

impl Books {
    /// Compares the books with what the log tells up to their position.
    pub fn prove(mut self, told: Told) -> Result<Proved, Misfit> {
        let misfit = |member, reason| Misfit {
            member: MemberId(member),
            reason,
        };
        let mut sums: BTreeMap<Uuid, Amounts> = BTreeMap::new();
        let runs = told.runs.len();
        for (key, amounts) in told.runs {
            let (member, torrent, run) = (key.0, key.1, key.3);
            let named = format!("run {run} on torrent {torrent}");
            match self.runs.remove(&key) {
                None => return Err(misfit(member, format!("{named} is missing"))),
                Some(found) => differ(&found, &amounts).map_or(Ok(()), |what| {
                    Err(misfit(member, format!("{named}: {what}")))
                })?,
            }
            let sum = sums.entry(member).or_default();
            for (sum, amount) in sum.iter_mut().zip(amounts) {
                *sum += amount;
            }
        }
        if let Some((key, _)) = self.runs.into_iter().next() {
            let reason = format!("run {} on torrent {} is in no event", key.3, key.1);
            return Err(misfit(key.0, reason));
        }
        for (member, sum) in &sums {
            let found = self.totals.remove(member).unwrap_or_default();
            if let Some(what) = differ(&found, sum) {
                return Err(misfit(*member, format!("the total: {what}")));
            }
        }
        match self.totals.into_iter().find(|(_, total)| *total != [0; 5]) {
            Some((member, _)) => Err(misfit(member, "the total has no run behind it".to_owned())),
            None => Ok(Proved {
                members: sums.len(),
                runs,
            }),
        }
    }
}

/// Says what differs first.
fn differ(found: &Amounts, expected: &Amounts) -> Option<String> {
    let pairs = NAMES.iter().zip(found.iter().zip(expected));
    let mut differing = pairs.filter(|(_, (found, expected))| found != expected);
    differing
        .next()
        .map(|(name, (found, expected))| format!("{name} says {found}, and the log {expected}"))
}
