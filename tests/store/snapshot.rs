//! Long streams are loaded from a snapshot on; without it, or with a wrong one, all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use commands::Commands;
use commands::ports::{
    Append, AppendError, Appended, Claim, EventLog, Reach, Snapshot, Unavailable,
};
use domain::id::{CommandId, MemberId};
use domain::site::Command;
use domain::user::{Name, Role};
use domain::{Position, Recorded};
use infra::event_store::EventStore;
use infra::random::System;
use projections::feed::Feed as _;
use tests::{Database, database, until};
use uuid::Uuid;

/// The log, and how many events were loaded from it.
#[derive(Debug)]
struct Counting {
    log: EventStore,
    loaded: AtomicUsize,
}

#[async_trait]
impl EventLog for Counting {
    async fn load(
        &self,
        stream_type: &'static str,
        stream: Uuid,
        reach: Reach,
    ) -> Result<Vec<Recorded>, Unavailable> {
        let events = self.log.load(stream_type, stream, reach).await?;
        if stream_type == "site" {
            self.loaded.fetch_add(events.len(), Ordering::Relaxed);
        }
        Ok(events)
    }

    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        self.log.append(append).await
    }

    async fn snapshot(
        &self,
        stream_type: &'static str,
        stream: Uuid,
        shape: i32,
    ) -> Result<Option<Snapshot>, Unavailable> {
        self.log.snapshot(stream_type, stream, shape).await
    }

    async fn keep(&self, stream_type: &'static str, stream: Uuid, snapshot: Snapshot) {
        self.log.keep(stream_type, stream, snapshot).await;
    }

    async fn answered(&self, command: CommandId) -> Result<Option<Position>, Unavailable> {
        self.log.answered(command).await
    }

    async fn holder(&self, claim: &Claim) -> Result<Option<Uuid>, Unavailable> {
        self.log.holder(claim).await
    }
}

/// Says something as a program that was just started; gives how many events it loaded for it.
async fn announce(database: &Database, admin: MemberId, text: &str) -> usize {
    let log = Arc::new(Counting {
        log: database.events.clone(),
        loaded: AtomicUsize::new(0),
    });
    let commands = Commands::new(
        Arc::<Counting>::clone(&log),
        Arc::new(System),
        database.keys(),
    );
    let said = Command::Announce(text.to_owned());
    commands.set_site(admin, said).await.unwrap();
    log.loaded.load(Ordering::Relaxed)
}

async fn kept(database: &Database) -> Option<i64> {
    let query = sqlx::query_scalar("select sequence from snapshot where stream_type = 'site'");
    query.fetch_optional(&database.pools.log).await.unwrap()
}

async fn execute(database: &Database, statement: &str) {
    let done = sqlx::query(statement).execute(&database.pools.log).await;
    assert!(done.unwrap().rows_affected() > 0, "{statement}");
}

#[tokio::test]
async fn a_long_stream_is_loaded_from_its_snapshot_on_and_a_wrong_one_is_passed_by() {
    let database = Database::start().await;
    let join = commands::user::Join {
        name: Name::parse("admin").unwrap(),
        credentials: database::credentials(),
    };
    let admin = database.commands.create_member(join, Role::Administrator);
    let admin = admin.await.unwrap().of;
    for number in 1..=205 {
        let said = Command::Announce(format!("number {number}"));
        database.commands.set_site(admin, said).await.unwrap();
    }
    until("the snapshot", Duration::from_secs(5), || kept(&database)).await;
    assert_eq!(kept(&database).await, Some(200));
    assert_eq!(announce(&database, admin, "number 206").await, 6);

    // What stands already is said again without an event: the state knows it.
    let head = || async { database.feed.head().await.unwrap() };
    let before = head().await;
    announce(&database, admin, "number 206").await;
    assert_eq!(head().await, before);

    let changed = "update snapshot set sealed = set_byte(sealed, 40, get_byte(sealed, 40) # 1)";
    for wrong in [
        changed,
        "update snapshot set sequence = 203",
        "update snapshot set sequence = 100000",
        "update snapshot set shape = 99",
        "delete from snapshot",
    ] {
        execute(&database, wrong).await;
        assert!(announce(&database, admin, wrong).await > 200, "{wrong}");
    }
    let last = "select max(sequence) from event_log where stream_type = 'site'";
    let last: i64 = sqlx::query_scalar(last)
        .fetch_one(&database.pools.log)
        .await
        .unwrap();
    assert_eq!(last, 211);
}
