//! The program as a child process, on ports of its own.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tempfile::TempDir;

use crate::{Client, cluster, until};

/// How a site is started.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where browsers and clients find it.
    pub ip: String,
    /// Seconds between announces.
    pub interval: u32,
    pub extra: Vec<(String, String)>,
    pub arguments: Vec<String>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            ip: "127.0.0.1".to_owned(),
            interval: 1_800,
            extra: vec![],
            arguments: vec![],
        }
    }
}

/// A running site.
#[derive(Debug)]
pub struct Site {
    pub data: PathBuf,
    pub address: SocketAddr,
    pub announces: SocketAddr,
    pub metrics: SocketAddr,
    options: Options,
    child: Option<Child>,
    folder: TempDir,
}

/// The program that the tests drive.
pub fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests
        .parent()
        .unwrap()
        .parent()
        .unwrap()
        .join("opentracker")
}

/// Ports of one test, below those that the system gives away; tests that run at once have a slot each.
const PORTS: u16 = 100;

pub(crate) fn free_port(ip: &str) -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let slot = std::env::var("NEXTEST_TEST_GLOBAL_SLOT").ok();
    let slot: u16 = slot.and_then(|slot| slot.parse().ok()).unwrap_or(99);
    loop {
        let next = NEXT.fetch_add(1, Ordering::Relaxed);
        assert!(next < PORTS, "no port is free");
        if let Ok(listener) = TcpListener::bind((ip, 20_000 + slot % 100 * PORTS + next)) {
            return listener.local_addr().unwrap();
        }
    }
}

impl Site {
    /// Places a site that isn't started yet, over data of its own.
    pub fn placed(options: Options) -> Self {
        let folder = TempDir::new().unwrap();
        let ip = &options.ip;
        Self {
            data: folder.path().join("data"),
            address: free_port(ip),
            announces: free_port(ip),
            metrics: free_port(ip),
            options,
            child: None,
            folder,
        }
    }

    /// Starts a site and waits until it is ready.
    pub async fn start(options: Options) -> Self {
        let mut site = Self::placed(options);
        site.launch().await;
        site
    }

    /// Starts a second site over the same database, with the same master key.
    pub async fn beside(&self) -> Self {
        self.beside_by(self.options.clone()).await
    }

    /// Starts a second site with the same master key and options of its own.
    pub async fn beside_by(&self, options: Options) -> Self {
        let mut site = Self::placed(options);
        let key = site.data.join("keys/master.key");
        std::fs::create_dir_all(key.parent().unwrap()).unwrap();
        std::fs::copy(self.data.join("keys/master.key"), key).unwrap();
        site.launch().await;
        site
    }

    /// Starts a site with this one's settings over data that lie elsewhere.
    pub async fn over(&self, data: &Path) -> Self {
        let mut site = Self::placed(self.options.clone());
        data.clone_into(&mut site.data);
        site.launch().await;
        site
    }

    /// Starts a site that shows this one as a replay filled a schema.
    pub async fn past(&self, schema: &str) -> Self {
        let mut site = Self::placed(self.options.clone());
        site.options.arguments = vec!["--replay".into(), schema.into()];
        site.data.clone_from(&self.data);
        site.launch().await;
        site
    }

    /// Starts the program on the same data again.
    pub async fn launch(&mut self) {
        let mut given = self.options.extra.iter().map(|(key, _)| key.as_str());
        let is_demo = self.options.arguments.iter().any(|one| one == "--demo");
        // A demo begins as a newcomer's does, with nothing.
        if !is_demo && !given.any(|key| key == "DATABASE_URL") {
            cluster::place(&self.data);
        }
        let log = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.log_path())
            .unwrap();
        let mut command = self.command(&self.data);
        command.args([
            "serve",
            "--listen",
            &self.address.to_string(),
            "--tracker",
            &self.announces.to_string(),
        ]);
        command.args(&self.options.arguments);
        self.child = Some(
            command
                .stdin(Stdio::null())
                .stdout(Stdio::null())
                .stderr(log)
                .spawn()
                .unwrap(),
        );
        // Not every role has pages, but each its measures.
        let parted = self.options.arguments.iter().any(|one| one == "--role");
        let asked = if parted { self.metrics } else { self.address };
        let ready = format!("http://{asked}/health/ready");
        until("readiness", Duration::from_secs(90), || async {
            let answer = reqwest::get(&ready).await.ok()?;
            answer.status().is_success().then_some(())
        })
        .await;
    }

    /// Changes a setting for the next start.
    pub fn set(&mut self, key: &str, value: &str) {
        self.options.extra.push((key.to_owned(), value.to_owned()));
    }

    /// Changes what else `serve` is told at the next start.
    pub fn say(&mut self, arguments: &[&str]) {
        self.options.arguments = arguments.iter().map(|one| (*one).to_owned()).collect();
    }

    /// The program with this site's settings and a data directory.
    pub fn command(&self, data: &Path) -> Command {
        let mut command = Command::new(program());
        command
            .arg("--data-dir")
            .arg(data)
            .env_remove("DATABASE_URL");
        let site = format!("http://{}", self.address);
        let announce = format!("http://{}/announce", self.announces);
        let interval = self.options.interval.to_string();
        for (key, value) in [
            ("OPENTRACKER_SITE__ORIGIN", site.as_str()),
            ("OPENTRACKER_SITE__WORK_BITS", "8"),
            ("OPENTRACKER_SITE__ITERATIONS", "100000"),
            ("OPENTRACKER_VAULT__WORK", "17"),
            ("OPENTRACKER_ANNOUNCE__URL", &announce),
            ("OPENTRACKER_TRACKER__INTERVAL", &interval),
            ("OPENTRACKER_TRACKER__MIN_INTERVAL", &interval),
            ("OPENTRACKER_TRACKER__FLUSH", "1"),
            ("OPENTRACKER_TRACKER__THREADS", "1"),
            ("OPENTRACKER_TRACKER__ANNOUNCE_RATE", "0"),
            ("OPENTRACKER_METRICS__LISTEN", &self.metrics.to_string()),
            // All clients of a test come from one address; tests of limits set their own.
            ("OPENTRACKER_LIMITS__PAGES", "0"),
            ("OPENTRACKER_LIMITS__MEMBER_PAGES", "0"),
            ("OPENTRACKER_LIMITS__FLOOD", "0"),
            ("OPENTRACKER_LIMITS__WRITES", "0"),
            ("OPENTRACKER_LIMITS__STAFF_WRITES", "0"),
            ("OPENTRACKER_LIMITS__SIGN_INS", "0"),
            ("OPENTRACKER_LIMITS__SCORE", "0"),
        ] {
            command.env(key, value);
        }
        for (key, value) in &self.options.extra {
            command.env(key, value);
        }
        command
    }

    /// Runs the program beside the site and gives what it printed.
    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(&self.data).args(arguments).output().unwrap()
    }

    /// Runs the program beside the site and reads the JSON that it printed.
    pub fn run_json(&self, arguments: &[&str]) -> serde_json::Value {
        let output = self.run(arguments);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn log_path(&self) -> PathBuf {
        self.folder.path().join("log")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.log_path()).unwrap_or_default()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.address)
    }

    pub fn client(&self) -> Client {
        Client::new(self)
    }

    fn signal(&mut self, name: &str) {
        let child = self.child.as_mut().unwrap();
        let sent = Command::new("kill")
            .args([name, &child.id().to_string()])
            .status()
            .unwrap();
        assert!(sent.success());
        child.wait().unwrap();
        self.child = None;
    }

    /// Stops the program in order.
    pub fn stop(&mut self) {
        self.signal("-TERM");
    }

    /// Kills the program; nothing of it runs on.
    pub fn kill(&mut self) {
        self.signal("-KILL");
    }

    /// The embedded database's process id.
    pub fn database_pid(&self) -> String {
        let cluster = cluster::find(&self.data).unwrap();
        let file = std::fs::read_to_string(cluster.join("postmaster.pid")).unwrap_or_default();
        file.lines().next().unwrap_or_default().to_owned()
    }

    /// A connection to the embedded database, for looking.
    pub async fn database(&self) -> sqlx::PgPool {
        let url = infra::embedded::Embedded::running(&self.data).unwrap();
        sqlx::PgPool::connect(&url).await.unwrap()
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            let _sent = Command::new("kill")
                .args(["-TERM", &child.id().to_string()])
                .status();
            let _ended = child.wait();
        }
        if std::thread::panicking() {
            eprintln!("--- the site's log ---\n{}", self.log());
        }
    }
}
