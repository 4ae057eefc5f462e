//! The whole program through its sockets.
#![expect(
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::unwrap_used,
    clippy::panic,
    reason = "tests fail by panicking"
)]

mod alert;
mod announce;
mod apart;
mod api_key;
mod approval;
mod attack;
mod audit;
mod backup;
mod branding;
mod clients;
mod comment;
mod demo;
mod disk;
mod edit;
mod erasure;
mod explain;
mod faults;
mod feed;
mod forum;
mod fuzz;
mod headers;
mod kill;
mod limit;
mod measures;
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
mod role;
mod rules;
mod second_factor;
mod security_key;
mod shelf;
mod sign_in;
mod statistic;
mod torrent;
mod truth;
mod upgrade;
mod v1;
mod v1_community;
mod write;
