//! Categories and tags: made, changed and retired by administrators, and chosen by uploaders.

use tests::{Client, Options, Site, make};

use crate::rebuild::rebuilt_rows_are_the_same;

const PASSWORD: &str = "correct horse battery";

async fn site_with_admin() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    (site, admin)
}

fn file(seed: u8) -> Vec<u8> {
    let payload = make::payload(seed, 9_000);
    make::torrent(&format!("file {seed}"), &payload, Some("OpenTracker"))
}

async fn send(client: &Client, path: &str, fields: &[(&str, &str)]) -> u16 {
    client.post_form(path, fields).await.status().as_u16()
}

/// The id in the link to what is called so.
fn id_of(page: &str, path: &str, name: &str) -> String {
    let rows = page.split("<li>").find(|row| row.contains(name)).unwrap();
    let link = rows.split(&format!("href=\"{path}/")).nth(1).unwrap();
    link.split('"').next().unwrap().to_owned()
}

async fn make_tag(admin: &Client, name: &str) -> String {
    let fields = [("name", name), ("colour", "teal"), ("order", "1")];
    assert_eq!(send(admin, "/staff/tags", &fields).await, 303);
    id_of(&admin.page("/staff/tags").await, "/staff/tags", name)
}

#[tokio::test]
async fn torrents_are_marked_with_tags_at_the_upload_and_by_edits_and_found_by_them() {
    let (site, admin) = site_with_admin().await;
    let remux = make_tag(&admin, "Remux").await;
    let classic = make_tag(&admin, "Classic").await;
    assert!(admin.page("/upload").await.contains("Remux"));
    let marked = admin.uploaded_with_tags(file(1), &[&remux]).await;
    let plain = admin.uploaded(file(2), "other", "").await;
    let found = admin.page(&format!("/torrents?tag={remux}")).await;
    assert!(found.contains(&marked) && !found.contains(&plain));
    let page = admin.page(&format!("/torrents/{marked}")).await;
    assert!(page.contains("class=\"tag teal\"") && page.contains(">Remux</a>"));
    let kept = format!("tag-{classic}");
    let fields = [
        ("category", "other"),
        ("description", ""),
        (kept.as_str(), "yes"),
    ];
    let edit = format!("/torrents/{marked}/edit");
    assert_eq!(send(&admin, &edit, &fields).await, 303);
    let by_old = admin.page(&format!("/torrents?tag={remux}")).await;
    assert!(!by_old.contains(&marked));
    let by_new = admin.page(&format!("/torrents?tag={classic}")).await;
    assert!(by_new.contains(&marked));
    let versions = admin.page(&format!("/torrents/{marked}/versions")).await;
    assert!(versions.contains("the tags"), "{versions}");
    let one = admin.page(&format!("/torrents/{marked}/versions/1")).await;
    assert!(one.contains("<del>Remux</del>") && one.contains("<ins>Classic</ins>"));
    let retire = format!("/staff/tags/{remux}/retire");
    assert_eq!(send(&admin, &retire, &[]).await, 303);
    let back = format!("/torrents/{marked}/versions/1");
    assert_eq!(send(&admin, &back, &[]).await, 303, "though it is retired");
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn a_retired_tag_marks_nothing_new_and_stays_where_it_is() {
    let (site, admin) = site_with_admin().await;
    let old = make_tag(&admin, "Old").await;
    let marked = admin.uploaded_with_tags(file(1), &[&old]).await;
    let taken = [("name", "oLD"), ("colour", "red"), ("order", "2")];
    assert_eq!(send(&admin, "/staff/tags", &taken).await, 422);
    assert_eq!(
        send(&admin, &format!("/staff/tags/{old}/retire"), &[]).await,
        303
    );
    assert!(!admin.page("/upload").await.contains(&old));
    assert_eq!(
        admin.upload_with_tags(file(2), &[&old]).await.status(),
        422,
        "it is retired"
    );
    let page = admin.page(&format!("/torrents/{marked}")).await;
    assert!(page.contains(">Old</a>"));
    let field = format!("tag-{old}");
    let kept = [
        ("category", "other"),
        ("description", "new"),
        (field.as_str(), "yes"),
    ];
    let edit = format!("/torrents/{marked}/edit");
    assert_eq!(send(&admin, &edit, &kept).await, 303, "it had it already");
    assert_eq!(send(&admin, "/staff/tags", &taken).await, 303, "it is free");
    let reopen = format!("/staff/tags/{old}/reopen");
    assert_eq!(send(&admin, &reopen, &[]).await, 422, "it is taken");
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn more_than_ten_tags_and_tags_that_arent_there_are_refused() {
    let (_site, admin) = site_with_admin().await;
    let mut tags = vec![];
    for number in 0..11 {
        tags.push(make_tag(&admin, &format!("tag number {number:02}")).await);
    }
    let all: Vec<&str> = tags.iter().map(String::as_str).collect();
    let answer = admin.upload_with_tags(file(1), &all).await;
    assert_eq!(answer.status(), 422);
    assert!(answer.text().await.unwrap().contains("at most 10 tags"));
    let nowhere = ["00000000-0000-4000-8000-000000000000"];
    assert_eq!(
        admin.upload_with_tags(file(1), &nowhere).await.status(),
        422
    );
    let ten = admin.uploaded_with_tags(file(1), &all[..10]).await;
    let page = admin.page(&format!("/torrents/{ten}")).await;
    assert_eq!(page.matches("class=\"tag teal\"").count(), 10);
}

#[tokio::test]
async fn a_description_is_previewed_without_script_and_nothing_is_uploaded() {
    let (_site, admin) = site_with_admin().await;
    let page = admin.upload_preview(file(1), "**bold** <script>alert(1)</script>");
    let page = page.await;
    assert!(page.contains("<strong>bold</strong>") && !page.contains("<script>alert"));
    assert!(
        admin
            .page("/torrents")
            .await
            .contains("No torrent was uploaded")
    );
    let id = admin.uploaded(file(1), "other", "old").await;
    let fields = [
        ("category", "other"),
        ("description", "*new*"),
        ("preview", "yes"),
    ];
    let path = format!("/torrents/{id}/edit");
    let answer = admin.post_form(&path, &fields).await;
    let answer = answer.text().await.unwrap();
    assert!(answer.contains("<em>new</em>"), "{answer}");
    assert!(!admin.page(&format!("/torrents/{id}")).await.contains("new"));
}

#[tokio::test]
async fn categories_have_two_levels_are_renamed_moved_and_ordered() {
    let (site, admin) = site_with_admin().await;
    let create = async |slug: &str, above: &str| {
        let name = format!("The {slug}");
        let fields = [
            ("name", name.as_str()),
            ("slug", slug),
            ("above", above),
            ("order", "40"),
        ];
        send(&admin, "/staff/categories", &fields).await
    };
    assert_eq!(create("comedy", "").await, 303);
    assert_eq!(create("stand-up", "comedy").await, 303);
    assert_eq!(create("stand-up", "").await, 422, "the slug is taken");
    assert_eq!(create("third", "stand-up").await, 422, "too deep");
    assert_eq!(create("No Slug", "").await, 422);
    let page = admin.page("/staff/categories").await;
    let below = id_of(&page, "/staff/categories", "The stand-up");
    let top = id_of(&page, "/staff/categories", "The comedy");
    let change = async |id: &str, name: &str, slug: &str, above: &str, order: &str| {
        let fields = [
            ("name", name),
            ("slug", slug),
            ("above", above),
            ("order", order),
        ];
        send(&admin, &format!("/staff/categories/{id}"), &fields).await
    };
    assert_eq!(change(&below, "Solo", "stand-up", "tv", "0").await, 303);
    assert_eq!(
        change(&top, "X", "comedy", "tv", "0").await,
        422,
        "a top stays"
    );
    assert_eq!(change(&below, "Solo", "other-slug", "tv", "0").await, 422);
    assert_eq!(change(&below, "Solo", "stand-up", "tv", "x").await, 422);
    let id = admin.uploaded(file(1), "stand-up", "").await;
    for found in ["category=tv", "category=stand-up"] {
        let page = admin.page(&format!("/torrents?{found}")).await;
        assert!(page.contains(&id), "{found}");
    }
    let page = admin.page("/torrents?category=comedy").await;
    assert!(!page.contains(&id));
    assert_eq!(change(&top, "First", "comedy", "", "0").await, 303);
    let page = admin.page("/staff/categories").await;
    assert!(page.find("First").unwrap() < page.find("Games").unwrap());
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn a_retired_category_takes_nothing_new_and_stays_readable() {
    let (site, admin) = site_with_admin().await;
    let id = admin.uploaded(file(1), "books-e", "").await;
    let page = admin.page("/staff/categories").await;
    let shelf = id_of(&page, "/staff/categories", "E-books");
    let retire = format!("/staff/categories/{shelf}/retire");
    assert!(
        admin
            .page(&retire)
            .await
            .contains("Nothing more is put into it")
    );
    assert_eq!(send(&admin, &retire, &[]).await, 303);
    assert_eq!(send(&admin, &retire, &[]).await, 422, "twice");
    let answer = admin.upload(file(2), "books-e", "").await;
    assert_eq!(answer.status(), 422);
    assert!(!admin.page("/upload").await.contains("value=\"books-e\""));
    let page = admin.page("/torrents?category=books-e").await;
    assert!(page.contains(&id));
    let fields = [("category", "books-e"), ("description", "new")];
    let edit = format!("/torrents/{id}/edit");
    assert_eq!(send(&admin, &edit, &fields).await, 303, "it stands there");
    let reopen = format!("/staff/categories/{shelf}/reopen");
    assert_eq!(send(&admin, &reopen, &[]).await, 303);
    let again = admin.uploaded(file(2), "books-e", "").await;
    assert!(
        admin
            .page("/torrents?category=books")
            .await
            .contains(&again)
    );
    rebuilt_rows_are_the_same(&site).await;
}
