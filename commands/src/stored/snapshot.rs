//! States of long streams, written down now and then: the log from there on is all that is loaded.
//!
//! A snapshot is a cache. One that is missing, of another shape, or doesn't fit its stream is passed
//! by, and the next one takes its place. The library's own snapshots apply the last events twice, so
//! they stand aside.

use std::sync::Arc;

use domain::Decider;
use uuid::Uuid;

use super::{Context, Stored};
use crate::ports::{EventLog, Reach, Snapshot, Unavailable};

/// Events after which a state is written down.
const EVERY: usize = 200;

/// Gives a stream's state by its snapshot and the events since, where there is one that fits.
pub(super) async fn load<D: Decider>(
    log: &Arc<dyn EventLog>,
    stream: Uuid,
) -> Result<Option<Context<D>>, Unavailable> {
    let Some(shape) = D::SHAPE else {
        return Ok(None);
    };
    let Some(snapshot) = log.snapshot(D::STREAM, stream, shape).await? else {
        return Ok(None);
    };
    let Ok(state) = serde_json::from_value(snapshot.state) else {
        return Ok(None);
    };
    let mut context = Context {
        aggregate_id: stream.to_string(),
        aggregate: Stored::<D>(state),
        current_sequence: 0,
        current_snapshot: None,
    };
    // The event that the snapshot ends with is loaded too: it must be there.
    let from = Reach::From(snapshot.sequence);
    let mut events = log.load(D::STREAM, stream, from).await?.into_iter();
    let ends_there = |event: &domain::Recorded| event.sequence == snapshot.sequence;
    let Some(mut last) = events.next().filter(ends_there) else {
        return Ok(None);
    };
    for event in events {
        let payload = event.fact.payload();
        let payload = payload.map_err(|error| Unavailable::new("the event store", error))?;
        let happened = serde_json::from_value(payload);
        let happened = happened.map_err(|error| Unavailable::new("the event store", error))?;
        context.aggregate.0.evolve(&happened);
        last = event;
    }
    context.current_sequence = usize::try_from(last.sequence).unwrap_or(0);
    Ok(Some(context))
}

/// Writes a state down, if its stream has grown over the next mark; nobody waits for it.
pub(super) fn keep<D: Decider>(
    log: &Arc<dyn EventLog>,
    stream: Uuid,
    state: &Stored<D>,
    before: usize,
    sequence: usize,
) {
    let (Some(shape), true) = (D::SHAPE, before / EVERY < sequence / EVERY) else {
        return;
    };
    let (Ok(state), Ok(sequence)) = (serde_json::to_value(state), i64::try_from(sequence)) else {
        return;
    };
    let snapshot = Snapshot {
        sequence,
        shape,
        state,
    };
    let log = Arc::clone(log);
    tokio::spawn(async move { log.keep(D::STREAM, stream, snapshot).await });
}
