//! What completed downloads owe, and what looks wrong about traffic.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::amount::Seconds;
use domain::id::{MemberId, TorrentId};
use domain::transfer::{self, Kind, Pair, Standing, Suspicion};
use domain::{Actor, Fact, Recorded, user};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::page::{Cursor, Page};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

mod due;

pub use due::{Snatched, due, reached, snatched};

/// What a completed download owes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owed {
    /// Who and what.
    pub of: Pair,
    /// The member's name.
    pub member: String,
    /// The torrent's name.
    pub torrent: String,
    /// The seed time owed.
    pub owes: Seconds,
    /// The seed time so far.
    pub seeded: Seconds,
    /// When the grace period ends, in seconds since 1970.
    pub due: i64,
    /// When the download was completed.
    pub completed_at: OffsetDateTime,
    /// How it stands.
    pub standing: Standing,
    /// Why the staff did something about it.
    pub reason: Option<String>,
    /// Where it last stood in the log.
    pub position: i64,
}

/// Something about traffic that looks wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flag {
    /// Who and what.
    pub of: Pair,
    /// The member's name.
    pub member: String,
    /// The torrent's name.
    pub torrent: String,
    /// What looks wrong.
    pub suspicion: Suspicion,
    /// When it was flagged.
    pub at: OffsetDateTime,
    /// Where it stands in the log.
    pub position: i64,
}

const OWED: &str = "select o.member, o.torrent, o.owes, o.due, o.completed_at, o.standing, o.reason, o.position,
        coalesce(m.name, '(unknown)') as member_name, coalesce(t.name, '(unknown)') as torrent_name,
        (select coalesce(sum(l.seeded), 0)::bigint from ledger l
         where l.member = o.member and l.torrent = o.torrent) as seeded
    from obligation o left join member m on m.id = o.member left join torrent t on t.id = o.torrent";

/// Gives what a member's downloads owe or owed, the latest first; those of which nothing was asked are
/// left out.
pub async fn of_member(
    reads: &Reads,
    member: MemberId,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Owed>, Unavailable> {
    let query = format!(
        "{OWED} where o.member = $1 and o.owes > 0 and ($2::bigint is null or o.position < $2)
         order by o.position desc limit $3"
    );
    let key: Option<i64> = from.and_then(Cursor::key);
    let query = sqlx::query(&query).bind(member.0).bind(key).bind(limit + 1);
    let rows = query.fetch_all(&reads.pool).await?;
    let owed = rows.iter().map(owed_row).collect::<Result<_, _>>()?;
    Ok(Page::cut(owed, limit, |owed: &Owed| owed.position))
}

/// Gives what stands so, the latest first.
pub async fn standing(
    reads: &Reads,
    standing: Standing,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Owed>, Unavailable> {
    let query = format!(
        "{OWED} where o.standing = $1 and o.owes > 0 and ($2::bigint is null or o.position < $2)
         order by o.position desc limit $3"
    );
    let key: Option<i64> = from.and_then(Cursor::key);
    let query = sqlx::query(&query)
        .bind(standing.name())
        .bind(key)
        .bind(limit + 1);
    let rows = query.fetch_all(&reads.pool).await?;
    let owed = rows.iter().map(owed_row).collect::<Result<_, _>>()?;
    Ok(Page::cut(owed, limit, |owed: &Owed| owed.position))
}

/// The most flags that are counted.
pub const MOST_COUNTED: i64 = 100;

/// Counts what looks wrong and wasn't looked at, up to [`MOST_COUNTED`].
pub async fn flagged(reads: &Reads) -> Result<i64, Unavailable> {
    let query = "select count(*) from (select 1 from flag limit $1) counted";
    let query = sqlx::query_scalar(query).bind(MOST_COUNTED);
    Ok(query.fetch_one(&reads.pool).await?)
}

/// Gives what looks wrong and wasn't looked at, the latest first.
pub async fn flags(
    reads: &Reads,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Flag>, Unavailable> {
    let key: Option<i64> = from.and_then(Cursor::key);
    let rows = sqlx::query(
        "select f.member, f.torrent, f.facts, f.at, f.position,
                coalesce(m.name, '(unknown)') as member_name, coalesce(t.name, '(unknown)') as torrent_name
         from flag f left join member m on m.id = f.member left join torrent t on t.id = f.torrent
         where $1::bigint is null or f.position < $1 order by f.position desc limit $2",
    )
    .bind(key)
    .bind(limit + 1)
    .fetch_all(&reads.pool)
    .await?;
    let flags = rows.iter().map(flag_row).collect::<Result<_, _>>()?;
    Ok(Page::cut(flags, limit, |flag: &Flag| flag.position))
}

fn pair(row: &PgRow) -> Result<Pair, sqlx::Error> {
    Ok(Pair {
        member: MemberId(row.try_get("member")?),
        torrent: TorrentId(row.try_get("torrent")?),
    })
}

fn owed_row(row: &PgRow) -> Result<Owed, sqlx::Error> {
    let standing: String = row.try_get("standing")?;
    let seconds = |column| {
        row.try_get::<i64, _>(column)
            .map(|stored| Seconds(stored.unsigned_abs()))
    };
    Ok(Owed {
        of: pair(row)?,
        member: row.try_get("member_name")?,
        torrent: row.try_get("torrent_name")?,
        owes: seconds("owes")?,
        seeded: seconds("seeded")?,
        due: row.try_get("due")?,
        completed_at: row.try_get("completed_at")?,
        standing: Standing::named(&standing).ok_or_else(|| sqlx::Error::Decode(standing.into()))?,
        reason: row.try_get("reason")?,
        position: row.try_get("position")?,
    })
}

fn flag_row(row: &PgRow) -> Result<Flag, sqlx::Error> {
    let facts: String = row.try_get("facts")?;
    Ok(Flag {
        of: pair(row)?,
        member: row.try_get("member_name")?,
        torrent: row.try_get("torrent_name")?,
        suspicion: serde_json::from_str(&facts)
            .map_err(|error| sqlx::Error::Decode(error.into()))?,
        at: row.try_get("at")?,
        position: row.try_get("position")?,
    })
}

/// The projection behind obligations and flags.
#[derive(Debug)]
pub struct Transfers;

impl Projection for Transfers {
    fn name(&self) -> &'static str {
        "transfer"
    }

    fn version(&self) -> i32 {
        2
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/transfer.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/transfer.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["obligation", "obligation_gone", "flag"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["transfer", "user"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            owed: Copy::into(
                "obligation (stream, member, torrent, owes, due, completed_at, standing, position)",
                8,
            ),
            settled: BTreeMap::new(),
            flags: BTreeMap::new(),
            erased: BTreeSet::new(),
            owing: BTreeSet::new(),
        })
    }
}

/// New obligations, and the last word on old ones and on flags.
struct Said {
    owed: Copy,
    settled: BTreeMap<Uuid, Settled>,
    flags: BTreeMap<(Uuid, Kind), Option<Raised>>,
    /// Who was erased: they owe nothing, whatever is said of them.
    erased: BTreeSet<Uuid>,
    /// Of whom something was said that they may be erased of.
    owing: BTreeSet<Uuid>,
}

/// How an obligation stands from here on.
struct Settled {
    standing: Standing,
    at: OffsetDateTime,
    by: Option<Uuid>,
    reason: Option<String>,
}

/// A flag that was raised.
struct Raised {
    of: Pair,
    facts: String,
    at: OffsetDateTime,
    position: i64,
}

impl Said {
    fn settle(&mut self, event: &Recorded, standing: Standing) {
        let by = match event.meta.actor {
            Actor::Member(member) => Some(member.0),
            Actor::Operator | Actor::System => None,
        };
        let settled = Settled {
            standing,
            at: event.at,
            by,
            reason: event.meta.reason.clone(),
        };
        self.settled.insert(event.stream_id, settled);
    }

    fn raise(&mut self, event: &Recorded, of: Pair, suspicion: Suspicion) {
        let raised = Raised {
            of,
            facts: serde_json::to_string(&suspicion).unwrap_or_default(),
            at: event.at,
            position: event.position.0,
        };
        self.flags
            .insert((event.stream_id, suspicion.kind()), Some(raised));
    }

    async fn write_flags(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        for ((stream, kind), raised) in std::mem::take(&mut self.flags) {
            let query = match raised {
                Some(raised) => sqlx::query(
                    "insert into flag (stream, kind, member, torrent, facts, at, position)
                     values ($1, $2, $3, $4, $5, $6, $7) on conflict (stream, kind) do update
                     set facts = excluded.facts, at = excluded.at, position = excluded.position",
                )
                .bind(stream)
                .bind(kind.name())
                .bind(raised.of.member.0)
                .bind(raised.of.torrent.0)
                .bind(raised.facts)
                .bind(raised.at)
                .bind(raised.position),
                None => sqlx::query("delete from flag where stream = $1 and kind = $2")
                    .bind(stream)
                    .bind(kind.name()),
            };
            query.execute(&mut *to).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        if let Fact::User(user::Event::MemberErased { .. }) = &event.fact {
            self.erased.insert(event.stream_id);
        }
        let Fact::Transfer(happened) = &event.fact else {
            return Ok(());
        };
        match happened {
            transfer::Event::SnatchCompleted { of, owes, due } => {
                self.owing.insert(of.member.0);
                let standing = if owes.0 == 0 {
                    Standing::Met
                } else {
                    Standing::Owing
                };
                let row = self.owed.row().put(event.stream_id)?;
                let row = row.put(of.member.0)?.put(of.torrent.0)?;
                let row = row
                    .put(i64::try_from(owes.0).unwrap_or(i64::MAX))?
                    .put(*due)?;
                row.put(event.at)?
                    .put(standing.name())?
                    .put(event.position.0)?;
            }
            transfer::Event::HitAndRunMarked { .. } => self.settle(event, Standing::Marked),
            transfer::Event::SeedTimeMet { .. } | transfer::Event::HitAndRunCleared { .. } => {
                self.settle(event, Standing::Met);
            }
            transfer::Event::HitAndRunExempted { .. } => self.settle(event, Standing::Exempt),
            transfer::Event::TrafficFlagged { of, suspicion } => {
                self.owing.insert(of.member.0);
                self.raise(event, *of, *suspicion);
            }
            transfer::Event::FlagDismissed { kind, .. } => {
                self.flags.insert((event.stream_id, *kind), None);
            }
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.owed.bytes(),
            changes: self.settled.len() + self.flags.len() + self.erased.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.owed.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.write_flags(to).await?;
        self.write_settled(to).await?;
        self.write_erased(to).await
    }
}

impl Said {
    /// Forgets what erased members owed, also where it was said afterwards.
    async fn write_erased(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let erased: Vec<Uuid> = std::mem::take(&mut self.erased).into_iter().collect();
        let owing = std::mem::take(&mut self.owing).into_iter();
        let touched: Vec<Uuid> = owing.chain(erased.iter().copied()).collect();
        let learn =
            "insert into obligation_gone select * from unnest($1::uuid[]) on conflict do nothing";
        sqlx::query(learn).bind(erased).execute(&mut *to).await?;
        for table in ["obligation", "flag"] {
            let forget = format!(
                "delete from {table} o using obligation_gone g where o.member = g.member and g.member = any($1)"
            );
            sqlx::query(&forget)
                .bind(&touched)
                .execute(&mut *to)
                .await?;
        }
        Ok(())
    }

    async fn write_settled(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.settled.is_empty() {
            return Ok(());
        }
        let (ids, said): (Vec<Uuid>, Vec<Settled>) =
            std::mem::take(&mut self.settled).into_iter().unzip();
        sqlx::query(
            "update obligation o set standing = s.standing, settled_at = s.at, settled_by = s.by, reason = s.reason
             from unnest($1::uuid[], $2::text[], $3::timestamptz[], $4::uuid[], $5::text[])
                 as s(stream, standing, at, by, reason)
             where o.stream = s.stream",
        )
        .bind(ids)
        .bind(said.iter().map(|one| one.standing.name()).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.at).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.by).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.reason.clone()).collect::<Vec<_>>())
        .execute(to)
        .await
        .map(|_| ())
    }
}
