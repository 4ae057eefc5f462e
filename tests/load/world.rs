//! The nodes, members and torrents that the clients use.

use std::time::{Duration, Instant};

use domain::metainfo;
use infra::embedded::Embedded;
use tempfile::TempDir;
use tests::{Client, Options, Redis, Site, cluster, ledger, make, until};

use crate::crowd::{Crowd, claims};
use crate::ways::Ways;

pub(crate) const PASSWORD: &str = "correct horse battery";
/// Members that the clients belong to; the first is the administrator.
const MEMBERS: usize = 6;
/// Torrents that they share.
const TORRENTS: u8 = 12;

/// A member who is signed in.
pub(crate) struct Member {
    pub(crate) name: String,
    pub(crate) client: Client,
    pub(crate) passkey: String,
}

pub(crate) struct Torrent {
    pub(crate) id: String,
    pub(crate) hash: [u8; 20],
}

pub(crate) struct World {
    pub(crate) nodes: Vec<Site>,
    pub(crate) members: Vec<Member>,
    pub(crate) torrents: Vec<Torrent>,
    pub(crate) redis: Option<Redis>,
    _database: Option<(Embedded, TempDir)>,
}

/// Settings as the default, but for what so many clients on one machine need.
fn options(extra: &[(&str, String)]) -> Options {
    let most = ("OPENTRACKER_TRACKER__MOST_SOCKETS", "1000".to_owned());
    let extra = extra.iter().chain([&most]);
    Options {
        extra: extra
            .map(|(key, value)| ((*key).to_owned(), value.clone()))
            .collect(),
        ..Options::default()
    }
}

impl World {
    /// One node with everything of its own.
    pub(crate) async fn alone() -> Self {
        let site = Site::start(options(&[])).await;
        Self::of(vec![site], None, None).await
    }

    /// Two nodes on one Redis; the database is the first one's own.
    pub(crate) async fn pair() -> Self {
        let redis = Redis::start();
        let url = ("REDIS_URL", redis.url());
        let one = Site::start(options(std::slice::from_ref(&url))).await;
        let database = ("DATABASE_URL", Embedded::running(&one.data).unwrap());
        let node = ("OPENTRACKER_TRACKER__NODE", "two".to_owned());
        let other = one.beside_by(options(&[url, database, node])).await;
        Self::of(vec![one, other], Some(redis), None).await
    }

    /// Two nodes on one Redis and a database that is given.
    pub(crate) async fn given() -> Self {
        let folder = TempDir::new().unwrap();
        let database = cluster::start(folder.path());
        let redis = Redis::start();
        let urls = [
            ("REDIS_URL", redis.url()),
            ("DATABASE_URL", database.url().to_owned()),
        ];
        let one = Site::start(options(&urls)).await;
        let [redis_url, database_url] = urls;
        let node = ("OPENTRACKER_TRACKER__NODE", "two".to_owned());
        let other = one
            .beside_by(options(&[redis_url, database_url, node]))
            .await;
        Self::of(vec![one, other], Some(redis), Some((database, folder))).await
    }

    async fn of(
        nodes: Vec<Site>,
        redis: Option<Redis>,
        database: Option<(Embedded, TempDir)>,
    ) -> Self {
        let admin = nodes[0].client();
        admin.set_up("admin", PASSWORD).await;
        let open = [("registration", "open")];
        admin.post_form("/staff/registration", &open).await;
        let mut torrents = vec![];
        for seed in 0..TORRENTS {
            let payload = make::payload(seed, 50_000);
            let file = make::torrent(&format!("file{seed}"), &payload, Some("OpenTracker"));
            let hash = metainfo::read(&file, "OpenTracker").unwrap().info_hash.0;
            let id = admin.uploaded(file, "other", "").await;
            torrents.push(Torrent { id, hash });
        }
        let mut members = vec![];
        for number in 0..MEMBERS {
            let client = if number == 0 {
                admin.clone()
            } else {
                nodes[0].client()
            };
            let name = match number {
                0 => "admin".to_owned(),
                _ => format!("member{number}"),
            };
            if number > 0 {
                assert_eq!(client.register(&name, PASSWORD).await.0, 201);
            }
            let url = client.announce_url().await;
            let passkey = url.split("passkey=").nth(1).unwrap().to_owned();
            members.push(Member {
                name,
                client,
                passkey,
            });
        }
        Self {
            nodes,
            members,
            torrents,
            redis,
            _database: database,
        }
    }

    /// Waits until every node knows every member and every torrent.
    pub(crate) async fn admitted(&self) {
        for node in &self.nodes {
            for (member, torrent) in self.members.iter().zip(&self.torrents) {
                until("admission", Duration::from_secs(10), || async {
                    let mut ways = Ways::to(node.announces);
                    let last = self.torrents.last()?;
                    ways.scrape(&member.passkey, torrent.hash).await?;
                    ways.scrape(&member.passkey, last.hash).await
                })
                .await;
            }
        }
    }

    /// Waits until a node has everything that it needs.
    pub(crate) async fn ready(&self, node: usize) {
        let url = self.nodes[node].url("/health/ready");
        until("readiness", Duration::from_mins(1), || async {
            let answer = reqwest::get(&url).await.ok()?;
            let answer = answer.json::<serde_json::Value>().await.ok()?;
            (answer["ready"] == true && answer["warnings"].as_array()?.is_empty()).then_some(())
        })
        .await;
    }

    /// Waits until each member is credited with what the clients claim, then proves the books.
    pub(crate) async fn settled(&self, crowds: &[Crowd]) {
        for (member, claimed) in claims(crowds) {
            let member = &self.members[member];
            // Sessions may have gone with Redis.
            let signed_in = member.client.sign_in(&member.name, PASSWORD).await;
            assert_eq!(signed_in.0, 200);
            let end = Instant::now() + Duration::from_mins(1);
            loop {
                let page = member.client.get("/ledger").await.text().await;
                let credited = ledger::totals(&page.unwrap());
                if credited == Some(claimed) {
                    break;
                }
                let late = Instant::now() >= end;
                assert!(
                    !late,
                    "{} claims {claimed:?}, has {credited:?}",
                    member.name
                );
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            let profile = member
                .client
                .page(&format!("/members/{}", member.name))
                .await;
            for total in [claimed.0, claimed.1] {
                assert!(profile.contains(&format!("{total} bytes")), "{total}");
            }
        }
        let proved = self.nodes[0].run_json(&["--json", "audit", "ledger"]);
        assert_eq!(proved["ok"], true, "{proved}");
        assert!(self.nodes[0].run(&["audit", "verify"]).status.success());
    }
}

/// Waits until every node says of every torrent what the model says.
pub(crate) async fn agreed(world: &World, crowds: &mut [Crowd]) {
    for (node, _) in world.nodes.iter().enumerate() {
        for crowd in &mut *crowds {
            let end = Instant::now() + Duration::from_secs(20);
            while !crowd.agrees(node).await {
                let late = Instant::now() >= end;
                assert!(!late, "node {node}: {}", crowd.difference(node).await);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
    }
}
