//! A [`Decider`] as an aggregate of cqrs-es, and our log as its repository.
//!
//! The library's frame is used as it is: [`PersistedEventStore`] loads and numbers events,
//! [`Aggregate::handle`] decides into an [`EventSink`], `commit` hands them to a
//! [`PersistedEventRepository`]. What we add stands here and nowhere else: the position of the
//! answer, claims, states that are kept between commands, and a bounded number of tries when somebody
//! else was faster.

use std::any::Any;
use std::collections::HashMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{
    EventStoreAggregateContext, PersistedEventRepository, PersistedEventStore, PersistenceError,
    ReplayStream, SerializedEvent, SerializedSnapshot,
};
use cqrs_es::{Aggregate, AggregateError, DomainEvent, EventStore};
use domain::{Decider, Event, Position};
use lru::LruCache;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use uuid::Uuid;

use crate::ports::{Append, AppendError, EventLog, NewEvent, Reach, Unavailable};
use crate::{Frame, Refusal};

mod snapshot;

/// How often a command is decided anew when somebody else appended to its stream.
const TRIES: u32 = 5;
/// States that are kept at most.
const KEPT: NonZeroUsize = NonZeroUsize::new(10_000).unwrap();

/// Loads, decides and appends.
pub(crate) async fn execute<D: Decider>(
    log: &Arc<dyn EventLog>,
    kept: &Kept,
    stream: Uuid,
    command: D::Command,
    frame: Frame,
) -> Result<Position, Refusal<D::Rejection>> {
    for _ in 0..TRIES {
        match attempt::<D>(log, kept, stream, command.clone(), frame.clone()).await {
            Err(Refusal::Conflict) => {}
            other => return other,
        }
    }
    Err(Refusal::Conflict)
}

/// Folds a stream.
pub(crate) async fn load<D: Decider>(
    log: &Arc<dyn EventLog>,
    stream: Uuid,
) -> Result<D, Unavailable> {
    if let Some(context) = snapshot::load::<D>(log, stream).await? {
        return Ok(context.aggregate.0);
    }
    let store = store::<D>(Repository::reading::<D>(log));
    match store.load_aggregate(&stream.to_string()).await {
        Ok(context) => Ok(context.aggregate.0),
        Err(error) => Err(Unavailable::new("the event store", error.to_string())),
    }
}

async fn attempt<D: Decider>(
    log: &Arc<dyn EventLog>,
    kept: &Kept,
    stream: Uuid,
    command: D::Command,
    frame: Frame,
) -> Result<Position, Refusal<D::Rejection>> {
    let repository = Repository::writing::<D>(log, frame);
    let answer = Arc::clone(&repository.answer);
    let store = store::<D>(repository);
    let decided = match kept.take::<D>(stream) {
        // Another node may have appended meanwhile: then the append is a conflict, but what is
        // refused, or changes nothing, has to be decided on the stream itself.
        Some(context) => match decide(command.clone(), context).await {
            Ok(decided) if !decided.0.is_empty() => Ok(decided),
            _ => decide(command, fresh(log, &store, stream).await?).await,
        },
        None => decide(command, fresh(log, &store, stream).await?).await,
    };
    let (events, mut context) = decided.map_err(Refusal::Rejected)?;
    let state = std::mem::take(&mut context.aggregate);
    let before = context.current_sequence;
    let sequence = before + events.len();
    if !events.is_empty() {
        store
            .commit(events, context, HashMap::new())
            .await
            .map_err(refusal)?;
    }
    snapshot::keep(log, stream, &state, before, sequence);
    kept.put(stream, state, sequence);
    let position = *answer.lock().unwrap_or_else(PoisonError::into_inner);
    Ok(position)
}

type Context<D> = EventStoreAggregateContext<Stored<D>>;

async fn fresh<D: Decider>(
    log: &Arc<dyn EventLog>,
    store: &PersistedEventStore<Repository, Stored<D>>,
    stream: Uuid,
) -> Result<Context<D>, Refusal<D::Rejection>> {
    if let Some(context) = snapshot::load(log, stream).await? {
        return Ok(context);
    }
    let loaded = store.load_aggregate(&stream.to_string()).await;
    loaded.map_err(refusal)
}

async fn decide<D: Decider>(
    command: D::Command,
    mut context: Context<D>,
) -> Result<(Vec<StoredEvent<D::Event>>, Context<D>), D::Rejection> {
    let sink = EventSink::default();
    context.aggregate.handle(command, &(), &sink).await?;
    Ok((sink.collect().await, context))
}

/// States of streams that are asked often, as this process appended to them last.
///
/// A state is taken out while a command is decided on it, so no two decide on the same one.
pub(crate) struct Kept(Mutex<LruCache<(&'static str, Uuid), State>>);

/// A state, and the sequence of its last event.
type State = (Box<dyn Any + Send>, usize);

impl Default for Kept {
    fn default() -> Self {
        Self(Mutex::new(LruCache::new(KEPT)))
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Kept").finish_non_exhaustive()
    }
}

impl Kept {
    fn take<D: Decider>(&self, stream: Uuid) -> Option<Context<D>> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (state, current_sequence) = kept.pop(&(D::STREAM, stream))?;
        Some(Context {
            aggregate_id: stream.to_string(),
            aggregate: Stored(*state.downcast::<D>().ok()?),
            current_sequence,
            current_snapshot: None,
        })
    }

    fn put<D: Decider>(&self, stream: Uuid, state: Stored<D>, sequence: usize) {
        if D::KEPT {
            let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            kept.put((D::STREAM, stream), (Box::new(state.0), sequence));
        }
    }
}

fn store<D: Decider>(repository: Repository) -> PersistedEventStore<Repository, Stored<D>> {
    PersistedEventStore::new_event_store(repository)
}

fn refusal<R: std::error::Error>(error: AggregateError<R>) -> Refusal<R> {
    let source = match error {
        AggregateError::UserError(rejection) => return Refusal::Rejected(rejection),
        AggregateError::AggregateConflict => return Refusal::Conflict,
        AggregateError::DatabaseConnectionError(source)
        | AggregateError::DeserializationError(source)
        | AggregateError::UnexpectedError(source) => source,
    };
    match source.downcast::<AppendError>() {
        Ok(refused) => match *refused {
            AppendError::Conflict => Refusal::Conflict,
            AppendError::Erased => Refusal::NotFound,
            AppendError::Claimed { scope, holder } => Refusal::Taken { scope, holder },
            AppendError::Flushed => Refusal::Taken {
                scope: "flush",
                holder: None,
            },
            AppendError::Unavailable(unavailable) => Refusal::Unavailable(unavailable),
        },
        Err(source) => Refusal::Unavailable(Unavailable {
            what: "the event store",
            source,
        }),
    }
}

/// A decider in the library's clothes.
#[derive(Default, Serialize, Deserialize)]
#[serde(transparent, bound = "D: Decider")]
struct Stored<D: Decider>(D);

/// An event in the library's clothes; it is stored as the event itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent, bound = "E: Event")]
struct StoredEvent<E: Event>(E);

impl<E: Event> DomainEvent for StoredEvent<E> {
    fn event_type(&self) -> String {
        self.0.name().to_owned()
    }

    fn event_version(&self) -> String {
        self.0.version().to_string()
    }
}

impl<D: Decider> Aggregate for Stored<D> {
    const TYPE: &'static str = D::STREAM;
    type Command = D::Command;
    type Event = StoredEvent<D::Event>;
    type Error = D::Rejection;
    type Services = ();

    async fn handle(
        &mut self,
        command: Self::Command,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        for event in self.0.decide(command)? {
            sink.write(StoredEvent(event), self).await;
        }
        Ok(())
    }

    fn apply(&mut self, event: Self::Event) {
        self.0.evolve(&event.0);
    }
}

/// Our log as the library's repository, for one command.
struct Repository {
    log: Arc<dyn EventLog>,
    reach: Reach,
    frame: Option<Frame>,
    answer: Arc<Mutex<Position>>,
}

impl Repository {
    fn reading<D: Decider>(log: &Arc<dyn EventLog>) -> Self {
        let reach = if D::REMEMBERS {
            Reach::All
        } else {
            Reach::Last
        };
        Self {
            log: Arc::clone(log),
            reach,
            frame: None,
            answer: Arc::default(),
        }
    }

    fn writing<D: Decider>(log: &Arc<dyn EventLog>, frame: Frame) -> Self {
        Self {
            frame: Some(frame),
            ..Self::reading::<D>(log)
        }
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
    async fn append(
        &self,
        stream_type: &'static str,
        events: &[SerializedEvent],
    ) -> Result<(), PersistenceError> {
        let (Some(frame), Some(first)) = (self.frame.clone(), events.first()) else {
            return Ok(());
        };
        let append = Append {
            stream_type,
            stream: stream(&first.aggregate_id)?,
            expected: i64::try_from(first.sequence).map_err(other)? - 1,
            events: events.iter().map(new_event).collect::<Result<_, _>>()?,
            command: frame.command,
            meta: frame.meta,
            claims: frame.claims,
            releases: frame.releases,
            flush: frame.flush,
            vault: frame.vault,
        };
        let appended = self.log.append(append).await.map_err(|error| match error {
            AppendError::Conflict => PersistenceError::OptimisticLockError,
            refused => other(refused),
        })?;
        *self.answer.lock().unwrap_or_else(PoisonError::into_inner) = appended.last;
        Ok(())
    }
}

impl PersistedEventRepository for Repository {
    async fn get_events<A: Aggregate>(
        &self,
        id: &str,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let events = self
            .log
            .load(A::TYPE, stream(id)?, self.reach)
            .await
            .map_err(|e| PersistenceError::ConnectionError(Box::new(e)))?;
        events
            .into_iter()
            // What went with an erased member tells the state nothing.
            .filter(|event| !event.fact.is_erased())
            .map(|event| {
                Ok(SerializedEvent::new(
                    id.to_owned(),
                    usize::try_from(event.sequence).map_err(other)?,
                    event.stream_type,
                    event.fact.name().to_owned(),
                    event.fact.version().to_string(),
                    event.fact.payload()?,
                    Value::Object(serde_json::Map::new()),
                ))
            })
            .collect()
    }

    async fn get_last_events<A: Aggregate>(
        &self,
        id: &str,
        last_sequence: usize,
    ) -> Result<Vec<SerializedEvent>, PersistenceError> {
        let mut events = self.get_events::<A>(id).await?;
        events.retain(|event| event.sequence > last_sequence);
        Ok(events)
    }

    async fn get_snapshot<A: Aggregate>(
        &self,
        _id: &str,
    ) -> Result<Option<SerializedSnapshot>, PersistenceError> {
        Ok(None)
    }

    async fn persist<A: Aggregate>(
        &self,
        events: &[SerializedEvent],
        _snapshot: Option<(String, Value, usize)>,
    ) -> Result<(), PersistenceError> {
        self.append(A::TYPE, events).await
    }

    async fn stream_events<A: Aggregate>(
        &self,
        id: &str,
    ) -> Result<ReplayStream, PersistenceError> {
        let events = self.get_events::<A>(id).await?;
        let (mut feed, stream) = ReplayStream::new(events.len().max(1));
        for event in events {
            feed.push(Ok(event)).await?;
        }
        Ok(stream)
    }

    async fn stream_all_events<A: Aggregate>(&self) -> Result<ReplayStream, PersistenceError> {
        // The library's replay has no order over streams; projections follow the feed.
        Err(other("replays follow the feed"))
    }
}

fn new_event(event: &SerializedEvent) -> Result<NewEvent, PersistenceError> {
    Ok(NewEvent {
        name: event.event_type.clone(),
        version: event.event_version.parse().map_err(other)?,
        payload: event.payload.clone(),
    })
}

fn stream(id: &str) -> Result<Uuid, PersistenceError> {
    Uuid::parse_str(id).map_err(other)
}

fn other(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> PersistenceError {
    PersistenceError::UnknownError(error.into())
}
