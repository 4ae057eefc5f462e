//! Reports and notifications in a real browser: in dark and light, wide and narrow, and with script off.

use fantoccini::Locator;
use tests::browser::Eyes;
use tests::{Browser, Client, Options, Site};

use super::{PASSWORD, choose_theme, look};

/// A site with its administrator, and a member who wrote a topic.
async fn scene() -> (Site, Client, String) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let registration = [("registration", "open")];
    admin.post_form("/staff/registration", &registration).await;
    for name in ["alice", "bertha"] {
        assert_eq!(site.client().register(name, PASSWORD).await.0, 201);
    }
    let bertha = site.client();
    assert_eq!(bertha.sign_in("bertha", PASSWORD).await.0, 200);
    let fields = [
        ("title", "Offers"),
        ("text", "Buy, @alice and @admin, now."),
    ];
    let opened = bertha.post_form("/forum/general/new", &fields).await;
    let topic = opened.headers()["location"].to_str().unwrap().to_owned();
    (site, bertha, topic)
}

#[tokio::test]
async fn a_post_is_reported_handled_and_its_reporter_told() {
    let (mut site, bertha, topic) = scene().await;
    for width in [1280, 360] {
        for dark in [true, false] {
            let text = [("text", "And once more for @alice.")];
            bertha.post_form(&format!("{topic}/reply"), &text).await;
            journey(&site, Eyes { width, dark }, &topic).await;
        }
    }
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}

/// Waits till a page says something.
async fn said(browser: &Browser, words: &str) {
    let wait = std::time::Duration::from_secs(10);
    tests::until(words, wait, || async {
        let text = browser.run("return document.body.innerText").await;
        text.as_str().unwrap().contains(words).then_some(())
    })
    .await;
}

async fn journey(site: &Site, eyes: Eyes, topic: &str) {
    let alice = Browser::open(&site.url(""), eyes).await;
    choose_theme(&alice, eyes).await;
    alice.sign_in("alice", PASSWORD).await;
    alice.go("/notifications").await;
    look(&alice, eyes, "notifications").await;
    let named = Locator::XPath("//main//li//a[contains(., 'mentioned you')]");
    alice.page.find(named).await.unwrap().click().await.unwrap();
    alice.find("article.post").await;
    alice.go(topic).await;
    look(&alice, eyes, "report-button").await;
    alice
        .press("article.post:last-of-type a[href^='/report/post/']")
        .await;
    alice.press("#reason option[value=spam]").await;
    alice
        .fill(
            "#text",
            "This is nothing but an advertisement, and not the first one.",
        )
        .await;
    look(&alice, eyes, "report").await;
    alice.press("main button.primary").await;
    alice.find("main dl.facts").await;
    let own = alice.path().await;
    look(&alice, eyes, "report-own").await;
    let staff = Browser::open(&site.url(""), eyes).await;
    choose_theme(&staff, eyes).await;
    staff.sign_in("admin", PASSWORD).await;
    staff.go("/staff/reports").await;
    look(&staff, eyes, "reports").await;
    staff.go(&format!("/staff{own}")).await;
    staff.press("button[value=take]").await;
    said(&staff, "admin looks after it").await;
    staff.fill("#note", "The third time this month.").await;
    staff.press("button[value=note]").await;
    staff.find("ul.hits li").await;
    staff.fill("#word", "Thank you. The post is gone.").await;
    look(&staff, eyes, "reports-one").await;
    staff.press("button[value=resolve]").await;
    said(&staff, "Closed by admin").await;
    look(&staff, eyes, "reports-closed").await;
    alice.go("/notifications").await;
    alice.press(".notifications li:first-child a").await;
    alice.arrive(&own).await;
    look(&alice, eyes, "report-closed").await;
    alice.go("/reports").await;
    look(&alice, eyes, "report-list").await;
    alice.close().await;
    staff.close().await;
}

#[tokio::test]
async fn reports_and_notifications_work_with_script_off() {
    let (site, _, topic) = scene().await;
    let browser = Browser::open(&site.url(""), Eyes::default()).await;
    browser.sign_in("alice", PASSWORD).await;
    browser.switch_script_off().await;
    browser.go("/").await;
    browser.press("a.bell").await;
    browser
        .press("form[action='/notifications/read'] button")
        .await;
    browser.find("main ul.notifications").await;
    assert!(!browser.has(".bell .badge").await);
    browser.go(&topic).await;
    browser.press("a[href^='/report/post/']").await;
    browser.press("#reason option[value=spam]").await;
    browser.fill("#text", "Nothing but an advertisement.").await;
    browser.press("main button.primary").await;
    browser.find("main dl.facts").await;
    browser.close().await;
}
