//! What an auditor can rely on: whatever is done to the log behind the program's back is found.

use domain::Position;
use domain::audit::Checkpoint;
use infra::audit::{Audit, AuditError, Mismatch, Verified, verify_file};
use std::sync::Arc;
use tests::Database;

fn auditor(database: &Database) -> Audit {
    Audit::new(database.pools.log.clone(), Arc::clone(&database.vault))
}

/// Six members, with a checkpoint after the third: seven events.
async fn told() -> Database {
    let database = Database::start().await;
    for name in ["alice", "bertha", "clara"] {
        database.member(name).await;
    }
    set_checkpoint(&database).await;
    for name in ["dora", "emil", "frida"] {
        database.member(name).await;
    }
    database
}

async fn set_checkpoint(database: &Database) -> Checkpoint {
    let checkpoint = auditor(database).checkpoint().await.unwrap().unwrap();
    database.commands.set_checkpoint(checkpoint).await.unwrap();
    checkpoint
}

async fn verify(database: &Database) -> Result<Verified, AuditError> {
    auditor(database).verify(None, |_, _| {}).await
}

fn mismatch(verified: Result<Verified, AuditError>) -> Mismatch {
    let error = verified.unwrap_err();
    assert!(matches!(error, AuditError::Mismatch(_)), "{error}");
    let AuditError::Mismatch(mismatch) = error else {
        unreachable!()
    };
    mismatch
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_nobody_touched_is_verified_and_checkpoints_cover_it() {
    let database = told().await;
    let found = verify(&database).await.unwrap();
    assert_eq!((found.events, found.position), (7, Position(7)));
    let next = set_checkpoint(&database).await;
    assert_eq!((next.after, next.upto), (Position(3), Position(7)));
    assert!(auditor(&database).checkpoint().await.unwrap().is_none());
    let stale = Checkpoint {
        upto: Position(8),
        ..next
    };
    assert!(database.commands.set_checkpoint(stale).await.is_err());
    assert_eq!(verify(&database).await.unwrap().events, 8);
    let early = auditor(&database)
        .verify(Some(Position(7)), |_, _| {})
        .await;
    assert_eq!(early.unwrap().root, found.root);
}

/// What is done, the first event that doesn't fit then, and words of the reason.
const HARM: [(&str, i64, &str); 12] = [
        (
            "update event_log set sealed = set_byte(sealed, 60, get_byte(sealed, 60) # 1) where position = 2",
            2,
            "doesn't open",
        ),
        (
            "update event_log set leaf = set_byte(leaf, 0, get_byte(leaf, 0) # 1) where position = 2",
            2,
            "was changed",
        ),
        (
            "update event_log set chain = set_byte(chain, 0, get_byte(chain, 0) # 1) where position = 6",
            6,
            "chain",
        ),
        ("update event_log set position = 70 where position = 7", 7, "missing"),
        ("update event_log set command_id = gen_random_uuid() where position = 3", 3, "was changed"),
        (
            "update event_log set recorded_at = recorded_at + interval '1 us' where position = 7",
            7,
            "was changed",
        ),
        (
            "update event_log set recorded_at = recorded_at - interval '1 day' where position = 6",
            6,
            "older",
        ),
        ("update event_log set event_type = 'RoleAssigned' where position = 5", 5, "doesn't open"),
        ("delete from event_log where position = 5", 5, "missing"),
        ("delete from event_log where position > 5", 6, "acknowledged"),
        (
            "update event_log e set sealed = o.sealed, leaf = o.leaf, chain = o.chain from saved o
             where e.position in (2, 3) and o.position = 5 - e.position",
            2,
            "doesn't open",
        ),
        (
            "insert into event_log select 8, stream_type, gen_random_uuid(), sequence, event_type, event_version,
                 command_id, recorded_at, key_id, suite, sealed, leaf, chain from saved where position = 7",
            8,
            "doesn't open",
        ),
];

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_done_to_a_row_is_found_at_the_first_event_that_does_not_fit() {
    let database = told().await;
    let pool = &database.pools.log;
    let run = async |statement: &str| {
        sqlx::raw_sql(statement).execute(pool).await.unwrap();
    };
    run("create table saved as table event_log").await;
    for (done, event, words) in HARM {
        run(done).await;
        let found = mismatch(verify(&database).await);
        assert_eq!(found.event, Position(event), "{done}: {found}");
        assert!(found.reason.contains(words), "{done}: {found}");
        run("truncate event_log; insert into event_log select * from saved").await;
        assert_eq!(verify(&database).await.unwrap().events, 7, "{done}");
    }
    run("update data_key set wrapped = '\\x00' where subject = (select stream_id from event_log where position = 2)").await;
    let master = database.folder.path().join("keys/master.key");
    let afresh = infra::vault::Vault::open(pool.clone(), &master).await;
    let afresh = Audit::new(pool.clone(), Arc::new(afresh.unwrap()));
    let found = mismatch(afresh.verify(None, |_, _| {}).await);
    assert_eq!(found.event, Position(2), "a key was changed: {found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_is_verified_without_the_database_and_holds_no_secret() {
    let database = told().await;
    let mut file = vec![];
    let written = auditor(&database)
        .export(&mut file, |_, _| {})
        .await
        .unwrap();
    let text = String::from_utf8(file).unwrap();
    assert!(!text.contains("passkey") && !text.contains("verifier"));
    assert!(text.contains("CheckpointSet"));
    let read = |text: &str| verify_file(text.as_bytes(), |_| {});
    assert_eq!(read(&text).unwrap(), written);
    let lines: Vec<&str> = text.lines().collect();
    let with = |number: usize, line: &str| {
        let mut lines = lines.clone();
        lines[number - 1] = line;
        lines.join("\n")
    };
    let changed = lines[3].replace("\"upto\":3", "\"upto\":2");
    assert_ne!(changed, lines[3]);
    for (text, event) in [
        (with(4, &changed), 4),
        (
            with(2, &lines[1].replace("\"sequence\":1", "\"sequence\":2")),
            2,
        ),
        (with(2, lines[2]), 2),
        (with(3, "nonsense"), 3),
        (lines[..6].join("\n"), 7),
        (lines[..7].join("\n"), 8),
        (
            with(
                8,
                "{\"end\":{\"events\":7,\"position\":7,\"chain\":\"\",\"root\":\"\"}}",
            ),
            8,
        ),
    ] {
        assert_eq!(mismatch(read(&text)).event, Position(event), "{text}");
    }
}
