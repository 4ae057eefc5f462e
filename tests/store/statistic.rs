//! What is counted when: sums that agree with what they sum, bounded, the same rebuilt.

use std::sync::Arc;

use domain::Position;
use domain::amount::Bytes;
use domain::traffic::Batch;
use projections::progress::Progress;
use projections::statistic::{self, Range};
use projections::torrent::search::Search;
use projections::{Reads, feed::Feed, rebuild};
use sqlx::PgPool;
use tests::Database;
use time::OffsetDateTime;
use tokio::sync::watch;

use crate::{entry, reached, run_all};

async fn rows(pool: &PgPool) -> Vec<Vec<String>> {
    let mut all = vec![];
    for table in ["statistic", "traffic_sum"] {
        let query = format!("select t::text from read.{table} t order by 1");
        all.push(sqlx::query_scalar(&query).fetch_all(pool).await.unwrap());
    }
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_counted_agrees_with_the_ledger_and_is_the_same_rebuilt() {
    let database = Database::start().await;
    let seen = run_all(&database, vec![]).await;
    for name in ["alice", "bertha"] {
        database.member(name).await;
    }
    let batches = [
        vec![entry(1, 100, 0), entry(2, 5, 0)],
        vec![entry(1, 300, 0)],
        vec![entry(1, 200, 0)],
        vec![entry(1, 40, 1), entry(1, 300, 0)],
    ];
    for (number, entries) in (1..).zip(batches) {
        let batch = Batch {
            node: "one".into(),
            epoch: 1,
            number,
            entries,
        };
        let recorded = database.commands.record(batch, 20_000).await.unwrap();
        // Each is applied before the next one comes.
        reached(&database, &seen, recorded).await;
    }
    let reads = &database.pools.read;
    let (_, progress) = watch::channel(Progress::default());
    let search = Arc::new(Search::in_memory().unwrap());
    let asked = Reads::new(reads.clone(), reads.clone(), search, progress);
    let totals = statistic::totals(&asked).await.unwrap();
    assert_eq!((totals.members, totals.uploaded), (2, Bytes(345)));
    let credited = sqlx::query_scalar("select sum(uploaded)::bigint from member_total");
    let credited: i64 = credited.fetch_one(reads).await.unwrap();
    assert_eq!(credited, 345);
    let now = OffsetDateTime::now_utc();
    for range in Range::ALL {
        let series = statistic::series(&asked, range, now).await.unwrap();
        let members: i64 = series.iter().map(|(_, tally)| tally.members).sum();
        let uploaded: u64 = series.iter().map(|(_, tally)| tally.uploaded.0).sum();
        assert_eq!((members, uploaded), (2, 345), "{range:?}");
    }
    let living = rows(reads).await;
    assert!(living.iter().all(|rows| rows.len() >= 3), "{living:?}");
    let all = projections::all(&database.keys());
    let feed: Arc<dyn Feed> = Arc::<infra::feed::LogFeed>::clone(&database.feed);
    rebuild::rebuild(reads, &feed, &all, |_, _| {})
        .await
        .unwrap();
    assert_eq!(rows(reads).await, living);
}

#[tokio::test(flavor = "multi_thread")]
async fn hours_and_days_go_by_the_times_of_events_and_what_is_counted_in_all_stays() {
    let mut database = Database::start().await;
    for name in ["alice", "bertha", "clara", "dora"] {
        database.member(name).await;
    }
    // Alice joined more than a year ago, bertha half a year ago, clara yesterday.
    let back = "update event_log set recorded_at = recorded_at -
        case position when 1 then interval '400 days' when 2 then interval '180 days' when 3 then interval '1 day'
        else interval '0' end";
    sqlx::raw_sql(back)
        .execute(&database.pools.log)
        .await
        .unwrap();
    database.read_as_another();
    let seen = run_all(&database, vec![]).await;
    reached(&database, &seen, Position(4)).await;
    let spans: Vec<(i16, i64)> =
        sqlx::query_as("select grain, count(*) from statistic group by grain order by grain")
            .fetch_all(&database.pools.read)
            .await
            .unwrap();
    assert_eq!(spans, [(0, 1), (1, 2), (2, 3)]);
    let all: i64 = sqlx::query_scalar("select members from statistic where grain = 0")
        .fetch_one(&database.pools.read)
        .await
        .unwrap();
    assert_eq!(all, 4);
}
