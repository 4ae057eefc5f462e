//! A whole site on loopback for tests: the real program, the real database, clients of our own.
#![expect(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::missing_panics_doc,
    clippy::print_stderr,
    reason = "a harness fails by panicking, and its names say what it does"
)]

pub mod authenticator;
pub mod browser;
pub mod claims;
pub mod client;
pub mod cluster;
pub mod database;
pub mod device;
pub mod disk;
pub mod fuzz;
pub mod ledger;
pub mod make;
pub mod rebuild;
pub mod server;
pub mod site;

pub use authenticator::Authenticator;
pub use browser::Browser;
pub use client::{Client, kept};
pub use database::Database;
pub use device::Device;
pub use server::{Cluster, Redis};
pub use site::{Options, Site};

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

/// The files below a folder that hold one of these texts.
pub fn files_with(folder: &Path, texts: &[&str]) -> Vec<PathBuf> {
    let mut grep = Command::new("grep");
    grep.args(["-rlaF", "--binary-files=text"]);
    for text in texts {
        grep.args(["-e", text]);
    }
    let output = grep.arg("--").arg(folder).output().unwrap();
    assert!(
        output.status.code().is_some_and(|code| code < 2),
        "{output:?}"
    );
    let found = String::from_utf8(output.stdout).unwrap();
    found.lines().map(PathBuf::from).collect()
}

/// Writes down what a test went through; `./test --long` prints it at its end.
pub fn tally(name: &str, text: &str) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tally");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join(name), format!("{text}\n")).unwrap();
}

/// Waits for a state with a deadline; never for a fixed time.
pub async fn until<T, F: Future<Output = Option<T>>>(
    what: &str,
    deadline: Duration,
    mut look: impl FnMut() -> F,
) -> T {
    let end = Instant::now() + deadline;
    loop {
        if let Some(found) = look().await {
            return found;
        }
        assert!(
            Instant::now() < end,
            "{what} didn't happen within {deadline:?}"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
