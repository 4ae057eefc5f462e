//! What is left on the disk after a panic: none of what was known before.

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sqlx::PgPool;
use tests::{Authenticator, Client, Device, Options, Site, files_with, make, until};

use super::{PANIC, PASSWORD, activate, restore, say, verified};

/// What the site keeps of the password, as text.
fn verifier() -> [String; 2] {
    let kept = api::sign_in::scram::credentials(PASSWORD, [7; 32], 100_000);
    [hex::encode(kept.verifier), STANDARD.encode(kept.verifier)]
}

/// Fills a site with what is looked for; gives all of it, the torrent, and the device of who made it.
pub(crate) async fn known(site: &Site, admin: &Client) -> (Vec<String>, String, Device) {
    admin.set_up("known-admin-name", PASSWORD).await;
    assert!(say(site, &["password"], &[PANIC]).status.success());
    let torrent = edited(admin).await;
    let announcement = [("text", "known-announcement-text")];
    admin.post_form("/staff/announcement", &announcement).await;
    withdrawal(admin).await;
    forum(admin).await;
    let invite = members(site, admin).await;
    let network = network(site);
    reports(admin).await;
    let feed_key = shelves(admin, &torrent).await;
    let url = admin.announce_url().await;
    reqwest::get(format!("{url}&info_hash=short"))
        .await
        .unwrap();
    assert!(admin.page("/torrents").await.contains("known-file-name"));
    let device = admin
        .enable_second_factor("known-admin-name", PASSWORD)
        .await;
    let totp_secret = device.secret.reveal();
    let texts = [
        "known-admin-name",
        "known-file-name",
        "known-description-text",
        "known-edited-text",
        "known-announcement-text",
        "known-withdrawn-name",
        "known-withdrawal",
        "known-section-name",
        "known-topic-title",
        "known-post-text",
        "known-later-wording",
        "known-reason",
        "known-guest",
        "known-warning",
        "known-ban",
        "known-hero",
        &invite,
        &network,
        "known-tag-name",
        "known-category-name",
        "known-comment-text",
        "known-comment-wording",
        "known-report-text",
        "known-staff-note",
        "known-word-to-the-reporter",
        &feed_key,
        &totp_secret,
        url.split("passkey=").nth(1).unwrap(),
        PASSWORD,
        PANIC,
    ];
    let texts = texts.into_iter().map(str::to_owned).chain(verifier());
    (texts.collect(), torrent, device)
}

/// Adds a security key, and signs in by it; gives it, and what is looked for of it.
async fn keyed(site: &Site, admin: &Client) -> (Authenticator, [String; 3]) {
    let origin = format!("http://localhost:{}", site.address.port());
    let mut key = Authenticator::new(&origin, 201);
    let (name, called) = ("known-admin-name", "known-key-name");
    let (status, asked) = admin.begin_key(name, PASSWORD, called).await;
    assert_eq!(status, 200, "{asked}");
    let (status, answer) = admin.answer_key(&key.create(&asked)).await;
    assert_eq!(status, 201, "{answer}");
    let page = admin.page("/settings/security-keys").await;
    assert!(page.contains(called) && page.contains(&key.id()));
    let ticket = site.client().ticket(name, PASSWORD).await;
    assert_eq!(admin.sign_for(&ticket, &mut key).await.0, 200);
    let known = [called.to_owned(), key.id(), key.public()];
    (key, known)
}

/// What is read of the members, byte for byte.
async fn members_rows(pool: &PgPool) -> Vec<String> {
    sqlx::query_scalar("select to_jsonb(m)::text from read.member m order by id")
        .fetch_all(pool)
        .await
        .unwrap()
}

/// Uploads a torrent and edits it.
async fn edited(admin: &Client) -> String {
    let payload = make::payload(1, 30_000);
    let file = make::torrent("known-file-name", &payload, Some("OpenTracker"));
    let torrent = admin
        .uploaded(file, "other", "known-description-text")
        .await;
    let edit = format!("/torrents/{torrent}/edit");
    let fields = [("category", "other"), ("description", "known-edited-text")];
    admin.post_form(&edit, &fields).await;
    torrent
}

/// Withdraws another torrent, and says why.
async fn withdrawal(admin: &Client) {
    let payload = make::payload(2, 30_000);
    let file = make::torrent("known-withdrawn-name", &payload, Some("OpenTracker"));
    let torrent = admin.uploaded(file, "other", "").await;
    let withdraw = format!("/torrents/{torrent}/withdraw");
    let reason = [("reason", "known-withdrawal")];
    let withdrawn = admin.post_form(&withdraw, &reason).await;
    assert_eq!(withdrawn.status(), 303);
    assert!(admin.page("/uploads").await.contains("known-withdrawal"));
}

/// Reports somebody, notes something and closes the report.
async fn reports(admin: &Client) {
    let report = [("reason", "abuse"), ("text", "known-report-text")];
    let filed = admin.post_form("/report/member/known-guest", &report).await;
    let own = filed.headers()["location"].to_str().unwrap();
    let handled = format!("/staff{own}");
    for (act, text) in [
        ("note", "known-staff-note"),
        ("resolve", "known-word-to-the-reporter"),
    ] {
        let fields = [("act", act), ("text", text)];
        assert_eq!(admin.post_form(&handled, &fields).await.status(), 303);
    }
    assert!(admin.page(own).await.contains("known-word-to-the-reporter"));
}

/// Invites, warns and bans somebody, and sets a text of the first page; gives the code of an invite.
async fn members(site: &Site, admin: &Client) -> String {
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let guest = site.client().register("known-guest", PASSWORD).await;
    assert_eq!(guest.0, 201);
    for (act, reason) in [("warn", "known-warning"), ("ban", "known-ban")] {
        let fields = [
            ("act", act),
            ("reason", reason),
            ("hours", "0"),
            ("address", "yes"),
        ];
        let done = admin
            .post_form("/members/known-guest/sanction", &fields)
            .await;
        assert_eq!(done.status(), 303);
    }
    let hero = [("hero_title", "known-hero")];
    let set = admin.post_form("/staff/settings/home", &hero).await;
    assert_eq!(set.status(), 303);
    assert_eq!(admin.post_form("/invites", &[]).await.status(), 303);
    let page = admin.page("/invites").await;
    let code = page.split("/register?invite=").nth(1).unwrap();
    code.split('<').next().unwrap().to_owned()
}

/// What is kept of where the banned member signed in from.
fn network(site: &Site) -> String {
    let log = site.run(&["--json", "audit", "log", "--event", "MemberBanned"]);
    let log = String::from_utf8(log.stdout).unwrap();
    let behind = log.split("network\":").nth(1);
    let hex = behind.and_then(|rest| rest.split('"').nth(1));
    assert_eq!(hex.unwrap_or_default().len(), 32, "{log}");
    hex.unwrap().to_owned()
}

/// Fills tags, categories, comments, reviews and feeds with what is looked for; gives the feed key.
async fn shelves(admin: &Client, torrent: &str) -> String {
    let tag = [
        ("name", "known-tag-name"),
        ("colour", "red"),
        ("order", "1"),
    ];
    admin.post_form("/staff/tags", &tag).await;
    let category = [
        ("name", "known-category-name"),
        ("slug", "new"),
        ("order", "9"),
    ];
    admin.post_form("/staff/categories", &category).await;
    let path = format!("/torrents/{torrent}/comments");
    let written = admin.post_form(&path, &[("text", "known-comment-text")]);
    let written = written.await;
    let comment = written.headers()["location"].to_str().unwrap();
    let wording = [("text", "known-comment-wording")];
    let edited = admin.post_form(&format!("{comment}/edit"), &wording).await;
    assert_eq!(edited.status(), 303);
    let bookmark = format!("/torrents/{torrent}/bookmark");
    admin.post_form(&bookmark, &[("act", "set")]).await;
    admin.post_form("/settings/feeds", &[]).await;
    let feeds = admin.page("/settings/feeds").await;
    let key = feeds.split("/rss/latest?key=").nth(1).unwrap();
    key.chars().take(32).collect()
}

/// Fills the forum with what is looked for.
async fn forum(admin: &Client) {
    let section = [("name", "known-section-name"), ("order", "9")];
    admin.post_form("/staff/sections", &section).await;
    let topic = [("title", "known-topic-title"), ("text", "known-post-text")];
    let opened = admin
        .post_form("/forum/known-section-name/new", &topic)
        .await;
    let topic = opened.headers()["location"].to_str().unwrap().to_owned();
    let post = topic.replace("/topics/", "/posts/");
    let wording = [("text", "known-later-wording")];
    let edited = admin.post_form(&format!("{post}/edit"), &wording).await;
    assert_eq!(edited.status(), 303);
    assert!(admin.page("/forum").await.contains("known-topic-title"));
    let reason = [("reason", "known-reason")];
    let removed = admin.post_form(&format!("{post}/remove"), &reason).await;
    assert_eq!(removed.status(), 303);
}

fn nothing_in(folder: &Path, known: &[String]) {
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    let left = files_with(folder, &known);
    assert!(left.is_empty(), "{left:?}");
}

/// What psql shows of a sealed site.
async fn shows_ciphertext_alone(pool: &PgPool) {
    let names: Vec<String> = sqlx::query_scalar("select distinct name from read.torrent")
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(names, ["[ENCRYPTED]"]);
    let members: Vec<(String, bool, i32)> =
        sqlx::query_as("select distinct name, codes, security_keys from read.member")
            .fetch_all(pool)
            .await
            .unwrap();
    assert_eq!(members, [("[ENCRYPTED]".to_owned(), false, 0)]);
    let suites: Vec<i16> = sqlx::query_scalar("select distinct suite from event_log")
        .fetch_all(pool)
        .await
        .unwrap();
    assert_eq!(suites, [2]);
    let (dead, keys): (i64, i64) = sqlx::query_as(
        "select coalesce(n_dead_tup, 0), (select count(*) from keyring)
         from pg_stat_user_tables where relname = 'event_log'",
    )
    .fetch_one(pool)
    .await
    .unwrap();
    assert_eq!((dead, keys), (0, 0));
    let schemas: Vec<String> = sqlx::query_scalar(
        "select nspname::text from pg_namespace where nspname in ('then', 'read_next', 'rehearsal')",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(schemas.is_empty(), "{schemas:?}");
}

#[tokio::test]
async fn nothing_that_was_known_is_left_on_the_disk_after_a_panic() {
    let on_disk = ("OPENTRACKER_SEARCH__INDEX".to_owned(), "disk".to_owned());
    let mut site = Site::start(Options {
        // Without an origin of its own a site is found at localhost as well, as keys want it.
        extra: vec![on_disk, ("OPENTRACKER_SITE__ORIGIN".into(), String::new())],
        ..Options::default()
    })
    .await;
    let admin = site.client();
    let (mut known, torrent, mut device) = known(&site, &admin).await;
    let (mut key, of_the_key) = keyed(&site, &admin).await;
    known.extend(of_the_key);
    let url = admin.announce_url().await;
    let replay = ["audit", "replay", "--at", "9999999", "--into", "then"];
    assert!(site.run(&replay).status.success());
    // What PostgreSQL does by itself now and then.
    let pool = site.database().await;
    let members = members_rows(&pool).await;
    let root = verified(&site, &[]);
    for statement in ["analyze", "checkpoint"] {
        sqlx::raw_sql(statement).execute(&pool).await.unwrap();
    }
    let index = site.data.join("search");
    assert!(index.join("meta.json").exists(), "the index is on the disk");

    activate(&site);
    until("the sealing", Duration::from_secs(20), || async {
        (super::vault(&site)["state"] == "sealed").then_some(())
    })
    .await;
    until("the index's end", Duration::from_secs(10), || async {
        (!index.exists()).then_some(())
    })
    .await;
    nothing_in(&site.data, &known);
    shows_ciphertext_alone(&pool).await;
    pool.close().await;
    site.stop();
    nothing_in(&site.data, &known);
    let logged = site.log();
    assert!(known.iter().all(|text| !logged.contains(text)));
    restore(&site);
    site.launch().await;
    let upto = root["position"].to_string();
    let again = verified(&site, &["--to", &upto]);
    assert_eq!(again["root"], root["root"]);
    assert_eq!(members_rows(&site.database().await).await, members);
    let admin = site.client();
    let ticket = admin.ticket("known-admin-name", PASSWORD).await;
    assert_eq!(
        admin.sign_for(&ticket, &mut key).await.0,
        200,
        "the old key"
    );
    let ticket = admin.ticket("known-admin-name", PASSWORD).await;
    let code = device.code().await;
    assert_eq!(admin.bring(&ticket, &code).await.0, 200, "the old device");
    let page = admin.page(&format!("/torrents/{torrent}")).await;
    assert!(page.contains("known-edited-text"));
    assert_eq!(admin.announce_url().await, url);
}
