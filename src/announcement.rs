//! What the program says to the person at the terminal.

use std::io::Write as _;

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
    if json {
        print(&serde_json::json!({ "ok": false, "reason": text }).to_string());
    }
    let _closed = writeln!(std::io::stderr(), "opentracker: {text}");
}

/// Begins the log on standard error.
pub(crate) fn begin_log(log: &Log) {
    let filter = EnvFilter::try_new(&log.filter).unwrap_or_else(|_| EnvFilter::new("info"));
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
