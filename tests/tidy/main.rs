//! What a linter can't see: who imports whom, how long files are, which names aren't used, and that
//! the documents name only what exists.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

mod deploy;
mod features;
mod guides;

/// The most lines of a file without its tests.
const LONGEST: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .unwrap()
        .to_path_buf()
}

/// Every Rust source of the workspace with its path from the root.
fn sources() -> Vec<(String, String)> {
    let mut found = vec![];
    for folder in [
        "domain",
        "commands",
        "projections",
        "infra",
        "api",
        "tracker",
        "src",
        "tests",
    ] {
        walk(&root().join(folder), &mut found);
    }
    let named = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).unwrap();
        (
            path.strip_prefix(root()).unwrap().display().to_string(),
            text,
        )
    };
    found.into_iter().map(named).collect()
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        let path = entry.path();
        if path.is_dir() {
            walk(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn imports_run_one_way() {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps"])
        .current_dir(root())
        .output();
    let metadata: Value = serde_json::from_slice(&output.unwrap().stdout).unwrap();
    let ours = [
        "domain",
        "commands",
        "projections",
        "infra",
        "api",
        "tracker",
    ];
    let allowed: BTreeMap<&str, &[&str]> = BTreeMap::from([
        ("domain", &[][..]),
        ("commands", &["domain"]),
        ("projections", &["domain"]),
        ("infra", &["domain", "commands", "projections"]),
        ("api", &["domain", "commands", "projections"]),
        ("tracker", &["domain", "commands", "projections"]),
    ]);
    for package in metadata.get("packages").and_then(Value::as_array).unwrap() {
        let name = package.get("name").and_then(Value::as_str).unwrap();
        let Some(allowed) = allowed.get(name) else {
            continue;
        };
        let dependencies = package
            .get("dependencies")
            .and_then(Value::as_array)
            .unwrap();
        let normal = dependencies
            .iter()
            .filter(|one| one.get("kind").is_some_and(Value::is_null));
        for needed in normal.filter_map(|one| one.get("name").and_then(Value::as_str)) {
            assert!(
                !ours.contains(&needed) || allowed.contains(&needed),
                "{name} may not import {needed}"
            );
        }
    }
}

#[test]
fn outside_crates_are_named_where_they_belong() {
    for (krate, places) in [
        ("sqlx", &["projections/", "infra/", "tests/"][..]),
        ("redis", &["infra/"]),
        // The benchmark measures the libraries as they come.
        (
            "cqrs_es",
            &["commands/src/stored.rs", "infra/", "src/bench/", "tests/"],
        ),
        ("postgres_es", &["infra/", "src/bench/", "tests/"]),
        ("axum", &["api/"]),
        (
            "tantivy",
            &[
                "projections/src/torrent/search.rs",
                "projections/src/torrent/search/",
                "projections/src/topic/search.rs",
                "projections/src/tag/search.rs",
                "infra/",
            ],
        ),
        ("anyhow", &["src/", "tests/"]),
    ] {
        for (path, text) in sources() {
            let names =
                text.contains(&format!("use {krate}::")) || text.contains(&format!(" {krate}::"));
            assert!(
                !names || places.iter().any(|place| path.starts_with(place)),
                "{path} names {krate}"
            );
        }
    }
}

#[test]
fn files_are_short_and_named_for_what_they_are_about() {
    for (path, text) in sources() {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let is_test = path.starts_with("tests/") || path.contains("/tests");
        let lines = code.lines().count();
        assert!(is_test || lines <= LONGEST, "{path} has {lines} lines");
        let name = Path::new(&path).file_stem().unwrap().to_str().unwrap();
        let kinds = [
            "events", "models", "types", "utils", "helpers", "handlers", "services", "errors",
            "common", "mod",
        ];
        assert!(
            !kinds.contains(&name),
            "{path} is named for a kind of thing"
        );
        assert!(text.starts_with("//!"), "{path} doesn't say what it is for");
    }
}

#[test]
fn sources_leave_no_loose_ends() {
    for (path, text) in sources() {
        if path.starts_with("tests/tidy") {
            continue;
        }
        for word in [
            "TODO",
            "FIXME",
            "XXX:",
            "todo!(",
            "unimplemented!(",
            "#[allow(",
        ] {
            assert!(!text.contains(word), "{path} has {word}");
        }
    }
}

#[test]
fn the_documents_name_only_what_exists() {
    for document in ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md"] {
        let text = std::fs::read_to_string(root().join(document)).unwrap();
        assert!(
            document != "ARCHITECTURE.md" || text.lines().count() <= 300,
            "{document} is too long"
        );
        let quoted = text.split('`').skip(1).step_by(2);
        let folders = [
            "domain/",
            "commands/",
            "projections/",
            "api/",
            "tracker/",
            "infra/",
            "migrations/",
            "tests/",
            "src/",
            "deploy/",
        ];
        for path in quoted.filter(|quoted| {
            folders.iter().any(|folder| quoted.starts_with(folder))
                && !quoted.contains([' ', '*', '<', '{'])
        }) {
            assert!(
                root().join(path).exists(),
                "{document} names {path}, which doesn't exist"
            );
        }
    }
}

#[test]
fn the_catalogue_of_events_in_architecture_is_the_catalogue_in_the_code() {
    let text = std::fs::read_to_string(root().join("ARCHITECTURE.md")).unwrap();
    let golden = std::fs::read_dir(root().join("domain/golden"))
        .unwrap()
        .flatten();
    let mut names: Vec<String> = golden
        .map(|entry| {
            entry
                .file_name()
                .to_str()
                .unwrap()
                .split('.')
                .next()
                .unwrap()
                .to_owned()
        })
        .collect();
    names.sort();
    names.dedup();
    assert!(names.len() >= 10);
    for name in names {
        assert!(
            text.contains(&format!("`{name}`")),
            "ARCHITECTURE.md doesn't name the event {name}"
        );
    }
}

#[test]
fn no_route_of_the_open_site_is_made_without_saying_who_may_ask() {
    // The sealed site, the metrics and the benchmarks' bare responder have nobody to tell apart.
    let free = ["route.rs", "sealed.rs", "metrics.rs", "front.rs", "bare.rs"]
        .map(|file| format!("api/src/{file}"));
    for (path, text) in sources() {
        let apart = !path.starts_with("api/src/") || free.contains(&path);
        let makes = [
            ".route(",
            ".route_service(",
            ".nest(",
            ".nest_service(",
            "Router::new()",
        ];
        for word in makes {
            assert!(apart || !text.contains(word), "{path} has {word}");
        }
    }
}

#[test]
fn no_page_asks_for_script_or_style_within_itself() {
    for (path, text) in sources()
        .into_iter()
        .filter(|(path, _)| path.starts_with("api/src/web/") && !path.contains("/samples"))
    {
        let code = text.split("#[cfg(test)]").next().unwrap();
        for word in [
            " style=",
            " onclick=",
            " onload=",
            " onsubmit=",
            "javascript:",
        ] {
            assert!(!code.contains(word), "{path} has{word}");
        }
        let raw = code.contains("PreEscaped(");
        assert!(
            !raw || path.ends_with("component.rs"),
            "{path} lets raw HTML through"
        );
    }
}
