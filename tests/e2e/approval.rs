//! What members upload waits for the staff, and nobody else sees it till then.

use reqwest::StatusCode;
use tests::{Client, Options, Site, make};

use crate::rebuild::rebuilt_rows_are_the_same;

const PASSWORD: &str = "correct horse battery";

async fn joined(site: &Site, name: &str) -> Client {
    let member = site.client();
    assert_eq!(member.register(name, PASSWORD).await.0, 201);
    member
}

/// A site with its administrator, an uploader whose torrent waits, and another member.
async fn with_one_that_waits() -> (Site, [Client; 3], String) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    let uploader = joined(&site, "alice").await;
    let other = joined(&site, "bertha").await;
    let id = uploader.uploaded(file(), "other", "a first draft").await;
    (site, [admin, uploader, other], id)
}

fn file() -> Vec<u8> {
    make::torrent("quiet", &make::payload(6, 20_000), Some("OpenTracker"))
}

async fn status(client: &Client, path: &str) -> u16 {
    client.get(path).await.status().as_u16()
}

async fn decide(staff: &Client, id: &str, verdict: &str, reason: &str) -> StatusCode {
    let fields = [("verdict", verdict), ("reason", reason)];
    let path = format!("/torrents/{id}/review");
    staff.post_form(&path, &fields).await.status()
}

/// Whether each page that could tell of the torrent tells of it.
async fn is_told_of(client: &Client, id: &str) -> Vec<bool> {
    let mut told = vec![];
    for page in ["/", "/torrents", "/torrents?q=quiet", "/members/alice"] {
        told.push(client.page(page).await.contains(id));
    }
    for path in ["", "/download"] {
        let path = format!("/torrents/{id}{path}");
        told.push(status(client, &path).await == 200);
    }
    told
}

#[tokio::test]
async fn an_upload_is_seen_by_its_uploader_and_the_staff_alone_till_it_is_approved() {
    let (site, [admin, uploader, other], id) = with_one_that_waits().await;
    assert_eq!(is_told_of(&uploader, &id).await, [true; 6]);
    assert_eq!(is_told_of(&admin, &id).await, [true; 6]);
    assert_eq!(is_told_of(&other, &id).await, [false; 6]);
    for (client, uploads) in [(&uploader, 1), (&admin, 1), (&other, 0)] {
        let count = format!("<dt>Uploads</dt><dd class=\"num\">{uploads}</dd>");
        assert!(client.page("/members/alice").await.contains(&count));
    }
    for part in ["/edit", "/versions", "/versions/1", "/withdraw"] {
        let path = format!("/torrents/{id}{part}");
        assert_eq!(status(&other, &path).await, 404, "{part}");
    }
    let again = other.upload(file(), "other", "").await;
    assert_eq!(again.status(), StatusCode::CONFLICT);
    assert!(
        !again.text().await.unwrap().contains(&id),
        "not even by its hash"
    );
    assert!(
        uploader
            .page("/uploads")
            .await
            .contains("waits for approval")
    );
    assert_eq!(status(&uploader, "/staff/queue").await, 403);
    assert_eq!(decide(&uploader, &id, "approve", "").await, 403);
    assert!(admin.page("/staff/queue").await.contains(&id));
    assert_eq!(
        decide(&admin, &id, "approve", "").await,
        StatusCode::SEE_OTHER
    );
    assert_eq!(is_told_of(&other, &id).await, [true; 6]);
    assert!(!admin.page("/staff/queue").await.contains(&id));
    assert_eq!(decide(&admin, &id, "approve", "").await, 422, "twice");
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn changes_are_asked_for_made_and_looked_at_again() {
    let (site, [admin, uploader, other], id) = with_one_that_waits().await;
    assert_eq!(decide(&admin, &id, "changes", " ").await, 422, "no reason");
    assert_eq!(
        decide(&admin, &id, "changes", "Name <the> source").await,
        303
    );
    let page = uploader.page(&format!("/torrents/{id}")).await;
    assert!(page.contains("Name &lt;the&gt; source") && page.contains("Submit it again"));
    assert!(uploader.page("/uploads").await.contains("changes asked"));
    let fields = [("category", "other"), ("description", "from the source")];
    let edit = format!("/torrents/{id}/edit");
    assert_eq!(uploader.post_form(&edit, &fields).await.status(), 303);
    assert!(
        uploader
            .page("/uploads")
            .await
            .contains("waits for approval")
    );
    let submit = format!("/torrents/{id}/submit");
    assert_eq!(other.post_form(&submit, &[]).await.status(), 403);
    assert_eq!(uploader.post_form(&submit, &[]).await.status(), 422);
    decide(&admin, &id, "changes", "seed it").await;
    assert_eq!(uploader.post_form(&submit, &[]).await.status(), 303);
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn what_is_rejected_says_why_and_may_be_uploaded_again_or_looked_at_anew() {
    let (site, [admin, uploader, other], id) = with_one_that_waits().await;
    assert_eq!(decide(&admin, &id, "reject", "a fake").await, 303);
    assert!(uploader.page("/uploads").await.contains("a fake"));
    let page = uploader.page(&format!("/torrents/{id}")).await;
    assert!(
        page.contains("rejected") && page.contains("a fake"),
        "{page}"
    );
    for client in [&uploader, &admin] {
        assert_eq!(
            status(client, &format!("/torrents/{id}/download")).await,
            404
        );
        assert!(!client.page("/torrents").await.contains(&id));
    }
    let restore = format!("/torrents/{id}/restore");
    assert_eq!(uploader.post_form(&restore, &[]).await.status(), 422);
    let again = uploader.uploaded(file(), "other", "").await;
    assert_eq!(admin.post_form(&restore, &[]).await.status(), 409);
    assert_eq!(decide(&admin, &again, "reject", "again").await, 303);
    assert_eq!(admin.post_form(&restore, &[]).await.status(), 303);
    assert!(admin.page("/staff/queue").await.contains(&id));
    assert_eq!(decide(&admin, &id, "approve", "").await, 303);
    assert!(other.page("/torrents").await.contains(&id));
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn nothing_waits_of_the_staff_or_where_the_site_doesnt_ask_for_it() {
    let (_site, [admin, uploader, other], first) = with_one_that_waits().await;
    let file = |number| {
        make::torrent(
            "at once",
            &make::payload(number, 9_000),
            Some("OpenTracker"),
        )
    };
    assert!(
        uploader
            .page("/upload")
            .await
            .contains("waits for the staff")
    );
    assert!(!admin.page("/upload").await.contains("waits for the staff"));
    let of_staff = admin.uploaded(file(1), "other", "").await;
    admin.approve_nothing().await;
    let of_member = uploader.uploaded(file(2), "other", "").await;
    let list = other.page("/torrents").await;
    assert!(list.contains(&of_staff) && list.contains(&of_member));
    assert!(!list.contains(&first), "what waited waits");
}

#[tokio::test]
async fn the_queue_shows_the_longest_waiting_first_in_pages() {
    let (_site, [admin, uploader, _], first) = with_one_that_waits().await;
    let mut ids = vec![first];
    for number in 0..51_u8 {
        let name = format!("file {number}");
        let file = make::torrent(&name, &make::payload(number, 5_000), Some("OpenTracker"));
        ids.push(uploader.uploaded(file, "other", "").await);
    }
    let page = admin.page("/staff/queue").await;
    let next = page.split("rel=\"next\" href=\"").nth(1).unwrap();
    let second = admin.page(next.split('"').next().unwrap()).await;
    let both = format!("{page}{second}");
    let places: Vec<_> = ids
        .iter()
        .map(|id| both.find(&format!("<a href=\"/torrents/{id}\"")).expect(id))
        .collect();
    assert!(places.is_sorted());
}
