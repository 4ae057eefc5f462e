//! Members are told of sign-ins from where they weren't known to, and of what changes how they sign in.

use api::sign_in::scram::Purpose;
use reqwest::StatusCode;
use reqwest::header::LOCATION;
use serde_json::json;
use tests::{Client, Options, Site, kept, until};

use crate::rebuild::rebuilt_rows_are_the_same;

const PASSWORD: &str = "correct horse battery";
const NEW: &str = "another staple entirely";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:157.0) Gecko/20100101 Firefox/157.0";
const EDGE: &str = "Mozilla/5.0 (Windows NT 10.0) Chrome/156.0 Safari/537.36 Edg/156.0.4711";
const PLACE: &str = "You signed in from a new place: ";

/// What a member is told, the latest first.
async fn told(client: &Client) -> Vec<String> {
    let page = client.page("/notifications").await;
    let rows = page.split("href=\"/notifications/").skip(1);
    let words = |row: &str| {
        let (_, rest) = row.split_once("\">").unwrap();
        rest.split('<').next().unwrap().to_owned()
    };
    rows.map(words).collect()
}

/// A member who registered by Firefox.
async fn scene() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let paul = Client::from(&site, [127, 0, 0, 1], FIREFOX);
    assert_eq!(paul.register("Paul", PASSWORD).await.0, StatusCode::CREATED);
    (site, paul)
}

#[tokio::test]
async fn a_sign_in_from_a_new_browser_or_network_is_told_once_and_nothing_raw_is_kept() {
    let (site, paul) = scene().await;
    let wait = std::time::Duration::from_secs(10);
    for (address, agent, count) in [
        ([127, 0, 0, 1], FIREFOX, 0),
        ([127, 0, 0, 99], FIREFOX, 0),
        ([127, 0, 0, 99], EDGE, 1),
        ([127, 7, 3, 9], FIREFOX, 2),
        ([127, 7, 3, 8], FIREFOX, 2),
        ([127, 0, 0, 1], FIREFOX, 2),
        // What is told stands behind all before it.
        ([127, 8, 3, 9], EDGE, 3),
    ] {
        let client = Client::from(&site, address, agent);
        let guess = client.sign_in("Paul", NEW).await;
        assert_eq!(guess.0, StatusCode::UNAUTHORIZED, "this tells nothing");
        assert_eq!(client.sign_in("Paul", PASSWORD).await.0, StatusCode::OK);
        until("what is told", wait, || async {
            (told(&paul).await.len() == count).then_some(())
        })
        .await;
    }
    let said = ["Edge on Windows", "Firefox on Linux", "Edge on Windows"];
    assert_eq!(told(&paul).await, said.map(|name| format!("{PLACE}{name}")));
    let page = paul.page("/notifications").await;
    let first = page.split("href=\"/notifications/").nth(1).unwrap();
    let first = first.split('"').next().unwrap();
    let led = paul.get(&format!("/notifications/{first}")).await;
    assert_eq!(led.headers()[LOCATION], "/settings#sessions");
    assert!(page.contains("End all other sessions"), "{page}");
    let ended = paul.post_form("/settings/sessions/revoke-others", &[]);
    assert_eq!(ended.await.status(), StatusCode::SEE_OTHER);

    rebuilt_rows_are_the_same(&site).await;
    let export = site.run(&["audit", "export"]).stdout;
    let said = site.log() + &String::from_utf8(export).unwrap();
    assert!(said.contains("DeviceSeen") && said.contains("Edge on Windows"));
    for raw in ["127.7.3", "127.8.3", "156.0.4711"] {
        assert!(!said.contains(raw), "{raw}");
    }
}

#[tokio::test]
async fn another_password_and_a_second_factor_are_told_to_their_member_also_what_others_did() {
    let (site, paul) = scene().await;
    let body = json!({ "proof": paul.proof(Purpose::Password, "Paul", PASSWORD).await, "kept": kept(NEW) });
    let changed = paul.post_json("/api/auth/password", &body).await;
    assert_eq!(changed.0, StatusCode::OK);
    paul.enable_second_factor("Paul", NEW).await;
    site.run_json(&["--json", "member", "disable-second-factor", "Paul"]);
    let expected = [
        "Your second factor was turned off",
        "Your second factor was set up",
        "Your password was changed",
    ];
    until("the alerts", std::time::Duration::from_secs(10), || async {
        (told(&paul).await == expected).then_some(())
    })
    .await;
    rebuilt_rows_are_the_same(&site).await;
}
