//! The same streams through our log and through postgres-es: the same events, the same state.

use commands::ports::{EventLog as _, Reach};
use cqrs_es::event_sink::EventSink;
use cqrs_es::persist::{PersistedEventRepository as _, SerializedEvent};
use cqrs_es::{Aggregate, DomainEvent};
use domain::user::{Event, User};
use domain::{Decider as _, Event as _};
use infra::library::Library;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use tests::Database;

/// A member as the library wants an aggregate.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Member(User);

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
struct Stored(Event);

impl DomainEvent for Stored {
    fn event_type(&self) -> String {
        self.0.name().to_owned()
    }

    fn event_version(&self) -> String {
        self.0.version().to_string()
    }
}

impl Aggregate for Member {
    const TYPE: &'static str = "user";
    type Command = ();
    type Event = Stored;
    type Error = domain::user::Rejection;
    type Services = ();

    async fn handle(
        &mut self,
        _command: (),
        _services: &(),
        _sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        Ok(())
    }

    fn apply(&mut self, event: Stored) {
        self.0.evolve(&event.0);
    }
}

#[tokio::test]
async fn the_library_reads_the_same_events_through_the_view() {
    let database = Database::start().await;
    let member = database.member("alice").await;
    database.commands.reset_passkey(member).await.unwrap();
    let ours = database
        .events
        .load("user", member.0, Reach::All)
        .await
        .unwrap();
    let library = Library::new(database.pools.log.clone(), Arc::clone(&database.vault));
    let theirs = library.events::<Member>(member.0).await.unwrap();
    assert_eq!(ours.len(), 2);
    let shape = |event: &SerializedEvent| {
        (
            event.sequence,
            event.event_type.clone(),
            event.payload.clone(),
        )
    };
    let ours: Vec<_> = ours
        .iter()
        .map(|event| {
            (
                usize::try_from(event.sequence).unwrap(),
                event.fact.name().to_owned(),
                event.fact.payload().unwrap(),
            )
        })
        .collect();
    assert_eq!(theirs.iter().map(shape).collect::<Vec<_>>(), ours);
}

#[tokio::test]
async fn a_stale_sequence_is_a_conflict_in_the_librarys_own_store_too() {
    let database = Database::start().await;
    sqlx::raw_sql(
        "create table events (aggregate_type text, aggregate_id text, sequence bigint, event_type text,
             event_version text, payload json, metadata json, primary key (aggregate_type, aggregate_id, sequence));
         create table snapshots (aggregate_type text, aggregate_id text, last_sequence bigint,
             current_snapshot bigint, aggregate json, primary key (aggregate_type, aggregate_id))",
    )
    .execute(&database.pools.log)
    .await
    .unwrap();
    let stock = postgres_es::PostgresEventRepository::new(database.pools.log.clone());
    let member = database.member("alice").await;
    let library = Library::new(database.pools.log.clone(), Arc::clone(&database.vault));
    let events = library.events::<Member>(member.0).await.unwrap();
    stock.persist::<Member>(&events, None).await.unwrap();
    assert!(
        stock.persist::<Member>(&events, None).await.is_err(),
        "the same sequence twice"
    );
    let fold = |events: Vec<SerializedEvent>| {
        let mut state = Member::default();
        for event in events {
            state.apply(serde_json::from_value(event.payload).unwrap());
        }
        serde_json::to_value(state).unwrap()
    };
    let stored = stock
        .get_events::<Member>(&member.0.to_string())
        .await
        .unwrap();
    assert_eq!(fold(stored), fold(events), "the same state through both");
}
