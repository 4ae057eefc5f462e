//! The tracker over WebSocket, as browsers speak to it.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt as _, StreamExt as _};
use projections::swarm::{Count, Swarms as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::{self, Message};

use crate::server::{Client, OFFERED, Server, number, passkey};
use crate::share::{Room, join};

/// A browser on a socket.
struct Browser {
    socket: WebSocketStream<TcpStream>,
    peer: String,
}

impl Browser {
    async fn open(server: &Server, path: &str) -> Result<Self, tungstenite::Error> {
        let stream = TcpStream::connect(server.address).await.unwrap();
        let url = format!("ws://{}{path}", server.address);
        let (socket, _) = tokio_tungstenite::client_async(url, stream).await?;
        let peer = String::new();
        Ok(Self { socket, peer })
    }

    async fn of(server: &Server, member: u8) -> Self {
        let path = format!("/announce/{}", passkey(member));
        let mut browser = Self::open(server, &path).await.unwrap();
        browser.peer = format!("-WW0100-{member:012}");
        browser
    }

    async fn send(&mut self, message: &Value) {
        let text = Message::text(message.to_string());
        self.socket.send(text).await.unwrap();
    }

    /// Announces with a number of offers.
    async fn announce(&mut self, left: u64, event: &str, offers: usize) {
        let offer = |number: usize| json!({ "offer_id": format!("{}{number}", self.peer), "offer": { "sdp": "o" } });
        let message = json!({
            "action": "announce", "info_hash": "a".repeat(20), "peer_id": self.peer, "uploaded": 1,
            "downloaded": 2, "left": left, "event": event, "numwant": offers,
            "offers": (0..offers).map(offer).collect::<Vec<_>>(),
        });
        self.send(&message).await;
    }

    async fn next(&mut self) -> Value {
        let wait = Duration::from_secs(20);
        loop {
            let message = tokio::time::timeout(wait, self.socket.next()).await;
            if let Message::Text(text) = message.unwrap().unwrap().unwrap() {
                return serde_json::from_str(&text).unwrap();
            }
        }
    }
}

async fn leechers(server: &Server, leechers: u32) {
    let seeders = 0;
    counted(server, Count { seeders, leechers }).await;
}

async fn counted(server: &Server, wanted: Count) {
    let until = tokio::time::Instant::now() + Duration::from_secs(20);
    while server.tracker.count(OFFERED) != wanted {
        let found = server.tracker.count(OFFERED);
        assert!(tokio::time::Instant::now() < until, "{found:?}");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Lets one browser offer and the other answer.
async fn meet(one: &mut Browser, other: &mut Browser) {
    one.announce(5, "started", 1).await;
    assert_eq!(one.next().await["interval"], 120);
    other.announce(5, "started", 3).await;
    let reply = other.next().await;
    assert_eq!(
        (&reply["complete"], &reply["incomplete"]),
        (&json!(0), &json!(2))
    );
    let offer = one.next().await;
    assert_eq!(offer["peer_id"], other.peer);
    assert_eq!(offer["offer"], json!({ "sdp": "o" }));
    let answer = json!({
        "action": "announce", "info_hash": offer["info_hash"], "peer_id": one.peer,
        "to_peer_id": offer["peer_id"], "offer_id": offer["offer_id"], "answer": { "sdp": "a" },
    });
    one.send(&answer).await;
    let answer = other.next().await;
    assert_eq!(answer["peer_id"], one.peer);
    assert_eq!(answer["answer"], json!({ "sdp": "a" }));
    assert_eq!(answer["offer_id"], offer["offer_id"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn two_browsers_meet_and_leave_when_their_sockets_close() {
    let server = Server::start();
    let (mut one, mut other) = (Browser::of(&server, 1).await, Browser::of(&server, 2).await);
    meet(&mut one, &mut other).await;
    let body = server.announce(&Client::new(3, 5));
    assert_eq!(number(&body, "incomplete"), 3);
    drop(one);
    leechers(&server, 2).await;
    other.announce(5, "stopped", 0).await;
    assert_eq!(other.next().await["incomplete"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_on_two_trackers_meet() {
    let (server, beside) = (Server::start(), Server::start());
    let room = Arc::<Room>::default();
    let (_one, _other) = (
        join(&server.tracker, &room).await,
        join(&beside.tracker, &room).await,
    );
    let (mut one, mut other) = (Browser::of(&server, 1).await, Browser::of(&beside, 2).await);
    one.announce(5, "started", 0).await;
    one.next().await;
    leechers(&beside, 1).await;
    // The sockets are told of apart from the swarm.
    tokio::time::sleep(Duration::from_millis(300)).await;
    meet(&mut one, &mut other).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_went_on_at_another_tracker_stays_when_its_first_socket_closes() {
    let (server, beside) = (Server::start(), Server::start());
    let room = Arc::<Room>::default();
    let (_one, _other) = (
        join(&server.tracker, &room).await,
        join(&beside.tracker, &room).await,
    );
    let (mut first, mut then) = (Browser::of(&server, 1).await, Browser::of(&beside, 1).await);
    first.announce(5, "started", 0).await;
    first.next().await;
    then.announce(0, "completed", 0).await;
    then.next().await;
    let seeds = Count {
        seeders: 1,
        leechers: 0,
    };
    counted(&server, seeds).await;
    first.socket.close(None).await.unwrap();
    // Whoever was announced on it has left by the time that the end is answered.
    while let Some(Ok(_)) = first.socket.next().await {}
    assert_eq!(server.tracker.count(OFFERED), seeds);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_socket_is_told_that_the_tracker_is_closed_not_that_it_knows_no_torrent() {
    let server = Server::start();
    let mut browser = Browser::of(&server, 1).await;
    browser.announce(5, "started", 0).await;
    assert_eq!(browser.next().await["incomplete"], 1);
    server.tracker.close();
    server.tracker.clear();
    browser.announce(5, "", 0).await;
    assert_eq!(browser.next().await["failure reason"], "tracker is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_no_passkey_is_told_why_before_the_upgrade() {
    let server = Server::start();
    for (path, status, reason) in [
        ("/announce", 403, "passkey missing\n"),
        ("/announce/0000", 403, "passkey unknown\n"),
        ("/elsewhere", 400, "invalid request: path\n"),
    ] {
        let refused = Browser::open(&server, path).await.map(|_| ());
        let Err(tungstenite::Error::Http(answer)) = refused else {
            panic!("{path}: {refused:?}");
        };
        assert_eq!(answer.status().as_u16(), status, "{path}");
        let body = answer.body().clone().unwrap_or_default();
        assert_eq!(String::from_utf8(body).unwrap(), reason, "{path}");
    }
    server.tracker.close();
    let path = format!("/announce/{}", passkey(1));
    let Err(tungstenite::Error::Http(answer)) = Browser::open(&server, &path).await else {
        panic!();
    };
    assert_eq!(answer.status().as_u16(), 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_means_nothing_is_told_and_changes_nothing() {
    let server = Server::start();
    let mut browser = Browser::of(&server, 1).await;
    for (message, reason) in [
        (json!("hello"), "invalid request: message"),
        (json!({ "action": "dance" }), "invalid request: action"),
        (
            json!({ "action": "announce" }),
            "invalid request: info_hash",
        ),
        (json!({ "action": "scrape" }), "invalid request: info_hash"),
    ] {
        browser.send(&message).await;
        assert_eq!(browser.next().await["failure reason"], reason);
    }
    browser.peer = "-WW0100-000000000001".to_owned();
    // An answer in the name of a peer that isn't here reaches nobody.
    let forged = json!({
        "action": "announce", "info_hash": "a".repeat(20), "peer_id": "-WW0100-000000000009",
        "to_peer_id": browser.peer, "offer_id": "x", "answer": {},
    });
    browser.announce(5, "started", 0).await;
    browser.next().await;
    browser.send(&forged).await;
    browser
        .send(&json!({ "action": "scrape", "info_hash": ["a".repeat(20)] }))
        .await;
    let scraped = browser.next().await;
    assert_eq!(scraped["files"]["a".repeat(20)]["incomplete"], 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_has_a_limited_number_of_sockets() {
    let settings = tracker::Settings {
        most_sockets: 2,
        ..tracker::Settings::default()
    };
    let server = Server::with(settings, "127.0.0.1:0");
    let mut kept = vec![Browser::of(&server, 1).await, Browser::of(&server, 1).await];
    for browser in &mut kept {
        browser.announce(5, "started", 0).await;
        browser.next().await;
    }
    let path = format!("/announce/{}", passkey(1));
    let Err(tungstenite::Error::Http(answer)) = Browser::open(&server, &path).await else {
        panic!("a third was let in");
    };
    assert_eq!(answer.status().as_u16(), 429);
    assert_eq!(answer.body().as_deref(), Some(&b"too many sockets\n"[..]));
    let mut fourth = Browser::of(&server, 2).await;
    fourth.announce(5, "started", 0).await;
    assert!(fourth.next().await["failure reason"].is_null());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_that_is_too_large_ends_the_socket() {
    let server = Server::start();
    let mut browser = Browser::of(&server, 1).await;
    let _sent = browser
        .socket
        .send(Message::text("x".repeat(300_000)))
        .await;
    let ended = tokio::time::timeout(Duration::from_secs(20), browser.socket.next()).await;
    assert!(!matches!(ended.unwrap(), Some(Ok(Message::Text(_)))));
}
