//! What a limiter must do: count requests in sliding windows, and block the addresses that don't stop.
//!
//! Nothing of it is an event: counts and blocks expire, as sessions do. Who asks is a keyed hash, never
//! an address.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::ports::Unavailable;

/// Whose requests are counted: a keyed hash of an address or a name, or a member's id.
pub type Subject = [u8; 16];

/// The longest wait of who goes past a limit again and again.
pub const LONGEST_WAIT: Duration = Duration::from_hours(1);
/// How long repeats, refused sign-ins and blocks are remembered after their end.
pub const MEMORY: Duration = Duration::from_hours(24);
/// Up to this limit each request is remembered by its time; above, in two buckets.
pub const EXACT: u32 = 32;

/// What happens to who goes past a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Past {
    /// They wait until there is room.
    Wait,
    /// They wait for the window's length, and twice as long at each repeat within the hour.
    Double,
    /// They wait until there is room, and each refused request counts towards a block.
    Strike,
}

/// A limit: so many requests within a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Window {
    /// What it is called.
    pub name: &'static str,
    /// Whose requests.
    pub whose: Subject,
    /// The most requests; 0 for any number.
    pub most: u32,
    /// Within what time.
    pub span: Duration,
    /// What happens past it.
    pub past: Past,
}

/// When addresses are blocked, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rules {
    /// Requests within [`Self::flood_span`] past which an address is blocked; 0 for never.
    pub flood: u32,
    /// The time in which they are counted.
    pub flood_span: Duration,
    /// Points within [`Self::score_span`] past which an address is blocked; 0 for never.
    pub score: u32,
    /// The time in which they are counted.
    pub score_span: Duration,
    /// Refused requests of [`Past::Strike`] with which an address is blocked; 0 for never.
    pub strikes: u32,
    /// The first block of an address; each further one is twice as long.
    pub first: Duration,
    /// The longest block.
    pub longest: Duration,
}

/// A request, as far as the limiter sees it.
#[derive(Debug, Clone)]
pub struct Question<'a> {
    /// Where it comes from.
    pub address: Subject,
    /// Whether it counts towards a flood.
    pub floods: bool,
    /// How much it looks like an attack.
    pub points: u32,
    /// Like which attacks, in words.
    pub about: &'a str,
    /// What it counts towards; it passes where each has room.
    pub windows: &'a [Window],
}

/// Why an address is blocked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// It asked for too much at once.
    Flood,
    /// Its sign-ins were refused again and again.
    SignIn,
    /// Its requests looked like attacks.
    Attack,
}

impl Why {
    /// Gives its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Flood => "flood",
            Self::SignIn => "sign-in",
            Self::Attack => "attack",
        }
    }

    /// Reads a name.
    pub fn named(name: &str) -> Option<Self> {
        [Self::Flood, Self::SignIn, Self::Attack]
            .into_iter()
            .find(|one| one.name() == name)
    }
}

/// What becomes of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is answered.
    Passes {
        /// How many more may come in the first window.
        left: u32,
        /// When that window has room for more again.
        resets: Duration,
    },
    /// It is refused: a window is full.
    Waits {
        /// Which one, by its place.
        window: usize,
        /// When there is room.
        wait: Duration,
    },
    /// It is refused: the address is blocked.
    Blocked {
        /// For how long yet.
        left: Duration,
        /// Why.
        why: Why,
        /// Whether this request brought it about.
        fresh: bool,
    },
}

/// A blocked address.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Block {
    /// The keyed hash of the address, in hex.
    pub whose: String,
    /// Why.
    pub why: Why,
    /// What its requests looked like, where that matters.
    pub about: String,
    /// Since when, in seconds since 1970.
    pub since: i64,
    /// Until when, in seconds since 1970.
    pub until: i64,
    /// Which block of this address it is; each is twice as long as the one before.
    pub times: u32,
}

impl Block {
    /// Gives the short name by which people know it.
    pub fn name(&self) -> &str {
        self.whose.get(..SHORT).unwrap_or(&self.whose)
    }

    /// Says why in words.
    pub fn reason(&self) -> String {
        let why = match self.why {
            Why::Flood => "too many requests at once",
            Why::SignIn => "refused sign-ins",
            Why::Attack => "looks like attacks",
        };
        if self.about.is_empty() {
            why.to_owned()
        } else {
            format!("{why}: {}", self.about)
        }
    }
}

/// The most blocks, or suspects, that are shown.
pub const SHOWN: usize = 1_000;

/// Letters of a short name.
pub const SHORT: usize = 12;

/// An address whose requests looked like attacks lately.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspect {
    /// The keyed hash of the address, in hex.
    pub whose: String,
    /// Its points, as they stand.
    pub points: u32,
    /// What its requests looked like.
    pub about: String,
}

/// Who counts requests and blocks addresses.
#[async_trait]
pub trait Limiter: Send + Sync + std::fmt::Debug {
    /// Says what becomes of a request, and counts it.
    async fn ask(&self, question: &Question<'_>) -> Result<Verdict, Unavailable>;

    /// Takes a request back that was counted in a window.
    async fn forgive(&self, window: &Window) -> Result<(), Unavailable>;

    /// Counts the addresses that are blocked.
    async fn blocked(&self) -> Result<u64, Unavailable>;

    /// Gives the addresses that are blocked, the longest first and at most [`SHOWN`].
    async fn blocks(&self) -> Result<Vec<Block>, Unavailable>;

    /// Gives at most [`SHOWN`] addresses whose requests looked like attacks lately, the worst first.
    async fn suspects(&self) -> Result<Vec<Suspect>, Unavailable>;

    /// Ends the block whose name begins so, and forgets what led to it; gives the one that was ended.
    async fn lift(&self, name: &str) -> Result<Option<Block>, Unavailable>;

    /// Tells whether each node counts for itself, though they should count together.
    fn is_alone(&self) -> bool {
        false
    }
}
