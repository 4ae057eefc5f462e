//! Two nodes of a site over one PostgreSQL and one Redis.

use std::time::{Duration, Instant};

use domain::metainfo;
use infra::embedded::Embedded;
use tempfile::TempDir;
use tests::{Authenticator, Client, Cluster, Options, Redis, Site, cluster, make, until};

const PASSWORD: &str = "correct horse battery";
const SOURCE: Option<&str> = Some("OpenTracker");

/// Two nodes and a torrent.
struct Pair<R = Redis> {
    one: Site,
    other: Site,
    admin: Client,
    /// The announce's query but for what changes, with the passkey.
    query: String,
    redis: R,
    _database: Embedded,
    _folder: TempDir,
}

impl Pair {
    async fn start() -> Self {
        let redis = Redis::start();
        let url = redis.url();
        Self::over(redis, url).await
    }
}

impl<R> Pair<R> {
    async fn over(redis: R, url: String) -> Self {
        let folder = TempDir::new().unwrap();
        let database = cluster::start(folder.path());
        let extra = [
            ("DATABASE_URL", database.url().to_owned()),
            ("REDIS_URL", url),
            // Both are found at localhost.
            ("OPENTRACKER_SITE__ORIGIN", String::new()),
        ];
        let options = Options {
            extra: extra.map(|(key, value)| (key.to_owned(), value)).to_vec(),
            ..Options::default()
        };
        let one = Site::start(options).await;
        let admin = one.client();
        admin.set_up("admin", PASSWORD).await;
        let file = make::torrent("file", &make::payload(1, 50_000), SOURCE);
        let hash = make::encode(&metainfo::read(&file, "OpenTracker").unwrap().info_hash.0);
        admin.uploaded(file, "other", "").await;
        let url = admin.announce_url().await;
        let (_, passkey) = url.split_once('?').unwrap();
        let other = one.beside().await;
        Self {
            query: format!("{passkey}&info_hash={hash}"),
            one,
            other,
            admin,
            redis,
            _database: database,
            _folder: folder,
        }
    }

    /// Announces a client of the member at a node.
    async fn announce(&self, node: &Site, client: u8, rest: &str) -> String {
        let url = format!(
            "http://{}/announce?{}&peer_id=-TR3000-{client:012}&port={}{rest}",
            node.announces,
            self.query,
            7_000 + u16::from(client)
        );
        let answer = reqwest::get(url).await.unwrap();
        assert_eq!(answer.status(), 200);
        String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned()
    }

    async fn admitted(&self, node: &Site, client: u8, rest: &str) -> String {
        until("admission", Duration::from_secs(5), || async {
            Some(self.announce(node, client, rest).await).filter(|it| !it.contains("unknown"))
        })
        .await
    }
}

const SEEDS: &str = "&uploaded=0&downloaded=0&left=0";

#[tokio::test]
async fn a_session_a_peer_and_its_totals_are_known_on_both_nodes_and_a_restarted_one_has_everybody()
{
    let mut pair = Pair::start().await;
    // Who signed in at one node is signed in at the other.
    let there = pair.admin.at(&pair.other);
    assert_eq!(there.get("/torrents").await.status(), 200);
    pair.admitted(&pair.one, 1, SEEDS).await;
    let began = Instant::now();
    until("the other node", Duration::from_secs(5), || async {
        let answer = pair.announce(&pair.other, 1, SEEDS).await;
        answer.contains("8:completei1e").then_some(())
    })
    .await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");

    // A client that goes from node to node is credited once.
    for (place, uploaded) in [400_u32, 700, 1_000, 1_000].into_iter().enumerate() {
        let node = if place % 2 == 0 {
            &pair.one
        } else {
            &pair.other
        };
        let rest = format!("&uploaded={uploaded}&downloaded=0&left=0");
        pair.announce(node, 1, &rest).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    until("the credit", Duration::from_secs(10), || async {
        let page = pair.admin.page("/members/admin").await;
        page.contains("1000 B").then_some(())
    })
    .await;

    pair.other.kill();
    pair.other.launch().await;
    let answer = pair.announce(&pair.other, 2, SEEDS).await;
    assert!(answer.contains("8:completei2e"), "{answer}");
    let ready = pair.other.client().json("/health/ready").await;
    assert_eq!(ready["warnings"], serde_json::json!([]));
}

#[tokio::test]
async fn a_redis_cluster_serves_the_nodes_as_one_redis_does() {
    let cluster = Cluster::start();
    let url = cluster.url();
    let mut pair = Pair::over(cluster, url).await;
    let there = pair.admin.at(&pair.other);
    assert_eq!(there.get("/torrents").await.status(), 200);
    pair.admitted(&pair.one, 1, SEEDS).await;
    until("the other node", Duration::from_secs(5), || async {
        let answer = pair.announce(&pair.other, 2, SEEDS).await;
        answer.contains("8:completei2e").then_some(())
    })
    .await;
    until("the first node", Duration::from_secs(5), || async {
        let answer = pair.announce(&pair.one, 1, SEEDS).await;
        answer.contains("8:completei2e").then_some(())
    })
    .await;
    pair.other.kill();
    pair.other.launch().await;
    let answer = pair.announce(&pair.other, 3, SEEDS).await;
    assert!(answer.contains("8:completei3e"), "{answer}");
    let ready = pair.other.client().json("/health/ready").await;
    assert_eq!(ready["warnings"], serde_json::json!([]));
    // Announces go on, whatever becomes of it.
    for node in &mut pair.redis.nodes {
        node.kill();
    }
    let answer = pair.announce(&pair.one, 4, SEEDS).await;
    assert!(answer.contains("8:complete"), "{answer}");
}

#[tokio::test]
async fn a_ticket_is_good_at_each_node_and_a_code_at_one() {
    let pair = Pair::start().await;
    let mut device = pair.admin.enable_second_factor("admin", PASSWORD).await;
    let (here, there) = (pair.one.client(), pair.other.client());
    let ticket = here.ticket("admin", PASSWORD).await;
    let code = device.code().await;
    let other = there.ticket("admin", PASSWORD).await;
    assert_eq!(here.at(&pair.other).bring(&ticket, &code).await.0, 200);
    assert_eq!(here.get("/torrents").await.status(), 200);
    assert_eq!(there.bring(&other, &code).await.0, 401);
    assert_eq!(there.at(&pair.one).bring(&other, &code).await.0, 401);
    let next = device.code().await;
    assert_eq!(there.at(&pair.one).bring(&other, &next).await.0, 200);
}

#[tokio::test]
async fn a_key_that_was_asked_by_one_node_answers_the_other_once() {
    let pair = Pair::start().await;
    let at = |site: &Site| format!("http://localhost:{}", site.address.port());
    let mut key = Authenticator::new(&at(&pair.one), 1);
    pair.admin.add_key("admin", PASSWORD, &mut key).await;
    let here = pair.one.client();
    let there = here.at(&pair.other);
    let ticket = here.ticket("admin", PASSWORD).await;
    let asked = here.asked_of_key(&ticket).await;
    key.origin = at(&pair.other);
    let signed = key.sign(&asked);
    assert_eq!(there.bring_key(&ticket, &signed).await.0, 200);
    assert_eq!(here.get("/torrents").await.status(), 200);
    let ticket = there.ticket("admin", PASSWORD).await;
    for client in [&here, &there] {
        assert_eq!(client.bring_key(&ticket, &signed).await.0, 401);
    }
}

#[tokio::test]
async fn without_redis_announces_go_on_and_it_is_filled_again_when_it_is_back() {
    let mut pair = Pair::start().await;
    pair.admitted(&pair.one, 1, SEEDS).await;
    pair.redis.kill();
    let answer = pair.announce(&pair.one, 2, SEEDS).await;
    assert!(answer.contains("8:completei2e"), "{answer}");
    let warned = until("the warning", Duration::from_secs(20), || async {
        let ready = pair.one.client().json("/health/ready").await;
        ready["warnings"][0].as_str().map(str::to_owned)
    })
    .await;
    assert_eq!(warned, "Redis doesn't answer; this node goes on by itself");
    let sign_in = pair.one.client().get("/torrents").await.status().as_u16();
    assert!([303, 503].contains(&sign_in), "{sign_in}");
    let metrics = format!("http://{}/metrics", pair.one.metrics);
    until("the gauge", Duration::from_secs(20), || async {
        let text = reqwest::get(&metrics).await.ok()?.text().await.ok()?;
        text.contains("opentracker_tracker_alone 1").then_some(())
    })
    .await;
    pair.redis.launch();
    until("the other node", Duration::from_secs(20), || async {
        let answer = pair.announce(&pair.other, 3, SEEDS).await;
        answer.contains("8:completei3e").then_some(())
    })
    .await;
}

#[tokio::test]
async fn where_redis_lost_its_memory_a_node_that_starts_has_everybody_all_the_same() {
    let mut pair = Pair::start().await;
    pair.admitted(&pair.one, 1, SEEDS).await;
    pair.admitted(&pair.one, 2, SEEDS).await;
    pair.redis.kill();
    pair.redis.launch();
    // Nobody announces; the node tells what it knows.
    until("the swarms in Redis", Duration::from_secs(20), || async {
        let keys = pair.redis.ask(&["keys", "*"]);
        keys.contains("{swarms}").then_some(())
    })
    .await;
    pair.other.kill();
    pair.other.launch().await;
    let answer = pair.announce(&pair.other, 3, SEEDS).await;
    assert!(answer.contains("8:completei3e"), "{answer}");
}

#[tokio::test]
async fn a_panic_leaves_nothing_of_the_swarms_and_ends_every_session() {
    let pair = Pair::start().await;
    pair.admitted(&pair.one, 1, SEEDS).await;
    let set = super::panic::say(&pair.one, &["password"], &[super::panic::PANIC]);
    assert!(set.status.success());
    assert!(pair.redis.ask(&["keys", "*"]).contains("{swarms}"));
    super::panic::activate(&pair.one);
    until("an empty Redis", Duration::from_secs(10), || async {
        let keys = pair.redis.ask(&["keys", "*"]);
        (!keys.contains("{swarms}") && !keys.contains("{talk}")).then_some(())
    })
    .await;
    super::panic::restore(&pair.one);
    until("the site", Duration::from_mins(1), || async {
        let status = pair.admin.get("/torrents").await.status();
        // Signed out: sent to the sign-in.
        (status == 303).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_panic_needs_no_redis_and_what_stays_there_is_of_no_use_afterwards() {
    let mut pair = Pair::start().await;
    pair.admitted(&pair.one, 1, SEEDS).await;
    let set = super::panic::say(&pair.one, &["password"], &[super::panic::PANIC]);
    assert!(set.status.success());
    // Cut off from it, the nodes can't remove what it holds.
    pair.redis.pause();
    super::panic::activate(&pair.one);
    for node in [&pair.one, &pair.other] {
        until("the dark", Duration::from_secs(10), || async {
            let status = node.client().get("/sign-in").await.status();
            (status == 503).then_some(())
        })
        .await;
    }
    pair.redis.go_on();
    assert!(pair.redis.ask(&["keys", "*"]).contains("{session:"));
    super::panic::restore(&pair.one);
    until("the site", Duration::from_mins(1), || async {
        let status = pair.admin.get("/torrents").await.status();
        (status == 303).then_some(())
    })
    .await;
}

#[tokio::test]
async fn what_the_site_sets_holds_on_every_node_within_a_second() {
    let pair = Pair::start().await;
    for node in [&pair.one, &pair.other] {
        pair.admitted(node, 1, SEEDS).await;
    }
    let set = [("clients", "-qB")];
    let answer = pair.admin.post_form("/staff/settings/tracker", &set).await;
    assert_eq!(answer.status(), 303);
    let began = Instant::now();
    for node in [&pair.one, &pair.other] {
        until("the rule", Duration::from_secs(5), || async {
            let told = pair.announce(node, 1, SEEDS).await;
            told.contains("client not allowed").then_some(())
        })
        .await;
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[tokio::test]
async fn a_role_that_one_node_gives_or_takes_away_holds_at_the_next_request_of_another() {
    let pair = Pair::start().await;
    let (admin, open) = (&pair.admin, [("registration", "open")]);
    admin.post_form("/staff/registration", &open).await;
    let alice = pair.one.client();
    assert_eq!(alice.register("alice", PASSWORD).await.0, 201);
    let alice = alice.at(&pair.other);
    let fields = [("name", "Guides"), ("colour", "red"), ("may-torrents", "1")];
    let made = admin.post_form("/staff/roles", &fields).await;
    assert_eq!(made.status(), 303);
    let page = admin.page("/members/alice").await;
    let role = page.split("id=\"own-role\"").nth(1).unwrap();
    let role = role.split("value=\"").nth(1).unwrap();
    let role = role.split('"').next().unwrap();
    for (act, status) in [("grant", 200), ("withdraw", 403), ("grant", 200)] {
        let fields = [("act", act), ("role", role)];
        let handed = admin.post_form("/members/alice/roles", &fields).await;
        assert_eq!(handed.status(), 303);
        assert_eq!(alice.get("/staff/queue").await.status(), status, "{act}");
    }
    let retire = format!("/staff/roles/{role}/retire");
    assert_eq!(admin.post_form(&retire, &[]).await.status(), 303);
    assert_eq!(alice.get("/staff/queue").await.status(), 403);
}

#[tokio::test]
async fn redis_is_spoken_to_over_tls_where_its_certificate_is_trusted() {
    let redis = Redis::secured();
    let start = async |trusted: Option<String>| {
        let extra = [("REDIS_URL", Some(redis.url())), ("SSL_CERT_FILE", trusted)];
        let given = extra.into_iter();
        let given = given.filter_map(|(key, value)| Some((key.to_owned(), value?)));
        Site::start(Options {
            extra: given.collect(),
            ..Options::default()
        })
        .await
    };
    let warnings = async |site: &Site| {
        let told = site.client().page("/health/ready").await;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        told["warnings"].as_array().unwrap().len()
    };
    let certificate = redis.certificate().display().to_string();
    assert_eq!(warnings(&start(Some(certificate)).await).await, 0);
    assert_eq!(
        warnings(&start(None).await).await,
        1,
        "anybody could be there"
    );
}
