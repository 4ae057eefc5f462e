//! What the program says to the person at the terminal.

use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

use tracing_subscriber::EnvFilter;

use crate::config::Log;

/// Prints a line for the person or the script that asked.
pub(crate) fn print(text: &str) {
    // Whoever closed standard output doesn't want to read on.
    let _closed = writeln!(std::io::stdout(), "{text}");
}

/// Prints a value as one line of JSON, or as the text.
pub(crate) fn answer(json: bool, value: &serde_json::Value, text: &str) {
    if json {
        print(&value.to_string());
    } else {
        print(text);
    }
}

/// Says why the command failed, with every cause once.
pub(crate) fn failed(error: &anyhow::Error, json: bool) {
    let mut text = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
    }
    if json && !error.is::<Said>() {
        print(&serde_json::json!({ "ok": false, "reason": text }).to_string());
    }
    let _closed = writeln!(std::io::stderr(), "opentracker: {text}");
}

/// A failure whose JSON was printed already.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Said(pub(crate) String);

/// How far something is, shown on a terminal over itself, and nowhere else.
pub(crate) struct Progress {
    what: &'static str,
    began: Instant,
    shown: Instant,
    done: i64,
}

impl Progress {
    pub(crate) fn new(what: &'static str) -> Self {
        let now = Instant::now();
        Self {
            what,
            began: now,
            shown: now,
            done: 0,
        }
    }

    /// Notes how much is done, of how much where that is known.
    pub(crate) fn show(&mut self, done: i64, of: Option<i64>) {
        self.done = done;
        let mut terminal = std::io::stderr();
        if self.shown.elapsed() < Duration::from_millis(200) || !terminal.is_terminal() {
            return;
        }
        self.shown = Instant::now();
        let (what, rate) = (self.what, self.rate());
        let _closed = match of {
            Some(of) => {
                let percent = done * 100 / of.max(1);
                write!(
                    terminal,
                    "\r{percent:>3} %  {done} of {of} {what}, {rate:.0} a second "
                )
            }
            None => write!(terminal, "\r{done} {what}, {rate:.0} a second "),
        };
    }

    /// Gives how much was done in a second.
    pub(crate) fn rate(&self) -> f64 {
        let done = u32::try_from(self.done).map_or(f64::MAX, f64::from);
        done / self.began.elapsed().as_secs_f64().max(1e-6)
    }
}

impl Drop for Progress {
    /// Leaves a clean line to what is printed next.
    fn drop(&mut self) {
        let mut terminal = std::io::stderr();
        if self.shown > self.began && terminal.is_terminal() {
            let _closed = write!(terminal, "\r\x1b[K");
        }
    }
}

/// Libraries that log, as errors, the bytes that strangers send them.
const MUTED: [&str; 2] = ["webauthn_rs=off", "webauthn_rs_core=off"];

/// Begins the log on standard error.
pub(crate) fn begin_log(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
    let muted = MUTED.iter().filter_map(|one| one.parse().ok());
    let filter = muted.fold(filter, EnvFilter::add_directive);
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .with_target(false);
    if log.json {
        lines.json().init();
    } else {
        lines.compact().init();
    }
}
