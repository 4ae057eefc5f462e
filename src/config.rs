//! The configuration: defaults, then `opentracker.toml`, then `OPENTRACKER_SECTION__KEY`, then
//! `DATABASE_URL` and `REDIS_URL`, then the command line.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context as _;
use figment::Figment;
use figment::providers::{Env, Format as _, Serialized, Toml};
use serde::{Deserialize, Serialize};

use crate::cli::{self, Cli, Command};
use crate::role::{self, Role};

mod reference;

/// The configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// Where the program keeps its keys and, without a database given, its database.
    pub(crate) data_dir: PathBuf,
    /// What this node does: the site, the announces, the work behind them; others do the rest, over the same database and Redis.
    pub(crate) roles: Vec<Role>,
    /// The site.
    pub(crate) site: Site,
    /// The tracker's port.
    pub(crate) announce: Announce,
    /// The tracker.
    pub(crate) tracker: tracker::Settings,
    /// The database.
    pub(crate) database: Database,
    /// What the nodes of a site share.
    pub(crate) redis: Redis,
    /// The search for words.
    pub(crate) search: Search,
    /// How much somebody may ask.
    pub(crate) limits: api::limit::Limits,
    /// The vault.
    pub(crate) vault: Vault,
    /// The measures for Prometheus.
    pub(crate) metrics: Metrics,
    /// What is written to standard error.
    pub(crate) log: Log,
}

/// The site.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Site {
    /// What members call it.
    pub(crate) name: String,
    /// What stands as `source` in every info dictionary; it must not change once torrents are there.
    pub(crate) source: String,
    /// Where the site listens.
    pub(crate) listen: SocketAddr,
    /// Where browsers find it, such as `https://tracker.example`; from `listen` when empty.
    pub(crate) origin: String,
    /// Proxies whose X-Forwarded-For, or Forwarded where there is none, is believed.
    pub(crate) trusted_proxies: Vec<IpAddr>,
    /// Leading zero bits of a registration's proof of work.
    pub(crate) work_bits: u8,
    /// PBKDF2 iterations of new credentials.
    pub(crate) iterations: u32,
}

/// The tracker's port.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Announce {
    /// Where the tracker listens for announces over HTTP and WebSocket.
    pub(crate) listen: SocketAddr,
    /// Whether it listens there over UDP too.
    pub(crate) udp: bool,
    /// The announce URL that stands in downloads, without the passkey; from `listen` when empty.
    pub(crate) url: String,
    /// Further announce URLs for downloads, such as `udp://tracker.example:8080/announce`.
    pub(crate) also: Vec<String>,
}

/// The database.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Database {
    /// The connection string; an embedded PostgreSQL in the data directory when empty.
    pub(crate) url: String,
}

/// What the nodes of a site share: swarms, sessions, challenges.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Redis {
    /// The connection string, such as `redis://127.0.0.1/`, or `rediss://` for TLS by the system's certificates;
    /// of a Redis Cluster those of several nodes, with commas between them; everything stays in the process when
    /// empty.
    pub(crate) url: String,
}

/// The vault.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Vault {
    /// What a guess at the Panic Password costs: 17 takes 128 MiB and half a second, each more doubles it.
    pub(crate) work: u8,
    /// A file that makes everything unreadable as soon as it holds the words `ENCRYPT_ALL_DATA`; none when empty.
    pub(crate) trigger: PathBuf,
    /// A file that must be touched again and again, or everything is made unreadable; none when empty.
    pub(crate) heartbeat: PathBuf,
    /// Hours that may pass between two touches of it.
    pub(crate) heartbeat_hours: u64,
}

/// The search for words.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Search {
    /// Where its index stands; it holds names and descriptions in the clear.
    pub(crate) index: Index,
}

/// Where the search index stands.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Index {
    /// In memory: nothing of it is left on a disk, and each start fills it anew.
    #[default]
    Memory,
    /// In the data directory: a start goes on from there.
    Disk,
}

/// The measures for Prometheus.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Metrics {
    /// Where `/metrics` is served, for nobody outside.
    pub(crate) listen: SocketAddr,
}

/// What is written to standard error.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    /// What is written, such as `info` or `warn,tracker=debug`.
    pub(crate) filter: String,
    /// Whether lines are JSON.
    pub(crate) json: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            data_dir: PathBuf::from("data"),
            roles: Role::ALL.to_vec(),
            site: Site::default(),
            announce: Announce::default(),
            tracker: tracker::Settings::default(),
            database: Database::default(),
            redis: Redis::default(),
            search: Search::default(),
            limits: api::limit::Limits::default(),
            vault: Vault::default(),
            metrics: Metrics::default(),
            log: Log::default(),
        }
    }
}

impl Default for Site {
    fn default() -> Self {
        Self {
            name: "OpenTracker".to_owned(),
            source: "OpenTracker".to_owned(),
            listen: SocketAddr::from(([127, 0, 0, 1], 3000)),
            origin: String::new(),
            trusted_proxies: vec![],
            work_bits: 20,
            iterations: 600_000,
        }
    }
}

impl Default for Announce {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8080)),
            udp: true,
            url: String::new(),
            also: vec![],
        }
    }
}

impl Default for Vault {
    fn default() -> Self {
        Self {
            work: 18,
            trigger: PathBuf::new(),
            heartbeat: PathBuf::new(),
            heartbeat_hours: 72,
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 9464)),
        }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self {
            filter: "info,sqlx=warn,sqlx_core::pool=error,tantivy=warn".to_owned(),
            json: false,
        }
    }
}

impl Config {
    /// Gives where the master key's file is.
    pub(crate) fn key_path(&self) -> PathBuf {
        self.data_dir.join("keys/master.key")
    }

    /// Tells whether this node has a role.
    pub(crate) fn does(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }
}

/// Reads the configuration, and says which key is wrong and why.
pub(crate) fn load(cli: &Cli) -> anyhow::Result<Config> {
    let mut figment = Figment::from(Serialized::defaults(Config::default()));
    figment = match &cli.config {
        Some(file) => figment.merge(Toml::file_exact(file)),
        None => figment.merge(Toml::file("opentracker.toml")),
    };
    figment = figment.merge(
        Env::prefixed("OPENTRACKER_")
            .filter(|key| key != "pg_bin")
            .split("__"),
    );
    let mut config: Config = figment.extract().context("the configuration is wrong")?;
    if let Ok(url) = std::env::var("DATABASE_URL")
        && !url.is_empty()
    {
        config.database.url = url;
    }
    if let Ok(url) = std::env::var("REDIS_URL")
        && !url.is_empty()
    {
        config.redis.url = url;
    }
    if let Some(folder) = &cli.data_dir {
        config.data_dir.clone_from(folder);
    }
    if let Some(Command::Serve(serve)) = &cli.command {
        config.site.listen = serve.listen.unwrap_or(config.site.listen);
        config.announce.listen = serve.tracker.unwrap_or(config.announce.listen);
        if !serve.roles.is_empty() {
            config.roles.clone_from(&serve.roles);
        }
    }
    if config.tracker.node.is_empty() {
        let name = std::fs::read_to_string("/proc/sys/kernel/hostname");
        let name = name.context("tracker.node is empty, and this machine has no name")?;
        name.trim().clone_into(&mut config.tracker.node);
    }
    check(&config)?;
    Ok(config)
}

fn check(config: &Config) -> anyhow::Result<()> {
    let site = &config.site;
    anyhow::ensure!(
        !site.name.trim().is_empty(),
        "site.name is empty: give the site a name"
    );
    anyhow::ensure!(
        !site.source.trim().is_empty(),
        "site.source is empty: give it the site's name"
    );
    anyhow::ensure!(
        site.work_bits <= 32,
        "site.work_bits is {}: 32 bits take a browser hours",
        site.work_bits
    );
    let iterations = domain::user::FEWEST_ITERATIONS..=domain::user::MOST_ITERATIONS;
    anyhow::ensure!(
        iterations.contains(&site.iterations),
        "site.iterations is {}: it must be from {} to {}",
        site.iterations,
        iterations.start(),
        iterations.end()
    );
    let plain = site.origin.is_empty()
        || site.origin.starts_with("https://")
        || site.origin.starts_with("http://");
    anyhow::ensure!(
        plain,
        "site.origin is {}: it must begin with https:// or http://",
        site.origin
    );
    check_addresses(config)?;
    let work = infra::vault::LEAST_WORK..=infra::vault::MOST_WORK;
    anyhow::ensure!(
        work.contains(&config.vault.work),
        "vault.work is {}: it must be from {} to {}",
        config.vault.work,
        work.start(),
        work.end()
    );
    let heartbeat = &config.vault.heartbeat;
    anyhow::ensure!(
        heartbeat.as_os_str().is_empty() || heartbeat.is_file(),
        "vault.heartbeat is {}, and there is no such file: touch it first, so that its time begins now",
        heartbeat.display()
    );
    anyhow::ensure!(
        config.vault.heartbeat_hours >= 1,
        "vault.heartbeat_hours is 0: everything would be made unreadable at once"
    );
    anyhow::ensure!(
        config.tracker.interval >= 1,
        "tracker.interval is 0: clients would announce all the time"
    );
    Ok(())
}

fn check_addresses(config: &Config) -> anyhow::Result<()> {
    for url in &config.announce.also {
        let known = ["http://", "https://", "udp://", "ws://", "wss://"];
        anyhow::ensure!(
            known.iter().any(|scheme| url.starts_with(scheme)),
            "announce.also holds {url}: it must begin with udp://, ws://, wss://, http:// or https://"
        );
    }
    anyhow::ensure!(
        config.redis.url.is_empty() || infra::redis::is_url(&config.redis.url),
        "redis.url isn't a connection string, such as redis://127.0.0.1/, or several with commas between them"
    );
    role::check(config)
}

/// Prints or checks the configuration; [`load`] has checked it already.
pub(crate) fn command(config: &Config, command: &cli::Config) -> anyhow::Result<()> {
    let mut shown = config.clone();
    // A connection string may hold a password.
    for url in [&mut shown.database.url, &mut shown.redis.url] {
        if !url.is_empty() {
            "(given)".clone_into(url);
        }
    }
    match command {
        cli::Config::Print => crate::announcement::print(&toml::to_string_pretty(&shown)?),
        cli::Config::Reference => crate::announcement::print(&reference::document()?),
        cli::Config::Check => crate::announcement::print("the configuration is right"),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_printed_defaults_are_read_back() {
        let printed = toml::to_string_pretty(&Config::default()).unwrap();
        let read: Config = toml::from_str(&printed).unwrap();
        assert_eq!(toml::to_string_pretty(&read).unwrap(), printed);
    }

    #[test]
    fn unknown_keys_and_impossible_values_are_named() {
        let unknown = toml::from_str::<Config>("[site]\nnme = 'x'")
            .unwrap_err()
            .to_string();
        assert!(unknown.contains("nme"), "{unknown}");
        let mut config = Config::default();
        config.site.iterations = 5;
        assert!(
            check(&config)
                .unwrap_err()
                .to_string()
                .contains("site.iterations")
        );
    }
}
