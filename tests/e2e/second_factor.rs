//! A second factor: set up, asked at the sign-in, lost, and asked of the staff.

use api::sign_in::scram::Purpose;
use domain::api_key::Scope;
use reqwest::StatusCode;
use reqwest::header::{LOCATION, ORIGIN};
use serde_json::{Value, json};
use tests::{Client, Device, Options, Site, kept};

use crate::api_key::key;

const PASSWORD: &str = "correct horse battery";
const NEW: &str = "another staple entirely";
const SET_UP: &str = "/settings/second-factor";
const ENABLE: &str = "/api/auth/second-factor/enable";
const DISABLE: &str = "/api/auth/second-factor/disable";

async fn scene(options: Options) -> (Site, Client, Client) {
    let site = Site::start(options).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let paul = site.client();
    assert_eq!(paul.register("Paul", PASSWORD).await.0, StatusCode::CREATED);
    (site, admin, paul)
}

async fn is_in(client: &Client) -> bool {
    client.get("/settings").await.status() == StatusCode::OK
}

fn kind(answer: &Value) -> &str {
    answer["type"].as_str().unwrap_or_default()
}

async fn recovery_codes(client: &Client, name: &str) -> Vec<String> {
    let body = json!({ "proof": client.proof(Purpose::Password, name, PASSWORD).await });
    let (_, made) = client.post_json("/api/auth/recovery-codes", &body).await;
    serde_json::from_value(made["codes"].clone()).unwrap()
}

#[tokio::test]
async fn a_second_factor_takes_a_first_code_and_is_asked_at_the_sign_in() {
    let (site, _, paul) = scene(Options::default()).await;
    let elsewhere = site.client();
    assert_eq!(elsewhere.sign_in("Paul", PASSWORD).await.0, StatusCode::OK);
    let page = paul.page(SET_UP).await;
    assert!(page.contains("<svg class=\"qr\""), "{page}");
    let mut device = Device::scanning(&page);
    let again = Device::scanning(&paul.page(SET_UP).await);
    assert_eq!(device.secret, again.secret, "it stays till it is confirmed");
    for (purpose, password, code, status) in [
        (Purpose::SecondFactor, NEW, device.secret.code(1), 401),
        (Purpose::Password, PASSWORD, device.secret.code(1), 401),
        (Purpose::SecondFactor, PASSWORD, device.secret.code(1), 401),
        (Purpose::SecondFactor, PASSWORD, String::new(), 401),
    ] {
        let body = json!({ "proof": paul.proof(purpose, "Paul", password).await, "code": code });
        let (answered, answer) = paul.post_json(ENABLE, &body).await;
        assert_eq!(answered, status, "{answer}");
    }
    assert!(is_in(&elsewhere).await, "nothing holds yet");
    let proof = paul.proof(Purpose::SecondFactor, "Paul", PASSWORD).await;
    let first = device.code().await;
    let body = json!({ "proof": proof, "code": first });
    assert_eq!(paul.post_json(ENABLE, &body).await.0, StatusCode::OK);
    assert!(is_in(&paul).await && !is_in(&elsewhere).await);
    assert!(paul.page(SET_UP).await.contains("It is on"));

    let ticket = elsewhere.ticket("Paul", PASSWORD).await;
    assert!(
        !is_in(&elsewhere).await,
        "the password alone lets nobody in"
    );
    let second = device.code().await;
    for (ticket, code) in [
        (ticket.as_str(), first.as_str()),
        (ticket.as_str(), "000000"),
        (ticket.as_str(), ""),
        ("00", second.as_str()),
    ] {
        let (status, answer) = elsewhere.bring(ticket, code).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{code}: {answer}");
    }
    let (status, answer) = elsewhere.bring(&ticket, &second).await;
    assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)));
    assert!(is_in(&elsewhere).await);
    let late = site.client();
    let fresh = late.ticket("Paul", PASSWORD).await;
    let (status, answer) = late.bring(&fresh, &second).await;
    assert_eq!(
        (status, kind(&answer)),
        (StatusCode::UNAUTHORIZED, "/problems/second-factor"),
        "a code counts once"
    );
    assert_eq!(late.bring(&ticket, &second).await.0, 401);
}

/// Sets one up; gives the recovery codes that come with it.
async fn enabled(paul: &Client) -> (Device, Vec<String>) {
    let mut device = Device::scanning(&paul.page(SET_UP).await);
    let proof = paul.proof(Purpose::SecondFactor, "Paul", PASSWORD).await;
    let body = json!({ "proof": proof, "code": device.code().await });
    let (status, answer) = paul.post_json(ENABLE, &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let codes = serde_json::from_value(answer["codes"].clone()).unwrap();
    (device, codes)
}

#[tokio::test]
async fn recovery_codes_come_with_the_first_factor_where_there_are_none() {
    let (site, _, paul) = scene(Options::default()).await;
    let (_, codes) = enabled(&paul).await;
    assert_eq!(codes.len(), 8);
    assert!(paul.page(SET_UP).await.contains("You have 8."));
    let elsewhere = site.client();
    let ticket = elsewhere.ticket("Paul", PASSWORD).await;
    assert_eq!(elsewhere.bring(&ticket, &codes[0]).await.0, StatusCode::OK);
    let body = json!({ "proof": paul.proof(Purpose::SecondFactor, "Paul", PASSWORD).await });
    assert_eq!(paul.post_json(DISABLE, &body).await.0, StatusCode::OK);
    let (_, others) = enabled(&paul).await;
    assert!(others.is_empty(), "those that are left stay good");
    let ticket = elsewhere.ticket("Paul", PASSWORD).await;
    assert_eq!(elsewhere.bring(&ticket, &codes[1]).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_code_that_was_used_is_known_after_a_restart_without_redis() {
    let (mut site, _, paul) = scene(Options::default()).await;
    let mut device = paul.enable_second_factor("Paul", PASSWORD).await;
    let ticket = paul.ticket("Paul", PASSWORD).await;
    let code = device.code().await;
    assert_eq!(paul.bring(&ticket, &code).await.0, StatusCode::OK);
    site.kill();
    site.launch().await;
    let thief = site.client();
    let ticket = thief.ticket("Paul", PASSWORD).await;
    assert_eq!(thief.bring(&ticket, &code).await.0, 401, "it was used");
    let next = device.code().await;
    assert_eq!(thief.bring(&ticket, &next).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_second_factor_is_turned_off_by_the_password_and_its_secret_is_told_to_nobody() {
    let (site, _, paul) = scene(Options::default()).await;
    let device = paul.enable_second_factor("Paul", PASSWORD).await;
    let secret = device.secret.reveal();
    let export = site.run(&["audit", "export"]).stdout;
    let log = site
        .run(&["--json", "audit", "log", "--limit", "1000"])
        .stdout;
    let said = site.log() + &String::from_utf8([export, log].concat()).unwrap();
    assert!(said.contains("SecondFactorEnabled") && !said.contains(&secret));

    for (purpose, status) in [(Purpose::Password, 401), (Purpose::SecondFactor, 200)] {
        let body = json!({ "proof": paul.proof(purpose, "Paul", PASSWORD).await });
        assert_eq!(paul.post_json(DISABLE, &body).await.0, status);
    }
    let elsewhere = site.client();
    assert_eq!(elsewhere.sign_in("Paul", PASSWORD).await.1["success"], true);
    assert!(is_in(&elsewhere).await);
    let another = Device::scanning(&paul.page(SET_UP).await);
    assert_ne!(another.secret, device.secret, "no secret comes back");
}

#[tokio::test]
async fn a_recovery_code_stands_for_the_device_or_for_the_password_and_never_for_both() {
    let (site, _, paul) = scene(Options::default()).await;
    let codes = recovery_codes(&paul, "Paul").await;
    let mut device = paul.enable_second_factor("Paul", PASSWORD).await;
    let without = site.client();
    let ticket = without.ticket("Paul", PASSWORD).await;
    assert_eq!(
        without.bring(&ticket, "00000-00000-00000-00000").await.0,
        401
    );
    assert_eq!(without.bring(&ticket, &codes[0]).await.0, StatusCode::OK);
    assert!(is_in(&without).await);
    let ticket = without.ticket("Paul", PASSWORD).await;
    assert_eq!(without.bring(&ticket, &codes[0]).await.0, 401, "once");

    let recover = |name: &'static str, code: String, device: Option<String>| {
        let client = site.client();
        async move {
            let (challenge, nonce) = client.solved_for("recovery").await;
            let body = json!({
                "username": name, "code": code, "kept": kept(NEW), "powChallenge": challenge,
                "powNonce": nonce, "secondFactor": device,
            });
            client.post_json("/api/auth/recover", &body).await
        }
    };
    let (good, wrong) = (codes[1].clone(), "00000-00000-00000-00000".to_owned());
    let (status, answer) = recover("Paul", wrong, None).await;
    assert_eq!(
        (status, kind(&answer)),
        (StatusCode::UNAUTHORIZED, "/problems/sign-in")
    );
    for device in [
        None,
        Some(String::new()),
        Some(device.secret.code(1)),
        Some(codes[2].clone()),
    ] {
        let (status, answer) = recover("Paul", good.clone(), device).await;
        assert_eq!(
            (status, kind(&answer)),
            (StatusCode::UNAUTHORIZED, "/problems/second-factor")
        );
    }
    assert!(is_in(&paul).await, "nothing was changed");
    let shown = Some(device.code().await);
    let (status, answer) = recover("Paul", good, shown).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    let ticket = without.ticket("Paul", NEW).await;
    assert_eq!(without.bring(&ticket, &codes[2]).await.0, StatusCode::OK);
    assert!(paul.sign_in("Paul", PASSWORD).await.0 == StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_ticket_ends_with_the_password_by_which_it_was_had() {
    let (site, _, paul) = scene(Options::default()).await;
    let mut device = paul.enable_second_factor("Paul", PASSWORD).await;
    let thief = site.client();
    let ticket = thief.ticket("Paul", PASSWORD).await;
    let proof = paul.proof(Purpose::Password, "Paul", PASSWORD).await;
    let body = json!({ "proof": proof, "kept": kept(NEW) });
    assert_eq!(
        paul.post_json("/api/auth/password", &body).await.0,
        StatusCode::OK
    );
    assert_eq!(thief.bring(&ticket, &device.code().await).await.0, 401);
}

#[tokio::test]
async fn guesses_at_a_code_are_counted_wherever_they_come_from() {
    let limit = ("OPENTRACKER_LIMITS__SIGN_INS".to_owned(), "3".to_owned());
    let options = Options {
        extra: vec![limit],
        ..Options::default()
    };
    let (site, _, paul) = scene(options).await;
    let mut device = paul.enable_second_factor("Paul", PASSWORD).await;
    // Where he signed in from, a wrong password by others doesn't shut him out; a wrong code does.
    let ticket = paul.ticket("Paul", PASSWORD).await;
    let bring = |last: u8, code: String| {
        let address = std::net::IpAddr::from([127, 0, 0, last]);
        let http = reqwest::Client::builder().local_address(address);
        let asked = http
            .build()
            .unwrap()
            .post(site.url("/api/auth/second-factor"));
        let asked = asked.header(ORIGIN, site.url(""));
        let asked = asked.json(&json!({ "ticket": ticket, "code": code }));
        async move { asked.send().await.unwrap().status().as_u16() }
    };
    for (last, status) in [(1, 401), (2, 401), (3, 401), (4, 429)] {
        assert_eq!(bring(last, "nothing".into()).await, status, "{last}");
    }
    assert_eq!(bring(5, device.code().await).await, 429);
}

#[tokio::test]
async fn staff_without_one_gets_nothing_but_its_set_up_while_the_site_asks_for_it() {
    let (site, admin, paul) = scene(Options::default()).await;
    let secret = key(&admin, "script", &[Scope::Read]).await;
    let script = |path: &str| {
        let asked = reqwest::Client::new().get(site.url(path));
        let asked = asked.bearer_auth(&secret);
        async move {
            let answer = asked.send().await.unwrap();
            (
                answer.status().as_u16(),
                answer.json::<Value>().await.unwrap(),
            )
        }
    };
    let set = |to: &'static str| [("second_factor_for_staff", to)];
    let asked = admin.post_form("/staff/settings/sign-in", &set("on")).await;
    assert_eq!(asked.status(), 303);
    tests::until(
        "the setting",
        std::time::Duration::from_secs(10),
        || async { (script("/api/v1/me").await.0 == 403).then_some(()) },
    )
    .await;
    for path in [
        "/staff",
        "/staff/settings",
        "/torrents",
        "/settings",
        "/audit",
    ] {
        let answer = admin.get(path).await;
        assert_eq!(answer.status(), 303, "{path}");
        assert_eq!(answer.headers()[LOCATION], SET_UP, "{path}");
    }
    let (page, fields) = (site.url(""), set("off"));
    let off = admin.post_form_from(&page, "/staff/settings/sign-in", &fields);
    assert_eq!(off.await.status(), 403);
    let (_, refused) = script("/api/v1/me").await;
    assert_eq!(kind(&refused), "/problems/second-factor-needed");
    assert!(
        paul.page("/torrents").await.contains("Paul"),
        "members are asked nothing"
    );

    // The panic waits for nothing.
    assert!(admin.page("/staff/panic").await.contains("Panic"));
    let wrong = json!({ "confirm": "nothing" });
    let press = admin.post_json("/api/admin/panic/encrypt", &wrong).await;
    assert_ne!(
        kind(&press.1),
        "/problems/second-factor-needed",
        "{press:?}"
    );
    assert!(admin.page(SET_UP).await.contains("Set it up to go on"));
    let mut device = admin.enable_second_factor("admin", PASSWORD).await;
    assert!(admin.page("/staff").await.contains("Settings"));
    let (status, me) = script("/api/v1/me").await;
    assert_eq!((status, &me["second_factor"]), (200, &json!(true)));
    let ticket = admin.ticket("admin", PASSWORD).await;
    assert_eq!(admin.bring(&ticket, &device.code().await).await.0, 200);
    assert_eq!(admin.get("/staff").await.status(), 200);
}

#[tokio::test]
async fn administrators_and_the_operator_let_in_who_lost_the_device() {
    let (site, admin, paul) = scene(Options::default()).await;
    let moderator = site.client();
    assert_eq!(moderator.register("order", PASSWORD).await.0, 201);
    let role = [("role", "moderator")];
    admin.post_form("/members/order/role", &role).await;
    paul.enable_second_factor("Paul", PASSWORD).await;
    assert!(
        admin
            .page("/members/paul")
            .await
            .contains("/members/Paul/second-factor")
    );
    assert!(
        admin
            .page("/members/paul/second-factor")
            .await
            .contains("Turn it off")
    );
    let path = "/api/admin/members/Paul/second-factor/disable";
    for (client, name, purpose, status) in [
        (&moderator, "order", Purpose::SecondFactor, 403),
        (&admin, "admin", Purpose::Erasure, 401),
        (&admin, "Paul", Purpose::SecondFactor, 401),
        (&admin, "admin", Purpose::SecondFactor, 200),
    ] {
        let body = json!({ "proof": client.proof(purpose, name, PASSWORD).await });
        let (answered, answer) = client.post_json(path, &body).await;
        assert_eq!(answered, status, "{name} {purpose:?}: {answer}");
    }
    let lost = site.client();
    assert_eq!(lost.sign_in("Paul", PASSWORD).await.1["success"], true);
    lost.enable_second_factor("Paul", PASSWORD).await;
    let told = site.run_json(&["--json", "member", "disable-second-factor", "Paul"]);
    assert_eq!(told["secondFactor"], false);
    assert_eq!(lost.sign_in("Paul", PASSWORD).await.1["success"], true);
}
