//! What a batch of events says of each run, folded in memory and written at once.

use std::collections::BTreeMap;
use std::collections::btree_map;

use async_trait::async_trait;
use domain::traffic::{self, Entry};
use domain::{Fact, Recorded, transfer, user};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::Held;
use crate::statistic::{Grain, prune};
use crate::{Fold, NotApplied};

/// A member's run of a client on a torrent.
type Key = (Uuid, Uuid, String, i32);

/// The runs of a batch, each with the greatest totals that were reported.
#[derive(Default)]
pub(super) struct Runs {
    raised: BTreeMap<Key, Run>,
    /// Steps of all of them.
    steps: usize,
    /// Who first completed which torrent when, and where that stands in the log.
    snatches: BTreeMap<(Uuid, Uuid), (OffsetDateTime, i64)>,
    /// What members have besides their runs.
    besides: BTreeMap<Uuid, Besides>,
}

/// What a member gets besides, and where it was last said.
#[derive(Default)]
struct Besides {
    credit: i64,
    marks: i32,
    position: i64,
}

/// A run's row.
struct Run {
    uploaded: i64,
    downloaded: i64,
    charged: i64,
    remaining: i64,
    seeded: i64,
    leeched: i64,
    completed: bool,
    first_at: OffsetDateTime,
    last_at: OffsetDateTime,
    position: i64,
    steps: Vec<Step>,
}

/// By how much a run's totals grew within an hour.
struct Step {
    /// The hour, counted since 1970.
    hour: i64,
    /// What was uploaded before and then.
    uploaded: (i64, i64),
    /// What was downloaded before and then.
    downloaded: (i64, i64),
}

impl Run {
    fn of(entry: &Entry, event: &Recorded) -> Result<Self, NotApplied> {
        let column = |amount: u64| {
            i64::try_from(amount).map_err(|_| NotApplied::Event {
                position: event.position,
                reason: format!("{amount} is too much"),
            })
        };
        let (uploaded, downloaded) = (column(entry.uploaded.0)?, column(entry.downloaded.0)?);
        let first = Step {
            hour: Grain::Hours.bucket(event.at),
            uploaded: (0, uploaded),
            downloaded: (0, downloaded),
        };
        Ok(Self {
            steps: vec![first],
            uploaded,
            downloaded,
            charged: column(entry.charged.0)?,
            remaining: column(entry.left.0)?,
            seeded: column(entry.seeded.0)?,
            leeched: column(entry.leeched.0)?,
            completed: entry.completed,
            first_at: event.at,
            last_at: event.at,
            position: event.position.0,
        })
    }

    /// Takes a later report over; totals never shrink.
    fn raise(&mut self, later: &Self) {
        let then = (
            self.uploaded.max(later.uploaded),
            self.downloaded.max(later.downloaded),
        );
        let hour = later.steps.first().map_or(0, |step| step.hour);
        match self.steps.last_mut() {
            Some(step) if step.hour == hour => {
                (step.uploaded.1, step.downloaded.1) = then;
            }
            Some(_) | None if then != (self.uploaded, self.downloaded) => self.steps.push(Step {
                hour,
                uploaded: (self.uploaded, then.0),
                downloaded: (self.downloaded, then.1),
            }),
            Some(_) | None => {}
        }
        self.uploaded = self.uploaded.max(later.uploaded);
        self.downloaded = self.downloaded.max(later.downloaded);
        self.charged = self.charged.max(later.charged);
        self.remaining = later.remaining;
        self.seeded = self.seeded.max(later.seeded);
        self.leeched = self.leeched.max(later.leeched);
        self.completed |= later.completed;
        self.last_at = self.last_at.max(later.last_at);
        self.position = later.position;
    }
}

impl Runs {
    fn add(&mut self, entry: &Entry, event: &Recorded) -> Result<(), NotApplied> {
        let (member, torrent) = (entry.member.0, entry.torrent.0);
        let run = Run::of(entry, event)?;
        if entry.completed {
            let first = (event.at, event.position.0);
            self.snatches.entry((torrent, member)).or_insert(first);
        }
        self.steps += 1;
        match self
            .raised
            .entry((member, torrent, entry.client.clone(), entry.run))
        {
            btree_map::Entry::Vacant(place) => {
                place.insert(run);
            }
            btree_map::Entry::Occupied(mut place) => place.get_mut().raise(&run),
        }
        Ok(())
    }

    fn beside(&mut self, member: Uuid, event: &Recorded, credit: i64, marks: i32) {
        let besides = self.besides.entry(member).or_default();
        besides.credit += credit;
        besides.marks += marks;
        besides.position = event.position.0;
    }

    /// Writes what members have besides their runs.
    async fn write_besides(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.besides.is_empty() {
            return Ok(());
        }
        let (members, said): (Vec<Uuid>, Vec<Besides>) =
            std::mem::take(&mut self.besides).into_iter().unzip();
        sqlx::query(
            "insert into member_total as m (member, credit, marks, position)
             select * from unnest($1::uuid[], $2::bigint[], $3::int[], $4::bigint[])
             on conflict (member) do update set credit = m.credit + excluded.credit,
                 marks = m.marks + excluded.marks, position = greatest(m.position, excluded.position)",
        )
        .bind(members)
        .bind(said.iter().map(|one| one.credit).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.marks).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.position).collect::<Vec<_>>())
        .execute(to)
        .await
        .map(|_| ())
    }

    /// Adds up by how much all totals grow in each hour; the ledger still says what they were before.
    async fn write_sums(&self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let mut steps: Vec<(&Key, &Step)> = Vec::with_capacity(self.steps);
        for (key, run) in &self.raised {
            steps.extend(run.steps.iter().map(|step| (key, step)));
        }
        let keys = || steps.iter().map(|(key, _)| *key);
        let column =
            |of: fn(&Step) -> i64| steps.iter().map(|(_, step)| of(step)).collect::<Vec<_>>();
        sqlx::query(GROW)
            .bind(keys().map(|key| key.0).collect::<Vec<_>>())
            .bind(keys().map(|key| key.1).collect::<Vec<_>>())
            .bind(keys().map(|key| key.2.as_str()).collect::<Vec<_>>())
            .bind(keys().map(|key| key.3).collect::<Vec<_>>())
            .bind(column(|step| step.hour))
            .bind(column(|step| step.uploaded.0))
            .bind(column(|step| step.uploaded.1))
            .bind(column(|step| step.downloaded.0))
            .bind(column(|step| step.downloaded.1))
            .execute(&mut *to)
            .await?;
        prune("traffic_sum", to).await
    }

    /// Writes who completed what.
    async fn write_snatches(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.snatches.is_empty() {
            return Ok(());
        }
        let (keys, said): (Vec<_>, Vec<_>) = std::mem::take(&mut self.snatches).into_iter().unzip();
        let (torrents, members): (Vec<Uuid>, Vec<Uuid>) = keys.into_iter().unzip();
        let (times, positions): (Vec<OffsetDateTime>, Vec<i64>) = said.into_iter().unzip();
        sqlx::query(
            "insert into snatch (torrent, member, at, position)
             select * from unnest($1::uuid[], $2::uuid[], $3::timestamptz[], $4::bigint[]) on conflict do nothing",
        )
        .bind(torrents)
        .bind(members)
        .bind(times)
        .bind(positions)
        .execute(to)
        .await
        .map(|_| ())
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
        if let Fact::User(user::Event::MemberRegistered { credit, .. }) = &event.fact
            && credit.0 > 0
        {
            let credit = i64::try_from(credit.0).unwrap_or(i64::MAX);
            self.beside(event.stream_id, event, credit, 0);
        }
        if let Fact::Transfer(happened) = &event.fact {
            let (of, marks) = match happened {
                transfer::Event::HitAndRunMarked { of, .. } => (of, 1),
                transfer::Event::HitAndRunCleared { of, .. }
                | transfer::Event::HitAndRunExempted {
                    of,
                    was_marked: true,
                } => (of, -1),
                transfer::Event::HitAndRunExempted {
                    was_marked: false, ..
                }
                | transfer::Event::SnatchCompleted { .. }
                | transfer::Event::SeedTimeMet { .. }
                | transfer::Event::TrafficFlagged { .. }
                | transfer::Event::FlagDismissed { .. } => return Ok(()),
            };
            self.beside(of.member.0, event, 0, marks);
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: 0,
            changes: self.raised.len() + self.besides.len() + self.steps,
        }
    }

    async fn insert(&mut self, _to: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    /// Raises the runs' totals, and credits each member with what they grew by.
    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.write_besides(to).await?;
        if self.raised.is_empty() {
            return Ok(());
        }
        self.write_sums(to).await?;
        let keys = || self.raised.keys();
        let column = |of: fn(&Run) -> i64| self.raised.values().map(of).collect::<Vec<_>>();
        let times =
            |of: fn(&Run) -> OffsetDateTime| self.raised.values().map(of).collect::<Vec<_>>();
        sqlx::query(RAISE)
            .bind(keys().map(|key| key.0).collect::<Vec<_>>())
            .bind(keys().map(|key| key.1).collect::<Vec<_>>())
            .bind(keys().map(|key| key.2.as_str()).collect::<Vec<_>>())
            .bind(keys().map(|key| key.3).collect::<Vec<_>>())
            .bind(column(|run| run.uploaded))
            .bind(column(|run| run.downloaded))
            .bind(column(|run| run.charged))
            .bind(column(|run| run.remaining))
            .bind(column(|run| run.seeded))
            .bind(column(|run| run.leeched))
            .bind(
                self.raised
                    .values()
                    .map(|run| run.completed)
                    .collect::<Vec<_>>(),
            )
            .bind(times(|run| run.first_at))
            .bind(times(|run| run.last_at))
            .bind(column(|run| run.position))
            .execute(&mut *to)
            .await?;
        self.raised.clear();
        self.steps = 0;
        self.write_snatches(to).await
    }
}

/// By how much each hour's reports raise what was there; a report that is late raises nothing.
const GROW: &str = "
    with said as (
        select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[],
                             $8::bigint[], $9::bigint[])
          as s(member, torrent, client, run, hour, sent, uploaded, got, downloaded)),
    grown as (
        select hour, sum(greatest(l.uploaded, s.uploaded) - greatest(l.uploaded, s.sent))::bigint as uploaded,
               sum(greatest(l.downloaded, s.downloaded) - greatest(l.downloaded, s.got))::bigint as downloaded
        from said s left join ledger l using (member, torrent, client, run) group by hour)
    insert into traffic_sum as t (grain, bucket, uploaded, downloaded)
    select 0, 0, sum(uploaded)::bigint, sum(downloaded)::bigint from grown
    union all select 1, hour, uploaded, downloaded from grown
    union all select 2, hour / 24, sum(uploaded)::bigint, sum(downloaded)::bigint from grown group by hour / 24
    on conflict (grain, bucket) do update set
        uploaded = t.uploaded + excluded.uploaded, downloaded = t.downloaded + excluded.downloaded";

/// Adds what is new and takes off what was there, since a join of the two by the run's key is planned
/// as a walk over both.
const RAISE: &str = "
    with said as (
        select * from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[],
                             $8::bigint[], $9::bigint[], $10::bigint[], $11::bool[], $12::timestamptz[],
                             $13::timestamptz[], $14::bigint[])
          as s(member, torrent, client, run, uploaded, downloaded, charged, remaining, seeded, leeched, completed,
               first_at, last_at, position)),
    old as (
        select member, l.uploaded, l.downloaded, l.charged, l.seeded, l.leeched
        from ledger l join said using (member, torrent, client, run)),
    new as (
        insert into ledger as l (member, torrent, client, run, uploaded, downloaded, charged, remaining, seeded,
                                 leeched, completed, first_at, last_at)
        select member, torrent, client, run, uploaded, downloaded, charged, remaining, seeded, leeched, completed,
               first_at, last_at from said
        on conflict (member, torrent, client, run) do update set
            uploaded = greatest(l.uploaded, excluded.uploaded),
            downloaded = greatest(l.downloaded, excluded.downloaded),
            charged = greatest(l.charged, excluded.charged),
            remaining = excluded.remaining,
            seeded = greatest(l.seeded, excluded.seeded),
            leeched = greatest(l.leeched, excluded.leeched),
            completed = l.completed or excluded.completed,
            last_at = greatest(l.last_at, excluded.last_at)
        returning member, uploaded, downloaded, charged, seeded, leeched),
    grown as (
        select member, uploaded, downloaded, charged, seeded, leeched, null::bigint as position from new
        union all
        select member, -uploaded, -downloaded, -charged, -seeded, -leeched, null from old
        union all
        select member, 0, 0, 0, 0, 0, position from said)
    insert into member_total as m (member, uploaded, downloaded, charged, seeded, leeched, position)
    select member, sum(uploaded)::bigint, sum(downloaded)::bigint, sum(charged)::bigint, sum(seeded)::bigint,
           sum(leeched)::bigint, max(position)
    from grown group by member
    on conflict (member) do update set
        uploaded = m.uploaded + excluded.uploaded,
        downloaded = m.downloaded + excluded.downloaded,
        charged = m.charged + excluded.charged,
        seeded = m.seeded + excluded.seeded,
        leeched = m.leeched + excluded.leeched,
        position = greatest(m.position, excluded.position)";

#[cfg(test)]
mod tests {
    use super::*;

    fn run(hour: i64, uploaded: i64, downloaded: i64) -> Run {
        let first = Step {
            hour,
            uploaded: (0, uploaded),
            downloaded: (0, downloaded),
        };
        Run {
            uploaded,
            downloaded,
            charged: 0,
            remaining: 0,
            seeded: 0,
            leeched: 0,
            completed: false,
            first_at: OffsetDateTime::UNIX_EPOCH,
            last_at: OffsetDateTime::UNIX_EPOCH,
            position: hour,
            steps: vec![first],
        }
    }

    #[test]
    fn a_run_grows_in_the_hour_of_each_report_and_never_shrinks() {
        let mut raised = run(1, 10, 5);
        // The fourth is late, and the fifth says nothing new.
        for (hour, uploaded, downloaded) in
            [(1, 30, 5), (2, 30, 9), (4, 20, 2), (5, 30, 9), (6, 40, 9)]
        {
            raised.raise(&run(hour, uploaded, downloaded));
        }
        let steps: Vec<_> = raised
            .steps
            .iter()
            .map(|step| (step.hour, step.uploaded, step.downloaded))
            .collect();
        assert_eq!(
            steps,
            [
                (1, (0, 30), (0, 5)),
                (2, (30, 30), (5, 9)),
                (6, (30, 40), (9, 9))
            ]
        );
    }
}
