//! What a batch of events says of each run, folded in memory and written at once.

use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::traffic::{self, Entry};
use domain::{Fact, Recorded, torrent, transfer, user};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use super::snatch::Snatches;
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
    snatches: Snatches,
    /// What members have besides their runs.
    besides: BTreeMap<Uuid, Besides>,
    /// Who was erased: what is said of them afterwards counts for nothing.
    erased: BTreeSet<Uuid>,
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

    /// Takes a later report over, in how many steps more; totals never shrink.
    fn raise(&mut self, later: &Self) -> usize {
        let before = self.steps.len();
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
        self.steps.len() - before
    }
}

impl Runs {
    fn add(&mut self, entry: &Entry, event: &Recorded) -> Result<(), NotApplied> {
        let (member, torrent) = (entry.member.0, entry.torrent.0);
        if self.erased.contains(&member) {
            return Ok(());
        }
        let run = Run::of(entry, event)?;
        if entry.completed {
            self.snatches.completed(torrent, member, event);
        }
        let key = (member, torrent, entry.client.clone(), entry.run);
        self.steps += match self.raised.entry(key) {
            btree_map::Entry::Vacant(place) => place.insert(run).steps.len(),
            btree_map::Entry::Occupied(mut place) => place.get_mut().raise(&run),
        };
        Ok(())
    }

    fn beside(&mut self, member: Uuid, event: &Recorded, credit: i64, marks: i32) {
        if self.erased.contains(&member) {
            return;
        }
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
             select * from unnest($1::uuid[], $2::bigint[], $3::int[], $4::bigint[]) as s(member, credit, marks, position)
             where not exists (select from ledger_gone g where g.member = s.member)
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
        if let Fact::User(user::Event::MemberErased { .. }) = &event.fact {
            self.erased.insert(event.stream_id);
        }
        if let Fact::Torrent(happened) = &event.fact
            && let torrent::Event::TorrentUploaded(_) = happened.as_ref()
        {
            self.snatches.uploaded(event.stream_id)?;
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
            bytes: self.snatches.bytes(),
            changes: self.raised.len() + self.besides.len() + self.steps + self.erased.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.snatches.insert(to).await
    }

    /// Raises the runs' totals, and credits each member with what they grew by.
    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.write_besides(to).await?;
        if !self.raised.is_empty() {
            if self.raise(to).await? {
                prune("traffic_sum", to).await?;
            }
            self.raised.clear();
            self.steps = 0;
            self.snatches.write(to).await?;
        }
        self.write_erased(to).await
    }
}

impl Runs {
    /// Forgets what erased members moved; the sums keep it.
    async fn write_erased(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let erased: Vec<Uuid> = std::mem::take(&mut self.erased).into_iter().collect();
        if erased.is_empty() {
            return Ok(());
        }
        for statement in [
            "insert into ledger_gone select * from unnest($1::uuid[]) on conflict do nothing",
            "delete from ledger where member = any($1)",
            "delete from member_total where member = any($1)",
        ] {
            let query = sqlx::query(statement).bind(&erased);
            query.execute(&mut *to).await?;
        }
        Ok(())
    }

    /// Raises what the ledger, its members' totals and the sums say; tells whether an hour or day is new.
    async fn raise(&self, to: &mut PgConnection) -> Result<bool, sqlx::Error> {
        let mut steps: Vec<(i32, &Step)> = Vec::with_capacity(self.steps);
        for (place, run) in (1..).zip(self.raised.values()) {
            steps.extend(run.steps.iter().map(|step| (place, step)));
        }
        let step =
            |of: fn(&Step) -> i64| steps.iter().map(|(_, step)| of(step)).collect::<Vec<_>>();
        let keys = || self.raised.keys();
        let column = |of: fn(&Run) -> i64| self.raised.values().map(of).collect::<Vec<_>>();
        let times =
            |of: fn(&Run) -> OffsetDateTime| self.raised.values().map(of).collect::<Vec<_>>();
        sqlx::query_scalar(RAISE)
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
            .bind(steps.iter().map(|(place, _)| *place).collect::<Vec<_>>())
            .bind(step(|step| step.hour))
            .bind(step(|step| step.uploaded.0))
            .bind(step(|step| step.uploaded.1))
            .bind(step(|step| step.downloaded.0))
            .bind(step(|step| step.downloaded.1))
            .fetch_one(to)
            .await
            .map(|is_new: Option<bool>| is_new == Some(true))
    }
}

/// Raises the ledger, and everything that adds up from it by as much. What was there is looked up once, and
/// put beside what is said by unions: a join of two lists whose lengths aren't known is planned as a walk over
/// both. A report that is late raises nothing. No transaction has put an end (`xmax`) to a row that is new.
const RAISE: &str = "
    with said as (
        select s.*, l.uploaded as had_up, l.downloaded as had_down, l.charged as had_charged, l.seeded as had_seeded,
               l.leeched as had_leeched
        from unnest($1::uuid[], $2::uuid[], $3::text[], $4::int[], $5::bigint[], $6::bigint[], $7::bigint[],
                    $8::bigint[], $9::bigint[], $10::bigint[], $11::bool[], $12::timestamptz[],
                    $13::timestamptz[], $14::bigint[]) with ordinality
          as s(member, torrent, client, run, uploaded, downloaded, charged, remaining, seeded, leeched, completed,
               first_at, last_at, position, place)
        left join ledger l using (member, torrent, client, run)
        where not exists (select from ledger_gone g where g.member = s.member)),
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
        select member, -coalesce(had_up, 0), -coalesce(had_down, 0), -coalesce(had_charged, 0),
               -coalesce(had_seeded, 0), -coalesce(had_leeched, 0), position from said),
    totals as (
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
            position = greatest(m.position, excluded.position)),
    steps as (
        select place, hour, sent, uploaded, got, downloaded, null::bigint as had_up, null::bigint as had_down
        from unnest($15::int[], $16::bigint[], $17::bigint[], $18::bigint[], $19::bigint[], $20::bigint[])
             as s(place, hour, sent, uploaded, got, downloaded)
        union all
        select place, null, null, null, null, null, coalesce(had_up, 0), coalesce(had_down, 0) from said),
    hours as (
        select hour, sum(greatest(had_up, uploaded) - greatest(had_up, sent))::bigint as uploaded,
               sum(greatest(had_down, downloaded) - greatest(had_down, got))::bigint as downloaded
        from (select hour, sent, uploaded, got, downloaded, max(had_up) over run as had_up,
                     max(had_down) over run as had_down
              from steps window run as (partition by place)) beside
        where hour is not null and had_up is not null
        group by hour),
    sums as (
        insert into traffic_sum as t (grain, bucket, uploaded, downloaded)
        select 0, 0, sum(uploaded)::bigint, sum(downloaded)::bigint from hours having count(*) > 0
        union all select 1, hour, uploaded, downloaded from hours
        union all select 2, hour / 24, sum(uploaded)::bigint, sum(downloaded)::bigint from hours group by hour / 24
        on conflict (grain, bucket) do update set
            uploaded = t.uploaded + excluded.uploaded, downloaded = t.downloaded + excluded.downloaded
        returning xmax = 0 as is_new)
    select bool_or(is_new) from sums";

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
