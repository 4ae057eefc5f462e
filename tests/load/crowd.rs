//! The clients of one torrent, one announce after another, and the model of what each answer must hold.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::ways::{Answer, Event, Report, Said, Transport, Ways};
use crate::world::{Torrent, World};

/// Client 0 listens here.
const PORTS: u16 = 10_000;
/// Peers that an answer holds unless the client says.
const WANTED: usize = 50;
/// Between two announces of one torrent, so that the load generator leaves room for what it loads.
const PAUSE: Duration = Duration::from_millis(10);
/// Up to here an answer's window covers the whole swarm.
const WINDOW: usize = 4 * WANTED;

/// Numbers without a pattern.
#[derive(Debug)]
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

/// One client of one member.
#[derive(Debug, Clone)]
pub(crate) struct Peer {
    number: u32,
    pub(crate) member: usize,
    passkey: String,
    transport: Transport,
    uploaded: u64,
    downloaded: u64,
    left: u64,
    /// What earlier runs moved.
    before: (u64, u64),
    here: bool,
    /// Whether it was ever here.
    known: bool,
}

/// How strictly an answer is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Check {
    /// It says how many there are, and hands out whoever it must.
    Whole,
    /// It hands out nobody whom it mustn't; a node that fell may not know everybody.
    Part,
    /// Nothing is: the other node may not have heard yet who left.
    Nothing,
}

/// What was counted.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Tally {
    pub(crate) announces: usize,
    pub(crate) checks: usize,
    pub(crate) offers: usize,
}

/// The clients of one torrent.
pub(crate) struct Crowd {
    pub(crate) hash: [u8; 20],
    pub(crate) peers: Vec<Peer>,
    nodes: Vec<SocketAddr>,
    ways: Vec<Ways>,
    dice: Dice,
    pub(crate) tally: Tally,
}

/// Spreads clients over the torrents, more on the first ones, and over the transports.
pub(crate) fn crowds(world: &World, clients: u32, transports: &[Transport]) -> Vec<Crowd> {
    let nodes: Vec<SocketAddr> = world.nodes.iter().map(|node| node.announces).collect();
    let make = |(place, torrent): (usize, &Torrent)| Crowd {
        hash: torrent.hash,
        peers: vec![],
        nodes: nodes.clone(),
        ways: nodes.iter().copied().map(Ways::to).collect(),
        dice: Dice(u64::try_from(place).unwrap()),
        tally: Tally::default(),
    };
    let mut crowds: Vec<Crowd> = world.torrents.iter().enumerate().map(make).collect();
    let mut dice = Dice(7);
    let most = u64::try_from(crowds.len()).unwrap();
    for number in 0..clients {
        let place = usize::try_from(dice.roll(most).min(dice.roll(most))).unwrap();
        let member = usize::try_from(number).unwrap() % world.members.len();
        crowds[place].peers.push(Peer {
            number,
            member,
            passkey: world.members[member].passkey.clone(),
            transport: transports[usize::try_from(dice.roll(3)).unwrap() % transports.len()],
            uploaded: 0,
            downloaded: 0,
            left: 0,
            before: (0, 0),
            here: false,
            known: false,
        });
    }
    crowds
}

impl Peer {
    fn port(&self) -> u16 {
        PORTS + u16::try_from(self.number).unwrap()
    }

    fn id(&self) -> String {
        let client = match self.transport {
            Transport::Http | Transport::Udp => "TR3000",
            Transport::Ws => "WW0100",
        };
        format!("-{client}-{:012}", self.number)
    }

    /// All that it claims to have moved.
    pub(crate) fn claimed(&self) -> (u64, u64) {
        (
            self.before.0 + self.uploaded,
            self.before.1 + self.downloaded,
        )
    }

    /// Changes as the event says.
    fn change(&mut self, event: Event, dice: &mut Dice) {
        if event == Event::Started {
            self.before = self.claimed();
            (self.uploaded, self.downloaded) = (0, 0);
            self.left = 1_000_000 * dice.roll(3).min(1);
        } else {
            self.uploaded += dice.roll(1_000);
            self.downloaded += dice.roll(500);
        }
        if event == Event::Completed {
            self.left = 0;
        }
        self.here = event != Event::Stopped;
        self.known = true;
    }
}

impl Crowd {
    /// Lets a client announce, at whichever node answers first.
    async fn announce(&mut self, place: usize, event: Event, first: usize) -> Answer {
        let mut node = first;
        loop {
            match self.say(place, event, node).await {
                // One that can't reach the database is dark: the other one answers, or it does later.
                None => {}
                Some(Err(reason)) if reason == "tracker is closed" => {}
                Some(said) => return said.unwrap(),
            }
            node = (node + 1) % self.nodes.len();
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Lets a client announce at a node, as it stands.
    pub(crate) async fn say(&mut self, place: usize, event: Event, node: usize) -> Option<Said> {
        let peer = &self.peers[place];
        let report = Report {
            transport: peer.transport,
            passkey: peer.passkey.clone(),
            hash: self.hash,
            id: peer.id(),
            port: peer.port(),
            uploaded: peer.uploaded,
            downloaded: peer.downloaded,
            left: peer.left,
            event,
        };
        self.tally.announces += 1;
        let said = self.ways[node].tell(&report).await;
        for (passkey, from) in std::mem::take(&mut self.ways[node].offers) {
            let offered = self.peers.iter().find(|peer| peer.id() == from);
            // An offer is of the same torrent.
            let offered = offered.unwrap();
            assert!(offered.known && offered.transport == Transport::Ws);
            assert_ne!(offered.passkey, passkey, "nobody meets itself");
            self.tally.offers += 1;
        }
        said
    }

    /// How many seeders and leechers there are.
    pub(crate) fn counts(&self) -> (u64, u64) {
        let here = self.peers.iter().filter(|peer| peer.here);
        here.fold((0, 0), |(seeders, leechers), peer| {
            let seeds = u64::from(peer.left == 0);
            (seeders + seeds, leechers + 1 - seeds)
        })
    }

    /// Whom a client may be given: peers of others that are here, and to a seeder no seeders.
    fn others(&self, place: usize) -> BTreeSet<u16> {
        let asks = &self.peers[place];
        let fits = |peer: &&Peer| {
            let meets = peer.left > 0 || asks.left > 0;
            peer.here && meets && peer.member != asks.member && peer.transport != Transport::Ws
        };
        self.peers.iter().filter(fits).map(Peer::port).collect()
    }

    fn check(&mut self, place: usize, answer: &Answer, check: Check) {
        if check == Check::Nothing {
            return;
        }
        let peer = &self.peers[place];
        let given: BTreeSet<u16> = answer.ports.iter().copied().collect();
        assert_eq!(given.len(), answer.ports.len(), "nobody is given twice");
        let others = self.others(place);
        let strange: Vec<_> = given.difference(&others).collect();
        assert!(strange.is_empty(), "{peer:?} was given {strange:?}");
        let (seeders, leechers) = self.counts();
        let counted = (answer.seeders, answer.leechers);
        match check {
            Check::Whole => {
                assert_eq!(counted, (seeders, leechers), "{peer:?}");
                let few = usize::try_from(seeders + leechers).unwrap() <= WINDOW;
                let gets = peer.here && peer.transport != Transport::Ws;
                if few && gets {
                    assert_eq!(given.len(), others.len().min(WANTED), "{peer:?}");
                }
            }
            Check::Nothing => {}
            Check::Part => assert!(
                counted.0 <= seeders && counted.1 <= leechers,
                "{counted:?} of {seeders} and {leechers}"
            ),
        }
        self.tally.checks += 1;
    }

    /// Lets a client do something and checks the answer.
    async fn step(&mut self, place: usize, event: Event, check: Check) {
        let node = self.dice.roll(u64::try_from(self.nodes.len()).unwrap());
        self.peers[place].change(event, &mut self.dice);
        let answer = self
            .announce(place, event, usize::try_from(node).unwrap())
            .await;
        self.check(place, &answer, check);
    }

    /// Lets every client do the same thing.
    pub(crate) async fn all(mut self, event: Event, check: Check) -> Self {
        for place in 0..self.peers.len() {
            self.step(place, event, check).await;
        }
        self
    }

    /// Lets every client come, go, complete or go on, as it falls.
    pub(crate) async fn any(mut self) -> Self {
        for place in 0..self.peers.len() {
            let peer = &self.peers[place];
            let event = match (peer.here, self.dice.roll(10)) {
                (false, _) => Event::Started,
                (true, 0) => Event::Stopped,
                (true, 1) if peer.left > 0 => Event::Completed,
                (true, _) => Event::Update,
            };
            self.step(place, event, Check::Whole).await;
        }
        let passkey = self.peers.first().map(|peer| peer.passkey.clone());
        if let Some(passkey) = passkey {
            let counted = self.ways[0].scrape(&passkey, self.hash).await;
            assert_eq!(counted, Some(self.counts()), "the scrape");
            self.tally.checks += 1;
        }
        self
    }

    /// Lets the clients go on, one after another, until it is enough.
    pub(crate) async fn go_on(mut self, enough: &AtomicBool, check: Check) -> Self {
        while !enough.load(Ordering::Relaxed) {
            for place in 0..self.peers.len() {
                self.step(place, Event::Update, check).await;
                tokio::time::sleep(PAUSE).await;
                if enough.load(Ordering::Relaxed) {
                    break;
                }
            }
            tokio::time::sleep(PAUSE).await;
        }
        self
    }

    /// Whether a node says what the model says.
    pub(crate) async fn agrees(&mut self, node: usize) -> bool {
        let Some(peer) = self.peers.first() else {
            return true;
        };
        let passkey = peer.passkey.clone();
        self.ways[node].scrape(&passkey, self.hash).await == Some(self.counts())
    }
}

impl Crowd {
    /// How a node's counts differ from the model's.
    pub(crate) async fn difference(&mut self, node: usize) -> String {
        let passkey = self.peers[0].passkey.clone();
        let counted = self.ways[node].scrape(&passkey, self.hash).await;
        format!("{counted:?} instead of {:?}", self.counts())
    }
}

/// What the clients of each member claim in all.
pub(crate) fn claims(crowds: &[Crowd]) -> BTreeMap<usize, (u64, u64)> {
    let mut claims = BTreeMap::<usize, (u64, u64)>::new();
    for peer in crowds.iter().flat_map(|crowd| &crowd.peers) {
        let claimed = peer.claimed();
        let sums = claims.entry(peer.member).or_default();
        *sums = (sums.0 + claimed.0, sums.1 + claimed.1);
    }
    claims
}

/// What was counted over all of them.
pub(crate) fn tally(crowds: &[Crowd]) -> Tally {
    crowds
        .iter()
        .map(|crowd| crowd.tally)
        .fold(Tally::default(), |sum, one| Tally {
            announces: sum.announces + one.announces,
            checks: sum.checks + one.checks,
            offers: sum.offers + one.offers,
        })
}
