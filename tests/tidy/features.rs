//! `docs/features.md` names only routes and tests that exist, and counts its rows as they are.

use std::collections::BTreeSet;

use super::{root, sources};

/// What a row may say.
const STATES: [&str; 4] = ["yes", "partly", "no", "left out"];

fn document() -> String {
    std::fs::read_to_string(root().join("docs/features.md")).unwrap()
}

/// The cells of a line of a table, and none of another line or of a table's rule.
fn cells(line: &str) -> Vec<&str> {
    let inner = line
        .strip_prefix('|')
        .and_then(|rest| rest.strip_suffix('|'));
    let inner = inner.filter(|inner| !inner.starts_with('-'));
    inner.map_or_else(Vec::new, |inner| inner.split('|').map(str::trim).collect())
}

/// Everything that stands between backticks in a row.
fn quoted(text: &str) -> BTreeSet<&str> {
    let rows = text.lines().filter(|line| line.starts_with('|'));
    rows.flat_map(|row| row.split('`').skip(1).step_by(2))
        .collect()
}

/// The files that the path of a test may stand for.
fn files(path: &str) -> Vec<String> {
    let mut files = vec![format!("tests/{path}.rs"), format!("{path}.rs")];
    if let Some((part, rest)) = path.split_once('/') {
        files.extend(["src", "tests"].map(|folder| format!("{part}/{folder}/{rest}.rs")));
    }
    files
}

/// Gives those of some paths that no route is declared for.
pub(super) fn undeclared<'a>(named: impl Iterator<Item = &'a str>) -> Vec<&'a str> {
    let declared: BTreeSet<String> = api::declared().into_iter().map(|one| one.path).collect();
    // The tracker's own, and the measures', which no page leads to.
    let elsewhere = [
        ("/announce", "tracker/src/query.rs", "(\"announce\" |"),
        ("/scrape", "tracker/src/query.rs", "(\"scrape\" |"),
        ("/metrics", "api/src/metrics.rs", ".route(\"/metrics\","),
    ];
    let is_there = |path: &str| {
        let told = elsewhere.iter().find(|(route, ..)| *route == path);
        told.map_or_else(
            || declared.contains(path),
            |(_, file, code)| {
                let source = std::fs::read_to_string(root().join(file)).unwrap();
                source.contains(code)
            },
        )
    };
    named.filter(|path| !is_there(path)).collect()
}

#[test]
fn every_route_that_the_features_name_is_declared() {
    let text = document();
    let named = quoted(&text).into_iter().filter(|one| one.starts_with('/'));
    let missing = undeclared(named);
    assert!(missing.is_empty(), "not declared: {missing:#?}");
}

#[test]
fn every_test_that_the_features_name_exists() {
    let text = document();
    let sources = sources();
    let is_there = |test: &str| {
        let (path, name) = test.rsplit_once("::").unwrap();
        let files = files(&path.replace("::", "/"));
        let begins = format!("fn {name}(");
        let own = |source: &&(String, String)| files.contains(&source.0);
        sources.iter().filter(own).any(|(_, code)| {
            let before = code.split(&begins).next().unwrap();
            // Its attributes stand above it, after the end of what comes before.
            let above = before.rsplit("\n\n").next().unwrap();
            before.len() < code.len() && ["test]", "test("].iter().any(|end| above.contains(end))
        })
    };
    let named = quoted(&text).into_iter().filter(|one| one.contains("::"));
    let named: Vec<&str> = named.collect();
    assert!(named.len() > 100, "the tests aren't found in the document");
    let missing: Vec<&str> = named.into_iter().filter(|test| !is_there(test)).collect();
    assert!(missing.is_empty(), "no such test: {missing:#?}");
}

#[test]
fn the_features_are_counted_as_they_are() {
    let text = document();
    for (section, letter) in [
        ("Features", 'F'),
        ("Settings", 'S'),
        ("Promises", 'R'),
        ("Defects", 'D'),
    ] {
        let rows: Vec<Vec<&str>> = text.lines().map(cells).collect();
        let of = |row: &&Vec<&str>| {
            let number = row.first().and_then(|first| first.strip_prefix(letter));
            number.is_some_and(|number| number.parse::<usize>().is_ok())
        };
        let found: Vec<&Vec<&str>> = rows.iter().filter(of).collect();
        let ids: BTreeSet<&&str> = found.iter().filter_map(|row| row.first()).collect();
        assert_eq!(ids.len(), found.len(), "a number of {section} comes twice");
        let said = |state| {
            let say = found.iter().filter(|row| row.get(2) == Some(state));
            say.count().to_string()
        };
        let mut counted = vec![section.to_owned(), found.len().to_string()];
        counted.extend(STATES.iter().map(said));
        let head = rows.iter().find(|row| row.first() == Some(&section));
        assert_eq!(head.unwrap(), &counted, "in the head of the document");
    }
}
