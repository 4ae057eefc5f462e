//! Invites: who made them, who joined by them, and how many are left.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::id::{InviteId, MemberId};
use domain::invite::InvitedBy;
use domain::{Fact, Recorded, user};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::page::{Cursor, Page};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// How an invite stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Somebody may use it.
    Open,
    /// Somebody joined by it, of this name.
    Used(String),
    /// It was revoked.
    Revoked,
    /// Its time is over.
    Expired,
}

/// An invite as it was made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invite {
    /// Which one.
    pub id: InviteId,
    /// Who made it.
    pub issuer: MemberId,
    /// The name of who made it.
    pub issuer_name: String,
    /// When it was made.
    pub issued_at: OffsetDateTime,
    /// When it ends, in seconds since 1970.
    pub expires: i64,
    /// How it stands.
    pub standing: Standing,
    /// Where it was made in the log.
    pub position: i64,
}

/// Somebody in the tree of who invited whom.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Guest {
    /// The name.
    pub name: String,
    /// How deep below who was asked for: 1 for those invited directly.
    pub depth: i32,
    /// When they joined.
    pub joined: OffsetDateTime,
}

/// Tells how many people a member may still invite.
pub async fn left(reads: &Reads, member: MemberId) -> Result<i64, Unavailable> {
    let query = sqlx::query_scalar("select count from invites_left where member = $1");
    let left: Option<i64> = query.bind(member.0).fetch_optional(&reads.pool).await?;
    Ok(left.unwrap_or(0))
}

/// Gives a page of invites, a member's or everybody's, the latest first.
pub async fn list(
    reads: &Reads,
    issuer: Option<MemberId>,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Invite>, Unavailable> {
    let key: Option<i64> = from.and_then(Cursor::key);
    let rows = sqlx::query(
        "select i.id, i.issuer, i.issued_at, i.expires, i.standing, i.position,
                coalesce(m.name, '(unknown)') as issuer_name, coalesce(u.name, '(unknown)') as used_by
         from invite i left join member m on m.id = i.issuer left join member u on u.id = i.used_by
         where ($1::uuid is null or i.issuer = $1) and ($2::bigint is null or i.position < $2)
         order by i.position desc limit $3",
    )
    .bind(issuer.map(|issuer| issuer.0))
    .bind(key)
    .bind(limit + 1)
    .fetch_all(&reads.pool)
    .await?;
    let invites = rows.iter().map(invite_row).collect::<Result<_, _>>()?;
    Ok(Page::cut(invites, limit, |invite: &Invite| invite.position))
}

/// Gives whom a member invited, and whom they invited, at most five deep and two hundred people.
pub async fn tree(reads: &Reads, member: MemberId) -> Result<Vec<Guest>, Unavailable> {
    let guests = sqlx::query_as(
        "with recursive guest as (
             select used_by, 1 as depth, array[position] as path from invite
             where issuer = $1 and used_by is not null
             union all
             select i.used_by, depth + 1, path || i.position from invite i join guest on i.issuer = guest.used_by
             where i.used_by is not null and depth < 5)
         select m.name, guest.depth, m.joined from guest join member m on m.id = guest.used_by
         order by path limit 200",
    )
    .bind(member.0)
    .fetch_all(&reads.pool)
    .await?;
    Ok(guests)
}

/// Tells by whose invite a member joined.
pub async fn inviter(reads: &Reads, member: MemberId) -> Result<Option<String>, Unavailable> {
    let query = sqlx::query_scalar(
        "select m.name from invite i join member m on m.id = i.issuer where i.used_by = $1",
    );
    Ok(query.bind(member.0).fetch_optional(&reads.pool).await?)
}

/// Gives open invites whose time is over by now, in seconds since 1970, with who made them.
pub async fn over(reads: &Reads, now: i64) -> Result<Vec<(MemberId, InviteId)>, Unavailable> {
    let rows: Vec<(Uuid, Uuid)> = sqlx::query_as(
        "select issuer, id from invite where standing = 'open' and expires <= $1 order by expires limit 200",
    )
    .bind(now)
    .fetch_all(&reads.pool)
    .await?;
    let pair = |(issuer, id)| (MemberId(issuer), InviteId(id));
    Ok(rows.into_iter().map(pair).collect())
}

fn invite_row(row: &PgRow) -> Result<Invite, sqlx::Error> {
    let standing: String = row.try_get("standing")?;
    Ok(Invite {
        id: InviteId(row.try_get("id")?),
        issuer: MemberId(row.try_get("issuer")?),
        issuer_name: row.try_get("issuer_name")?,
        issued_at: row.try_get("issued_at")?,
        expires: row.try_get("expires")?,
        standing: match standing.as_str() {
            "used" => Standing::Used(row.try_get("used_by")?),
            "revoked" => Standing::Revoked,
            "expired" => Standing::Expired,
            _ => Standing::Open,
        },
        position: row.try_get("position")?,
    })
}

/// The projection behind invites.
#[derive(Debug)]
pub struct Invites;

impl Projection for Invites {
    fn name(&self) -> &'static str {
        "invite"
    }

    fn version(&self) -> i32 {
        2
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/invite.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/invite.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["invite", "invites_left"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["user"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            issued: Copy::into("invite (id, issuer, issued_at, expires, position)", 5),
            used: BTreeMap::new(),
            voided: BTreeMap::new(),
            left: BTreeMap::new(),
            erased: BTreeSet::new(),
        })
    }
}

/// New invites, what became of old ones, how many more or fewer are left, and who was erased.
struct Said {
    issued: Copy,
    used: BTreeMap<Uuid, Use>,
    voided: BTreeMap<Uuid, (&'static str, OffsetDateTime)>,
    left: BTreeMap<Uuid, i64>,
    erased: BTreeSet<Uuid>,
}

/// Who joined by an invite, as their own stream tells it.
struct Use {
    issuer: Uuid,
    by: Uuid,
    at: OffsetDateTime,
    position: i64,
}

impl Said {
    fn more(&mut self, member: Uuid, count: i64) {
        *self.left.entry(member).or_default() += count;
    }

    fn used(&mut self, event: &Recorded, by: &InvitedBy) {
        let used = Use {
            issuer: by.member.0,
            by: event.stream_id,
            at: event.at,
            position: event.position.0,
        };
        self.used.insert(by.invite.0, used);
    }

    /// Writes who joined by which invite. Where its maker was erased, all that is known of it is this.
    async fn write_used(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.used.is_empty() {
            return Ok(());
        }
        let (ids, said): (Vec<Uuid>, Vec<Use>) = std::mem::take(&mut self.used).into_iter().unzip();
        sqlx::query(
            "insert into invite as i (id, issuer, issued_at, expires, standing, used_by, settled_at, position, used_position)
             select id, issuer, at, 0, 'used', used_by, at, position, position
             from unnest($1::uuid[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::bigint[])
                 as s(id, issuer, used_by, at, position)
             on conflict (id) do update set standing = 'used', used_by = excluded.used_by,
                 settled_at = excluded.settled_at, used_position = excluded.used_position,
                 issued_at = case when i.expires = 0 then excluded.issued_at else i.issued_at end,
                 position = case when i.expires = 0 then excluded.position else i.position end",
        )
        .bind(ids)
        .bind(said.iter().map(|one| one.issuer).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.by).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.at).collect::<Vec<_>>())
        .bind(said.iter().map(|one| one.position).collect::<Vec<_>>())
        .execute(to)
        .await
        .map(|_| ())
    }

    async fn write_voided(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.voided.is_empty() {
            return Ok(());
        }
        let (ids, said): (Vec<Uuid>, Vec<_>) = std::mem::take(&mut self.voided).into_iter().unzip();
        let (standings, times): (Vec<&str>, Vec<OffsetDateTime>) = said.into_iter().unzip();
        sqlx::query(
            "update invite i set standing = s.standing, settled_at = s.at
             from unnest($1::uuid[], $2::text[], $3::timestamptz[]) as s(id, standing, at) where i.id = s.id",
        )
        .bind(ids)
        .bind(standings)
        .bind(times)
        .execute(to)
        .await
        .map(|_| ())
    }

    /// Forgets what erased members made, but that somebody joined by it.
    async fn write_erased(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let erased: Vec<Uuid> = std::mem::take(&mut self.erased).into_iter().collect();
        if erased.is_empty() {
            return Ok(());
        }
        for statement in [
            "delete from invites_left where member = any($1)",
            "delete from invite where issuer = any($1) and used_by is null",
            "update invite set issued_at = settled_at, expires = 0, position = used_position where issuer = any($1)",
        ] {
            let query = sqlx::query(statement).bind(&erased);
            query.execute(&mut *to).await?;
        }
        Ok(())
    }
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let (Fact::User(happened), member) = (&event.fact, event.stream_id) else {
            return Ok(());
        };
        match happened {
            user::Event::MemberRegistered {
                invites,
                invited_by,
                ..
            } => {
                self.more(member, i64::from(*invites));
                if let Some(by) = invited_by {
                    self.used(event, by);
                }
            }
            user::Event::MemberErased { invited_by } => {
                self.erased.insert(member);
                if let Some(by) = invited_by {
                    self.used(event, by);
                }
            }
            user::Event::InviteIssued {
                invite, expires, ..
            } => {
                self.more(member, -1);
                let row = self.issued.row().put(invite.0)?.put(member)?;
                row.put(event.at)?.put(*expires)?.put(event.position.0)?;
            }
            user::Event::InviteRevoked { invite, expired } => {
                self.more(member, 1);
                let standing = if *expired { "expired" } else { "revoked" };
                self.voided.insert(invite.0, (standing, event.at));
            }
            user::Event::InvitesGranted { count } => self.more(member, i64::from(*count)),
            user::Event::CredentialsChanged { .. }
            | user::Event::SecondFactorEnabled { .. }
            | user::Event::SecondFactorDisabled {}
            | user::Event::DeviceCodeUsed { .. }
            | user::Event::SecurityKeyAdded { .. }
            | user::Event::SecurityKeyUsed { .. }
            | user::Event::SecurityKeyRemoved { .. }
            | user::Event::DeviceSeen { .. }
            | user::Event::PasskeyReset { .. }
            | user::Event::RecoveryCodesMade { .. }
            | user::Event::RecoveryCodeUsed { .. }
            | user::Event::RoleAssigned { .. }
            | user::Event::RoleGranted { .. }
            | user::Event::RoleWithdrawn { .. }
            | user::Event::MemberWarned { .. }
            | user::Event::MemberBanned(_)
            | user::Event::MemberUnbanned { .. } => {}
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.issued.bytes(),
            changes: self.used.len() + self.voided.len() + self.left.len() + self.erased.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.issued.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if !self.left.is_empty() {
            let (members, counts): (Vec<Uuid>, Vec<i64>) =
                std::mem::take(&mut self.left).into_iter().unzip();
            sqlx::query(
                "insert into invites_left as l (member, count)
                 select * from unnest($1::uuid[], $2::bigint[])
                 on conflict (member) do update set count = l.count + excluded.count",
            )
            .bind(members)
            .bind(counts)
            .execute(&mut *to)
            .await?;
        }
        self.write_used(to).await?;
        self.write_voided(to).await?;
        self.write_erased(to).await
    }
}
