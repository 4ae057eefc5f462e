//! A full disk: whoever writes is told so or told the truth, and nothing is lost or doubled.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use tests::disk::{self, fill};
use tests::{Client, Options, Site, make, until};

use crate::panic::{PANIC, restore, say, vault, verified};

const PASSWORD: &str = "correct horse battery";
/// Runs a test of this file on a small disk; gives where it is, once within.
fn within_disk(test: &str) -> Option<PathBuf> {
    disk::within(&format!("disk::{test}"), 200, &["TMPDIR"])
}

/// A site with an administrator, and the token of their forms.
async fn small_site() -> (Site, Client, String) {
    let site = Site::start(Options::default()).await;
    let client = site.client();
    client.set_up("admin", PASSWORD).await;
    let token = client.token().await;
    (site, client, token)
}

#[tokio::test]
async fn a_full_disk_refuses_writes_and_loses_and_doubles_nothing() {
    let name = "a_full_disk_refuses_writes_and_loses_and_doubles_nothing";
    let Some(disk) = within_disk(name) else {
        return;
    };
    let (site, client, token) = small_site().await;
    let filler = disk.join("filler");
    let (mut refused, mut asked) = (0, vec!["first".to_owned()]);
    assert_eq!(upload(&client, &token, "first").await, Some(303));
    fill(&filler);
    while refused < 5 {
        let key = asked.len().to_string();
        let answer = upload(&client, &token, &key).await;
        asked.push(key);
        if answer != Some(303) {
            assert!(matches!(answer, None | Some(503)), "{answer:?}");
            refused += 1;
            fill(&filler);
        }
        assert!(asked.len() < 2_000, "the disk was never full");
    }
    std::fs::remove_file(&filler).unwrap();
    // Whoever asks again under the same key gets the truth.
    for key in &asked {
        until("the upload", Duration::from_mins(1), || async {
            (upload(&client, &token, key).await == Some(303)).then_some(())
        })
        .await;
    }
    let log = [
        "--json",
        "audit",
        "log",
        "--event",
        "TorrentUploaded",
        "--limit",
        "100000",
    ];
    let names: Vec<String> = String::from_utf8(site.run(&log).stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).unwrap())
        .map(|event| event["payload"]["TorrentUploaded"]["name"].to_string())
        .collect();
    assert_eq!(names.len(), asked.len(), "each once");
    assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len());
    assert_eq!(site.run_json(&["--json", "audit", "verify"])["ok"], true);
    super::rebuild::rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn a_full_disk_lets_the_pass_wait_while_everything_is_dark() {
    let name = "a_full_disk_lets_the_pass_wait_while_everything_is_dark";
    let Some(disk) = within_disk(name) else {
        return;
    };
    let (site, client, token) = small_site().await;
    for number in 0..20 {
        assert_eq!(
            upload(&client, &token, &number.to_string()).await,
            Some(303)
        );
    }
    assert!(say(&site, &["password"], &[PANIC]).status.success());
    let before = verified(&site, &[]);
    let filler = disk.join("filler");
    fill(&filler);
    let mut command = site.command(&site.data);
    command.args(["panic", "activate", "--confirm", "ENCRYPT_ALL_DATA"]);
    let mut activating = command.spawn().unwrap();
    let status = || reqwest::get(site.url("/sign-in"));
    until("the dark", Duration::from_secs(20), || async {
        (status().await.ok()?.status() == 503).then_some(())
    })
    .await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_ne!(vault(&site)["state"], "open");
    std::fs::remove_file(&filler).unwrap();
    until("the sealing", Duration::from_mins(1), || async {
        (vault(&site)["state"] == "sealed").then_some(())
    })
    .await;
    let _ended = activating.wait().unwrap();
    restore(&site);
    let events = before["events"].to_string();
    assert_eq!(verified(&site, &["--to", &events])["root"], before["root"]);
}

#[tokio::test]
async fn a_full_disk_ends_a_backup_and_leaves_the_one_before_whole() {
    let name = "a_full_disk_ends_a_backup_and_leaves_the_one_before_whole";
    let Some(disk) = within_disk(name) else {
        return;
    };
    let (site, client, token) = small_site().await;
    assert_eq!(upload(&client, &token, "first").await, Some(303));
    let folder = disk.join("backup").display().to_string();
    let create = ["--json", "backup", "create", &folder];
    let before = site.run_json(&create);
    assert_eq!(upload(&client, &token, "second").await, Some(303));
    let filler = disk.join("filler");
    fill(&filler);
    let output = site.run(&create);
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains("No space left on device"), "{error}");
    assert!(error.contains("the one before is as it was"), "{error}");
    std::fs::remove_file(&filler).unwrap();
    let root = before["root"].as_str().unwrap();
    let verify = ["--json", "backup", "verify", &folder];
    let proved = site.run_json(&[&verify[..], &["--root", root]].concat());
    assert_eq!(proved["ok"], true);
    let after = site.run_json(&create);
    assert!(after["position"].as_i64() > before["position"].as_i64());
    assert_eq!(site.run_json(&verify)["root"], after["root"]);
}

/// Uploads under a key; gives the status, if there was an answer.
async fn upload(client: &Client, token: &str, key: &str) -> Option<u16> {
    let payload = make::payload(1, 400_000);
    let file = make::torrent(&format!("file-{key}"), &payload, Some("OpenTracker"));
    let answer = client.try_upload(token, key, file).await.ok()?;
    Some(answer.status().as_u16())
}
