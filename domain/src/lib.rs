//! The pure heart: values, aggregates as deciders, rules. No clock, no I/O, no async, no randomness.
//!
//! A [`Decider`] is two pure functions: `decide` says which events a command causes, `evolve` folds
//! them into state. What deciding needs from outside (an id, a salt, a name that is free) is put
//! into the command. Reading order: [`decider`], [`user`], [`api_key`], [`torrent`], [`category`], [`section`],
//! [`topic`], [`reading`], [`site`], [`traffic`], [`audit`], then [`fact`], the sum of all events, [`recorded`], an event as
//! the log gives it, and [`history`], what auditors see.
//!
//! To add an event: a variant in its aggregate's `Event`, an arm in `evolve`, a golden file in
//! `domain/golden`, and an arm wherever the compiler asks. A new stream is a line in [`fact`].

pub mod decider;
pub mod id;
pub mod recorded;

pub mod api_key;
pub mod audit;
pub mod bookmark;
pub mod category;
pub mod comment;
pub mod feed_key;
pub mod reading;
pub mod report;
pub mod role;
pub mod section;
pub mod site;
pub mod tag;
pub mod topic;
pub mod torrent;
pub mod traffic;
pub mod transfer;
pub mod user;
pub mod vault;

pub mod fact;
pub mod history;

pub mod address;
pub mod amount;
pub mod bencode;
pub mod client;
pub mod info_hash;
pub mod invite;
pub mod keyed;
pub mod mention;
pub mod metainfo;
pub mod passkey;
pub mod peer_id;
pub mod permission;
pub mod setting;

pub use decider::{Decider, Event};
pub use fact::Fact;
pub use keyed::{Keyed, Purpose};
pub use permission::{Permission, Permissions};
pub use recorded::{Actor, Meta, Position, Recorded};

#[cfg(test)]
mod spec;
