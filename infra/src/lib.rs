//! Adapters: where the ports of commands and projections meet the world.
//!
//! Reading order: [`embedded`] brings up a database where none is given, [`postgres`] connects and
//! migrates, [`vault`] holds the keys, [`event_store`] appends and loads through the appender,
//! [`feed`] gives the log to projections in order, [`library`] reads it through postgres-es for
//! differential tests, [`audit`] proves that nothing in it was changed, [`history`] looks up
//! what auditors ask for, [`backup`] takes the event store elsewhere, [`ephemera`] and [`relay`] keep what expires and
//! what nodes tell each other in the process, [`limit`] counts requests, [`redis`] for many nodes, [`random`] is the system's generator.

pub mod audit;
pub mod backup;
pub mod embedded;
pub mod ephemera;
pub mod event_store;
pub mod feed;
#[doc(hidden)]
pub mod fuzz;
pub mod history;
pub mod library;
pub mod limit;
pub mod panic;
pub mod postgres;
pub mod random;
pub mod recent;
pub mod redis;
pub mod relay;
pub mod replay;
pub mod step;
pub mod vault;

mod appender;
mod merkle;
mod seal;
mod snapshot;
