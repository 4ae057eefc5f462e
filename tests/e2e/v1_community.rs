//! The JSON API where members meet: the forum, invites, warnings and bans.

use domain::api_key::Scope;
use reqwest::Method;
use serde_json::{Value, json};

use crate::v1::{Script, site};

#[tokio::test]
async fn a_script_reads_and_writes_in_the_forum_as_its_member_may() {
    let (site, admin, alice) = site().await;
    let script = Script::of(&site, &alice, &[Scope::Read, Scope::Upload]).await;
    let staff = Script::of(&site, &admin, &[Scope::Read, Scope::Upload]).await;
    let (status, sections) = script.get("/forum/sections").await;
    assert_eq!(status, 200, "{sections}");
    let slug = sections[0]["slug"].as_str().unwrap().to_owned();
    let topics = format!("/forum/sections/{slug}/topics");

    let body = json!({ "title": "By a script", "text": "It *says* so." });
    let (status, opened) = script.send(Method::POST, &topics, &body).await;
    assert_eq!(
        (status, &opened["posts"][0]["number"]),
        (201, &1.into()),
        "{opened}"
    );
    let topic = format!("/forum/topics/{}", opened["id"].as_str().unwrap());
    for (field, body) in [
        ("title", json!({ "title": "", "text": "x" })),
        ("text", json!({ "title": "x", "text": " " })),
    ] {
        let (status, told) = script.send(Method::POST, &topics, &body).await;
        assert_eq!(
            (status, &told["errors"][0]["field"]),
            (422, &field.into()),
            "{told}"
        );
    }
    let (status, answer) = script
        .send(
            Method::POST,
            &format!("{topic}/posts"),
            &json!({ "text": "And **again**." }),
        )
        .await;
    assert_eq!(
        (status, &answer["author"]),
        (201, &"alice".into()),
        "{answer}"
    );
    let (_, read) = staff.get(&topic).await;
    assert_eq!(
        (&read["pages"], &read["posts"][1]["text"]),
        (&1.into(), &"And **again**.".into())
    );
    assert_eq!(staff.get(&format!("{topic}?page=2")).await.0, 404);
    let (_, listed) = staff.get(&topics).await;
    assert_eq!(listed["rows"][0]["posts"], 2, "{listed}");
    assert!(alice.page(&topic).await.contains("<strong>again</strong>"));

    let reader = Script::of(&site, &alice, &[Scope::Read]).await;
    assert_eq!(
        reader.send(Method::POST, &topics, &body).await.0,
        403,
        "a key that reads alone"
    );
}

#[tokio::test]
async fn a_section_of_the_staff_is_none_to_a_members_script() {
    let (site, admin, alice) = site().await;
    let script = Script::of(&site, &alice, &[Scope::Read]).await;
    let staff = Script::of(&site, &admin, &[Scope::Read, Scope::Moderate]).await;
    let back_room = [
        ("name", "Back room"),
        ("description", ""),
        ("order", "9"),
        ("staff_only", "yes"),
    ];
    let made = admin.post_form("/staff/sections", &back_room).await;
    assert_eq!(made.status(), 303);
    let (_, all) = staff.get("/forum/sections").await;
    assert!(all.to_string().contains("back-room"), "{all}");
    let (_, some) = script.get("/forum/sections").await;
    assert!(!some.to_string().contains("back-room"));
    assert_eq!(script.get("/forum/sections/back-room/topics").await.0, 404);
}

#[tokio::test]
async fn a_script_makes_invites_and_takes_them_back() {
    let (site, admin, _) = site().await;
    let script = Script::of(&site, &admin, &[Scope::Read, Scope::Upload]).await;
    let (status, made) = script.send(Method::POST, "/invites", &json!({})).await;
    assert_eq!(status, 201, "{made}");
    assert!(
        made["link"]
            .as_str()
            .unwrap()
            .ends_with(made["code"].as_str().unwrap())
    );
    let (_, listed) = script.get("/invites").await;
    let invite = &listed["rows"][0];
    assert_eq!(invite["standing"], "open", "{listed}");
    assert!(!listed.to_string().contains(made["code"].as_str().unwrap()));
    let path = format!("/invites/{}", invite["id"].as_str().unwrap());
    assert_eq!(script.send(Method::DELETE, &path, &json!({})).await.0, 204);
    for gone in [path.as_str(), "/invites/nothing"] {
        assert_eq!(script.send(Method::DELETE, gone, &json!({})).await.0, 404);
    }
    let (_, listed) = script.get("/invites").await;
    assert_eq!(listed["rows"][0]["standing"], "revoked");

    let (_, made) = script.send(Method::POST, "/invites", &json!({})).await;
    let guest = site.client();
    let mut body = guest.registration("carol", "carol password 1").await;
    body["inviteCode"] = made["code"].clone();
    let (status, told) = guest.post_json("/api/auth/register", &body).await;
    assert_eq!(status, 201, "{told}");
    let (_, listed) = script.get("/invites").await;
    let path = format!("/invites/{}", listed["rows"][0]["id"].as_str().unwrap());
    assert_eq!(script.send(Method::DELETE, &path, &json!({})).await.0, 422);
}

#[tokio::test]
async fn a_script_of_the_staff_grants_invites_to_a_member() {
    let (site, admin, alice) = site().await;
    let staff = Script::of(&site, &admin, &[Scope::Administer]).await;
    let hers = Script::of(&site, &alice, &[Scope::Upload]).await;
    let ask = async || hers.send(Method::POST, "/invites", &json!({})).await.0;
    // A new member's two.
    assert_eq!([ask().await, ask().await, ask().await], [201, 201, 422]);
    let path = "/members/alice/invites";
    let (status, problem) = staff.send(Method::POST, path, &json!({ "count": 0 })).await;
    let field = &problem["errors"][0]["field"];
    assert_eq!((status, field), (422, &"count".into()), "{problem}");
    let one = json!({ "count": 1 });
    assert_eq!(staff.send(Method::POST, path, &one).await.0, 204);
    assert_eq!([ask().await, ask().await], [201, 422], "it was one");
}

#[tokio::test]
async fn a_script_of_the_staff_warns_and_bans_and_what_is_wrong_names_the_field() {
    let (site, admin, alice) = site().await;
    let script = Script::of(&site, &admin, &[Scope::Moderate]).await;
    let path = "/members/Alice/sanctions";
    let impose = async |body: Value| script.send(Method::POST, path, &body).await;
    let (status, now) = impose(json!({ "act": "warn", "reason": "be kind" })).await;
    assert_eq!((status, &now[0]["kind"]), (200, &"warning".into()), "{now}");
    for (field, body) in [
        ("reason", json!({ "act": "warn", "reason": " " })),
        ("until", json!({ "act": "ban", "reason": "x", "until": 1 })),
        (
            "until",
            json!({ "act": "warn", "reason": "x", "until": 4_000_000_000_i64 }),
        ),
    ] {
        let (status, told) = impose(body).await;
        assert_eq!(
            (status, &told["errors"][0]["field"]),
            (422, &field.into()),
            "{told}"
        );
    }
    let (status, now) = impose(json!({ "act": "ban", "reason": "enough" })).await;
    assert_eq!((status, &now[0]["until"]), (200, &json!(null)), "{now}");
    assert_eq!(
        alice.get("/torrents").await.status(),
        303,
        "the session is over"
    );
    assert_eq!(
        impose(json!({ "act": "lift", "reason": "a mistake" }))
            .await
            .0,
        200
    );
    let own = json!({ "act": "warn", "reason": "x" });
    let own = script.send(Method::POST, "/members/admin/sanctions", &own);
    assert_eq!(own.await.0, 403);
    let (_, listed) = script.get(path).await;
    assert_eq!(listed.as_array().unwrap().len(), 3, "{listed}");
}
