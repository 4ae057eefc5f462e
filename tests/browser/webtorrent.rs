//! Two `WebTorrent` peers in real browsers find each other through the tracker alone, move a file, and
//! every byte is credited.

use std::path::{Path, PathBuf};
use std::time::Duration;

use domain::metainfo;
use serde_json::Value;
use tests::{Browser, Client, Options, Site, ledger, make, until};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const PASSWORD: &str = "correct horse battery";
const LENGTH: usize = 3_000_000;
const WAIT: Duration = Duration::from_secs(90);

/// A page without anything but the library and what the test runs in it.
const PAGE: &str = "<!doctype html><title>peer</title><script type=module src=/peer.js></script>";

/// Writes down what the page says to the tracker, then makes the peer.
const PEER: &str = "
    import WebTorrent from '/webtorrent.min.js'
    window.claims = []; window.errors = []
    const send = WebSocket.prototype.send
    WebSocket.prototype.send = function (text) {
        const said = JSON.parse(text)
        if (said.action === 'announce' && said.uploaded !== undefined) window.claims.push(said)
        return send.call(this, text)
    }
    const tracker = { rtcConfig: { iceServers: [] } }
    const client = new WebTorrent({ tracker, dht: false, lsd: false, natUpnp: false, natPmp: false, utPex: false })
    client.on('error', error => window.errors.push(String(error)))
    window.seed = async announce => {
        const bytes = await (await fetch('/payload')).arrayBuffer()
        const options = { name: 'film.bin', private: true, pieceLength: 16384, info: { source: 'OpenTracker' },
            announceList: [[announce]] }
        client.seed(new File([bytes], 'film.bin'), options, torrent => { window.torrent = torrent })
    }
    window.leech = async () => {
        const file = new Uint8Array(await (await fetch('/torrent')).arrayBuffer())
        client.add(file, torrent => {
            window.torrent = torrent
            torrent.on('done', async () => {
                const whole = await (await torrent.files[0].blob()).arrayBuffer()
                const hash = await crypto.subtle.digest('SHA-256', whole)
                window.hash = [...new Uint8Array(hash)].map(byte => byte.toString(16).padStart(2, '0')).join('')
            })
        })
    }
    window.ready = true";

/// What the pages fetch.
struct Files {
    bundle: Vec<u8>,
    payload: Vec<u8>,
    torrent: Vec<u8>,
}

/// The library, from its package, pinned by its version.
fn bundle() -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"));
    let path: PathBuf = path.join("../target/webtorrent/webtorrent.min.js");
    let read = std::fs::read(path);
    assert!(
        read.is_ok(),
        "./test fetches webtorrent into target/webtorrent"
    );
    read.unwrap()
}

async fn serve(files: Files) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            // One after another: there are few.
            let _gone = answer(stream, &files).await;
        }
    });
    format!("http://{address}")
}

async fn answer(mut stream: TcpStream, files: &Files) -> std::io::Result<()> {
    let mut asked = vec![];
    while !asked.windows(4).any(|end| end == b"\r\n\r\n") {
        let reading = tokio::time::timeout(Duration::from_secs(1), stream.read_buf(&mut asked));
        if reading.await?? == 0 {
            return Ok(());
        }
    }
    let text = String::from_utf8_lossy(&asked).into_owned();
    let path = text.split(' ').nth(1).unwrap_or_default();
    let script = "text/javascript";
    let (kind, body) = match path {
        "/" => ("text/html", PAGE.as_bytes()),
        "/peer.js" => (script, PEER.as_bytes()),
        "/webtorrent.min.js" => (script, files.bundle.as_slice()),
        "/payload" => ("application/octet-stream", files.payload.as_slice()),
        "/torrent" => ("application/octet-stream", files.torrent.as_slice()),
        _ => ("text/plain", b"".as_slice()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}

async fn peer(base: &str) -> Browser {
    let peer = Browser::peer(base).await;
    peer.go("/").await;
    until("the library", WAIT, || async {
        (peer.run("return window.ready === true").await == true).then_some(())
    })
    .await;
    peer
}

/// Lets a peer announce now.
async fn announce(peer: &Browser) {
    peer.run("window.torrent.discovery.tracker.update()").await;
}

/// Gives the greatest totals that a peer ever claimed.
async fn claimed(peer: &Browser) -> (u64, u64) {
    let claims = peer.run("return window.claims").await;
    let greatest = |name: &str| {
        let amounts = claims.as_array().unwrap().iter();
        amounts.filter_map(|claim| claim[name].as_u64()).max()
    };
    (
        greatest("uploaded").unwrap_or(0),
        greatest("downloaded").unwrap_or(0),
    )
}

/// Waits until the ledger says what a peer claims, who may announce meanwhile.
async fn credited(member: &Client, peer: &Browser) {
    until("the ledger to equal the claims", WAIT, || async {
        let sums = ledger::sums(&member.page("/ledger").await);
        (sums == Some(claimed(peer).await)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_peers_in_browsers_exchange_a_file_and_every_byte_is_credited() {
    let mut site = Site::start(Options::default()).await;
    // The way for browsers stands in downloads beside the other.
    let also = format!("[\"ws://{}/announce\"]", site.announces);
    site.stop();
    site.set("OPENTRACKER_ANNOUNCE__ALSO", &also);
    site.launch().await;
    let (seeder, leecher) = (site.client(), site.client());
    seeder.set_up("seeder", PASSWORD).await;
    let open = [("registration", "open")];
    seeder.post_form("/staff/registration", &open).await;
    assert_eq!(leecher.register("leecher", PASSWORD).await.0, 201);
    let payload = make::payload(3, LENGTH);
    let file = make::torrent("film.bin", &payload, Some("OpenTracker"));
    let info_hash = hex::encode(metainfo::read(&file, "OpenTracker").unwrap().info_hash.0);
    let torrent = seeder.uploaded(file, "other", "").await;
    let whole = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&payload));
    let base = serve(Files {
        bundle: bundle(),
        payload,
        torrent: leecher.download(&torrent).await,
    })
    .await;
    let url = seeder.announce_url().await;
    let passkey = url.split("passkey=").nth(1).unwrap();
    let tracker = format!("ws://{}/announce/{passkey}", site.announces);

    let seeding = peer(&base).await;
    seeding.run(&format!("window.seed('{tracker}')")).await;
    until("the seeder", WAIT, || async {
        (seeding.run("return window.torrent?.infoHash").await == info_hash.as_str()).then_some(())
    })
    .await;
    let leeching = peer(&base).await;
    leeching.run("window.leech()").await;
    until("the file", WAIT, || async {
        let hash = leeching.run("return window.hash ?? null").await;
        hash.as_str().map(|hash| assert_eq!(hash, whole))
    })
    .await;
    let length = u64::try_from(LENGTH).unwrap();
    announce(&leeching).await;
    let (_, down) = claimed(&leeching).await;
    assert_eq!(down, length, "the leecher claims what it has");
    until("the seeder's claim", WAIT, || async {
        announce(&seeding).await;
        let (up, _) = claimed(&seeding).await;
        (up >= length).then_some(())
    })
    .await;
    credited(&leecher, &leeching).await;
    credited(&seeder, &seeding).await;
    assert_eq!(site.run_json(&["--json", "audit", "ledger"])["ok"], true);
    for peer in [seeding, leeching] {
        assert_eq!(peer.run("return window.errors").await, Value::Array(vec![]));
        peer.close().await;
    }
}
