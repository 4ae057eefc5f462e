//! Setting up, joining, signing in, and everything that must be refused there.

use reqwest::StatusCode;
use reqwest::header::{ACCEPT, COOKIE, LOCATION, ORIGIN};
use serde_json::json;
use tests::{Client, Options, Site};

const PASSWORD: &str = "correct horse battery";

async fn site_with_admin() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    (site, admin)
}

async fn open_registration(admin: &Client) {
    let answer = admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn of_two_founders_at_once_one_becomes_the_administrator() {
    let site = Site::start(Options::default()).await;
    let stranger = site.client();
    let led = stranger.get("/torrents").await;
    assert_eq!(led.headers()[LOCATION], "/setup");
    let (one, other) = (site.client(), site.client());
    let (first, second) = (
        one.registration("first", PASSWORD).await,
        other.registration("second", PASSWORD).await,
    );
    let (first, second) = tokio::join!(
        one.post_json("/api/auth/setup", &first),
        other.post_json("/api/auth/setup", &second)
    );
    let mut statuses = [first.0, second.0];
    statuses.sort();
    assert_eq!(
        statuses,
        [StatusCode::CREATED, StatusCode::FORBIDDEN],
        "{first:?} {second:?}"
    );
    let late = stranger.registration("third", PASSWORD).await;
    assert_eq!(
        stranger.post_json("/api/auth/setup", &late).await.0,
        StatusCode::FORBIDDEN
    );
    assert_eq!(stranger.get("/setup").await.headers()[LOCATION], "/");
}

#[tokio::test]
async fn a_site_that_others_reach_is_set_up_by_who_can_read_its_code() {
    use std::os::unix::fs::PermissionsExt as _;
    let origin = "http://tracker.example";
    let named = ("OPENTRACKER_SITE__ORIGIN".to_owned(), origin.to_owned());
    let mut site = Site::start(Options {
        extra: vec![named],
        ..Options::default()
    })
    .await;
    let file = site.data.join("setup-code");
    let mode = std::fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let code = std::fs::read_to_string(&file).unwrap();
    let code = code.trim();
    assert!(!site.log().contains(code));
    let client = site.client();
    let page = client.page("/setup").await;
    assert!(page.contains("setup-code") && !page.contains(code));
    let send = |code: Option<String>| {
        let (site, client) = (&site, site.client());
        async move {
            let mut body = client.registration("first", PASSWORD).await;
            if let Some(code) = code {
                body["setupCode"] = code.into();
            }
            let asked = reqwest::Client::new().post(site.url("/api/auth/setup"));
            let sent = asked.header(ORIGIN, origin).json(&body).send().await;
            sent.unwrap().status()
        }
    };
    let wrong = code.replace(|c: char| c != '-', "0");
    for code in [None, Some(String::new()), Some(wrong)] {
        assert_eq!(send(code).await, StatusCode::FORBIDDEN);
    }
    let typed = code.to_uppercase().replace('-', " ");
    assert_eq!(send(Some(typed)).await, StatusCode::CREATED);
    site.stop();
    site.launch().await;
    assert!(!file.exists(), "it is good for nothing any more");
}

#[tokio::test]
async fn strangers_join_when_the_site_lets_them_and_a_name_is_taken_once() {
    let (site, admin) = site_with_admin().await;
    let stranger = site.client();
    assert_eq!(
        stranger.register("alice", PASSWORD).await.0,
        StatusCode::FORBIDDEN
    );
    assert!(
        stranger
            .page("/register")
            .await
            .contains("Registration is closed")
    );
    open_registration(&admin).await;
    let bodies = [
        stranger.registration("Alice", PASSWORD).await,
        stranger.registration("alice", PASSWORD).await,
    ];
    let (one, other) = (site.client(), site.client());
    let (one, other) = tokio::join!(
        one.post_json("/api/auth/register", &bodies[0]),
        other.post_json("/api/auth/register", &bodies[1])
    );
    let mut statuses = [one.0, other.0];
    statuses.sort();
    assert_eq!(statuses, [StatusCode::CREATED, StatusCode::CONFLICT]);
    assert!(
        stranger
            .get("/staff")
            .await
            .headers()
            .contains_key(LOCATION),
        "guests are led to the sign-in"
    );
    let (status, answer) = site.client().sign_in("alice", PASSWORD).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
}

#[tokio::test]
async fn what_cannot_be_used_to_join_is_told_and_changes_nothing() {
    let (site, admin) = site_with_admin().await;
    open_registration(&admin).await;
    let stranger = site.client();
    let good = stranger.registration("alice", PASSWORD).await;
    let with = |key: &str, value: serde_json::Value| {
        let mut body = good.clone();
        body[key] = value;
        body
    };
    for (body, status) in [
        (with("username", json!("a")), StatusCode::BAD_REQUEST),
        (
            with("authIterations", json!(99_999)),
            StatusCode::BAD_REQUEST,
        ),
        (
            with("authVerifier", json!("short")),
            StatusCode::BAD_REQUEST,
        ),
        (with("authScheme", json!("v1")), StatusCode::BAD_REQUEST),
        (with("surprise", json!(1)), StatusCode::UNPROCESSABLE_ENTITY),
        (with("powNonce", json!("0x")), StatusCode::FORBIDDEN),
        (
            with("powChallenge", json!("00".repeat(32))),
            StatusCode::FORBIDDEN,
        ),
        (json!({}), StatusCode::UNPROCESSABLE_ENTITY),
    ] {
        let (answered, problem) = stranger.post_json("/api/auth/register", &body).await;
        assert_eq!(answered, status, "{problem}");
        assert!(
            problem["detail"]
                .as_str()
                .is_some_and(|detail| !detail.is_empty()),
            "{problem}"
        );
    }
    assert_eq!(
        stranger.post_json("/api/auth/register", &good).await.0,
        StatusCode::CREATED
    );
    let mut reused = good;
    reused["username"] = json!("bertha");
    let (status, problem) = stranger.post_json("/api/auth/register", &reused).await;
    assert_eq!(
        status,
        StatusCode::FORBIDDEN,
        "a proof of work is spent once: {problem}"
    );
}

#[tokio::test]
async fn a_challenge_is_answered_once_and_a_wrong_proof_and_an_unknown_name_look_alike() {
    let (site, _admin) = site_with_admin().await;
    let client = site.client();
    let answer = client.answer("admin", PASSWORD).await;
    assert_eq!(
        client.post_json("/api/auth/login", &answer).await.0,
        StatusCode::OK
    );
    let (status, again) = client.post_json("/api/auth/login", &answer).await;
    assert_eq!(
        (status, again["kind"].is_null()),
        (StatusCode::UNAUTHORIZED, true)
    );
    let wrong = client.sign_in("admin", "wrong horse battery").await;
    let unknown = client.sign_in("nobody", PASSWORD).await;
    assert_eq!(wrong, unknown);
    assert_eq!(wrong.0, StatusCode::UNAUTHORIZED);
    let asked = |name: &'static str| {
        let client = client.clone();
        async move {
            client
                .json(&format!("/api/auth/challenge?username={name}"))
                .await
        }
    };
    let (one, other) = (asked("nobody").await, asked("nobody").await);
    assert_eq!(one["salt"], other["salt"], "a false salt stays the same");
    assert_ne!(one["challenge"], other["challenge"]);
    assert_eq!(one["iterations"], asked("admin").await["iterations"]);
    let mut stolen = client.answer("admin", PASSWORD).await;
    stolen["username"] = json!("nobody");
    assert_eq!(
        client.post_json("/api/auth/login", &stolen).await.0,
        StatusCode::UNAUTHORIZED,
        "bound to its name"
    );
}

#[tokio::test]
async fn of_many_answers_to_one_challenge_one_signs_in() {
    let (site, _admin) = site_with_admin().await;
    let client = site.client();
    let answer = client.answer("admin", PASSWORD).await;
    let tries = (0..8).map(|_| {
        let (client, answer) = (site.client(), answer.clone());
        tokio::spawn(async move { client.post_json("/api/auth/login", &answer).await.0 })
    });
    let mut signed_in = 0;
    for one in tries.collect::<Vec<_>>() {
        signed_in += u32::from(one.await.unwrap() == StatusCode::OK);
    }
    assert_eq!(signed_in, 1);
}

#[tokio::test]
async fn another_site_cannot_post_and_a_form_needs_its_token() {
    let (site, admin) = site_with_admin().await;
    let fields = [("registration", "open")];
    let token = admin.token().await;
    let with_token = [("registration", "open"), ("_token", token.as_str())];
    let foreign = admin
        .post_form_from("https://evil.example", "/staff/registration", &with_token)
        .await;
    assert_eq!(foreign.status(), StatusCode::FORBIDDEN);
    let own = site.url("");
    let without = admin
        .post_form_from(&own, "/staff/registration", &fields)
        .await;
    assert_eq!(without.status(), StatusCode::FORBIDDEN);
    assert!(
        site.client()
            .page("/register")
            .await
            .contains("Registration is closed")
    );
}

#[tokio::test]
async fn sessions_are_listed_revoked_and_end_with_sign_out() {
    let (site, admin) = site_with_admin().await;
    let second = site.client();
    assert_eq!(second.sign_in("admin", PASSWORD).await.0, StatusCode::OK);
    let page = admin.page("/settings").await;
    assert_eq!(page.matches("A program on another system").count(), 2);
    assert_eq!(
        admin
            .post_form("/settings/sessions/revoke-others", &[])
            .await
            .status(),
        StatusCode::SEE_OTHER
    );
    let gone = second.get("/settings").await;
    assert!(
        gone.headers()[LOCATION]
            .to_str()
            .unwrap()
            .contains("expired=1")
    );
    assert_eq!(
        admin.post_form("/sign-out", &[]).await.status(),
        StatusCode::SEE_OTHER
    );
    assert!(
        admin.get("/").await.headers()[LOCATION]
            .to_str()
            .unwrap()
            .starts_with("/sign-in")
    );
    let forged = reqwest::Client::new()
        .get(site.url("/settings"))
        .header(ACCEPT, "text/html");
    let forged = forged
        .header(COOKIE, "ot_session=00000000000000000000000000000000.00")
        .send()
        .await
        .unwrap();
    assert!(
        forged
            .text()
            .await
            .unwrap()
            .contains("Your session has ended")
    );
}

#[tokio::test]
async fn a_new_passkey_is_in_and_the_old_one_out_at_once() {
    let (site, admin) = site_with_admin().await;
    let old = admin.announce_url().await;
    assert_eq!(
        admin
            .post_form("/settings/passkey/reset", &[])
            .await
            .status(),
        StatusCode::SEE_OTHER
    );
    let new = admin.announce_url().await;
    assert_ne!(old, new);
    let query = "&info_hash=aaaaaaaaaaaaaaaaaaaa&peer_id=-TR3000-aaaaaaaaaaaa&port=1&uploaded=0&downloaded=0&left=0";
    let says = |url: String| async move {
        reqwest::get(url + query)
            .await
            .unwrap()
            .text()
            .await
            .unwrap()
    };
    let deadline = std::time::Duration::from_secs(5);
    tests::until("the new passkey", deadline, || async {
        says(new.clone())
            .await
            .contains("torrent unknown")
            .then_some(())
    })
    .await;
    assert!(says(old).await.contains("passkey unknown"));
    drop(site);
}

#[tokio::test]
async fn members_are_made_at_the_command_line_beside_the_running_site() {
    let (site, _admin) = site_with_admin().await;
    let made = site.run_json(&["--json", "member", "create", "--admin", "operator"]);
    let (name, password) = (
        made["name"].as_str().unwrap(),
        made["credentials"].as_str().unwrap(),
    );
    assert_eq!(made["passkey"].as_str().unwrap().len(), 32);
    let client = site.client();
    assert_eq!(client.sign_in(name, password).await.0, StatusCode::OK);
    tests::until(
        "the new member's page",
        std::time::Duration::from_secs(5),
        || async { (client.get("/staff").await.status() == StatusCode::OK).then_some(()) },
    )
    .await;
    let reset = site.run_json(&["--json", "member", "reset-credentials", "operator"]);
    assert_eq!(
        site.client().sign_in(name, password).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(
        site.client()
            .sign_in(name, reset["credentials"].as_str().unwrap())
            .await
            .0,
        StatusCode::OK
    );
    let twice = site.run(&["--json", "member", "create", "operator"]);
    assert_eq!(twice.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&twice.stderr).contains("username is taken"));
}
