//! Filling a site with very much at once: each command is decided by its aggregate and appended like any
//! other, but on a state at hand instead of one that is loaded, and under ids that are known before.
//!
//! For demos and benchmarks alone. Who fills has looked whether categories, tags, sections and members
//! are there, and nobody else may write these streams. What is laid twice under the same ids stands once.

use domain::comment::{self, Comment, Said};
use domain::id::{CommandId, TorrentId};
use domain::topic::{self, Topic};
use domain::torrent::{self, Torrent, Upload};
use domain::{Actor, Decider, Event as _, Position};
use uuid::Uuid;

use crate::ports::{Append, AppendError, NewEvent, Unavailable};
use crate::{Commands, Refusal};

/// A stream with its state and the sequence of its last event; after a refusal it is of no use.
#[derive(Debug)]
pub struct Laid<D> {
    stream: Uuid,
    state: D,
    sequence: i64,
}

impl<D: Decider> Laid<D> {
    /// Begins a stream.
    pub fn new(stream: Uuid) -> Self {
        let state = D::default();
        Self {
            stream,
            state,
            sequence: 0,
        }
    }
}

impl Commands {
    /// Offers a torrent, approved.
    pub async fn lay_torrent(
        &self,
        (torrent, id): (TorrentId, CommandId),
        upload: Upload,
    ) -> Result<Position, Refusal<torrent::Rejection>> {
        let mut append = self.laying(id, Actor::Member(upload.uploader));
        append.claims = self.hash_claims(upload.info_hash, upload.info_hash_v2);
        let command = torrent::Command::Upload(Box::new(upload));
        self.lay(&mut Laid::<Torrent>::new(torrent.0), command, append)
            .await
    }

    /// Writes a comment.
    pub async fn lay_comment(
        &self,
        (comment, id): (Uuid, CommandId),
        said: Said,
    ) -> Result<Position, Refusal<comment::Rejection>> {
        let append = self.laying(id, Actor::Member(said.author));
        let command = comment::Command::Write {
            said,
            mentioned: vec![],
        };
        self.lay(&mut Laid::<Comment>::new(comment), command, append)
            .await
    }

    /// Opens a topic, or answers in it.
    pub async fn lay_post(
        &self,
        topic: &mut Laid<Topic>,
        id: CommandId,
        command: topic::Command,
        by: Actor,
    ) -> Result<Position, Refusal<topic::Rejection>> {
        self.lay(topic, command, self.laying(id, by)).await
    }

    /// Tells whether something was laid under an id.
    pub async fn is_laid(&self, id: CommandId) -> Result<bool, Unavailable> {
        Ok(self.log.answered(id).await?.is_some())
    }

    /// Begins what is appended.
    fn laying(&self, id: CommandId, by: Actor) -> Append {
        Append {
            stream_type: "",
            stream: Uuid::nil(),
            expected: 0,
            events: vec![],
            command: id,
            meta: self.frame(by).meta,
            claims: vec![],
            releases: vec![],
            flush: None,
            vault: None,
        }
    }

    async fn lay<D: Decider>(
        &self,
        on: &mut Laid<D>,
        command: D::Command,
        append: Append,
    ) -> Result<Position, Refusal<D::Rejection>> {
        let events = on.state.decide(command).map_err(Refusal::Rejected)?;
        let expected = on.sequence;
        let mut new = Vec::with_capacity(events.len());
        for event in &events {
            on.state.evolve(event);
            on.sequence += 1;
            new.push(NewEvent {
                name: event.name().to_owned(),
                version: event.version(),
                payload: serde_json::to_value(event)
                    .map_err(|error| Unavailable::new("the event store", error))?,
            });
        }
        let append = Append {
            stream_type: D::STREAM,
            stream: on.stream,
            expected,
            events: new,
            ..append
        };
        match self.log.append(append).await {
            Ok(appended) => Ok(appended.last),
            Err(AppendError::Unavailable(away)) => Err(Refusal::Unavailable(away)),
            Err(AppendError::Claimed { scope, holder }) => Err(Refusal::Taken { scope, holder }),
            Err(AppendError::Conflict | AppendError::Erased | AppendError::Flushed) => {
                Err(Refusal::Conflict)
            }
        }
    }
}
