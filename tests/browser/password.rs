//! Another password, recovery codes on paper, and the way back by one of them.

use std::time::Duration;

use tests::browser::Eyes;
use tests::{Browser, until};

use crate::{PASSWORD, choose_theme, look, open_site};

const NEW: &str = "another staple entirely";

#[tokio::test]
async fn a_member_keeps_recovery_codes_and_comes_back_by_one() {
    let (mut site, _admin) = open_site().await;
    for (number, (width, dark)) in [(1280, true), (360, false)].into_iter().enumerate() {
        let (eyes, name) = (Eyes { width, dark }, format!("member{number}"));
        let browser = Browser::open(&site.url(""), eyes).await;
        choose_theme(&browser, eyes).await;
        browser.join("/register", &name, PASSWORD).await;
        browser.go("/settings/password").await;
        look(&browser, eyes, "password").await;
        browser.fill("#codes-password", PASSWORD).await;
        browser.press("form[data-codes] button").await;
        browser.find("[data-list] li").await;
        look(&browser, eyes, "recovery-codes").await;
        let first = "return document.querySelector('[data-list] code').textContent";
        let code = browser.run(first).await.as_str().unwrap().to_owned();

        for (field, text) in [
            ("#password", PASSWORD),
            ("#new-password", NEW),
            ("#new-password-again", NEW),
        ] {
            browser.fill(field, text).await;
        }
        browser.press("form[data-password] button").await;
        browser.find("[data-changed]:not([hidden])").await;

        let elsewhere = Browser::open(&site.url(""), eyes).await;
        choose_theme(&elsewhere, eyes).await;
        elsewhere.go("/recover").await;
        look(&elsewhere, eyes, "recover").await;
        for (field, text) in [
            ("#username", name.as_str()),
            ("#code", code.as_str()),
            ("#new-password", PASSWORD),
            ("#new-password-again", PASSWORD),
        ] {
            elsewhere.fill(field, text).await;
        }
        elsewhere.press("form[data-recover] button").await;
        elsewhere.arrive("/sign-in?recovered=1").await;
        look(&elsewhere, eyes, "recovered").await;
        elsewhere.sign_in(&name, PASSWORD).await;
        let wait = Duration::from_secs(10);
        until("the other browser's end", wait, || async {
            browser.go("/settings").await;
            browser.has("form[data-sign-in]").await.then_some(())
        })
        .await;
        browser.close().await;
        elsewhere.close().await;
    }
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}
