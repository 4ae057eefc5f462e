//! A torrent's way in a real browser: uploaded with tags, approved, commented, bookmarked, followed.

use tests::browser::Eyes;
use tests::{Browser, Client, Options, Site, make};

use super::{PASSWORD, choose_theme, look};

async fn scene() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let registration = [("registration", "open")];
    admin.post_form("/staff/registration", &registration).await;
    for (name, colour) in [("Remux", "violet"), ("Subtitles", "green")] {
        let fields = [("name", name), ("colour", colour), ("order", "1")];
        let made = admin.post_form("/staff/tags", &fields).await;
        assert_eq!(made.status(), 303);
    }
    assert_eq!(site.client().register("alice", PASSWORD).await.0, 201);
    (site, admin)
}

#[tokio::test]
async fn an_upload_waits_is_approved_commented_bookmarked_and_followed() {
    let (mut site, _admin) = scene().await;
    for (width, dark, number) in [
        (1280, true, 1),
        (1280, false, 2),
        (360, true, 3),
        (360, false, 4),
    ] {
        journey(&site, Eyes { width, dark }, number).await;
    }
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}

async fn journey(site: &Site, eyes: Eyes, number: u8) {
    let uploader = Browser::open(&site.url(""), eyes).await;
    choose_theme(&uploader, eyes).await;
    uploader.sign_in("alice", PASSWORD).await;
    let torrent = upload(&uploader, site, eyes, number).await;
    let staff = Browser::open(&site.url(""), eyes).await;
    choose_theme(&staff, eyes).await;
    staff.sign_in("admin", PASSWORD).await;
    staff.go("/staff/queue").await;
    look(&staff, eyes, "queue").await;
    staff.press("a[href$='/review']").await;
    staff.fill("#reason", "Say where it comes from.").await;
    look(&staff, eyes, "review").await;
    staff.press("button[value=changes]").await;
    staff.arrive("/staff/queue").await;
    uploader.go(&torrent).await;
    uploader.find("form[action$='/submit'] button").await;
    look(&uploader, eyes, "changes-asked").await;
    uploader.go("/uploads").await;
    look(&uploader, eyes, "uploads").await;
    uploader.go(&torrent).await;
    uploader.press("form[action$='/submit'] button").await;
    staff.go("/staff/queue").await;
    staff.press("button[value=approve]").await;
    staff.find(".empty").await;
    look(&staff, eyes, "empty-queue").await;
    talk(&staff, eyes, &torrent).await;
    for (path, name) in [
        ("/bookmarks", "bookmarks"),
        ("/torrents?least=1&age=7", "filters"),
        ("/staff/tags", "tags"),
        ("/staff/categories", "categories"),
    ] {
        staff.go(path).await;
        look(&staff, eyes, name).await;
    }
    feeds(&staff, eyes, number == 1).await;
    staff.close().await;
    uploader.close().await;
}

/// Uploads with both tags, and gives the torrent's address.
async fn upload(browser: &Browser, site: &Site, eyes: Eyes, number: u8) -> String {
    let name = format!("Quiet.Film.{number}.2026.1080p");
    let path = site.data.join(format!("../{name}.torrent"));
    let payload = make::payload(number, 30_000);
    std::fs::write(&path, make::torrent(&name, &payload, Some("OpenTracker"))).unwrap();
    browser.go("/upload").await;
    let path = path.canonicalize().unwrap();
    browser.fill("#torrent", path.to_str().unwrap()).await;
    let category = browser.find("#category").await;
    category.select_by_value("movies-hd").await.unwrap();
    for place in [1, 2] {
        let label = format!(".picker .tag:nth-of-type({place}) label");
        browser.press(&label).await;
    }
    browser.fill("#description", "A *quiet* one.").await;
    browser.press("[data-preview-button]").await;
    browser.find("[data-preview-region] em").await;
    look(browser, eyes, "upload-with-tags").await;
    browser.press("form[data-upload] button[type=submit]").await;
    browser.find(".torrent-name").await;
    look(browser, eyes, "waiting").await;
    browser.path().await
}

async fn talk(browser: &Browser, eyes: Eyes, torrent: &str) {
    browser.go(torrent).await;
    browser
        .fill("#text", "Thanks, @alice!\n\n- it **seeds**")
        .await;
    browser.press("#comments button[value=preview]").await;
    browser.find(".preview strong").await;
    look(browser, eyes, "comment-preview").await;
    browser.press("main button.primary").await;
    browser.find("article.post strong").await;
    browser.press("article.post a[href$='/edit']").await;
    browser.fill("#text", "\n\nAnd well.").await;
    browser.press("main button.primary").await;
    browser.press("article.post a[href$='/history']").await;
    browser.find("ins").await;
    look(browser, eyes, "comment-history").await;
    browser.go(torrent).await;
    browser.press("button[value=set]").await;
    browser.find("button[value=clear]").await;
    look(browser, eyes, "commented").await;
    browser.press("article.post a[href$='/remove']").await;
    look(browser, eyes, "comment-remove").await;
}

async fn feeds(browser: &Browser, eyes: Eyes, first: bool) {
    browser.go("/settings/feeds?q=film").await;
    if first {
        look(browser, eyes, "no-feed-key").await;
        browser.press("main button.primary").await;
    }
    browser.go("/settings/feeds?q=film").await;
    browser.find("main .copy code").await;
    look(browser, eyes, "feeds").await;
}

#[tokio::test]
async fn tags_preview_comments_and_bookmarks_work_with_script_off() {
    let (site, _admin) = scene().await;
    let browser = Browser::open(&site.url(""), Eyes::default()).await;
    browser.sign_in("admin", PASSWORD).await;
    browser.switch_script_off().await;
    browser.go("/upload").await;
    browser.press(".picker label").await;
    browser.fill("#description", "no *script*").await;
    browser.press("[data-preview-button]").await;
    browser.find("[data-preview-region] em").await;
    assert!(browser.has(".picker input:checked").await);
    let file = site.data.join("../quiet.torrent");
    let payload = make::payload(9, 9_000);
    std::fs::write(&file, make::torrent("quiet", &payload, Some("OpenTracker"))).unwrap();
    let path = file.canonicalize().unwrap();
    browser.fill("#torrent", path.to_str().unwrap()).await;
    let category = browser.find("#category").await;
    category.select_by_value("movies").await.unwrap();
    browser.press("form[data-upload] button[type=submit]").await;
    browser.find(".torrent-name").await;
    browser.fill("#text", "no *script* either").await;
    browser.press("#comments button.primary").await;
    browser.find("article.post em").await;
    browser.press("button[value=set]").await;
    browser.find("button[value=clear]").await;
    browser.go("/bookmarks").await;
    browser.find("td.name a").await;
    browser.close().await;
}
