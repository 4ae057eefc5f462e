//! Scrape (BEP 48): a swarm's counts, for members who ask for it by its hash.

use std::net::IpAddr;

use domain::info_hash::InfoHash;

use crate::Tracker;
use crate::announce::Failure;

/// The counts of one swarm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scraped {
    pub(crate) hash: InfoHash,
    pub(crate) seeders: u32,
    pub(crate) completed: u32,
    pub(crate) leechers: u32,
}

impl Tracker {
    /// Gives the counts of swarms to the member of a passkey.
    pub(crate) fn scrape(
        &self,
        passkey: &[u8; 32],
        hashes: Vec<InfoHash>,
        from: IpAddr,
    ) -> Result<Vec<Scraped>, Failure> {
        let member = self.admit(passkey)?;
        let most = self.0.rules.load().announce_rate;
        self.0.rate.count(most, member.number, from, self.now())?;
        Ok(self.counts(hashes))
    }

    /// Gives the counts of the swarms that are known, sorted by hash, each once.
    pub(crate) fn counts(&self, mut hashes: Vec<InfoHash>) -> Vec<Scraped> {
        hashes.sort_unstable();
        hashes.dedup();
        let known = hashes
            .into_iter()
            .filter_map(|hash| Some((hash, self.0.access.torrent(hash).ok()?.torrent)));
        known
            .map(|(hash, torrent)| {
                let shard = self.0.swarms.shard(torrent);
                let swarm = shard.swarms.get(&torrent);
                let count = swarm.map(|swarm| swarm.peers.count()).unwrap_or_default();
                let completed = swarm.map_or(0, |swarm| swarm.completed);
                Scraped {
                    hash,
                    seeders: count.seeders,
                    completed,
                    leechers: count.leechers,
                }
            })
            .collect()
    }
}
