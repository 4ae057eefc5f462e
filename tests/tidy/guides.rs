//! The guides in `docs/` name only routes that exist, and the alerts only runbooks that are there.

use super::deploy::yaml;
use super::features::undeclared;
use super::root;

/// What begins as a route does and is none: places on a machine, names of problems, the API as a whole.
const NO_ROUTES: [&str; 6] = ["/etc/", "/var/", "/usr/", "/run/", "/problems/", "/dev/"];

fn guides() -> Vec<(String, String)> {
    let entries = std::fs::read_dir(root().join("docs")).unwrap().flatten();
    let mut guides: Vec<(String, String)> = entries
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, std::fs::read_to_string(entry.path()).unwrap())
        })
        .filter(|(name, _)| name != "features.md")
        .collect();
    guides.sort();
    guides
}

#[test]
fn every_route_that_the_guides_name_is_declared() {
    let mut seen = 0;
    for (name, text) in guides() {
        let quoted = text.split('`').skip(1).step_by(2);
        let paths = quoted.filter_map(|quoted| {
            let path = quoted.strip_prefix("GET ").unwrap_or(quoted);
            let path = path.split('?').next().unwrap_or(path);
            let is_route = path.starts_with('/')
                && path != "/api/v1"
                && !NO_ROUTES.iter().any(|start| path.starts_with(start));
            is_route.then_some(path)
        });
        let paths: Vec<&str> = paths.collect();
        seen += paths.len();
        let missing = undeclared(paths.into_iter());
        assert!(missing.is_empty(), "{name} names: {missing:?}");
    }
    assert!(seen > 30, "only {seen} routes are found in the guides");
}

#[test]
fn every_alert_has_its_runbook() {
    let alerts = yaml("deploy/prometheus/alerts.yml");
    let text = std::fs::read_to_string(root().join("docs/runbooks.md")).unwrap();
    let sections: Vec<String> = text
        .lines()
        .filter_map(|line| line.strip_prefix("## "))
        .map(str::to_lowercase)
        .collect();
    let groups = alerts.get("groups").and_then(|groups| groups.as_array());
    let mut seen = vec![];
    for group in groups.unwrap() {
        for rule in group.get("rules").unwrap().as_array().unwrap() {
            let name = rule.get("alert").unwrap().as_str().unwrap().to_lowercase();
            let book = rule.pointer("/annotations/runbook").unwrap();
            let there = format!("docs/runbooks.md#{name}");
            assert_eq!(book.as_str(), Some(there.as_str()));
            assert!(sections.contains(&name), "no runbook for {name}");
            seen.push(name);
        }
    }
    assert!(seen.len() > 8, "{seen:?}");
    for section in sections {
        assert!(seen.contains(&section), "no alert leads to {section}");
    }
}
