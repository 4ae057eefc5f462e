//! Backups of a site that goes on, proved, and restored into empty data directories elsewhere.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;
use tests::{Client, Options, Site, cluster, files_with, make};

use crate::panic::{PANIC, refused, say, tell, verified};

mod damage;
mod moment;
mod noted;
mod sealed;

const PASSWORD: &str = "correct horse battery";
/// The data directory into which a backup is restored without a cluster in it.
const BARE: &str = "bare";

/// A site with a Panic Password, and a place for backups.
struct Scene {
    site: Site,
    admin: Client,
    place: TempDir,
}

impl Scene {
    async fn set() -> Self {
        let site = Site::start(Options::default()).await;
        let admin = site.client();
        admin.set_up("known-admin-name", PASSWORD).await;
        assert!(say(&site, &["password"], &[PANIC]).status.success());
        let place = TempDir::new().unwrap();
        let scene = Self { site, admin, place };
        scene.upload(1).await;
        scene
    }

    async fn upload(&self, number: u8) -> String {
        self.admin.uploaded(file(number), "other", "text").await
    }

    fn folder(&self) -> PathBuf {
        self.place.path().join("backup")
    }

    /// A data directory that holds nothing.
    fn empty(&self, name: &str) -> PathBuf {
        self.place.path().join(name)
    }

    fn key(&self) -> String {
        self.site.data.join("keys/master.key").display().to_string()
    }

    /// A command of `backup` on a data directory.
    fn command(&self, data: &Path, words: &[&str]) -> Command {
        let mut command = self.site.command(data);
        let (what, more) = words.split_first().unwrap();
        if *what == "restore" && !data.ends_with(BARE) {
            cluster::place(data);
        }
        command
            .args(["--json", "backup", what])
            .arg(self.folder())
            .args(more);
        command
    }

    fn say(&self, words: &[&str]) -> Output {
        tell(self.command(&self.site.data, words), &[])
    }

    fn create(&self) -> Value {
        told(&self.say(&["create"]))
    }

    /// Restores into a data directory by the master key.
    fn restore(&self, data: &Path, more: &[&str]) -> Output {
        let key = self.key();
        let words = [&["restore", "--key", &key], more].concat();
        tell(self.command(data, &words), &[])
    }

    /// The root of the site's log up to a position.
    fn root(&self, upto: &Value) -> Value {
        verified(&self.site, &["--to", &upto.to_string()])["root"].clone()
    }
}

fn file(number: u8) -> Vec<u8> {
    let name = format!("known-file-{number}");
    make::torrent(&name, &make::payload(number, 20_000), Some("OpenTracker"))
}

pub(crate) fn told(output: &Output) -> Value {
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{error}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// Uploads until it is dropped.
async fn upload_on(client: &Client) {
    for number in 0_u32.. {
        let payload = make::payload(1, 20_000);
        let file = make::torrent(&format!("on-{number}"), &payload, Some("OpenTracker"));
        let answer = client.upload_once(&format!("on-{number}"), file).await;
        assert_eq!(answer.status(), 303);
    }
}

#[tokio::test]
async fn a_backup_of_a_running_site_is_served_from_an_empty_data_directory() {
    let scene = Scene::set().await;
    let announce = scene.admin.announce_url().await;
    let (writer, command) = (
        scene.admin.at(&scene.site),
        scene.command(&scene.site.data, &["create"]),
    );
    let creating = tokio::task::spawn_blocking(move || tell(command, &[]));
    let first = tokio::select! {
        () = upload_on(&writer) => unreachable!("it goes on"),
        output = creating => told(&output.unwrap()),
    };
    assert_eq!(first["root"], scene.root(&first["position"]));
    assert_eq!(
        (&first["began"], &first["password"]),
        (&true.into(), &true.into())
    );
    scene.upload(2).await;
    let second = scene.create();
    assert!(second["position"].as_i64() > first["position"].as_i64());
    let added = second["position"].as_i64().unwrap() - first["position"].as_i64().unwrap();
    assert_eq!(
        (&second["added"], &second["began"]),
        (&added.into(), &false.into())
    );
    let third = scene.create();
    assert_eq!(third["added"], 1, "the note of the one before");
    let proved = told(&scene.say(&["verify"]));
    assert_eq!(
        (&proved["root"], &proved["contents"]),
        (&third["root"], &true.into())
    );
    assert!(!scene.site.data.join("backup-scratch").exists());
    let data = scene.empty(BARE);
    let restored = told(&scene.restore(&data, &[]));
    assert_eq!(restored["root"], scene.root(&third["position"]));
    let elsewhere = scene.site.over(&data).await;
    let member = elsewhere.client();
    assert_eq!(member.sign_in("known-admin-name", PASSWORD).await.0, 200);
    assert!(member.page("/torrents").await.contains("known-file-2"));
    let query = announce.split_once('?').unwrap().1;
    let answer = reqwest::get(format!(
        "http://{}/announce?{query}&info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-TR3000-aaaaaaaaaaaa&port=6881&uploaded=0&downloaded=0&left=0",
        elsewhere.announces
    ));
    let answer = answer.await.unwrap().text().await.unwrap();
    assert!(
        !answer.contains("passkey"),
        "the old passkey is known: {answer}"
    );
    let again = scene.restore(&data, &[]);
    refused(&again, "in use by another running instance");
    drop(elsewhere);
    refused(&scene.restore(&data, &[]), "holds an event store already");
}

#[tokio::test]
async fn who_has_a_backup_and_no_secret_reads_nothing() {
    let scene = Scene::set().await;
    scene.create();
    let texts = [
        "known-admin-name",
        "known-file",
        "TorrentUploaded",
        "MemberRegistered",
        "event_log",
        "data_key",
        "torrent",
    ];
    let found = files_with(&scene.folder(), &texts);
    assert!(found.is_empty(), "{found:?}");
    assert!(!files_with(&scene.site.data, &["TorrentUploaded"]).is_empty());
    let none = scene.empty("none");
    let password = |word| tell(scene.command(&none, &["verify"]), &[word]);
    refused(
        &password("rivers ran to the sea"),
        "this isn't the Panic Password",
    );
    assert_eq!(told(&password(PANIC))["contents"], true);
    let other = scene.place.path().join("other.key");
    std::fs::write(&other, "77".repeat(32)).unwrap();
    let other = other.display().to_string();
    let output = tell(scene.command(&none, &["verify", "--key", &other]), &[]);
    refused(&output, "doesn't open this backup");
    // By the password alone it is served on another machine, with the master key in its place.
    let data = scene.empty("elsewhere");
    let output = tell(scene.command(&data, &["restore"]), &[PANIC]);
    assert_eq!(told(&output)["state"], "open");
    let key = |data: &Path| std::fs::read(data.join("keys/master.key")).unwrap();
    assert_eq!(key(&data), key(&scene.site.data));
}
