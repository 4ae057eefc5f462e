//! What the dashboard, the alerts and the guides say of measures is what a running site measures.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;
use tests::{Options, Site, until};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// The measures of ours that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    let ours = words.filter(|word| word.starts_with("opentracker_") && !word.ends_with('_'));
    ours.map(str::to_owned).collect()
}

async fn measured(site: &Site) -> String {
    let page = reqwest::get(format!("http://{}/metrics", site.metrics));
    page.await.unwrap().text().await.unwrap()
}

/// What a site measures once it has a projection to tell of.
async fn samples(site: &Site) -> BTreeSet<String> {
    let text = until("measures", Duration::from_secs(10), || async {
        let text = measured(site).await;
        text.contains("opentracker_projection_position{")
            .then_some(text)
    });
    let text = text.await;
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let names = lines.map(|line| line.split([' ', '{']).next().unwrap().to_owned());
    names.collect()
}

#[tokio::test]
async fn every_measure_that_the_dashboard_the_alerts_and_the_guides_name_is_there() {
    let site = Site::start(Options::default()).await;
    let there = samples(&site).await;
    let board = read(&root().join("deploy/grafana/opentracker.json"));
    let board: Value = serde_json::from_str(&board).unwrap();
    let mut queries = 0;
    for panel in board["panels"].as_array().unwrap() {
        for target in panel["targets"].as_array().unwrap() {
            let query = target["expr"].as_str().unwrap();
            let names = named(query);
            assert!(!names.is_empty(), "nothing of ours in {query}");
            assert!(names.is_subset(&there), "{query}");
            queries += 1;
        }
    }
    assert!(queries > 15, "{queries}");
    let alerts = named(&read(&root().join("deploy/prometheus/alerts.yml")));
    assert!(alerts.len() > 8 && alerts.is_subset(&there), "{alerts:?}");
    for entry in std::fs::read_dir(root().join("docs")).unwrap().flatten() {
        let names = named(&read(&entry.path()));
        let missing: Vec<&String> = names.difference(&there).collect();
        assert!(
            missing.is_empty(),
            "{}: {missing:?}",
            entry.path().display()
        );
    }
}

#[tokio::test]
async fn measures_tell_of_the_process_and_of_what_it_stands_on() {
    let site = Site::start(Options::default()).await;
    let text = measured(&site).await;
    let value = |name: &str| {
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(&format!("{name} ")));
        let value = line.and_then(|value| value.parse::<f64>().ok());
        value.unwrap_or_else(|| panic!("no {name} in {text}"))
    };
    assert!((value("opentracker_ready") - 1.0).abs() < 0.1);
    assert!(value("opentracker_warnings").abs() < 0.1);
    assert!(value("opentracker_processor_seconds_total") > 0.0);
    assert!(value("opentracker_resident_memory_bytes") > 1_000_000.0);
    assert!(value("opentracker_threads") >= 2.0);
    assert!(value("opentracker_open_files") > 5.0);
    assert!(value("opentracker_most_files") > value("opentracker_open_files"));
    let busy = value("opentracker_database_connections{state=\"busy\"}");
    let free = value("opentracker_database_connections{state=\"free\"}");
    assert!(busy + free >= 16.0, "{busy} busy, {free} free");
    assert!(value("opentracker_request_seconds_count{kind=\"asset\",status=\"2xx\"}") >= 1.0);
    // Each says what it is.
    for line in text.lines().filter(|line| line.starts_with("# TYPE ")) {
        let name = line.split(' ').nth(2).unwrap();
        assert!(text.contains(&format!("# HELP {name} ")), "{name}");
    }
}

#[tokio::test]
async fn announces_are_measured_by_transport_and_outcome() {
    let site = Site::start(Options::default()).await;
    let url = format!(
        "http://{}/announce?passkey={}",
        site.announces,
        "0".repeat(32)
    );
    for rest in [
        "",
        "&info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-TR3000-000000000001&port=1&left=0&uploaded=0&downloaded=0",
    ] {
        let refused = reqwest::get(format!("{url}{rest}")).await.unwrap();
        assert!(refused.text().await.unwrap().contains("failure reason"));
    }
    let text = measured(&site).await;
    for line in [
        "opentracker_announces_total{transport=\"http\",outcome=\"invalid\"} 1",
        "opentracker_announces_total{transport=\"http\",outcome=\"passkey\"} 1",
        "opentracker_announces_total{transport=\"udp\",outcome=\"answered\"} 0",
        "opentracker_announce_seconds_count{transport=\"http\"} 2",
        "opentracker_announce_seconds_bucket{le=\"+Inf\",transport=\"http\"} 2",
    ] {
        assert!(text.contains(line), "no {line} in {text}");
    }
}

#[tokio::test]
async fn guides_are_read_by_whoever_asks_and_led_to_by_every_page() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", "correct horse battery staple").await;
    let stranger = site.client();
    assert!(stranger.page("/sign-in").await.contains("href=\"/help\""));
    let list = stranger.page("/help").await;
    let guides: Vec<&str> = list
        .split("href=\"/help/")
        .skip(1)
        .filter_map(|rest| rest.split('"').next())
        .collect();
    assert_eq!(guides.len(), 8, "{guides:?}");
    for guide in guides {
        let page = stranger.page(&format!("/help/{guide}")).await;
        assert!(
            page.contains("<h1>") && page.contains("class=\"prose\""),
            "{guide}"
        );
    }
    let own = admin.page("/help/member").await;
    assert!(own.contains("/sign-out"), "a member stays signed in");
    assert!(!stranger.page("/help/member").await.contains("/sign-out"));
    assert_eq!(stranger.get("/help/features").await.status(), 404);
    assert_eq!(stranger.get("/help/..%2fREADME").await.status(), 404);
}
