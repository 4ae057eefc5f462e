//! What handlers share.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use arc_swap::ArcSwap;
use commands::Commands;
use commands::ports::{Ephemera, Random};
use domain::passkey::Passkey;
use domain::setting::Key;
use domain::{Keyed, Position};
use projections::Reads;
use projections::feed::Feed;
use projections::history::History;
use projections::proof::Proofs;
use projections::rebuild::Rebuilds;
use projections::site::Settings;
use projections::swarm::Swarms;

use crate::limit::Shield;
use crate::vault::Vault;

/// What handlers share; cheap to clone.
#[derive(Debug, Clone)]
pub struct App {
    /// The write side.
    pub commands: Commands,
    /// The read side.
    pub reads: Reads,
    /// The log in order, to tell how far behind it the projections are.
    pub feed: Arc<dyn Feed>,
    /// Where rebuilds of projections are asked for.
    pub rebuilds: Arc<Rebuilds>,
    /// The log, for auditors.
    pub history: Arc<dyn History>,
    /// Where proofs of the log are asked for.
    pub proofs: Arc<Proofs>,
    /// Who is in which swarm just now.
    pub swarms: Arc<dyn Swarms>,
    /// Sessions, challenges, what was spent.
    pub ephemera: Arc<dyn Ephemera>,
    /// Keyed hashes.
    pub keys: Arc<dyn Keyed>,
    /// Randomness.
    pub random: Arc<dyn Random>,
    /// The site's facts.
    pub site: Arc<Site>,
    /// How much somebody may ask.
    pub shield: Arc<Shield>,
    /// The vault: the Panic Password, and the panic.
    pub vault: Arc<dyn Vault>,
    /// Whether the site can serve, asked anew for `/health/ready`.
    pub health: Arc<dyn Health>,
    /// Whether the first administrator was seen; it never turns back.
    pub is_set_up: Arc<AtomicBool>,
}

/// The site's facts, from its configuration.
#[derive(Debug, Clone)]
pub struct Site {
    /// What members call it, where nothing was set.
    pub name: String,
    /// What stands as `source` in every info dictionary.
    pub source: String,
    /// Where browsers find it, such as `https://tracker.example`, the first being the one that is
    /// written into links; an origin is part of every sign-in's proof.
    pub origins: Vec<String>,
    /// Where clients announce, without the passkey, such as `http://localhost:8080/announce`.
    pub announce: String,
    /// Where else they announce, without the passkey, such as `udp://localhost:8080/announce`.
    pub announce_also: Vec<String>,
    /// Leading zero bits of a registration's proof of work.
    pub work_bits: u8,
    /// PBKDF2 iterations of new credentials.
    pub iterations: u32,
    /// Proxies whose word on where a request comes from is believed.
    pub trusted_proxies: Vec<IpAddr>,
    /// Whether others than this machine may reach it: its set-up asks for a code then.
    pub asks_code: bool,
    /// The position at which the site is shown, to be read only, where that isn't today.
    pub as_of: Option<Position>,
    /// What the site itself says, kept current.
    pub live: Live,
}

/// The site's settings as they stand, for who can't wait for the database; cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Live(Arc<ArcSwap<Settings>>);

impl Live {
    /// Takes over what was set.
    pub fn set(&self, settings: Settings) {
        self.0.store(Arc::new(settings));
    }

    /// Waits until it says what was set up to a position, a second at most.
    pub(crate) async fn wait_for(&self, position: Position) {
        for _ in 0..200 {
            if self.get().position >= position {
                return;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    /// Gives the settings.
    pub(crate) fn get(&self) -> Arc<Settings> {
        self.0.load_full()
    }
}

impl Site {
    /// Gives the site's name: the one that was set, or the configuration's.
    pub(crate) fn name(&self) -> String {
        match self.live.get().values.text(Key::SiteName) {
            "" => self.name.clone(),
            set => set.to_owned(),
        }
    }

    /// Gives what is said of it, beside the name for guests and on the first page for members.
    pub(crate) fn subtitle(&self) -> String {
        self.live.get().values.text(Key::SiteSubtitle).to_owned()
    }

    /// Gives the origin that is written into links.
    pub fn origin(&self) -> &str {
        self.origins.first().map_or("", String::as_str)
    }

    /// Gives the announce URLs of a passkey, the first one first.
    pub(crate) fn announces(&self, passkey: &Passkey) -> Vec<String> {
        let first = format!("{}?passkey={}", self.announce, passkey.reveal());
        let path = |url: &String| format!("{}/{}", url.trim_end_matches('/'), passkey.reveal());
        std::iter::once(first)
            .chain(self.announce_also.iter().map(path))
            .collect()
    }

    /// Tells whether browsers reach the site over TLS.
    pub(crate) fn is_secure(&self) -> bool {
        self.origin().starts_with("https://")
    }
}

/// Who knows whether the parts outside answer.
#[async_trait::async_trait]
pub trait Health: Send + Sync + std::fmt::Debug {
    /// Gives the reasons why the site can't serve just now; none when it can.
    async fn reasons(&self) -> Vec<String>;

    /// Gives what should be mended though the site serves.
    async fn warnings(&self) -> Vec<String>;
}
