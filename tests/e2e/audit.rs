//! The auditor's commands, beside the running site and after it stopped.

use std::time::Duration;

use serde_json::Value;
use tests::{Client, Options, Site, make, until};

const PASSWORD: &str = "correct horse battery";

async fn told() -> (Site, Client, String) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let file = make::torrent("file", &make::payload(1, 30_000), Some("OpenTracker"));
    let id = admin.uploaded(file, "other", "first").await;
    (site, admin, id)
}

fn lines(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let output = site.run(arguments);
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).unwrap();
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

#[tokio::test]
async fn a_changed_byte_is_named_and_an_export_is_verified_without_the_database() {
    let (mut site, _, _) = told().await;
    let verified = site.run_json(&["--json", "audit", "verify"]);
    assert_eq!(verified["ok"], true);
    let export = site.run(&["audit", "export"]).stdout;
    site.stop();
    let file = site.data.join("../export.ndjson");
    std::fs::write(&file, &export).unwrap();
    let verify = |file: &std::path::Path| {
        let mut command = site.command(std::path::Path::new("/nonexistent/data"));
        command.args(["--json", "audit", "verify"]).arg(file);
        let output = command.output().unwrap();
        let told: Value = serde_json::from_slice(&output.stdout).unwrap();
        (output.status.code(), told)
    };
    let (status, told) = verify(&file);
    assert_eq!((status, &told["ok"]), (Some(0), &true.into()));
    let changed = String::from_utf8(export)
        .unwrap()
        .replacen("Software", "Hardware", 1);
    let line = changed.lines().position(|line| line.contains("Hardware"));
    std::fs::write(&file, &changed).unwrap();
    let (status, told) = verify(&file);
    assert_eq!(status, Some(1));
    assert_eq!(told["event"], line.unwrap() + 1, "{told}");
    site.launch().await;
    let pool = site.database().await;
    let change = "update event_log set sealed = set_byte(sealed, 50, get_byte(sealed, 50) # 1) where position = 9";
    sqlx::raw_sql(change).execute(&pool).await.unwrap();
    let output = site.run(&["--json", "audit", "verify"]);
    assert_eq!(output.status.code(), Some(1));
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&told["ok"], &told["event"]), (&false.into(), &9.into()));
}

#[tokio::test]
async fn a_stream_is_shown_as_it_stood_and_the_looking_is_noted() {
    let (site, admin, id) = told().await;
    let stream = format!("torrent-{id}");
    let uploaded = &lines(&site, &["--json", "audit", "log", "--stream", &stream])[0];
    assert_eq!(uploaded["event"], "TorrentUploaded");
    admin
        .post_form(&format!("/torrents/{id}/withdraw"), &[("reason", "wrong")])
        .await;
    let at = uploaded["at"].as_str().unwrap();
    let then = site.run_json(&["--json", "audit", "show", &stream, "--at", at]);
    assert_eq!(then["state"]["situation"], "Offered");
    assert_eq!(then["since"][0]["event"], "TorrentWithdrawn");
    let now = site.run_json(&["--json", "audit", "show", &stream]);
    assert_eq!(
        (&now["state"]["situation"], &now["state"]["name"]),
        (&"Withdrawn".into(), &"file".into())
    );
    let position = uploaded["position"].to_string();
    let before = site.run_json(&["--json", "audit", "diff", &stream, "--from", &position]);
    let paths: Vec<_> = before
        .as_array()
        .unwrap()
        .iter()
        .map(|one| &one["path"])
        .collect();
    assert_eq!(paths, ["situation", "by_staff"], "{before}");
    let noted = lines(&site, &["--json", "audit", "log", "--event", "HistoryRead"]);
    assert!(
        noted
            .iter()
            .any(|event| event["payload"]["HistoryRead"]["what"] == stream.as_str())
    );
    let member = uploaded["meta"]["actor"]["member"].as_str().unwrap();
    let own = lines(&site, &["--json", "audit", "log", "--actor", member]);
    assert!(own.iter().any(|event| event["event"] == "TorrentWithdrawn"));
    let whole = site
        .run(&["--json", "audit", "log", "--limit", "1000"])
        .stdout;
    let whole = String::from_utf8(whole).unwrap();
    assert!(
        !whole.contains(&passkey(&admin).await),
        "no secret is shown"
    );
    for (arguments, words) in [
        (["audit", "show", "torrent-7"], "isn't a stream"),
        (
            [
                "audit",
                "show",
                "torrent-00000000-0000-4000-8000-000000000001",
            ],
            "there is no stream",
        ),
    ] {
        let output = site.run(&arguments);
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(words), "{error}");
    }
}

#[tokio::test]
async fn the_page_proves_the_log_and_names_the_first_event_that_was_changed() {
    let (site, admin, _) = told().await;
    let proved = || async {
        let started = admin.post_form("/audit/proof", &[]).await;
        assert_eq!(started.status(), 303);
        until("the proof", Duration::from_secs(20), || async {
            let page = admin.page("/audit/proof").await;
            (!page.contains("data-moving")).then_some(page)
        })
        .await
    };
    assert!(
        admin
            .page("/audit/proof")
            .await
            .contains("Nobody has asked")
    );
    let page = proved().await;
    assert!(page.contains("everything fits"));
    let position = page.split(" events,").next().unwrap();
    let position = position.rsplit(' ').next().unwrap();
    let shown = site.run_json(&["--json", "audit", "verify", "--to", position]);
    assert!(page.contains(shown["root"].as_str().unwrap()), "{page}");
    let noted = lines(&site, &["--json", "audit", "log", "--event", "HistoryRead"]);
    let proof = |event: &Value| event["payload"]["HistoryRead"]["what"] == "proof";
    assert!(noted.iter().any(proof));
    let pool = site.database().await;
    let change =
        "update event_log set leaf = set_byte(leaf, 5, get_byte(leaf, 5) # 1) where position = 7";
    sqlx::raw_sql(change).execute(&pool).await.unwrap();
    assert!(proved().await.contains("Event 7 doesn't fit"));
    assert_eq!(site.client().get("/audit/proof").await.status(), 303);
}

#[tokio::test]
async fn auditors_look_through_pages_and_nobody_else_does() {
    let (site, admin, id) = told().await;
    let stream = format!("/audit/torrent-{id}");
    let then = admin.page(&stream).await;
    let position = then
        .split("?at=")
        .nth(1)
        .unwrap()
        .split('"')
        .next()
        .unwrap();
    admin
        .post_form(&format!("/torrents/{id}/withdraw"), &[])
        .await;
    let page = admin.page(&format!("{stream}?at={position}")).await;
    assert_eq!(page.matches("class=\"changed\"").count(), 2, "{page}");
    assert!(page.contains("Offered") && page.contains("Withdrawn"));
    assert!(!admin.page(&stream).await.contains("class=\"changed\""));
    assert!(
        admin
            .page("/audit?of=torrent")
            .await
            .contains("TorrentWithdrawn")
    );
    assert!(
        !admin
            .page("/audit?of=torrent")
            .await
            .contains("HistoryRead")
    );
    let own = admin.page("/audit?by=admin&event=HistoryRead").await;
    assert!(own.contains(&format!("torrent-{id}")), "looking is noted");
    assert_eq!(admin.get("/audit?by=nobody").await.status(), 400);
    assert_eq!(admin.get("/audit/torrent-7").await.status(), 404);
    admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    let member = site.client();
    assert_eq!(member.register("alice", PASSWORD).await.0, 201);
    for path in ["/audit", &stream] {
        assert_eq!(member.get(path).await.status(), 403);
    }
    let assigned = admin
        .post_form("/members/alice/role", &[("role", "auditor")])
        .await;
    assert_eq!(assigned.status(), 303);
    assert!(member.page("/audit").await.contains("alice"));
    assert_eq!(member.get("/staff").await.status(), 403);
    for (client, name) in [(&admin, "admin"), (&member, "admin")] {
        let path = format!("/members/{name}/role");
        let refused = client.post_form(&path, &[("role", "member")]).await;
        assert_eq!(refused.status(), 403);
    }
    let shown = admin
        .page(&format!("/audit/user-{}", admin_id(&site)))
        .await;
    assert!(shown.contains("[withheld]") && !shown.contains(&passkey(&admin).await));
}

fn admin_id(site: &Site) -> String {
    let arguments = ["--json", "audit", "log", "--event", "MemberRegistered"];
    let registered = lines(site, &arguments).pop().unwrap();
    let stream = registered.get("stream").and_then(Value::as_str).unwrap();
    stream.trim_start_matches("user-").to_owned()
}

async fn passkey(client: &Client) -> String {
    let url = client.announce_url().await;
    let found = url.split(['/', '?', '=']).find(|part| part.len() == 32);
    found.unwrap().to_owned()
}

#[tokio::test]
async fn a_schema_is_filled_as_the_read_tables_stood_and_shown_to_be_read_only() {
    let (site, admin, id) = told().await;
    let head = site.run_json(&["--json", "audit", "verify"])["position"].to_string();
    let path = format!("/torrents/{id}/withdraw");
    admin.post_form(&path, &[]).await;
    let replay = ["--json", "audit", "replay", "--at", &head, "--into", "then"];
    let told = site.run_json(&replay);
    assert_eq!(told["position"].to_string(), head);
    site.run_json(&replay);
    let pool = site.database().await;
    let standing = async |schema: &str| -> Vec<bool> {
        let query = format!("select withdrawn from \"{schema}\".torrent");
        sqlx::query_scalar(&query).fetch_all(&pool).await.unwrap()
    };
    assert_eq!(
        (standing("then").await, standing("read").await),
        (vec![false], vec![true])
    );
    let past = site.past("then").await;
    let reader = past.client();
    assert_eq!(reader.sign_in("admin", PASSWORD).await.0, 200);
    let shown = reader.page("/torrents?q=file").await;
    assert!(shown.contains(&id) && shown.contains(&format!("position {head} of its log")));
    assert!(!admin.page("/torrents?q=file").await.contains(&id));
    let before = site.run_json(&["--json", "audit", "verify"])["position"].clone();
    assert_eq!(reader.post_form(&path, &[]).await.status(), 403);
    let file = make::torrent("late", &make::payload(2, 30_000), Some("OpenTracker"));
    assert_eq!(reader.upload_once("late", file).await.status(), 403);
    assert_eq!(
        site.run_json(&["--json", "audit", "verify"])["position"],
        before
    );
    for taken in ["read", "public", "a\"b"] {
        let output = site.run(&["audit", "replay", "--at", &head, "--into", taken]);
        assert_eq!(output.status.code(), Some(1), "{taken}");
    }
}
