//! Connections: kept, pipelined, slow, oversized, too many.

use std::time::{Duration, Instant};

use tracker::Settings;

use crate::server::{Client, Server, number};

fn request(member: u8, headers: &str) -> String {
    format!(
        "GET {} HTTP/1.1\r\nHost: t\r\n{headers}\r\n",
        Client::new(member, 5).target()
    )
}

#[test]
fn a_connection_is_kept_and_may_be_pipelined() {
    let server = Server::start();
    let mut connection = server.connect();
    for member in 1..4_u8 {
        connection.send(&request(member, ""));
        assert_eq!(
            number(&connection.answer().1, "incomplete"),
            u64::from(member)
        );
    }
    let burst: String = (4..40_u8).map(|member| request(member, "")).collect();
    connection.send(&burst);
    for member in 4..40_u8 {
        assert_eq!(
            number(&connection.answer().1, "incomplete"),
            u64::from(member)
        );
    }
}

#[test]
fn a_head_may_come_in_pieces() {
    let server = Server::start();
    let mut connection = server.connect();
    let twice = request(1, "") + &request(2, "");
    for piece in twice.as_bytes().chunks(37) {
        connection.send(std::str::from_utf8(piece).unwrap());
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!([connection.answer().0, connection.answer().0], [200, 200]);
}

#[test]
fn a_connection_ends_when_the_client_wants_it() {
    let server = Server::start();
    for (version, header, closed) in [
        ("1.1", "Connection: close\r\n", true),
        ("1.0", "", true),
        ("1.0", "Connection: Keep-Alive\r\n", false),
    ] {
        let mut connection = server.connect();
        let text = request(1, header).replace("HTTP/1.1", &format!("HTTP/{version}"));
        connection.send(&text);
        assert_eq!(connection.answer().0, 200);
        if closed {
            assert!(connection.is_closed(), "{version} {header}");
        } else {
            connection.send(&text);
            assert_eq!(connection.answer().0, 200);
        }
    }
}

#[test]
fn other_methods_and_bodies_are_refused() {
    let server = Server::start();
    for (text, status) in [
        (
            "POST /announce HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            405,
        ),
        ("HEAD /announce HTTP/1.1\r\n\r\n", 405),
        (
            "GET /announce HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc",
            400,
        ),
        (
            "GET /announce HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n",
            400,
        ),
        ("\u{1}\u{2}\u{3} nonsense\r\n\r\n", 400),
    ] {
        let mut connection = server.connect();
        connection.send(text);
        assert_eq!(connection.answer().0, status, "{text:?}");
        assert!(connection.is_closed());
    }
}

#[test]
fn an_oversized_head_is_refused() {
    let server = Server::start();
    let mut connection = server.connect();
    connection.send(&format!("GET /announce?{} ", "a".repeat(8 * 1024)));
    assert_eq!(connection.answer().0, 400);
    assert!(connection.is_closed());
}

#[test]
fn a_head_that_never_ends_is_cut_off_however_it_drips() {
    let settings = Settings {
        head_timeout: 1,
        ..Settings::default()
    };
    let server = Server::with(settings, "127.0.0.1:0");
    for asks_before in [true, false] {
        let mut connection = server.connect();
        if asks_before {
            connection.send(&request(1, ""));
            assert_eq!(connection.answer().0, 200);
        }
        let began = Instant::now();
        while connection.try_send("G") {
            assert!(began.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(20));
        }
        assert!(began.elapsed() >= Duration::from_millis(900));
    }
}

#[test]
fn a_connection_without_a_request_is_closed_after_a_while() {
    let settings = Settings {
        idle_timeout: 1,
        ..Settings::default()
    };
    let server = Server::with(settings, "127.0.0.1:0");
    let mut connection = server.connect();
    connection.send(&request(1, ""));
    assert_eq!(connection.answer().0, 200);
    let began = Instant::now();
    assert!(connection.is_closed());
    let took = began.elapsed();
    assert!(
        took < Duration::from_secs(14),
        "the time of a head is longer"
    );
}

/// Lets this process hold as many connections as it may.
fn room_for_connections() {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, most, most).unwrap();
}

#[test]
fn a_thousand_half_open_connections_stop_no_announce() {
    room_for_connections();
    let server = Server::start();
    let half = |number: usize| {
        let mut connection = server.connect();
        if number.is_multiple_of(2) {
            connection.send("GET /announce?passkey=");
        }
        connection
    };
    let _open: Vec<_> = (0..1_000).map(half).collect();
    let began = Instant::now();
    for member in 1..=50 {
        let mut connection = server.connect();
        connection.send(&request(member, ""));
        assert_eq!(connection.answer().0, 200);
    }
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn connections_beyond_the_setting_are_closed() {
    let settings = Settings {
        most_connections: 2,
        ..Settings::default()
    };
    let server = Server::with(settings, "127.0.0.1:0");
    let mut kept = [server.connect(), server.connect()];
    for connection in &mut kept {
        connection.send(&request(1, ""));
        assert_eq!(connection.answer().0, 200);
    }
    assert!(server.connect().is_refused());
    drop(kept);
    // The place is free as soon as the tracker has seen the end of a connection.
    let until = Instant::now() + Duration::from_secs(5);
    while server.connect().is_refused() {
        assert!(Instant::now() < until);
    }
}

#[test]
fn stopping_ends_every_thread_and_frees_the_port() {
    let mut server = Server::start();
    let mut connection = server.connect();
    connection.send(&request(1, ""));
    assert_eq!(connection.answer().0, 200);
    let began = Instant::now();
    server.end();
    assert!(began.elapsed() < Duration::from_secs(2));
    assert!(connection.is_closed());
    let again = Server::with(Settings::default(), &server.address.to_string());
    assert_eq!(again.get(&Client::new(1, 5).target()).0, 200);
}
