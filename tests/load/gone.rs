//! What is taken away under load is refused on every node within a second, over every transport.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use futures::future::join_all;
use tokio::task::JoinHandle;

use crate::clients;
use crate::crowd::{Check, Crowd, crowds};
use crate::ways::{Event, Transport};
use crate::world::World;

/// How long it may take.
const SOON: Duration = Duration::from_secs(1);
/// Clients that are asked for in turn.
const ASKED: usize = 9;

/// Clients that go on until they are told that it is enough.
struct Load {
    enough: Arc<AtomicBool>,
    running: Vec<JoinHandle<Crowd>>,
}

impl Load {
    fn of(crowds: Vec<Crowd>) -> Self {
        let enough = Arc::new(AtomicBool::new(false));
        let go_on = |crowd: Crowd| {
            let enough = Arc::clone(&enough);
            tokio::spawn(async move { crowd.go_on(&enough, Check::Part).await })
        };
        let running = crowds.into_iter().map(go_on).collect();
        Self { enough, running }
    }

    async fn end(self) {
        self.enough.store(true, Ordering::Relaxed);
        for one in self.running {
            one.await.unwrap();
        }
    }
}

async fn begun(crowds: Vec<Crowd>) -> Vec<Crowd> {
    let starting = crowds
        .into_iter()
        .map(|crowd| crowd.all(Event::Started, Check::Part));
    join_all(starting).await
}

/// Asks for some clients at both nodes, so that all of them are in, or none any more.
async fn ask(gone: &mut Crowd, places: &[usize]) -> Vec<(usize, Option<String>)> {
    let mut told = vec![];
    for place in places {
        for node in 0..2 {
            let said = gone.say(*place, Event::Update, node).await;
            // A socket that was closed isn't opened again.
            let refused = said.map_or(Some("closed".to_owned()), Result::err);
            told.push((node, refused));
        }
    }
    told
}

/// Each node refuses within a second, and for good.
async fn refused(mut gone: Crowd, places: &[usize], began: Instant, reason: &str) {
    let mut refusing = [false; 2];
    while began.elapsed() < 2 * SOON {
        let asked = began.elapsed();
        for (node, refused) in ask(&mut gone, places).await {
            match refused {
                Some(told) => {
                    assert!(told == reason || told == "closed", "{told}");
                    refusing[node] = true;
                }
                None => assert!(
                    !refusing[node] && asked < SOON,
                    "node {node} lets it in after {asked:?}"
                ),
            }
        }
    }
    assert_eq!(refusing, [true; 2]);
}

const TRANSPORTS: [Transport; 3] = [Transport::Http, Transport::Udp, Transport::Ws];

#[tokio::test(flavor = "multi_thread")]
async fn a_torrent_that_is_withdrawn_under_load_is_refused_on_every_node_within_a_second() {
    let world = World::given().await;
    world.admitted().await;
    let mut crowds = begun(crowds(&world, clients(), &TRANSPORTS)).await;
    let mut gone = crowds.remove(0);
    let load = Load::of(crowds);
    let places: Vec<usize> = (0..gone.peers.len().min(ASKED)).collect();
    let before = ask(&mut gone, &places).await;
    assert!(before.iter().all(|(_, refused)| refused.is_none()));
    let withdraw = format!("/torrents/{}/withdraw", world.torrents[0].id);
    let admin = &world.members[0].client;
    assert_eq!(admin.post_form(&withdraw, &[]).await.status(), 303);
    refused(gone, &places, Instant::now(), "torrent withdrawn").await;
    load.end().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_who_is_banned_under_load_is_refused_on_every_node_within_a_second() {
    let world = World::given().await;
    world.admitted().await;
    let mut crowds = crowds(&world, clients(), &TRANSPORTS);
    for crowd in crowds.iter_mut().skip(1) {
        crowd.peers.retain(|peer| peer.member != 1);
    }
    let mut crowds = begun(crowds).await;
    let mut gone = crowds.remove(0);
    let load = Load::of(crowds);
    let of_member = gone.peers.iter().enumerate();
    let places: Vec<usize> = of_member
        .filter(|(_, peer)| peer.member == 1)
        .map(|(place, _)| place)
        .take(ASKED)
        .collect();
    assert!(places.len() > 3);
    let before = ask(&mut gone, &places).await;
    assert!(before.iter().all(|(_, refused)| refused.is_none()));
    let admin = &world.members[0].client;
    let fields = [("act", "ban"), ("reason", "a test"), ("hours", "24")];
    let banned = admin.post_form("/members/member1/sanction", &fields).await;
    assert_eq!(banned.status(), 303);
    let reason = "you are banned; the site says why";
    refused(gone, &places, Instant::now(), reason).await;
    load.end().await;
}
