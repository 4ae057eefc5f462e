//! Simulated clients over HTTP, UDP and WebSocket at once, against the real program on one node and on
//! two: every answer is checked against a model, and what is credited against what was claimed.
//!
//! [`world`] has the nodes, members and torrents, [`ways`] the transports, [`crowd`] the clients of one
//! torrent and their model. With `LONG_TESTS` there are 10,000 clients in place of 300, and more falls.
//! [`soak`] lets everything else go on beside them for as long as `SOAK_SECONDS` says.
#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests fail by panicking"
)]

mod alone;
mod crowd;
mod fall;
mod gone;
mod nodes;
mod soak;
mod ways;
mod world;

/// Tells whether there is time for all of it.
fn is_long() -> bool {
    std::env::var_os("LONG_TESTS").is_some()
}

/// How many clients take part.
fn clients() -> u32 {
    if is_long() { 10_000 } else { 300 }
}
