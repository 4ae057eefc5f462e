//! Read tables are a replay's result: rebuilding gives the same rows, also beside the running site.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::metainfo;
use reqwest::StatusCode;
use sqlx::PgPool;
use tests::rebuild::at_the_head;
pub(crate) use tests::rebuild::{rebuilt_rows_are_the_same, rows};
use tests::{Client, Options, Site, make, until};

const PASSWORD: &str = "correct horse battery";

#[tokio::test]
async fn rebuilding_beside_the_running_site_gives_the_same_rows() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    admin
        .post_form("/staff/announcement", &[("text", "hello")])
        .await;
    let mut ids = vec![];
    for number in 0..5_u8 {
        let file = make::torrent(
            &format!("file{number}"),
            &make::payload(number, 30_000),
            Some("OpenTracker"),
        );
        ids.push(admin.uploaded(file, "other", "text").await);
    }
    admin
        .post_form(&format!("/torrents/{}/withdraw", ids[0]), &[])
        .await;
    rebuilt_rows_are_the_same(&site).await;
    let file = make::torrent("after", &make::payload(9, 30_000), Some("OpenTracker"));
    let id = admin
        .uploaded(file, "other", "the projection goes on behind the swap")
        .await;
    assert!(admin.page("/torrents").await.contains(&id));
    at_the_head(&site).await;
    assert_eq!(
        site.run(&["projections", "rebuild", "nonsense"])
            .status
            .code(),
        Some(1)
    );
}

#[tokio::test]
async fn measures_and_the_staff_page_tell_of_a_projection_that_stopped_and_it_goes_on() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let address = format!("http://{}/metrics", site.metrics);
    let measured = || async { reqwest::get(&address).await.unwrap().text().await.unwrap() };
    let value = |text: &str, name: &str| {
        let line = text.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.rsplit(' ').next()?.parse::<f64>().ok())
    };
    until("the projections", Duration::from_secs(10), || async {
        let text = measured().await;
        let head = value(&text, "opentracker_log_position ")?;
        let user = value(
            &text,
            "opentracker_projection_position{projection=\"user\"}",
        )?;
        let lag = value(
            &text,
            "opentracker_projection_lag_positions{projection=\"user\"}",
        )?;
        (head > 0.0 && (head - user - lag).abs() < 0.5 && lag == 0.0).then_some(())
    })
    .await;
    let pool = site.database().await;
    // The next member doesn't fit the table.
    let check = "alter table read.member add check (folded <> 'alice')";
    sqlx::query(check).execute(&pool).await.unwrap();
    site.run_json(&["--json", "member", "create", "alice"]);
    until("the stop", Duration::from_secs(20), || async {
        let text = measured().await;
        let stopped = value(&text, "opentracker_projection_stopped{projection=\"user\"}")?;
        let lag = value(
            &text,
            "opentracker_projection_lag_positions{projection=\"user\"}",
        )?;
        let waits = value(
            &text,
            "opentracker_projection_lag_seconds{projection=\"user\"}",
        )?;
        (stopped > 0.5 && lag > 0.0 && waits > 0.0).then_some(())
    })
    .await;
    assert_eq!(
        site.client().get("/metrics").await.status(),
        404,
        "not on the site's own port"
    );
}

/// Waits until the page and the measures tell that the rebuild is at a position, which is its goal.
async fn told_to_be_at(site: &Site, admin: &Client, position: i64) {
    until("the progress", Duration::from_secs(20), || async {
        let page = admin.page("/staff").await;
        let measured = reqwest::get(format!("http://{}/metrics", site.metrics));
        let measured = measured.await.ok()?.text().await.ok()?;
        let is_told = |name: &str| {
            let of = "{projection=\"torrent\"}";
            measured.contains(&format!(
                "opentracker_projection_rebuild_{name}{of} {position}"
            ))
        };
        let bar = format!("<progress max=\"{position}\" value=\"{position}\"");
        (page.contains(&bar) && is_told("position") && is_told("goal")).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_staff_page_rebuilds_a_projection_and_tells_how_far_it_is() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let file = make::torrent("file", &make::payload(1, 30_000), Some("OpenTracker"));
    let id = admin.uploaded(file, "other", "").await;
    let before = rows(&site).await;
    let pool = site.database().await;
    let table = "select 'read.torrent'::regclass::oid::bigint";
    let old: i64 = sqlx::query_scalar(table).fetch_one(&pool).await.unwrap();
    // Whoever holds the lock rebuilds; everybody else is refused.
    let lock = "select pg_advisory_xact_lock(hashtextextended('rebuild torrent', 0))";
    let mut hold = pool.begin().await.unwrap();
    sqlx::query(lock).execute(&mut *hold).await.unwrap();
    let refused = site.run(&["projections", "rebuild", "torrent"]);
    let error = String::from_utf8(refused.stderr).unwrap();
    assert!(error.contains("it is being rebuilt already"), "{error}");
    hold.rollback().await.unwrap();
    let rebuild = "/staff/projections/rebuild";
    assert_eq!(
        admin
            .post_form(rebuild, &[("name", "nonsense")])
            .await
            .status(),
        400
    );
    // Who holds the checkpoint keeps the filled tables from being swapped in.
    let mut hold = pool.begin().await.unwrap();
    let checkpoint = "select position from read.checkpoint where name = 'torrent' for update";
    let head: i64 = sqlx::query_scalar(checkpoint)
        .fetch_one(&mut *hold)
        .await
        .unwrap();
    assert_eq!(
        admin
            .post_form(rebuild, &[("name", "torrent")])
            .await
            .status(),
        303
    );
    told_to_be_at(&site, &admin, head).await;
    assert!(
        admin.page("/torrents").await.contains(&id),
        "the old rows answer"
    );
    hold.rollback().await.unwrap();
    until("the new table", Duration::from_secs(20), || async {
        let new: i64 = sqlx::query_scalar(table).fetch_one(&pool).await.ok()?;
        (new != old && !admin.page("/staff").await.contains("<progress")).then_some(())
    })
    .await;
    assert_eq!(rows(&site).await, before);
    assert!(admin.page("/torrents").await.contains(&id));
}

/// Does what PostgreSQL does to UNLOGGED tables when it recovers from a crash.
async fn emptied(pool: &PgPool, tables: &BTreeMap<String, Vec<String>>) {
    let names = tables.keys().map(String::as_str).chain(["checkpoint"]);
    let names: Vec<_> = names.map(|name| format!("read.{name}")).collect();
    let statement = format!("truncate {}", names.join(", "));
    sqlx::raw_sql(&statement).execute(pool).await.unwrap();
}

#[tokio::test]
async fn read_tables_that_a_crash_emptied_are_rebuilt_at_the_next_start() {
    let mut site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let file = make::torrent("file", &make::payload(1, 30_000), Some("OpenTracker"));
    admin.uploaded(file, "other", "").await;
    let living = rows(&site).await;
    let pool = site.database().await;
    emptied(&pool, &living).await;
    pool.close().await;
    site.kill();
    site.launch().await;
    assert_eq!(rows(&site).await, living);
}

/// What a client reads that the settings don't let announce.
const REFUSAL: &str = "client not allowed";

/// Gives an announce of such a client, once it is refused.
async fn refused(site: &Site, admin: &Client) -> String {
    let set = admin.post_form("/staff/settings/tracker", &[("clients", "-XX")]);
    assert_eq!(set.await.status(), 303);
    let file = make::torrent("file", &make::payload(1, 30_000), Some("OpenTracker"));
    let hash = metainfo::read(&file, "OpenTracker").unwrap().info_hash.0;
    admin.uploaded(file, "other", "").await;
    let url = admin.announce_url().await;
    let announce = format!(
        "http://{}/announce?{}&info_hash={}&peer_id=-TR4060-abcdefghijkl&port=7001&uploaded=0&downloaded=0&left=0",
        site.announces,
        url.split_once('?').unwrap().1,
        make::encode(&hash)
    );
    until("the setting", Duration::from_secs(10), || async {
        told(&announce).await.contains(REFUSAL).then_some(())
    })
    .await;
    announce
}

async fn told(announce: &str) -> String {
    let answer = reqwest::get(announce).await.unwrap().bytes().await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn nothing_is_answered_out_of_tables_that_are_filled_anew_while_the_site_lives() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let announce = refused(&site, &admin).await;
    let living = rows(&site).await;
    let pool = site.database().await;
    // Who makes tables holds this, so that nobody makes them yet.
    let mut hold = pool.begin().await.unwrap();
    let lock = "select pg_advisory_xact_lock(hashtextextended('opentracker read tables', 0))";
    sqlx::query(lock).execute(&mut *hold).await.unwrap();
    emptied(&pool, &living).await;
    let guest = site.client();
    until("the refusal", Duration::from_secs(20), || async {
        let answer = admin.get("/torrents").await;
        let known = [StatusCode::OK, StatusCode::SERVICE_UNAVAILABLE];
        assert!(known.contains(&answer.status()), "the session lives");
        let text = guest.get("/sign-in").await.text().await.unwrap();
        text.contains("made anew from the log").then_some(())
    })
    .await;
    let refused = guest.get("/").await;
    assert_eq!(refused.status(), 503);
    assert_eq!(refused.headers()["retry-after"], "5");
    let ready = guest.get("/health/ready").await;
    assert_eq!(ready.status(), 503);
    assert!(ready.text().await.unwrap().contains("filled anew"));
    let seal = admin.post_form("/api/admin/panic/encrypt", &[]).await;
    assert_eq!(seal.status(), 503, "nobody is known by their rights");
    assert_eq!(guest.get("/health/live").await.status(), 200);
    // Longer than who follows the settings waits.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let told = told(&announce).await;
    hold.rollback().await.unwrap();
    assert!(told.contains(REFUSAL), "settings went back: {told}");
    until("the pages", Duration::from_secs(20), || async {
        (admin.get("/torrents").await.status() == 200).then_some(())
    })
    .await;
    assert_eq!(rows(&site).await, living);
    assert_eq!(guest.get("/health/ready").await.status(), 200);
}
