//! What a person or a client may ask for: who asks, what is reserved, load, decide, append.
//!
//! [`Commands`] is the one handle that the edges hold. Each feature adds its methods in the file of
//! its name: [`user`], [`credentials`], [`role`], [`api_key`], [`torrent`], [`section`], [`topic`], [`site`], [`traffic`], [`transfer`],
//! [`audit`]. Nothing here knows a database: what deciding needs from outside comes through [`ports`].

pub mod limit;
pub mod ports;
pub mod refusal;
pub mod request;
mod stored;

pub mod api_key;
pub mod audit;
pub mod bookmark;
pub mod bulk;
pub mod category;
pub mod comment;
pub mod credentials;
pub mod erasure;
pub mod feed_key;
pub mod invite;
pub mod notification;
pub mod report;
pub mod role;
pub mod sanction;
pub mod section;
pub mod security_key;
pub mod site;
pub mod tag;
pub mod topic;
pub mod torrent;
pub mod traffic;
pub mod transfer;
pub mod user;
pub mod vault;

use std::sync::Arc;

use domain::{Actor, Decider, Keyed, Meta, Position, id::CommandId};
use uuid::Uuid;

use ports::{Claim, EventLog, Flush, Random, VaultChange};
pub use refusal::Refusal;

/// The write side: the one way to change anything.
#[derive(Debug, Clone)]
pub struct Commands {
    log: Arc<dyn EventLog>,
    random: Arc<dyn Random>,
    keys: Arc<dyn Keyed>,
    kept: Arc<stored::Kept>,
}

/// A command that was carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Done<T> {
    /// What it made or changed.
    pub of: T,
    /// The position of its last event; what is read from there on shows the change.
    pub position: Position,
}

/// What goes with a command besides its aggregate's part.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    /// The id under which the log remembers the answer.
    pub(crate) command: CommandId,
    /// Who and why.
    pub(crate) meta: Meta,
    /// Values that must be unique, taken with the append.
    pub(crate) claims: Vec<Claim>,
    /// Values that are free again with the append.
    pub(crate) releases: Vec<Claim>,
    /// The traffic batch that this append is.
    pub(crate) flush: Option<Flush>,
    /// What changes in the vault with the append.
    pub(crate) vault: Option<VaultChange>,
}

impl Commands {
    /// Makes the write side over a log.
    pub fn new(log: Arc<dyn EventLog>, random: Arc<dyn Random>, keys: Arc<dyn Keyed>) -> Self {
        Self {
            log,
            random,
            keys,
            kept: Arc::default(),
        }
    }

    /// Makes the frame of a command without claims.
    fn frame(&self, actor: Actor) -> Frame {
        Frame {
            command: request::command().unwrap_or_else(|| CommandId(self.random.id_in_time())),
            meta: Meta {
                actor,
                correlation: self.random.id(),
                causation: None,
                reason: None,
            },
            claims: vec![],
            releases: vec![],
            flush: None,
            vault: None,
        }
    }

    /// Names a unique value by its keyed hash.
    fn claim(&self, scope: &'static str, value: &[u8]) -> Claim {
        let message = [scope.as_bytes(), &[0], value].concat();
        Claim {
            scope,
            key: self.keys.mac(domain::Purpose::Claim, &message),
        }
    }

    /// Makes the id of something new.
    fn new_id(&self) -> Uuid {
        request::made().unwrap_or_else(|| self.random.id())
    }

    /// Loads, decides and appends, anew when somebody else appended meanwhile.
    async fn execute<D: Decider>(
        &self,
        stream: Uuid,
        command: D::Command,
        frame: Frame,
    ) -> Result<Position, Refusal<D::Rejection>> {
        let log = &self.log;
        let position = match self.first_answer().await? {
            Some(first) => first,
            None => match stored::execute::<D>(log, &self.kept, stream, command, frame).await {
                Ok(position) => position,
                // The same request at the same moment may have been faster.
                Err(refusal) => self.first_answer().await?.ok_or(refusal)?,
            },
        };
        request::reached(position);
        Ok(position)
    }

    /// Gives the first answer to a request that has a key and was asked before.
    async fn first_answer(&self) -> Result<Option<Position>, ports::Unavailable> {
        let Some(id) = request::command() else {
            return Ok(None);
        };
        let first = self.log.answered(id).await?;
        request::reached(first.unwrap_or_default());
        Ok(first)
    }

    /// Folds a stream.
    async fn load<D: Decider>(&self, stream: Uuid) -> Result<D, ports::Unavailable> {
        stored::load::<D>(&self.log, stream).await
    }
}
