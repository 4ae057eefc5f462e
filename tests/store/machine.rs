//! What the machine does to an append: a clock that goes back, a connection that is lost, a full disk.

use commands::ports::{AppendError, EventLog as _, Reach};
use infra::event_store::EventStore;
use std::sync::Arc;
use std::time::Duration;
use tests::{Database, until};
use uuid::Uuid;

use crate::append;

#[tokio::test]
async fn a_clock_that_goes_back_changes_neither_order_nor_times_that_go_on() {
    let database = Database::start().await;
    let stream = Uuid::new_v4();
    database.events.append(append(stream, 0)).await.unwrap();
    // The last event was recorded by a clock that ran two hours ahead.
    sqlx::raw_sql("update event_log set recorded_at = now() + interval '2 hours'")
        .execute(&database.pools.log)
        .await
        .unwrap();
    let restarted = EventStore::new(database.pools.log.clone(), Arc::clone(&database.vault));
    for sequence in 1..4 {
        restarted.append(append(stream, sequence)).await.unwrap();
    }
    let events = restarted.load("site", stream, Reach::All).await.unwrap();
    let in_order =
        |pair: &[domain::Recorded]| pair[0].position < pair[1].position && pair[0].at <= pair[1].at;
    assert_eq!(events.len(), 4);
    assert!(events.windows(2).all(in_order));
}

#[tokio::test]
async fn appends_over_connections_that_are_cut_off_end_in_an_error_or_once() {
    let database = Database::start().await;
    let cutting = {
        let pool = sqlx::PgPool::connect(&url(&database)).await.unwrap();
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_millis(15)).await;
                let cut = "select pg_terminate_backend(pid) from pg_stat_activity
                           where application_name = 'opentracker' and pid <> pg_backend_pid() and state <> 'idle'";
                sqlx::raw_sql(cut).execute(&pool).await.unwrap();
            }
        })
    };
    let (mut failed, mut appends) = (0, vec![]);
    for _ in 0..300 {
        let one = append(Uuid::new_v4(), 0);
        // Who got an error asks again under the same command, and gets the truth.
        for attempt in 0.. {
            match database.events.append(one.clone()).await {
                Ok(_) => break,
                Err(AppendError::Unavailable(_)) => failed += 1,
                Err(other) => panic!("{other}"),
            }
            assert!(attempt < 500);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        appends.push(one);
    }
    cutting.abort();
    assert!(failed > 0, "some were cut off");
    let query =
        "select count(*) from event_log where stream_type = 'site' group by stream_id, command_id";
    let counts: Vec<i64> = until("the last cut", Duration::from_secs(20), || async {
        let counts = sqlx::query_scalar(query).fetch_all(&database.pools.log);
        counts.await.ok()
    })
    .await;
    assert_eq!(counts, vec![1; appends.len()]);
}

fn url(database: &Database) -> String {
    database.embedded.as_ref().unwrap().url().to_owned()
}
