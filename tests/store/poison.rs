//! Events that can't be applied or read: one projection stops, says why, and goes on when it can.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use commands::ports::{Append, EventLog as _, NewEvent};
use domain::{Position, Recorded};
use projections::feed::Feed;
use projections::fold::{Fold, Held};
use projections::progress::Progress;
use projections::runner::{self, Runner};
use projections::torrent::search::Search;
use projections::{NotApplied, Projection};
use serde_json::json;
use sqlx::PgConnection;
use tests::{Database, until};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{append, reached, run_all};

/// A projection that chokes on the third member.
#[derive(Debug, Default)]
struct Choking {
    cured: Arc<AtomicBool>,
}

impl Projection for Choking {
    fn name(&self) -> &'static str {
        "choking"
    }

    fn version(&self) -> i32 {
        1
    }

    fn tables(&self) -> &'static str {
        "create unlogged table choking (position bigint primary key);"
    }

    fn sealed(&self) -> &'static str {
        ""
    }

    fn table_names(&self) -> &'static [&'static str] {
        &["choking"]
    }

    fn streams(&self) -> &'static [&'static str] {
        &["user"]
    }

    fn fold(&self) -> Box<dyn Fold> {
        Box::new(Bites {
            cured: Arc::clone(&self.cured),
            positions: vec![],
        })
    }
}

struct Bites {
    cured: Arc<AtomicBool>,
    positions: Vec<i64>,
}

#[async_trait::async_trait]
impl Fold for Bites {
    fn take(&mut self, event: &Recorded) -> Result<(), NotApplied> {
        if event.position == Position(3) && !self.cured.load(Ordering::Relaxed) {
            return Err(NotApplied::Event {
                position: event.position,
                reason: "it tastes odd".into(),
            });
        }
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
        for position in self.positions.drain(..) {
            sqlx::query("insert into choking values ($1)")
                .bind(position)
                .execute(&mut *to)
                .await?;
        }
        Ok(())
    }

    async fn update(&mut self, _to: &mut PgConnection) -> Result<(), sqlx::Error> {
        Ok(())
    }
}

#[tokio::test]
async fn a_projection_that_fails_stops_alone_before_the_event_and_says_why() {
    let database = Database::start().await;
    for name in ["alice", "bertha", "clara", "dora"] {
        database.member(name).await;
    }
    let choking = Arc::new(Choking::default());
    let seen = run_all(&database, vec![Arc::<Choking>::clone(&choking)]).await;
    reached(&database, &seen, Position(4)).await;
    until("the stop", Duration::from_secs(20), || async {
        seen.borrow()
            .standing()
            .get("choking")
            .and_then(|standing| standing.stopped.clone())
    })
    .await;
    let statuses = runner::status(&database.pools.read).await.unwrap();
    for status in statuses {
        let expected = if status.name == "choking" {
            Position(2)
        } else {
            Position(4)
        };
        assert_eq!(status.position, expected, "{}", status.name);
        assert_eq!(status.error.is_some(), status.name == "choking");
        assert!(
            status
                .error
                .is_none_or(|error| error.contains("event 3") && error.contains("it tastes odd"))
        );
    }
    let rows: i64 = sqlx::query_scalar("select count(*) from choking")
        .fetch_one(&database.pools.read)
        .await
        .unwrap();
    assert_eq!(rows, 2, "rows and checkpoint agree");
    choking.cured.store(true, Ordering::Relaxed);
    assert!(
        runner::retry(&database.pools.read, "choking")
            .await
            .unwrap()
    );
    until("going on", Duration::from_secs(20), || async {
        let progress = seen.borrow();
        let standing = progress.standing().get("choking")?;
        (standing.position == Position(4) && standing.stopped.is_none()).then_some(())
    })
    .await;
    assert!(
        !runner::retry(&database.pools.read, "choking")
            .await
            .unwrap()
    );
}

#[tokio::test]
async fn an_event_of_a_newer_program_stops_who_listens_to_it_and_is_named() {
    let database = Database::start().await;
    database.member("alice").await;
    let newer = NewEvent {
        name: "TorrentWithdrawn".into(),
        version: 9,
        payload: json!({ "TorrentWithdrawn": {} }),
    };
    let append = Append {
        stream_type: "torrent",
        events: vec![newer],
        ..append(Uuid::new_v4(), 0)
    };
    database.events.append(append).await.unwrap();
    database.member("bertha").await;
    let seen = run_all(&database, vec![]).await;
    reached(&database, &seen, Position(3)).await;
    until("the stop", Duration::from_secs(20), || async {
        let statuses = runner::status(&database.pools.read).await.unwrap();
        let stopped: Vec<_> = statuses
            .iter()
            .filter_map(|one| Some((one.name.as_str(), one.position, one.error.as_deref()?)))
            .collect();
        let words = "event 2 can't be read: TorrentWithdrawn version 9 isn't known to this program";
        let those = ["access", "notification", "statistic", "torrent", "traffic"];
        let those = those.map(|name| (name, Position(1), words));
        (stopped == those).then_some(())
    })
    .await;
    let members: i64 = sqlx::query_scalar("select count(*) from member")
        .fetch_one(&database.pools.read)
        .await
        .unwrap();
    assert_eq!(members, 2, "the others go on");
}

#[tokio::test]
async fn the_search_stops_at_an_event_of_a_newer_program_and_goes_on_when_it_is_gone() {
    let database = Database::start().await;
    database.member("alice").await;
    let newer = NewEvent {
        name: "TorrentEdited".into(),
        version: 9,
        payload: json!({ "TorrentEdited": {} }),
    };
    let newer = Append {
        stream_type: "torrent",
        events: vec![newer],
        ..append(Uuid::new_v4(), 0)
    };
    database.events.append(newer).await.unwrap();
    let (progress, seen) = watch::channel(Progress::default());
    let feed: Arc<dyn Feed> = Arc::<infra::feed::LogFeed>::clone(&database.feed);
    let runner = Runner {
        pool: database.pools.read.clone(),
        feed,
        progress,
    };
    let (stop, stopped) = watch::channel(false);
    let index = Arc::new(Search::in_memory().unwrap());
    let task = tokio::spawn(async move { runner.follow_search(&index, stopped).await });
    let standing = || seen.borrow().standing().get("search").cloned();
    let reason = until("the stop", Duration::from_secs(20), || async {
        standing()?.stopped
    })
    .await;
    let words = "event 2 can't be read: TorrentEdited version 9 isn't known to this program";
    assert_eq!(reason, words);
    // A program that knows it would read on; so does this one where it isn't there.
    sqlx::raw_sql("delete from event_log where position = 2")
        .execute(&database.pools.log)
        .await
        .unwrap();
    database.member("bertha").await;
    until("going on", Duration::from_secs(20), || async {
        let standing = standing()?;
        (standing.stopped.is_none() && standing.position == Position(3)).then_some(())
    })
    .await;
    stop.send_replace(true);
    task.await.unwrap();
}
