//! New tables take the old ones' place under their readers.

use std::sync::Arc;
use std::time::Duration;

use infra::feed::LogFeed;
use projections::feed::Feed;
use projections::{rebuild, runner};
use tests::{Database, until};

/// Reads a table as a page does.
async fn read(by: &mut sqlx::PgConnection, table: &str) -> Result<i64, sqlx::Error> {
    let query = format!("select count(*) from read.{table}");
    sqlx::query_scalar(&query).fetch_one(by).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_that_reads_one_table_after_the_other_is_not_broken_off() {
    let database = Database::start().await;
    let pool = database.pools.read.clone();
    let projections = projections::all(&database.keys());
    runner::prepare(&pool, &projections).await.unwrap();
    let topics = projections.into_iter().find(|one| one.name() == "topic");
    let topics = topics.unwrap();
    let (first, last) = match topics.table_names() {
        [first, .., last] => (*first, *last),
        few => panic!("{few:?} are too few"),
    };
    let mut page = pool.begin().await.unwrap();
    read(&mut page, last).await.unwrap();
    let swapped = tokio::spawn({
        let feed: Arc<dyn Feed> = Arc::<LogFeed>::clone(&database.feed);
        let pool = pool.clone();
        async move { rebuild::rebuild(&pool, &feed, &[topics], |_, _| {}).await }
    });
    let waits = "select count(*) from pg_locks where not granted and mode = 'AccessExclusiveLock'";
    until("the swap", Duration::from_secs(10), || async {
        let waiting: i64 = sqlx::query_scalar(waits).fetch_one(&pool).await.ok()?;
        (waiting > 0).then_some(())
    })
    .await;
    // It holds the one table and waits for the other; the page goes the other way.
    assert_eq!(read(&mut page, first).await.unwrap(), 0);
    page.commit().await.unwrap();
    swapped.await.unwrap().unwrap();
    let mut after = pool.acquire().await.unwrap();
    assert_eq!(read(&mut after, first).await.unwrap(), 0);
}
