//! The cluster of a new database, made once by the program's own means and copied for each test.
//!
//! Nothing of a test's database needs to outlive the machine, so it waits for no disk.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use infra::embedded::Embedded;
use tempfile::TempDir;

/// Puts an empty cluster into a data directory, unless there is one.
pub fn place(data: &Path) {
    if find(data).is_none() {
        let mut made = fs::DirBuilder::new();
        made.recursive(true).mode(0o700).create(data).unwrap();
        copy(&kept(), data);
    }
}

/// Starts a new database in a folder of its own, for nodes that are told where it is.
pub fn start(folder: &Path) -> Embedded {
    let data = folder.join("data");
    place(&data);
    Embedded::start(&data).unwrap()
}

/// The cluster in a folder.
pub(crate) fn find(folder: &Path) -> Option<PathBuf> {
    let mut entries = fs::read_dir(folder).ok()?.flatten();
    entries.find_map(|entry| {
        let whole = entry.path().join("PG_VERSION").exists();
        whole.then(|| entry.path())
    })
}

/// The cluster that is copied; the first who asks makes it.
fn kept() -> PathBuf {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    fs::create_dir_all(&target).unwrap();
    let lock = File::create(target.join("cluster.lock")).unwrap();
    lock.lock().unwrap();
    let folder = target.join("cluster");
    find(&folder).unwrap_or_else(|| make(&folder))
}

fn make(folder: &Path) -> PathBuf {
    let place = TempDir::new().unwrap();
    let data = place.path().join("data");
    Embedded::start(&data).unwrap().stop().unwrap();
    let made = find(&data).unwrap();
    let mut settings = OpenOptions::new();
    let settings = settings.append(true).open(made.join("postgresql.conf"));
    settings.unwrap().write_all(b"fsync = off\n").unwrap();
    let half = folder.with_extension("half");
    let _left = fs::remove_dir_all(&half);
    fs::create_dir(&half).unwrap();
    copy(&made, &half);
    let _left = fs::remove_dir_all(folder);
    fs::rename(&half, folder).unwrap();
    find(folder).unwrap()
}

fn copy(cluster: &Path, into: &Path) {
    let mut copy = Command::new("cp");
    // The log's first file has its place on the disk, as the database wants it.
    copy.args(["-a", "--sparse=never"]).arg(cluster).arg(into);
    assert!(copy.status().unwrap().success());
}
