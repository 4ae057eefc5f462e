//! Pages of a site with very many torrents, which the whole program serves on loopback: how long each
//! takes, and how many of it a core makes in a second, beside a bare responder of the same bytes.
//!
//! The site is a process of its own, so what a page costs is the time that it and its database were on
//! a processor. Nothing is written meanwhile, so what pages keep is asked for twice a second.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::Context as _;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use super::browser::Browser;
use super::{percentile, scratch};
use crate::announcement;
use crate::config::Config;
use crate::store::Store;

mod kind;
mod time;

use kind::Kind;
use time::{Spent, spent, spent_here};

/// What is left aside before a page is measured, so that plans and caches are there.
const WARM_UP: u32 = 30;
/// Connections that ask at once where the rate is measured.
const CONNECTIONS: usize = 8;

/// Measures a site that is made for it, or one that runs already.
pub(super) async fn run(
    config: &Config,
    torrents: u32,
    time: Duration,
    running: Option<(SocketAddr, u32)>,
) -> anyhow::Result<()> {
    let measured = match running {
        Some((address, pid)) => measure(address, pid, time).await?,
        None => made(config, torrents, time).await?,
    };
    announcement::print(&measured.to_string());
    Ok(())
}

/// Measures a demo below the data directory, and leaves nothing.
async fn made(config: &Config, torrents: u32, time: Duration) -> anyhow::Result<Value> {
    let own = scratch::folder(config);
    let address = free_port().await?;
    let began = Instant::now();
    let mut site = start(&own, torrents, address).await?;
    let measured = async {
        ready(&mut site, address).await?;
        let made = began.elapsed().as_secs_f64().round();
        let mut measured = measure(address, site.id(), time).await?;
        if let Some(measured) = measured.as_object_mut() {
            measured.insert("torrents".to_owned(), json!(torrents));
            measured.insert("made_s".to_owned(), json!(made));
        }
        anyhow::Ok(measured)
    };
    let measured = measured.await;
    stop(&mut site)?;
    scratch::remove(Store::open_alone(&own).await?, &own).await?;
    measured
}

async fn free_port() -> anyhow::Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0").await?.local_addr()?)
}

async fn start(own: &Config, torrents: u32, address: SocketAddr) -> anyhow::Result<Child> {
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("--data-dir").arg(&own.data_dir);
    command.args(["serve", "--demo", "--scale", &torrents.to_string()]);
    command.args(["--listen", &address.to_string()]);
    command.args(["--tracker", &free_port().await?.to_string()]);
    command.env_remove("DATABASE_URL").env_remove("REDIS_URL");
    // Nor those that a configuration names.
    command
        .env("OPENTRACKER_DATABASE__URL", "")
        .env("OPENTRACKER_REDIS__URL", "");
    command.env("OPENTRACKER_METRICS__LISTEN", "127.0.0.1:0");
    for limit in ["PAGES", "MEMBER_PAGES", "FLOOD", "SCORE"] {
        command.env(format!("OPENTRACKER_LIMITS__{limit}"), "0");
    }
    command.stdin(Stdio::null()).stdout(Stdio::null());
    command.spawn().context("the site can't be started")
}

async fn ready(site: &mut Child, address: SocketAddr) -> anyhow::Result<()> {
    loop {
        if let Some(status) = site.try_wait()? {
            anyhow::bail!("the site ended with {status}");
        }
        if let Ok(mut browser) = Browser::open(address).await
            && browser.get("/health/ready").await.is_ok()
        {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

/// Lets the site end in order, so that its database does.
fn stop(site: &mut Child) -> anyhow::Result<()> {
    let id = site.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status()?;
    site.wait()?;
    Ok(())
}

async fn measure(address: SocketAddr, pid: u32, time: Duration) -> anyhow::Result<Value> {
    let mut browser = Browser::open(address).await?;
    browser.sign_in("alice", "demo alice password").await?;
    let kinds = kind::all(&mut browser).await?;
    let mut pages = Map::new();
    for kind in &kinds {
        let figures = one(&mut browser, kind, pid, time).await?;
        pages.insert(kind.name.to_owned(), figures);
    }
    let browse = kinds.first().context("there is no page")?;
    let rate = at_once(&browser, browse, pid, time).await?;
    let page = browser.get(browse.address(0)?).await?;
    let bytes = page.len();
    let bare = bare(page, time).await?;
    let cores = std::thread::available_parallelism()?.get();
    let of_bare = |figure: &str| -> Option<f64> {
        Some(rate.get(figure)?.as_f64()? / bare.get(figure)?.as_f64()?)
    };
    Ok(json!({
        "cores": cores, "browse_bytes": bytes, "browse_at_once": rate, "bare": bare,
        "of_bare": of_bare("per_core_s"), "pages": pages,
    }))
}

/// Asks for pages of a kind one after the other.
async fn one(
    browser: &mut Browser,
    kind: &Kind,
    pid: u32,
    time: Duration,
) -> anyhow::Result<Value> {
    for number in 0..WARM_UP {
        browser.get(kind.address(number)?).await?;
    }
    let (before, began) = (spent(pid)?, Instant::now());
    let (mut took, mut number) = (vec![], WARM_UP);
    while began.elapsed() < time {
        let asked = Instant::now();
        browser.get(kind.address(number)?).await?;
        took.push(asked.elapsed());
        number += 1;
    }
    let cost = spent(pid)?.since(&before);
    let count = number - WARM_UP;
    Ok(json!({
        "p50_ms": percentile(&mut took, 50), "p99_ms": percentile(&mut took, 99),
        "per_core_s": per_core(count, cost.all()), "program_per_core_s": per_core(count, cost.program),
    }))
}

/// Asks for pages of a kind on several connections at once.
async fn at_once(
    browser: &Browser,
    kind: &Kind,
    pid: u32,
    time: Duration,
) -> anyhow::Result<Value> {
    let mut browsers = vec![];
    for _ in 0..CONNECTIONS {
        browsers.push(browser.another().await?);
    }
    let (before, began) = (spent(pid)?, Instant::now());
    let asking = browsers.into_iter().map(|mut browser| async move {
        let mut number = 0;
        while began.elapsed() < time {
            browser.get(kind.address(number)?).await?;
            number += 1;
        }
        anyhow::Ok(number)
    });
    let counts = futures::future::try_join_all(asking).await?;
    let (count, took) = (counts.iter().sum::<u32>(), began.elapsed());
    let cost: Spent = spent(pid)?.since(&before);
    Ok(json!({
        "per_s": (f64::from(count) / took.as_secs_f64()).round(),
        "per_core_s": per_core(count, cost.all()), "program_per_core_s": per_core(count, cost.program),
    }))
}

fn per_core(count: u32, cost: Duration) -> f64 {
    (f64::from(count) / cost.as_secs_f64().max(1e-3)).round()
}

/// Measures a bare responder of a page, on a thread of its own.
async fn bare(page: String, time: Duration) -> anyhow::Result<Value> {
    let (told, address) = tokio::sync::oneshot::channel();
    let (over, mut ends) = tokio::sync::oneshot::channel::<()>();
    let responder = std::thread::spawn(move || -> anyhow::Result<Duration> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        runtime.block_on(async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let _gone = told.send(listener.local_addr()?);
            let before = spent_here()?;
            tokio::select! {
                served = api::bare::serve(listener, page) => served?,
                _ = &mut ends => {}
            }
            Ok(spent_here()?.saturating_sub(before))
        })
    });
    let mut browser = Browser::open(address.await?).await?;
    let (mut took, began) = (vec![], Instant::now());
    while began.elapsed() < time {
        let asked = Instant::now();
        browser.get("/").await?;
        took.push(asked.elapsed());
    }
    let _gone = over.send(());
    let cost = responder.join();
    let cost = cost.map_err(|_| anyhow::anyhow!("the responder failed"))??;
    let count = u32::try_from(took.len())?;
    Ok(json!({
        "p50_ms": percentile(&mut took, 50), "p99_ms": percentile(&mut took, 99),
        "per_core_s": per_core(count, cost),
    }))
}
