//! What pages ask of the vault: how it stands, the Panic Password, panic and restore.

use async_trait::async_trait;
use domain::Position;
use domain::id::MemberId;
use domain::vault::State;
use tokio::sync::watch;
use zeroize::Zeroizing;

/// A password that is wiped when it is dropped.
pub type Secret = Zeroizing<String>;

/// What has to be said for a panic.
pub const PHRASE: &str = "ENCRYPT_ALL_DATA";
/// The fewest characters of a Panic Password.
pub const SHORTEST: usize = 12;
/// The most characters of a Panic Password.
pub const LONGEST: usize = 128;

/// How the vault stands, as this node knows it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Standing {
    /// The state that stands beside the log.
    pub state: State,
    /// What is being done about it, in a few words; empty while nothing is.
    pub doing: String,
    /// How much of that is done.
    pub done: i64,
    /// How much there is to do.
    pub total: i64,
    /// Why this node doesn't serve though the vault is open, or why the work waits.
    pub trouble: Option<String>,
}

/// The panic slot, as the recovery sheet shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sheet {
    /// The fingerprint of the public key, hex: it names the password without telling it.
    pub key: String,
    /// The slot in JSON; it holds nothing that anybody may not see.
    pub slot: String,
}

/// Why the vault didn't do what was asked. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotDone {
    /// The Panic Password is another one.
    #[error("this isn't the Panic Password")]
    Wrong,
    /// Somebody tries a Panic Password already; trying again in a moment is right.
    #[error("somebody else is trying a Panic Password just now")]
    Busy,
    /// It can't be done, and why.
    #[error("{0}")]
    Refused(String),
    /// The database can't be reached.
    #[error("the database doesn't answer just now")]
    Away,
}

/// The vault, as pages see it.
#[async_trait]
pub trait Vault: Send + Sync + std::fmt::Debug {
    /// Tells how the vault stands; wakes whenever that changes.
    fn standing(&self) -> watch::Receiver<Standing>;

    /// Gives what the recovery sheet shows, if there is a Panic Password.
    async fn sheet(&self) -> Result<Option<Sheet>, NotDone>;

    /// Sets the Panic Password, or changes it by the old one; takes about a second of one core, two
    /// where there is an old one.
    async fn set_password(
        &self,
        by: MemberId,
        old: Option<Secret>,
        new: Secret,
    ) -> Result<Position, NotDone>;

    /// Makes everything unreadable at once. Asked again, it changes nothing.
    async fn seal(&self, by: MemberId) -> Result<(), NotDone>;

    /// Opens the panic slot and begins to bring everything back; returns as soon as the password is
    /// proved, and [`Self::standing`] tells how it goes on. Only one password is tried at a time.
    async fn restore(&self, password: Secret) -> Result<(), NotDone>;
}
