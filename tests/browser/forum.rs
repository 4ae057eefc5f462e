//! The forum in a real browser: in dark and light, wide and narrow, and with script off.

use tests::browser::Eyes;
use tests::{Browser, Options, Site};

use super::{PASSWORD, choose_theme, look};

#[tokio::test]
async fn a_topic_is_opened_answered_edited_and_removed() {
    let mut site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let registration = [("registration", "open")];
    admin.post_form("/staff/registration", &registration).await;
    assert_eq!(site.client().register("alice", PASSWORD).await.0, 201);
    for width in [1280, 360] {
        for dark in [true, false] {
            journey(&site, Eyes { width, dark }).await;
        }
    }
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}

async fn journey(site: &Site, eyes: Eyes) {
    let browser = Browser::open(&site.url(""), eyes).await;
    choose_theme(&browser, eyes).await;
    browser.sign_in("admin", PASSWORD).await;
    browser.go("/forum").await;
    look(&browser, eyes, "forum").await;
    browser.press("a[href='/forum/general']").await;
    browser.arrive("/forum/general").await;
    browser.press("main a.button.primary").await;
    browser.arrive("/forum/general/new").await;
    let name = format!(
        "Seen at {} px, {}",
        eyes.width,
        if eyes.dark { "dark" } else { "light" }
    );
    browser.fill("#title", &name).await;
    let text = "Some **words** for @alice.\n\n- one\n- two\n\n> a quote\n\n`code`";
    browser.fill("#text", text).await;
    browser.press("button[value=preview]").await;
    browser.find(".preview strong").await;
    look(&browser, eyes, "forum-preview").await;
    browser.press("main button.primary").await;
    browser.find("article.post a[href='/members/alice']").await;
    let topic = browser.path().await;
    browser.fill("#text", "An answer that is wrong.").await;
    browser.press(".answer button.primary").await;
    browser.find("article.post + article.post").await;
    edit_and_remove(&browser, eyes, &topic).await;
    for (path, name) in [
        ("/", "forum-home"),
        ("/forum", "forum-read"),
        ("/forum/general", "forum-section"),
        ("/forum/help", "forum-empty"),
        ("/forum/search?q=words", "forum-found"),
        ("/members/admin", "forum-profile"),
        ("/staff/sections", "forum-sections"),
    ] {
        browser.go(path).await;
        look(&browser, eyes, name).await;
    }
    browser.press("main ul.rows li:first-child a").await;
    browser.find("#staff_only").await;
    look(&browser, eyes, "forum-change").await;
    browser.close().await;
}

async fn edit_and_remove(browser: &Browser, eyes: Eyes, topic: &str) {
    browser
        .press("article.post + article.post a[href$='/edit']")
        .await;
    browser.fill("#text", "\n\nNow it is right.").await;
    look(browser, eyes, "forum-edit").await;
    browser.press("main button.primary").await;
    browser.press("article.post a[href$='/history']").await;
    browser.find("ins").await;
    look(browser, eyes, "forum-history").await;
    browser.go(topic).await;
    browser.press("article.post a[href*='quote=']").await;
    browser.find("textarea#text").await;
    look(browser, eyes, "forum-quote").await;
    browser.press("main button.primary").await;
    browser
        .find("article.post blockquote a[href*='/forum/posts/']")
        .await;
    browser
        .press("article.post:nth-of-type(2) a[href$='/remove']")
        .await;
    browser.fill("#reason", "beside the point").await;
    look(browser, eyes, "forum-remove").await;
    browser.press("main button.danger").await;
    browser.find("article.post.gone q").await;
    for act in ["pin", "lock"] {
        browser.press(&format!("button[value={act}]")).await;
        browser.find(&format!("button[value=un{act}]")).await;
    }
    look(browser, eyes, "forum-topic").await;
}

#[tokio::test]
async fn the_forum_works_with_script_off() {
    let site = Site::start(Options::default()).await;
    site.client().set_up("admin", PASSWORD).await;
    let browser = Browser::open(&site.url(""), Eyes::default()).await;
    browser.sign_in("admin", PASSWORD).await;
    browser.switch_script_off().await;
    browser.go("/forum/general/new").await;
    browser.fill("#title", "Quiet").await;
    browser.fill("#text", "no *script*").await;
    browser.press("button[value=preview]").await;
    browser.find(".preview em").await;
    browser.press("main button.primary").await;
    browser.find("article.post em").await;
    browser.fill("#text", "an answer").await;
    browser.press(".answer button.primary").await;
    browser.find("article.post + article.post").await;
    assert!(browser.path().await.starts_with("/forum/topics/"));
    browser.close().await;
}
