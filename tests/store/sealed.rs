//! Read tables while nothing can be read, and what PostgreSQL itself remembers of them.

use std::collections::BTreeMap;
use std::sync::Arc;

use commands::user::Join;
use domain::api_key::Scope;
use domain::id::MemberId;
use domain::report::{Act, Outcome, Reason, Target};
use domain::role::Mandate;
use domain::tag::Colour;
use domain::user::{Name, Role};
use domain::{Permission, Permissions};
use projections::{Projection, feed::Feed, rebuild, runner, sealed};
use sqlx::PgPool;
use tests::{Database, files_with};

use crate::search::upload;

/// Every row of every read table, sorted.
async fn rows(pool: &PgPool) -> BTreeMap<String, Vec<String>> {
    let tables: Vec<String> = sqlx::query_scalar(
        "select table_name::text from information_schema.tables
         where table_schema = 'read' and table_name not in ('checkpoint', 'sealed')",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let mut all = BTreeMap::new();
    for table in tables {
        let query = format!("select t::text from read.{table} t order by 1");
        let rows: Vec<String> = sqlx::query_scalar(&query).fetch_all(pool).await.unwrap();
        all.insert(table, rows);
    }
    all
}

async fn fill(database: &Database) -> Vec<Arc<dyn Projection>> {
    let all = projections::all(&database.keys());
    let feed: Arc<dyn Feed> = Arc::<infra::feed::LogFeed>::clone(&database.feed);
    runner::prepare(&database.pools.read, &all).await.unwrap();
    rebuild::rebuild(&database.pools.read, &feed, &all, |_, _| {})
        .await
        .unwrap();
    all
}

/// Fills the forum with what is looked for.
async fn talk(database: &Database) {
    let commands = &database.commands;
    commands.seed_sections().await.unwrap();
    let section = domain::section::seeded().into_iter().next().unwrap().id;
    let by = MemberId(uuid::Uuid::from_u128(1));
    let title = "known-title".to_owned();
    let opened = commands.open_topic(by, section, title, "known-text".into());
    let topic = opened.await.unwrap().of;
    let replied = commands.reply(by, topic, "known-answer".into()).await;
    let post = replied.unwrap().of;
    let edited = commands.edit_post(by, topic, post, "known-wording".into());
    edited.await.unwrap();
    let why = Some("known-reason".to_owned());
    commands.remove_post(by, topic, post, why).await.unwrap();
}

/// Reports somebody, notes something and closes the report.
async fn report(database: &Database, about: MemberId) {
    let commands = &database.commands;
    let join = Join {
        name: Name::parse("known-admin").unwrap(),
        credentials: tests::database::credentials(),
    };
    let admin = commands.create_member(join, Role::Administrator);
    let admin = admin.await.unwrap().of;
    let text = "known-report".to_owned();
    let filed = commands.report(admin, Target::Member(about), Reason::Abuse, text);
    let id = filed.await.unwrap().of;
    let word = Some("known-word".to_owned());
    let note = Act::Note("known-note".into());
    for act in [note, Act::Close(Outcome::Resolved, word)] {
        commands.handle_report(admin, id, act).await.unwrap();
    }
}

/// Gives somebody a role of the site's own.
async fn give(database: &Database, member: MemberId) {
    let commands = &database.commands;
    let join = Join {
        name: Name::parse("known-giver").unwrap(),
        credentials: tests::database::credentials(),
    };
    let admin = commands.create_member(join, Role::Administrator);
    let admin = admin.await.unwrap().of;
    let mandate = Mandate {
        name: "known-role".into(),
        colour: Colour::Red,
        permissions: Permissions::everything()
            .iter()
            .filter(|one| *one != Permission::Administer)
            .collect(),
    };
    let made = commands.create_role(admin, mandate).await.unwrap().of;
    let given = commands.hand_role(admin, member, made, true);
    given.await.unwrap();
}

async fn scene() -> (Database, Vec<Arc<dyn Projection>>) {
    let database = Database::start().await;
    let member = database.member("known-member").await;
    let scopes = vec![Scope::Read, Scope::Audit];
    let made = database.commands.make_api_key(member, "known-key", scopes);
    made.await.unwrap();
    for name in ["known-one", "known-two"] {
        upload(&database, name).await;
    }
    let (gone, by) = (
        upload(&database, "known-three").await,
        MemberId(uuid::Uuid::from_u128(1)),
    );
    let why = Some("known-withdrawal".to_owned());
    let withdrawn = database.commands.withdraw(by, gone, why);
    withdrawn.await.unwrap();
    talk(&database).await;
    report(&database, member).await;
    give(&database, member).await;
    let all = fill(&database).await;
    (database, all)
}

#[tokio::test(flavor = "multi_thread")]
async fn sealed_tables_tell_counts_alone_and_come_back_row_for_row() {
    let (database, all) = scene().await;
    let reads = &database.pools.read;
    let before = rows(reads).await;
    assert!(before["torrent"].iter().all(|row| row.contains("known-")));
    let withdrawal = |row: &String| row.contains("known-withdrawal");
    assert!(before["torrent"].iter().any(withdrawal));
    assert_eq!(before["api_key"].len(), 1);
    sealed::darken(reads).await.unwrap();
    assert!(rows(reads).await.is_empty());
    assert!(!sealed::is_filled(reads).await.unwrap());
    for _ in 0..2 {
        sealed::fill(reads, &all, |_, _| {}).await.unwrap();
        assert!(sealed::is_filled(reads).await.unwrap());
    }
    let hidden = rows(reads).await;
    for table in [
        "member",
        "torrent",
        "category",
        "site",
        "access_member",
        "section",
        "topic",
        "post",
        "post_version",
        "report",
        "report_note",
        "own_role",
    ] {
        assert_eq!(hidden[table].len(), before[table].len().max(1), "{table}");
    }
    assert!(hidden["api_key"].is_empty(), "no key acts for anybody");
    assert_eq!(before["member_role"].len(), 1);
    assert!(hidden["member_role"].is_empty(), "nobody has a role");
    let told = format!("{hidden:?}");
    assert!(
        !told.contains("known") && told.contains("[ENCRYPTED]"),
        "{told}"
    );
    for row in &hidden["torrent"] {
        assert!(before["torrent"].iter().all(|other| other != row));
    }
    sealed::unseal(reads).await.unwrap();
    fill(&database).await;
    assert_eq!(rows(reads).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_text_is_sampled_into_statistics() {
    let (database, _) = scene().await;
    let pool = &database.pools.log;
    for statement in ["analyze", "checkpoint"] {
        sqlx::raw_sql(statement).execute(pool).await.unwrap();
    }
    let sampled: Vec<String> = sqlx::query_scalar(
        "select s.tablename || '.' || s.attname from pg_stats s
         join information_schema.columns c
           on c.table_schema = s.schemaname and c.table_name = s.tablename and c.column_name = s.attname
         where s.schemaname = 'read' and s.tablename <> 'checkpoint' and c.data_type in ('text', 'bytea', 'ARRAY')",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(sampled.is_empty(), "{sampled:?}");
    let numbers: i64 = sqlx::query_scalar(
        "select count(*) from pg_stats where schemaname = 'read' and tablename = 'torrent'",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert!(numbers > 3, "numbers are sampled, for the planner");
    // The tables' own files go with them; whatever was written elsewhere would stay.
    sealed::darken(&database.pools.read).await.unwrap();
    sqlx::raw_sql("checkpoint").execute(pool).await.unwrap();
    let left = files_with(
        database.folder.path(),
        &[
            "known-member",
            "known-one",
            "known-title",
            "known-answer",
            "known-role",
            "known-withdrawal",
        ],
    );
    assert!(left.is_empty(), "{left:?}");
}
