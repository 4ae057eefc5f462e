//! Everything at once for a while: clients announce, members write, read and search, projections are
//! rebuilt, a node stops, falls and comes back. What must hold is looked at all the while: the chain, the
//! books, what members see of what they did, and at the end the memory, the files, and every row.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::header::LOCATION;
use tests::{Client, Site, make, rebuild, tally, until};

use crate::crowd::{Check, crowds};
use crate::is_long;
use crate::ways::{Event, Transport};
use crate::world::{World, agreed};

/// Clients that announce beside everything else.
const CLIENTS: u32 = 200;
/// Between two things that a member does.
const PAUSE: Duration = Duration::from_millis(200);
/// Between two looks at what a node holds.
const SAMPLE: Duration = Duration::from_secs(1);
/// How long it must last for memory to have found its level.
const LEVEL: Duration = Duration::from_mins(5);
/// What is rebuilt in turn.
const REBUILT: [&str; 4] = ["topic", "traffic", "torrent", "notification"];

/// How long it lasts: as `SOAK_SECONDS` says, or as long as there is time.
fn duration() -> Duration {
    let said = std::env::var("SOAK_SECONDS").ok();
    let said = said.map(|seconds| seconds.parse().unwrap());
    Duration::from_secs(said.unwrap_or(if is_long() { 300 } else { 15 }))
}

async fn sent(client: &Client, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = client.post_form(path, fields).await;
    assert_eq!(answer.status(), 303, "{path}");
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

/// Waits for a page to show what was written. It does so at once, but waits no longer than two seconds for
/// a projection that is late, as one may be where processors are few.
async fn sees(client: &Client, page: &str, word: &str) {
    until(word, Duration::from_secs(20), || async {
        client.page(page).await.contains(word).then_some(())
    })
    .await;
}

/// Lets a member write, read and search until it is enough, and see at once what they did; gives how much.
async fn take_part(
    client: Client,
    name: String,
    torrent: String,
    enough: Arc<AtomicBool>,
) -> usize {
    let mut acts = 0;
    let mut topic = String::new();
    while !enough.load(Ordering::Relaxed) {
        let word = format!("{name}x{acts}z");
        if acts % 20 == 0 {
            // Another word than the reply's, which is looked for on the topic's page.
            let title = format!("{name}t{acts}z");
            let fields = [("title", title.as_str()), ("text", "A topic of @admin")];
            topic = sent(&client, "/forum/general/new", &fields).await;
            let (found, link) = (format!("/forum/search?q={title}"), format!(">{title}</a>"));
            sees(&client, &found, &link).await;
        }
        let post = sent(&client, &format!("{topic}/reply"), &[("text", &word)]).await;
        sees(&client, &topic, &word).await;
        if acts % 4 == 0 {
            let edit = format!("{}/edit", post.split('#').next().unwrap());
            sent(&client, &edit, &[("text", &format!("{word} again"))]).await;
        }
        let comments = format!("/torrents/{torrent}/comments");
        sent(&client, &comments, &[("text", &word)]).await;
        for page in [
            "/",
            "/torrents?q=file",
            "/forum",
            "/notifications",
            "/statistics",
        ] {
            client.page(page).await;
        }
        acts += 1;
        tokio::time::sleep(PAUSE).await;
    }
    acts
}

/// What a node holds: resident bytes and open files.
async fn held(metrics: SocketAddr) -> (f64, f64) {
    let text = reqwest::get(format!("http://{metrics}/metrics")).await;
    let text = text.unwrap().text().await.unwrap();
    let value = |name: &str| {
        let mut lines = text.lines();
        let line = lines.find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim().parse().unwrap()
    };
    (
        value("opentracker_resident_memory_bytes "),
        value("opentracker_open_files "),
    )
}

/// One round of the staff: an upload is found at once, a projection is rebuilt, the other node goes and
/// comes back, and the log and the books are proved.
async fn round(world: &mut World, number: usize) {
    let payload = make::payload(u8::try_from(number % 250).unwrap(), 20_000);
    let name = format!("soaked{number}");
    let file = make::torrent(&name, &payload, Some("OpenTracker"));
    let admin = world.members[0].client.clone();
    let id = admin.uploaded(file, "other", "").await;
    sees(&admin, &format!("/torrents?q={name}"), &id).await;
    let (first, others) = world.nodes.split_first_mut().unwrap();
    runs(
        first,
        &["projections", "rebuild", REBUILT[number % REBUILT.len()]],
    );
    for other in others {
        if number.is_multiple_of(2) {
            other.stop();
        } else {
            other.kill();
        }
        other.launch().await;
    }
    runs(first, &["audit", "verify"]);
    runs(first, &["audit", "ledger"]);
}

fn runs(node: &Site, arguments: &[&str]) {
    let output = node.run(arguments);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
}

/// Looks at what a node holds until it is enough: resident bytes and open files.
async fn watched(metrics: SocketAddr, enough: Arc<AtomicBool>) -> (Vec<f64>, Vec<f64>) {
    let (mut memory, mut files) = (vec![], vec![]);
    while !enough.load(Ordering::Relaxed) {
        let (bytes, open) = held(metrics).await;
        memory.push(bytes);
        files.push(open);
        tokio::time::sleep(SAMPLE).await;
    }
    (memory, files)
}

/// The middle of some figures, and what all but one in a hundred stay below.
fn quantiles(figures: &[f64]) -> [f64; 2] {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    [sorted[sorted.len() / 2], sorted[sorted.len() * 99 / 100]]
}

/// The quantiles of the last third and of the one before it, in which they have found their level.
fn thirds(figures: &[f64]) -> ([f64; 2], [f64; 2]) {
    let third = figures.len() / 3;
    let (level, last) = figures[third..].split_at(third);
    (quantiles(level), quantiles(last))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn what_must_hold_holds_while_everything_goes_on() {
    let mut world = World::pair().await;
    world.admitted().await;
    let enough = Arc::new(AtomicBool::new(false));
    let members = world.members.iter().zip(&world.torrents);
    let members: Vec<_> = members
        .map(|(member, torrent)| {
            let (client, name) = (member.client.clone(), member.name.clone());
            let (torrent, enough) = (torrent.id.clone(), Arc::clone(&enough));
            tokio::spawn(take_part(client, name, torrent, enough))
        })
        .collect();
    let begun = crowds(
        &world,
        CLIENTS,
        &[Transport::Http, Transport::Udp, Transport::Ws],
    );
    let running: Vec<_> = begun
        .into_iter()
        .map(|crowd| {
            let enough = Arc::clone(&enough);
            let begun = crowd.all(Event::Started, Check::Nothing);
            tokio::spawn(async move { begun.await.go_on(&enough, Check::Nothing).await })
        })
        .collect();
    let (began, lasts) = (Instant::now(), duration());
    let watching = tokio::spawn(watched(world.nodes[0].metrics, Arc::clone(&enough)));
    let mut rounds = 0;
    while began.elapsed() < lasts || rounds < 2 {
        round(&mut world, rounds).await;
        rounds += 1;
    }
    enough.store(true, Ordering::Relaxed);
    let (memory, files) = watching.await.unwrap();
    let acts: usize = join_all(members)
        .await
        .into_iter()
        .map(Result::unwrap)
        .sum();
    let ended = join_all(running).await.into_iter().map(Result::unwrap);
    let ended = ended.map(|crowd| crowd.all(Event::Update, Check::Nothing));
    let mut ended = join_all(ended).await;
    agreed(&world, &mut ended).await;
    world.settled(&ended).await;
    rebuild::rebuilt_rows_are_the_same(&world.nodes[0]).await;
    let (level, last) = thirds(&memory);
    let [middle, peak] = [last[0] / level[0], last[1] / level[1]];
    if lasts >= LEVEL {
        assert!(middle < 1.05, "{middle} of the level: {memory:?}");
        assert!(peak < 1.05, "{peak} of the peaks: {memory:?}");
        let (level, last) = thirds(&files);
        assert!(last[1] - level[1] < 30.0, "more files: {files:?}");
    }
    let announces = crate::crowd::tally(&ended).announces;
    let text = format!(
        "{} s of everything at once: {acts} acts of members, {announces} announces, {rounds} rebuilds and \
         restarts, memory {middle:.3} of its level and {peak:.3} at its peaks, nothing broken",
        began.elapsed().as_secs()
    );
    tally("soak", &text);
}
