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
use crate::{Fold, NotApplied};

/// A member's run of a client on a torrent.
type Key = (Uuid, Uuid, String, i32);

/// The runs of a batch, each with the greatest totals that were reported.
#[derive(Default)]
pub(super) struct Runs {
    raised: BTreeMap<Key, Run>,
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
            changes: self.raised.len() + self.besides.len(),
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
        self.write_snatches(to).await
    }
}

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
