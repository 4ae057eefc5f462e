//! Many simulated clients over two nodes while everything is killed in turn: what is credited equals what
//! they claimed once they have announced again.

use std::net::SocketAddr;
use std::process::Command;
use std::time::Duration;

use domain::metainfo;
use futures::{StreamExt as _, stream};
use infra::embedded::Embedded;
use tests::{Client, Options, Redis, Site, make, until};
use tokio::net::UdpSocket;

const PASSWORD: &str = "correct horse battery";
/// Announces that are under way at once.
const TOGETHER: usize = 32;
/// Torrents that the clients share.
const TORRENTS: u8 = 5;

/// How many clients take part.
fn clients() -> u32 {
    match std::env::var("LONG_TESTS") {
        Ok(_) => 10_000,
        Err(_) => 1_000,
    }
}

/// One client's claims on one torrent; every third announces over UDP.
#[derive(Debug, Clone)]
struct Peer {
    number: u32,
    hash: [u8; 20],
    uploaded: u64,
    downloaded: u64,
    /// What earlier runs moved, before the client started again.
    before: (u64, u64),
}

/// Numbers without a pattern.
#[derive(Debug)]
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

struct World {
    one: Site,
    other: Site,
    admin: Client,
    redis: Redis,
    passkey: String,
    peers: Vec<Peer>,
    dice: Dice,
    http: reqwest::Client,
}

impl World {
    async fn start() -> Self {
        let redis = Redis::start();
        let shared = |database: Option<String>| Options {
            extra: [("REDIS_URL".to_owned(), redis.url())]
                .into_iter()
                .chain(database.map(|url| ("DATABASE_URL".to_owned(), url)))
                .chain([("OPENTRACKER_TRACKER__NODE".to_owned(), "two".to_owned())])
                .collect(),
            ..Options::default()
        };
        let mut first = shared(None);
        first.extra.pop();
        let one = Site::start(first).await;
        let admin = one.client();
        admin.set_up("admin", PASSWORD).await;
        let mut hashes = vec![];
        for seed in 0..TORRENTS {
            let payload = make::payload(seed, 50_000);
            let file = make::torrent(&format!("file{seed}"), &payload, Some("OpenTracker"));
            hashes.push(metainfo::read(&file, "OpenTracker").unwrap().info_hash.0);
            admin.uploaded(file, "other", "").await;
        }
        let url = admin.announce_url().await;
        let passkey = url.split("passkey=").nth(1).unwrap().to_owned();
        let database = Embedded::running(&one.data).unwrap();
        let other = one.beside_by(shared(Some(database))).await;
        let peer = |number: u32| Peer {
            number,
            hash: hashes[usize::try_from(number).unwrap() % hashes.len()],
            uploaded: 0,
            downloaded: 0,
            before: (0, 0),
        };
        Self {
            one,
            other,
            admin,
            redis,
            passkey,
            peers: (0..clients()).map(peer).collect(),
            dice: Dice(7),
            http: reqwest::Client::builder()
                .timeout(Duration::from_secs(5))
                .build()
                .unwrap(),
        }
    }

    /// Lets every client move something and announce at one of the nodes, which may be away; tells how
    /// many were answered.
    async fn round(&mut self, event: &'static str) -> usize {
        let nodes = [self.one.announces, self.other.announces];
        for peer in &mut self.peers {
            if event == "started" {
                peer.before.0 += peer.uploaded;
                peer.before.1 += peer.downloaded;
                (peer.uploaded, peer.downloaded) = (0, 0);
            } else {
                peer.uploaded += self.dice.roll(1_000);
                peer.downloaded += self.dice.roll(500);
            }
        }
        let dice = &mut self.dice;
        let places: Vec<usize> = self
            .peers
            .iter()
            .map(|_| usize::from(dice.roll(2) == 1))
            .collect();
        let (http, passkey) = (&self.http, &self.passkey);
        let announces = self
            .peers
            .iter()
            .zip(places)
            .map(|(peer, place)| async move {
                let node = nodes[place];
                if peer.number % 3 == 0 {
                    peer.udp(node, passkey, event).await.is_some()
                } else {
                    peer.http(http, node, passkey, event).await.is_some()
                }
            });
        let answered = stream::iter(announces).buffer_unordered(TOGETHER);
        answered
            .filter(|answered| futures::future::ready(*answered))
            .count()
            .await
    }

    fn claimed(&self) -> (u64, u64) {
        self.peers.iter().fold((0, 0), |sum, peer| {
            (
                sum.0 + peer.before.0 + peer.uploaded,
                sum.1 + peer.before.1 + peer.downloaded,
            )
        })
    }

    async fn ready(&self, node: &Site) {
        let url = node.url("/health/ready");
        until("readiness", Duration::from_mins(1), || async {
            let answer = reqwest::get(&url)
                .await
                .ok()?
                .json::<serde_json::Value>()
                .await
                .ok()?;
            (answer["ready"] == true && answer["warnings"].as_array()?.is_empty()).then_some(())
        })
        .await;
    }
}

impl Peer {
    async fn http(
        &self,
        http: &reqwest::Client,
        node: SocketAddr,
        passkey: &str,
        event: &str,
    ) -> Option<()> {
        let (uploaded, downloaded) = (self.uploaded, self.downloaded);
        let url = format!(
            "http://{node}/announce?passkey={passkey}&info_hash={}&peer_id=-TR3000-{:012}&port=7000\
             &uploaded={uploaded}&downloaded={downloaded}&left=5&event={event}&numwant=0",
            make::encode(&self.hash),
            self.number,
        );
        let answer = http.get(url).send().await.ok()?.bytes().await.ok()?;
        (!answer.windows(14).any(|window| window == b"failure reason")).then_some(())
    }

    async fn udp(&self, node: SocketAddr, passkey: &str, event: &str) -> Option<()> {
        let socket = UdpSocket::bind("127.0.0.1:0").await.ok()?;
        socket.connect(node).await.ok()?;
        let asked = [&0x0417_2710_1980_u64.to_be_bytes()[..], &[0; 8]].concat();
        let answer = exchange(&socket, &asked).await?;
        let mut packet = [answer.get(8..16)?, &[0, 0, 0, 1], b"tran"].concat();
        packet.extend(self.hash);
        packet.extend(format!("-TR3000-{:012}", self.number).bytes());
        for amount in [self.downloaded, 5, self.uploaded] {
            packet.extend(amount.to_be_bytes());
        }
        let event: u32 = match event {
            "started" => 2,
            "stopped" => 3,
            _ => 0,
        };
        packet.extend(event.to_be_bytes());
        packet.extend([0; 12]);
        packet.extend(7_000_u16.to_be_bytes());
        let url = format!("/announce/{passkey}");
        packet.extend([2, u8::try_from(url.len()).ok()?]);
        packet.extend(url.bytes());
        let answer = exchange(&socket, &packet).await?;
        (answer.get(..4)? == [0, 0, 0, 1]).then_some(())
    }
}

async fn exchange(socket: &UdpSocket, packet: &[u8]) -> Option<Vec<u8>> {
    socket.send(packet).await.ok()?;
    let mut answer = vec![0; 2_048];
    let wait = Duration::from_secs(2);
    let read = tokio::time::timeout(wait, socket.recv(&mut answer)).await;
    let length = read.ok()?.ok()?;
    answer.truncate(length);
    Some(answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_the_ledger_equals_the_claims_once_everybody_has_announced_again() {
    let mut world = World::start().await;
    let all = world.peers.len();
    until("admission", Duration::from_secs(10), || {
        let peer = world.peers[1].clone();
        let (http, passkey) = (world.http.clone(), world.passkey.clone());
        let nodes = [world.one.announces, world.other.announces];
        async move {
            peer.http(&http, nodes[0], &passkey, "started").await?;
            peer.http(&http, nodes[1], &passkey, "started").await
        }
    })
    .await;
    assert_eq!(world.round("started").await, all);
    assert_eq!(world.round("").await, all);

    world.other.kill();
    assert!(world.round("").await < all, "half of them find nobody");
    world.other.launch().await;
    assert_eq!(world.round("").await, all);

    world.redis.kill();
    assert_eq!(world.round("").await, all, "no announce needs Redis");
    world.redis.launch();

    let database = world.one.database_pid();
    let killed = Command::new("kill").args(["-9", &database]).status();
    assert!(killed.unwrap().success());
    assert_eq!(world.round("").await, all, "no announce needs the database");
    world.ready(&world.one).await;
    world.ready(&world.other).await;

    world.one.kill();
    world.round("").await;
    world.one.launch().await;
    world.ready(&world.other).await;

    // Everybody stops, starts again and goes on; both nodes have heard of the one before the next.
    for event in ["stopped", "started", "", "stopped"] {
        assert_eq!(world.round(event).await, all, "{event}");
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    // Sessions were gone with Redis.
    assert_eq!(world.admin.sign_in("admin", PASSWORD).await.0, 200);
    let claimed = world.claimed();
    until(
        "the ledger to equal the claims",
        Duration::from_mins(1),
        || async {
            let sums = super::clients::totals(&world.admin.page("/ledger").await);
            (sums == Some(claimed)).then_some(())
        },
    )
    .await;
    let proved = world.one.run_json(&["--json", "audit", "ledger"]);
    assert_eq!(proved["ok"], true);
    assert_eq!(proved["runs"], 2 * clients(), "two runs of each client");
    assert!(world.one.run(&["audit", "verify"]).status.success());
    println!(
        "{all} clients: {} bytes up and {} down, as claimed",
        claimed.0, claimed.1
    );
}
