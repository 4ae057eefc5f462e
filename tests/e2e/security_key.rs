//! Security keys: added, asked at the sign-in, copied, lost, and asked of the staff.

use api::sign_in::scram::Purpose;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{Authenticator, Client, Options, Site, kept};

const PASSWORD: &str = "correct horse battery";
const NEW: &str = "another staple entirely";
const PAGE: &str = "/settings/security-keys";
const REMOVE: &str = "/api/auth/security-key/remove";

/// A site that has a name, with an administrator and a member.
async fn scene(extra: &[(&str, &str)]) -> (Site, Client, Client) {
    // Without an origin of its own a site is found at localhost as well.
    let mut all = vec![("OPENTRACKER_SITE__ORIGIN", "")];
    all.extend(extra);
    let named = all
        .iter()
        .map(|(key, value)| ((*key).into(), (*value).into()));
    let options = Options {
        extra: named.collect(),
        ..Options::default()
    };
    let site = Site::start(options).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let paul = site.client();
    assert_eq!(paul.register("Paul", PASSWORD).await.0, StatusCode::CREATED);
    (site, admin, paul)
}

fn key(site: &Site, number: u8) -> Authenticator {
    Authenticator::new(&format!("http://localhost:{}", site.address.port()), number)
}

async fn is_in(client: &Client) -> bool {
    client.get("/settings").await.status() == StatusCode::OK
}

fn kind(answer: &Value) -> &str {
    answer["type"].as_str().unwrap_or_default()
}

async fn remove(client: &Client, name: &str, key: &Authenticator) -> StatusCode {
    let proof = client.proof(Purpose::SecondFactor, name, PASSWORD).await;
    let body = json!({ "proof": proof, "key": key.id() });
    client.post_json(REMOVE, &body).await.0
}

#[tokio::test]
async fn a_key_is_added_by_the_password_asked_at_the_sign_in_and_removed() {
    let (site, _, paul) = scene(&[]).await;
    let (elsewhere, mut blue) = (site.client(), key(&site, 1));
    assert_eq!(elsewhere.sign_in("Paul", PASSWORD).await.0, StatusCode::OK);
    assert_eq!(paul.begin_key("Paul", NEW, "blue").await.0, 401);
    let codes = paul.add_key("Paul", PASSWORD, &mut blue).await;
    assert_eq!(
        codes.as_array().map(Vec::len),
        Some(8),
        "with the first factor"
    );
    assert!(is_in(&paul).await && !is_in(&elsewhere).await);
    let page = paul.page(PAGE).await;
    assert!(
        page.contains("in software") && page.contains("not used yet"),
        "{page}"
    );

    let ticket = elsewhere.ticket("Paul", PASSWORD).await;
    assert!(
        !is_in(&elsewhere).await,
        "the password alone lets nobody in"
    );
    let (status, answer) = elsewhere.sign_for(&ticket, &mut blue).await;
    assert_eq!((status, &answer["success"]), (StatusCode::OK, &json!(true)));
    assert!(is_in(&elsewhere).await);
    assert!(paul.page(PAGE).await.contains("signed in "));
    let asked = json!({ "ticket": ticket });
    let again = elsewhere
        .post_json("/api/auth/security-key/challenge", &asked)
        .await;
    assert_eq!(again.0, 401, "a ticket is good once");

    let mut green = key(&site, 2);
    let (_, asked) = paul.begin_key("Paul", PASSWORD, "green").await;
    assert_eq!(asked["publicKey"]["excludeCredentials"][0]["id"], blue.id());
    assert_eq!(
        paul.answer_key(&blue.create(&asked)).await.0,
        401,
        "it is there already"
    );
    assert_eq!(paul.add_key("Paul", PASSWORD, &mut green).await, json!([]));
    assert!(is_in(&elsewhere).await, "it was begun by a key");
    assert_eq!(remove(&paul, "Paul", &blue).await, StatusCode::OK);
    assert_eq!(
        remove(&paul, "Paul", &blue).await,
        StatusCode::UNPROCESSABLE_ENTITY
    );
    let ticket = elsewhere.ticket("Paul", PASSWORD).await;
    assert_eq!(elsewhere.sign_for(&ticket, &mut blue).await.0, 401);
    assert_eq!(elsewhere.sign_for(&ticket, &mut green).await.0, 200);
    assert_eq!(remove(&paul, "Paul", &green).await, StatusCode::OK);
    assert_eq!(elsewhere.sign_in("Paul", PASSWORD).await.1["success"], true);
}

#[tokio::test]
async fn what_another_challenge_site_member_or_a_copy_signed_lets_nobody_in() {
    let (site, admin, paul) = scene(&[]).await;
    let (mut blue, mut red) = (key(&site, 1), key(&site, 2));
    paul.add_key("Paul", PASSWORD, &mut blue).await;
    admin.add_key("admin", PASSWORD, &mut red).await;
    let (_, asked) = admin.begin_key("admin", PASSWORD, "taken").await;
    let (status, answer) = admin.answer_key(&key(&site, 1).create(&asked)).await;
    assert_eq!(
        (status, kind(&answer)),
        (StatusCode::CONFLICT, "/problems/taken")
    );

    let thief = site.client();
    let ticket = thief.ticket("Paul", PASSWORD).await;
    let used = thief.asked_of_key(&ticket).await;
    let mut foreign = blue.clone();
    foreign.origin = "https://tracker.example".into();
    for wrong in [&mut foreign, &mut red] {
        let (status, answer) = thief.sign_for(&ticket, wrong).await;
        assert_eq!(
            (status, kind(&answer)),
            (StatusCode::UNAUTHORIZED, "/problems/second-factor")
        );
    }
    let old = thief.bring_key(&ticket, &blue.sign(&used)).await;
    assert_eq!(
        old.0,
        StatusCode::UNAUTHORIZED,
        "another challenge was asked since"
    );
    let mut asked = thief.asked_of_key(&ticket).await;
    asked["publicKey"]["rpId"] = "example".into();
    let (status, _) = thief.bring_key(&ticket, &blue.sign(&asked)).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED, "it is another site's");
    let asked = thief.asked_of_key(&ticket).await;
    let mut changed = blue.sign(&asked);
    changed["response"]["signature"] = red.sign(&asked)["response"]["signature"].clone();
    assert_eq!(thief.bring_key(&ticket, &changed).await.0, 401);
    let late = thief.bring_key(&ticket, &blue.sign(&asked)).await;
    assert_eq!(late.0, StatusCode::UNAUTHORIZED, "it was answered already");
    assert!(!is_in(&thief).await);

    let mut copy = blue.clone();
    let signed = paul.ticket("Paul", PASSWORD).await;
    let asked = paul.asked_of_key(&signed).await;
    let good = blue.sign(&asked);
    assert_eq!(paul.bring_key(&signed, &good).await.0, StatusCode::OK);
    let another = paul.ticket("Paul", PASSWORD).await;
    assert_eq!(
        paul.bring_key(&another, &good).await.0,
        401,
        "nothing was asked for it"
    );
    copy.counter -= 1;
    let (status, answer) = thief.sign_for(&ticket, &mut copy).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(
        answer["detail"].as_str().unwrap().contains("went back"),
        "{answer}"
    );
    assert_eq!(thief.sign_for(&ticket, &mut blue).await.0, StatusCode::OK);
}

#[tokio::test]
async fn a_sign_in_takes_whichever_factor_there_is() {
    let (site, _, paul) = scene(&[]).await;
    let mut blue = key(&site, 1);
    let codes = paul.add_key("Paul", PASSWORD, &mut blue).await;
    let mut device = paul.enable_second_factor("Paul", PASSWORD).await;
    let elsewhere = site.client();
    let ticket = elsewhere.ticket("Paul", PASSWORD).await;
    assert_eq!(
        elsewhere.bring(&ticket, codes[0].as_str().unwrap()).await.0,
        200
    );
    elsewhere.sign_in_by(&mut device, "Paul", PASSWORD).await;
    let ticket = elsewhere.ticket("Paul", PASSWORD).await;
    assert_eq!(elsewhere.sign_for(&ticket, &mut blue).await.0, 200);
    let body = json!({ "proof": paul.proof(Purpose::SecondFactor, "Paul", PASSWORD).await });
    let disable = "/api/auth/second-factor/disable";
    assert_eq!(paul.post_json(disable, &body).await.0, StatusCode::OK);
    let ticket = elsewhere.ticket("Paul", PASSWORD).await;
    assert_eq!(elsewhere.bring(&ticket, "000000").await.0, 401);
    assert_eq!(elsewhere.sign_for(&ticket, &mut blue).await.0, 200);
}

#[tokio::test]
async fn who_forgot_the_password_needs_a_recovery_code_and_the_key() {
    let (site, _, paul) = scene(&[]).await;
    let mut blue = key(&site, 1);
    let codes = paul.add_key("Paul", PASSWORD, &mut blue).await;
    let code = codes[0].as_str().unwrap();
    let lost = site.client();
    let recover = |brought: Value| {
        let lost = site.client();
        async move {
            let (challenge, nonce) = lost.solved_for("recovery").await;
            let mut body = json!({
                "username": "Paul", "code": code, "kept": kept(NEW), "powChallenge": challenge, "powNonce": nonce,
            });
            body.as_object_mut()
                .unwrap()
                .extend(brought.as_object().unwrap().clone());
            lost.post_json("/api/auth/recover", &body).await
        }
    };
    let (status, answer) = recover(json!({ "secondFactor": "000000" })).await;
    assert_eq!(
        (status, kind(&answer)),
        (StatusCode::UNAUTHORIZED, "/problems/second-factor")
    );
    let (status, answer) = recover(json!({ "secondFactor": "" })).await;
    assert_eq!(
        (status, &answer["success"]),
        (StatusCode::OK, &json!(false))
    );
    let ticket = answer["secondFactor"].as_str().unwrap();
    let asked = lost.asked_of_key(ticket).await;
    assert_eq!(
        lost.bring_key(ticket, &blue.sign(&asked)).await.0,
        401,
        "it signs nobody in"
    );
    let sign_in = paul.ticket("Paul", PASSWORD).await;
    for (ticket, status) in [(sign_in.as_str(), 401), (ticket, 200)] {
        let asked = lost.asked_of_key(ticket).await;
        let brought = json!({ "ticket": ticket, "credential": blue.sign(&asked) });
        let (answered, answer) = recover(json!({ "securityKey": brought })).await;
        assert_eq!(answered, status, "{answer}");
    }
    assert!(!is_in(&paul).await, "the old password's sessions are over");
    let ticket = lost.ticket("Paul", NEW).await;
    assert_eq!(lost.sign_for(&ticket, &mut blue).await.0, StatusCode::OK);
}

#[tokio::test]
async fn guesses_at_a_key_are_counted_with_those_at_a_code() {
    let (site, _, paul) = scene(&[("OPENTRACKER_LIMITS__SIGN_INS", "4")]).await;
    let (mut blue, mut red) = (key(&site, 1), key(&site, 2));
    paul.add_key("Paul", PASSWORD, &mut blue).await;
    let ticket = paul.ticket("Paul", PASSWORD).await;
    let asked = paul.asked_of_key(&ticket).await;
    let bring = |last: u8, path: &str, body: Value| {
        let address = std::net::IpAddr::from([127, 0, 0, last]);
        let http = reqwest::Client::builder().local_address(address);
        let asked = http.build().unwrap().post(site.url(path));
        let asked = asked.header("origin", site.url("")).json(&body);
        async move { asked.send().await.unwrap().status().as_u16() }
    };
    let code = json!({ "ticket": ticket, "code": "000000" });
    let wrong = json!({ "ticket": ticket, "credential": red.sign(&asked) });
    let right = json!({ "ticket": ticket, "credential": blue.sign(&asked) });
    let (by_code, by_key) = ("/api/auth/second-factor", "/api/auth/security-key");
    for last in [2, 3] {
        assert_eq!(bring(last, by_code, code.clone()).await, 401);
        assert_eq!(bring(last + 10, by_key, wrong.clone()).await, 401);
    }
    assert_eq!(bring(5, by_key, right).await, 429);
    assert_eq!(bring(6, by_code, code).await, 429);
}

#[tokio::test]
async fn a_key_is_enough_for_the_staff_and_ends_with_what_there_is_where_it_is_lost() {
    let (site, admin, paul) = scene(&[]).await;
    let set = [("second_factor_for_staff", "on")];
    let asked = admin.post_form("/staff/settings/sign-in", &set).await;
    assert_eq!(asked.status(), StatusCode::SEE_OTHER);
    let wait = std::time::Duration::from_secs(10);
    tests::until("the setting", wait, || async {
        let answer = admin.get("/staff").await;
        (answer.status() == StatusCode::SEE_OTHER).then_some(())
    })
    .await;
    assert!(admin.page(PAGE).await.contains("to go on"));
    admin.add_key("admin", PASSWORD, &mut key(&site, 9)).await;
    assert_eq!(admin.get("/staff").await.status(), StatusCode::OK);

    let (mut blue, mut green) = (key(&site, 1), key(&site, 2));
    paul.add_key("Paul", PASSWORD, &mut blue).await;
    paul.add_key("Paul", PASSWORD, &mut green).await;
    paul.enable_second_factor("Paul", PASSWORD).await;
    let told = paul.page("/notifications").await;
    assert!(told.contains("A security key was added"), "{told}");
    let proof = admin.proof(Purpose::SecondFactor, "admin", PASSWORD).await;
    let path = "/api/admin/members/Paul/second-factor/disable";
    let ended = admin.post_json(path, &json!({ "proof": proof })).await;
    assert_eq!(ended.0, StatusCode::OK);
    let lost = site.client();
    assert_eq!(lost.sign_in("Paul", PASSWORD).await.1["success"], true);
    lost.add_key("Paul", PASSWORD, &mut blue).await;
    let reset = site.run_json(&["--json", "member", "reset-credentials", "Paul"]);
    let password = reset["credentials"].as_str().unwrap();
    let ticket = lost.ticket("Paul", password).await;
    assert_eq!(
        lost.sign_for(&ticket, &mut blue).await.0,
        200,
        "as a device's codes"
    );
    site.run_json(&["--json", "member", "disable-second-factor", "Paul"]);
    assert_eq!(lost.sign_in("Paul", password).await.1["success"], true);
}

#[tokio::test]
async fn what_is_kept_of_a_key_is_sealed_and_free_again_when_its_member_is_erased() {
    let (site, admin, paul) = scene(&[]).await;
    let mut blue = key(&site, 1);
    paul.add_key("Paul", PASSWORD, &mut blue).await;
    let ticket = paul.ticket("Paul", PASSWORD).await;
    assert_eq!(paul.sign_for(&ticket, &mut blue).await.0, 200);
    let database = site.database().await;
    let added: Vec<bool> = sqlx::query_scalar(
        "select position(convert_to($1, 'utf8') in sealed) > 0 from event_log where event_type like 'SecurityKey%'",
    )
    .bind(blue.id())
    .fetch_all(&database)
    .await
    .unwrap();
    assert_eq!(added, [false, false], "added and used, both sealed");
    let confirm = ["member", "erase", "Paul", "--confirm", "Paul"];
    assert!(site.run(&confirm).status.success());
    admin.add_key("admin", PASSWORD, &mut blue).await;
    let verified = site.run(&["audit", "verify"]);
    assert!(verified.status.success(), "{verified:?}");
}

#[tokio::test]
async fn what_no_key_ever_says_is_refused_clearly_and_leaves_the_site_as_it_was() {
    let (site, admin, paul) = scene(&[]).await;
    let mut blue = key(&site, 1);
    admin.add_key("admin", PASSWORD, &mut blue).await;
    let ticket = admin.ticket("admin", PASSWORD).await;
    let mut bodies: Vec<Value> = std::fs::read_dir(tests::fuzz::corpus("security_key"))
        .unwrap()
        .map(|entry| {
            serde_json::from_slice(&std::fs::read(entry.unwrap().path()).unwrap()).unwrap()
        })
        .collect();
    let deep = (0..100).fold(json!(1), |inner, _| json!([inner]));
    let long = "A".repeat(40_000);
    bodies.extend([json!(null), json!([]), json!({}), json!("text"), deep]);
    bodies.extend([
        json!({ "credential": null }),
        json!({ "ticket": ticket, "credential": { "id": long, "rawId": long } }),
        json!({ "credential": { "id": "", "rawId": "\u{0}", "type": "public-key", "response": {} } }),
    ]);
    for of in bodies {
        let mut brought = of.clone();
        if let Some(ticket_of) = brought.get_mut("ticket") {
            *ticket_of = ticket.as_str().into();
        }
        // Asked anew each time: what is refused has spent what was asked.
        admin.begin_key("admin", PASSWORD, "another").await;
        admin.asked_of_key(&ticket).await;
        for (client, path) in [
            (&admin, "/api/auth/security-key/add"),
            (&admin, "/api/auth/security-key/begin"),
            (&admin, REMOVE),
            (&paul, "/api/auth/security-key/add"),
            (&paul, "/api/auth/security-key/challenge"),
            (&paul, "/api/auth/security-key"),
        ] {
            let (status, answer) = client.post_json(path, &brought).await;
            assert!(status.is_client_error(), "{path} {status}: {brought}");
            assert!(
                answer["detail"]
                    .as_str()
                    .is_some_and(|told| !told.is_empty()),
                "{answer}"
            );
        }
    }
    assert_eq!(
        site.client().sign_for(&ticket, &mut blue).await.0,
        StatusCode::OK
    );
    assert!(!site.log().contains("ERROR"), "{}", site.log());
}

#[tokio::test]
async fn a_site_without_a_name_says_that_no_key_can_know_it() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    assert!(admin.page(PAGE).await.contains("by an address alone"));
    assert_eq!(admin.begin_key("admin", PASSWORD, "blue").await.0, 400);
}
