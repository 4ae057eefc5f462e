//! What may go on while a vault is sealed or restored, and what somebody may have taken before.

use std::collections::BTreeMap;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::{Client, Options, Site, make, until};

use super::{PANIC, PASSWORD, activate, refused, restore, say, vault, verified};
use crate::rebuild::rebuilt_rows_are_the_same;

async fn scene() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    assert!(say(&site, &["password"], &[PANIC]).status.success());
    (site, admin)
}

async fn sealed(site: &Site) {
    until("the sealing", Duration::from_secs(20), || async {
        (vault(site)["state"] == "sealed").then_some(())
    })
    .await;
}

async fn lives(site: &Site) {
    let ready = site.url("/health/ready");
    until("the open site", Duration::from_mins(1), || async {
        let answer = reqwest::get(&ready).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_master_key_that_was_copied_before_opens_nothing_afterwards() {
    let (mut site, _) = scene().await;
    let key = site.data.join("keys/master.key");
    let copy = std::fs::read(&key).unwrap();
    activate(&site);
    sealed(&site).await;
    site.stop();
    std::fs::write(&key, &copy).unwrap();
    assert_eq!(verified(&site, &[])["contents"], false);
    refused(&site.run(&["audit", "log"]), "the vault is sealed");
    // Not even where the state is turned back behind the program's back.
    let server = infra::embedded::Embedded::start(&site.data).unwrap();
    let pool = sqlx::PgPool::connect(server.url()).await.unwrap();
    sqlx::raw_sql("update vault set state = 'open'")
        .execute(&pool)
        .await
        .unwrap();
    let opened = infra::vault::Vault::open(pool.clone(), &key).await;
    assert!(opened.is_err(), "{opened:?}");
    sqlx::raw_sql("update vault set state = 'sealed'")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    server.stop().unwrap();
    restore(&site);
    assert_ne!(std::fs::read(&key).unwrap(), copy);
    site.launch().await;
    assert_eq!(site.client().sign_in("admin", PASSWORD).await.0, 200);
}

#[tokio::test]
async fn of_two_restores_at_once_one_does_it_and_nothing_is_doubled() {
    let (site, _) = scene().await;
    let before = verified(&site, &[]);
    activate(&site);
    sealed(&site).await;
    let begin = || {
        use std::io::Write as _;
        let mut command: Command = site.command(&site.data);
        let mut child = command
            .args(["--json", "panic", "restore"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        input.write_all(PANIC.as_bytes()).unwrap();
        child
    };
    let both = [begin(), begin(), begin()];
    let done = both.map(|child| child.wait_with_output().unwrap());
    assert!(
        done.iter().any(|output| output.status.success()),
        "{done:?}"
    );
    lives(&site).await;
    let events = before["events"].to_string();
    let after = verified(&site, &["--to", &events]);
    assert_eq!(after["root"], before["root"]);
    let log = site.run(&["--json", "audit", "log", "--event", "VaultRestored"]);
    let restored = String::from_utf8(log.stdout).unwrap();
    assert_eq!(restored.lines().count(), 1);
}

/// Uploads until it is refused; gives what was acknowledged.
async fn upload(client: Client) -> BTreeMap<String, String> {
    let token = client.token().await;
    let mut done = BTreeMap::new();
    for number in 0..10_000 {
        let name = format!("file-{number}");
        let file = make::torrent(&name, &make::payload(1, 20_000), Some("OpenTracker"));
        let Ok(answer) = client.try_upload(&token, &name, file).await else {
            return done;
        };
        if answer.status() != 303 {
            return done;
        }
        let location = answer.headers()["location"].to_str().unwrap();
        done.insert(name, location.trim_start_matches("/torrents/").to_owned());
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_amid_uploads_announces_and_a_rebuild_keeps_what_was_acknowledged() {
    let (site, admin) = scene().await;
    let url = admin.announce_url().await;
    let announcing = tokio::spawn(async move {
        let target = format!(
            "{url}&info_hash={}&peer_id={}&port=1&uploaded=1&downloaded=0&left=0",
            "a".repeat(20),
            "b".repeat(20)
        );
        loop {
            let text = reqwest::get(&target).await.unwrap().text().await.unwrap();
            if text.contains("tracker is closed") {
                return;
            }
        }
    });
    let uploading = tokio::spawn(upload(admin.clone()));
    let mut rebuild = site.command(&site.data);
    rebuild
        .args(["projections", "rebuild", "--all"])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    tokio::time::sleep(Duration::from_millis(400)).await;
    let mut rebuild = rebuild.spawn().unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    activate(&site);
    let acknowledged = uploading.await.unwrap();
    announcing.await.unwrap();
    rebuild.wait().unwrap();
    sealed(&site).await;
    assert!(!acknowledged.is_empty());
    restore(&site);
    lives(&site).await;
    let log = site.run(&[
        "--json",
        "audit",
        "log",
        "--event",
        "TorrentUploaded",
        "--limit",
        "100000",
    ]);
    let log = String::from_utf8(log.stdout).unwrap();
    let streams: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap()["stream"].clone())
        .collect();
    for (name, id) in &acknowledged {
        let stream = Value::from(format!("torrent-{id}"));
        assert_eq!(
            streams.iter().filter(|one| **one == stream).count(),
            1,
            "{name}"
        );
    }
    assert_eq!(verified(&site, &[])["ok"], true);
    rebuilt_rows_are_the_same(&site).await;
}
