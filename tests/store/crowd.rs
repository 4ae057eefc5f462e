//! Many who append at once: more than fit into the queue, and on two nodes.

use std::sync::Arc;
use std::time::{Duration, Instant};

use commands::Refusal;
use commands::ports::{AppendError, EventLog as _};
use commands::user::Join;
use domain::Actor;
use domain::user::{Name, Role};
use infra::event_store::EventStore;
use projections::feed::Feed as _;
use projections::runner;
use tests::database::credentials;
use tests::{Database, until};
use uuid::Uuid;

use crate::append;

/// Commands at once: more than wait in the queue and in the batches under way.
const CROWD: usize = 6_000;
/// Commands that the queue and the batches take in at least.
const TAKEN: usize = 4_096;

#[tokio::test(flavor = "multi_thread")]
async fn past_a_full_queue_commands_are_refused_at_once_and_those_within_are_appended_once() {
    let database = Database::start().await;
    database
        .events
        .append(append(Uuid::new_v4(), 0))
        .await
        .unwrap();
    let mut hold = database.pools.log.begin().await.unwrap();
    sqlx::raw_sql("lock table event_log in share mode")
        .execute(&mut *hold)
        .await
        .unwrap();
    let commands: Vec<_> = (0..CROWD)
        .map(|_| {
            let store = database.events.clone();
            tokio::spawn(async move { store.append(append(Uuid::new_v4(), 0)).await })
        })
        .collect();
    // Nothing is written yet, so whoever has an answer was refused.
    until("the refusals", Duration::from_mins(1), || async {
        let answered = commands.iter().filter(|one| one.is_finished()).count();
        (answered > 0 && answered <= CROWD - TAKEN).then_some(())
    })
    .await;
    hold.rollback().await.unwrap();
    let (mut appended, mut refused) = (1_i64, 0);
    for command in commands {
        match command.await.unwrap() {
            Ok(_) => appended += 1,
            Err(AppendError::Unavailable(away)) => {
                assert_eq!(away.source.to_string(), "too many commands wait");
                refused += 1;
            }
            Err(other) => panic!("{other}"),
        }
    }
    assert!(refused > 0 && appended > 4_096, "{appended}, {refused}");
    assert_eq!(database.feed.head().await.unwrap().0, appended);
    let again = database.events.append(append(Uuid::new_v4(), 0)).await;
    assert!(again.is_ok(), "there is room again");
}

/// Lets a writer append for a while; tells which streams it was told to have written.
async fn write(store: EventStore, until: Instant) -> Vec<Uuid> {
    let mut written = vec![];
    while Instant::now() < until {
        let stream = Uuid::new_v4();
        match store.append(append(stream, 0)).await {
            Ok(_) => written.push(stream),
            // Where the other node was always faster, that is said, and nothing is written.
            Err(AppendError::Unavailable(_)) => {}
            Err(other) => panic!("{other}"),
        }
    }
    written
}

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_that_append_at_once_lose_nothing_and_double_nothing() {
    let database = Database::start().await;
    let other = EventStore::new(database.pools.log.clone(), Arc::clone(&database.vault));
    let end = Instant::now() + Duration::from_secs(3);
    let writers: Vec<_> = (0..32)
        .map(|writer| {
            if writer % 2 == 0 {
                &other
            } else {
                &database.events
            }
        })
        .map(|store| tokio::spawn(write(store.clone(), end)))
        .collect();
    let mut written = vec![];
    for writer in writers {
        let own = writer.await.unwrap();
        assert!(!own.is_empty(), "each writer comes through");
        written.extend(own);
    }
    let mut stands: Vec<Uuid> = sqlx::query_scalar("select stream_id from event_log")
        .fetch_all(&database.pools.log)
        .await
        .unwrap();
    stands.sort();
    written.sort();
    assert!(stands == written, "{} and {}", stands.len(), written.len());
    let audit = infra::audit::Audit::new(database.pools.log.clone(), Arc::clone(&database.vault));
    let verified = audit.verify(None, |_, _| {}).await.unwrap();
    assert_eq!(verified.events, i64::try_from(written.len()).unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn nodes_that_all_find_the_read_tables_empty_make_them_one_after_the_other() {
    let database = Database::start().await;
    for _ in 0..5 {
        sqlx::raw_sql("drop schema if exists read cascade")
            .execute(&database.pools.read)
            .await
            .unwrap();
        let nodes = (0..6).map(|_| {
            let (pool, all) = (
                database.pools.read.clone(),
                projections::all(&database.keys()),
            );
            tokio::spawn(async move { runner::prepare(&pool, &all).await })
        });
        for node in nodes.collect::<Vec<_>>() {
            node.await.unwrap().unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_administrators_who_take_each_others_role_one_is_late() {
    let database = Database::start().await;
    let admin = |name: &'static str| {
        let join = Join {
            name: Name::parse(name).unwrap(),
            credentials: credentials(),
        };
        database.commands.create_member(join, Role::Administrator)
    };
    let (one, other) = (
        admin("first").await.unwrap().of,
        admin("other").await.unwrap().of,
    );
    for round in 0..10 {
        let take = |by, of| {
            database
                .commands
                .assign_role(Actor::Member(by), of, Role::Member)
        };
        let (first, second) = tokio::join!(take(one, other), take(other, one));
        let (winner, loser) = match (&first, &second) {
            (Ok(_), Err(Refusal::Forbidden)) => (one, other),
            (Err(Refusal::Forbidden), Ok(_)) => (other, one),
            _ => panic!("round {round}: {first:?} {second:?}"),
        };
        let back = database
            .commands
            .assign_role(Actor::Member(winner), loser, Role::Administrator);
        back.await.unwrap();
    }
}
