//! One node: every answer is right, over all transports at once.

use std::time::Instant;

use futures::future::join_all;

use crate::clients;
use crate::crowd::{Check, crowds, tally};
use crate::ways::{Event, Transport};
use crate::world::World;

/// How often every client does something.
const ROUNDS: usize = 5;

#[tokio::test(flavor = "multi_thread")]
async fn clients_over_three_transports_at_once_get_right_answers_and_their_due() {
    let world = World::alone().await;
    world.admitted().await;
    let transports = [Transport::Http, Transport::Udp, Transport::Ws];
    let mut crowds = crowds(&world, clients(), &transports);
    let began = Instant::now();
    for _ in 0..ROUNDS {
        crowds = join_all(crowds.into_iter().map(crate::crowd::Crowd::any)).await;
    }
    let all = |crowds: Vec<crate::crowd::Crowd>, event| {
        join_all(
            crowds
                .into_iter()
                .map(move |crowd| crowd.all(event, Check::Whole)),
        )
    };
    // Everybody leaves, comes back and goes on.
    for event in [Event::Stopped, Event::Started, Event::Update] {
        crowds = all(crowds, event).await;
    }
    let took = began.elapsed();
    world.settled(&crowds).await;
    let tally = tally(&crowds);
    assert!(tally.checks > ROUNDS * usize::try_from(clients()).unwrap());
    assert!(tally.offers > 0, "peers in browsers meet");
    let text = format!(
        "{} clients over HTTP, UDP and WebSocket: {} announces in {took:.0?}, {} answers checked, {} offers \
         handed on, every ledger as claimed",
        clients(),
        tally.announces,
        tally.checks,
        tally.offers
    );
    tests::tally("load", &text);
}
