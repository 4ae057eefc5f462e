//! What the site's rules refuse, and that a refused announce changes nothing.

use domain::Position;
use domain::amount::{Bytes, Ratio};
use domain::id::MemberId;
use domain::setting::{Key, Value};
use domain::site::Freeleech;
use projections::access::Standing;
use projections::site::Settings;
use projections::swarm::{Count, Swarms as _};
use uuid::Uuid;

use crate::server::{BANNED, Client, OFFERED, STAFF, Server, number, value};

fn refusal(server: &Server, client: &Client<'_>) -> Option<String> {
    let body = server.announce(client);
    value(&body, "failure reason").map(|reason| String::from_utf8(reason).unwrap())
}

fn rule(server: &Server, set: &[(Key, Value)]) {
    let mut settings = Settings::default();
    for (key, value) in set {
        settings.values.set(*key, Some(value.clone()));
    }
    server.tracker.rule(&settings);
}

fn stands(server: &Server, member: u8, uploaded: u64, downloaded: u64, marks: u32) {
    server.tracker.access().stand(&[Standing {
        member: MemberId(Uuid::from_u128(member.into())),
        ratio: Ratio {
            uploaded: Bytes(uploaded),
            downloaded: Bytes(downloaded),
        },
        marks,
        position: Position(2),
    }]);
}

fn on(hash: char, member: u8, left: u64) -> Client<'static> {
    Client {
        hash,
        ..Client::new(member, left)
    }
}

#[test]
fn a_banned_member_is_refused_and_is_no_peer() {
    let server = Server::start();
    let refused = refusal(&server, &Client::new(BANNED, 0));
    assert_eq!(refused.unwrap(), "you are banned; the site says why");
    assert_eq!(server.tracker.count(OFFERED), Count::default());
}

#[test]
fn what_waits_for_approval_is_its_uploaders_and_the_staffs() {
    let server = Server::start();
    let refused = refusal(&server, &on('p', 1, 5));
    assert_eq!(refused.unwrap(), "torrent not approved yet");
    assert_eq!(refusal(&server, &on('p', 0, 0)), None);
    assert_eq!(refusal(&server, &on('p', STAFF, 5)), None);
}

#[test]
fn a_client_that_is_not_on_the_list_is_refused() {
    let server = Server::start();
    rule(
        &server,
        &[(Key::Clients, Value::Text("-qB 4.5.0\n-TR 4".into()))],
    );
    let refused = refusal(&server, &Client::new(1, 5));
    assert_eq!(refused.unwrap(), "client not allowed");
    rule(&server, &[(Key::Clients, Value::Text("-TR 3".into()))]);
    assert_eq!(refusal(&server, &Client::new(1, 5)), None);
}

#[test]
fn a_low_ratio_stops_downloads_alone() {
    let server = Server::start();
    rule(&server, &[(Key::LeastRatio, Value::Count(50))]);
    stands(&server, 1, 49, 100, 0);
    let told = "ratio too low: 0.49, and 0.50 is the least";
    assert_eq!(refusal(&server, &Client::new(1, 5)).unwrap(), told);
    assert_eq!(server.tracker.count(OFFERED), Count::default());
    // Seeding, leaving and what is free are let be.
    assert_eq!(refusal(&server, &Client::new(1, 0)), None);
    let leaves = Client {
        more: "&event=stopped",
        ..Client::new(1, 5)
    };
    assert_eq!(refusal(&server, &leaves), None);
    assert_eq!(refusal(&server, &on('f', 1, 5)), None);
    // Whoever moves up is in at once.
    stands(&server, 1, 50, 100, 0);
    assert_eq!(refusal(&server, &Client::new(1, 5)), None);
}

#[test]
fn what_was_completed_once_may_be_downloaded_again() {
    let server = Server::start();
    let completes = |member| Client {
        more: "&event=completed",
        ..Client::new(member, 0)
    };
    server.announce(&Client::new(1, 5));
    server.announce(&completes(1));
    rule(&server, &[(Key::LeastRatio, Value::Count(50))]);
    for member in [1, 2] {
        stands(&server, member, 0, 100, 0);
    }
    // Saying so alone opens nothing.
    server.announce(&completes(2));
    assert!(refusal(&server, &Client::new(2, 5)).is_some());
    let again = Client {
        more: "&event=started",
        ..Client::new(1, 5)
    };
    assert_eq!(refusal(&server, &again), None);
    assert_eq!(refusal(&server, &Client::new(1, 5)), None);
    assert!(refusal(&server, &on('h', 1, 5)).is_some());
}

#[test]
fn freeleech_for_the_whole_site_lets_everybody_download() {
    let server = Server::start();
    let mut settings = Settings::default();
    settings.values.set(Key::LeastRatio, Some(Value::Count(50)));
    stands(&server, 1, 0, 100, 0);
    settings.freeleech = Some(Freeleech { until: Some(1) });
    server.tracker.rule(&settings);
    assert!(refusal(&server, &Client::new(1, 5)).is_some(), "it is over");
    settings.freeleech = Some(Freeleech { until: None });
    server.tracker.rule(&settings);
    assert_eq!(refusal(&server, &Client::new(1, 5)), None);
}

#[test]
fn open_hit_and_runs_stop_new_downloads() {
    let server = Server::start();
    rule(
        &server,
        &[
            (Key::HitAndRun, Value::Switch(true)),
            (Key::MostHitAndRuns, Value::Count(2)),
        ],
    );
    stands(&server, 1, 0, 0, 1);
    assert_eq!(refusal(&server, &Client::new(1, 5)), None);
    stands(&server, 2, 0, 0, 2);
    assert_eq!(
        refusal(&server, &Client::new(2, 5)).unwrap(),
        "hit-and-run limit: seed one of your 2 torrents first"
    );
    assert_eq!(refusal(&server, &Client::new(2, 0)), None);
}

#[test]
fn too_many_announces_a_minute_are_told_when_to_come_again() {
    let server = Server::start();
    rule(&server, &[(Key::AnnounceRate, Value::Count(3))]);
    let bodies: Vec<Vec<u8>> = (0..8)
        .map(|_| server.announce(&Client::new(1, 5)))
        .collect();
    let refused: Vec<&Vec<u8>> = bodies
        .iter()
        .filter(|body| value(body, "failure reason").as_deref() == Some(b"too many announces"))
        .collect();
    // A minute may turn meanwhile.
    assert!((2..=5).contains(&refused.len()), "{}", refused.len());
    assert_eq!(number(refused[0], "retry in"), 1);
    assert_eq!(refusal(&server, &Client::new(2, 5)), None);
}

#[test]
fn what_the_site_sets_holds_over_the_configuration() {
    let server = Server::start();
    rule(
        &server,
        &[
            (Key::Interval, Value::Count(600)),
            (Key::LeastInterval, Value::Count(60)),
        ],
    );
    let body = server.announce(&Client::new(1, 5));
    assert!((540..=660).contains(&number(&body, "interval")));
    assert_eq!(number(&body, "min interval"), 60);
}
