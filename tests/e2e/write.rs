//! Writing once and reading one's own writes, on one node and on two.

use std::time::{Duration, Instant};

use infra::embedded::Embedded;
use tests::{Client, Options, Site, cluster, make, until};
use tokio::task::JoinHandle;

const PASSWORD: &str = "correct horse battery";

fn file(seed: u8) -> Vec<u8> {
    let payload = make::payload(seed, 30_000);
    make::torrent(&format!("file{seed}"), &payload, Some("OpenTracker"))
}

fn header<'a>(answer: &'a reqwest::Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

async fn torrents(site: &Site) -> usize {
    let client = site.client();
    assert_eq!(client.sign_in("admin", PASSWORD).await.0, 200);
    client
        .page("/torrents")
        .await
        .matches("<td class=\"name\"")
        .count()
}

#[tokio::test]
async fn an_upload_under_a_key_happens_once_also_after_a_restart() {
    let mut site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let first = admin.upload_once("one", file(1)).await;
    assert_eq!(first.status(), 303);
    let again = admin.upload_once("one", file(1)).await;
    for name in ["location", "x-position"] {
        assert_eq!(header(&first, name), header(&again, name));
    }
    assert_eq!(admin.upload_once("two", file(1)).await.status(), 409);
    let (one, other) = tokio::join!(
        admin.upload_once("three", file(3)),
        admin.upload_once("three", file(3))
    );
    assert_eq!(header(&one, "location"), header(&other, "location"));
    site.kill();
    site.launch().await;
    let admin = site.client();
    assert_eq!(admin.sign_in("admin", PASSWORD).await.0, 200);
    let later = admin.upload_once("one", file(1)).await;
    assert_eq!(header(&first, "location"), header(&later, "location"));
    assert_eq!(torrents(&site).await, 2);
    let long = "x".repeat(201);
    for key in ["", &long] {
        assert_eq!(admin.upload_once(key, file(4)).await.status(), 400);
    }
    assert_eq!(torrents(&site).await, 2);
}

#[tokio::test]
async fn a_read_after_a_position_shows_it_or_says_that_it_is_stale() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let written = admin.upload_once("one", file(1)).await;
    let position = header(&written, "x-position").to_owned();
    let path = header(&written, "location").to_owned();
    let read = admin.get(&format!("{path}?after={position}")).await;
    assert_eq!(read.status(), 200);
    assert!(!read.headers().contains_key("x-stale"));
    let asked = Instant::now();
    let read = admin.get("/torrents?after=1000000").await;
    assert_eq!(
        (read.status().as_u16(), header(&read, "x-stale")),
        (200, "true")
    );
    let bound = Duration::from_secs(2)..Duration::from_secs(6);
    assert!(bound.contains(&asked.elapsed()), "{:?}", asked.elapsed());
}

/// Two sites over one database that belongs to neither.
async fn pair() -> (Embedded, tempfile::TempDir, Site, Site) {
    let folder = tempfile::TempDir::new().unwrap();
    let database = cluster::start(folder.path());
    let options = Options {
        extra: vec![("DATABASE_URL".to_owned(), database.url().to_owned())],
        ..Options::default()
    };
    let one = Site::start(options).await;
    let other = one.beside().await;
    (database, folder, one, other)
}

async fn signed_in(site: &Site) -> Client {
    let client = site.client();
    assert_eq!(client.sign_in("admin", PASSWORD).await.0, 200);
    client
}

#[tokio::test]
async fn two_nodes_share_one_log_and_one_goes_on_where_the_other_is_killed() {
    let (_database, _folder, mut one, other) = pair().await;
    one.client().set_up("admin", PASSWORD).await;
    let (here, there) = (signed_in(&one).await, signed_in(&other).await);
    let writes = (0..10_u8).map(|seed| {
        let (here, there) = (&here, &there);
        async move {
            let client = if seed % 2 == 0 { here } else { there };
            assert_eq!(
                client
                    .upload_once(&seed.to_string(), file(seed))
                    .await
                    .status(),
                303
            );
        }
    });
    futures::future::join_all(writes).await;
    let repeated = there.upload_once("0", file(0)).await;
    let position = header(&repeated, "x-position").to_owned();
    let path = format!("{}?after={position}", header(&repeated, "location"));
    assert_eq!(
        there.get(&path).await.status(),
        200,
        "the other node has it too"
    );
    one.kill();
    let after = there.upload_once("late", file(20)).await;
    assert_eq!(after.status(), 303);
    until("the projections", Duration::from_secs(5), || async {
        (torrents(&other).await == 11).then_some(())
    })
    .await;
    let status = other.run_json(&["--json", "projections", "status"]);
    let verified = other.run_json(&["--json", "audit", "verify"]);
    for projection in status.as_array().unwrap() {
        assert_eq!(projection["state"], "living", "{projection}");
    }
    assert_eq!(verified["ok"], true);
    assert!(
        other
            .run(&["projections", "rebuild", "--all"])
            .status
            .success()
    );
    assert_eq!(torrents(&other).await, 11);
}

/// Uploads that go to two nodes in turn, each under a key; who asks may get no answer.
async fn begin_load(here: &Client, there: &Client, uploads: u8) -> Vec<JoinHandle<()>> {
    let mut load = vec![];
    for seed in 0..uploads {
        let client = if seed % 2 == 0 { here } else { there }.clone();
        let token = client.token().await;
        load.push((seed, client, token));
    }
    let send = |(seed, client, token): (u8, Client, String)| {
        tokio::spawn(async move {
            let key = seed.to_string();
            let _answer = client.try_upload(&token, &key, file(seed)).await;
        })
    };
    load.into_iter().map(send).collect()
}

async fn count(pool: &sqlx::PgPool, query: &str) -> i64 {
    sqlx::query_scalar(query).fetch_one(pool).await.unwrap()
}

/// Every row of the tables that the load fills.
async fn rows(pool: &sqlx::PgPool) -> Vec<Vec<String>> {
    let mut all = vec![];
    for table in ["torrent", "torrent_file", "access_torrent", "member"] {
        let query = format!("select row_to_json(t)::text from read.{table} t order by 1");
        all.push(sqlx::query_scalar(&query).fetch_all(pool).await.unwrap());
    }
    all
}

#[tokio::test]
async fn projections_go_on_within_five_seconds_of_a_kill_under_load_without_gap_or_double() {
    let (database, _folder, mut one, other) = pair().await;
    one.client().set_up("admin", PASSWORD).await;
    let (here, there) = (signed_in(&one).await, signed_in(&other).await);
    let pool = sqlx::PgPool::connect(database.url()).await.unwrap();
    let uploads = "select count(*) from event_log where event_type = 'TorrentUploaded'";
    let load = begin_load(&here, &there, 40).await;
    until("the load", Duration::from_secs(20), || async {
        (count(&pool, uploads).await >= 5).then_some(())
    })
    .await;
    one.kill();
    let killed = Instant::now();
    let head = count(&pool, "select max(position) from event_log").await;
    until("the other node", Duration::from_secs(5), || async {
        let query = "select min(position) from read.checkpoint where name in ('torrent', 'access')";
        (count(&pool, query).await >= head).then_some(())
    })
    .await;
    assert!(killed.elapsed() < Duration::from_secs(5));
    for sent in load {
        sent.await.unwrap();
    }
    // Who had no answer asks the node that lives, under the same key.
    for seed in 0..40_u8 {
        let answer = there.upload_once(&seed.to_string(), file(seed)).await;
        assert_eq!(answer.status(), 303);
    }
    assert_eq!(count(&pool, uploads).await, 40, "each once");
    until("every row", Duration::from_secs(5), || async {
        (count(&pool, "select count(*) from read.torrent").await == 40).then_some(())
    })
    .await;
    let living = rows(&pool).await;
    let rebuilt = other.run(&["projections", "rebuild", "--all"]);
    assert!(rebuilt.status.success());
    assert_eq!(rows(&pool).await, living);
}
