//! What a release left behind is restored by this program, and served as it was.
//!
//! `tests/e2e/release/` holds a small site of each release, with keys and passwords that are nobody's:
//! a backup of its log, its tables and its keys. CONTRIBUTING.md says how one is added.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tests::device::Device;
use tests::{Client, Options, Site, files_with, until};

use crate::backup::told;
use crate::erasure::{NAME, leaver, says};
use crate::panic::residue::known;
use crate::panic::{PANIC, say, tell, verified};
use crate::rebuild::rebuilt_rows_are_the_same;
use crate::role::{hand, made};

const PASSWORD: &str = "correct horse battery";
/// Bytes of a kept site at most.
const SMALL: u64 = 100_000;

fn read(kept: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(kept.join("told.json")).unwrap()).unwrap()
}

/// A command of `backup` on what is kept.
fn backup(site: &Site, kept: &Path, what: &str, more: &[&str], lines: &[&str]) -> Value {
    let mut command = site.command(&site.data);
    command.args(["--json", "backup", what]);
    command.arg(kept.join("backup")).args(more);
    told(&tell(command, lines))
}

/// Has the administrator snatch a torrent.
async fn snatches(site: &Site, admin: &Client, hash: &str) {
    let url = admin.announce_url().await;
    for moved in [
        "&uploaded=0&downloaded=0&left=50000&event=started",
        "&uploaded=0&downloaded=50000&left=0&event=completed",
    ] {
        let answer = says(&url, hash, moved).await;
        assert!(!answer.contains("failure"), "{answer}");
    }
    until("the snatch", Duration::from_secs(20), || async {
        let log = site.run(&["audit", "log", "--limit", "100000"]).stdout;
        let log = String::from_utf8(log).unwrap();
        log.contains("SnatchCompleted").then_some(())
    })
    .await;
}

/// Keeps a site that has one of everything.
async fn keep(kept: &Path) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    let (_, torrent, device) = known(&site, &admin).await;
    // It covers where the others come from, too.
    let lift = [("act", "lift"), ("reason", "known")];
    let lifted = admin
        .post_form("/members/known-guest/sanction", &lift)
        .await;
    assert_eq!(lifted.status(), 303);
    admin.approve_nothing().await;
    let invite = [("registration", "invite")];
    admin.post_form("/staff/registration", &invite).await;
    let member = leaver(&site, &admin).await;
    let role = made(&admin, "Known helpers", &["forum"]).await;
    assert_eq!(hand(&admin, "grant", &role, NAME).await, 303);
    snatches(&site, &admin, &member.hash).await;
    let erased = site.run(&["member", "erase", "guest", "--confirm", "guest"]);
    assert!(erased.status.success(), "{erased:?}");
    assert!(say(&site, &["rotate"], &[]).status.success());
    std::fs::create_dir_all(kept).unwrap();
    let made = backup(&site, kept, "create", &[], &[]);
    std::fs::remove_file(kept.join("backup/lock")).unwrap();
    let told = json!({
        "position": made["position"], "chain": made["chain"], "root": made["root"],
        "torrent": torrent, "hash": member.hash,
        "devices": { "known-admin-name": device.secret.reveal(), NAME: member.totp_secret },
        "announces": member.announces.split_once('?').unwrap().1,
    });
    std::fs::write(kept.join("told.json"), format!("{told:#}\n")).unwrap();
    std::fs::copy(site.data.join("keys/master.key"), kept.join("master.key")).unwrap();
}

/// Each projection's version, as its tables have it.
async fn versions(site: &Site) -> Vec<(String, i32)> {
    sqlx::query_as("select name, version from read.checkpoint order by name")
        .fetch_all(&site.database().await)
        .await
        .unwrap()
}

/// Read tables as an older program leaves them are no hindrance.
async fn tables_of_another_version_are_filled_anew(site: &mut Site) {
    let now = versions(site).await;
    sqlx::query("update read.checkpoint set version = version - 1")
        .execute(&site.database().await)
        .await
        .unwrap();
    site.stop();
    site.launch().await;
    assert_eq!(versions(site).await, now);
}

/// Every page shows what it did, and clients go on.
async fn shows_what_was(site: &Site, told: &Value) {
    let (admin, member) = (site.client(), site.client());
    for (client, name) in [(&admin, "known-admin-name"), (&member, NAME)] {
        // The first release knew no second factors.
        match told["devices"][name].as_str() {
            Some(secret) => {
                let mut device = Device::holding(secret.to_owned());
                client.sign_in_by(&mut device, name, PASSWORD).await;
            }
            None => assert_eq!(client.sign_in(name, PASSWORD).await.0, 200, "{name}"),
        }
    }
    let torrent = format!("/torrents/{}", told["torrent"].as_str().unwrap());
    let profile = format!("/members/{NAME}");
    for (client, path, texts) in [
        (&admin, "/", &["known-announcement-text"][..]),
        (&admin, "/torrents", &["known-file-name", "their-torrent"]),
        (
            &admin,
            &torrent,
            &["known-edited-text", "known-comment-wording"],
        ),
        (&admin, "/forum", &["known-section-name", "their-topic"]),
        (&admin, "/staff/tags", &["known-tag-name"]),
        (&admin, &profile, &["known-warning", "Known helpers"]),
        (&admin, "/members/known-guest", &["known-ban"]),
        (&member, "/bookmarks", &["their-torrent"]),
        (&member, "/ledger", &["their-torrent"]),
        (&member, "/invites", &["erased member"]),
    ] {
        let page = client.page(path).await;
        for text in texts {
            assert!(page.contains(text), "{path}: {text}");
        }
    }
    assert_eq!(admin.get("/members/guest").await.status(), 404);
    let announces = told["announces"].as_str().unwrap();
    let url = format!("http://{}/announce?{announces}", site.announces);
    let hash = told["hash"].as_str().unwrap();
    let answer = says(&url, hash, "&uploaded=0&downloaded=0&left=0").await;
    assert!(!answer.contains("failure"), "{answer}");
    let path = format!("{torrent}/comments");
    let written = member.post_form(&path, &[("text", "it goes on")]).await;
    assert_eq!(written.status(), 303);
    assert!(admin.page(&torrent).await.contains("it goes on"));
}

/// Restores what is kept and serves it.
async fn is_served(kept: &Path) {
    let told = read(kept);
    let mut site = Site::placed(Options::default());
    let proved = backup(&site, kept, "verify", &[], &[PANIC]);
    assert_eq!(proved["root"], told["root"], "by the Panic Password");
    let key = kept.join("master.key");
    let key = ["--key", key.to_str().unwrap()];
    let restored = backup(&site, kept, "restore", &key, &[]);
    for what in ["root", "chain", "position"] {
        assert_eq!(restored[what], told[what], "{what}");
    }
    site.launch().await;
    tables_of_another_version_are_filled_anew(&mut site).await;
    let upto = told["position"].to_string();
    assert_eq!(verified(&site, &["--to", &upto])["root"], told["root"]);
    rebuilt_rows_are_the_same(&site).await;
    assert_eq!(site.run_json(&["--json", "audit", "ledger"])["ok"], true);
    shows_what_was(&site, &told).await;
}

#[tokio::test]
async fn what_each_release_left_is_restored_and_served_by_this_program() {
    let releases = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/release");
    let mut served = 0;
    for release in std::fs::read_dir(releases).unwrap().flatten() {
        is_served(&release.path()).await;
        served += 1;
    }
    assert!(served > 0);
}

#[tokio::test]
async fn what_this_program_leaves_is_small_and_served_by_the_next() {
    let folder = tempfile::tempdir().unwrap();
    let to = std::env::var_os("KEEP_RELEASE").map(PathBuf::from);
    let kept = to.unwrap_or_else(|| folder.path().join("kept"));
    keep(&kept).await;
    let files = files_with(&kept, &[""]);
    let bytes: u64 = files
        .iter()
        .map(|file| file.metadata().unwrap().len())
        .sum();
    assert!(bytes < SMALL, "{bytes} bytes in {} files", files.len());
    is_served(&kept).await;
}
