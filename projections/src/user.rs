//! A member as others see them.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use domain::id::MemberId;
use domain::user::{self, Role};
use domain::{Fact, Permissions, Recorded};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

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
}

impl Profile {
    /// Tells what the member may do.
    pub fn permissions(&self) -> Permissions {
        self.role.permissions()
    }
}

/// Gives a member's profile.
pub async fn profile(reads: &Reads, id: MemberId) -> Result<Option<Profile>, Unavailable> {
    let query = sqlx::query("select id, name, role, joined from member where id = $1").bind(id.0);
    let row = query.fetch_optional(&reads.pool).await?;
    Ok(row.as_ref().map(profile_row).transpose()?)
}

/// Gives the profile of a name, whatever its case.
pub async fn named(reads: &Reads, name: &user::Name) -> Result<Option<Profile>, Unavailable> {
    let query = sqlx::query("select id, name, role, joined from member where folded = $1")
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
        2
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/user.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/user.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["member"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["user"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            registered: Copy::into("member (id, name, folded, role, joined)", 5),
            roles: BTreeMap::new(),
        })
    }
}

/// New members, and the last word on each one's role.
struct Said {
    registered: Copy,
    roles: BTreeMap<Uuid, Role>,
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
            user::Event::CredentialsChanged { .. } | user::Event::PasskeyReset { .. } => {}
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.registered.bytes(),
            changes: self.roles.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.registered.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
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
