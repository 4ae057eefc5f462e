//! Another password, recovery codes, and names that pose as somebody else's.

use api::sign_in::scram::Purpose;
use reqwest::StatusCode;
use serde_json::{Value, json};
use tests::{Client, Options, Site, kept, until};

const OLD: &str = "correct horse battery";
const NEW: &str = "another staple entirely";

async fn site_with_alice() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", OLD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let alice = site.client();
    assert_eq!(alice.register("Paul", OLD).await.0, StatusCode::CREATED);
    (site, alice)
}

/// The present password, proved for a purpose as the site wants it nested.
async fn proof(client: &Client, purpose: Purpose, password: &str) -> Value {
    let mut answer = client.answer_for(purpose, "Paul", password).await;
    answer.as_object_mut().unwrap().remove("username");
    answer
}

async fn recover(client: &Client, name: &str, code: &str, password: &str) -> (StatusCode, Value) {
    let (challenge, nonce) = client.solved_for("recovery").await;
    let body = json!({
        "username": name, "code": code, "kept": kept(password), "powChallenge": challenge, "powNonce": nonce,
    });
    client.post_json("/api/auth/recover", &body).await
}

async fn is_in(client: &Client) -> bool {
    client.get("/settings").await.status() == StatusCode::OK
}

#[tokio::test]
async fn a_changed_password_holds_at_once_and_ends_the_other_sessions() {
    let (site, here) = site_with_alice().await;
    let elsewhere = site.client();
    assert_eq!(elsewhere.sign_in("Paul", OLD).await.0, StatusCode::OK);
    for (purpose, password) in [
        (Purpose::Password, NEW),
        (Purpose::SignIn, OLD),
        (Purpose::Panic, OLD),
    ] {
        let body = json!({ "proof": proof(&here, purpose, password).await, "kept": kept(NEW) });
        let (status, answer) = here.post_json("/api/auth/password", &body).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{purpose:?}: {answer}");
    }
    let mut cheap = kept(NEW);
    cheap["authIterations"] = 1.into();
    let body = json!({ "proof": proof(&here, Purpose::Password, OLD).await, "kept": cheap });
    let (status, _) = here.post_json("/api/auth/password", &body).await;
    assert!(status.is_client_error());
    assert!(is_in(&elsewhere).await, "nothing was changed yet");

    let body = json!({ "proof": proof(&here, Purpose::Password, OLD).await, "kept": kept(NEW) });
    let (status, answer) = here.post_json("/api/auth/password", &body).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(is_in(&here).await && !is_in(&elsewhere).await);
    let late = here.post_json("/api/auth/password", &body).await;
    assert_eq!(late.0, StatusCode::UNAUTHORIZED, "a proof is good once");
    assert_eq!(
        elsewhere.sign_in("Paul", OLD).await.0,
        StatusCode::UNAUTHORIZED
    );
    assert_eq!(elsewhere.sign_in("Paul", NEW).await.0, StatusCode::OK);
    // What the operator resets ends sessions too, by no more than its event.
    site.run_json(&["--json", "member", "reset-credentials", "Paul"]);
    let wait = std::time::Duration::from_secs(10);
    until("the sessions' end", wait, || async {
        (!is_in(&here).await).then_some(())
    })
    .await;
    let guest = site.client().post_json("/api/auth/password", &body).await;
    assert_eq!(guest.0, StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_password_set_at_the_command_line_ends_every_session_and_what_leads_to_one() {
    let (site, paul) = site_with_alice().await;
    let (thief, other) = (site.client(), site.client());
    let mut device = paul.enable_second_factor("Paul", OLD).await;
    thief.sign_in_by(&mut device, "Paul", OLD).await;
    let ticket = thief.ticket("Paul", OLD).await;
    assert_eq!(other.register("other", OLD).await.0, StatusCode::CREATED);
    let listed = |page: &str| page.matches("A program on another system").count();
    assert_eq!(listed(&paul.page("/settings").await), 2);
    let reset = site.run_json(&["--json", "member", "reset-credentials", "Paul"]);
    let wait = std::time::Duration::from_secs(10);
    for client in [&paul, &thief] {
        until("the session's end", wait, || async {
            (!is_in(client).await).then_some(())
        })
        .await;
    }
    assert!(is_in(&other).await, "nobody else's ends");
    let late = thief.bring(&ticket, &device.code().await).await;
    assert_eq!(late.0, StatusCode::UNAUTHORIZED, "{}", late.1);
    let password = reset["credentials"].as_str().unwrap();
    paul.sign_in_by(&mut device, "Paul", password).await;
    assert_eq!(
        listed(&paul.page("/settings").await),
        1,
        "those that ended aren't shown as if they held"
    );
    // What else the command line takes from a member holds as soon.
    let erase = ["member", "erase", "other", "--confirm", "other"];
    assert!(site.run(&erase).status.success());
    until("the erased member's end", wait, || async {
        (!is_in(&other).await).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_recovery_code_lets_its_member_back_in_once() {
    let (site, paul) = site_with_alice().await;
    let make = || async {
        let body = json!({ "proof": proof(&paul, Purpose::Password, OLD).await });
        paul.post_json("/api/auth/recovery-codes", &body).await
    };
    let codes =
        |made: &Value| -> Vec<String> { serde_json::from_value(made["codes"].clone()).unwrap() };
    let (status, first) = make().await;
    assert_eq!(status, StatusCode::CREATED, "{first}");
    let (void, good) = (codes(&first), codes(&make().await.1));
    assert_eq!((void.len(), good.len()), (8, 8));
    assert!(
        paul.page("/settings/password")
            .await
            .contains("You have 8.")
    );

    let stranger = site.client();
    let mut told = vec![];
    for (name, code) in [
        ("Paul", void[0].as_str()),
        ("nobody", good[0].as_str()),
        ("admin", good[0].as_str()),
        ("Paul", "no code at all"),
        ("", ""),
    ] {
        let (status, answer) = recover(&stranger, name, code, NEW).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{name} {code}: {answer}");
        told.push(answer["detail"].to_string());
    }
    told.dedup();
    assert_eq!(told.len(), 1, "what was wrong isn't told");
    assert!(is_in(&paul).await);

    let typed = good[0].to_uppercase().replace('-', " ");
    let (status, answer) = recover(&stranger, "paul", &typed, NEW).await;
    assert_eq!(status, StatusCode::OK, "{answer}");
    assert!(!is_in(&paul).await, "who was in is out");
    assert_eq!(paul.sign_in("Paul", OLD).await.0, StatusCode::UNAUTHORIZED);
    assert_eq!(paul.sign_in("Paul", NEW).await.0, StatusCode::OK);
    let twice = recover(&stranger, "Paul", &good[0], OLD).await;
    assert_eq!(twice.0, StatusCode::UNAUTHORIZED, "a code is good once");
    assert!(
        paul.page("/settings/password")
            .await
            .contains("You have 7.")
    );
    let log = site.log();
    assert!(good.iter().chain(&void).all(|code| !log.contains(code)));
}

#[tokio::test]
async fn nobody_takes_a_name_that_looks_like_another_or_like_the_site() {
    let (site, _) = site_with_alice().await;
    let stranger = site.client();
    for (name, status, words) in [
        // A capital I in place of the l.
        ("PauI", StatusCode::CONFLICT, "looks like this one"),
        ("paul", StatusCode::CONFLICT, "Somebody has this name"),
        (
            "Support",
            StatusCode::UNPROCESSABLE_ENTITY,
            "the site's own",
        ),
        ("Mоdesty", StatusCode::UNPROCESSABLE_ENTITY, "one script"),
    ] {
        let (answered, answer) = stranger.register(name, OLD).await;
        assert_eq!(answered, status, "{name}: {answer}");
        assert!(
            answer["detail"].as_str().unwrap().contains(words),
            "{answer}"
        );
    }
    assert_eq!(
        stranger.register("Pauline", OLD).await.0,
        StatusCode::CREATED
    );
}
