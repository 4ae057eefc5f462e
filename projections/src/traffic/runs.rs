//! What a batch of events says of each run, folded in memory and written at once.

use std::collections::BTreeMap;
use std::collections::btree_map;

use async_trait::async_trait;
use domain::traffic::{self, Entry};
use domain::{Fact, Recorded};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::Held;
use crate::{Fold, NotApplied};

/// A member's run of a client on a torrent.
type Key = (Uuid, Uuid, String, i32);

/// The runs of a batch, each with the greatest totals that were reported.
#[derive(Default)]
pub(super) struct Runs {
    runs: BTreeMap<Key, Run>,
    /// Who first completed which torrent when.
    snatches: BTreeMap<(Uuid, Uuid), OffsetDateTime>,
}

/// A run's row.
struct Run {
    uploaded: i64,
    downloaded: i64,
    remaining: i64,
    seeded: i64,
    leeched: i64,
    completed: bool,
    first_at: OffsetDateTime,
    last_at: OffsetDateTime,
}

impl Run {
    fn of(entry: &Entry, event: &Recorded) -> Result<Self, NotApplied> {
        let column = |amount: u64| {
            i64::try_from(amount).map_err(|_| NotApplied::Event {
                position: event.position,
                reason: format!("{amount} is too much"),
            })
        };
        Ok(Self {
            uploaded: column(entry.uploaded.0)?,
            downloaded: column(entry.downloaded.0)?,
            remaining: column(entry.left.0)?,
            seeded: column(entry.seeded.0)?,
            leeched: column(entry.leeched.0)?,
            completed: entry.completed,
            first_at: event.at,
            last_at: event.at,
        })
    }

    /// Takes a later report over; totals never shrink.
    fn raise(&mut self, later: &Self) {
        self.uploaded = self.uploaded.max(later.uploaded);
        self.downloaded = self.downloaded.max(later.downloaded);
        self.remaining = later.remaining;
        self.seeded = self.seeded.max(later.seeded);
        self.leeched = self.leeched.max(later.leeched);
        self.completed |= later.completed;
        self.last_at = self.last_at.max(later.last_at);
    }
}

impl Runs {
    fn add(&mut self, entry: &Entry, event: &Recorded) -> Result<(), NotApplied> {
        let (member, torrent) = (entry.member.0, entry.torrent.0);
        let run = Run::of(entry, event)?;
        if entry.completed {
            self.snatches.entry((torrent, member)).or_insert(event.at);
        }
        match self
            .runs
            .entry((member, torrent, entry.client.clone(), entry.run))
        {
            btree_map::Entry::Vacant(place) => {
                place.insert(run);
            }
            btree_map::Entry::Occupied(mut place) => place.get_mut().raise(&run),
        }
        Ok(())
    }
}

#[async_trait]
impl Fold for Runs {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        if let Fact::Traffic(traffic::Event::TrafficRecorded(batch)) = &event.fact {
            for entry in &batch.entries {
                self.add(entry, event)?;
            }
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: 0,
            changes: self.runs.len(),
        }
    }

    async fn insert(&mut self, _to: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    /// Raises the runs' totals, and credits each member with what they grew by.
    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.runs.is_empty() {
            return Ok(());
        }
        let keys = || self.runs.keys();
        let column = |of: fn(&Run) -> i64| self.runs.values().map(of).collect::<Vec<_>>();
        let times = |of: fn(&Run) -> OffsetDateTime| self.runs.values().map(of).collect::<Vec<_>>();
        sqlx::query(RAISE)
            .bind(keys().map(|key| key.0).collect::<Vec<_>>())
            .bind(keys().map(|key| key.1).collect::<Vec<_>>())
            .bind(keys().map(|key| key.2.as_str()).collect::<Vec<_>>())
            .bind(keys().map(|key| key.3).collect::<Vec<_>>())
            .bind(column(|run| run.uploaded))
            .bind(column(|run| run.downloaded))
            .bind(column(|run| run.remaining))
            .bind(column(|run| run.seeded))
            .bind(column(|run| run.leeched))
            .bind(
                self.runs
                    .values()
                    .map(|run| run.completed)
                    .collect::<Vec<_>>(),
            )
            .bind(times(|run| run.first_at))
            .bind(times(|run| run.last_at))
            .execute(&mut *to)
            .await?;
        let Self { snatches, .. } = std::mem::take(self);
        if snatches.is_empty() {
            return Ok(());
        }
        let (torrents, members): (Vec<Uuid>, Vec<Uuid>) = snatches.keys().copied().unzip();
        sqlx::query(
            "insert into snatch (torrent, member, at)
             select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[]) on conflict do nothing",
        )
        .bind(torrents)
        .bind(members)
        .bind(snatches.values().copied().collect::<Vec<_>>())
        .execute(to)
        .await
        .map(|_| ())
    }
}

const RAISE: &str = "
    with said as (
        select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[],
                             $8::bigint[], $9::bigint[], $10::bool[], $11::timestamptz[], $12::timestamptz[])
          as s(member, torrent, client, run, uploaded, downloaded, remaining, seeded, leeched, completed, first_at,
               last_at)),
    old as (
        select l.member, l.torrent, l.client, l.run, l.uploaded, l.downloaded, l.seeded, l.leeched
        from ledger l join said using (member, torrent, client, run)),
    new as (
        insert into ledger as l (member, torrent, client, run, uploaded, downloaded, remaining, seeded, leeched,
                                 completed, first_at, last_at)
        select member, torrent, client, run, uploaded, downloaded, remaining, seeded, leeched, completed, first_at,
               last_at from said
        on conflict (member, torrent, client, run) do update set
            uploaded = greatest(l.uploaded, excluded.uploaded),
            downloaded = greatest(l.downloaded, excluded.downloaded),
            remaining = excluded.remaining,
            seeded = greatest(l.seeded, excluded.seeded),
            leeched = greatest(l.leeched, excluded.leeched),
            completed = l.completed or excluded.completed,
            last_at = greatest(l.last_at, excluded.last_at)
        returning member, torrent, client, run, uploaded, downloaded, seeded, leeched)
    insert into member_total as m (member, uploaded, downloaded, seeded, leeched)
    select new.member, sum(new.uploaded - coalesce(old.uploaded, 0))::bigint,
           sum(new.downloaded - coalesce(old.downloaded, 0))::bigint,
           sum(new.seeded - coalesce(old.seeded, 0))::bigint, sum(new.leeched - coalesce(old.leeched, 0))::bigint
    from new left join old using (member, torrent, client, run)
    group by new.member
    on conflict (member) do update set
        uploaded = m.uploaded + excluded.uploaded,
        downloaded = m.downloaded + excluded.downloaded,
        seeded = m.seeded + excluded.seeded,
        leeched = m.leeched + excluded.leeched";
