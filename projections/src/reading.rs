//! Up to where each member has read the forum and their notifications, by their own word.

use std::collections::{BTreeMap, BTreeSet};

use async_trait::async_trait;
use domain::id::MemberId;
use domain::{Fact, Position, Recorded, reading, user};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::fold::Held;
use crate::{Fold, NotApplied, Projection, Reads, Unavailable};

/// Tells up to where a member has read everything.
pub async fn upto(reads: &Reads, member: MemberId) -> Result<Position, Unavailable> {
    let upto = sqlx::query_scalar("select upto from reading where member = $1")
        .bind(member.0)
        .fetch_optional(&reads.pool)
        .await?;
    Ok(Position(upto.unwrap_or(0)))
}

/// The projection behind what members have read.
#[derive(Debug)]
pub struct Readings;

impl Projection for Readings {
    fn name(&self) -> &'static str {
        "reading"
    }

    fn version(&self) -> i32 {
        4
    }

    fn tables(&self) -> &'static str {
        include_str!("../../migrations/read/reading.sql")
    }

    fn sealed(&self) -> &'static str {
        include_str!("../../migrations/read/sealed/reading.sql")
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["reading", "reading_gone"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["reading", "user"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Said::default())
    }
}

/// The last word of each member: about the forum, and about notifications; and members who are erased,
/// whose words no longer count.
#[derive(Default)]
struct Said {
    read: BTreeMap<Uuid, (Option<i64>, Option<i64>)>,
    erased: BTreeSet<Uuid>,
}

#[async_trait]
impl Fold for Said {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        if let Fact::User(user::Event::MemberErased { .. }) = &event.fact {
            self.erased.insert(event.stream_id);
        }
        let Fact::Reading(happened) = &event.fact else {
            return Ok(());
        };
        let (forum, notified) = self.read.entry(event.stream_id).or_default();
        match happened {
            reading::Event::ForumRead { upto } => *forum = Some(upto.0),
            reading::Event::NotificationsRead { upto } => *notified = Some(upto.0),
        }
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: 0,
            changes: self.read.len() + self.erased.len(),
        }
    }

    async fn insert(&mut self, _to: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }

    async fn update(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        if !self.erased.is_empty() {
            let erased: Vec<Uuid> = std::mem::take(&mut self.erased).into_iter().collect();
            for statement in [
                "insert into reading_gone select * from unnest($1::uuid[]) on conflict do nothing",
                "delete from reading where member = any($1)",
            ] {
                let query = sqlx::query(statement).bind(&erased);
                query.execute(&mut *to).await?;
            }
        }
        let (members, said): (Vec<Uuid>, Vec<_>) =
            std::mem::take(&mut self.read).into_iter().unzip();
        if members.is_empty() {
            return Ok(());
        }
        let (upto, notified): (Vec<Option<i64>>, Vec<Option<i64>>) = said.into_iter().unzip();
        sqlx::query(
            "insert into reading as r (member, upto, notified)
             select member, coalesce(upto, 0), coalesce(notified, 0)
             from unnest($1::uuid[], $2::bigint[], $3::bigint[]) as s(member, upto, notified)
             where not exists (select from reading_gone g where g.member = s.member)
             on conflict (member) do update
             set upto = greatest(r.upto, excluded.upto), notified = greatest(r.notified, excluded.notified)",
        )
        .bind(members)
        .bind(upto)
        .bind(notified)
        .execute(to)
        .await
        .map(|_| ())
    }
}
