//! Measures what an announce costs and prints the figures; give seconds of a measurement and peers.

use std::io::Write as _;
use std::time::Duration;

use tracker::bench::{Load, announce};

fn main() -> std::io::Result<()> {
    let mut arguments = std::env::args()
        .skip(1)
        .filter_map(|text| text.parse().ok());
    let mut load = Load::default();
    if let Some(seconds) = arguments.next() {
        load.time = Duration::from_secs(seconds);
    }
    if let Some(peers) = arguments
        .next()
        .and_then(|peers: u64| usize::try_from(peers).ok())
    {
        load.peers = peers;
    }
    let report = announce(load)?;
    writeln!(std::io::stdout(), "{report:#?}")
}
