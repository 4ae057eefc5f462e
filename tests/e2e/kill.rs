//! Killed at any moment, the program keeps what it acknowledged, and nothing twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, SystemTime};

use projections::torrent::search::{Narrow, Search};
use serde_json::Value;
use tests::{Client, Options, Site, make};

use crate::rebuild::rebuilt_rows_are_the_same;

const PASSWORD: &str = "correct horse battery";
/// Writers at once.
const WRITERS: usize = 4;

/// Five kills, or fifty where there is time.
fn rounds() -> usize {
    if std::env::var_os("LONG_TESTS").is_some() {
        50
    } else {
        5
    }
}

/// What was acknowledged: the torrent of each key, the word that an edit put into one, and the
/// announcements.
#[derive(Default, Clone)]
struct Acknowledged {
    torrents: BTreeMap<String, String>,
    words: BTreeMap<String, String>,
    announcements: BTreeSet<String>,
}

/// Uploads under keys that count up, and edits; the one that was cut off is asked for again.
async fn upload(client: &Client, writer: usize, next: &mut usize, done: &mut Acknowledged) {
    loop {
        let key = format!("{writer}-{next}");
        let payload = make::payload(1, 20_000);
        let file = make::torrent(&format!("file-{key}"), &payload, Some("OpenTracker"));
        let answer = client.upload_once(&key, file).await;
        assert_eq!(answer.status(), 303, "{key}");
        let location = answer.headers()["location"].to_str().unwrap().to_owned();
        let id = location.trim_start_matches("/torrents/").to_owned();
        let word = format!("w{writer}x{next}z");
        done.torrents.insert(key, id.clone());
        *next += 1;
        let fields = [("category", "other"), ("description", word.as_str())];
        let edited = client.post_form(&format!("{location}/edit"), &fields).await;
        assert_eq!(edited.status(), 303);
        done.words.insert(word, id);
    }
}

async fn announce(client: &Client, next: &mut usize, done: &mut BTreeSet<String>) {
    loop {
        let text = format!("announcement {next}");
        *next += 1;
        let answer = client
            .post_form("/staff/announcement", &[("text", &text)])
            .await;
        assert_eq!(answer.status(), 303);
        done.insert(text);
    }
}

/// Writes until a moment that nobody knows beforehand.
async fn write(client: &Client, next: &mut [usize; WRITERS], done: &mut Acknowledged) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let moment = Duration::from_millis(100 + u64::from(now.unwrap().subsec_nanos()) / 1_000 % 500);
    let [said, uploaded @ ..] = next;
    let mut own = vec![Acknowledged::default(); uploaded.len()];
    let uploads = uploaded.iter_mut().zip(&mut own).enumerate();
    let uploads = uploads.map(|(writer, (next, done))| upload(client, writer, next, done));
    tokio::select! {
        _ = futures::future::join_all(uploads) => {}
        () = announce(client, said, &mut done.announcements) => {}
        () = tokio::time::sleep(moment) => {}
    }
    for own in own {
        done.torrents.extend(own.torrents);
        done.words.extend(own.words);
    }
}

#[tokio::test]
async fn whatever_was_acknowledged_is_there_once_after_kills_at_any_moment() {
    let on_disk = ("OPENTRACKER_SEARCH__INDEX".to_owned(), "disk".to_owned());
    let options = Options {
        extra: vec![on_disk],
        ..Options::default()
    };
    let mut site = Site::start(options).await;
    site.client().set_up("admin", PASSWORD).await;
    let (mut next, mut done) = ([0; WRITERS], Acknowledged::default());
    let enough =
        |done: &Acknowledged| done.torrents.len() > rounds() && done.announcements.len() > rounds();
    let mut round = 0;
    // A slow machine may acknowledge little before it is killed.
    while round < rounds() || !enough(&done) {
        assert!(round < 10 * rounds(), "nothing is acknowledged");
        round += 1;
        let client = site.client();
        assert_eq!(client.sign_in("admin", PASSWORD).await.0, 200);
        write(&client, &mut next, &mut done).await;
        site.kill();
        site.launch().await;
    }
    let uploaded = logged(&site, "TorrentUploaded");
    for (key, torrent) in &done.torrents {
        let found = uploaded.iter().filter(|event| {
            event["payload"]["TorrentUploaded"]["name"] == format!("file-{key}").as_str()
        });
        let streams: Vec<&Value> = found.map(|event| &event["stream"]).collect();
        assert_eq!(
            streams,
            [&Value::from(format!("torrent-{torrent}"))],
            "{key}"
        );
    }
    let names: BTreeSet<String> = uploaded
        .iter()
        .map(|event| event["payload"]["TorrentUploaded"]["name"].to_string())
        .collect();
    assert_eq!(names.len(), uploaded.len(), "nothing is there twice");
    let announced = logged(&site, "AnnouncementSet");
    for text in &done.announcements {
        assert!(
            announced
                .iter()
                .any(|event| event["payload"]["AnnouncementSet"]["text"] == text.as_str()),
            "{text}"
        );
    }
    assert_eq!(site.run_json(&["--json", "audit", "verify"])["ok"], true);
    rebuilt_rows_are_the_same(&site).await;
    site.kill();
    let index = Search::on_disk(&site.data.join("search")).unwrap();
    is_indexed(&index, names.len(), &done.words);
}

/// Each torrent is in the index once, with what its last edit said.
fn is_indexed(index: &Search, torrents: usize, words: &BTreeMap<String, String>) {
    let found = index
        .find("file", &Narrow::default(), torrents + 1)
        .unwrap();
    assert_eq!(found.len(), torrents);
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>().len(), torrents);
    assert!(!words.is_empty());
    for (word, torrent) in words {
        let found: Vec<String> = index
            .find(word, &Narrow::default(), 10)
            .unwrap()
            .iter()
            .map(ToString::to_string)
            .collect();
        assert_eq!(&found, std::slice::from_ref(torrent), "{word}");
    }
}

fn logged(site: &Site, event: &str) -> Vec<Value> {
    let output = site.run(&[
        "--json", "audit", "log", "--event", event, "--limit", "100000",
    ]);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}
