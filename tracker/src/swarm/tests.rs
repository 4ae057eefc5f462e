//! Tests of [`super`] against a naive model.

use std::collections::HashSet;

use domain::info_hash::InfoHash;
use domain::transfer::Kind;
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::announce::Families;

const TORRENT: TorrentId = TorrentId(Uuid::from_u128(9));

fn announce(left: u64, event: Event, port: u16) -> Announce {
    Announce {
        info_hash: InfoHash([0; 20]),
        peer_id: [0; 20],
        port,
        uploaded: 0,
        downloaded: 0,
        left,
        event,
        numwant: None,
        compact: true,
        no_peer_id: false,
        families: Families::Both,
    }
}

fn member(number: u8) -> MemberId {
    MemberId(Uuid::from_u128(u128::from(number) + 1))
}

fn ip(number: u8) -> IpAddr {
    IpAddr::from([10, 0, 0, number])
}

struct World {
    swarms: Swarms,
    rules: Rules,
    now: u32,
}

impl World {
    fn new() -> Self {
        let settings = crate::Settings {
            most_addresses: 3,
            ..crate::Settings::default()
        };
        Self {
            swarms: Swarms::new(Arc::default()),
            rules: Rules::new(&projections::site::Settings::default(), &settings),
            now: 0,
        }
    }

    fn join(
        &self,
        who: u8,
        client: u8,
        from: IpAddr,
        announce: &Announce,
        wanted: usize,
    ) -> Result<Outcome, Failure> {
        let peer = PeerKey {
            member: self.swarms.members.number(member(who)).number,
            id: [client; 20],
        };
        let now = self.now;
        let joined = Joined {
            torrent: TORRENT,
            swarm: 0,
            member: member(who),
            peer,
            announce,
            from,
            now,
            part: 0,
            interval: 100,
            free: false,
            wanted,
            luck: rand::random(),
        };
        self.swarms
            .join(&joined, &self.rules, |peer| u64::from(peer.id[0]))
    }
}

fn ports(chosen: &Chosen) -> Vec<u16> {
    chosen
        .v4
        .chunks_exact(6)
        .map(|peer| u16::from_be_bytes([peer[4], peer[5]]))
        .collect()
}

#[test]
fn nobody_gets_themselves_their_own_peers_or_as_a_seeder_seeders() {
    let world = World::new();
    for who in 0..10 {
        world
            .join(
                who,
                who,
                ip(who),
                &announce(u64::from(who % 2), Event::Started, 1_000 + u16::from(who)),
                50,
            )
            .ok()
            .unwrap();
    }
    let seeder = world
        .join(0, 0, ip(0), &announce(0, Event::Update, 1_000), 50)
        .ok()
        .unwrap();
    let mut got = ports(&seeder.peers);
    got.sort_unstable();
    assert_eq!(got, [1_001, 1_003, 1_005, 1_007, 1_009]);
    let leecher = world
        .join(1, 1, ip(1), &announce(1, Event::Update, 1_001), 50)
        .ok()
        .unwrap();
    assert_eq!(ports(&leecher.peers).len(), 9);
    assert!(!ports(&leecher.peers).contains(&1_001));
    let second = world
        .join(1, 77, ip(1), &announce(1, Event::Started, 2_000), 50)
        .ok()
        .unwrap();
    assert!(
        !ports(&second.peers).contains(&1_001),
        "a member's other client"
    );
}

#[test]
fn both_families_of_a_client_are_one_peer_with_two_addresses() {
    let world = World::new();
    let six: IpAddr = "fd00::1".parse().unwrap();
    world
        .join(0, 0, ip(1), &announce(0, Event::Started, 5), 0)
        .ok()
        .unwrap();
    world
        .join(0, 0, six, &announce(0, Event::Started, 5), 0)
        .ok()
        .unwrap();
    let other = world
        .join(1, 1, ip(2), &announce(1, Event::Started, 6), 50)
        .ok()
        .unwrap();
    assert_eq!(
        (
            other.count.seeders,
            other.peers.v4.len(),
            other.peers.v6.len()
        ),
        (1, 6, 18)
    );
    let few = world
        .join(1, 1, ip(2), &announce(1, Event::Update, 6), 1)
        .ok()
        .unwrap();
    assert!(few.peers.v4.len() >= 6);
}

#[test]
fn a_fourth_address_of_a_member_is_refused_and_changes_nothing() {
    let world = World::new();
    for client in 0..3 {
        world
            .join(0, client, ip(client), &announce(0, Event::Started, 5), 0)
            .ok()
            .unwrap();
    }
    let refused = world
        .join(0, 9, ip(9), &announce(0, Event::Started, 5), 0)
        .err();
    assert_eq!(refused, Some(Failure::TooManyAddresses));
    assert_eq!(world.swarms.peers(), 3);
    assert!(
        world
            .join(0, 10, ip(1), &announce(0, Event::Started, 6), 0)
            .is_ok(),
        "a known address"
    );
    assert!(
        world
            .join(0, 1, ip(77), &announce(0, Event::Update, 5), 0)
            .is_ok(),
        "a peer that moved"
    );
}

#[test]
fn a_private_address_is_not_handed_to_the_outside() {
    let world = World::new();
    world
        .join(0, 0, ip(1), &announce(0, Event::Started, 5), 0)
        .ok()
        .unwrap();
    let outside = world
        .join(
            1,
            1,
            IpAddr::from([8, 8, 4, 4]),
            &announce(1, Event::Started, 6),
            50,
        )
        .ok()
        .unwrap();
    assert_eq!(outside.peers, Chosen::default());
    let inside = world
        .join(2, 2, ip(3), &announce(1, Event::Started, 7), 50)
        .ok()
        .unwrap();
    assert_eq!(inside.peers.v4.len(), 12);
}

#[test]
fn every_peer_is_handed_out_about_as_often() {
    let world = World::new();
    for who in 0..100 {
        world
            .join(
                who,
                who,
                ip(who),
                &announce(u64::from(who % 4), Event::Started, 1_000 + u16::from(who)),
                0,
            )
            .ok()
            .unwrap();
    }
    let mut seen = vec![0_u32; 100];
    for _ in 0..2_000 {
        let got = world
            .join(200, 200, ip(200), &announce(1, Event::Update, 9), 10)
            .ok()
            .unwrap();
        for port in ports(&got.peers) {
            seen[usize::from(port) - 1_000] += 1;
        }
    }
    // 200 expected each; a window that always began at one place would leave most at 0.
    assert!(
        seen.iter().all(|times| (100..400).contains(times)),
        "{seen:?}"
    );
}

#[test]
fn the_silent_leave_and_their_totals_are_remembered() {
    let mut world = World::new();
    world
        .join(0, 0, ip(0), &announce(0, Event::Started, 5), 0)
        .ok()
        .unwrap();
    world.now = 50;
    world
        .join(1, 1, ip(1), &announce(1, Event::Started, 6), 0)
        .ok()
        .unwrap();
    for shard in 0..SHARDS {
        world.swarms.sweep(shard, 210, 200);
    }
    assert_eq!(
        (
            world.swarms.peers(),
            world.swarms.of_member(member(0)).seeders
        ),
        (1, 0)
    );
    world.now = 211;
    let back = Announce {
        uploaded: 10,
        ..announce(0, Event::Update, 5)
    };
    world.join(0, 0, ip(0), &back, 0).ok().unwrap();
    assert_eq!(
        world
            .swarms
            .take_dirty()
            .iter()
            .map(|entry| entry.run)
            .max(),
        Some(0)
    );
}

proptest! {
    #[test]
    fn the_swarm_agrees_with_a_naive_model(
        steps in prop::collection::vec((0_u8..12, 0_u64..2, 0_u8..4, 0_usize..6), 1..120),
    ) {
        let mut world = World::new();
        let mut model: AHashMap<u8, (u64, u16)> = AHashMap::new();
        for (who, left, what, wanted) in steps {
            world.now += 1;
            let event = if what == 0 { Event::Stopped } else { Event::Update };
            let port = 1_000 + u16::from(who);
            let got = world.join(who, who, ip(who), &announce(left, event, port), wanted).ok().unwrap();
            if what == 0 { model.remove(&who); } else { model.insert(who, (left, port)); }
            let seeders = model.values().filter(|(left, _)| *left == 0).count();
            prop_assert_eq!(usize::try_from(got.count.seeders).unwrap(), seeders);
            prop_assert_eq!(usize::try_from(got.count.leechers).unwrap(), model.len() - seeders);
            let handed = ports(&got.peers);
            let unique: HashSet<u16> = handed.iter().copied().collect();
            prop_assert_eq!(unique.len(), handed.len());
            let allowed: HashSet<u16> = model.iter()
                .filter(|(other, (other_left, _))| **other != who && (left > 0 || *other_left > 0))
                .map(|(_, (_, port))| *port).collect();
            prop_assert!(unique.is_subset(&allowed));
            let expected = if what == 0 { 0 } else { wanted.min(allowed.len()) };
            prop_assert_eq!(handed.len(), expected);
        }
        prop_assert_eq!(world.swarms.peers(), model.len());
    }
}

fn moved(uploaded: u64, downloaded: u64, left: u64) -> Announce {
    Announce {
        uploaded,
        downloaded,
        ..announce(left, Event::Update, 1)
    }
}

#[test]
fn what_looks_wrong_is_noted_and_nothing_follows_from_it() {
    const GIB: u64 = 1 << 30;
    let mut world = World::new();
    let mut join = |who, now, said: &Announce| {
        world.now = now;
        world.join(who, who, ip(who), said, 50).ok().unwrap();
        let noted = world.swarms.suspicions.take();
        noted
            .into_iter()
            .map(|(_, one)| one.kind())
            .collect::<Vec<_>>()
    };
    // Somebody seeds, and somebody is there to receive.
    assert_eq!(join(1, 1_000, &announce(0, Event::Started, 1)), []);
    assert_eq!(join(2, 1_010, &announce(5, Event::Started, 2)), []);
    assert_eq!(join(1, 1_100, &moved(GIB, 0, 0)), []);
    // Faster than a line of ten gigabits.
    assert_eq!(join(1, 1_110, &moved(20 * GIB, 0, 0)), [Kind::TooFast]);
    // Less than before.
    assert_eq!(join(1, 1_200, &moved(GIB, 0, 0)), [Kind::Shrunk]);
    // Nobody is there any more.
    assert_eq!(join(2, 1_210, &announce(5, Event::Stopped, 2)), []);
    assert_eq!(join(1, 1_300, &moved(21 * GIB, 0, 0)), []);
    assert_eq!(join(1, 1_400, &moved(22 * GIB, 0, 0)), [Kind::NobodyThere]);
    // The totals stand as they were claimed.
    let credited: u64 = world
        .swarms
        .take_dirty()
        .iter()
        .map(|entry| entry.uploaded.0)
        .sum();
    assert_eq!(credited, 22 * GIB);
}

#[test]
fn a_run_that_ends_before_it_was_handed_over_is_handed_over_beside_the_next() {
    let world = World::new();
    let report = |event, uploaded| Announce {
        uploaded,
        ..announce(5, event, 1)
    };
    for (event, uploaded) in [
        (Event::Started, 0),
        (Event::Update, 700),
        (Event::Stopped, 900),
        (Event::Started, 0),
        (Event::Update, 50),
    ] {
        world
            .join(1, 1, ip(1), &report(event, uploaded), 0)
            .unwrap();
    }
    let told = |entries: Vec<Entry>| {
        let mut runs: Vec<_> = entries
            .iter()
            .map(|entry| (entry.run, entry.uploaded.0))
            .collect();
        runs.sort_unstable();
        runs
    };
    assert_eq!(told(world.swarms.take_dirty()), [(0, 900), (1, 50)]);
    world
        .join(1, 1, ip(1), &report(Event::Stopped, 60), 0)
        .unwrap();
    assert_eq!(told(world.swarms.take_dirty()), [(1, 60)]);
    // What was handed over isn't kept.
    world
        .join(1, 1, ip(1), &report(Event::Started, 0), 0)
        .unwrap();
    assert_eq!(told(world.swarms.take_dirty()), [(2, 0)]);
}

/// The time that a member is credited for what clients said when.
fn seeded(said: &[(u32, u8, Event)]) -> u64 {
    let mut world = World::new();
    for (now, client, event) in said {
        world.now = *now;
        let said = announce(0, *event, u16::from(*client));
        world.join(1, *client, ip(*client), &said, 0).ok().unwrap();
    }
    let told = world.swarms.take_dirty();
    told.iter().map(|entry| entry.seeded.0).sum()
}

#[test]
fn two_clients_of_a_member_seed_no_longer_than_one() {
    let both = [
        (1_000, 1, Event::Started),
        (1_060, 1, Event::Update),
        (1_070, 2, Event::Started),
        (1_100, 1, Event::Update),
        (1_130, 2, Event::Update),
        (1_160, 1, Event::Update),
        (1_170, 1, Event::Stopped),
        (1_200, 2, Event::Update),
    ];
    assert_eq!(seeded(&both), 200);
    // One that comes and goes takes nothing from the other.
    let guest = [
        (1_000, 1, Event::Started),
        (1_070, 2, Event::Started),
        (1_080, 2, Event::Stopped),
        (1_090, 1, Event::Update),
        (1_095, 2, Event::Started),
        (1_100, 2, Event::Update),
        (1_150, 1, Event::Update),
        (1_160, 2, Event::Update),
    ];
    assert_eq!(seeded(&guest), 160);
}

/// Tells of which client it is said that it completed the download, after what clients said.
fn completed(said: &[(u8, u64, u64, Event)]) -> (u32, Vec<u16>) {
    let mut world = World::new();
    let mut count = 0;
    for (client, downloaded, left, event) in said {
        world.now += 200;
        let said = Announce {
            downloaded: *downloaded,
            ..announce(*left, *event, u16::from(*client))
        };
        let outcome = world.join(1, *client, ip(1), &said, 0).ok().unwrap();
        count = outcome.completed;
    }
    let told = world.swarms.take_dirty();
    let completed = told.iter().filter(|entry| entry.completed);
    let runs = completed.map(|entry| u16::try_from(entry.downloaded.0).unwrap());
    (count, runs.collect())
}

#[test]
fn who_comes_back_as_another_peer_with_all_of_it_has_completed_what_was_begun() {
    use Event::{Completed, Started, Update};
    let begun = [(1, 0, 900, Started), (1, 700, 200, Update)];
    let with = |then: &[(u8, u64, u64, Event)]| completed(&[&begun[..], then].concat());
    assert_eq!(with(&[(2, 0, 0, Started)]), (1, vec![0]));
    // A little that is missing at first hides nothing, and it counts once.
    let little = [(2, 0, 1, Started), (2, 0, 0, Update), (3, 0, 0, Started)];
    assert_eq!(with(&little), (1, vec![0]));
    assert_eq!(
        with(&[(1, 900, 0, Completed), (2, 0, 0, Started)]),
        (1, vec![900])
    );
    // Who brings it, and who received nothing, completed nothing.
    assert_eq!(
        completed(&[(1, 0, 0, Started), (2, 0, 0, Started)]),
        (0, vec![])
    );
    assert_eq!(
        completed(&[(1, 0, 900, Started), (2, 0, 0, Started)]),
        (0, vec![])
    );
}
