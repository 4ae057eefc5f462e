//! The API keys that hold: whose they are, and what they may do.

use std::collections::BTreeSet;

use async_trait::async_trait;
use domain::api_key::{Event, Scope};
use domain::id::{ApiKeyId, MemberId};
use domain::{Fact, Recorded, user};
use sqlx::postgres::PgRow;
use sqlx::{PgConnection, Row as _};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::fold::{Copy, Held};
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// An API key that holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Which one it is.
    pub id: ApiKeyId,
    /// For whom it acts.
    pub member: MemberId,
    /// What the member calls it.
    pub label: String,
    /// What it may do, as far as the member may.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub made: OffsetDateTime,
}

/// Gives the key whose text has a keyed hash.
pub async fn hashed(reads: &Reads, hash: [u8; 32]) -> Result<Option<ApiKey>, Unavailable> {
    let query = "select id, member, label, scopes, made from api_key where hash = $1";
    let row = sqlx::query(query)
        .bind(hash.as_slice())
        .fetch_optional(&reads.pool)
        .await?;
    Ok(row.as_ref().map(key_row).transpose()?)
}

/// Gives a member's keys, the newest first.
pub async fn of_member(reads: &Reads, member: MemberId) -> Result<Vec<ApiKey>, Unavailable> {
    let rows = sqlx::query(
        "select id, member, label, scopes, made from api_key where member = $1 order by made desc, id",
    )
    .bind(member.0)
    .fetch_all(&reads.pool)
    .await?;
    Ok(rows.iter().map(key_row).collect::<Result<_, _>>()?)
}

fn key_row(row: &PgRow) -> Result<ApiKey, sqlx::Error> {
    let scopes: Vec<String> = row.try_get("scopes")?;
    Ok(ApiKey {
        id: ApiKeyId(row.try_get("id")?),
        member: MemberId(row.try_get("member")?),
        label: row.try_get("label")?,
        scopes: scopes
            .iter()
            .filter_map(|name| Scope::named(name))
            .collect(),
        made: row.try_get("made")?,
    })
}

/// The projection behind API keys.
#[derive(Debug)]
pub struct ApiKeys;

impl Projection for ApiKeys {
    fn name(&self) -> &'static str {
        "api_key"
    }

    fn version(&self) -> i32 {
        2
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/api_key.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/api_key.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["api_key"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["api_key", "user"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said {
            made: Copy::into("api_key (id, member, label, scopes, hash, made)", 6),
            revoked: BTreeSet::new(),
            erased: BTreeSet::new(),
        })
    }
}

/// New keys, those that hold no longer, and members whose don't.
struct Said {
    made: Copy,
    revoked: BTreeSet<Uuid>,
    erased: BTreeSet<Uuid>,
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        if let Fact::User(user::Event::MemberErased { .. }) = &event.fact {
            self.erased.insert(event.stream_id);
        }
        let Fact::ApiKey(happened) = &event.fact else {
            return Ok(());
        };
        match happened {
            Event::ApiKeyMade {
                key,
                label,
                scopes,
                hash,
            } => {
                let scopes: Vec<&str> = scopes.iter().map(|scope| scope.name()).collect();
                let row = self.made.row().put(key.0)?.put(event.stream_id)?;
                row.put(label)?
                    .put(scopes)?
                    .put(hash.as_slice())?
                    .put(event.at)?;
            }
            Event::ApiKeyRevoked { key } => {
                self.revoked.insert(key.0);
            }
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: self.made.bytes(),
            changes: self.revoked.len() + self.erased.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        self.made.write(to).await
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if self.revoked.is_empty() && self.erased.is_empty() {
            return Ok(());
        }
        let revoked: Vec<Uuid> = std::mem::take(&mut self.revoked).into_iter().collect();
        let erased: Vec<Uuid> = std::mem::take(&mut self.erased).into_iter().collect();
        sqlx::query("delete from api_key where id = any($1) or member = any($2)")
            .bind(revoked)
            .bind(erased)
            .execute(to)
            .await
            .map(|_| ())
    }
}
