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
mod approval;
mod audit;
mod clients;
mod comment;
mod disk;
mod edit;
mod faults;
mod feed;
mod forum;
mod fuzz;
mod headers;
mod kill;
mod members;
mod nodes;
mod notification;
mod packets;
mod panic;
mod password;
mod permission;
mod press;
mod rebuild;
mod report;
mod rules;
mod shelf;
mod sign_in;
mod statistic;
mod torrent;
mod truth;
mod v1;
mod v1_community;
mod write;
