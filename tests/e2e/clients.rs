//! Two real clients and a browser in a network of their own: a member registers and uploads in the
//! browser, transmission seeds, aria2 downloads, and what is credited equals what they claimed.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use tests::browser::{Eyes, PANIC};
use tests::claims::Claims;
pub(crate) use tests::ledger::{sums, totals};
use tests::{Browser, Options, Site, make, until};

use crate::panic::{activate, say, vault};

const PASSWORD: &str = "correct horse battery";
/// The file's bytes: at 2 MB/s some seconds, long enough to kill the program in the middle.
const LENGTH: usize = 12_000_000;
/// Says that the test runs within its own network.
const INSIDE: &str = "NETWORK_OF_ITS_OWN";
/// Brings up a network with nothing but itself; Transmission refuses peers on 127.0.0.0/8.
const NETWORK: &str =
    "ip link set lo up; for i in 1 2 3; do ip addr add 10.77.0.$i/32 dev lo; done; exec \"$@\"";

/// Runs a test of this file within a network of its own; tells whether it is there already.
fn within_network(test: &str) -> bool {
    if std::env::var_os(INSIDE).is_some() {
        return true;
    }
    let mut command = Command::new("unshare");
    if !tests::disk::is_root() {
        // Still the same user, who may set up the network: PostgreSQL refuses root of any kind.
        command.args(["--map-current-user", "--keep-caps"]);
    }
    command
        .args(["-n", "sh", "-c", NETWORK, "sh"])
        .arg(std::env::current_exe().unwrap());
    command
        .args([&format!("clients::{test}"), "--exact", "--nocapture"])
        .env(INSIDE, "1");
    assert!(
        command.status().unwrap().success(),
        "the test failed within its network"
    );
    false
}

/// A client that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ended = self.0.kill();
        let _waited = self.0.wait();
    }
}

struct World {
    site: Site,
    claims: Claims,
    folder: PathBuf,
    payload: Vec<u8>,
}

impl Drop for World {
    fn drop(&mut self) {
        if std::thread::panicking() {
            {
                let log = "transmission.log";
                eprintln!(
                    "--- {log} ---\n{}",
                    std::fs::read_to_string(self.folder.join(log)).unwrap_or_default()
                );
            }
            eprintln!("--- claims ---\n{:#?}", self.claims.all());
        }
    }
}

impl World {
    /// A site whose tracker is reached through a proxy that writes down what clients claim.
    async fn new() -> Self {
        let claims = Claims::listen("10.77.0.1").await;
        let extra = vec![
            (
                "OPENTRACKER_ANNOUNCE__URL".to_owned(),
                format!("http://{}/announce", claims.address),
            ),
            (
                "OPENTRACKER_TRACKER__TRUSTED_PROXIES".to_owned(),
                "[\"127.0.0.1\"]".to_owned(),
            ),
        ];
        let site = Site::start(Options {
            interval: 3,
            extra,
            ..Options::default()
        })
        .await;
        claims.forward_to(site.announces);
        let folder = site.data.join("../clients");
        std::fs::create_dir_all(&folder).unwrap();
        Self {
            site,
            claims,
            folder,
            payload: make::payload(7, LENGTH),
        }
    }

    /// The administrator uploads in a browser; gives both members' .torrent files.
    async fn upload(&self) -> (PathBuf, PathBuf) {
        let base = self.site.url("");
        let browser = Browser::open(&base, Eyes::default()).await;
        browser.join("/setup", "seeder", PASSWORD).await;
        browser.go("/staff").await;
        browser.press("button[value=open]").await;
        browser.find("button[value=closed]").await;
        browser.go("/upload").await;
        let made = self.folder.join("made.torrent");
        std::fs::write(&made, make::torrent("film.bin", &self.payload, None)).unwrap();
        browser
            .fill("#torrent", made.canonicalize().unwrap().to_str().unwrap())
            .await;
        let category = browser.find("#category").await;
        category.select_by_value("movies").await.unwrap();
        browser.press("form[data-upload] button[type=submit]").await;
        let wait = browser.page.wait().at_most(Duration::from_secs(30));
        let link = fantoccini::Locator::LinkText("Go to the torrent");
        let href = wait.for_element(link).await.unwrap();
        let id = href
            .attr("href")
            .await
            .unwrap()
            .unwrap()
            .trim_start_matches("/torrents/")
            .to_owned();
        browser.press("form[action='/sign-out'] button").await;
        browser.arrive("/sign-in").await;
        browser.join("/register", "leecher", PASSWORD).await;
        browser.close().await;
        (
            self.own_file("seeder", &id).await,
            self.own_file("leecher", &id).await,
        )
    }

    async fn own_file(&self, name: &str, id: &str) -> PathBuf {
        let client = self.site.client();
        assert_eq!(client.sign_in(name, PASSWORD).await.0, 200);
        let file = self.folder.join(format!("{name}.torrent"));
        std::fs::write(&file, client.download(id).await).unwrap();
        file
    }

    fn seed(&self, torrent: &Path) -> Running {
        let (config, data) = (self.folder.join("transmission"), self.folder.join("seed"));
        std::fs::create_dir_all(&config).unwrap();
        std::fs::create_dir_all(&data).unwrap();
        std::fs::write(data.join("film.bin"), &self.payload).unwrap();
        let settings = serde_json::json!({
            "bind-address-ipv4": "10.77.0.2", "peer-port": 51_413, "port-forwarding-enabled": false,
            "dht-enabled": false, "lpd-enabled": false, "pex-enabled": false, "utp-enabled": false,
            "encryption": 0, "rpc-bind-address": "127.0.0.1", "rpc-port": 9_091, "rpc-whitelist-enabled": false,
            "download-dir": data, "start-added-torrents": true,
        });
        std::fs::write(config.join("settings.json"), settings.to_string()).unwrap();
        let log = std::fs::File::create(self.folder.join("transmission.log")).unwrap();
        let mut daemon = Command::new("transmission-daemon");
        daemon
            .arg("-f")
            .arg("-g")
            .arg(&config)
            .stdout(Stdio::null())
            .stderr(log);
        let running = Running(daemon.spawn().unwrap());
        for _ in 0..100 {
            let mut add = Command::new("transmission-remote");
            add.arg("127.0.0.1:9091")
                .arg("-a")
                .arg(torrent)
                .arg("-w")
                .arg(&data);
            if add
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .status()
                .unwrap()
                .success()
            {
                return running;
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        panic!("transmission didn't take the torrent");
    }

    fn leech(&self, torrent: &Path) -> Running {
        let log = std::fs::File::create(self.folder.join("aria2.log")).unwrap();
        let mut aria2 = Command::new("aria2c");
        aria2.arg(format!("--dir={}", self.folder.join("leech").display()));
        aria2.args([
            "--listen-port=6881",
            "--enable-dht=false",
            "--bt-enable-lpd=false",
            "--enable-peer-exchange=false",
        ]);
        aria2.args([
            "--seed-time=0",
            "--max-download-limit=2M",
            "--file-allocation=none",
            "--no-conf=true",
        ]);
        aria2
            .args(["--disable-ipv6=true", "--summary-interval=0"])
            .arg(torrent);
        Running(aria2.stdout(log).stderr(Stdio::null()).spawn().unwrap())
    }

    fn downloaded(&self) -> u64 {
        let log = self.claims.all();
        log.iter().map(|claim| claim.downloaded).max().unwrap_or(0)
    }

    /// The file arrived, and the ledger holds what the clients claimed, to the byte.
    async fn settle(&self, mut leecher: Running) {
        let wait = Duration::from_mins(2);
        let status = until("the download", wait, || {
            let ended = leecher.0.try_wait().unwrap();
            async move { ended }
        })
        .await;
        assert!(status.success());
        assert!(
            std::fs::read(self.folder.join("leech/film.bin")).unwrap() == self.payload,
            "the file is intact"
        );
        let whole = u64::try_from(LENGTH).unwrap();
        until("the seeder's last claim", wait, || async {
            let _asked = Command::new("transmission-remote")
                .args(["127.0.0.1:9091", "-t", "all", "--reannounce"])
                .stdout(Stdio::null())
                .status();
            (self.claims.all().iter().map(|claim| claim.uploaded).max() >= Some(whole))
                .then_some(())
        })
        .await;
        until(
            "the ledger to equal the claims",
            Duration::from_secs(20),
            || async {
                let claimed = self.claims.totals();
                let mut credited = vec![];
                for name in ["seeder", "leecher"] {
                    let client = self.site.client();
                    assert_eq!(client.sign_in(name, PASSWORD).await.0, 200);
                    let url = client.announce_url().await;
                    let passkey = url.split("passkey=").nth(1)?.to_owned();
                    credited.push((passkey, sums(&client.page("/ledger").await)?));
                }
                credited
                    .iter()
                    .all(|(passkey, sums)| claimed.get(passkey) == Some(sums))
                    .then_some(())
            },
        )
        .await;
    }
}

#[tokio::test]
async fn two_real_clients_exchange_a_file_and_every_byte_is_credited() {
    if !within_network("two_real_clients_exchange_a_file_and_every_byte_is_credited") {
        return;
    }
    let world = World::new().await;
    let (seeder, leecher) = world.upload().await;
    let seeding = world.seed(&seeder);
    let leeching = world.leech(&leecher);
    world.settle(leeching).await;
    // The time it seeds for would be credited on and on.
    drop(seeding);
    super::rebuild::rebuilt_rows_are_the_same(&world.site).await;
}

#[tokio::test]
async fn two_real_clients_end_their_transfer_over_kill_9_of_the_program() {
    if !within_network("two_real_clients_end_their_transfer_over_kill_9_of_the_program") {
        return;
    }
    let mut world = World::new().await;
    let (seeder, leecher) = world.upload().await;
    let _seeding = world.seed(&seeder);
    let leeching = world.leech(&leecher);
    until(
        "the middle of the transfer",
        Duration::from_mins(1),
        || async { (world.downloaded() > 1_000_000).then_some(()) },
    )
    .await;
    world.site.kill();
    world.site.launch().await;
    world.settle(leeching).await;
}

#[tokio::test]
async fn two_real_clients_go_on_by_themselves_over_a_panic_and_a_restore() {
    if !within_network("two_real_clients_go_on_by_themselves_over_a_panic_and_a_restore") {
        return;
    }
    let world = World::new().await;
    let (seeder, leecher) = world.upload().await;
    let _seeding = world.seed(&seeder);
    let leeching = world.leech(&leecher);
    until(
        "the middle of the transfer",
        Duration::from_mins(1),
        || async { (world.downloaded() > 1_000_000).then_some(()) },
    )
    .await;
    activate(&world.site);
    until("the sealing", Duration::from_secs(20), || async {
        (vault(&world.site)["state"] == "sealed").then_some(())
    })
    .await;
    let restored = say(&world.site, &["restore"], &[PANIC]);
    assert!(restored.status.success(), "{restored:?}");
    world.settle(leeching).await;
}
