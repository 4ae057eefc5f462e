//! Whatever falls under load: what is credited equals what was claimed once everybody has announced again.

use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;

use crate::crowd::{Check, Crowd, crowds, tally};
use crate::ways::{Event, Transport};
use crate::world::{World, agreed};
use crate::{clients, is_long};

/// What is killed.
#[derive(Debug, Clone, Copy)]
enum Part {
    Other,
    Redis,
    Database,
    First,
}

/// Each alone, where there is time, then all in turn without waiting between them.
const FALLS: [&[Part]; 5] = [
    &[Part::Other],
    &[Part::Redis],
    &[Part::Database],
    &[Part::First],
    &[Part::Redis, Part::Database, Part::First, Part::Other],
];

impl World {
    async fn fall(&mut self, part: Part) {
        match part {
            Part::Other => {
                self.nodes[1].kill();
                self.nodes[1].launch().await;
            }
            Part::First => {
                self.nodes[0].kill();
                self.nodes[0].launch().await;
            }
            Part::Redis => {
                let redis = self.redis.as_mut().unwrap();
                redis.kill();
                redis.launch();
            }
            Part::Database => {
                let database = self.nodes[0].database_pid();
                let killed = Command::new("kill").args(["-9", &database]).status();
                assert!(killed.unwrap().success());
            }
        }
    }
}

/// Lets every client announce once more; a node answers for the other meanwhile.
async fn once_more(crowds: Vec<Crowd>, event: Event, check: Check) -> Vec<Crowd> {
    join_all(crowds.into_iter().map(|crowd| crowd.all(event, check))).await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_killed_under_load_the_ledger_equals_the_claims() {
    let mut world = World::pair().await;
    world.admitted().await;
    let transports = [Transport::Http, Transport::Udp, Transport::Ws];
    let begun = crowds(&world, clients(), &transports);
    let begun = once_more(begun, Event::Started, Check::Part).await;
    let enough = Arc::new(AtomicBool::new(false));
    let running: Vec<_> = begun
        .into_iter()
        .map(|crowd| {
            let enough = Arc::clone(&enough);
            tokio::spawn(async move { crowd.go_on(&enough, Check::Part).await })
        })
        .collect();
    let mut fallen = 0;
    let falls = if is_long() { &FALLS[..] } else { &FALLS[4..] };
    for parts in falls {
        for part in *parts {
            world.fall(*part).await;
            fallen += 1;
        }
        for node in 0..world.nodes.len() {
            world.ready(node).await;
        }
    }
    enough.store(true, Ordering::Relaxed);
    let mut ended = vec![];
    for one in running {
        ended.push(one.await.unwrap());
    }
    let mut ended = once_more(ended, Event::Update, Check::Part).await;
    agreed(&world, &mut ended).await;
    // Everybody stops, starts again and goes on; a client that changes nodes is heard of before it comes.
    for event in [Event::Stopped, Event::Started, Event::Update] {
        ended = once_more(ended, event, Check::Nothing).await;
        agreed(&world, &mut ended).await;
    }
    world.settled(&ended).await;
    let tally = tally(&ended);
    let text = format!(
        "{} clients on two nodes while node, Redis and PostgreSQL were killed {fallen} times: {} announces, \
         {} answers checked, every ledger as claimed",
        clients(),
        tally.announces,
        tally.checks
    );
    tests::tally("fall", &text);
}
