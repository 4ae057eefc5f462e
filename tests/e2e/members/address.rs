//! Bans that cover where a member signed in from.

use std::time::Duration;

use domain::api_key::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Options, Site, until};

use super::PASSWORD;
use crate::api_key::key;

/// A site behind a proxy, so that a client comes from wherever the proxy says.
async fn start() -> (Site, Client) {
    let trusted = ("OPENTRACKER_SITE__TRUSTED_PROXIES", "[\"127.0.0.1\"]");
    let site = Site::start(Options {
        extra: vec![(trusted.0.to_owned(), trusted.1.to_owned())],
        ..Options::default()
    })
    .await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    super::open(&admin, "open").await;
    (site, admin)
}

async fn sent(by: &Client, from: &str, path: &str, body: &Value) -> (u16, Value) {
    let asked = by
        .request(Method::POST, path)
        .header("x-forwarded-for", from);
    let answer = asked.json(body).send().await.unwrap();
    let status = answer.status().as_u16();
    (status, answer.json().await.unwrap_or_default())
}

async fn join(site: &Site, name: &str, from: &str) -> (u16, Value) {
    let by = site.client();
    let body = by.registration(name, PASSWORD).await;
    sent(&by, from, "/api/auth/register", &body).await
}

async fn sign_in(site: &Site, name: &str, password: &str, from: &str) -> (u16, Value) {
    let by = site.client();
    let body = by.answer(name, password).await;
    sent(&by, from, "/api/auth/login", &body).await
}

async fn ban(admin: &Client, name: &str, fields: &[(&str, &str)]) -> u16 {
    let mut all = vec![
        ("act", "ban"),
        ("reason", "sold invites"),
        ("address", "yes"),
    ];
    all.extend(fields);
    let path = format!("/members/{name}/sanction");
    admin.post_form(&path, &all).await.status().as_u16()
}

#[tokio::test]
async fn a_ban_that_covers_an_address_shuts_out_who_comes_from_there_until_it_is_lifted() {
    let (mut site, admin) = start().await;
    assert_eq!(join(&site, "alice", "2001:db8::1").await.0, 201);
    assert_eq!(join(&site, "carol", "192.0.2.1").await.0, 201);
    assert_eq!(ban(&admin, "alice", &[("hours", "24")]).await, 303);
    let page = admin.page("/members/alice").await;
    assert!(page.contains("and their address") && !page.contains("2001:db8"));
    // All of the subscriber's network, and nobody else's.
    let (status, told) = join(&site, "bob", "2001:db8::2:3").await;
    assert_eq!((status, &told["type"]), (403, &json!("/problems/banned")));
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.contains("The ban ends at 20") && !detail.contains("invites"),
        "{told}"
    );
    assert_eq!(join(&site, "dan", "2001:db8:0:1::1").await.0, 201);
    let form = site.client().request(Method::GET, "/register");
    let form = form.header("x-forwarded-for", "2001:db8::9").send().await;
    assert_eq!(form.unwrap().status(), 403);
    for (name, password, from, status) in [
        ("carol", PASSWORD, "2001:db8::3", 403),
        ("carol", "not her password", "2001:db8::3", 401),
        ("carol", PASSWORD, "192.0.2.1", 200),
        ("admin", PASSWORD, "2001:db8::3", 200),
    ] {
        let answer = sign_in(&site, name, password, from).await;
        assert_eq!(answer.0, status, "{name} {from}: {}", answer.1);
    }
    site.stop();
    site.launch().await;
    let (status, told) = join(&site, "bob", "2001:db8::4").await;
    assert_eq!(status, 403, "a restart lifts nothing: {told}");
    assert_eq!(admin.sign_in("admin", PASSWORD).await.0, 200);
    assert_eq!(
        super::sanctioned(&admin, "alice", "lift", "a mistake").await,
        303
    );
    assert_eq!(join(&site, "bob", "2001:db8::4").await.0, 201);
    let log = site.run(&["--json", "audit", "log", "--event", "MemberBanned"]);
    let log = String::from_utf8(log.stdout).unwrap();
    assert!(
        log.contains("sold invites") && !log.contains("2001:db8"),
        "{log}"
    );
    assert!(!site.log().contains("2001:db8"));
}

#[tokio::test]
async fn a_ban_of_an_address_ends_when_it_says_and_one_that_nobody_knows_changes_nothing() {
    let (site, admin) = start().await;
    assert_eq!(join(&site, "alice", "192.0.2.7").await.0, 201);
    let key = key(&admin, "bans", &[Scope::Moderate]).await;
    let http = reqwest::Client::new();
    let impose = async |name: &str, body: Value| {
        let asked = http.post(site.url(&format!("/api/v1/members/{name}/sanctions")));
        let answer = asked.bearer_auth(&key).json(&body).send().await.unwrap();
        let status = answer.status().as_u16();
        (status, answer.json::<Value>().await.unwrap())
    };
    let until_then = time::OffsetDateTime::now_utc().unix_timestamp() + 10;
    let (status, told) = impose(
        "alice",
        json!({ "act": "ban", "reason": "x", "until": until_then, "address": true }),
    )
    .await;
    assert!(status == 200 && told[0]["address"] == true, "{told}");
    assert_eq!(join(&site, "bob", "192.0.2.7").await.0, 403);
    until("the end", Duration::from_secs(30), || async {
        (join(&site, "bob", "192.0.2.7").await.0 == 201).then_some(())
    })
    .await;
    // A ban without the address takes the place of one with it.
    let with = json!({ "act": "ban", "reason": "x", "address": true });
    assert_eq!(impose("alice", with.clone()).await.0, 200);
    assert_eq!(join(&site, "eve", "192.0.2.7").await.0, 403);
    let without = json!({ "act": "ban", "reason": "x" });
    assert_eq!(impose("alice", without).await.1[0]["address"], false);
    assert_eq!(join(&site, "eve", "192.0.2.7").await.0, 201);
    let warned = json!({ "act": "warn", "reason": "x", "address": true });
    assert_eq!(impose("alice", warned).await.0, 422);
    site.run_json(&["--json", "member", "create", "never"]);
    until("the member", Duration::from_secs(20), || async {
        (admin.get("/members/never").await.status() == 200).then_some(())
    })
    .await;
    let (status, told) = impose("never", with).await;
    assert_eq!(
        (status, &told["errors"][0]["field"]),
        (422, &json!("address")),
        "{told}"
    );
    assert_eq!(ban(&admin, "never", &[("hours", "0")]).await, 422);
    assert!(
        admin
            .page("/members/never")
            .await
            .contains("There were none.")
    );
}
