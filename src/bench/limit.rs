//! What a decision of the limiter costs, and a refused request beside a served page.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use api::limit::{Limits, Shield, attack};
use commands::limit::{Limiter, Past, Question, Window};
use infra::limit::InProcess;
use infra::redis::Redis;
use infra::redis::limit::Counting;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tracker::bench::PlainKeys;

use super::percentile;
use crate::announcement;
use crate::config::Config;

/// Addresses that ask in turn.
const ADDRESSES: u32 = 10_000;
/// Decisions that are on their way to Redis at once.
const TOGETHER: u32 = 64;
/// What is asked for.
const TARGET: &str = "/torrents?q=the+big+sleep&sort=seeders&dir=desc";
const AGENT: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
/// Requests for the page.
const REQUESTS: u32 = 400;

/// Measures decisions, and a page where one is named.
pub(super) async fn run(config: &Config, decisions: u32, page: Option<&str>) -> anyhow::Result<()> {
    let limits = Limits::default();
    let near = Arc::new(InProcess::new(limits.rules()));
    let shield = Shield::new(
        limits.clone(),
        Arc::<InProcess>::clone(&near),
        Arc::new(PlainKeys),
    );
    let mut figures = Map::new();
    let began = Instant::now();
    for number in 0..decisions {
        let _verdict = near.decide(&question(&shield, number, &mut windows()));
    }
    figures.insert("in_process_us".into(), each(began.elapsed(), decisions));
    let began = Instant::now();
    for number in 0..decisions {
        let found = attack::asked(TARGET, AGENT);
        anyhow::ensure!(found.points == 0, "the page looks like an attack");
        let _verdict = near.decide(&question(&shield, number, &mut windows()));
    }
    figures.insert("with_patterns_us".into(), each(began.elapsed(), decisions));
    if !config.redis.url.is_empty() {
        let redis = Redis::new(&config.redis.url, &PlainKeys, 0)?;
        let far = Counting::new(redis, limits.rules());
        distant(&mut figures, &far, &shield, decisions.min(50_000)).await?;
    }
    if let Some(page) = page {
        pages(&mut figures, page).await?;
    }
    announcement::print(&Value::Object(figures).to_string());
    Ok(())
}

fn each(took: Duration, count: u32) -> Value {
    json!((took.as_secs_f64() * 1e8 / f64::from(count.max(1))).round() / 100.0)
}

fn windows() -> [Window; 1] {
    [Window {
        name: "pages",
        whose: [0; 16],
        most: Limits::default().pages,
        span: Duration::from_mins(1),
        past: Past::Wait,
    }]
}

fn question<'a>(shield: &Shield, number: u32, windows: &'a mut [Window; 1]) -> Question<'a> {
    let address = IpAddr::V4(Ipv4Addr::from_bits(0x0a00_0000 + number % ADDRESSES));
    let address = shield.address(address);
    for window in windows.iter_mut() {
        window.whose = address;
    }
    Question {
        address,
        floods: true,
        points: 0,
        about: "",
        windows,
    }
}

/// Asks Redis, one after the other and many at once.
async fn distant(
    figures: &mut Map<String, Value>,
    far: &Counting,
    shield: &Shield,
    decisions: u32,
) -> anyhow::Result<()> {
    let few = decisions / 10;
    let began = Instant::now();
    for number in 0..few {
        far.ask(&question(shield, number, &mut windows())).await?;
    }
    figures.insert("redis_alone_us".into(), each(began.elapsed(), few));
    let began = Instant::now();
    let asking = (0..TOGETHER).map(|lane| async move {
        for number in (lane..decisions).step_by(usize::try_from(TOGETHER).unwrap_or(1)) {
            far.ask(&question(shield, number, &mut windows())).await?;
        }
        Ok::<(), commands::ports::Unavailable>(())
    });
    futures::future::try_join_all(asking).await?;
    figures.insert("redis_together_us".into(), each(began.elapsed(), decisions));
    Ok(())
}

/// Asks for a page until it is refused, and compares what both take.
async fn pages(figures: &mut Map<String, Value>, page: &str) -> anyhow::Result<()> {
    let rest = page
        .strip_prefix("http://")
        .context("the page's address begins with http://")?;
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let stream = TcpStream::connect(host).await?;
    stream.set_nodelay(true)?;
    let mut stream = BufReader::new(stream);
    let asked = format!("GET /{path} HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\n\r\n");
    let (mut served, mut refused) = (vec![], vec![]);
    for _ in 0..REQUESTS {
        let began = Instant::now();
        stream.get_mut().write_all(asked.as_bytes()).await?;
        match answered(&mut stream).await? {
            200 => served.push(began.elapsed()),
            429 => refused.push(began.elapsed()),
            403 => anyhow::bail!(
                "who is blocked waits for each refusal; start the site with OPENTRACKER_LIMITS__FLOOD=0"
            ),
            other => anyhow::bail!("{page} is answered by {other}"),
        }
    }
    for (name, took) in [("served", &mut served), ("refused", &mut refused)] {
        figures.insert(format!("{name}_requests"), json!(took.len()));
        figures.insert(format!("{name}_p50_ms"), json!(percentile(took, 50)));
    }
    Ok(())
}

/// Reads an answer, and gives its status.
async fn answered(stream: &mut BufReader<TcpStream>) -> anyhow::Result<u16> {
    let (mut status, mut length) = (None, 0);
    loop {
        let mut line = String::new();
        anyhow::ensure!(stream.read_line(&mut line).await? > 0, "the site hung up");
        let line = line.trim_end().to_ascii_lowercase();
        if line.is_empty() {
            break;
        }
        if status.is_none() {
            status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        } else if let Some(text) = line.strip_prefix("content-length:") {
            length = text.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    status.context("the answer has no status")
}
