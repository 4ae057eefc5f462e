//! A projection of a new version: the old tables answer until the new ones take their place at once.

use std::sync::Arc;
use std::time::Duration;

use domain::{Position, Recorded};
use projections::feed::Feed;
use projections::fold::{Fold, Held};
use projections::{NotApplied, Projection, rebuild, runner};
use sqlx::PgConnection;
use tests::{Database, until};

use crate::{reached, run_all};

/// Notes the positions of members' events, from version 2 on beside their doubles.
#[derive(Debug)]
struct Numbers {
    version: i32,
}

impl Projection for Numbers {
    fn name(&self) -> &'static str {
        "numbers"
    }

    fn version(&self) -> i32 {
        self.version
    }

    fn tables(&self) -> &'static str {
        if self.version == 1 {
            "create unlogged table numbers (position bigint primary key);"
        } else {
            "create unlogged table numbers (position bigint primary key, twice bigint not null);"
        }
    }

    fn sealed(&self) -> &'static str {
        ""
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["numbers"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["user"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Noted {
            version: self.version,
            positions: vec![],
        })
    }
}

struct Noted {
    version: i32,
    positions: Vec<i64>,
}

#[async_trait::async_trait]
impl Fold for Noted {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        self.positions.push(event.position.0);
        Ok(())
    }

    fn held(&self) -> Held {
        Held {
            bytes: 0,
            changes: self.positions.len(),
        }
    }

    async fn insert(&mut self, to: &mut PgConnection) -> Result<(), sqlx::Error> {
        let statement = if self.version == 1 {
            "insert into numbers values ($1)"
        } else {
            "insert into numbers values ($1, $1 * 2)"
        };
        for position in self.positions.drain(..) {
            let query = sqlx::query(statement).bind(position);
            query.execute(&mut *to).await?;
        }
        Ok(())
    }

    async fn update(&mut self, _to: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

async fn numbers<T>(database: &Database, column: &str) -> Vec<T>
where
    T: Send + Unpin + for<'r> sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
{
    let query = format!("select {column} from numbers order by 1");
    let numbers = sqlx::query_scalar(&query);
    numbers.fetch_all(&database.pools.read).await.unwrap()
}

#[tokio::test]
async fn a_new_version_is_filled_beside_the_old_one_which_answers_till_then() {
    let database = Database::start().await;
    for name in ["alice", "bertha"] {
        database.member(name).await;
    }
    let old = run_all(&database, vec![Arc::new(Numbers { version: 1 })]).await;
    reached(&database, &old, Position(2)).await;

    let new: Arc<dyn Projection> = Arc::new(Numbers { version: 2 });
    let only = [Arc::clone(&new)];
    let outdated = runner::prepare(&database.pools.read, &only).await.unwrap();
    assert_eq!(outdated.len(), 1, "it is told");
    database.member("clara").await;
    reached(&database, &old, Position(3)).await;
    let living: Vec<i64> = numbers(&database, "position").await;
    assert_eq!(living, [1, 2, 3], "the old one goes on");

    let feed: Arc<dyn Feed> = Arc::<infra::feed::LogFeed>::clone(&database.feed);
    rebuild::rebuild(&database.pools.read, &feed, &only, |_, _| {})
        .await
        .unwrap();
    let swapped: Vec<i64> = numbers(&database, "twice").await;
    assert_eq!(swapped, [2, 4, 6]);
    let outdated = runner::prepare(&database.pools.read, &only).await.unwrap();
    assert!(outdated.is_empty());

    // The old program leaves the new tables be, and says so to its own staff alone.
    database.member("dora").await;
    let reason = until("the old one's end", Duration::from_secs(20), || async {
        old.borrow().standing().get("numbers")?.stopped.clone()
    })
    .await;
    assert!(reason.contains("another version"), "{reason}");
    let numbers_status = || async {
        let all = runner::status(&database.pools.read).await.unwrap();
        all.into_iter().find(|one| one.name == "numbers").unwrap()
    };
    let status = numbers_status().await;
    assert_eq!((status.version, status.error), (2, None));
    assert_eq!(status.position, Position(3));

    let seen = run_all(&database, vec![new]).await;
    until("the new one", Duration::from_secs(20), || async {
        let progress = seen.borrow();
        let numbers = progress.standing().get("numbers")?;
        (numbers.position == Position(4)).then_some(())
    })
    .await;
    let after: Vec<i64> = numbers(&database, "twice").await;
    assert_eq!(after, [2, 4, 6, 8]);
    assert_eq!(numbers_status().await.error, None);
}
