//! A member as others see them.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use domain::id::MemberId;
use domain::user::{self, Role};
use domain::{Actor, Fact, Permissions, Recorded};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::page::{Cursor, Page};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

pub mod sanction;

/// A member as others see them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Who it is.
    pub id: MemberId,
    /// The name as the member writes it.
    pub name: String,
    /// What the member may do.
    pub role: Role,
    /// When the member registered.
    pub joined: OffsetDateTime,
    /// When a ban ends, in seconds since 1970; one without an end never does.
    pub banned_until: Option<i64>,
    /// Since when the password holds, in seconds since 1970, where it isn't the first one.
    pub proves_since: Option<i64>,
}

impl Profile {
    /// Tells what the member may do.
    pub fn permissions(&self) -> Permissions {
        self.role.permissions()
    }

    /// Tells whether the member is shut out at a moment, in seconds since 1970.
    pub fn is_banned(&self, now: i64) -> bool {
        self.banned_until.is_some_and(|until| now < until)
    }
}

/// Gives a member's profile.
pub async fn profile(reads: &Reads, id: MemberId) -> Result<Option<Profile>, Unavailable> {
    let query = sqlx::query(
        "select id, name, role, joined, banned_until, proves_since from member where id = $1",
    )
    .bind(id.0);
    let row = query.fetch_optional(&reads.pool).await?;
    Ok(row.as_ref().map(profile_row).transpose()?)
}

/// Gives the profile of a name, whatever its case.
pub async fn named(reads: &Reads, name: &user::Name) -> Result<Option<Profile>, Unavailable> {
    let query = sqlx::query(
        "select id, name, role, joined, banned_until, proves_since from member where folded = $1",
    )
    .bind(name.folded());
    let row = query.fetch_optional(&reads.pool).await?;
    Ok(row.as_ref().map(profile_row).transpose()?)
}

/// The names of members.
pub type Names = HashMap<MemberId, String>;

/// Gives the names of members.
pub async fn names(
    reads: &Reads,
    members: impl Iterator<Item = MemberId>,
) -> Result<Names, Unavailable> {
    let mut wanted: Vec<Uuid> = members.map(|member| member.0).collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(Names::new());
    }
    let found: Vec<(Uuid, String)> =
        sqlx::query_as("select id, name from member where id = any($1)")
            .bind(wanted)
            .fetch_all(&reads.pool)
            .await?;
    Ok(found
        .into_iter()
        .map(|(id, name)| (MemberId(id), name))
        .collect())
}

/// Gives the names of members as they write them, by their folded names, of those that there are.
pub async fn known(
    reads: &Reads,
    folded: impl Iterator<Item = String>,
) -> Result<HashMap<String, String>, Unavailable> {
    let mut wanted: Vec<String> = folded.collect();
    wanted.sort_unstable();
    wanted.dedup();
    if wanted.is_empty() {
        return Ok(HashMap::new());
    }
    let found: Vec<(String, String)> =
        sqlx::query_as("select folded, name from member where folded = any($1)")
            .bind(wanted)
            .fetch_all(&reads.pool)
            .await?;
    Ok(found.into_iter().collect())
}

/// Gives a page of members by name, those whose name begins so.
pub async fn list(
    reads: &Reads,
    begins: &str,
    from: Option<&Cursor>,
    limit: i64,
) -> Result<Page<Profile>, Unavailable> {
    let begins = begins.to_lowercase();
    // What stands behind every name that begins so.
    let end = format!("{begins}\u{10FFFF}");
    let key: Option<String> = from.and_then(Cursor::key);
    let rows = sqlx::query(
        "select id, name, role, joined, banned_until, proves_since from member
         where folded >= $1 collate \"C\" and folded < $2 collate \"C\" and ($3::text is null or folded > $3 collate \"C\")
         order by folded collate \"C\" limit $4",
    )
    .bind(begins)
    .bind(end)
    .bind(key)
    .bind(limit + 1)
    .fetch_all(&reads.pool)
    .await?;
    let profiles = rows.iter().map(profile_row).collect::<Result<_, _>>()?;
    Ok(Page::cut(profiles, limit, |profile: &Profile| {
        profile.name.to_lowercase()
    }))
}

/// Counts the members.
pub async fn count(reads: &Reads) -> Result<i64, Unavailable> {
    Ok(sqlx::query_scalar("select count(*) from member")
        .fetch_one(&reads.pool)
        .await?)
}

fn profile_row(row: &PgRow) -> Result<Profile, sqlx::Error> {
    let role: String = row.try_get("role")?;
    Ok(Profile {
        id: MemberId(row.try_get("id")?),
        name: row.try_get("name")?,
        role: Role::named(&role).ok_or_else(|| sqlx::Error::Decode(role.into()))?,
        joined: row.try_get("joined")?,
        banned_until: row.try_get("banned_until")?,
        proves_since: row.try_get("proves_since")?,
    })
}

/// The projection behind profiles.
#[derive(Debug)]
pub struct Users;

impl Projection for Users {
    fn name(&self) -> &'static str {
        "user"
    }

    fn version(&self) -> i32 {
        4
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/user.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/user.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["member", "sanction"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["user"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            registered: Copy::into("member (id, name, folded, role, joined)", 5),
            roles: BTreeMap::new(),
            bans: BTreeMap::new(),
            passwords: BTreeMap::new(),
            sanctions: Copy::into(
                "sanction (position, member, kind, reason, until, at, by)",
                7,
            ),
        })
    }
}

/// New members, and the last word on each one's role, ban and password.
struct Said {
    registered: Copy,
    roles: BTreeMap<Uuid, Role>,
    /// When bans end; nothing where they were lifted.
    bans: BTreeMap<Uuid, Option<i64>>,
    /// Since when passwords hold.
    passwords: BTreeMap<Uuid, i64>,
    sanctions: Copy,
}

impl Said {
    fn sanction(
        &mut self,
        event: &Recorded,
        kind: sanction::Kind,
        reason: &str,
        until: Option<i64>,
    ) -> Result<(), NotApplied> {
        let by = match event.meta.actor {
            Actor::Member(member) => Some(member.0),
            Actor::Operator | Actor::System => None,
        };
        let row = self.sanctions.row().put(event.position.0)?;
        let row = row.put(event.stream_id)?.put(kind.name())?.put(reason)?;
        row.put(until)?.put(event.at)?.put(by)?;
        Ok(())
    }

    async fn write_passwords(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.passwords.is_empty() {
            return Ok(());
        }
        let (ids, since): (Vec<Uuid>, Vec<i64>) =
            std::mem::take(&mut self.passwords).into_iter().unzip();
        sqlx::query(
            "update member m set proves_since = s.since
             from unnest($1::uuid[], $2::bigint[]) as s(id, since) where m.id = s.id",
        )
        .bind(ids)
        .bind(since)
        .execute(to)
        .await
        .map(|_| ())
    }

    async fn write_bans(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.bans.is_empty() {
            return Ok(());
        }
        let (ids, ends): (Vec<Uuid>, Vec<Option<i64>>) =
            std::mem::take(&mut self.bans).into_iter().unzip();
        sqlx::query(
            "update member m set banned_until = s.until
             from unnest($1::uuid[], $2::bigint[]) as s(id, until) where m.id = s.id",
        )
        .bind(ids)
        .bind(ends)
        .execute(to)
        .await
        .map(|_| ())
    }
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        let Fact::User(happened) = &event.fact else {
            return Ok(());
        };
        match happened {
            user::Event::MemberRegistered { name, role, .. } => {
                let row = self.registered.row().put(event.stream_id)?;
                row.put(name.as_str())?
                    .put(name.folded())?
                    .put(role.name())?
                    .put(event.at)?;
            }
            user::Event::RoleAssigned { role } => {
                self.roles.insert(event.stream_id, *role);
            }
            user::Event::MemberWarned { reason } => {
                self.sanction(event, sanction::Kind::Warning, reason, None)?;
            }
            user::Event::MemberBanned { reason, until } => {
                let end = until.unwrap_or(i64::MAX);
                self.bans.insert(event.stream_id, Some(end));
                self.sanction(event, sanction::Kind::Ban, reason, Some(end))?;
            }
            user::Event::MemberUnbanned { reason } => {
                self.bans.insert(event.stream_id, None);
                self.sanction(event, sanction::Kind::Lifted, reason, None)?;
            }
            user::Event::CredentialsChanged { .. } => {
                let since = event.at.unix_timestamp();
                self.passwords.insert(event.stream_id, since);
            }
            user::Event::RecoveryCodesMade { .. }
            | user::Event::RecoveryCodeUsed { .. }
            | user::Event::PasskeyReset { .. }
            | user::Event::InviteIssued { .. }
            | user::Event::InviteRevoked { .. }
            | user::Event::InvitesGranted { .. } => {}
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.registered.bytes() + self.sanctions.bytes(),
            changes: self.roles.len() + self.bans.len() + self.passwords.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.registered.write(to).await?;
        self.sanctions.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.write_bans(to).await?;
        self.write_passwords(to).await?;
        if self.roles.is_empty() {
            return Ok(());
        }
        let (ids, roles): (Vec<Uuid>, Vec<Role>) =
            std::mem::take(&mut self.roles).into_iter().unzip();
        sqlx::query(
            "update member m set role = s.role from unnest($1::uuid[], $2::text[]) as s(id, role) where m.id = s.id",
        )
        .bind(ids)
        .bind(roles.iter().map(|role| role.name()).collect::<Vec<_>>())
        .execute(to)
        .await
        .map(|_| ())
    }
}
