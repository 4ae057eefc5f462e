//! A site whose nodes have one role each, over one PostgreSQL and one Redis.

use std::time::{Duration, Instant};

use api::sign_in::scram::Purpose;
use domain::metainfo;
use infra::embedded::Embedded;
use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{Client, Options, Redis, Site, cluster, make, until};

use super::panic::{PANIC, restore, say};
use super::press::{PRESS, press};

const PASSWORD: &str = "correct horse battery";
const SOURCE: Option<&str> = Some("OpenTracker");

/// A node for each role, and its administrator at the pages.
struct Apart {
    worker: Site,
    tracker: Site,
    api: Site,
    admin: Client,
    shared: Vec<(String, String)>,
    _redis: Redis,
    _database: Embedded,
    _folder: TempDir,
}

fn only(role: &str, shared: &[(String, String)]) -> Options {
    Options {
        extra: shared.to_vec(),
        arguments: vec!["--role".to_owned(), role.to_owned()],
        ..Options::default()
    }
}

impl Apart {
    async fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let database = cluster::start(folder.path());
        let redis = Redis::start();
        let given = [
            ("DATABASE_URL", database.url().to_owned()),
            ("REDIS_URL", redis.url()),
        ];
        let mut shared = given.map(|(key, value)| (key.to_owned(), value)).to_vec();
        let worker = Site::start(only("worker", &shared)).await;
        let tracker = worker.beside_by(only("tracker", &shared)).await;
        let url = format!("http://{}/announce", tracker.announces);
        shared.push(("OPENTRACKER_ANNOUNCE__URL".to_owned(), url));
        let api = worker.beside_by(only("api", &shared)).await;
        let admin = api.client();
        admin.set_up("admin", PASSWORD).await;
        Self {
            worker,
            tracker,
            api,
            admin,
            shared,
            _redis: redis,
            _database: database,
            _folder: folder,
        }
    }

    /// Says something to every member, and gives whether the next page says it.
    async fn says(&self, text: &str) -> bool {
        let fields = [("text", text)];
        let answer = self.admin.post_form("/staff/announcement", &fields).await;
        assert_eq!(answer.status(), 303);
        self.admin.page("/torrents").await.contains(text)
    }
}

/// What a node answers on the port of its measures.
async fn ready(node: &Site) -> (u16, Value) {
    let url = format!("http://{}/health/ready", node.metrics);
    let answer = reqwest::get(url).await.unwrap();
    (answer.status().as_u16(), answer.json().await.unwrap())
}

async fn announce(url: &str, hash: &str, client: u8, rest: &str) -> String {
    let url = format!(
        "{url}&info_hash={hash}&peer_id=-TR3000-{client:012}&port=700{client}&left=0&downloaded=0{rest}"
    );
    let answer = reqwest::get(url).await.unwrap().bytes().await.unwrap();
    String::from_utf8_lossy(&answer).into_owned()
}

async fn is_open(address: std::net::SocketAddr) -> bool {
    tokio::net::TcpStream::connect(address).await.is_ok()
}

/// Uploads a torrent, and gives its id and how its hash is announced.
async fn upload(by: &Client, name: &str) -> (String, String) {
    let file = make::torrent(name, &make::payload(1, 50_000), SOURCE);
    let hash = metainfo::read(&file, "OpenTracker").unwrap().info_hash;
    let torrent = by.uploaded(file, "other", "").await;
    (torrent, make::encode(&hash.0))
}

#[tokio::test]
async fn a_node_opens_the_ports_of_its_role_and_tells_how_it_is() {
    let site = Apart::start().await;
    let (api, tracker, worker) = (&site.api, &site.tracker, &site.worker);
    for (node, opens) in [
        (api, [true, false]),
        (tracker, [false, true]),
        (worker, [false, false]),
    ] {
        let open = [is_open(node.address).await, is_open(node.announces).await];
        assert_eq!(open, opens);
        let (status, told) = ready(node).await;
        assert_eq!((status, &told["warnings"]), (200, &json!([])), "{told}");
        let measures = reqwest::get(format!("http://{}/metrics", node.metrics)).await;
        let measures = measures.unwrap().text().await.unwrap();
        let lag = "opentracker_projection_lag_positions{projection=\"torrent\"}";
        assert!(measures.contains(lag), "{measures}");
        assert!(measures.contains("opentracker_ready 1"), "{measures}");
    }
}

#[tokio::test]
async fn what_is_written_is_read_at_once_and_announced_elsewhere() {
    let site = Apart::start().await;
    // Whoever waits in vain for a projection takes two seconds.
    let began = Instant::now();
    for count in 0..10 {
        assert!(site.says(&format!("saying number {count}.")).await);
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(10), "{took:?}");
    site.admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    let alice = site.api.client();
    assert_eq!(alice.register("alice", PASSWORD).await.0, 201);
    let (torrent, hash) = upload(&site.admin, "lantern").await;
    assert!(site.admin.page("/torrents").await.contains("lantern"));
    // The search index is the node's own.
    assert!(
        site.admin
            .page("/torrents?q=lantern")
            .await
            .contains(&torrent)
    );

    let (own, hers) = (site.admin.announce_url().await, alice.announce_url().await);
    until("admission", Duration::from_secs(1), || async {
        let told = announce(&own, &hash, 1, "&uploaded=0&event=started").await;
        told.contains("8:completei1e").then_some(())
    })
    .await;
    announce(&own, &hash, 1, "&uploaded=1000").await;
    until("the credit", Duration::from_secs(10), || async {
        let page = site.admin.page("/members/admin").await;
        page.contains("1000 B").then_some(())
    })
    .await;
    until("the peer", Duration::from_secs(5), || async {
        let page = site.admin.page(&format!("/torrents/{torrent}")).await;
        page.contains("Transmission").then_some(())
    })
    .await;

    let told = announce(&hers, &hash, 2, "&uploaded=0").await;
    assert!(told.contains("8:completei2e"), "{told}");
    let fields = [("act", "ban"), ("reason", "a test"), ("hours", "24")];
    let banned = site.admin.post_form("/members/alice/sanction", &fields);
    assert_eq!(banned.await.status(), 303);
    until("the refusal", Duration::from_secs(1), || async {
        let told = announce(&hers, &hash, 2, "&uploaded=0").await;
        told.contains("you are banned").then_some(())
    })
    .await;
    let set = [("clients", "-qB")];
    let set = site.admin.post_form("/staff/settings/tracker", &set);
    assert_eq!(set.await.status(), 303);
    until("the rule", Duration::from_secs(1), || async {
        let told = announce(&own, &hash, 1, "&uploaded=1000").await;
        told.contains("client not allowed").then_some(())
    })
    .await;
}

#[tokio::test]
async fn where_a_worker_dies_another_goes_on_and_pages_and_announces_never_stop() {
    let mut site = Apart::start().await;
    let (torrent, hash) = upload(&site.admin, "lantern").await;
    let own = site.admin.announce_url().await;
    site.worker.kill();
    for node in [&site.api, &site.tracker] {
        assert_eq!(ready(node).await.0, 200, "it does what it is for");
    }
    assert!(!site.says("nobody hears this yet").await);
    assert!(site.admin.page("/torrents").await.contains(&torrent));
    // A node of the pages shows what there is, after a while, also where nobody moves it.
    site.api.stop();
    site.api.launch().await;
    assert!(site.api.log().contains("nobody moves the projections"));
    assert!(site.admin.page("/torrents").await.contains(&torrent));
    until("admission", Duration::from_secs(1), || async {
        let told = announce(&own, &hash, 1, "&uploaded=0").await;
        told.contains("8:completei1e").then_some(())
    })
    .await;

    let other = site.api.beside_by(only("worker", &site.shared)).await;
    until("the saying", Duration::from_secs(10), || async {
        let page = site.admin.page("/torrents").await;
        page.contains("nobody hears this yet").then_some(())
    })
    .await;
    assert!(site.says("the second worker hears this").await);
    // Of two that work, either may die at any time.
    site.worker.launch().await;
    drop(other);
    assert!(site.says("the first worker hears this").await);
}

#[tokio::test]
async fn a_panic_at_the_pages_darkens_every_role_and_each_comes_back() {
    let site = Apart::start().await;
    let (_, hash) = upload(&site.admin, "lantern").await;
    let own = site.admin.announce_url().await;
    let set = [("old", ""), ("new", PANIC), ("again", PANIC)];
    let set = site.admin.post_form("/staff/panic/password", &set).await;
    assert_eq!(set.status(), 303);
    until("admission", Duration::from_secs(1), || async {
        let told = announce(&own, &hash, 1, "&uploaded=0").await;
        told.contains("8:completei1e").then_some(())
    })
    .await;
    let body = press(&site.admin, Purpose::Panic, "admin", PASSWORD).await;
    let (status, told) = site.admin.post_json(PRESS, &body).await;
    assert!(status.is_success(), "{told}");
    until("the closed tracker", Duration::from_secs(1), || async {
        let told = announce(&own, &hash, 1, "&uploaded=0").await;
        told.contains("tracker is closed").then_some(())
    })
    .await;
    assert_eq!(site.admin.get("/torrents").await.status(), 503);
    let nodes = [&site.worker, &site.tracker, &site.api];
    for node in nodes {
        until("the dark", Duration::from_secs(10), || async {
            let key = node.data.join("keys/master.key").exists();
            let (status, told) = ready(node).await;
            let sealed = told.to_string().contains("the vault is seal");
            (status == 503 && sealed && !key).then_some(())
        })
        .await;
    }
    until("the sealed log", Duration::from_secs(30), || async {
        let told = say(&site.worker, &["status"], &[]);
        let told: Value = serde_json::from_slice(&told.stdout).ok()?;
        (told["state"] == "sealed").then_some(())
    })
    .await;

    // Each takes the password for its own key; the pages wait for who makes their tables anew.
    restore(&site.api);
    until("the wait", Duration::from_mins(1), || async {
        let (status, told) = ready(&site.api).await;
        let waits = told.to_string().contains("doesn't serve yet");
        (status == 503 && waits).then_some(())
    })
    .await;
    restore(&site.tracker);
    restore(&site.worker);
    for node in nodes {
        until("the open site", Duration::from_mins(1), || async {
            (ready(node).await.0 == 200).then_some(())
        })
        .await;
    }
    let back = site.api.client();
    assert_eq!(back.sign_in("admin", PASSWORD).await.0, 200);
    assert!(back.page("/torrents").await.contains("lantern"));
    until("admission", Duration::from_secs(5), || async {
        let told = announce(&own, &hash, 1, "&uploaded=0").await;
        told.contains("8:completei1e").then_some(())
    })
    .await;
}

#[tokio::test]
async fn roles_that_can_do_nothing_alone_are_refused_with_what_they_need() {
    let site = Site::placed(Options::default());
    for (roles, words) in [
        (&["worker"][..], "DATABASE_URL"),
        (&["api", "tracker"], "worker"),
        (&["pages"], "possible values: api, tracker, worker"),
    ] {
        let mut command = site.command(&site.data);
        command.arg("serve");
        for role in roles {
            command.args(["--role", role]);
        }
        let output = command.output().unwrap();
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && error.contains(words), "{error}");
    }
}
