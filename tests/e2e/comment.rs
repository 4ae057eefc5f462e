//! Comments below torrents, and bookmarks.

use reqwest::header::LOCATION;
use tests::{Client, Options, Site, make};

use crate::rebuild::rebuilt_rows_are_the_same;

const PASSWORD: &str = "correct horse battery";

/// A site with its administrator, two members, and a torrent that everybody may have.
async fn scene() -> (Site, [Client; 3], String) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    let mut members = vec![];
    for name in ["alice", "bertha"] {
        let member = site.client();
        assert_eq!(member.register(name, PASSWORD).await.0, 201);
        members.push(member);
    }
    let id = admin.uploaded(file(1), "other", "").await;
    let [alice, bertha] = members.try_into().unwrap();
    (site, [admin, alice, bertha], id)
}

fn file(seed: u8) -> Vec<u8> {
    let payload = make::payload(seed, 9_000);
    make::torrent(&format!("file {seed}"), &payload, Some("OpenTracker"))
}

async fn send(client: &Client, path: &str, fields: &[(&str, &str)]) -> u16 {
    client.post_form(path, fields).await.status().as_u16()
}

async fn status(client: &Client, path: &str) -> u16 {
    client.get(path).await.status().as_u16()
}

/// Writes a comment and gives its id.
async fn comment(client: &Client, torrent: &str, text: &str) -> String {
    let path = format!("/torrents/{torrent}/comments");
    let answer = client.post_form(&path, &[("text", text)]).await;
    assert_eq!(answer.status(), 303);
    let location = answer.headers()[LOCATION].to_str().unwrap();
    location.trim_start_matches("/comments/").to_owned()
}

#[tokio::test]
async fn a_comment_is_written_edited_removed_and_restored_by_who_may() {
    let (site, [admin, alice, bertha], torrent) = scene().await;
    let id = comment(&alice, &torrent, "**thanks** <script>alert(1)</script>").await;
    let page_of = format!("/torrents/{torrent}");
    let page = bertha.page(&page_of).await;
    assert!(page.contains("<strong>thanks</strong>") && !page.contains("<script>alert"));
    let [edit, remove, restore, history] =
        ["edit", "remove", "restore", "history"].map(|act| format!("/comments/{id}/{act}"));
    for path in [&edit, &remove, &history] {
        assert_eq!(status(&bertha, path).await, 403, "{path}");
    }
    assert_eq!(send(&bertha, &edit, &[("text", "no")]).await, 403);
    assert_eq!(send(&bertha, &remove, &[]).await, 403);
    assert_eq!(send(&alice, &edit, &[("text", "  ")]).await, 422);
    assert_eq!(send(&alice, &edit, &[("text", "much better")]).await, 303);
    let page = bertha.page(&page_of).await;
    assert!(page.contains("much better") && page.contains("edited"));
    let told = admin.page(&history).await;
    assert!(told.contains("thanks") && told.contains("better"), "{told}");
    assert_eq!(send(&admin, &remove, &[]).await, 303);
    let page = bertha.page(&page_of).await;
    assert!(page.contains("removed by the staff") && !page.contains("much better"));
    assert!(
        alice.page(&page_of).await.contains("much better"),
        "her own"
    );
    assert_eq!(send(&alice, &restore, &[]).await, 422, "the staff did");
    assert_eq!(send(&admin, &restore, &[]).await, 303);
    assert!(bertha.page(&page_of).await.contains("much better"));
    assert_eq!(send(&alice, &remove, &[]).await, 303);
    assert_eq!(send(&alice, &edit, &[("text", "x")]).await, 422);
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn a_comment_has_a_text_that_isnt_too_long_and_is_previewed_first() {
    let (_site, [_, alice, _], torrent) = scene().await;
    let path = format!("/torrents/{torrent}/comments");
    let longest = "é".repeat(5_000);
    assert_eq!(send(&alice, &path, &[("text", &longest)]).await, 303);
    for wrong in ["", " \n ", &"é".repeat(5_001)] {
        let answer = alice.post_form(&path, &[("text", wrong)]).await;
        assert_eq!(answer.status(), 422);
        assert!(answer.text().await.unwrap().contains("1 to 5,000"));
    }
    let preview = [("text", "*soon*"), ("act", "preview")];
    let answer = alice.post_form(&path, &preview).await;
    assert!(answer.text().await.unwrap().contains("<em>soon</em>"));
    let page = alice.page(&format!("/torrents/{torrent}")).await;
    assert!(!page.contains("soon"));
    assert_eq!(page.matches("<article").count(), 1);
}

#[tokio::test]
async fn a_form_that_is_sent_twice_is_one_comment() {
    let (_site, [_, alice, _], torrent) = scene().await;
    let path = format!("/torrents/{torrent}/comments");
    let fields = [("text", "once"), ("nonce", "0123456789")];
    let (one, other) = tokio::join!(
        alice.post_form(&path, &fields),
        alice.post_form(&path, &fields)
    );
    assert_eq!(one.headers()[LOCATION], other.headers()[LOCATION]);
    let page = alice.page(&format!("/torrents/{torrent}")).await;
    assert_eq!(page.matches("<article").count(), 1);
    let next = [("text", "once"), ("nonce", "9876543210")];
    assert_eq!(send(&alice, &path, &next).await, 303);
    let page = alice.page(&format!("/torrents/{torrent}")).await;
    assert_eq!(page.matches("<article").count(), 2);
}

#[tokio::test]
async fn comments_stand_in_pages_and_each_has_an_address() {
    let (_site, [_, alice, _], torrent) = scene().await;
    let mut ids = vec![];
    for number in 0..30 {
        ids.push(comment(&alice, &torrent, &format!("comment {number:02}")).await);
    }
    let first = alice.page(&format!("/torrents/{torrent}")).await;
    let next = first.split("rel=\"next\" href=\"").nth(1).unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    let second = alice.page(next.split('#').next().unwrap()).await;
    for (number, id) in ids.iter().enumerate() {
        let own = format!("id=\"comment-{id}\"");
        assert_eq!(first.contains(&own), number >= 5, "{number}");
        assert_eq!(second.contains(&own), number < 5, "{number}");
        let answer = alice.get(&format!("/comments/{id}")).await;
        let leads = answer.headers()[LOCATION].to_str().unwrap().to_owned();
        assert!(leads.ends_with(&format!("#comment-{id}")), "{leads}");
        let page = alice.page(leads.split('#').next().unwrap()).await;
        assert!(page.contains(&own), "{number}: {leads}");
    }
}

#[tokio::test]
async fn nobody_comments_on_or_bookmarks_what_they_dont_see() {
    let (site, [admin, alice, bertha], _) = scene().await;
    let waiting = alice.uploaded(file(2), "other", "").await;
    let comments = format!("/torrents/{waiting}/comments");
    let bookmark = format!("/torrents/{waiting}/bookmark");
    assert_eq!(send(&bertha, &comments, &[("text", "hm")]).await, 404);
    assert_eq!(send(&bertha, &bookmark, &[("act", "set")]).await, 404);
    let id = comment(&admin, &waiting, "name the source").await;
    assert!(
        alice
            .page(&format!("/torrents/{waiting}"))
            .await
            .contains("name the source")
    );
    for path in ["", "/edit", "/history", "/remove"] {
        assert_eq!(status(&bertha, &format!("/comments/{id}{path}")).await, 404);
    }
    let approve = format!("/torrents/{waiting}/review");
    assert_eq!(send(&admin, &approve, &[("verdict", "approve")]).await, 303);
    assert_eq!(send(&bertha, &bookmark, &[("act", "set")]).await, 303);
    let withdraw = format!("/torrents/{waiting}/withdraw");
    assert_eq!(send(&admin, &withdraw, &[]).await, 303);
    assert!(!bertha.page("/bookmarks").await.contains(&waiting));
    assert_eq!(send(&admin, &comments, &[("text", "late")]).await, 404);
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn bookmarks_are_a_members_own_and_in_pages() {
    let (site, [admin, alice, bertha], torrent) = scene().await;
    assert!(
        alice
            .page("/bookmarks")
            .await
            .contains("You bookmarked nothing yet")
    );
    let path = format!("/torrents/{torrent}/bookmark");
    for _ in 0..2 {
        assert_eq!(send(&alice, &path, &[("act", "set")]).await, 303);
    }
    assert!(alice.page("/bookmarks").await.contains(&torrent));
    assert!(!bertha.page("/bookmarks").await.contains(&torrent));
    let page = alice.page(&format!("/torrents/{torrent}")).await;
    assert!(page.contains("Clear the bookmark"));
    let mut ids = vec![torrent.clone()];
    for seed in 2..53 {
        let id = admin.uploaded(file(seed), "other", "").await;
        let path = format!("/torrents/{id}/bookmark");
        assert_eq!(send(&alice, &path, &[("act", "set")]).await, 303);
        ids.push(id);
    }
    let first = alice.page("/bookmarks?sort=name&dir=asc").await;
    let next = first.split("rel=\"next\" href=\"").nth(1).unwrap();
    let next = next.split('"').next().unwrap().replace("&amp;", "&");
    let both = format!("{first}{}", alice.page(&next).await);
    for id in &ids {
        let row = format!("<a href=\"/torrents/{id}\">");
        assert_eq!(both.matches(&row).count(), 1, "{id}");
    }
    assert_eq!(send(&alice, &path, &[("act", "clear")]).await, 303);
    assert_eq!(send(&alice, &path, &[("act", "eat")]).await, 400);
    let list = alice.page("/bookmarks?sort=added&dir=asc").await;
    assert!(!list.contains(&torrent));
    rebuilt_rows_are_the_same(&site).await;
}
