//! Editing what a torrent's page says, its versions, and the ways back.

use std::time::Duration;

use serde_json::Value;
use tests::{Client, Options, Site, make, until};

use crate::rebuild::rebuilt_rows_are_the_same;

const PASSWORD: &str = "correct horse battery";

/// A site with its administrator, and a member with a torrent.
async fn with_a_torrent() -> (Site, Client, Client, String) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    admin.approve_nothing().await;
    let member = joined(&site, "alice").await;
    let file = make::torrent("file", &make::payload(6, 20_000), Some("OpenTracker"));
    let id = member.uploaded(file, "other", "a first draft").await;
    (site, admin, member, id)
}

async fn joined(site: &Site, name: &str) -> Client {
    let member = site.client();
    assert_eq!(member.register(name, PASSWORD).await.0, 201);
    member
}

async fn edit(client: &Client, id: &str, category: &str, description: &str) -> u16 {
    let fields = [("category", category), ("description", description)];
    let path = format!("/torrents/{id}/edit");
    client.post_form(&path, &fields).await.status().as_u16()
}

/// The torrent's events, the first first.
fn events(site: &Site, id: &str) -> Vec<Value> {
    let stream = format!("torrent-{id}");
    let told = site.run(&["--json", "audit", "log", "--stream", &stream]);
    let text = String::from_utf8(told.stdout).unwrap();
    let mut events: Vec<Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    events.reverse();
    events
}

/// Whether a search finds the torrent, once it does or doesn't as it should.
async fn found(client: &Client, words: &str, id: &str, expected: bool) {
    until(words, Duration::from_secs(5), || async {
        let page = client.page(&format!("/torrents?q={words}")).await;
        (page.contains(id) == expected).then_some(())
    })
    .await;
}

#[tokio::test]
async fn an_edit_shows_on_the_page_in_the_list_in_the_search_and_after_a_rebuild() {
    let (site, admin, member, id) = with_a_torrent().await;
    let page = format!("/torrents/{id}");
    let before = member.download(&id).await;
    assert_eq!(
        edit(&member, &id, "software-linux", "now *polished*").await,
        303
    );
    let shown = member.page(&page).await;
    assert!(
        shown.contains("now <em>polished</em>") && shown.contains("Linux"),
        "{shown}"
    );
    for (list, listed) in [("software", true), ("other", false)] {
        let list = member.page(&format!("/torrents?category={list}")).await;
        assert_eq!(list.contains(&id), listed);
    }
    found(&member, "polished", &id, true).await;
    found(&member, "file", &id, true).await;
    found(&member, "draft", &id, false).await;
    assert_eq!(
        edit(&admin, &id, "software-linux", "polished by the staff").await,
        303
    );
    assert!(member.page(&page).await.contains("by the staff"));
    assert_eq!(member.download(&id).await, before, "the file stays");
    rebuilt_rows_are_the_same(&site).await;
    assert!(member.page(&page).await.contains("by the staff"));
}

#[tokio::test]
async fn nobody_else_edits_a_torrent_and_what_cannot_be_said_is_told_in_the_form() {
    let (site, admin, member, id) = with_a_torrent().await;
    let other = joined(&site, "bertha").await;
    for path in ["edit", "versions", "versions/1"] {
        let path = format!("/torrents/{id}/{path}");
        assert_eq!(other.get(&path).await.status(), 403, "{path}");
        assert_eq!(member.get(&path).await.status(), 200, "{path}");
    }
    assert_eq!(edit(&other, &id, "other", "mine now").await, 403);
    let back = format!("/torrents/{id}/versions/1");
    assert_eq!(other.post_form(&back, &[]).await.status(), 403);
    let long = "x".repeat(50_001);
    for (category, description) in [("no-such-category", "kept text"), ("other", &long)] {
        let fields = [("category", category), ("description", description)];
        let path = format!("/torrents/{id}/edit");
        let answer = member.post_form(&path, &fields).await;
        assert_eq!(answer.status(), 422);
        let page = answer.text().await.unwrap();
        assert!(page.contains("notice bad") && page.contains(description));
    }
    assert_eq!(edit(&member, &id, "other", "a first draft").await, 303);
    assert_eq!(events(&site, &id).len(), 1, "nothing was changed");
    assert_eq!(
        admin
            .post_form(&format!("/torrents/{id}/versions/7"), &[])
            .await
            .status(),
        404
    );
    assert_eq!(
        edit(&member, "00000000-0000-4000-8000-000000000001", "other", "").await,
        404
    );
}

#[tokio::test]
async fn a_page_goes_back_to_any_version_by_an_event_that_names_the_one_it_brings_back() {
    let (site, admin, member, id) = with_a_torrent().await;
    edit(&member, &id, "movies", "a second draft").await;
    edit(&admin, &id, "movies", "a third draft").await;
    let versions = format!("/torrents/{id}/versions");
    let first = member.page(&format!("{versions}/1")).await;
    assert!(
        first.contains("<del>first</del>") && first.contains("<ins>third</ins>"),
        "{first}"
    );
    assert!(first.contains("<del>Other</del>") && first.contains("Go back to this version"));
    let today = member.page(&format!("{versions}/3")).await;
    assert!(today.contains("The page says the same today") && !today.contains("Go back to"));
    assert_eq!(
        member
            .post_form(&format!("{versions}/1"), &[])
            .await
            .status(),
        303
    );
    let page = member.page(&format!("/torrents/{id}")).await;
    assert!(page.contains("a first draft") && page.contains("Other"));
    found(&member, "first", &id, true).await;
    let list = member.page(&versions).await;
    assert!(
        list.contains("Version 4") && list.contains("back to version 1"),
        "{list}"
    );
    let told = events(&site, &id);
    assert_eq!(told[3]["event"], "TorrentEdited");
    assert_eq!(told[3]["meta"]["causation"], told[0]["position"]);
    assert_eq!(
        told[3]["payload"]["TorrentEdited"]["category"],
        told[0]["payload"]["TorrentUploaded"]["category"]
    );
    for earlier in &told[..3] {
        assert_eq!(earlier["meta"]["causation"], Value::Null);
    }
    let noted = site.run(&["--json", "audit", "log", "--event", "HistoryRead"]);
    let noted = String::from_utf8(noted.stdout).unwrap();
    let by_pages = noted.lines().filter(|line| line.contains("\"member\""));
    assert_eq!(by_pages.count(), 0, "who reads their own isn't noted");
    admin.page(&versions).await;
    let noted = site.run(&["--json", "audit", "log", "--event", "HistoryRead"]);
    let noted = String::from_utf8(noted.stdout).unwrap();
    assert!(
        noted
            .lines()
            .any(|line| line.contains("\"member\"") && line.contains(&id))
    );
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn a_restoration_names_the_withdrawal_that_it_undoes_and_the_timeline_leads_there() {
    let (site, admin, member, id) = with_a_torrent().await;
    for path in ["withdraw", "restore", "withdraw", "restore"] {
        let path = format!("/torrents/{id}/{path}");
        assert_eq!(member.post_form(&path, &[]).await.status(), 303);
    }
    let told = events(&site, &id);
    assert_eq!(told[2]["meta"]["causation"], told[1]["position"]);
    assert_eq!(told[4]["meta"]["causation"], told[3]["position"]);
    let cause = &told[3]["position"];
    let after = cause.as_i64().unwrap() + 1;
    let link = format!("href=\"/audit?before={after}#event-{cause}\"");
    for page in ["/audit".to_owned(), format!("/audit/torrent-{id}")] {
        let page = admin.page(&page).await;
        assert!(page.contains(&link), "{page}");
    }
    let there = admin.page(&format!("/audit?before={after}")).await;
    assert!(there.contains(&format!("id=\"event-{cause}\"")));
    let lines = site.run(&["audit", "log", "--stream", &format!("torrent-{id}")]);
    let lines = String::from_utf8(lines.stdout).unwrap();
    assert!(lines.contains(&format!("because of {cause}")), "{lines}");
}

#[tokio::test]
async fn the_staff_look_from_a_torrent_and_a_member_at_any_moment_and_members_do_not() {
    let (site, admin, member, id) = with_a_torrent().await;
    let registered = site.run_json(&[
        "--json",
        "audit",
        "log",
        "--event",
        "MemberRegistered",
        "--limit",
        "1",
    ]);
    let alice = registered["stream"].as_str().unwrap().to_owned();
    for (page, stream) in [
        (format!("/torrents/{id}"), format!("torrent-{id}")),
        ("/members/alice".to_owned(), alice),
    ] {
        let form = format!("action=\"/audit/{stream}\"");
        let shown = admin.page(&page).await;
        assert!(shown.contains(&form) && shown.contains("type=\"datetime-local\""));
        assert!(!member.page(&page).await.contains(&form));
        let long_ago = format!("/audit/{stream}?at=2001-02-03T04:05");
        let long_ago = admin.page(&long_ago).await;
        assert!(long_ago.contains("Nothing had happened to it by then"));
        let today = admin
            .page(&format!("/audit/{stream}?at=2901-02-03T04:05"))
            .await;
        assert!(!today.contains("Nothing had happened") && !today.contains("\"changed\""));
    }
}
