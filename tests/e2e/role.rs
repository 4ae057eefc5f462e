//! Roles of the site's own: made, given, changed and retired, and who may do so.

use std::time::Duration;

use domain::api_key::Scope;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{Client, Options, Site, make, until};

use crate::rebuild::rebuilt_rows_are_the_same;
use crate::v1::{self, Script, site};

const PASSWORD: &str = "correct horse battery";

/// A site with an administrator and two members.
async fn start() -> (Site, Client, [Client; 2]) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let members = [site.client(), site.client()];
    for (client, name) in members.iter().zip(["alice", "bertha"]) {
        assert_eq!(client.register(name, PASSWORD).await.0, 201);
    }
    (site, admin, members)
}

async fn status(client: &Client, path: &str) -> u16 {
    client.get(path).await.status().as_u16()
}

/// Sends the form of a role and gives the status and the page.
async fn sent(by: &Client, to: &str, name: &str, may: &[&str]) -> (u16, String) {
    let boxes: Vec<String> = may.iter().map(|one| format!("may-{one}")).collect();
    let mut fields = vec![("name", name), ("colour", "teal")];
    fields.extend(boxes.iter().map(|one| (one.as_str(), "1")));
    let answer = by.post_form(to, &fields).await;
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Makes a role and gives its address.
pub(crate) async fn made(by: &Client, name: &str, may: &[&str]) -> String {
    assert_eq!(sent(by, "/staff/roles", name, may).await.0, 303, "{name}");
    let page = by.page("/staff/roles").await;
    let row = page.split(&format!(">{name}</span>")).nth(1).unwrap();
    let id = row.split("href=\"/staff/roles/").nth(1).unwrap();
    format!("/staff/roles/{}", id.split('"').next().unwrap())
}

/// Gives a role to a member, or takes it away.
pub(crate) async fn hand(by: &Client, act: &str, role: &str, member: &str) -> u16 {
    let id = role.rsplit('/').next().unwrap();
    let fields = [("act", act), ("role", id)];
    let path = format!("/members/{member}/roles");
    let answer = by.post_form(&path, &fields);
    answer.await.status().as_u16()
}

#[tokio::test]
async fn a_role_holds_from_the_next_request_on_and_ends_for_all_when_it_is_retired() {
    let (site, admin, [alice, bertha]) = start().await;
    for path in ["/staff/roles", "/staff/settings", "/staff/queue"] {
        assert_eq!(status(&alice, path).await, 403, "{path}");
    }
    let role = made(&admin, "Forum guides", &["forum", "torrents", "settings"]).await;
    assert_eq!(hand(&admin, "grant", &role, "alice").await, 303);
    for path in ["/staff/settings", "/staff/queue"] {
        assert_eq!(status(&alice, path).await, 200, "{path}");
    }
    assert_eq!(status(&alice, "/staff/roles").await, 403);
    let badge = "<span class=\"tag teal\">Forum guides</span>";
    assert!(bertha.page("/members/alice").await.contains(badge));
    assert!(admin.page("/staff/members").await.contains(badge));
    assert_eq!(sent(&admin, &role, "Guides", &["torrents"]).await.0, 303);
    assert_eq!(status(&alice, "/staff/settings").await, 403);
    assert_eq!(status(&alice, "/staff/queue").await, 200);
    assert_eq!(hand(&admin, "grant", &role, "bertha").await, 303);
    assert!(
        admin
            .page(&format!("{role}/retire"))
            .await
            .contains("2 members")
    );
    assert_eq!(hand(&admin, "withdraw", &role, "bertha").await, 303);
    assert_eq!(status(&bertha, "/staff/queue").await, 403);

    let retired = admin.post_form(&format!("{role}/retire"), &[]).await;
    assert_eq!(retired.status(), 303);
    assert_eq!(status(&alice, "/staff/queue").await, 403);
    assert!(
        !bertha
            .page("/members/alice")
            .await
            .contains(">Guides</span>")
    );
    assert_eq!(status(&admin, &role).await, 404);
    assert_eq!(hand(&admin, "grant", &role, "bertha").await, 404);
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn a_role_stands_beside_its_members_name_wherever_they_write() {
    let (_site, admin, [alice, bertha]) = start().await;
    admin.approve_nothing().await;
    let topic = [("title", "hello"), ("text", "a post")];
    let opened = alice.post_form("/forum/general/new", &topic).await;
    let topic = opened.headers()["location"].to_str().unwrap().to_owned();
    let file = make::torrent("file", &make::payload(3, 20_000), Some("OpenTracker"));
    let torrent = format!("/torrents/{}", bertha.uploaded(file, "other", "").await);
    let said = alice
        .post_form(&format!("{torrent}/comments"), &[("text", "a comment")])
        .await;
    assert_eq!(said.status(), 303);
    let guides = made(&admin, "Forum guides", &["forum"]).await;
    let friends = made(&admin, "Friends", &[]).await;
    for role in [&guides, &friends] {
        assert_eq!(hand(&admin, "grant", role, "alice").await, 303);
    }
    let both = "alice</a> <span class=\"tag teal\">Forum guides</span> <span class=\"tag teal\">Friends</span>";
    for page in [&topic, &torrent] {
        let page = bertha.page(page).await;
        assert!(page.contains(both), "{page}");
    }
    let retired = admin.post_form(&format!("{guides}/retire"), &[]).await;
    assert_eq!(retired.status(), 303);
    for page in [&topic, &torrent] {
        let page = bertha.page(page).await;
        assert!(
            page.contains("alice</a> <span class=\"tag teal\">Friends"),
            "{page}"
        );
        assert!(!page.contains("Forum guides"), "{page}");
    }
}

#[tokio::test]
async fn nobody_gives_or_takes_away_what_they_may_not_do_themselves() {
    let (site, admin, [alice, bertha]) = start().await;
    let above = made(&admin, "Judges", &["members"]).await;
    let hers = made(&admin, "Helpers", &["roles", "forum"]).await;
    assert_eq!(hand(&admin, "grant", &hers, "alice").await, 303);
    assert_eq!(hand(&admin, "grant", &above, "bertha").await, 303);
    assert!(alice.page("/").await.contains("href=\"/staff/roles\""));

    let (told, page) = sent(&alice, "/staff/roles", "Bailiffs", &["members"]).await;
    assert_eq!(told, 422);
    assert!(
        page.contains("Nobody gives or takes away what they may not do themselves"),
        "{page}"
    );
    assert!(
        page.contains("value=\"Bailiffs\""),
        "what was typed is kept"
    );
    let (told, page) = sent(&alice, "/staff/roles", "Rulers", &["administer"]).await;
    assert_eq!(told, 422, "{page}");
    assert_eq!(
        sent(&admin, "/staff/roles", "Rulers", &["administer"])
            .await
            .0,
        422
    );
    assert_eq!(sent(&alice, &above, "Judges", &[]).await.0, 422);
    let retire = format!("{above}/retire");
    assert_eq!(alice.post_form(&retire, &[]).await.status(), 422);
    assert_eq!(hand(&alice, "grant", &above, "alice").await, 403);
    assert_eq!(hand(&alice, "withdraw", &above, "bertha").await, 403);
    assert!(!alice.page("/members/bertha").await.contains("Withdraw"));

    let below = made(&alice, "Gardeners", &["forum"]).await;
    assert_eq!(hand(&alice, "grant", &below, "bertha").await, 303);
    assert_eq!(hand(&alice, "grant", &below, "admin").await, 403);
    assert!(
        !alice
            .page("/members/admin")
            .await
            .contains("name=\"act\" value=\"grant\"")
    );
    assert_eq!(hand(&bertha, "grant", &below, "alice").await, 403);
    // Who has it no more can't go on with what it allowed.
    assert_eq!(hand(&admin, "withdraw", &hers, "alice").await, 303);
    assert_eq!(hand(&alice, "withdraw", &below, "bertha").await, 403);
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn a_name_and_what_looks_like_it_belong_to_one_role_till_it_is_given_up() {
    let (_site, admin, _) = start().await;
    let role = made(&admin, "Pauls guides", &[]).await;
    for alike in ["pauls GUIDES", "Pauls  guides", "PauIs guides"] {
        let (told, page) = sent(&admin, "/staff/roles", alike, &[]).await;
        assert_eq!(told, 422, "{alike}");
        assert!(page.contains("Another role has this name"), "{page}");
    }
    for wrong in ["", "x", "<b>", "Moderator", "two\u{202e}owt"] {
        let (told, page) = sent(&admin, "/staff/roles", wrong, &[]).await;
        assert_eq!(told, 422, "{wrong:?}");
        assert!(page.contains("id=\"name-error\""), "{page}");
    }
    assert_eq!(sent(&admin, &role, "Helpers", &[]).await.0, 303);
    let second = made(&admin, "PauIs guides", &[]).await;
    assert_eq!(sent(&admin, &second, "hELPERS", &[]).await.0, 422);
    // Its own name in another case is no other name.
    assert_eq!(sent(&admin, &role, "HELPERS", &[]).await.0, 303);
    admin.post_form(&format!("{role}/retire"), &[]).await;
    assert_eq!(sent(&admin, &second, "Helpers", &[]).await.0, 303);
}

#[tokio::test]
async fn roles_are_made_given_and_retired_by_a_key() {
    let (site, admin, _member) = site().await;
    let script = Script::of(&site, &admin, &[Scope::Read, Scope::Administer]).await;
    let wanted =
        |name: &str, may: &[&str]| json!({ "name": name, "colour": "pink", "permissions": may });
    let guides = wanted("Guides", &["forum", "audit"]);
    let (told, roles) = script.send(Method::POST, "/roles", &guides).await;
    assert_eq!(told, 200, "{roles}");
    assert_eq!(roles[0]["permissions"], json!(["forum", "audit"]));
    let id = roles[0]["id"].as_str().unwrap().to_owned();
    assert_eq!(script.send(Method::POST, "/roles", &guides).await.0, 409);
    for (wrong, field) in [
        (wanted("x", &[]), "name"),
        (wanted("Rulers", &["administer"]), "permissions"),
        (wanted("Rulers", &["everything"]), "permissions"),
        (
            json!({ "name": "Rulers", "colour": "black", "permissions": [] }),
            "colour",
        ),
    ] {
        let (told, problem) = script.send(Method::POST, "/roles", &wrong).await;
        assert_eq!(
            (told, &problem["errors"][0]["field"]),
            (422, &field.into()),
            "{problem}"
        );
    }
    let held = format!("/members/admin/roles/{id}");
    let (told, profile) = script.send(Method::PUT, &held, &Value::Null).await;
    assert_eq!(
        (told, &profile["roles"]),
        (200, &json!(["Guides"])),
        "{profile}"
    );
    assert_eq!(script.get("/roles").await.1[0]["members"], 1);
    let role = format!("/roles/{id}");
    let (told, roles) = script
        .send(Method::PUT, &role, &wanted("Helpers", &[]))
        .await;
    assert_eq!((told, &roles[0]["name"]), (200, &"Helpers".into()));
    let (told, profile) = script.send(Method::DELETE, &held, &Value::Null).await;
    assert_eq!((told, &profile["roles"]), (200, &json!([])));
    // Whoever asks again with the key of their request gets the first answer.
    for _ in 0..2 {
        let retire = script.request(Method::DELETE, &role);
        let retire = retire.header("Idempotency-Key", "once");
        assert_eq!(v1::told(retire).await, (200, json!([])));
    }
    assert_eq!(
        script.send(Method::DELETE, &role, &Value::Null).await.0,
        422
    );
    let nowhere = "/roles/00000000-0000-4000-8000-000000000000";
    assert_eq!(
        script
            .send(Method::PUT, nowhere, &wanted("Others", &[]))
            .await
            .0,
        404
    );
}

#[tokio::test]
async fn who_keeps_the_settings_finds_the_forms_beside_them_too() {
    let (_site, admin, [alice, _]) = start().await;
    let role = made(&admin, "Keepers", &["settings"]).await;
    let text = [("text", "We move on Sunday")];
    let say = || alice.post_form("/staff/announcement", &text);
    assert_eq!(say().await.status(), 403);
    assert_eq!(hand(&admin, "grant", &role, "alice").await, 303);
    let forms = ["registration", "announcement", "logo"];
    for (client, here) in [(&alice, true), (&admin, false)] {
        let page = client.page("/staff/settings").await;
        for form in forms {
            let form = format!("action=\"/staff/{form}\"");
            assert_eq!(page.contains(&form), here, "{form}");
        }
    }
    let said = say().await;
    assert_eq!(said.status(), 303);
    assert_eq!(said.headers()["location"], "/staff/settings");
    assert!(alice.page("/torrents").await.contains("We move on Sunday"));
}

#[tokio::test]
async fn who_reviews_torrents_by_a_role_announces_what_waits_till_the_role_is_over() {
    let (_site, admin, [alice, bertha]) = start().await;
    let file = make::torrent("waits", &make::payload(3, 20_000), Some("OpenTracker"));
    let read = domain::metainfo::read(&file, "OpenTracker").unwrap();
    bertha.uploaded(file, "other", "").await;
    let announce = format!(
        "{}&info_hash={}&peer_id=-TR3000-aaaaaaaaaaaa&port=6881&uploaded=0&downloaded=0&left=0",
        alice.announce_url().await,
        make::encode(&read.info_hash.0)
    );
    let refused = |expected: bool| {
        let announce = &announce;
        until(
            "the tracker's word",
            Duration::from_secs(10),
            move || async move {
                let answer = reqwest::get(announce).await.unwrap();
                let told = String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned();
                (told.contains("failure reason") == expected).then_some(())
            },
        )
    };
    let role = made(&admin, "Reviewers", &["torrents"]).await;
    refused(true).await;
    assert_eq!(hand(&admin, "grant", &role, "alice").await, 303);
    refused(false).await;
    assert_eq!(sent(&admin, &role, "Reviewers", &["forum"]).await.0, 303);
    refused(true).await;
    assert_eq!(sent(&admin, &role, "Reviewers", &["torrents"]).await.0, 303);
    refused(false).await;
    admin.post_form(&format!("{role}/retire"), &[]).await;
    refused(true).await;
}

#[tokio::test]
async fn the_last_administrator_stays_also_at_the_command_line() {
    let (site, _admin, _) = start().await;
    let role = |name: &str, role: &str| site.run(&["member", "role", name, role]);
    let refused = role("admin", "member");
    assert!(!refused.status.success());
    let told = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(told.contains("last administrator"), "{told}");
    assert!(role("alice", "administrator").status.success());
    assert!(role("admin", "member").status.success());
    assert!(!role("alice", "auditor").status.success());
    assert!(
        site.run(&["member", "create", "carol", "--admin"])
            .status
            .success()
    );
    assert!(role("alice", "auditor").status.success());
    assert!(!role("carol", "member").status.success());
}
