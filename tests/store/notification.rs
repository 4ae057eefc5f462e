//! What members are told: the same however the log is cut, bounded, and nothing that isn't for their eyes.

use std::sync::Arc;

use commands::topic::Moderation;
use commands::user::Join;
use domain::id::{MemberId, SectionId, TopicId};
use domain::report::{Act, Outcome, Reason, Target};
use domain::section::seeded;
use domain::user::{Name, Role};
use projections::notification::{self, Eyes, KEPT, Kind};
use projections::progress::Progress;
use projections::report::{self, State, Wanted};
use projections::torrent::search::Search;
use projections::{Reads, feed::Feed, rebuild};
use tests::{Database, database};
use tokio::sync::watch;

use crate::{reached, run_all};

const TABLES: [&str; 6] = [
    "notification",
    "notification_writer",
    "notification_naming",
    "reading",
    "report",
    "report_note",
];

async fn rows(database: &Database) -> Vec<Vec<String>> {
    let mut all = vec![];
    for table in TABLES {
        let query = format!("select t::text from read.{table} t order by 1");
        let rows = sqlx::query_scalar(&query);
        all.push(rows.fetch_all(&database.pools.read).await.unwrap());
    }
    all
}

fn section(slug: &str) -> SectionId {
    let found = seeded().into_iter().find(|seed| seed.slug == slug);
    found.unwrap().id
}

async fn admin(database: &Database) -> MemberId {
    database.commands.seed_sections().await.unwrap();
    let join = Join {
        name: Name::parse("admin").unwrap(),
        credentials: database::credentials(),
    };
    let made = database.commands.create_member(join, Role::Administrator);
    made.await.unwrap().of
}

async fn open(database: &Database, by: MemberId, slug: &str, text: &str) -> TopicId {
    let (title, text) = ("Topic".to_owned(), text.to_owned());
    let opened = database.commands.open_topic(by, section(slug), title, text);
    opened.await.unwrap().of
}

async fn reply(database: &Database, by: MemberId, topic: TopicId, text: &str) {
    let replied = database.commands.reply(by, topic, text.to_owned());
    replied.await.unwrap();
}

fn reads(database: &Database) -> Reads {
    let (_, seen) = watch::channel(Progress::default());
    let search = Arc::new(Search::in_memory().unwrap());
    let pool = &database.pools.read;
    Reads::new(pool.clone(), pool.clone(), search, seen)
}

async fn told(database: &Database, member: MemberId) -> Vec<Kind> {
    let reads = reads(database);
    let eyes = Eyes {
        member,
        is_forum_staff: false,
        looked: &[],
    };
    let page = notification::list(&reads, eyes, None, 1_000).await.unwrap();
    page.rows.into_iter().map(|one| one.kind).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wrote_in_a_topic_is_told_of_answers_once_and_never_of_their_own() {
    let database = Database::start().await;
    let seen = run_all(&database, vec![]).await;
    let admin = admin(&database).await;
    let [alice, bertha] = [
        database.member("alice").await,
        database.member("bertha").await,
    ];
    let topic = open(&database, alice, "general", "for @bertha").await;
    reply(&database, bertha, topic, "thanks, @alice and @bertha").await;
    reply(&database, admin, topic, "you are welcome").await;
    reply(&database, alice, topic, "good night").await;
    // What is edited names nobody twice.
    let post = domain::id::PostId(topic.0);
    let edited = database
        .commands
        .edit_post(alice, topic, post, "for @bertha and @admin".into());
    let done = edited.await.unwrap();
    reached(&database, &seen, done.position).await;
    assert_eq!(told(&database, alice).await, [Kind::Answered, Kind::Named]);
    assert_eq!(
        told(&database, bertha).await,
        [Kind::Answered, Kind::Answered, Kind::Named]
    );
    assert_eq!(told(&database, admin).await, [Kind::Named, Kind::Answered]);
    let moved = database
        .commands
        .moderate(admin, topic, Moderation::Move(section("staff")));
    reached(&database, &seen, moved.await.unwrap().position).await;
    assert_eq!(told(&database, alice).await, [], "it is for the staff now");
}

#[tokio::test(flavor = "multi_thread")]
async fn living_or_rebuilt_the_latest_of_each_member_are_the_same() {
    let database = Database::start().await;
    let seen = run_all(&database, vec![]).await;
    let admin = admin(&database).await;
    let alice = database.member("alice").await;
    let topic = open(&database, alice, "general", "for @admin").await;
    for number in 0..KEPT + 5 {
        reply(&database, admin, topic, &format!("{number} for @alice")).await;
    }
    let text = "advertises".to_owned();
    let filed = database
        .commands
        .report(alice, Target::Member(admin), Reason::Spam, text);
    let id = filed.await.unwrap().of;
    let other = Join {
        name: Name::parse("other").unwrap(),
        credentials: database::credentials(),
    };
    let other = database.commands.create_member(other, Role::Moderator);
    let other = other.await.unwrap().of;
    let word = Some("so it is".to_owned());
    let note = Act::Note("again".into());
    for act in [Act::Take, note, Act::Close(Outcome::Resolved, word)] {
        let handled = database.commands.handle_report(other, id, act);
        handled.await.unwrap();
    }
    let head = database.feed.head().await.unwrap();
    let read = database.commands.read_notifications(alice, head);
    reached(&database, &seen, read.await.unwrap()).await;
    let living = rows(&database).await;
    assert!(living.iter().all(|rows| !rows.is_empty()), "{living:?}");
    let kinds = told(&database, alice).await;
    assert_eq!(i64::try_from(kinds.len()).unwrap(), KEPT);
    assert_eq!(kinds.first(), Some(&Kind::Resolved));
    let all = projections::all(&database.keys());
    let feed: Arc<dyn Feed> = Arc::<infra::feed::LogFeed>::clone(&database.feed);
    rebuild::rebuild(&database.pools.read, &feed, &all, |_, _| {})
        .await
        .unwrap();
    assert_eq!(rows(&database).await, living);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_shows_what_waits_first_and_nobody_what_is_about_themselves() {
    let database = Database::start().await;
    let seen = run_all(&database, vec![]).await;
    let admin = admin(&database).await;
    let mut ids = vec![];
    for name in ["one", "two", "three", "four"] {
        let about = database.member(name).await;
        let text = "advertises".to_owned();
        let filed = database
            .commands
            .report(admin, Target::Member(about), Reason::Spam, text);
        ids.push((filed.await.unwrap().of, about));
    }
    let [one, two, three, four] = ids.try_into().unwrap();
    for (id, act) in [
        (one.0, Act::Take),
        (two.0, Act::Close(Outcome::Dismissed, None)),
        (three.0, Act::Close(Outcome::Resolved, None)),
    ] {
        database
            .commands
            .handle_report(admin, id, act)
            .await
            .unwrap();
    }
    reached(&database, &seen, database.feed.head().await.unwrap()).await;
    let reads = reads(&database);
    let eyes = |member| report::Eyes {
        member,
        is_forum_staff: true,
    };
    let mut from = None;
    let mut found = vec![];
    loop {
        let page = report::queue(&reads, eyes(admin), Wanted::default(), from.as_ref(), 1);
        let page = page.await.unwrap();
        found.extend(page.rows.into_iter().map(|row| row.id));
        from = page.next;
        if from.is_none() {
            break;
        }
    }
    assert_eq!(found, [four.0, one.0, three.0, two.0]);
    assert_eq!(report::waiting(&reads, eyes(admin)).await.unwrap(), 2);
    assert_eq!(report::waiting(&reads, eyes(four.1)).await.unwrap(), 1);
    assert_eq!(
        report::one(&reads, eyes(four.1), four.0).await.unwrap(),
        None
    );
    let taken = Wanted {
        state: Some(State::Taken),
        ..Wanted::default()
    };
    let page = report::queue(&reads, eyes(admin), taken, None, 9).await;
    let page: Vec<_> = page.unwrap().rows.into_iter().map(|row| row.id).collect();
    assert_eq!(page, [one.0]);
}
