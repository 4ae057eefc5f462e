//! The Panic Password: set once, changed by who knows it, and never to be read anywhere.

use std::process::Output;

use serde_json::Value;
use tests::{Options, Site};

use super::{OTHER, PANIC, PASSWORD, refused, say, vault};

fn set(site: &Site, lines: &[&str]) -> Output {
    say(site, &["password"], lines)
}

#[tokio::test]
async fn the_panic_password_is_set_once_and_changed_by_who_knows_it() {
    let mut site = Site::start(Options::default()).await;
    site.client().set_up("admin", PASSWORD).await;
    assert_eq!(vault(&site)["password"], false);
    refused(&set(&site, &["too short"]), "from 12 to 128 characters");
    refused(&set(&site, &[]), "is missing");
    assert_eq!(vault(&site)["password"], false);
    assert!(set(&site, &[PANIC]).status.success());
    let standing = vault(&site);
    assert_eq!(
        (&standing["state"], &standing["password"]),
        (&"open".into(), &true.into())
    );
    refused(
        &set(&site, &[OTHER, "yet another one"]),
        "isn't the Panic Password",
    );
    assert!(set(&site, &[PANIC, OTHER]).status.success());
    refused(&set(&site, &[PANIC, PANIC]), "isn't the Panic Password");
    let log = site.run(&[
        "--json",
        "audit",
        "log",
        "--stream",
        "vault-51730000-0000-4000-8000-000000000004",
    ]);
    let log = String::from_utf8(log.stdout).unwrap();
    let events: Vec<Value> = log
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let names: Vec<&str> = events
        .iter()
        .map(|event| event["event"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["PanicPasswordChanged", "PanicPasswordSet"]);
    assert_ne!(events[0]["payload"], events[1]["payload"]);

    // A public key of somebody else's in the place of ours is noticed.
    let pool = site.database().await;
    let swap =
        "update panic_slot set slot = jsonb_set(slot, '{public}', to_jsonb(repeat('ab', 32)))";
    sqlx::raw_sql(swap).execute(&pool).await.unwrap();
    refused(&site.run(&["panic", "status"]), "tampered with");
    refused(&set(&site, &[OTHER, PANIC]), "tampered with");
    sqlx::raw_sql("delete from panic_slot")
        .execute(&pool)
        .await
        .unwrap();
    refused(&site.run(&["panic", "status"]), "tampered with");
    pool.close().await;

    site.stop();
    let master = std::fs::read_to_string(site.data.join("keys/master.key")).unwrap();
    let found = tests::files_with(&site.data, &[PANIC, OTHER, master.trim()]);
    assert_eq!(found, [site.data.join("keys/master.key")]);
}

#[tokio::test]
async fn a_lost_master_key_comes_back_by_the_panic_password_alone() {
    let mut site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let before = admin.announce_url().await;
    refused(
        &say(&site, &["restore"], &[PANIC]),
        "nothing has to be restored",
    );
    assert!(set(&site, &[PANIC]).status.success());
    site.stop();
    let key = site.data.join("keys/master.key");
    let lost = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    refused(&site.run(&["panic", "status"]), "opentracker panic restore");
    refused(
        &say(&site, &["restore"], &[OTHER]),
        "isn't the Panic Password",
    );
    assert!(!key.exists());
    assert!(say(&site, &["restore"], &[PANIC]).status.success());
    assert_eq!(std::fs::read(&key).unwrap(), lost);
    site.launch().await;
    let admin = site.client();
    assert_eq!(admin.sign_in("admin", PASSWORD).await.0, 200);
    assert_eq!(admin.announce_url().await, before);
    assert_eq!(site.run_json(&["--json", "audit", "verify"])["ok"], true);
}
