//! What there is and what was new, for members; and what waits, for administrators.

use domain::api_key::Scope;
use tests::{Client, Options, Site, make};

use crate::rebuild::rebuilt_rows_are_the_same;
use crate::v1::Script;

const PASSWORD: &str = "correct horse battery";

async fn scene() -> (Site, Client, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let alice = site.client();
    assert_eq!(alice.register("alice", PASSWORD).await.0, 201);
    let file = make::torrent("file", &make::payload(1, 9_000), Some("OpenTracker"));
    alice.uploaded(file, "other", "").await;
    let topic = [("title", "A topic"), ("text", "words")];
    alice.post_form("/forum/general/new", &topic).await;
    (site, admin, alice)
}

/// What a page says of something that is counted in all.
fn counted(page: &str, name: &str) -> String {
    let rest = page.split(&format!("<dt>{name}</dt>")).nth(1).unwrap();
    let rest = rest.split('>').nth(1).unwrap();
    rest.split('<').next().unwrap().to_owned()
}

#[tokio::test]
async fn members_see_what_there_is_in_every_range_and_in_a_table() {
    let (site, _, alice) = scene().await;
    let page = alice.page("/statistics").await;
    for (name, count) in [
        ("Members", "2"),
        ("Torrents added", "1"),
        ("Posts", "1"),
        ("Seeders now", "0"),
    ] {
        assert_eq!(counted(&page, name), count, "{name}");
    }
    for (range, steps) in [
        ("hour", 48),
        ("day", 31),
        ("week", 26),
        ("month", 12),
        ("year", 366),
        ("<b>", 31),
    ] {
        let page = alice.page(&format!("/statistics?range={range}")).await;
        let table = page.split("<tbody>").nth(1).unwrap();
        assert_eq!(table.matches("<tr>").count(), steps, "{range}");
        assert!(
            page.contains("Members, the last") && page.contains(": 2 in all"),
            "{range}"
        );
        // Of seven charts three have a bar.
        assert_eq!(page.matches("<rect").count(), 3, "{range}");
        assert!(!page.contains("style=") && !page.contains("<b>\""));
    }
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn administrators_see_what_waits_first_and_members_dont() {
    let (_site, admin, alice) = scene().await;
    let page = admin.page("/staff?range=hour").await;
    let waits = page.split("Uploads that wait").nth(1).unwrap();
    assert!(
        waits.split("</div>").next().unwrap().contains(">1<"),
        "{waits}"
    );
    assert!(page.contains("all living") && page.contains("by the hour"));
    for (name, unit) in [("The log takes", "B"), ("Read tables take", "B")] {
        let taken = page.split(&format!("<dt>{name}</dt>")).nth(1).unwrap();
        let taken = taken.split("</div>").next().unwrap();
        assert!(taken.contains(unit) && !taken.contains(">0 B"), "{taken}");
    }
    assert_eq!(alice.get("/staff").await.status(), 403);
}

#[tokio::test]
async fn scripts_read_the_same_by_their_keys() {
    let (site, _, alice) = scene().await;
    let script = Script::of(&site, &alice, &[Scope::Read]).await;
    let (status, told) = script.get("/statistics?range=month").await;
    assert_eq!(status, 200, "{told}");
    let steps = told["steps"].as_array().unwrap();
    assert_eq!((steps.len(), &told["totals"]["members"]), (12, &2.into()));
    assert_eq!(steps.last().unwrap()["torrents"], 1);
    assert_eq!(script.get("/statistics?range=century").await.0, 400);
    assert!(told["database"].is_null(), "{told}");
}

#[tokio::test]
async fn administrators_alone_are_told_how_much_room_the_database_takes() {
    let (site, admin, _) = scene().await;
    for (scopes, told) in [
        (&[Scope::Read][..], false),
        (&[Scope::Read, Scope::Administer][..], true),
    ] {
        let script = Script::of(&site, &admin, scopes).await;
        let (status, statistics) = script.get("/statistics").await;
        assert_eq!(status, 200, "{statistics}");
        let taken = |part: &str| statistics["database"][part].as_u64().unwrap_or(0);
        assert_eq!(taken("log") > 100_000, told, "{statistics}");
        assert_eq!(taken("read") > 100_000, told, "{statistics}");
    }
}
