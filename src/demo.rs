//! A site worth looking at: members, torrents of small generated files, simulated peers.
//!
//! The words `demo-secret-marker` stand in one name, text and file of every kind, so that anybody
//! can search for them where they must not be.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context as _;
use api::vault::Secret;
use commands::user::Join;
use domain::id::{MemberId, TagId};
use domain::info_hash::InfoHash;
use domain::site::{Command, Registration};
use domain::torrent::Upload;
use domain::user::{Name, Role};
use domain::{Actor, category, section};
use infra::vault::LEAST_WORK;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::announcement::{self, Progress};
use crate::config::Config;
use crate::member::credentials_for;
use crate::panic::password;
use crate::serve::Running;
use crate::store::Store;
use crate::torrent;

mod forum;
mod sample;
mod scale;
mod shelf;
mod words;

use scale::Scale;
pub(crate) use words::WORDS;

/// The members of the demo with their passwords.
const MEMBERS: [(&str, Role, &str); 5] = [
    ("admin", Role::Administrator, "demo admin password"),
    ("audrey", Role::Auditor, "demo audrey password"),
    ("alice", Role::Member, "demo alice password"),
    ("bob", Role::Member, "demo bob password"),
    ("demo-secret-marker", Role::Member, "demo marker password"),
];

/// The Panic Password of the demo.
const PANIC_PASSWORD: &str = "demo panic password";

/// The password of the members who join with `--scale`: `demo-0`, `demo-1` and so on.
const MEMBER_PASSWORD: &str = "demo member password";

/// How often the log tells how far it is with very many torrents.
const TOLD: Duration = Duration::from_secs(10);

/// How many of the last samples wait for approval.
const WAITING: usize = 2;

/// Seconds between two announces of a simulated peer.
const PACE: u64 = 20;

/// What the demo shall hold.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Wanted {
    /// Torrents besides the samples, each with five comments and posts.
    pub(crate) torrents: u32,
}

/// Fills an empty site, and lays what is wanted besides; `seen` is told how much of it is there.
pub(crate) async fn make(
    config: &Config,
    store: &Store,
    wanted: Wanted,
    mut seen: impl FnMut(i64, i64),
) -> anyhow::Result<()> {
    if !store.commands.is_set_up().await? {
        members(config, store).await?;
        let admin = named(store, "admin").await?;
        site(store, admin).await?;
        let tags = shelf::tags(&store.commands, admin).await?;
        torrents(config, store, &tags).await?;
        forum::fill(&store.commands).await?;
        let (commands, vault) = (&store.commands, &store.vault);
        let password = Secret::new(PANIC_PASSWORD.to_owned());
        let by = Actor::Member(admin);
        password::set(commands, vault, by, None, password, LEAST_WORK).await?;
    }
    if wanted.torrents == 0 {
        return Ok(());
    }
    let scale = scale(config, store, wanted.torrents).await?;
    let mut progress = Progress::new("torrents");
    let (all, mut told) = (i64::from(wanted.torrents), Instant::now());
    let shown = |laid: u32| {
        progress.show(laid.into(), Some(all));
        seen(laid.into(), all);
        if told.elapsed() > TOLD {
            told = Instant::now();
            tracing::info!(torrents = laid, of = all, "the demo is filled");
        }
    };
    scale.fill(shown).await
}

/// Prints who may sign in, and lets simulated peers announce as long as the program runs.
pub(crate) async fn live(
    config: &Config,
    store: &Store,
    running: &Running,
    announces: SocketAddr,
) -> anyhow::Result<()> {
    let head = store.feed.head().await?;
    running.app.reads.wait_for(head).await;
    announcement::print("The demo's members sign in with these passwords:");
    for (name, role, password) in MEMBERS {
        announcement::print(&format!("  {name:<20} {:<14} {password}", role.name()));
    }
    announcement::print(&format!("Its Panic Password: {PANIC_PASSWORD}"));
    let peers = peers(config, store).await?;
    tokio::spawn(simulate(peers, announces));
    Ok(())
}

async fn scale<'a>(
    config: &'a Config,
    store: &'a Store,
    torrents: u32,
) -> anyhow::Result<Scale<'a>> {
    for (name, ..) in MEMBERS {
        named(store, name).await.context(
            "this site isn't a demo, and --scale fills a demo alone; choose another --data-dir",
        )?;
    }
    let admin = named(store, "admin").await?;
    store.commands.seed_sections().await?;
    Ok(Scale {
        commands: &store.commands,
        source: &config.site.source,
        admin,
        tags: shelf::tags(&store.commands, admin).await?,
        shelves: category::seeded().into_iter().map(|(id, _)| id).collect(),
        boards: section::seeded()
            .into_iter()
            .filter(|seed| !seed.board.staff_only)
            .map(|seed| seed.id)
            .collect(),
        credentials: credentials_for(MEMBER_PASSWORD, config.site.iterations),
        torrents,
    })
}

async fn named(store: &Store, name: &str) -> anyhow::Result<MemberId> {
    let member = store.commands.member_named(&Name::parse(name)?).await?;
    Ok(member
        .with_context(|| format!("there is no member {name}"))?
        .id)
}

async fn members(config: &Config, store: &Store) -> anyhow::Result<()> {
    for (name, role, password) in MEMBERS {
        let name = Name::parse(name)?;
        let credentials = credentials_for(password, config.site.iterations);
        store
            .commands
            .create_member(Join { name, credentials }, role)
            .await?;
    }
    Ok(())
}

async fn site(store: &Store, admin: MemberId) -> anyhow::Result<()> {
    store
        .commands
        .set_site(admin, Command::SetRegistration(Registration::Open))
        .await?;
    let text = "**Welcome to the demo.** Everything here is made up; the peers are simulated. \
                Look for `demo-secret-marker`.";
    store
        .commands
        .set_site(admin, Command::Announce(text.to_owned()))
        .await?;
    Ok(())
}

async fn torrents(config: &Config, store: &Store, tags: &[TagId]) -> anyhow::Result<()> {
    for (place, sample) in sample::ALL.iter().enumerate() {
        let bytes = sample.torrent(&config.site.source);
        let uploader = MEMBERS
            .get(1 + place % 3)
            .map_or("alice", |(name, _, _)| name);
        let said = (sample.category, sample.description.to_owned());
        let upload = torrent::read(&store.commands, config, &bytes, said, uploader).await?;
        let marks = tags.iter().skip(place % 4).step_by(3).take(2);
        let upload = Upload {
            tags: marks.copied().collect(),
            ..upload
        };
        if place + WAITING < sample::ALL.len() {
            let (id, _) = torrent::add(&store.commands, upload).await?;
            shelf::talk(&store.commands, id, place).await?;
        } else {
            store.commands.upload(upload).await?;
        }
    }
    Ok(())
}

/// A simulated peer.
struct Peer {
    passkey: String,
    hash: InfoHash,
    number: usize,
    left: u64,
    uploads: u64,
}

/// Every torrent has a few peers, fewer the later it stands in the list.
async fn peers(config: &Config, store: &Store) -> anyhow::Result<Vec<Peer>> {
    let mut passkeys = vec![];
    for (name, _, _) in MEMBERS {
        let member = store.commands.member_named(&Name::parse(name)?).await?;
        passkeys.push(
            member
                .context("a member of the demo is missing")?
                .passkey
                .reveal()
                .to_owned(),
        );
    }
    let mut peers = vec![];
    for (place, sample) in sample::ALL.iter().enumerate() {
        let checked =
            domain::metainfo::read(&sample.torrent(&config.site.source), &config.site.source)?;
        for number in 0..(sample::ALL.len() - place).min(9) {
            let seeds = number % 3 != 2;
            peers.push(Peer {
                passkey: passkeys
                    .get((place + number) % passkeys.len())
                    .cloned()
                    .unwrap_or_default(),
                hash: checked.info_hash,
                number,
                left: if seeds { 0 } else { checked.size.0 / 2 },
                uploads: if seeds {
                    40_000 + checked.size.0 / 100
                } else {
                    0
                },
            });
        }
    }
    Ok(peers)
}

async fn simulate(peers: Vec<Peer>, announces: SocketAddr) {
    for round in 0_u64.. {
        for peer in &peers {
            let event = if round == 0 { "started" } else { "" };
            if let Err(error) = announce(peer, announces, round, event).await {
                tracing::debug!(%error, "a simulated peer couldn't announce");
            }
        }
        tokio::time::sleep(Duration::from_secs(PACE)).await;
    }
}

async fn announce(
    peer: &Peer,
    announces: SocketAddr,
    round: u64,
    event: &str,
) -> std::io::Result<()> {
    let hash: String = peer
        .hash
        .0
        .iter()
        .map(|byte| format!("%{byte:02x}"))
        .collect();
    let clients = ["-TR3000-", "-qB4520-", "-DE2030-"];
    let client = clients
        .get(peer.number % clients.len())
        .copied()
        .unwrap_or("-TR3000-");
    let (passkey, left, number) = (&peer.passkey, peer.left, peer.number);
    let (uploaded, downloaded) = (
        peer.uploads * (round + 1),
        if left > 0 {
            left.min(round * 16_384)
        } else {
            0
        },
    );
    let target = format!(
        "/announce?passkey={passkey}&info_hash={hash}&peer_id={client}demo{number:08}&port={}&uploaded={uploaded}\
         &downloaded={downloaded}&left={left}&event={event}&key={number}&compact=1&numwant=0",
        50_000 + number
    );
    let mut stream = tokio::net::TcpStream::connect(announces).await?;
    stream
        .write_all(format!("GET {target} HTTP/1.1\r\nConnection: close\r\n\r\n").as_bytes())
        .await?;
    let mut answer = vec![];
    stream.read_to_end(&mut answer).await?;
    Ok(())
}
