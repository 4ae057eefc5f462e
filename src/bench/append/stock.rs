//! An aggregate as the library wants it, over its own tables.

use cqrs_es::event_sink::EventSink;
use cqrs_es::{Aggregate, DomainEvent};
use serde::{Deserialize, Serialize};

/// The library's table as its own example has it, and one for raw rows.
pub(super) const TABLES: &str = "
    create table events (
        aggregate_type text not null, aggregate_id text not null, sequence bigint check (sequence >= 0) not null,
        event_type text not null, event_version text not null, payload json not null, metadata json not null,
        primary key (aggregate_type, aggregate_id, sequence)
    );
    create table raw_event (
        position bigint generated always as identity primary key, stream_type text not null, stream_id uuid not null,
        event_type text not null, recorded_at timestamptz not null default now(), sealed bytea not null
    );
    alter table raw_event alter column sealed set storage external;";

/// Somebody who read the history.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(super) struct Reader {}

/// That they did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) enum Event {
    HistoryRead { what: String },
}

impl DomainEvent for Event {
    fn event_type(&self) -> String {
        "HistoryRead".to_owned()
    }

    fn event_version(&self) -> String {
        "1".to_owned()
    }
}

impl Aggregate for Reader {
    const TYPE: &'static str = "reader";
    type Command = String;
    type Event = Event;
    type Error = std::fmt::Error;
    type Services = ();

    async fn handle(
        &mut self,
        what: String,
        _services: &(),
        sink: &EventSink<Self>,
    ) -> Result<(), Self::Error> {
        sink.write(Event::HistoryRead { what }, self).await;
        Ok(())
    }

    fn apply(&mut self, _event: Event) {}
}
