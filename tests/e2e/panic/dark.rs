//! A panic beside the running site: every way in is dark, and a restore brings the site back as it was.

use std::time::Duration;

use infra::panic::traffic;
use serde_json::{Value, json};
use tests::{Client, Options, Site, make, until};

use super::{OTHER, PANIC, PASSWORD, activate, refused, restore, say, vault, verified};
use crate::rebuild::rows;

const SOURCE: Option<&str> = Some("OpenTracker");

/// A site with two members, two torrents and a Panic Password.
struct Scene {
    site: Site,
    admin: Client,
    torrent: String,
    announce: String,
}

impl Scene {
    async fn set(options: Options) -> Self {
        let site = Site::start(options).await;
        let admin = site.client();
        admin.set_up("admin", PASSWORD).await;
        admin
            .post_form("/staff/registration", &[("registration", "open")])
            .await;
        assert_eq!(site.client().register("alice", PASSWORD).await.0, 201);
        let file = make::torrent("file", &make::payload(1, 50_000), SOURCE);
        let hash = domain::metainfo::read(&file, "OpenTracker")
            .unwrap()
            .info_hash;
        let torrent = admin.uploaded(file, "other", "what it is").await;
        let other = make::torrent("other", &make::payload(2, 50_000), SOURCE);
        let withdrawn = admin.uploaded(other, "other", "").await;
        admin
            .post_form(&format!("/torrents/{withdrawn}/withdraw"), &[])
            .await;
        assert!(say(&site, &["password"], &[PANIC]).status.success());
        let url = admin.announce_url().await;
        let hash = make::encode(&hash.0);
        let announce = format!(
            "{url}&info_hash={hash}&peer_id=-TR3000-aaaaaaaaaaaa&port=6881&downloaded=0&left=0"
        );
        Self {
            site,
            admin,
            torrent,
            announce,
        }
    }

    async fn announce(&self, uploaded: u64, event: &str) -> String {
        let url = format!("{}&uploaded={uploaded}&event={event}", self.announce);
        let answer = reqwest::get(url).await.unwrap();
        String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned()
    }

    async fn admitted(&self) {
        until("admission", Duration::from_secs(5), || async {
            let answer = self.announce(0, "started").await;
            (!answer.contains("failure")).then_some(())
        })
        .await;
    }

    async fn is_dark(&self) {
        for path in [
            "/",
            "/torrents",
            "/staff",
            "/settings",
            "/nothing",
            "/api/auth/challenge?username=admin",
        ] {
            let answer = self.admin.get(path).await;
            assert_eq!(answer.status(), 503, "{path}");
        }
        let download = format!("/torrents/{}/download", self.torrent);
        assert_eq!(self.admin.get(&download).await.status(), 503);
        assert_eq!(
            self.admin.json("/torrents").await["type"],
            "/problems/sealed"
        );
        let announced = self.announce(7, "").await;
        assert!(announced.contains("tracker is closed"), "{announced}");
    }

    async fn lives(&self) {
        let ready = self.site.url("/health/ready");
        until("the open site", Duration::from_mins(1), || async {
            let answer = reqwest::get(&ready).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Rows of every read table, once the projections have seen everything.
    async fn rows(&self) -> std::collections::BTreeMap<String, Vec<String>> {
        until("the projections", Duration::from_secs(20), || async {
            let status = self.site.run_json(&["--json", "projections", "status"]);
            let all = status.as_array().unwrap();
            all.iter()
                .all(|one| one["lag_positions"] == 0)
                .then_some(())
        })
        .await;
        rows(&self.site).await
    }

    /// The rows once no traffic waits to be recorded any more.
    async fn at_rest(&self) -> std::collections::BTreeMap<String, Vec<String>> {
        until("rest", Duration::from_secs(20), || async {
            let before = self.rows().await;
            tokio::time::sleep(Duration::from_millis(1_500)).await;
            (self.rows().await == before).then_some(before)
        })
        .await
    }

    /// Nothing but the Panic Password changes anything.
    async fn stays_sealed(&self) {
        let site = &self.site;
        // Pressed again, it is harmless.
        activate(site);
        refused(
            &say(site, &["password"], &[PANIC, OTHER]),
            "the vault is sealed",
        );
        for number in 0..5 {
            let wrong = format!("wrong password {number}");
            refused(
                &say(site, &["restore"], &[&wrong]),
                "isn't the Panic Password",
            );
        }
        assert_eq!(vault(site)["state"], "sealed");
        self.is_dark().await;
    }

    /// Members sign in and clients announce as before.
    async fn goes_on(&self) {
        let site = &self.site;
        let found = self.admin.get("/torrents").await;
        assert_eq!(found.status(), 303, "sessions are gone");
        let admin = site.client();
        assert_eq!(admin.sign_in("admin", PASSWORD).await.0, 200);
        assert!(self.announce.starts_with(&admin.announce_url().await));
        assert!(admin.page("/torrents?q=file").await.contains(&self.torrent));
        let answer = self.announce(1_023, "").await;
        assert!(!answer.contains("failure"), "{answer}");
        until("the next credit", Duration::from_secs(10), || async {
            admin.page("/ledger").await.contains("1023 B").then_some(())
        })
        .await;
    }
}

async fn sealed(site: &Site) {
    until("the sealing", Duration::from_secs(20), || async {
        (vault(site)["state"] == "sealed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_panic_is_dark_at_once_and_a_restore_brings_everything_back() {
    let scene = Scene::set(Options::default()).await;
    let site = &scene.site;
    scene.admitted().await;
    until("the first credit", Duration::from_secs(10), || async {
        scene.announce(1_000, "").await;
        scene
            .admin
            .page("/ledger")
            .await
            .contains("1000 B")
            .then_some(())
    })
    .await;
    let before = scene.at_rest().await;
    let log = verified(site, &[]);
    let upto = log["position"].to_string();

    activate(site);
    scene.is_dark().await;
    sealed(site).await;
    assert!(!site.data.join("keys/master.key").exists());
    let closed = verified(site, &["--to", &upto]);
    assert_eq!(closed["contents"], false);
    assert_eq!(
        (&closed["root"], &closed["chain"]),
        (&log["root"], &log["chain"])
    );
    refused(
        &site.run(&["member", "create", "bob"]),
        "the vault is sealed",
    );
    refused(&site.run(&["audit", "export"]), "the vault is sealed");
    scene.stays_sealed().await;

    restore(site);
    scene.lives().await;
    let back = verified(site, &["--to", &upto]);
    for part in ["root", "chain", "events", "contents"] {
        assert_eq!(back[part], log[part], "{part}");
    }
    assert_eq!(verified(site, &[])["ok"], true);
    assert_eq!(scene.rows().await, before);
    scene.goes_on().await;
    refused(
        &say(site, &["restore"], &[PANIC]),
        "nothing has to be restored",
    );
    activate(site);
    restore(site);
    scene.lives().await;
}

#[tokio::test]
async fn traffic_of_the_last_moment_is_credited_after_the_restore_once() {
    let slow = ("OPENTRACKER_TRACKER__FLUSH".to_owned(), "3600".to_owned());
    let scene = Scene::set(Options {
        extra: vec![slow],
        ..Options::default()
    })
    .await;
    scene.admitted().await;
    scene.announce(123_456_789, "").await;
    activate(&scene.site);
    scene.is_dark().await;
    sealed(&scene.site).await;
    let pool = scene.site.database().await;
    let kept = "select count(*) from sealed_traffic";
    until("the last traffic", Duration::from_secs(10), || async {
        let count: i64 = sqlx::query_scalar(kept).fetch_one(&pool).await.unwrap();
        (count == 1).then_some(())
    })
    .await;
    // A restore that has begun reads no more: what comes then waits for the open log.
    for (state, is_kept) in [("restoring", false), ("sealed", true)] {
        let stands = sqlx::query("update vault set state = $1").bind(state);
        stands.execute(&pool).await.unwrap();
        assert_eq!(traffic::keep(&pool, &[]).await.unwrap(), is_kept, "{state}");
    }
    restore(&scene.site);
    scene.lives().await;
    let left: i64 = sqlx::query_scalar(kept).fetch_one(&pool).await.unwrap();
    assert_eq!(left, 0);
    let uploaded: i64 = sqlx::query_scalar("select sum(uploaded)::bigint from read.member_total")
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(uploaded, 123_456_789);
    // The client goes on, and what it says again adds nothing.
    scene.announce(123_456_789, "").await;
    let admin = scene.site.client();
    assert_eq!(admin.sign_in("admin", PASSWORD).await.0, 200);
    assert!(admin.page("/settings").await.contains("admin"));
}

#[tokio::test]
async fn without_a_panic_password_nothing_is_sealed() {
    let site = Site::start(Options::default()).await;
    site.client().set_up("admin", PASSWORD).await;
    refused(
        &say(&site, &["activate", "--confirm", "ENCRYPT_ALL_DATA"], &[]),
        "no Panic Password",
    );
    refused(
        &say(&site, &["activate", "--confirm", "encrypt_all_data"], &[]),
        "nothing was done",
    );
    assert_eq!(vault(&site)["state"], "open");
    assert_eq!(site.client().sign_in("admin", PASSWORD).await.0, 200);
}

#[tokio::test]
async fn a_trigger_file_seals_the_vault_when_it_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let trigger = folder.path().join("trigger");
    let named = (
        "OPENTRACKER_VAULT__TRIGGER".to_owned(),
        trigger.display().to_string(),
    );
    let scene = Scene::set(Options {
        extra: vec![named],
        ..Options::default()
    })
    .await;
    std::fs::write(&trigger, "not yet").unwrap();
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(vault(&scene.site)["state"], "open");
    std::fs::write(&trigger, "ENCRYPT_ALL_DATA\n").unwrap();
    sealed(&scene.site).await;
    scene.is_dark().await;
    assert!(!trigger.exists());
    restore(&scene.site);
    scene.lives().await;
}

#[tokio::test]
async fn a_rehearsal_proves_the_password_while_the_site_stays_open() {
    let scene = Scene::set(Options::default()).await;
    let site = &scene.site;
    let log = verified(site, &[]);
    refused(
        &say(site, &["rehearse"], &[OTHER]),
        "isn't the Panic Password",
    );
    let output = say(site, &["rehearse"], &[PANIC]);
    assert!(output.status.success(), "{output:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["ok"], &told["root"]), (&json!(true), &log["root"]));
    assert_eq!(vault(site)["state"], "open");
    assert!(scene.admin.page("/torrents").await.contains(&scene.torrent));
    let pool = site.database().await;
    let left: i64 =
        sqlx::query_scalar("select count(*) from pg_namespace where nspname = 'rehearsal'")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert_eq!(left, 0);
}

#[tokio::test]
async fn shares_bring_everything_back_and_too_few_do_not() {
    let scene = Scene::set(Options::default()).await;
    let site = &scene.site;
    let split = say(site, &["split", "--shares", "3", "--needed", "2"], &[PANIC]);
    let split: Value = serde_json::from_slice(&split.stdout).unwrap();
    let shares: Vec<&str> = split["shares"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one.as_str().unwrap())
        .collect();
    activate(site);
    sealed(site).await;
    let by = |lines: &[&str]| say(site, &["restore", "--shares"], lines);
    refused(&by(&shares[1..2]), "2 different shares are needed");
    let output = by(&[shares[2], shares[0]]);
    assert!(output.status.success(), "{output:?}");
    scene.lives().await;
}

#[tokio::test]
async fn other_keys_take_over_and_the_old_master_key_opens_nothing_any_more() {
    let mut scene = Scene::set(Options::default()).await;
    let before = scene.rows().await;
    let key = scene.site.data.join("keys/master.key");
    let old = std::fs::read(&key).unwrap();
    let output = say(&scene.site, &["rotate"], &[]);
    assert!(output.status.success(), "{output:?}");
    assert_ne!(std::fs::read(&key).unwrap(), old);
    scene.lives().await;
    let file = make::torrent("after", &make::payload(3, 50_000), SOURCE);
    let admin = scene.site.client();
    assert_eq!(admin.sign_in("admin", PASSWORD).await.0, 200);
    let after = admin.uploaded(file, "other", "").await;
    assert_eq!(verified(&scene.site, &[])["ok"], true);
    let now = scene.rows().await;
    assert_eq!(now["member"], before["member"]);
    assert!(now["torrent"].iter().any(|row| row.contains(&after)));
    // The Panic Password is as good as before.
    activate(&scene.site);
    restore(&scene.site);
    scene.lives().await;
    scene.site.stop();
    let new = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    std::fs::write(&key, &old).unwrap();
    refused(
        &scene.site.run(&["audit", "verify"]),
        "doesn't belong to this event store",
    );
    std::fs::write(&key, new).unwrap();
    assert_eq!(verified(&scene.site, &[])["ok"], true);
}
