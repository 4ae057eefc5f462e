//! An announce, free of its transport: what is asked, what is answered, and the five steps between.

use std::net::IpAddr;
use std::time::Instant;

use domain::Purpose;
use domain::info_hash::InfoHash;
use rand::RngExt as _;

use crate::Tracker;
use crate::access::Offer;
use crate::member::Member;
use crate::swarm::{Chosen, Joined, PeerKey};

/// What a client says of itself (BEP 3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Announce {
    /// The swarm.
    pub info_hash: InfoHash,
    /// The client's name for this session.
    pub peer_id: [u8; 20],
    /// Where it listens; 0 where nobody can reach it by an address.
    pub port: u16,
    /// Bytes sent to peers since it started.
    pub uploaded: u64,
    /// Bytes received from peers since it started.
    pub downloaded: u64,
    /// Bytes that it still wants.
    pub left: u64,
    /// What happened.
    pub event: Event,
    /// Peers that it wants, where it says so.
    pub numwant: Option<usize>,
    /// Whether peers are answered in compact form (BEP 23).
    pub compact: bool,
    /// Whether the dictionary form leaves peer ids out.
    pub no_peer_id: bool,
    /// Whose addresses it can use.
    pub families: Families,
}

/// The families of addresses that an answer can hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Families {
    /// Both.
    Both,
    /// IPv4 alone.
    V4,
    /// IPv6 alone.
    V6,
    /// None: peers find each other through the tracker.
    None,
}

/// What happened to a client's download.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// Nothing; it announces because its interval is over.
    Update,
    /// It began.
    Started,
    /// It has everything.
    Completed,
    /// It leaves.
    Stopped,
    /// It has all that it wants, though not everything (BEP 21).
    Paused,
}

/// Why an announce or a scrape is refused. A refused one changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// The tracker is closed to everybody.
    #[error("tracker is closed")]
    Closed,
    /// A field is missing, doubled or has the wrong form.
    #[error("invalid request: {0}")]
    Invalid(&'static str),
    /// There is no passkey.
    #[error("passkey missing")]
    PasskeyMissing,
    /// Nobody has this passkey.
    #[error("passkey unknown")]
    PasskeyUnknown,
    /// The member is banned.
    #[error("you are banned; the site says why")]
    Banned,
    /// The client isn't on the list of those that may announce.
    #[error("client not allowed")]
    ClientNotAllowed,
    /// The site has no such torrent.
    #[error("torrent unknown")]
    TorrentUnknown,
    /// The torrent is no longer offered.
    #[error("torrent withdrawn")]
    TorrentWithdrawn,
    /// The torrent waits for the staff.
    #[error("torrent not approved yet")]
    TorrentNotApproved,
    /// The member uploaded too little for what was downloaded; in hundredths.
    #[error("ratio too low: {}, and {} is the least", decimal(*has), decimal(*least))]
    RatioTooLow {
        /// The member's ratio.
        has: u32,
        /// The least.
        least: u32,
    },
    /// The member left too many torrents without seeding; so many.
    #[error("hit-and-run limit: seed one of your {0} torrents first")]
    TooManyHitAndRuns(u32),
    /// The member announces too often.
    #[error("too many announces")]
    TooOften,
    /// The member announces this torrent from too many addresses.
    #[error("too many addresses")]
    TooManyAddresses,
    /// The member has too many sockets open.
    #[error("too many sockets")]
    TooManySockets,
}

/// Writes hundredths with their two decimals.
fn decimal(hundredths: u32) -> String {
    format!("{}.{:02}", hundredths / 100, hundredths % 100)
}

/// Minutes after which a client may try a closed tracker again.
const CLOSED_MINUTES: u32 = 60;

impl Failure {
    /// Gives the seconds until the next announce, where a refusal names them.
    pub(crate) fn interval(&self) -> Option<u32> {
        (*self == Self::Closed).then_some(60 * CLOSED_MINUTES)
    }

    /// Gives the minutes after which trying again makes sense, or `None` for never (BEP 31).
    pub fn retry_in(&self) -> Option<u32> {
        match self {
            // A new torrent may be a second away from the list.
            Self::TorrentUnknown => Some(5),
            Self::TooOften => Some(1),
            Self::TooManyAddresses
            | Self::TooManySockets
            | Self::TorrentNotApproved
            | Self::RatioTooLow { .. }
            | Self::TooManyHitAndRuns(_) => Some(30),
            Self::Closed => Some(CLOSED_MINUTES),
            Self::Invalid(_)
            | Self::PasskeyMissing
            | Self::PasskeyUnknown
            | Self::Banned
            | Self::ClientNotAllowed
            | Self::TorrentWithdrawn => None,
        }
    }
}

/// What an admitted announce is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Seconds until the next announce.
    pub interval: u32,
    /// Seconds that must pass before it.
    pub min_interval: u32,
    /// Peers with everything.
    pub seeders: u32,
    /// Peers that still download.
    pub leechers: u32,
    /// How often the torrent was completed.
    pub completed: u32,
    /// Where the announce came from (BEP 24).
    pub from: IpAddr,
    /// Other peers.
    pub peers: Chosen,
}

impl Tracker {
    /// Takes an announce: admits it, changes the swarm, credits, and says who else is there.
    pub fn announce(
        &self,
        passkey: &[u8; 32],
        announce: &Announce,
        from: IpAddr,
    ) -> Result<Reply, Failure> {
        self.announce_as(self.admit(passkey)?, announce, from, Instant::now())
    }

    /// Takes an announce of a member, as it is read.
    pub(crate) fn announce_as(
        &self,
        member: Member,
        announce: &Announce,
        from: IpAddr,
        at: Instant,
    ) -> Result<Reply, Failure> {
        let (rules, (now, part)) = (self.0.rules.load(), self.moment(at));
        let offer = self.offer(announce.info_hash)?;
        rules.admit(&member, &offer, &announce.peer_id)?;
        let free = rules.is_free(&offer, now);
        let peer = PeerKey {
            member: member.number,
            id: announce.peer_id,
        };
        // Before the figures, since who is refused by them may cost a look at a whole swarm.
        let most = rules.announce_rate;
        self.0.rate.count(most, member.number, from, now)?;
        if rules.asks(announce) {
            let figures = self.0.access.figures(member.number);
            rules.may_download(&figures, free).or_else(|failure| {
                // What was completed once may be completed again.
                let again = self.0.swarms.has_completed(offer.torrent, member.number);
                if again { Ok(()) } else { Err(failure) }
            })?;
        }
        let wanted = announce.numwant.unwrap_or(rules.numwant);
        let interval = self.interval_by(&rules);
        let joined = Joined {
            torrent: offer.torrent,
            swarm: offer.swarm,
            member: member.id,
            peer,
            announce,
            from,
            now,
            part,
            interval,
            free,
            wanted: wanted.min(rules.most_peers),
            luck: rand::rng().random(),
        };
        let outcome = self
            .0
            .swarms
            .join(&joined, &rules, |peer| self.client_hash(member.id, peer))?;
        if outcome.urgent {
            self.0.handover.hurry();
        }
        if outcome.swarm != offer.swarm {
            self.0.access.note_swarm(announce.info_hash, outcome.swarm);
        }
        Ok(Reply {
            interval: jittered(interval),
            min_interval: rules.min_interval.min(interval),
            seeders: outcome.count.seeders,
            leechers: outcome.count.leechers,
            completed: outcome.completed,
            from,
            peers: outcome.peers,
        })
    }

    /// Says what is offered under a hash.
    pub(crate) fn offer(&self, hash: InfoHash) -> Result<Offer, Failure> {
        // A tracker that closes has forgotten every torrent.
        let forgotten = |failure| {
            if self.is_closed() {
                Failure::Closed
            } else {
                failure
            }
        };
        self.0.access.torrent(hash).map_err(forgotten)
    }

    /// Says whose passkey it is.
    pub(crate) fn admit(&self, passkey: &[u8; 32]) -> Result<Member, Failure> {
        let mac = || self.0.keys.mac(Purpose::Passkey, passkey);
        let member = self.0.access.member(passkey, mac);
        // A tracker that closes has forgotten everybody.
        if self.is_closed() {
            return Err(Failure::Closed);
        }
        let member = member.ok_or(Failure::PasskeyUnknown)?;
        if member.banned_until != 0 && member.banned_until > self.now() {
            return Err(Failure::Banned);
        }
        Ok(member)
    }
}

/// Spreads the next announces over a fifth of the interval, so that a swarm doesn't come at once.
fn jittered(interval: u32) -> u32 {
    let tenth = interval / 10;
    interval - tenth + rand::rng().random_range(0..=2 * tenth)
}
