//! What is in `deploy/` is well formed, and the installer keeps what it finds.

use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

use super::root;

/// Runs a program in the root of the workspace; gives what it said, and fails where it did.
fn run(program: &str, arguments: &[&str]) -> String {
    let Output {
        status,
        stdout,
        stderr,
    } = Command::new(program)
        .args(arguments)
        .current_dir(root())
        .output()
        .map_err(|error| format!("{program} is needed: {error}"))
        .unwrap();
    let said = String::from_utf8_lossy(&stderr);
    assert!(
        status.success(),
        "{program} {arguments:?}: {}{said}",
        String::from_utf8_lossy(&stdout)
    );
    format!("{}{said}", String::from_utf8_lossy(&stdout))
}

/// Reads a file of YAML.
pub(super) fn yaml(path: &str) -> Value {
    let script = "import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)";
    serde_json::from_str(&run("/usr/bin/python3", &["-c", script, path])).unwrap()
}

/// Installs into a folder; gives what was said.
fn install(into: &Path, more: &[&str]) -> String {
    let program = root().join("run");
    let into = into.display().to_string();
    let mut arguments = vec!["--domain", "tracker.example", "--root", &into];
    let program = program.display().to_string();
    arguments.extend(["--program", &program]);
    arguments.extend(more);
    run("deploy/install.sh", &arguments)
}

/// Every file below a folder with its mode and what it holds.
fn files(folder: &Path) -> BTreeMap<String, (u32, Vec<u8>)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![folder.to_path_buf()];
    while let Some(one) = folders.pop() {
        for entry in std::fs::read_dir(one).unwrap().flatten() {
            let path = entry.path();
            let about = path.symlink_metadata().unwrap();
            if about.is_dir() {
                folders.push(path);
            } else if about.is_file() {
                let name = path.strip_prefix(folder).unwrap().display().to_string();
                let mode = about.permissions().mode() & 0o777;
                found.insert(name, (mode, std::fs::read(&path).unwrap()));
            }
        }
    }
    found
}

#[test]
fn scripts_are_without_what_a_linter_finds() {
    let scripts = [
        "deploy/install.sh",
        "deploy/upgrade.sh",
        "deploy/layout.sh",
        "deploy/provide.sh",
        "deploy/opentracker",
        "run",
        "test",
        ".ci/run",
    ];
    run(
        "shellcheck",
        &[&["-S", "warning", "-x", "-P", "deploy"], &scripts[..]].concat(),
    );
}

#[test]
fn the_installer_changes_nothing_the_second_time_and_keeps_every_secret() {
    let folder = TempDir::new().unwrap();
    let into = folder.path().join("root");
    let said = install(&into, &["--dry-run"]);
    assert!(
        said.contains("would: write /etc/opentracker/secrets.env"),
        "{said}"
    );
    assert!(!into.exists(), "a dry run changed something");
    let said = install(&into, &[]);
    // There is no system in the folder, and that is told.
    assert!(said.contains("left out: account opentracker"), "{said}");
    let before = files(&into);
    for secret in [
        "etc/opentracker/secrets.env",
        "etc/opentracker/redis.secret",
    ] {
        let mode = before.get(secret).map(|(mode, _)| *mode);
        assert_eq!(mode, Some(0o400), "{secret}");
    }
    let said = install(&into, &[]);
    assert!(said.contains("opentracker: 0 changes"), "{said}");
    assert!(before == files(&into), "the second time changed something");
    let other = folder.path().join("other");
    install(&other, &[]);
    let secret = "etc/opentracker/redis.secret";
    assert!(
        before.get(secret) != files(&other).get(secret),
        "secrets are alike"
    );
    install(&into, &["--uninstall"]);
    let left = files(&into);
    assert!(
        !left
            .keys()
            .any(|file| file.starts_with("usr/") || file.starts_with("etc/systemd"))
    );
    assert_eq!(left.get(secret), before.get(secret));
}

#[test]
fn services_are_well_formed_and_confined() {
    let folder = TempDir::new().unwrap();
    let into = folder.path().join("root");
    install(&into, &[]);
    let redis = into.join("usr/bin/redis-server");
    std::fs::create_dir_all(redis.parent().unwrap()).unwrap();
    std::fs::copy(root().join("run"), redis).unwrap();
    for (unit, most) in [
        ("opentracker.service", 1.5),
        ("opentracker-redis.service", 1.5),
        ("opentracker-backup.service", 1.5),
    ] {
        let there = format!("--root={}", into.display());
        let said = run(
            "systemd-analyze",
            &["verify", "--recursive-errors=no", &there, unit],
        );
        assert_eq!(said.trim(), "", "{unit}");
        let path = format!("deploy/systemd/{unit}");
        let said = run(
            "systemd-analyze",
            &["security", "--offline=true", "--no-pager", &path],
        );
        let line = said
            .lines()
            .find(|line| line.contains("Overall exposure"))
            .unwrap();
        let score = line
            .split_whitespace()
            .find_map(|word| word.parse::<f64>().ok());
        assert!(score.unwrap() <= most, "{line}");
    }
    let there = format!("--root={}", into.display());
    let timer = "opentracker-backup.timer";
    let lenient = "--recursive-errors=no";
    let said = run("systemd-analyze", &["verify", lenient, &there, timer]);
    assert_eq!(said.trim(), "", "{timer}");
}

#[test]
fn the_front_reads_its_configuration() {
    let said = run(
        "caddy",
        &[
            "validate",
            "--adapter",
            "caddyfile",
            "--config",
            "deploy/Caddyfile",
        ],
    );
    assert!(said.contains("Valid configuration"), "{said}");
}

#[test]
fn containers_are_checked_confined_and_reached_by_the_front_alone() {
    let compose = yaml("docker-compose.yml");
    let services = compose.get("services").and_then(Value::as_object).unwrap();
    let volumes = compose.get("volumes").and_then(Value::as_object).unwrap();
    let open = ["80:80", "443:443", "443:443/udp", "8080:8080/udp"];
    for (name, service) in services {
        let list = |key: &str| -> Vec<&str> {
            let list = service.get(key).and_then(Value::as_array);
            list.into_iter()
                .flatten()
                .filter_map(Value::as_str)
                .collect()
        };
        let builds = service.get("build").is_some();
        assert!(
            builds || service.get("healthcheck").is_some(),
            "{name} isn't checked"
        );
        assert!(service.get("mem_limit").is_some(), "{name} has no limit");
        assert!(
            list("security_opt").contains(&"no-new-privileges:true"),
            "{name}"
        );
        for port in list("ports") {
            assert!(
                open.contains(&port) || port.starts_with("127.0.0.1:"),
                "{name}: {port}"
            );
        }
        for volume in list("volumes") {
            let from = volume.split(':').next().unwrap();
            let there = match from.strip_prefix("./") {
                Some(path) => root().join(path).exists(),
                None => volumes.contains_key(from),
            };
            assert!(there, "{name}: {volume}");
        }
    }
    let address = compose.pointer("/services/caddy/networks/inside/ipv4_address");
    for who in ["tracker", "site"] {
        let name = format!("OPENTRACKER_{}__TRUSTED_PROXIES", who.to_uppercase());
        let path = format!("/services/{who}/environment/{name}");
        let trusted = compose.pointer(&path).unwrap().as_str().unwrap();
        let trusted: Vec<String> = serde_json::from_str(trusted).unwrap();
        assert_eq!(trusted, [address.unwrap().as_str().unwrap()]);
    }
    let image = std::fs::read_to_string(root().join("Dockerfile")).unwrap();
    for word in ["\nUSER opentracker\n", "\nHEALTHCHECK ", "--locked"] {
        assert!(image.contains(word), "{word}");
    }
    for path in [
        "deploy/prometheus/prometheus.yml",
        "deploy/grafana/provisioning/datasources/prometheus.yml",
        "deploy/grafana/provisioning/dashboards/opentracker.yml",
    ] {
        assert!(yaml(path).is_object(), "{path}");
    }
}

#[test]
fn each_role_has_a_container_of_its_own() {
    let compose = yaml("docker-compose.yml");
    let services = compose.get("services").and_then(Value::as_object).unwrap();
    let mut roles = vec![];
    for (name, service) in services {
        let command = service.get("command").and_then(Value::as_array);
        let words: Vec<&str> = command
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        if let ["serve", "--role", role] = *words.as_slice() {
            roles.push((name.as_str(), role));
        }
    }
    roles.sort_unstable();
    let apart = [
        ("more-trackers", "tracker"),
        ("site", "api"),
        ("tracker", "tracker"),
        ("worker", "worker"),
    ];
    assert_eq!(roles, apart);
}
