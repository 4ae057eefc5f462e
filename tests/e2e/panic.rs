//! Panic and restore: everything dark at once, and back byte for byte by the Panic Password alone.

use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tests::Site;

mod dark;
mod fall;
mod faults;
mod nodes;
mod password;
pub(crate) mod residue;

const PASSWORD: &str = "correct horse battery";
pub(crate) const PANIC: &str = "rivers run to the sea";
const OTHER: &str = "and the sea is not full";

/// Runs a command with lines of standard input.
pub(crate) fn tell(mut command: Command, lines: &[&str]) -> Output {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let text = lines.join("\n");
    // A command that ended already reads nothing.
    let _read = child.stdin.take().unwrap().write_all(text.as_bytes());
    child.wait_with_output().unwrap()
}

/// Runs a command of `panic` on a data directory.
pub(crate) fn say_in(site: &Site, data: &Path, words: &[&str], lines: &[&str]) -> Output {
    let mut command = site.command(data);
    command.args(["--json", "panic"]).args(words);
    tell(command, lines)
}

pub(crate) fn say(site: &Site, words: &[&str], lines: &[&str]) -> Output {
    say_in(site, &site.data, words, lines)
}

pub(crate) fn activate(site: &Site) {
    let output = say(site, &["activate", "--confirm", "ENCRYPT_ALL_DATA"], &[]);
    assert!(output.status.success(), "{output:?}");
}

pub(crate) fn restore(site: &Site) -> Value {
    let output = say(site, &["restore"], &[PANIC]);
    assert!(output.status.success(), "{output:?}");
    serde_json::from_slice(&output.stdout).unwrap()
}

pub(crate) fn refused(output: &Output, words: &str) {
    let error = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{error}");
    assert!(error.contains(words), "{error}");
}

pub(crate) fn vault(site: &Site) -> Value {
    site.run_json(&["--json", "panic", "status"])
}

pub(crate) fn verified(site: &Site, arguments: &[&str]) -> Value {
    let words = [&["--json", "audit", "verify"], arguments].concat();
    site.run_json(&words)
}
