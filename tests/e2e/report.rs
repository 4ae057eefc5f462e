//! Reports: made once, handled by who may, told to who made them.

use domain::api_key::Scope;
use reqwest::Method;
use reqwest::header::LOCATION;
use serde_json::json;
use tests::{Client, Options, Site, make};

use crate::rebuild::rebuilt_rows_are_the_same;
use crate::v1::Script;

const PASSWORD: &str = "correct horse battery";
const TEXT: &str = "This is nothing but an advertisement.";

/// A site with its administrator, a moderator and two members; a torrent of the second member's.
async fn scene() -> (Site, [Client; 4], String) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    admin.approve_nothing().await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let mut clients = vec![];
    for name in ["moritz", "alice", "bertha"] {
        let member = site.client();
        assert_eq!(member.register(name, PASSWORD).await.0, 201);
        clients.push(member);
    }
    let role = [("role", "moderator")];
    admin.post_form("/members/moritz/role", &role).await;
    let [moritz, alice, bertha] = clients.try_into().unwrap();
    let file = make::torrent("file", &make::payload(1, 9_000), Some("OpenTracker"));
    let torrent = bertha.uploaded(file, "other", "").await;
    (site, [admin, moritz, alice, bertha], torrent)
}

async fn send(client: &Client, path: &str, fields: &[(&str, &str)]) -> u16 {
    client.post_form(path, fields).await.status().as_u16()
}

async fn status(client: &Client, path: &str) -> u16 {
    client.get(path).await.status().as_u16()
}

/// Reports something, and gives the report's own path.
async fn report(client: &Client, path: &str) -> String {
    let fields = [("reason", "spam"), ("text", TEXT)];
    let answer = client.post_form(path, &fields).await;
    assert_eq!(answer.status(), 303, "{path}");
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

async fn lead(client: &Client, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = client.post_form(path, fields).await;
    assert_eq!(answer.status(), 303, "{path}");
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

/// Bertha's torrent, comment, post and profile, as they are reported.
async fn targets(bertha: &Client, torrent: &str) -> [(String, String); 4] {
    let comments = format!("/torrents/{torrent}/comments");
    let comment = lead(bertha, &comments, &[("text", "buy now")]).await;
    let topic = [("title", "Offers"), ("text", "buy now")];
    let topic = lead(bertha, "/forum/general/new", &topic).await;
    let post = lead(bertha, &format!("{topic}/reply"), &[("text", "still")]).await;
    let of = |kind: &str, path: &str| {
        let id = path.rsplit('/').next().unwrap();
        (format!("/report/{kind}/{id}"), path.to_owned())
    };
    [
        of("torrent", &format!("/torrents/{torrent}")),
        of("comment", &comment),
        of("post", &post),
        of("member", "/members/bertha"),
    ]
}

#[tokio::test]
async fn everything_is_reported_from_its_page_and_the_staff_is_led_back_to_it() {
    let (site, [_, moritz, alice, bertha], torrent) = scene().await;
    for (path, target) in targets(&bertha, &torrent).await {
        let place = alice.get(&target).await;
        let place = match place.headers().get(LOCATION) {
            Some(to) => to.to_str().unwrap().split('#').next().unwrap().to_owned(),
            None => target.clone(),
        };
        let button = format!("href=\"{path}\"");
        assert!(alice.page(&place).await.contains(&button), "{place}");
        assert!(!bertha.page(&place).await.contains(&button), "{place}");
        assert!(alice.page(&path).await.contains("What is wrong"));
        let own = report(&alice, &path).await;
        let page = alice.page(&own).await;
        assert!(page.contains(TEXT) && page.contains("open"), "{page}");
        let staff = moritz.page(&format!("/staff{own}")).await;
        assert!(staff.contains(&format!("href=\"{target}\"")), "{target}");
        assert!(staff.contains(TEXT) && staff.contains("alice"));
        assert_eq!(status(&bertha, &own).await, 404, "it is alice's");
    }
    let page = moritz.page("/").await;
    assert!(
        page.contains("4<span class=\"visually-hidden\"> waiting"),
        "{page}"
    );
    let only = moritz.page("/staff/reports?kind=comment&state=open").await;
    assert_eq!(only.matches("href=\"/staff/reports/").count(), 1, "{only}");
    let none = moritz.page("/staff/reports?state=resolved").await;
    assert!(none.contains("There is no such report"));
    assert_eq!(
        alice
            .page("/reports")
            .await
            .matches("href=\"/reports/")
            .count(),
        4
    );
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn the_same_is_reported_once_while_it_is_open_however_often_the_form_is_sent() {
    let (_site, [_, moritz, alice, _], torrent) = scene().await;
    let path = format!("/report/torrent/{torrent}");
    let fields = [("reason", "spam"), ("text", TEXT), ("nonce", "0123456789")];
    let (one, other) = tokio::join!(
        alice.post_form(&path, &fields),
        alice.post_form(&path, &fields)
    );
    assert_eq!(
        (one.status(), other.status()),
        (303.try_into().unwrap(), 303.try_into().unwrap())
    );
    assert_eq!(one.headers()[LOCATION], other.headers()[LOCATION]);
    let own = one.headers()[LOCATION].to_str().unwrap().to_owned();
    let again = [("reason", "abuse"), ("text", "Something else is wrong.")];
    let answer = alice.post_form(&path, &again).await;
    assert_eq!(answer.status(), 409);
    let page = answer.text().await.unwrap();
    assert!(page.contains(&own) && page.contains("Something else is wrong."));
    report(&moritz, &path).await;
    let staff = format!("/staff{own}");
    assert_eq!(send(&moritz, &staff, &[("act", "dismiss")]).await, 303);
    assert_eq!(send(&moritz, &staff, &[("act", "dismiss")]).await, 422);
    assert_eq!(send(&moritz, &staff, &[("act", "take")]).await, 422);
    assert!(
        report(&alice, &path).await != own,
        "the first one is closed"
    );
}

#[tokio::test]
async fn what_is_removed_ones_own_or_badly_worded_isnt_reported() {
    let (_site, [admin, _, alice, bertha], torrent) = scene().await;
    let [
        (torrent_path, _),
        (comment_path, comment),
        (post_path, post),
        (member_path, _),
    ] = targets(&bertha, &torrent).await;
    for text in ["", "short", &"é".repeat(2_001)] {
        let fields = [("reason", "spam"), ("text", text)];
        let answer = alice.post_form(&post_path, &fields).await;
        assert_eq!(answer.status(), 422);
        let page = answer.text().await.unwrap();
        assert!(page.contains("10 to 2,000") && page.contains(text));
    }
    let fields = [("reason", "boredom"), ("text", TEXT)];
    let answer = alice.post_form(&post_path, &fields).await;
    assert_eq!(answer.status(), 422);
    let page = answer.text().await.unwrap();
    assert!(page.contains("Choose what is wrong") && page.contains(TEXT));
    let fields = [("reason", "spam"), ("text", TEXT)];
    for path in [&torrent_path, &comment_path, &post_path, &member_path] {
        assert_eq!(send(&bertha, path, &fields).await, 422, "{path}");
        assert!(
            bertha.page(path).await.contains("This is your own"),
            "{path}"
        );
    }
    for path in [&comment, &post] {
        assert_eq!(send(&admin, &format!("{path}/remove"), &[]).await, 303);
    }
    for path in [&comment_path, &post_path] {
        let answer = alice.post_form(path, &fields).await;
        assert_eq!(answer.status(), 422, "{path}");
        assert!(answer.text().await.unwrap().contains("removed meanwhile"));
    }
    assert_eq!(
        send(&admin, &format!("/torrents/{torrent}/withdraw"), &[]).await,
        303
    );
    assert_eq!(send(&alice, &torrent_path, &fields).await, 404);
    for nowhere in ["/report/member/nobody", "/report/post/1", "/report/king/1"] {
        assert_eq!(status(&alice, nowhere).await, 404, "{nowhere}");
        assert_eq!(send(&alice, nowhere, &fields).await, 404, "{nowhere}");
    }
}

#[tokio::test]
async fn the_staff_notes_in_secret_and_closes_with_a_word() {
    let (site, [admin, moritz, alice, _], torrent) = scene().await;
    let own = report(&alice, &format!("/report/torrent/{torrent}")).await;
    let staff = format!("/staff{own}");
    assert_eq!(status(&alice, &staff).await, 403);
    assert_eq!(status(&alice, "/staff/reports").await, 403);
    assert_eq!(send(&alice, &staff, &[("act", "take")]).await, 403);
    assert_eq!(send(&moritz, &staff, &[("act", "take")]).await, 303);
    assert!(alice.page(&own).await.contains("being looked at"));
    let note = [("act", "note"), ("text", "The third time, <b>beware</b>")];
    assert_eq!(send(&moritz, &staff, &note).await, 303);
    let too_long = "x".repeat(1_001);
    for (act, text, why) in [
        ("note", " ", "1 to 2,000"),
        ("resolve", too_long.as_str(), "at most 1,000"),
    ] {
        let fields = [("act", act), ("text", text)];
        let answer = moritz.post_form(&staff, &fields).await;
        assert_eq!(answer.status(), 422);
        assert!(answer.text().await.unwrap().contains(why));
    }
    assert_eq!(send(&moritz, &staff, &[("act", "dance")]).await, 400);
    let word = [("act", "resolve"), ("text", "It is gone, thank you.")];
    assert_eq!(send(&admin, &staff, &word).await, 303);
    let page = alice.page(&own).await;
    assert!(page.contains("It is gone, thank you.") && page.contains("resolved"));
    assert!(!page.contains("third time") && !page.contains("moritz"));
    let page = moritz.page(&staff).await;
    assert!(page.contains("&lt;b&gt;beware") && page.contains("Closed by admin"));
    let told = alice.page("/notifications").await;
    assert!(told.contains("Your report was resolved") && told.contains("It is gone"));
    // Whom a report is about neither sees nor handles it.
    let about = report(&alice, "/report/member/moritz").await;
    let staff = format!("/staff{about}");
    assert_eq!(status(&moritz, &staff).await, 404);
    assert_eq!(send(&moritz, &staff, &[("act", "dismiss")]).await, 404);
    assert_eq!(status(&admin, &staff).await, 200);
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn scripts_report_and_handle_by_their_keys() {
    let (site, [_, moritz, alice, _], torrent) = scene().await;
    let script = Script::of(&site, &alice, &[Scope::Read, Scope::Upload]).await;
    let staff = Script::of(&site, &moritz, &[Scope::Read, Scope::Moderate]).await;
    let said = |reason: &str, text: &str| json!({ "kind": "torrent", "target": torrent, "reason": reason, "text": text });
    let report = async |said| script.send(Method::POST, "/reports", &said).await;
    let (status, made) = report(said("misleading", TEXT)).await;
    assert_eq!((status, &made["state"]), (201, &json!("open")), "{made}");
    let (status, problem) = report(said("spam", TEXT)).await;
    assert_eq!(status, 409);
    assert_eq!(problem["type"], "/problems/reported-already");
    let (status, problem) = report(said("spam", "short")).await;
    assert_eq!(
        (status, &problem["errors"][0]["field"]),
        (422, &json!("text"))
    );
    assert_eq!(report(said("boredom", TEXT)).await.0, 422);
    let (_, found) = staff.get("/staff/reports?state=open&kind=torrent").await;
    assert_eq!(found["rows"][0]["id"], made["id"]);
    let handle = format!("/staff/reports/{}", made["id"].as_str().unwrap());
    let act = json!({ "act": "resolve", "text": "done" });
    assert_eq!(script.send(Method::POST, &handle, &act).await.0, 403);
    let (status, done) = staff.send(Method::POST, &handle, &act).await;
    assert_eq!(
        (status, &done["state"]),
        (200, &json!("resolved")),
        "{done}"
    );
    let (_, own) = script.get("/reports").await;
    let own = &own["rows"][0];
    assert_eq!(
        (&own["word"], &own["taken_by"]),
        (&json!("done"), &json!(null))
    );
    let (_, told) = script.get("/notifications").await;
    let told = &told["rows"][0];
    assert_eq!(
        (&told["kind"], &told["unread"]),
        (&json!("resolved"), &json!(true))
    );
    let upto = json!({ "upto": told["position"] });
    let read = script
        .send(Method::POST, "/notifications/read", &upto)
        .await;
    assert_eq!(read.0, 204);
    let (_, told) = script.get("/notifications").await;
    assert_eq!(told["rows"][0]["unread"], false);
}
