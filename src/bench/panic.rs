//! A panic and a restore of a site that is read and announced to all the while: how soon everything is
//! dark, how fast the log gets its outer layer beside an UPDATE of the same rows, and how fast all of it
//! comes back.
//!
//! The site is this program once more, in a process of its own.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use api::vault::Secret;
use commands::user::Join;
use domain::Actor;
use domain::user::{Name, Role};
use infra::panic::{restore, seal};
use infra::postgres::{self, Pool};
use infra::vault::{self, LEAST_WORK, Row, state};
use serde::Serialize;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{replay, scratch};
use crate::announcement;
use crate::config::Config;
use crate::member::credentials_for;
use crate::panic::password;
use crate::serve::REPLAYING;
use crate::store::Store;

/// Events of the small site beside which time to dark is measured.
const SMALL: usize = 10_000;
/// The Panic Password of the benchmark.
const PASSWORD: &str = "measured panic password";
/// How long readers read before the panic.
const READING: Duration = Duration::from_secs(1);
/// How long nobody may have read anything for it to be called dark.
const DARK: Duration = Duration::from_millis(500);
/// How long anything may take.
const PATIENCE: Duration = Duration::from_mins(20);

/// What is printed.
#[derive(Serialize)]
struct Line {
    #[serde(flatten)]
    large: Measured,
    small_dark_ms: f64,
    /// Time to dark in units of the small site's.
    of_small: f64,
}

/// What was measured of one site.
#[derive(Default, Serialize)]
struct Measured {
    events: i64,
    /// From the press to the last answer that told anything.
    dark_ms: f64,
    /// From the press until no key stands in the database.
    keys_gone_ms: f64,
    reencrypt_per_s: f64,
    update_per_s: f64,
    of_update: f64,
    dead_rows: i64,
    /// What the site held before the pass, and at most during it.
    resident_mib: u64,
    resident_while_mib: u64,
    restore_per_s: f64,
    /// The read tables, as the site says that it fills them.
    replay_per_s: f64,
    /// From the restore until the site serves, with its search index and all that a start does.
    serving_s: f64,
    replay_alone_per_s: f64,
}

/// Measures a small site and a large one.
pub(super) async fn run(config: &Config, events: usize) -> anyhow::Result<()> {
    let small = measure(config, SMALL.min(events)).await?;
    let large = measure(config, events).await?;
    let line = Line {
        of_small: large.dark_ms / small.dark_ms,
        small_dark_ms: small.dark_ms,
        large,
    };
    announcement::print(&serde_json::to_string(&line)?);
    Ok(())
}

async fn measure(config: &Config, events: usize) -> anyhow::Result<Measured> {
    let (store, own) = scratch::open(config).await?;
    let announce = prepare(&store, events).await?;
    store.close().await?;
    let site = Site::start(&own).await?;
    let store = Store::open(&own).await?;
    let readers = Readers::start(&site, announce);
    tokio::time::sleep(READING).await;
    let mut measured = panic(&store, &own, &site, readers).await?;
    back(&store, &own, &site, &mut measured).await?;
    store.close().await?;
    site.stop()?;
    let store = Store::open_alone(&own).await?;
    let limit = replay::tables(&store).await?;
    measured.replay_alone_per_s = limit.round();
    scratch::remove(store, &own).await?;
    Ok(measured)
}

/// Fills a log; gives what a client announces with.
async fn prepare(store: &Store, events: usize) -> anyhow::Result<String> {
    store.commands.seed_categories().await?;
    replay::fill(store, events).await?;
    let join = Join {
        name: Name::parse("measured")?,
        credentials: credentials_for("measured password", 100_000),
    };
    let member = store
        .commands
        .create_member(join, Role::Administrator)
        .await?
        .of;
    let upload = replay::upload(1, member);
    let hash: String = upload
        .info_hash
        .0
        .iter()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    store.commands.add(upload).await?;
    let password = Secret::new(PASSWORD.to_owned());
    let (commands, vault) = (&store.commands, &store.vault);
    password::set(commands, vault, Actor::Operator, None, password, LEAST_WORK).await?;
    let passkey = commands.member(member).await?.context("no member")?.passkey;
    Ok(format!(
        "/announce?passkey={}&info_hash={hash}&peer_id=-TR3000-aaaaaaaaaaaa&port=6881&uploaded=0&downloaded=0&left=0",
        passkey.reveal()
    ))
}

/// The program, serving.
struct Site {
    child: Child,
    pages: SocketAddr,
    announces: SocketAddr,
}

impl Site {
    async fn start(own: &Config) -> anyhow::Result<Self> {
        let (pages, announces) = (free()?, free()?);
        let mut command = Command::new(std::env::current_exe()?);
        command
            .arg("--data-dir")
            .arg(&own.data_dir)
            .args(["serve", "--listen", &pages.to_string()])
            .args(["--tracker", &announces.to_string()])
            .env("OPENTRACKER_METRICS__LISTEN", free()?.to_string())
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null());
        let site = Self {
            child: command.spawn()?,
            pages,
            announces,
        };
        site.ready().await?;
        Ok(site)
    }

    async fn ready(&self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let answer = ask(self.pages, "/health/ready").await.unwrap_or_default();
            if answer.starts_with("HTTP/1.1 200") {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        anyhow::bail!("the site isn't ready")
    }

    /// Waits until the read tables are filled; gives how long that takes.
    async fn replay(&self) -> anyhow::Result<Duration> {
        let (mut began, until) = (None, Instant::now() + PATIENCE);
        while Instant::now() < until {
            let standing = ask(self.pages, "/api/v1/panic").await.unwrap_or_default();
            match (began, standing.contains(REPLAYING)) {
                (None, true) => began = Some(Instant::now()),
                (Some(began), false) => return Ok(began.elapsed()),
                (None, false) | (Some(_), true) => {}
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        anyhow::bail!("the read tables weren't filled")
    }

    fn stop(mut self) -> anyhow::Result<()> {
        Command::new("kill")
            .arg(self.child.id().to_string())
            .status()?;
        self.child.wait()?;
        Ok(())
    }

    /// Gives the memory that it holds, in MiB.
    fn resident(&self) -> u64 {
        let statm = std::fs::read_to_string(format!("/proc/{}/statm", self.child.id()));
        let statm = statm.unwrap_or_default();
        let pages = statm
            .split_whitespace()
            .nth(1)
            .and_then(|pages| pages.parse::<u64>().ok());
        pages.unwrap_or(0) / 256
    }
}

fn free() -> anyhow::Result<SocketAddr> {
    Ok(std::net::TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

async fn ask(address: SocketAddr, target: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// A page's, an API's and a tracker's reader, who note when they last learned anything.
struct Readers {
    began: Instant,
    /// Microseconds from the beginning to the last answer that told something.
    last: Arc<AtomicU64>,
    stop: Arc<AtomicBool>,
}

impl Readers {
    fn start(site: &Site, announce: String) -> Self {
        let readers = Self {
            began: Instant::now(),
            last: Arc::default(),
            stop: Arc::default(),
        };
        let targets = [
            (site.pages, "/sign-in".to_owned()),
            (
                site.pages,
                "/api/auth/challenge?username=measured".to_owned(),
            ),
            (site.announces, announce),
        ];
        for (address, target) in targets {
            let (began, last, stop) = (
                readers.began,
                Arc::clone(&readers.last),
                Arc::clone(&readers.stop),
            );
            tokio::spawn(async move {
                while !stop.load(Ordering::Relaxed) {
                    let answer = ask(address, &target).await.unwrap_or_default();
                    if answer.starts_with("HTTP/1.1 200") && !answer.contains("failure reason") {
                        let now = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
                        last.fetch_max(now, Ordering::Relaxed);
                    }
                }
            });
        }
        readers
    }

    fn last(&self) -> Duration {
        Duration::from_micros(self.last.load(Ordering::Relaxed))
    }

    /// Waits until nobody learns anything any more; gives when somebody last did.
    async fn dark(&self) -> Duration {
        while self.began.elapsed().saturating_sub(self.last()) < DARK {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        self.stop.store(true, Ordering::Relaxed);
        self.last()
    }
}

fn millis(span: Duration) -> f64 {
    (span.as_secs_f64() * 1e5).round() / 100.0
}

/// Seals the vault as the command does, and measures.
async fn panic(
    store: &Store,
    own: &Config,
    site: &Site,
    readers: Readers,
) -> anyhow::Result<Measured> {
    ensure!(
        readers.last() > Duration::ZERO,
        "nobody could read anything"
    );
    let pool = &store.pools.log;
    let pressed = readers.began.elapsed();
    store.commands.seal(Actor::Operator).await?;
    let keys_gone = readers.began.elapsed().saturating_sub(pressed);
    store.vault.forget();
    vault::destroy_key(&own.key_path(), &row(pool).await?)?;
    seal::cut_off(pool).await?;
    let dark = readers.dark().await.saturating_sub(pressed);
    let (before, mut peak) = (site.resident(), 0);
    let (mut began, mut layered) = (None, None);
    let until = Instant::now() + PATIENCE;
    while layered.is_none() && Instant::now() < until {
        if let Ok(row) = row(pool).await {
            began = began.or_else(|| (row.total > 0).then(|| (Instant::now(), row.done)));
            layered = row.layered.then(Instant::now);
        }
        peak = peak.max(site.resident());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let layered = layered.context("the log didn't get its layer")?;
    let events: i64 = postgres::count(pool, "event_log").await?;
    let (began, done) = began.unwrap_or((layered, 0));
    let rate = rate(events - done, layered - began);
    let dead = postgres::dead_rows(pool, "event_log").await?;
    let update = postgres::update_all(pool).await?;
    Ok(Measured {
        events,
        dark_ms: millis(dark),
        keys_gone_ms: millis(keys_gone),
        reencrypt_per_s: rate.round(),
        update_per_s: self::rate(events, update).round(),
        of_update: rate / self::rate(events, update),
        dead_rows: dead,
        resident_mib: before,
        resident_while_mib: peak,
        ..Measured::default()
    })
}

async fn row(pool: &Pool) -> anyhow::Result<Row> {
    state::read(pool).await?.context("there is no vault")
}

fn rate(events: i64, took: Duration) -> f64 {
    let events = u32::try_from(events).map_or(f64::MAX, f64::from);
    events / took.as_secs_f64().max(1e-6)
}

/// Restores by the password, and waits for the site.
async fn back(
    store: &Store,
    own: &Config,
    site: &Site,
    measured: &mut Measured,
) -> anyhow::Result<()> {
    let (pool, path) = (&store.pools.log, own.key_path());
    while row(pool).await?.state != domain::vault::State::Sealed {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let slot = restore::slot(pool, &path).await?;
    let proved = restore::prove(pool, slot, Secret::new(PASSWORD.to_owned())).await?;
    let began = Instant::now();
    proved.run(pool, &path, Actor::Operator).await?;
    let opened = began.elapsed();
    let replayed = site.replay().await?;
    site.ready().await?;
    let serving = began.elapsed().saturating_sub(opened);
    measured.restore_per_s = rate(measured.events, opened).round();
    measured.replay_per_s = rate(measured.events, replayed).round();
    measured.serving_s = millis(serving) / 1_000.0;
    Ok(())
}
