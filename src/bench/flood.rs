//! How long others wait while one address floods the site with requests that are refused.
//!
//! The flood comes from another address of this machine, on connections that are kept and on a new one
//! for each request, as fast as the site answers; announces and a member's pages go on beside it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use super::browser::Browser;
use super::percentile;
use crate::announcement;

/// Whose requests are refused.
const FLOODER: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 99);
/// How long one waits between two announces, and between two pages.
const PAUSE: Duration = Duration::from_millis(5);

/// Measures a demo before a flood and in two kinds of it.
pub(super) async fn run(at: SocketAddr, time: Duration, connections: u32) -> anyhow::Result<()> {
    let mut others = Others::of(at).await?;
    let mut figures = Map::new();
    figures.insert("quiet".to_owned(), others.measure(time).await?);
    for (name, keeps) in [("kept", true), ("new", false)] {
        let flood = Flood::start(at, keeps, connections);
        let began = Instant::now();
        let figure = others.measure(time).await;
        let refused = flood.end()?;
        let mut figure = figure?;
        if let Some(figure) = figure.as_object_mut() {
            let rate = f64::from(u32::try_from(refused)?) / began.elapsed().as_secs_f64();
            figure.insert("refused_per_s".to_owned(), json!(rate.round()));
        }
        figures.insert(name.to_owned(), figure);
    }
    announcement::print(&Value::Object(figures).to_string());
    Ok(())
}

/// Who isn't refused: a member's browser, and a torrent client.
struct Others {
    browser: Browser,
    client: Browser,
    announce: String,
}

impl Others {
    async fn of(at: SocketAddr) -> anyhow::Result<Self> {
        let mut browser = Browser::open(at).await?;
        browser.sign_in("alice", "demo alice password").await?;
        let settings = browser.get("/settings").await?;
        let addresses = settings.split("http://").skip(1);
        let mut addresses = addresses.filter_map(|rest| rest.split(['<', '"']).next());
        let address = addresses.find(|address| address.contains("/announce?"));
        let (tracker, path) = address
            .and_then(|address| address.split_once('/'))
            .context("no announce URL is shown")?;
        let list = browser.get("/torrents").await?;
        let torrent = list
            .split("href=\"/torrents/")
            .filter_map(|rest| rest.get(..36));
        let torrent = torrent
            .filter(|id| uuid::Uuid::parse_str(id).is_ok())
            .last();
        let page = format!("/torrents/{}", torrent.context("there is no torrent")?);
        let page = browser.get(&page).await?;
        let hash = page
            .split(['<', '>'])
            .find(|text| text.len() == 40 && hex::decode(text).is_ok())
            .context("no info hash is shown")?;
        let hash: String = hash.as_bytes().chunks(2).fold(String::new(), |all, byte| {
            all + "%" + &String::from_utf8_lossy(byte)
        });
        Ok(Self {
            browser,
            client: Browser::open(tracker.replace("localhost", "127.0.0.1").parse()?).await?,
            announce: format!(
                "/{path}&info_hash={hash}&peer_id=-TR4060-floodbench00&port=51413&uploaded=0&downloaded=0&left=0&compact=1"
            ),
        })
    }

    /// Asks for both for a while.
    async fn measure(&mut self, time: Duration) -> anyhow::Result<Value> {
        let (pages, announces) = futures::future::try_join(
            asked(&mut self.browser, "/torrents", time),
            asked(&mut self.client, &self.announce, time),
        )
        .await?;
        Ok(json!({ "pages_ms": pages, "announces_ms": announces }))
    }
}

async fn asked(browser: &mut Browser, path: &str, time: Duration) -> anyhow::Result<Value> {
    let (mut took, began) = (vec![], Instant::now());
    while began.elapsed() < time {
        let asked = Instant::now();
        let (status, answer) = browser.bytes(path).await?;
        took.push(asked.elapsed());
        let refused = status != 200 || answer.windows(7).any(|part| part == b"failure");
        anyhow::ensure!(
            !refused,
            "it is refused: {}",
            String::from_utf8_lossy(&answer)
        );
        tokio::time::sleep(PAUSE).await;
    }
    let (p50, p99) = (percentile(&mut took, 50), percentile(&mut took, 99));
    Ok(json!({ "count": took.len(), "p50": p50, "p99": p99 }))
}

/// Who floods, on a thread of its own.
struct Flood {
    over: Arc<AtomicBool>,
    refused: Arc<AtomicU64>,
    thread: std::thread::JoinHandle<anyhow::Result<()>>,
}

impl Flood {
    fn start(at: SocketAddr, keeps: bool, connections: u32) -> Self {
        let (over, refused) = (Arc::<AtomicBool>::default(), Arc::<AtomicU64>::default());
        let (ends, count) = (Arc::clone(&over), Arc::clone(&refused));
        let flood = move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            let one = || async {
                while !ends.load(Ordering::Relaxed) {
                    let mut browser = Browser::from(FLOODER, at).await?;
                    let mut goes_on = true;
                    while goes_on && !ends.load(Ordering::Relaxed) {
                        // Before it is blocked it is served; a connection that is closed is made again.
                        match browser.bytes("/sign-in").await {
                            Ok((200, _)) => {}
                            Ok(_) => {
                                count.fetch_add(1, Ordering::Relaxed);
                            }
                            Err(_) => break,
                        }
                        goes_on = keeps;
                    }
                }
                anyhow::Ok(())
            };
            runtime.block_on(futures::future::try_join_all(
                (0..connections).map(|_| one()),
            ))?;
            Ok(())
        };
        Self {
            over,
            refused,
            thread: std::thread::spawn(flood),
        }
    }

    /// Ends it; gives how many requests were refused.
    fn end(self) -> anyhow::Result<u64> {
        self.over.store(true, Ordering::Relaxed);
        let ended = self.thread.join();
        ended.map_err(|_| anyhow::anyhow!("the flood failed"))??;
        Ok(self.refused.load(Ordering::Relaxed))
    }
}
