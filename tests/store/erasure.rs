//! A member's key is destroyed: what stood under it is gone, on every node, and the rest is as it was.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use commands::Commands;
use commands::ports::{Append, AppendError, EventLog as _, NewEvent, Reach};
use commands::sanction::Sanction;
use commands::user::Join;
use domain::amount::{Bytes, Seconds};
use domain::api_key::Scope;
use domain::history::ERASED;
use domain::id::{MemberId, TorrentId};
use domain::invite::Code;
use domain::traffic::{Batch, Entry};
use domain::transfer::Pair;
use domain::user::{Name, Role, TotpSecret};
use domain::{Actor, Position, history};
use infra::audit::{Audit, AuditError};
use infra::event_store::EventStore;
use infra::feed::LogFeed;
use infra::vault::Vault;
use projections::feed::Feed;
use projections::user::Users;
use projections::{Projection as _, rebuild, runner};
use serde_json::json;
use tests::{Database, database, until};
use uuid::Uuid;

use crate::{append, reached, run_all};

const WAIT: Duration = Duration::from_secs(10);

/// Every row of every read table.
async fn rows(database: &Database) -> BTreeMap<String, Vec<String>> {
    let pool = &database.pools.read;
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables where table_schema = 'read' and table_name <> 'checkpoint'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut all = BTreeMap::new();
    for table in tables {
        let query = format!("select t::text from read.{table} t order by 1");
        all.insert(
            table,
            sqlx::query_scalar(&query).fetch_all(pool).await.unwrap(),
        );
    }
    all
}

async fn erase(database: &Database, member: MemberId) -> Position {
    let erased = database.commands.erase_member(Actor::Operator, member);
    erased.await.unwrap().position
}

fn joining(name: &str) -> Join {
    Join {
        name: Name::parse(name).unwrap(),
        credentials: database::credentials(),
    }
}

async fn admin(database: &Database) -> MemberId {
    let made = database
        .commands
        .create_member(joining("admin"), Role::Administrator);
    made.await.unwrap().of
}

async fn guest(commands: &Commands, name: &str, code: &Code) -> MemberId {
    let joined = commands.register(joining(name), Some(code), 1);
    joined.await.unwrap().of
}

fn moved(member: MemberId, uploaded: u64) -> Entry {
    Entry {
        member,
        torrent: TorrentId(Uuid::from_u128(9)),
        client: "00000000000000aa".into(),
        run: 0,
        uploaded: Bytes(uploaded),
        downloaded: Bytes(0),
        left: Bytes(0),
        seeded: Seconds(uploaded),
        leeched: Seconds(0),
        charged: Bytes(0),
        completed: true,
    }
}

async fn record(database: &Database, number: i64, entries: Vec<Entry>) -> Position {
    let batch = Batch {
        node: "one".into(),
        epoch: 1,
        number,
        entries,
    };
    database.commands.record(batch, 20_000).await.unwrap()
}

/// Gives a member everything that a stream of their own may hold.
async fn furnish(database: &Database, admin: MemberId, member: MemberId) {
    let commands = &database.commands;
    commands.grant_invites(admin, member, 5).await.unwrap();
    commands
        .make_api_key(member, "key", vec![Scope::Read])
        .await
        .unwrap();
    commands.make_feed_key(member).await.unwrap();
    commands.reset_passkey(member).await.unwrap();
    for network in [b"one", b"two"] {
        let device = "A program on Linux".to_owned();
        commands
            .sign_in_from(member, device, network)
            .await
            .unwrap();
    }
    let secret = TotpSecret::new([7; 20]);
    commands
        .enable_second_factor(member, secret, 7)
        .await
        .unwrap();
    commands.invite(member, 0).await.unwrap();
    let warn = Sanction::Warn("because".into());
    commands.sanction(admin, member, warn, 0).await.unwrap();
    commands
        .read_notifications(member, Position(1))
        .await
        .unwrap();
    let of = Pair {
        member,
        torrent: TorrentId(Uuid::from_u128(9)),
    };
    commands.complete(of, 0).await.unwrap();
}

/// Of four erased members, a fifth who stays and an administrator.
async fn all_that_stays(database: &Database, living: &BTreeMap<String, Vec<String>>) {
    for (table, count) in [
        ("member", 6),
        ("sanction", 0),
        ("api_key", 0),
        ("reading", 0),
        ("notification", 0),
        ("notification_device", 0),
        ("obligation", 0),
        ("invites_left", 2),
        ("invite", 2),
        ("ledger", 1),
        ("member_total", 1),
        ("snatch", 5),
        ("ledger_gone", 4),
    ] {
        assert_eq!(living[table].len(), count, "{table}: {:?}", living[table]);
    }
    let names: Vec<String> = sqlx::query_scalar("select name from member order by name")
        .fetch_all(&database.pools.read)
        .await
        .unwrap();
    let erased = [projections::user::ERASED; 4];
    assert_eq!(names, [&["admin", "clara"][..], &erased[..]].concat());
    let sums: i64 = sqlx::query_scalar("select uploaded from traffic_sum where grain = 0")
        .fetch_one(&database.pools.read)
        .await
        .unwrap();
    // Four moved 100, 200, 300 and 900 before they were erased; who stays, 900.
    assert_eq!(sums, 100 + 200 + 300 + 900 + 900);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_stays_of_erased_members_is_the_same_applied_as_it_came_and_rebuilt() {
    let database = Database::start().await;
    let seen = run_all(&database, vec![]).await;
    let (commands, admin) = (&database.commands, admin(&database).await);
    let limited = domain::site::Command::SetRegistration(domain::site::Registration::ByInvite);
    commands.set_site(admin, limited).await.unwrap();
    // Of two pairs the host is erased first in one, the guest in the other.
    let mut pairs = vec![];
    for (host, name) in [("alice", "adam"), ("bertha", "bob")] {
        let host = database.member(host).await;
        furnish(&database, admin, host).await;
        let code = commands.invite(host, 0).await.unwrap().of;
        let guest = guest(commands, name, &code).await;
        furnish(&database, admin, guest).await;
        pairs.push((host, guest));
    }
    let all: Vec<MemberId> = pairs
        .iter()
        .flat_map(|(one, other)| [*one, *other])
        .collect();
    let stays = database.member("clara").await;
    let entries = |uploaded| {
        let mut entries: Vec<Entry> = all.iter().map(|one| moved(*one, uploaded)).collect();
        entries.push(moved(stays, uploaded));
        entries
    };
    let at = record(&database, 1, entries(100)).await;
    reached(&database, &seen, at).await;
    let order = [pairs[0].0, pairs[1].1, pairs[1].0];
    for (number, member) in (2..).zip(order) {
        let at = erase(&database, member).await;
        reached(&database, &seen, at).await;
        // What the tracker tells late adds nothing to who is gone, and to the sums what others moved.
        let uploaded = 100 * u64::try_from(number).unwrap();
        let at = record(&database, number, entries(uploaded)).await;
        reached(&database, &seen, at).await;
    }
    // Nobody waits between the last two.
    record(&database, 9, entries(900)).await;
    let at = erase(&database, pairs[0].1).await;
    reached(&database, &seen, at).await;
    let living = rows(&database).await;
    all_that_stays(&database, &living).await;
    let feed: Arc<dyn Feed> = Arc::<LogFeed>::clone(&database.feed);
    let projections = projections::all(&database.keys());
    rebuild::rebuild(&database.pools.read, &feed, &projections, |_, _| {})
        .await
        .unwrap();
    let rebuilt = rows(&database).await;
    for (table, rows) in &living {
        assert_eq!(&rebuilt[table], rows, "{table}");
    }
}

/// A second node over the same database, with its own keys in memory.
async fn node(database: &Database) -> (Arc<Vault>, EventStore) {
    let path = database.folder.path().join("keys/master.key");
    let vault = Vault::open(database.pools.log.clone(), &path)
        .await
        .unwrap();
    let vault = Arc::new(vault);
    let store = EventStore::new(database.pools.log.clone(), Arc::clone(&vault));
    (vault, store)
}

fn bookmark(member: MemberId) -> Append {
    let torrent = Uuid::from_u128(9);
    Append {
        stream_type: "bookmarks",
        events: vec![NewEvent {
            name: "BookmarkSet".into(),
            version: 1,
            payload: json!({ "BookmarkSet": { "torrent": torrent } }),
        }],
        ..append(member.0, 0)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_node_drops_the_key_and_none_seals_anything_under_it_any_more() {
    let database = Database::start().await;
    let alice = database.member("alice").await;
    let (deaf, (vault, other)) = (node(&database).await.1, node(&database).await);
    let _ears = LogFeed::new(database.pools.log.clone(), vault, other.recent());
    let told = |store: EventStore| async move {
        let events = store.load("user", alice.0, Reach::All).await.unwrap();
        history::state("user", events.iter().take(1).map(|event| &event.fact)).unwrap()
    };
    for store in [&deaf, &other] {
        assert_eq!(told(store.clone()).await["name"], "alice");
    }
    erase(&database, alice).await;
    assert_eq!(told(database.events.clone()).await, ERASED);
    until("the other node", WAIT, || async {
        (told(other.clone()).await == ERASED).then_some(())
    })
    .await;
    // One that heard nothing has the key in memory, and is refused by the log itself.
    assert_eq!(told(deaf.clone()).await["name"], "alice");
    let head = database.feed.head().await.unwrap();
    for store in [&deaf, &other, &database.events] {
        let refused = store.append(bookmark(alice)).await.unwrap_err();
        assert!(matches!(refused, AppendError::Erased), "{refused}");
    }
    deaf.append(append(Uuid::new_v4(), 0)).await.unwrap();
    assert_eq!(database.feed.head().await.unwrap(), Position(head.0 + 1));
    let again = database.commands.erase_member(Actor::Operator, alice).await;
    assert!(again.is_err());
    let events = database
        .events
        .load("user", alice.0, Reach::All)
        .await
        .unwrap();
    let state = history::state("user", events.iter().map(|event| &event.fact)).unwrap();
    assert_eq!(state["situation"], "Erased");
}

/// Blanks a key of who wasn't erased, and then the month's.
async fn a_lost_key_is_no_erasure(database: &Database, alice: MemberId, bertha: MemberId) {
    sqlx::query("update data_key set wrapped = null where subject = $1")
        .bind(bertha.0)
        .execute(&database.pools.log)
        .await
        .unwrap();
    let (_, store) = node(database).await;
    let fresh = Audit::new(database.pools.log.clone(), node(database).await.0);
    let error = fresh.verify(None, |_, _| {}).await.unwrap_err();
    assert!(
        matches!(&error, AuditError::Mismatch(found) if found.reason.contains("wasn't erased")),
        "{error}"
    );
    // No other class of keys has members to erase.
    sqlx::query("update data_key set wrapped = null where class = 'log'")
        .execute(&database.pools.log)
        .await
        .unwrap();
    let blank = EventStore::new(database.pools.log.clone(), node(database).await.0);
    let erased = blank.load("user", alice.0, Reach::All).await;
    assert!(erased.is_err(), "{erased:?}");
    let events = store.load("user", bertha.0, Reach::All).await.unwrap();
    assert!(events.iter().all(|event| event.fact.is_erased()));
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_rotated_without_the_erased_ones_and_nobody_else_may_lose_one() {
    let database = Database::start().await;
    let (alice, bertha) = (
        database.member("alice").await,
        database.member("bertha").await,
    );
    let path = database.folder.path().join("keys/master.key");
    let rotate = || async {
        let keys = database.vault.rotate(&path).await.unwrap().row().unwrap();
        let rotated = database.commands.rotate_keys(Actor::Operator, keys);
        rotated.await.unwrap();
        database.vault.rotated(&path).await.unwrap();
    };
    // The month's key must be there, for a rotation puts every key under another one.
    let first = append(Uuid::new_v4(), 0);
    database.events.append(first).await.unwrap();
    // Alice's only key is a retired one when she is erased.
    rotate().await;
    erase(&database, alice).await;
    rotate().await;
    let wrapped: Vec<bool> = sqlx::query_scalar(
        "select wrapped is not null from data_key where class = 'member' and subject = $1",
    )
    .bind(alice.0)
    .fetch_all(&database.pools.log)
    .await
    .unwrap();
    assert_eq!(wrapped, [false, false]);
    let refused = database.events.append(bookmark(alice)).await.unwrap_err();
    assert!(matches!(refused, AppendError::Erased), "{refused}");
    assert!(database.commands.member(bertha).await.unwrap().is_some());

    let audit = Audit::new(database.pools.log.clone(), Arc::clone(&database.vault));
    let found = audit.verify(None, |_, _| {}).await.unwrap();
    assert_eq!(found.erased, 1);
    let closed = audit.verify_closed(None, |_, _| {}).await.unwrap();
    assert_eq!(closed, found);
    let mut file = vec![];
    audit.export(&mut file, |_, _| {}).await.unwrap();
    let read = |file: &[u8]| infra::audit::verify_file(file, |_| {});
    assert_eq!(read(&file).unwrap(), found);
    // Whoever takes away the word of the erasure, or claims another one, is found.
    let lines = String::from_utf8(file).unwrap();
    let hidden = lines.replace("MemberErased", "MemberWarned");
    assert!(read(hidden.as_bytes()).is_err());
    a_lost_key_is_no_erasure(&database, alice, bertha).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_an_erased_members_name_in_the_same_batch_has_it() {
    let database = Database::start().await;
    let alice = database.member("alice").await;
    let feed: Arc<dyn Feed> = Arc::<LogFeed>::clone(&database.feed);
    let projections = projections::all(&database.keys());
    let pool = &database.pools.read;
    runner::prepare(pool, &projections).await.unwrap();
    rebuild::rebuild(pool, &feed, &projections, |_, _| {})
        .await
        .unwrap();
    erase(&database, alice).await;
    let again = database.member("Alice").await;
    // Nothing of it is applied one by one, as in a rebuild.
    let (mut fold, mut read) = (Users.fold(), Position(1));
    while read < feed.head().await.unwrap() {
        let batch = feed.read(read, 256, &["user"]).await.unwrap();
        for event in &batch.events {
            fold.take(event).unwrap();
        }
        read = batch.upto;
    }
    let mut to = pool.acquire().await.unwrap();
    fold.insert(&mut to).await.unwrap();
    fold.update(&mut to).await.unwrap();
    let named: Vec<Uuid> = sqlx::query_scalar("select id from member where folded = 'alice'")
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(named, [again.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_node_keeps_an_opened_event_of_who_is_erased_or_of_a_vault_that_is_closed() {
    let database = Database::start().await;
    let (alice, bertha) = (
        database.member("alice").await,
        database.member("bertha").await,
    );
    let (vault, other) = node(&database).await;
    let feed = LogFeed::new(
        database.pools.log.clone(),
        Arc::clone(&vault),
        other.recent(),
    );
    // One event is kept as this node's own, the others as read for all: near the head, and far from it.
    let own = other.append(bookmark(alice)).await.unwrap().last;
    let (own, none) = (Position(own.0 - 1), Position(0));
    let read = async |after, limit| feed.read(after, limit, &["user", "bookmarks"]).await.ok();
    let told = async |erased| {
        for (after, limit) in [(own, 256), (none, 256), (none, 2)] {
            until("what is told", WAIT, || async {
                let mut events = read(after, limit).await?.events;
                events.retain(|one| one.stream_id == alice.0 && one.fact.name() != "MemberErased");
                let told = events.iter().all(|one| one.fact.is_erased() == erased);
                (told && !events.is_empty()).then_some(())
            })
            .await;
        }
    };
    until("the head", WAIT, || async {
        feed.wait(own).await.then_some(())
    })
    .await;
    told(false).await;
    erase(&database, alice).await;
    told(true).await;
    assert!(read(none, 256).await.is_some());
    vault.forget();
    until("the end of what was opened", WAIT, || async {
        let kept = [
            read(own, 256).await,
            read(none, 256).await,
            read(none, 2).await,
        ];
        kept.iter().all(Option::is_none).then_some(())
    })
    .await;
    assert!(database.commands.member(bertha).await.unwrap().is_some());
}
