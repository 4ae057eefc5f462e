//! Counts for members.

use crate::server::{Client, Server, passkey, value};

#[test]
fn a_scrape_counts_the_swarms_that_are_known() {
    let server = Server::start();
    server.announce(&Client::new(1, 0));
    server.announce(&Client::new(2, 5));
    let [a, h, x] = ["a", "h", "x"].map(|byte| byte.repeat(20));
    let key = passkey(1);
    let query = format!("info_hash={h}&info_hash={a}&info_hash={x}&info_hash={a}");
    let expected = format!(
        "d5:filesd20:{a}d8:completei1e10:downloadedi0e10:incompletei1ee\
         20:{h}d8:completei0e10:downloadedi0e10:incompletei0eee\
         5:flagsd20:min_request_intervali900eee"
    );
    for target in [
        format!("/scrape?passkey={key}&{query}"),
        format!("/scrape.php?uk={key}&{query}"),
        format!("/scrape/{key}?{query}"),
        format!("/{key}/scrape?{query}"),
    ] {
        let (status, body) = server.get(&target);
        assert_eq!(
            (status, String::from_utf8(body).unwrap()),
            (200, expected.clone())
        );
    }
}

#[test]
fn nobody_scrapes_without_a_passkey_or_everything() {
    let server = Server::start();
    let one = format!("info_hash={}", "a".repeat(20));
    let many = [one.as_str(); 65].join("&");
    let key = passkey(1);
    for (target, reason) in [
        (format!("/scrape?{one}"), "passkey missing"),
        (
            format!("/scrape/{}?{one}", "0".repeat(32)),
            "passkey unknown",
        ),
        (format!("/scrape/{key}"), "invalid request: info_hash"),
        (
            format!("/scrape/{key}?{many}"),
            "invalid request: info_hash",
        ),
        (
            format!("/scrape/{key}?info_hash=a"),
            "invalid request: info_hash",
        ),
    ] {
        let body = server.get(&target).1;
        assert_eq!(
            value(&body, "failure reason"),
            Some(reason.as_bytes().to_vec()),
            "{target}"
        );
    }
}
