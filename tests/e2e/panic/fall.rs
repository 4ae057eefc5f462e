//! Whatever falls at whatever step, of the panic or of the restore: nothing is open that was sealed, and
//! the Panic Password brings everything back.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;
use tempfile::TempDir;
use tests::{Options, Site, make};

use super::{PANIC, PASSWORD, say, say_in, tell};

/// Every step of a panic.
const SEALING: [&str; 11] = [
    "committed",
    "key destroyed",
    "cut off",
    "darkened",
    "outer key",
    "event_log_outer batch",
    "event_log_outer copied",
    "event_log_outer indexed",
    "event_log_outer swapped",
    "hidden",
    "sealed",
];
/// Every step of a restore.
const RESTORING: [&str; 11] = [
    "restoring",
    "event_log_inner batch",
    "event_log_inner copied",
    "event_log_inner indexed",
    "event_log_inner swapped",
    "credited",
    "next key written",
    "next key",
    "reopened",
    "next key adopted",
    "adopted",
];

fn is_long() -> bool {
    std::env::var_os("LONG_TESTS").is_some()
}

/// A site that was stopped, and what its log was.
struct Scene {
    site: Site,
    log: Value,
}

impl Scene {
    async fn set() -> Self {
        let mut site = Site::start(Options::default()).await;
        let admin = site.client();
        admin.set_up("admin", PASSWORD).await;
        for number in 0..3 {
            let payload = make::payload(number, 30_000);
            let file = make::torrent(&format!("file-{number}"), &payload, Some("OpenTracker"));
            admin.uploaded(file, "other", "text").await;
        }
        assert!(say(&site, &["password"], &[PANIC]).status.success());
        site.stop();
        let log = site.run_json(&["--json", "audit", "verify"]);
        Self { site, log }
    }

    /// A copy of its data, to fall with.
    fn copy(&self) -> Copied<'_> {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let copied = Command::new("cp")
            .arg("-a")
            .arg(&self.site.data)
            .arg(&data)
            .status();
        assert!(copied.unwrap().success());
        Copied {
            scene: self,
            data,
            _folder: folder,
        }
    }
}

struct Copied<'a> {
    scene: &'a Scene,
    data: PathBuf,
    _folder: TempDir,
}

impl Copied<'_> {
    fn run(&self, words: &[&str], lines: &[&str]) -> Output {
        say_in(&self.scene.site, &self.data, words, lines)
    }

    fn json(&self, words: &[&str]) -> Value {
        let output = self.scene.site.command(&self.data).args(words).output();
        let output = output.unwrap();
        assert!(output.status.success(), "{words:?}: {output:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Runs a command that falls at a step, alone or with the database.
    fn fall(&self, words: &[&str], lines: &[&str], step: &str, power: bool) {
        let mut command = self.scene.site.command(&self.data);
        command
            .args(["--json", "panic"])
            .args(words)
            .env("FALL_AT", step);
        if power {
            command.env("FALL_WITH", pid_file(&self.data));
        }
        let output = tell(command, lines);
        assert_eq!(output.status.signal(), Some(9), "{step}: {output:?}");
    }

    fn state(&self) -> String {
        let status = self.json(&["--json", "panic", "status"]);
        status["state"].as_str().unwrap().to_owned()
    }

    /// Seals on, and restores; everything has to be as it was.
    fn comes_back(&self, after: &str) {
        if self.state() != "open" {
            let closed = self.json(&["--json", "audit", "verify"]);
            assert_eq!(
                (&closed["ok"], &closed["contents"]),
                (&true.into(), &false.into())
            );
            if matches!(self.state().as_str(), "sealing" | "sealed") {
                let on = self.run(&ACTIVATE, &[]);
                assert!(on.status.success(), "{after}: {on:?}");
                assert_eq!(self.state(), "sealed");
            }
            let wrong = self.run(&["restore"], &["not the panic password"]);
            assert_eq!(wrong.status.code(), Some(1));
            let back = self.run(&["restore"], &[PANIC]);
            assert!(back.status.success(), "{after}: {back:?}");
        }
        assert_eq!(self.state(), "open", "{after}");
        let events = self.scene.log["events"].to_string();
        let log = self.json(&["--json", "audit", "verify", "--to", &events]);
        assert_eq!(log["contents"], true);
        for part in ["events", "chain", "root"] {
            assert_eq!(log[part], self.scene.log[part], "{after}");
        }
        assert_eq!(self.json(&["--json", "audit", "verify"])["ok"], true);
    }
}

const ACTIVATE: [&str; 3] = ["activate", "--confirm", "ENCRYPT_ALL_DATA"];

fn pid_file(data: &Path) -> PathBuf {
    let cluster = std::fs::read_dir(data)
        .unwrap()
        .flatten()
        .find(|entry| entry.file_name().to_string_lossy().starts_with("pg"));
    cluster.unwrap().path().join("postmaster.pid")
}

/// Every one of some cases in a long run, else some of them, others each day.
fn sample<'a>(all: &'a [(&'a str, bool)], few: usize) -> Vec<(&'a str, bool)> {
    if is_long() {
        return all.to_vec();
    }
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let today = usize::try_from(since.unwrap().as_secs() / 86_400).unwrap();
    let step = all.len() / few;
    (0..few)
        .map(|number| all[(today + number * step) % all.len()])
        .collect()
}

fn cases(steps: &'static [&'static str]) -> Vec<(&'static str, bool)> {
    let both = steps
        .iter()
        .flat_map(|step| [(*step, false), (*step, true)]);
    both.collect()
}

#[tokio::test]
async fn a_fall_at_any_step_of_a_panic_leaves_everything_dark_and_to_be_restored() {
    let scene = Scene::set().await;
    let cases = cases(&SEALING);
    let some = sample(&cases, 3);
    for (step, power) in &some {
        let copy = scene.copy();
        copy.fall(&ACTIVATE, &[], step, *power);
        assert_ne!(copy.state(), "open", "{step}");
        copy.comes_back(step);
    }
    println!("fell {} times while sealing; nothing was lost", some.len());
}

#[tokio::test]
async fn a_fall_at_any_step_of_a_restore_leaves_it_to_be_begun_again() {
    let scene = Scene::set().await;
    let sealed = scene.copy();
    assert!(sealed.run(&ACTIVATE, &[]).status.success());
    let cases = cases(&RESTORING);
    let some = sample(&cases, 3);
    for (step, power) in &some {
        let copy = sealed.again();
        copy.fall(&["restore"], &[PANIC], step, *power);
        copy.comes_back(step);
    }
    println!(
        "fell {} times while restoring; nothing was lost",
        some.len()
    );
}

impl Copied<'_> {
    /// A copy of the copy.
    fn again(&self) -> Self {
        let folder = TempDir::new().unwrap();
        let data = folder.path().join("data");
        let status = Command::new("cp")
            .arg("-a")
            .arg(&self.data)
            .arg(&data)
            .status();
        assert!(status.unwrap().success());
        Self {
            scene: self.scene,
            data,
            _folder: folder,
        }
    }

    /// Starts a command, kills it after a while, and with it the database.
    fn kill_within(&self, words: &[&str], line: &str, after: Duration) {
        use std::io::Write as _;
        let mut command = self.scene.site.command(&self.data);
        command.args(["--json", "panic"]).args(words);
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(line.as_bytes())
            .unwrap();
        std::thread::sleep(after);
        child.kill().unwrap();
        child.wait().unwrap();
    }
}

#[tokio::test]
async fn falls_at_random_one_after_the_other_lose_nothing() {
    let scene = Scene::set().await;
    let copy = scene.copy();
    let mut fallen = 0;
    let rounds = if is_long() { 12 } else { 2 };
    for _ in 0..rounds {
        for (words, line) in [(&ACTIVATE[..], ""), (&["restore"][..], PANIC)] {
            for _ in 0..2 {
                let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
                let some = 200 + u64::from(now.unwrap().subsec_nanos()) / 1_000 % 900;
                copy.kill_within(words, line, Duration::from_millis(some));
                fallen += 1;
            }
        }
        copy.comes_back("a fall at random");
    }
    println!("fell {fallen} times at random; nothing was lost");
}
