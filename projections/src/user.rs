//! A member as others see them.

use async_trait::async_trait;
use domain::id::MemberId;
use domain::user::{self, Role};
use domain::{Fact, Recorded};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;

use crate::{NotApplied, Projection, Reads, Unavailable};

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

#[async_trait]
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

    fn table_names(&self) -> &'static [&'static str] {
        &["member"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["user"]
    }

    async fn apply(&self, to: &mut PgConnection, events: &[Recorded]) -> Result<(), NotApplied> {
        for event in events {
            let Fact::User(happened) = &event.fact else {
                continue;
            };
            match happened {
                user::Event::MemberRegistered { name, role, .. } => sqlx::query(
                    "insert into member (id, name, folded, role, joined) values ($1, $2, $3, $4, $5)",
                )
                .bind(event.stream_id)
                .bind(name.as_str().to_owned())
                .bind(name.folded())
                .bind(role.name())
                .bind(event.at),
                user::Event::RoleAssigned { role } => {
                    sqlx::query("update member set role = $2 where id = $1")
                        .bind(event.stream_id)
                        .bind(role.name())
                }
                user::Event::CredentialsChanged { .. } | user::Event::PasskeyReset { .. } => continue,
            }
            .execute(&mut *to)
            .await?;
        }
        Ok(())
    }
}
