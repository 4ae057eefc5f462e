//! What isn't whole is refused and named, and whatever falls leaves the backup before as it was.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Scene, refused, tell, told};

/// Every step of a backup.
const CREATING: [&str; 4] = [
    "backup tables",
    "backup piece",
    "backup written",
    "backup made",
];
/// Every step of a restore.
const RESTORING: [&str; 2] = ["backup loaded", "backup restored"];

/// The files of a series with their sizes, the largest first.
fn files(series: &Path) -> Vec<PathBuf> {
    let mut files: Vec<(u64, PathBuf)> = std::fs::read_dir(series)
        .unwrap()
        .flatten()
        .filter(|entry| entry.file_name() != "manifest")
        .map(|entry| (entry.metadata().unwrap().len(), entry.path()))
        .collect();
    files.sort();
    files.into_iter().rev().map(|(_, path)| path).collect()
}

fn copied(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").args([from, to]).status();
    assert!(copied.unwrap().success());
}

/// Verifies a copy of the backup after something was done to it.
fn verified_after(scene: &Scene, name: &str, change: impl FnOnce(&Path)) -> std::process::Output {
    let copy = scene.place.path().join(name);
    copied(&scene.folder(), &copy);
    change(&copy.join("0001"));
    let mut command = scene.site.command(&scene.site.data);
    command.args(["--json", "backup", "verify"]).arg(&copy);
    tell(command, &[])
}

fn flip(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() * 3 / 4;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_changed_missing_swapped_or_older_part_is_refused() {
    let scene = Scene::set().await;
    let first = scene.create();
    let series = scene.folder().join("0001");
    let older = std::fs::read(series.join("manifest")).unwrap();
    scene.upload(2).await;
    let second = scene.create();
    let files = files(&series);
    let name = |at: usize| files[at].file_name().unwrap().to_owned();
    for at in [0, 2, files.len() - 1] {
        let output = verified_after(&scene, &format!("flipped-{at}"), |series| {
            flip(&series.join(name(at)));
        });
        refused(&output, "was changed or cut off");
    }
    let output = verified_after(&scene, "flipped-manifest", |series| {
        flip(&series.join("manifest"));
    });
    refused(&output, "the manifest");
    let output = verified_after(&scene, "missing", |series| {
        std::fs::remove_file(series.join(name(0))).unwrap();
    });
    refused(&output, "is missing");
    let output = verified_after(&scene, "swapped", |series| {
        let aside = series.join("aside");
        std::fs::rename(series.join(name(0)), &aside).unwrap();
        std::fs::rename(series.join(name(1)), series.join(name(0))).unwrap();
        std::fs::rename(aside, series.join(name(1))).unwrap();
    });
    refused(&output, "isn't the file that the manifest names");
    let output = verified_after(&scene, "cut", |series| {
        let path = series.join(name(0));
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    });
    refused(&output, "was changed or cut off");
    let output = verified_after(&scene, "older", |series| {
        std::fs::write(series.join("manifest"), &older).unwrap();
    });
    refused(&output, "is missing");
    // A folder that is whole and old is known by its root alone.
    let root = |value: &serde_json::Value| value["root"].as_str().unwrap().to_owned();
    let output = scene.say(&["verify", "--root", &root(&first)]);
    refused(&output, "was asked for");
    told(&scene.say(&["verify", "--root", &root(&second)]));
    // Nothing of it reaches a database where it is damaged.
    flip(&series.join(name(0)));
    let data = scene.empty("elsewhere");
    refused(&scene.restore(&data, &[]), "was changed or cut off");
    assert!(!data.join("keys/master.key").exists());
    flip(&series.join(name(0)));
    assert_eq!(told(&scene.restore(&data, &[]))["root"], second["root"]);
}

#[tokio::test]
async fn killed_at_any_step_the_last_backup_is_whole_and_the_next_goes_on() {
    let scene = Scene::set().await;
    let mut before = scene.create();
    for (number, step) in (2..).zip(CREATING) {
        scene.upload(number).await;
        let mut command = scene.command(&scene.site.data, &["create"]);
        command.env("FALL_AT", step);
        assert_eq!(tell(command, &[]).status.signal(), Some(9), "{step}");
        let proved = told(&scene.say(&["verify"]));
        if step == "backup made" {
            assert!(proved["position"].as_i64() > before["position"].as_i64());
        } else {
            assert_eq!(proved["root"], before["root"], "{step}");
        }
        before = scene.create();
        assert_eq!(before["began"], false);
        let proved = told(&scene.say(&["verify"]));
        assert_eq!(proved["root"], before["root"], "{step}");
    }
    // Nothing that no manifest names is left.
    let series = scene.folder().join("0001");
    assert!(!series.join("manifest.new").exists());
    for step in RESTORING {
        let data = scene.empty(step);
        let mut command = scene.command(&data, &["restore", "--key", &scene.key()]);
        command.env("FALL_AT", step);
        assert_eq!(tell(command, &[]).status.signal(), Some(9), "{step}");
        let again = scene.restore(&data, &[]);
        if step == "backup loaded" {
            assert_eq!(told(&again)["root"], before["root"]);
        } else {
            refused(&again, "holds an event store already");
        }
    }
}

#[tokio::test]
async fn another_log_is_never_written_over_a_backup() {
    let scene = Scene::set().await;
    let made = scene.create();
    scene.upload(2).await;
    scene.create();
    let data = scene.empty("elsewhere");
    let upto = made["position"].to_string();
    told(&scene.restore(&data, &["--at", &upto]));
    // The same keys, and a log that is shorter.
    let create = |more: &[&str]| tell(scene.command(&data, &[&["create"], more].concat()), &[]);
    refused(&create(&[]), "another log");
    let anew = told(&create(&["--anew"]));
    assert!(anew["series"].as_str().unwrap().ends_with("0002"));
    assert_eq!(anew["root"], made["root"]);
}

#[tokio::test]
async fn what_is_somebody_elses_in_the_folder_stays() {
    let scene = Scene::set().await;
    let put = |name: &str| {
        let path = scene.folder().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "theirs").unwrap();
    };
    for name in ["2024/x", "2024/20240115", "0001/x"] {
        put(name);
    }
    // A series whose first run was killed.
    put("0002/manifest.new");
    std::fs::write(scene.folder().join("0002/00000001"), "OTBACK1\n").unwrap();
    let made = scene.create();
    assert!(made["series"].as_str().unwrap().ends_with("0002"), "{made}");
    // A run that can't remove what it doesn't need is whole nevertheless.
    for name in ["0002/x", "0002/7", "0002/00000099/x"] {
        put(name);
    }
    scene.upload(2).await;
    let made = scene.create();
    assert_eq!(told(&scene.say(&["verify"]))["root"], made["root"]);
    let theirs = ["2024/x", "2024/20240115", "0001/x", "0002/x"];
    for name in theirs.into_iter().chain(["0002/7", "0002/00000099/x"]) {
        assert!(scene.folder().join(name).exists(), "{name}");
    }
}

#[tokio::test]
async fn a_restore_that_fails_leaves_nothing_or_says_what_is_there() {
    let scene = Scene::set().await;
    let made = scene.create();
    // Where the key can't be put, nothing is restored, and another try may come.
    let data = scene.empty("blocked");
    std::fs::create_dir_all(&data).unwrap();
    std::fs::write(data.join("keys"), "a file").unwrap();
    refused(&scene.restore(&data, &[]), "master.key can't be used");
    std::fs::remove_file(data.join("keys")).unwrap();
    assert_eq!(told(&scene.restore(&data, &[]))["root"], made["root"]);
    // A key that was changed in the database itself fits every hash, and opens nothing.
    let change = "update data_key set wrapped = set_byte(wrapped, 0, get_byte(wrapped, 0) # 1) where class = 'log'";
    let pool = scene.site.database().await;
    sqlx::query(change).execute(&pool).await.unwrap();
    scene.create();
    refused(&scene.say(&["verify"]), "doesn't open");
    assert!(!scene.site.data.join("backup-scratch").exists());
    let data = scene.empty("unproved");
    refused(&scene.restore(&data, &[]), "empty the database");
    refused(&scene.restore(&data, &[]), "holds an event store already");
}
