//! The feed: nothing skipped, nothing twice, in order, whatever happens to transactions and the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use commands::ports::{Append, AppendError, EventLog as _, NewEvent};
use domain::{Position, Recorded};
use infra::event_store::EventStore;
use infra::feed::LogFeed;
use infra::postgres::Pool;
use projections::feed::Feed as _;
use serde_json::json;
use tests::{Database, until};
use uuid::Uuid;

use crate::{STREAMS, append};

/// Writers, and commands of each.
const WRITERS: usize = 8;
const COMMANDS: usize = 40;

/// Follows the feed, over every failure, until it has seen so many events.
async fn follow(feed: Arc<LogFeed>, count: usize) -> Vec<Arc<Recorded>> {
    let (mut seen, mut after) = (vec![], Position(0));
    while seen.len() < count {
        if let Ok(batch) = feed.read(after, 50, &STREAMS).await {
            seen.extend(batch.events);
            after = batch.upto;
        }
        feed.wait(after).await;
    }
    seen
}

/// Appends commands; one whose answer is lost is asked for again under its id.
async fn write(store: EventStore) -> Vec<Uuid> {
    let mut done = vec![];
    for _ in 0..COMMANDS {
        let command = append(Uuid::new_v4(), 0);
        loop {
            match store.append(command.clone()).await {
                Ok(_) => break,
                Err(AppendError::Unavailable(_)) => {
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(error) => panic!("{error}"),
            }
        }
        done.push(command.stream);
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    done
}

/// Takes the next position again and again, holds it for a moment, and gives it back.
async fn disturb(pool: Pool, stop: Arc<AtomicBool>) {
    let take = "insert into event_log
        select coalesce(max(position), 0) + 1, 'site', gen_random_uuid(), 1, 'AnnouncementSet', 1, gen_random_uuid(),
               now(), 1, 1, '', '', '' from event_log";
    while !stop.load(Ordering::Relaxed) {
        if let Ok(mut transaction) = pool.begin().await {
            let _taken = sqlx::query(take).execute(&mut *transaction).await;
            tokio::time::sleep(Duration::from_millis(5)).await;
            let _given_back = transaction.rollback().await;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[test]
fn a_reader_sees_everything_once_over_rollbacks_and_while_the_database_restarts() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .unwrap();
    // The database ends with the thread that started it, so it is this one that restarts it.
    runtime.block_on(async {
        let mut database = Database::start().await;
        let other = EventStore::new(database.pools.log.clone(), Arc::clone(&database.vault));
        let reader = tokio::spawn(follow(Arc::clone(&database.feed), WRITERS * COMMANDS));
        let stop = Arc::new(AtomicBool::new(false));
        let disturbance = tokio::spawn(disturb(database.pools.log.clone(), Arc::clone(&stop)));
        let writers: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let one = if writer % 2 == 0 {
                    &other
                } else {
                    &database.events
                };
                tokio::spawn(write(one.clone()))
            })
            .collect();
        for _ in 0..2 {
            tokio::time::sleep(Duration::from_millis(150)).await;
            restart(&mut database);
        }
        let mut written = vec![];
        for writer in writers {
            written.extend(writer.await.unwrap());
        }
        stop.store(true, Ordering::Relaxed);
        disturbance.await.unwrap();
        let seen = tokio::time::timeout(Duration::from_mins(1), reader);
        let seen = seen.await.unwrap().unwrap();
        let positions: Vec<i64> = seen.iter().map(|event| event.position.0).collect();
        assert_eq!(
            positions,
            (1..=320).collect::<Vec<_>>(),
            "gapless and in order"
        );
        let mut streams: Vec<Uuid> = seen.iter().map(|event| event.stream_id).collect();
        streams.sort();
        written.sort();
        assert_eq!(streams, written, "each command once");
    });
}

#[test]
fn a_reader_is_woken_by_another_writer_again_after_the_database_has_restarted() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    // The database ends with the thread that started it, so it is this one that restarts it.
    runtime.block_on(async {
        let mut database = Database::start().await;
        // Of what another program appends, only the database can tell.
        let other = EventStore::new(database.pools.log.clone(), Arc::clone(&database.vault));
        let feed = Arc::clone(&database.feed);
        let woken = || async {
            let after = feed.head().await.ok()?;
            other.append(append(Uuid::new_v4(), 0)).await.ok()?;
            feed.wait(after).await.then_some(())
        };
        until("the first word", Duration::from_secs(20), woken).await;
        restart(&mut database);
        until("a word after the restart", Duration::from_secs(20), woken).await;
    });
}

#[tokio::test]
async fn who_starts_to_listen_hears_of_what_was_appended_before() {
    let database = Database::start().await;
    let vault = || Arc::clone(&database.vault);
    let other = EventStore::new(database.pools.log.clone(), vault());
    other.append(append(Uuid::new_v4(), 0)).await.unwrap();
    let late = LogFeed::new(database.pools.log.clone(), vault(), other.recent());
    until("the head", Duration::from_secs(20), || async {
        late.wait(Position(0)).await.then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_this_process_appended_is_read_from_memory_as_it_is_stored() {
    let database = Database::start().await;
    let own = database.feed.as_ref();
    let other = EventStore::new(database.pools.log.clone(), Arc::clone(&database.vault));
    // Once it hears others it has nothing more to forget.
    let first = other.append(append(Uuid::new_v4(), 0)).await.unwrap().last;
    until("a word of another", Duration::from_secs(20), || async {
        own.wait(Position(0)).await.then_some(())
    })
    .await;
    for name in ["alice", "bob"] {
        database.member(name).await;
    }
    for sequence in 0..3 {
        let event = append(Uuid::from_u128(7), sequence);
        database.events.append(event).await.unwrap();
    }
    let head = own.head().await.unwrap();
    until("the head", Duration::from_secs(20), || async {
        own.wait(Position(head.0 - 1)).await.then_some(())
    })
    .await;
    let stored = LogFeed::new(
        database.pools.log.clone(),
        Arc::clone(&database.vault),
        other.recent(),
    );
    let stored = stored.read(first, 256, &STREAMS).await.unwrap();
    let count = usize::try_from(head.0 - first.0).unwrap();
    assert_eq!((stored.events.len(), stored.upto), (count, head));
    database.pools.log.close().await;
    for behind in [0, 1, count - 1] {
        let after = stored.events[behind].position.0 - 1;
        let read = own.read(Position(after), 256, &STREAMS).await.unwrap();
        assert_eq!(read.events, stored.events[behind..], "after {after}");
        assert_eq!(read.upto, head);
    }
}

#[test]
fn a_database_that_was_killed_is_started_again_though_a_statement_of_it_is_still_at_work() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let mut database = Database::start().await;
        let pool = database.pools.log.clone();
        // A statement that computes doesn't look whether its server lives.
        let long = tokio::spawn(async move {
            sqlx::query("select count(*) from generate_series(1, 5000000)")
                .execute(&pool)
                .await
        });
        let seen = "select 1 from pg_stat_activity where state = 'active' and query like '%5000000%' and pid <> pg_backend_pid()";
        until("the statement", Duration::from_secs(20), || async {
            sqlx::query(seen)
                .fetch_optional(&database.pools.log)
                .await
                .unwrap()
        })
        .await;
        assert!(!long.is_finished());
        restart(&mut database);
        until("an answer", Duration::from_secs(20), || async {
            database.feed.head().await.ok()
        })
        .await;
    });
}

/// Kills the database and starts it again.
fn restart(database: &mut Database) {
    let embedded = database.embedded.as_mut().unwrap();
    let killed = std::process::Command::new("kill")
        .args(["-9", &embedded.pid().to_string()])
        .status();
    assert!(killed.unwrap().success());
    while embedded.ended().is_none() {
        std::thread::sleep(Duration::from_millis(5));
    }
    embedded.restart().unwrap();
}

#[tokio::test]
async fn large_events_come_in_smaller_batches() {
    let database = Database::start().await;
    for _ in 0..5 {
        let large = NewEvent {
            name: "AnnouncementSet".into(),
            version: 1,
            payload: json!({ "AnnouncementSet": { "text": "x".repeat(6 << 20) } }),
        };
        let append = Append {
            events: vec![large],
            ..append(Uuid::new_v4(), 0)
        };
        database.events.append(append).await.unwrap();
    }
    let mut lengths = vec![];
    let mut after = Position(0);
    while after < Position(5) {
        let batch = database.feed.read(after, 100, &STREAMS).await.unwrap();
        lengths.push(batch.events.len());
        after = batch.upto;
    }
    assert_eq!(lengths, [3, 2]);
    let audit = infra::audit::Audit::new(database.pools.log.clone(), Arc::clone(&database.vault));
    assert_eq!(audit.verify(None, |_, _| {}).await.unwrap().events, 5);
}
