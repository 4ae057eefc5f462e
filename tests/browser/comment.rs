//! Comments below a torrent in a real browser: in dark and light, wide and narrow, and with script off.

use tests::browser::Eyes;
use tests::{Browser, Options, Site, make};

use super::{PASSWORD, choose_theme, look};

/// The latest comment.
const LATEST: &str = "#comments article.post:first-of-type";

/// A site with a member who has a role of its own, and the address of a torrent.
async fn scene() -> (Site, String) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    assert_eq!(site.client().register("alice", PASSWORD).await.0, 201);
    let file = make::torrent("file", &make::payload(1, 30_000), Some("OpenTracker"));
    let id = admin.uploaded(file, "other", "It *moves*.").await;
    let role = [("name", "Forum guides"), ("colour", "violet")];
    admin.post_form("/staff/roles", &role).await;
    let page = admin.page("/members/alice").await;
    let role = page.split("id=\"own-role\"").nth(1).unwrap();
    let role = role.split("value=\"").nth(1).unwrap();
    let role = role.split('"').next().unwrap();
    let given = [("act", "grant"), ("role", role)];
    admin.post_form("/members/alice/roles", &given).await;
    (site, format!("/torrents/{id}"))
}

#[tokio::test]
async fn a_comment_is_written_edited_and_removed() {
    let (mut site, torrent) = scene().await;
    for width in [1280, 360] {
        for dark in [true, false] {
            journey(&site, Eyes { width, dark }, &torrent).await;
        }
    }
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}

async fn journey(site: &Site, eyes: Eyes, torrent: &str) {
    let browser = Browser::open(&site.url(""), eyes).await;
    choose_theme(&browser, eyes).await;
    browser.sign_in("alice", PASSWORD).await;
    browser.go(torrent).await;
    browser
        .fill(
            "#text",
            "Thank you, @admin: it is **whole**.\n\n- one\n- two",
        )
        .await;
    browser.press("#comments button[value=preview]").await;
    browser.find(".preview strong").await;
    look(&browser, eyes, "comment-preview").await;
    browser.press("main button.primary").await;
    browser.find(&format!("{LATEST}:not(.gone) strong")).await;
    browser.find(&format!("{LATEST} .who .tag.violet")).await;
    look(&browser, eyes, "comments").await;
    browser.press(&format!("{LATEST} a[href$='/edit']")).await;
    browser.find("section.narrow textarea").await;
    browser.fill("#text", "\n\nNow it is *right*.").await;
    look(&browser, eyes, "comment-edit").await;
    browser.press("main button.primary").await;
    browser.find(&format!("{LATEST} em")).await;
    browser
        .press(&format!("{LATEST} a[href$='/history']"))
        .await;
    browser.find("ins").await;
    look(&browser, eyes, "comment-history").await;
    browser.go(torrent).await;
    browser.press(&format!("{LATEST} a[href$='/remove']")).await;
    browser.find("main button.danger").await;
    look(&browser, eyes, "comment-remove").await;
    browser.press("main button.danger").await;
    browser
        .find(&format!("{LATEST}.gone form[action$='/restore']"))
        .await;
    look(&browser, eyes, "comment-removed").await;
    browser.close().await;
}

#[tokio::test]
async fn comments_work_with_script_off() {
    let (site, torrent) = scene().await;
    let browser = Browser::open(&site.url(""), Eyes::default()).await;
    browser.sign_in("alice", PASSWORD).await;
    browser.switch_script_off().await;
    browser.go(&torrent).await;
    browser.fill("#text", "no *script*").await;
    browser.press("#comments button.primary").await;
    browser.press(&format!("{LATEST} a[href$='/remove']")).await;
    browser.press("main button.danger").await;
    browser
        .press(&format!("{LATEST}.gone form[action$='/restore'] button"))
        .await;
    browser.find(&format!("{LATEST}:not(.gone) em")).await;
    browser.close().await;
}
