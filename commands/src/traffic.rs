//! Recording what the tracker's clients reported, each batch once.
//!
//! Before: `tracker::credit`. After: [`domain::traffic`].

use domain::traffic::{Batch, Command, Rejection, Traffic, stream};
use domain::{Actor, Position};

use crate::ports::Flush;
use crate::{Commands, Refusal};

impl Commands {
    /// Records a batch in its node's stream of `day`, which counts from 1970-01-01.
    ///
    /// A batch that was recorded before is answered as done: the flush ledger knows it.
    pub async fn record(&self, batch: Batch, day: i64) -> Result<Position, Refusal<Rejection>> {
        let mut frame = self.frame(Actor::System);
        frame.flush = Some(Flush {
            node: batch.node.clone(),
            epoch: batch.epoch,
            number: batch.number,
        });
        let stream = stream(&batch.node, day);
        match self
            .execute::<Traffic>(stream, Command::Record(batch), frame)
            .await
        {
            Err(Refusal::Taken { scope: "flush", .. }) => Ok(Position(0)),
            other => other,
        }
    }
}
