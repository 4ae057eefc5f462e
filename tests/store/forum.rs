//! The forum's read tables: rebuilt they are the same, and its pages cost the same however many there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use commands::topic::Moderation;
use commands::user::Join;
use domain::Position;
use domain::id::{MemberId, PostId, SectionId, TopicId};
use domain::section::seeded;
use domain::user::{Name, Role};
use projections::progress::Progress;
use projections::torrent::search::Search;
use projections::{Reads, feed::Feed, rebuild, runner, topic};
use sqlx::PgPool;
use tests::{Database, database};
use tokio::sync::watch;
use uuid::Uuid;

use crate::{reached, run_all};

async fn rows(pool: &PgPool) -> BTreeMap<&'static str, Vec<String>> {
    let mut all = BTreeMap::new();
    for table in [
        "section",
        "topic",
        "post",
        "post_version",
        "section_total",
        "reading",
    ] {
        let query = format!("select t::text from read.{table} t order by 1");
        let rows = sqlx::query_scalar(&query).fetch_all(pool).await.unwrap();
        all.insert(table, rows);
    }
    all
}

fn section(slug: &str) -> SectionId {
    let found = seeded().into_iter().find(|seed| seed.slug == slug);
    found.unwrap().id
}

/// Lets an administrator and a member say and do a little of everything.
async fn said(database: &Database) -> (MemberId, TopicId) {
    let commands = &database.commands;
    commands.seed_sections().await.unwrap();
    let join = Join {
        name: Name::parse("admin").unwrap(),
        credentials: database::credentials(),
    };
    let admin = commands.create_member(join, Role::Administrator);
    let admin = admin.await.unwrap().of;
    let alice = database.member("alice").await;
    let mut last = TopicId(Uuid::nil());
    for number in 0..6 {
        let title = format!("Topic {number}");
        let opened = commands.open_topic(alice, section("general"), title, "words".into());
        last = opened.await.unwrap().of;
        let mut posts: Vec<PostId> = vec![];
        for number in 0..4 {
            let replied = commands.reply(admin, last, format!("answer {number}"));
            posts.push(replied.await.unwrap().of);
        }
        let second = posts.into_iter().nth(3).unwrap();
        for text in ["other", "another"] {
            let edited = commands.edit_post(admin, last, second, text.into());
            edited.await.unwrap();
        }
        let why = Some("spam".to_owned());
        commands
            .remove_post(admin, last, second, why)
            .await
            .unwrap();
        if number % 2 == 0 {
            commands.restore_post(admin, last, second).await.unwrap();
        }
        let act = match number % 3 {
            0 => Moderation::Pin(true),
            1 => Moderation::Move(section("help")),
            _ => Moderation::Lock(true),
        };
        commands.moderate(admin, last, act).await.unwrap();
    }
    let first = PostId(last.0);
    commands
        .remove_post(admin, last, first, None)
        .await
        .unwrap();
    commands.read_forum(alice, Position(7)).await.unwrap();
    (alice, last)
}

#[tokio::test(flavor = "multi_thread")]
async fn living_event_by_event_or_rebuilt_at_once_the_tables_are_the_same() {
    let database = Database::start().await;
    let seen = run_all(&database, vec![]).await;
    said(&database).await;
    reached(&database, &seen, database.feed.head().await.unwrap()).await;
    let living = rows(&database.pools.read).await;
    assert!(living.values().all(|rows| !rows.is_empty()), "{living:?}");
    let totals: Vec<(i64, i64)> = sqlx::query_as(
        "select n.topics, n.posts from section_total n join section s on s.id = n.section order by s.rank",
    )
    .fetch_all(&database.pools.read)
    .await
    .unwrap();
    // Of six topics two were moved and one was removed.
    assert_eq!(totals, [(3, 15), (2, 10)]);
    let counted: Vec<(i64, i64)> = sqlx::query_as(
        "select count(*), sum(posts)::bigint from topic t join section s on s.id = t.section
         where not removed group by s.rank order by s.rank",
    )
    .fetch_all(&database.pools.read)
    .await
    .unwrap();
    assert_eq!(totals, counted);
    let all = projections::all(&database.keys());
    let feed: Arc<dyn Feed> = Arc::<infra::feed::LogFeed>::clone(&database.feed);
    rebuild::rebuild(&database.pools.read, &feed, &all, |_, _| {})
        .await
        .unwrap();
    assert_eq!(rows(&database.pools.read).await, living);
}

/// Many topics in one section, and one of them with many posts.
const CROWD: &str = "
    insert into read.topic (id, section, title, author, opened_at, pinned, posts, last_post, last_by, last_at, activity)
    select md5('topic ' || n)::uuid, $1, 'title', $2, now(), n % 5000 = 0, 1, md5('post ' || n)::uuid, $2, now(), n
    from generate_series(1, 30000) n";
const POSTS: &str = "
    insert into read.post (id, topic, number, author, at, position, text)
    select md5('post ' || n)::uuid, md5('topic ' || n % 3)::uuid, n / 3 + 1, $1, now(), n, 'text'
    from generate_series(0, 30000) n";

/// How many rows of the forum's large tables were read so far: by scans, and by index.
async fn read(pool: &PgPool) -> (i64, i64) {
    sqlx::query_as(
        "select sum(seq_tup_read)::bigint, sum(idx_tup_fetch)::bigint from pg_stat_user_tables
         where schemaname = 'read' and relname in ('topic', 'post', 'post_version')",
    )
    .fetch_one(pool)
    .await
    .unwrap()
}

/// Looks at a page of every kind.
async fn look(reads: &Reads, general: SectionId, member: MemberId) {
    let mut from = None;
    for _ in 0..3 {
        let page = topic::list::of_section(reads, general, from.as_ref(), 30);
        let page = page.await.unwrap();
        assert_eq!(page.rows.len(), 30);
        from = page.next;
    }
    assert_eq!(
        projections::section::list(reads, false)
            .await
            .unwrap()
            .len(),
        1
    );
    assert_eq!(topic::list::latest(reads, false, 6).await.unwrap().len(), 6);
    let mine = topic::list::by_member(reads, member, false, 10).await;
    assert_eq!(mine.unwrap().len(), 10);
    // What md5 makes of "topic 1".
    let id = TopicId(Uuid::from_u128(0x30ee_0e60_fd1e_3aac_771b_c39a_78aa_e0ba));
    assert!(topic::page::head(reads, id).await.unwrap().is_some());
    for page in [1, 200, 400] {
        assert_eq!(topic::page::posts(reads, id, page).await.unwrap().len(), 25);
    }
    let next = topic::page::next(reads, id, 20_000).await.unwrap();
    assert!(next.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_the_forum_read_what_they_show_and_no_table() {
    let database = Database::start().await;
    let pool = &database.pools.log;
    let all = projections::all(&database.keys());
    runner::prepare(&database.pools.read, &all).await.unwrap();
    let (member, general) = (MemberId(Uuid::from_u128(7)), section("general"));
    sqlx::query("insert into read.section (id, slug, name, description, rank, staff_only) values ($1, 'general', 'General', '', 1, false)")
        .bind(general.0)
        .execute(pool)
        .await
        .unwrap();
    sqlx::query(CROWD)
        .bind(general.0)
        .bind(member.0)
        .execute(pool)
        .await
        .unwrap();
    sqlx::query(POSTS)
        .bind(member.0)
        .execute(pool)
        .await
        .unwrap();
    sqlx::raw_sql("analyze read.topic; analyze read.post; analyze read.section")
        .execute(pool)
        .await
        .unwrap();
    let before = read(pool).await;
    // Connections of its own: what they have read is told when they end.
    let options = database.pools.read.connect_options().as_ref().clone();
    let own = sqlx::postgres::PgPoolOptions::new();
    let own = own.max_connections(1).connect_with(options).await.unwrap();
    let (_told, seen) = watch::channel(Progress::default());
    let search = Arc::new(Search::in_memory().unwrap());
    let reads = Reads::new(own.clone(), own.clone(), search, seen);
    look(&reads, general, member).await;
    own.close().await;
    let told = tests::until(
        "the statistics",
        std::time::Duration::from_secs(20),
        || async {
            let now = read(pool).await;
            (now.1 > before.1).then_some(now)
        },
    )
    .await;
    let (scanned, fetched) = (told.0 - before.0, told.1 - before.1);
    assert_eq!(scanned, 0, "rows of whole tables");
    assert!(fetched < 2_000, "{fetched} rows for pages of a few hundred");
}
