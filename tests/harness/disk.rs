//! A small disk of a test's own, in a mount namespace, to be filled.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Says where the small disk of the running test is.
const INSIDE: &str = "DISK_OF_ITS_OWN";

/// Runs a test of this binary, named with its modules, with a small disk of its own, which these variables
/// name; gives where it is, once within.
pub fn within(test: &str, mebibytes: u32, variables: &[&str]) -> Option<PathBuf> {
    if let Some(place) = std::env::var_os(INSIDE) {
        return Some(place.into());
    }
    let place = tempfile::tempdir().unwrap();
    let mount =
        format!("mount -t tmpfs -o size={mebibytes}m,mode=1777 tmpfs \"${INSIDE}\" && exec \"$@\"");
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--map-current-user", "--keep-caps"]);
    }
    command
        .args(["-m", "sh", "-c", &mount, "sh"])
        .arg(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(INSIDE, place.path())
        .envs(variables.iter().map(|name| (name, place.path())));
    assert!(
        command.status().unwrap().success(),
        "the test failed on its disk"
    );
    None
}

/// Takes what is left of the disk.
pub fn fill(filler: &Path) {
    let mut file = OpenOptions::new()
        .create(true)
        .append(true)
        .open(filler)
        .unwrap();
    while file.write_all(&[0; 8_192]).is_ok() {}
    while file.write_all(&[0; 512]).is_ok() {}
}

/// Tells whether the tests run as root.
pub fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| std::os::unix::fs::MetadataExt::uid(&own) == 0)
}
