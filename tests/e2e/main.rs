//! The whole program through its sockets.
#![expect(
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod announce;
mod api_key;
mod audit;
mod clients;
mod disk;
mod edit;
mod faults;
mod forum;
mod fuzz;
mod kill;
mod members;
mod nodes;
mod packets;
mod panic;
mod permission;
mod press;
mod rebuild;
mod rules;
mod sign_in;
mod torrent;
mod truth;
mod v1;
mod write;
