//! The panic by the site itself: who may press, what it takes, and the way back without a login.

use std::time::Duration;

use api::sign_in::scram::Purpose;
use reqwest::StatusCode;
use reqwest::header::{ACCEPT, ORIGIN};
use serde_json::{Value, json};
use tests::{Client, Options, Site};

const PASSWORD: &str = "correct horse battery";
const PANIC: &str = "rivers run to the sea";
pub(crate) const PRESS: &str = "/api/admin/panic/encrypt";
const RESTORE: &str = "/api/admin/panic/restore";

/// Sets a site up by the answer that its page sends.
async fn set_up(client: &Client, panic_password: &str) -> (StatusCode, Value) {
    let mut body = client.registration("admin", PASSWORD).await;
    add(&mut body, "panicPassword", panic_password);
    client.post_json("/api/auth/setup", &body).await
}

fn add(body: &mut Value, field: &str, text: &str) {
    body.as_object_mut()
        .unwrap()
        .insert(field.to_owned(), json!(text));
}

/// What presses, with a proof of some purpose.
pub(crate) async fn press(client: &Client, purpose: Purpose, name: &str, password: &str) -> Value {
    let mut body = client.answer_for(purpose, name, password).await;
    body.as_object_mut().unwrap().remove("username");
    add(&mut body, "confirm", "ENCRYPT_ALL_DATA");
    body
}

async fn metric(site: &Site, name: &str) -> String {
    let page = reqwest::get(format!("http://{}/metrics", site.metrics));
    let text = page.await.unwrap().text().await.unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_default().to_owned()
}

async fn state(client: &Client) -> String {
    let told = client.json("/api/v1/panic").await;
    let state = told.get("state").and_then(Value::as_str);
    state.unwrap().to_owned()
}

#[tokio::test]
async fn the_set_up_takes_a_panic_password_that_is_hard_to_guess() {
    let site = Site::start(Options::default()).await;
    let client = site.client();
    for (weak, words) in [
        ("too short", "12 to 128 characters"),
        ("password1234", "too easy to guess"),
    ] {
        let (status, problem) = set_up(&client, weak).await;
        assert_eq!(status, StatusCode::BAD_REQUEST);
        assert!(
            problem["detail"].as_str().unwrap().contains(words),
            "{problem}"
        );
    }
    assert_eq!(client.get("/").await.headers()["location"], "/setup");
    let (status, made) = set_up(&client, PANIC).await;
    assert_eq!(
        (status, &made["panicPassword"]),
        (StatusCode::CREATED, &json!(true))
    );
    let sheet = client.page("/staff/panic/sheet").await;
    assert!(sheet.contains("Recovery sheet of") && sheet.contains(&site.url("")));
    let (new, old) = ("a tide of forgotten lanterns", "not the right one");
    for (old, new, again, status) in [
        (old, new, new, StatusCode::UNAUTHORIZED),
        (PANIC, new, "another one", StatusCode::BAD_REQUEST),
        (
            PANIC,
            "password1234",
            "password1234",
            StatusCode::BAD_REQUEST,
        ),
        (PANIC, new, new, StatusCode::SEE_OTHER),
        (PANIC, new, new, StatusCode::UNAUTHORIZED),
    ] {
        let fields = [("old", old), ("new", new), ("again", again)];
        let answer = client.post_form("/staff/panic/password", &fields).await;
        assert_eq!(answer.status(), status, "{old}, {new}, {again}");
    }
    let registration = {
        let mut body = client.registration("alice", PASSWORD).await;
        body["panicPassword"] = json!(PANIC);
        client.post_json("/api/auth/register", &body).await
    };
    assert_eq!(registration.0, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn a_panic_takes_an_administrator_the_phrase_and_a_proof_of_its_own() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let guest = site.client();
    let member = site.run_json(&["--json", "member", "create", "alice"]);
    let secret = member["credentials"].as_str().unwrap();
    let alice = site.client();
    assert_eq!(alice.sign_in("alice", secret).await.0, 200);

    let body = press(&admin, Purpose::Panic, "admin", PASSWORD).await;
    assert_eq!(
        guest.post_json(PRESS, &body).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(alice.post_json(PRESS, &body).await.0, StatusCode::FORBIDDEN);
    let mut else_typed = body.clone();
    else_typed["confirm"] = json!("encrypt_all_data");
    assert_eq!(
        admin.post_json(PRESS, &else_typed).await.0,
        StatusCode::BAD_REQUEST
    );
    // The proof is still good: nothing was tried with it.
    let (status, problem) = admin.post_json(PRESS, &body).await;
    assert_eq!(status, StatusCode::UNPROCESSABLE_ENTITY, "{problem}");
    assert!(
        problem["detail"]
            .as_str()
            .unwrap()
            .contains("no Panic Password")
    );

    let fields = [("old", ""), ("new", PANIC), ("again", PANIC)];
    let answer = admin.post_form("/staff/panic/password", &fields).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    for wrong in [
        body,
        press(&admin, Purpose::Panic, "admin", "wrong").await,
        press(&admin, Purpose::SignIn, "admin", PASSWORD).await,
        press(&admin, Purpose::Panic, "alice", secret).await,
    ] {
        assert_eq!(
            admin.post_json(PRESS, &wrong).await.0,
            StatusCode::UNAUTHORIZED
        );
    }
    let login = admin.answer_for(Purpose::Panic, "admin", PASSWORD).await;
    assert_eq!(
        admin.post_json("/api/auth/login", &login).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(state(&admin).await, "open");
    assert_eq!(metric(&site, "opentracker_vault_state").await, "0");
    assert_ne!(metric(&site, "opentracker_log_position").await, "");
}

#[tokio::test]
async fn the_site_is_sealed_from_its_page_and_restored_without_a_login() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    assert_eq!(set_up(&admin, PANIC).await.0, StatusCode::CREATED);
    let announce = admin.announce_url().await;
    let body = press(&admin, Purpose::Panic, "admin", PASSWORD).await;
    let again = press(&admin, Purpose::Panic, "admin", PASSWORD).await;
    let (status, said) = admin.post_json(PRESS, &body).await;
    assert_eq!(
        (status, said),
        (StatusCode::OK, json!({ "state": "sealing" }))
    );
    let (status, said) = admin.post_json(PRESS, &again).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(said["type"], "/problems/sealed");
    tests::until("the seal", Duration::from_secs(30), || async {
        (state(&admin).await == "sealed").then_some(())
    })
    .await;
    assert_eq!(metric(&site, "opentracker_vault_state").await, "2");
    assert_eq!(metric(&site, "opentracker_log_position").await, "");

    let restore = |password: &'static str| {
        let (http, url) = (reqwest::Client::new(), site.url(RESTORE));
        let body = json!({ "panicPassword": password });
        async move { http.post(url).json(&body).send().await.unwrap() }
    };
    assert_eq!(
        restore("a wrong one").await.status(),
        StatusCode::UNAUTHORIZED
    );
    let foreign = reqwest::Client::new()
        .post(site.url("/restore"))
        .header(ORIGIN, "https://evil.example")
        .header(ACCEPT, "text/html")
        .form(&[("password", PANIC)]);
    assert_eq!(
        foreign.send().await.unwrap().status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(restore(PANIC).await.status(), StatusCode::ACCEPTED);
    tests::until("the restore", Duration::from_mins(1), || async {
        let answer = reqwest::get(site.url("/health/ready")).await.ok()?;
        answer.status().is_success().then_some(())
    })
    .await;
    assert_eq!(
        admin.get("/settings").await.status(),
        StatusCode::SEE_OTHER,
        "sessions ended"
    );
    let late = json!({ "panicPassword": PANIC });
    assert_eq!(
        admin.post_json(RESTORE, &late).await.0,
        StatusCode::CONFLICT
    );
    assert_eq!(admin.sign_in("admin", PASSWORD).await.0, 200);
    assert_eq!(admin.announce_url().await, announce);
    let log = site.log();
    assert!(!log.contains(PANIC) && !log.contains("a wrong one"));
}
