//! A security key: added, used to sign in and to come back, and removed.

use tests::browser::Eyes;
use tests::{Browser, Options, Site};

use crate::{PASSWORD, choose_theme, look};

const PAGE: &str = "/settings/security-keys";
const NEW: &str = "another staple entirely";

async fn adds_a_key(browser: &Browser, eyes: Eyes) -> String {
    browser.go("/settings").await;
    browser.press("a[href='/settings/security-keys']").await;
    look(browser, eyes, "security-keys-none").await;
    browser.fill("#key-name", "the blue one").await;
    browser.fill("#add-password", PASSWORD).await;
    browser.press("form[data-add-key] button").await;
    browser.find("[data-made]:not([hidden]) li").await;
    look(browser, eyes, "security-key-added").await;
    let first = "return document.querySelector('[data-list] code').textContent";
    let code = browser.run(first).await.as_str().unwrap().to_owned();
    browser.press("[data-made] a.button").await;
    let row = browser.text(".rows li").await;
    assert!(
        row.contains("the blue one") && row.contains("not used yet"),
        "{row}"
    );
    look(browser, eyes, "security-keys").await;
    code
}

async fn signs_in_by_it(browser: &Browser, eyes: Eyes, name: &str, password: &str) {
    browser.go("/sign-in").await;
    browser.fill("#username", name).await;
    browser.fill("#password", password).await;
    browser.press("main button[type=submit]").await;
    browser.find("[data-by-key]:not([hidden])").await;
    look(browser, eyes, "sign-in-key").await;
    browser.press("[data-by-key]").await;
    browser.arrive("/").await;
}

async fn comes_back_by_it(browser: &Browser, name: &str, code: &str) {
    browser.go("/recover").await;
    for (field, text) in [
        ("#username", name),
        ("#code", code),
        ("#new-password", NEW),
        ("#new-password-again", NEW),
    ] {
        browser.fill(field, text).await;
    }
    browser.press("form[data-recover] button").await;
    browser.arrive("/sign-in?recovered=1").await;
}

#[tokio::test]
async fn a_member_adds_a_key_signs_in_and_comes_back_by_it_and_removes_it() {
    let named = ("OPENTRACKER_SITE__ORIGIN".to_owned(), String::new());
    let mut site = Site::start(Options {
        extra: vec![named],
        ..Options::default()
    })
    .await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let base = format!("http://localhost:{}", site.address.port());
    for (number, (width, dark)) in [(1280, true), (1280, false), (360, true), (360, false)]
        .into_iter()
        .enumerate()
    {
        let (eyes, name) = (Eyes { width, dark }, format!("member{number}"));
        let browser = Browser::open(&base, eyes).await;
        browser.plug_in_a_key().await;
        choose_theme(&browser, eyes).await;
        browser.join("/register", &name, PASSWORD).await;
        let code = adds_a_key(&browser, eyes).await;
        browser.press("form[action='/sign-out'] button").await;
        browser.arrive("/sign-in").await;
        signs_in_by_it(&browser, eyes, &name, PASSWORD).await;
        browser.go(PAGE).await;
        let row = browser.text(".rows li").await;
        assert!(row.contains("signed in"), "{row}");

        comes_back_by_it(&browser, &name, &code).await;
        signs_in_by_it(&browser, eyes, &name, NEW).await;
        browser.go("/settings").await;
        look(&browser, eyes, "settings-key").await;
        browser.go(PAGE).await;
        browser.fill("#add-password", NEW).await;
        browser.fill("#key-name", "again").await;
        browser.press("form[data-add-key] button").await;
        browser
            .find("form[data-add-key] [data-error]:not([hidden])")
            .await;
        look(&browser, eyes, "security-key-again").await;
        browser.fill("#remove-password", NEW).await;
        browser.press("form[data-remove-key] button").await;
        let wait = std::time::Duration::from_secs(20);
        tests::until("the key's end", wait, || async {
            (!browser.has("form[data-remove-key]").await).then_some(())
        })
        .await;
        browser.close().await;
    }
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}
