//! A tracker that is closed and opened again.

use std::sync::Mutex;

use async_trait::async_trait;
use domain::traffic::Batch;
use domain::transfer::{Pair, Suspicion};
use projections::swarm::{Count, Swarms as _};
use tokio::sync::watch;
use tracker::credit::{Ledger, Unrecorded};

use crate::server::{Client, OFFERED, Server, number, passkey, value};

/// A ledger that takes nothing while it is away.
#[derive(Default)]
struct Book {
    away: Mutex<bool>,
    taken: Mutex<Vec<Batch>>,
}

#[async_trait]
impl Ledger for Book {
    async fn flag(&self, _of: Pair, _suspicion: Suspicion) -> Result<(), Unrecorded> {
        Ok(())
    }

    async fn record(&self, batch: Batch, _day: i64) -> Result<(), Unrecorded> {
        if *self.away.lock().unwrap() {
            return Err(Unrecorded("away".to_owned()));
        }
        self.taken.lock().unwrap().push(batch);
        Ok(())
    }
}

#[tokio::test]
async fn what_was_reported_before_the_close_is_given_back_and_nothing_after_it_counts() {
    let server = Server::start();
    let book = Book::default();
    *book.away.lock().unwrap() = true;
    let mut client = Client::new(1, 0);
    client.uploaded = 700;
    server.announce(&client);
    server.tracker.close();
    client.uploaded = 900;
    let scrape = format!(
        "/scrape?passkey={}&info_hash={}",
        passkey(1),
        "a".repeat(20)
    );
    for target in [client.target(), scrape] {
        let (status, body) = server.get(&target);
        assert_eq!(status, 200);
        assert_eq!(
            value(&body, "failure reason").unwrap(),
            b"tracker is closed"
        );
        assert_eq!(
            (number(&body, "interval"), number(&body, "retry in")),
            (3_600, 60)
        );
    }
    let (_told, stopped) = watch::channel(true);
    let left = server.tracker.hand_over(&book, stopped.clone()).await;
    let entries: Vec<_> = left.iter().flat_map(|(batch, _)| &batch.entries).collect();
    assert_eq!(entries.len(), 1);
    assert_eq!(entries[0].uploaded.0, 700);
    server.tracker.clear();
    assert_eq!(server.tracker.count(OFFERED), Count::default());

    server.tracker.open();
    let unknown = server.announce(&client);
    assert_eq!(
        value(&unknown, "failure reason").unwrap(),
        b"passkey unknown"
    );
    server.knows();
    let runs = entries.into_iter().cloned().collect();
    server.tracker.remember(runs, vec![]);
    server.announce(&client);
    *book.away.lock().unwrap() = false;
    let none = server.tracker.hand_over(&book, stopped).await;
    assert!(none.is_empty());
    let taken = book.taken.lock().unwrap();
    assert_eq!(taken[0].entries[0].uploaded.0, 900);
    assert_eq!(
        taken[0].entries[0].run, left[0].0.entries[0].run,
        "the same run goes on"
    );
    assert_ne!(taken[0].epoch, left[0].0.epoch, "batches are numbered anew");
}
