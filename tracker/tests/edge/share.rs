//! Two trackers of one site.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use commands::ports::{Channel, Relay, Unavailable};
use infra::relay::InProcess;
use projections::swarm::{Count, Swarms as _};
use tokio::sync::watch;
use tracker::Tracker;

use crate::server::{Client, OFFERED, Server, number, ports};

/// Messages in memory; away while somebody says so.
#[derive(Debug, Default)]
pub(crate) struct Room {
    kept: InProcess,
    away: AtomicBool,
    /// How often somebody asked meanwhile.
    refused: AtomicUsize,
}

impl Room {
    fn there(&self) -> Result<&InProcess, Unavailable> {
        if self.away.load(Ordering::SeqCst) {
            self.refused.fetch_add(1, Ordering::SeqCst);
            return Err(Unavailable::new("the room", "it is locked"));
        }
        Ok(&self.kept)
    }
}

#[async_trait]
impl Relay for Room {
    async fn tell(
        &self,
        channel: Channel,
        messages: &[Vec<u8>],
        keep: Duration,
    ) -> Result<(), Unavailable> {
        self.there()?.tell(channel, messages, keep).await
    }

    async fn hear(
        &self,
        channel: Channel,
        after: &str,
        wait: Duration,
    ) -> Result<Vec<(String, Vec<u8>)>, Unavailable> {
        self.there()?.hear(channel, after, wait).await
    }

    async fn last(&self, channel: Channel) -> Result<String, Unavailable> {
        self.there()?.last(channel).await
    }

    async fn holds(&self, channel: Channel, mark: &str) -> Result<bool, Unavailable> {
        self.there()?.holds(channel, mark).await
    }

    async fn forget(&self) -> Result<(), Unavailable> {
        self.there()?.forget().await
    }
}

/// Lets a tracker tell and hear, from what was told before on.
pub(crate) async fn join(tracker: &Tracker, room: &Arc<Room>) -> watch::Sender<bool> {
    let (stop, stopped) = watch::channel(false);
    let mark = tracker.catch_up(room.as_ref()).await.unwrap();
    let (one, relay, until) = (tracker.clone(), Arc::clone(room), stopped.clone());
    tokio::spawn(async move { one.hear(relay.as_ref(), mark, until).await });
    let (one, relay, until) = (tracker.clone(), Arc::clone(room), stopped.clone());
    tokio::spawn(async move { one.tell(relay.as_ref(), until).await });
    let (one, relay, until) = (tracker.clone(), Arc::clone(room), stopped.clone());
    tokio::spawn(async move { one.talk(relay.as_ref(), until).await });
    let (one, relay, until) = (tracker.clone(), Arc::clone(room), stopped);
    tokio::spawn(async move { one.overhear(relay.as_ref(), until).await });
    tokio::time::sleep(Duration::from_millis(20)).await;
    stop
}

/// Waits until a swarm has so many peers; gives how long it took.
async fn count(tracker: &Tracker, seeders: u32, leechers: u32) -> Duration {
    let began = Instant::now();
    let wanted = Count { seeders, leechers };
    while tracker.count(OFFERED) != wanted {
        let found = tracker.count(OFFERED);
        assert!(began.elapsed() < Duration::from_secs(20), "{found:?}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_of_one_tracker_is_handed_out_by_the_other() {
    let (one, other) = (Server::start(), Server::start());
    let room = Arc::default();
    let (_one, _other) = (
        join(&one.tracker, &room).await,
        join(&other.tracker, &room).await,
    );
    one.announce(&Client::new(1, 0));
    count(&other.tracker, 1, 0).await;
    assert_eq!(ports(&other.announce(&Client::new(2, 5))), [7_001]);
    count(&one.tracker, 1, 1).await;
    let mut leaving = Client::new(1, 0);
    leaving.more = "&event=stopped";
    other.announce(&leaving);
    count(&one.tracker, 0, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_that_starts_answers_its_first_announce_with_everybody() {
    let room = Arc::default();
    let one = Server::start();
    let _one = join(&one.tracker, &room).await;
    for member in 1..60 {
        one.announce(&Client::new(member, 0));
    }
    let until = Instant::now() + Duration::from_secs(20);
    let started = loop {
        let started = Server::start();
        started.tracker.catch_up(room.as_ref()).await.unwrap();
        if started.tracker.count(OFFERED).seeders == 59 {
            break started;
        }
        assert!(Instant::now() < until);
    };
    let mut client = Client::new(0, 5);
    client.more = "&numwant=100";
    let body = started.announce(&client);
    assert_eq!(ports(&body), (7_001..7_060).collect::<Vec<u16>>());
    assert_eq!(number(&body, "complete"), 59);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tracker_that_went_dark_and_comes_back_knows_its_own_peers() {
    let room = Arc::<Room>::default();
    let one = Server::start();
    let told = join(&one.tracker, &room).await;
    one.announce(&Client::new(1, 0));
    let until = Instant::now() + Duration::from_secs(20);
    while room
        .hear(Channel::Swarms, "0", Duration::ZERO)
        .await
        .unwrap()
        .is_empty()
    {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    told.send_replace(true);
    one.tracker.close();
    one.tracker.clear();
    one.knows();
    one.tracker.catch_up(room.as_ref()).await.unwrap();
    // Only who has learned everything lets announces in.
    one.tracker.open();
    assert_eq!(ports(&one.announce(&Client::new(2, 5))), [7_001]);
}

#[tokio::test(flavor = "multi_thread")]
async fn completing_counts_once_on_every_tracker() {
    let (one, other) = (Server::start(), Server::start());
    let room = Arc::default();
    let (_one, _other) = (
        join(&one.tracker, &room).await,
        join(&other.tracker, &room).await,
    );
    let mut client = Client::new(1, 0);
    client.more = "&event=completed";
    one.announce(&client);
    count(&other.tracker, 1, 0).await;
    let body = other.announce(&client);
    assert_eq!(number(&body, "downloaded"), 1);
    let body = one.announce(&client);
    assert_eq!(number(&body, "downloaded"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_relay_is_away_announces_go_on_and_what_was_missed_is_told_later() {
    let (one, other) = (Server::start(), Server::start());
    let room = Arc::<Room>::default();
    let (_one, _other) = (
        join(&one.tracker, &room).await,
        join(&other.tracker, &room).await,
    );
    room.away.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        for member in 1..30 {
            one.announce(&Client::new(member, 0));
        }
        tokio::time::sleep(Duration::from_millis(150)).await;
    }
    assert!(one.tracker.is_alone());
    assert_eq!(other.tracker.count(OFFERED), Count::default());
    room.away.store(false, Ordering::SeqCst);
    count(&other.tracker, 29, 0).await;
    assert!(!one.tracker.is_alone());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_relay_that_comes_back_empty_is_told_of_everybody_without_an_announce() {
    let (one, other) = (Server::start(), Server::start());
    let room = Arc::<Room>::default();
    let (_one, _other) = (
        join(&one.tracker, &room).await,
        join(&other.tracker, &room).await,
    );
    for member in 1..30 {
        one.announce(&Client::new(member, 0));
    }
    count(&other.tracker, 29, 0).await;
    room.away.store(true, Ordering::SeqCst);
    // Both must have asked and learned that it is away.
    let until = Instant::now() + Duration::from_secs(20);
    while room.refused.load(Ordering::SeqCst) < 8 {
        assert!(Instant::now() < until);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    room.kept.forget().await.unwrap();
    room.away.store(false, Ordering::SeqCst);
    let started = Server::start();
    let _started = join(&started.tracker, &room).await;
    count(&started.tracker, 29, 0).await;
}
