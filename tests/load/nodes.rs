//! Two nodes behind an arbitrary assignment, restarted one after the other under load: nobody is lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use futures::future::join_all;

use crate::clients;
use crate::crowd::{Check, crowds, tally};
use crate::ways::{Event, Transport};
use crate::world::{World, agreed};

/// How often each node is restarted.
const RESTARTS: usize = 2;

#[tokio::test(flavor = "multi_thread")]
async fn a_rolling_restart_under_load_loses_no_peer_and_no_credit() {
    let mut world = World::given().await;
    world.admitted().await;
    // Browsers come back by themselves: until then they are gone.
    let begun = crowds(&world, clients(), &[Transport::Http, Transport::Udp]);
    let starting = begun
        .into_iter()
        .map(|crowd| crowd.all(Event::Started, Check::Part));
    let mut begun = join_all(starting).await;
    agreed(&world, &mut begun).await;
    let enough = Arc::new(AtomicBool::new(false));
    let running: Vec<_> = begun
        .into_iter()
        .map(|crowd| {
            let enough = Arc::clone(&enough);
            // From here on every answer of either node must know everybody, also the first after a start.
            tokio::spawn(async move { crowd.go_on(&enough, Check::Whole).await })
        })
        .collect();
    for _ in 0..RESTARTS {
        for place in 0..world.nodes.len() {
            world.nodes[place].stop();
            world.nodes[place].launch().await;
        }
    }
    enough.store(true, Ordering::Relaxed);
    let mut ended = vec![];
    for one in running {
        ended.push(one.await.unwrap());
    }
    agreed(&world, &mut ended).await;
    let stopping = ended
        .into_iter()
        .map(|crowd| crowd.all(Event::Stopped, Check::Nothing));
    let ended = join_all(stopping).await;
    world.settled(&ended).await;
    let tally = tally(&ended);
    let text = format!(
        "{} clients on two nodes that were restarted {} times: {} announces, {} answers knew everybody, every \
         ledger as claimed",
        clients(),
        RESTARTS * world.nodes.len(),
        tally.announces,
        tally.checks
    );
    tests::tally("nodes", &text);
}
