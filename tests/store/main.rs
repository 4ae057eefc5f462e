//! The event store, the feed and the projections on a real database.
#![expect(clippy::panic, clippy::unwrap_used, reason = "tests fail by panicking")]

use std::sync::Arc;
use std::time::Duration;

use commands::Refusal;
use commands::ports::{Append, AppendError, Claim, EventLog as _, Flush, NewEvent, Reach};
use commands::user::Join;
use domain::amount::{Bytes, Seconds};
use domain::id::{CommandId, MemberId, TorrentId};
use domain::traffic::{Batch, Entry};
use domain::user::{Name, Role};
use domain::{Actor, Meta, Position, Recorded};
use projections::Projection;
use projections::feed::Feed as _;
use projections::progress::Progress;
use projections::runner::{self, Runner};
use serde_json::json;
use tests::{Database, database, until};
use tokio::sync::watch;
use uuid::Uuid;

mod audit;
mod crowd;
mod erasure;
mod feed;
mod forum;
mod library;
mod limit;
mod machine;
mod notification;
mod poison;
mod role;
mod sealed;
mod search;
mod shared;
mod snapshot;
mod statistic;
mod swap;
mod version;

pub(crate) const STREAMS: [&str; 5] = ["user", "torrent", "category", "site", "traffic"];

pub(crate) fn append(stream: Uuid, expected: i64) -> Append {
    Append {
        stream_type: "site",
        stream,
        expected,
        events: vec![NewEvent {
            name: "AnnouncementSet".into(),
            version: 1,
            payload: json!({ "AnnouncementSet": { "text": stream } }),
        }],
        command: CommandId(Uuid::new_v4()),
        meta: Meta {
            actor: Actor::System,
            correlation: Uuid::nil(),
            causation: None,
            reason: None,
        },
        claims: vec![],
        releases: vec![],
        flush: None,
        vault: None,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_writers_leave_no_gap_and_a_reader_sees_every_event_once_in_order() {
    let database = Database::start().await;
    let reader = {
        let feed = Arc::clone(&database.feed);
        tokio::spawn(async move {
            let mut seen = vec![];
            while seen.len() < 400 {
                let after = seen
                    .last()
                    .map_or(Position(0), |event: &Arc<Recorded>| event.position);
                let batch = feed.read(after, 64, &STREAMS).await.unwrap();
                seen.extend(batch.events);
                feed.wait(after).await;
            }
            seen
        })
    };
    // A second appender, as another program has it beside the server.
    let other = infra::event_store::EventStore::new(
        database.pools.log.clone(),
        Arc::clone(&database.vault),
    );
    let writers = (0..16).map(|writer| {
        let store = if writer % 2 == 0 {
            database.events.clone()
        } else {
            other.clone()
        };
        tokio::spawn(async move {
            for _ in 0..25 {
                store.append(append(Uuid::new_v4(), 0)).await.unwrap();
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let seen = tokio::time::timeout(Duration::from_mins(1), reader)
        .await
        .unwrap()
        .unwrap();
    let positions: Vec<i64> = seen.iter().map(|event| event.position.0).collect();
    assert_eq!(positions, (1..=400).collect::<Vec<_>>());
    assert!(
        seen.windows(2).all(|pair| pair[0].at <= pair[1].at),
        "the clock never goes back"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_commands_on_one_stream_each_is_decided_on_fresh_state() {
    let database = Database::start().await;
    let member = database.member("alice").await;
    let resets = (0..5).map(|_| {
        let commands = database.commands.clone();
        tokio::spawn(async move { commands.reset_passkey(member).await })
    });
    let mut done = 0;
    for reset in resets.collect::<Vec<_>>() {
        match reset.await.unwrap() {
            Ok(_) => done += 1,
            Err(refusal) => assert!(matches!(refusal, Refusal::Conflict), "{refusal}"),
        }
    }
    let events = database
        .events
        .load("user", member.0, Reach::All)
        .await
        .unwrap();
    let sequences: Vec<i64> = events.iter().map(|event| event.sequence).collect();
    assert_eq!(sequences, (1..=done + 1).collect::<Vec<_>>());
}

#[tokio::test]
async fn a_stale_sequence_a_taken_claim_and_a_recorded_batch_are_told_apart() {
    let database = Database::start().await;
    let claim = Claim {
        scope: "username",
        key: [7; 32],
    };
    let stream = Uuid::new_v4();
    let first = Append {
        claims: vec![claim.clone()],
        ..append(stream, 0)
    };
    let answer = database.events.append(first.clone()).await.unwrap();
    assert_eq!(
        database.events.append(first).await.unwrap(),
        answer,
        "the same command has the first answer"
    );
    let stale = database.events.append(append(stream, 0)).await;
    assert!(matches!(stale, Err(AppendError::Conflict)), "{stale:?}");
    let taken = Append {
        claims: vec![claim.clone()],
        ..append(Uuid::new_v4(), 0)
    };
    let taken = database.events.append(taken).await;
    assert!(
        matches!(taken, Err(AppendError::Claimed { scope: "username", holder: Some(holder) }) if holder == stream),
        "{taken:?}"
    );
    released(&database, &claim, stream).await;
    let flush = || {
        Some(Flush {
            node: "one".into(),
            epoch: 1,
            number: 1,
        })
    };
    database
        .events
        .append(Append {
            flush: flush(),
            vault: None,
            ..append(Uuid::new_v4(), 0)
        })
        .await
        .unwrap();
    let again = database
        .events
        .append(Append {
            flush: flush(),
            vault: None,
            ..append(Uuid::new_v4(), 0)
        })
        .await;
    assert!(matches!(again, Err(AppendError::Flushed)), "{again:?}");
    assert_eq!(
        database.feed.head().await.unwrap(),
        Position(3),
        "what was refused left nothing"
    );
}

async fn released(database: &Database, claim: &Claim, stream: Uuid) {
    let release = Append {
        releases: vec![claim.clone()],
        ..append(stream, 1)
    };
    database.events.append(release).await.unwrap();
    assert_eq!(database.events.holder(claim).await.unwrap(), None);
}

#[tokio::test]
async fn what_is_stored_shows_neither_names_nor_secrets() {
    let database = Database::start().await;
    database.member("marker-name").await;
    let rows: Vec<String> = sqlx::query_scalar("select e::text from event_log e")
        .fetch_all(&database.pools.log)
        .await
        .unwrap();
    let hidden = hex::encode("marker-name");
    assert!(
        !rows.is_empty()
            && rows
                .iter()
                .all(|row| !row.contains("marker-name") && !row.contains(&hidden))
    );
}

#[tokio::test]
async fn a_moved_or_changed_row_does_not_open() {
    let database = Database::start().await;
    let (one, other) = (
        database.member("alice").await,
        database.member("bertha").await,
    );
    let swap = "update event_log set sealed = (select sealed from event_log where stream_id = $2) where stream_id = $1";
    sqlx::query(swap)
        .bind(one.0)
        .bind(other.0)
        .execute(&database.pools.log)
        .await
        .unwrap();
    assert!(
        database
            .events
            .load("user", one.0, Reach::All)
            .await
            .is_err()
    );
    assert!(
        database
            .events
            .load("user", other.0, Reach::All)
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn a_name_is_free_of_case_and_one_of_two_gets_it() {
    let database = Database::start().await;
    let join = |name: &str| Join {
        name: Name::parse(name).unwrap(),
        credentials: database::credentials(),
    };
    let (one, other) = tokio::join!(
        database.commands.create_member(join("Alice"), Role::Member),
        database.commands.create_member(join("aLICE"), Role::Member)
    );
    assert!(one.is_ok() != other.is_ok());
    let keys: i64 = sqlx::query_scalar("select count(*) from data_key where class = 'member'")
        .fetch_one(&database.pools.log)
        .await
        .unwrap();
    assert_eq!(keys, 1, "who was refused left no key");
}

pub(crate) fn entry(member: u128, uploaded: u64, run: i32) -> Entry {
    Entry {
        member: MemberId(Uuid::from_u128(member)),
        torrent: TorrentId(Uuid::from_u128(9)),
        client: "00000000000000aa".into(),
        run,
        uploaded: Bytes(uploaded),
        downloaded: Bytes(0),
        left: Bytes(0),
        seeded: Seconds(uploaded),
        leeched: Seconds(0),
        charged: Bytes(0),
        completed: true,
    }
}

pub(crate) async fn run_all(
    database: &Database,
    extra: Vec<Arc<dyn Projection>>,
) -> watch::Receiver<Progress> {
    let mut all = projections::all(&database.keys());
    all.extend(extra);
    runner::prepare(&database.pools.read, &all).await.unwrap();
    let (progress, seen) = watch::channel(Progress::default());
    let feed: Arc<dyn projections::feed::Feed> = Arc::<infra::feed::LogFeed>::clone(&database.feed);
    let runner = Arc::new(Runner {
        pool: database.pools.read.clone(),
        feed,
        progress,
    });
    let (stop, stopped) = watch::channel(false);
    for projection in all {
        let (runner, stopped) = (Arc::clone(&runner), stopped.clone());
        tokio::spawn(async move { runner.follow(projection.as_ref(), stopped).await });
    }
    // The runners go on until the test's runtime ends.
    std::mem::forget(stop);
    seen
}

pub(crate) async fn reached(database: &Database, seen: &watch::Receiver<Progress>, head: Position) {
    let all = projections::all(&database.keys()).len();
    let deadline = Duration::from_secs(20);
    until("the projections", deadline, || async {
        let progress = seen.borrow();
        (progress.standing().len() >= all && progress.all_reached(head)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn traffic_that_comes_twice_late_or_in_pieces_is_credited_once() {
    let database = Database::start().await;
    let batch = |number: i64, entries: Vec<Entry>| Batch {
        node: "one".into(),
        epoch: 1,
        number,
        entries,
    };
    for (number, entries) in [
        (1, vec![entry(1, 100, 0), entry(2, 5, 0)]),
        (2, vec![entry(1, 300, 0)]),
        (2, vec![entry(1, 900, 0)]),
        (3, vec![entry(1, 200, 0)]),
        (4, vec![entry(1, 40, 1), entry(1, 300, 0)]),
    ] {
        database
            .commands
            .record(batch(number, entries), 20_000)
            .await
            .unwrap();
    }
    let seen = run_all(&database, vec![]).await;
    let head = database.feed.head().await.unwrap();
    assert_eq!(head, Position(4), "a number is recorded once");
    reached(&database, &seen, head).await;
    let totals: Vec<(i64, i64)> =
        sqlx::query_as("select uploaded, seeded from member_total order by member")
            .fetch_all(&database.pools.read)
            .await
            .unwrap();
    assert_eq!(totals, [(340, 340), (5, 5)]);
    let differences: i64 = sqlx::query_scalar(
        "select count(*) from member_total m where uploaded <> (select sum(uploaded) from ledger l where l.member = m.member)",
    )
    .fetch_one(&database.pools.read)
    .await
    .unwrap();
    assert_eq!(differences, 0);
}

#[tokio::test]
async fn the_chain_links_every_event_to_all_before_it() {
    let database = Database::start().await;
    for name in ["alice", "bertha", "clara"] {
        database.member(name).await;
    }
    let rows: Vec<(Vec<u8>, Vec<u8>)> =
        sqlx::query_as("select leaf, chain from event_log order by position")
            .fetch_all(&database.pools.log)
            .await
            .unwrap();
    let mut chain: Vec<u8> = vec![];
    for (leaf, stored) in rows {
        use sha2::{Digest as _, Sha256};
        chain = Sha256::digest([chain.as_slice(), &leaf].concat()).to_vec();
        assert_eq!(chain, stored);
    }
}
