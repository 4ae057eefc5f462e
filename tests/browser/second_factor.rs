//! A second factor: scanned, confirmed, and asked at the sign-in.

use tests::browser::Eyes;
use tests::{Browser, Device, Site};

use crate::{PASSWORD, choose_theme, look, open_site};

const EMPTY: &str = "document.querySelector('#code').value = ''";

async fn signs_in_by_a_code(site: &Site, eyes: Eyes, name: &str, device: &mut Device) {
    let browser = Browser::open(&site.url(""), eyes).await;
    choose_theme(&browser, eyes).await;
    browser.fill("#username", name).await;
    browser.fill("#password", PASSWORD).await;
    browser.press("main button[type=submit]").await;
    browser.find("[data-step-second]:not([hidden])").await;
    look(&browser, eyes, "sign-in-code").await;
    browser.fill("#code", "000000").await;
    browser.press("main button[type=submit]").await;
    browser.find("[data-error]:not([hidden])").await;
    look(&browser, eyes, "sign-in-code-wrong").await;
    browser.run(EMPTY).await;
    browser.fill("#code", &device.code().await).await;
    browser.press("main button[type=submit]").await;
    browser.arrive("/").await;
    browser.close().await;
}

#[tokio::test]
async fn a_member_sets_a_second_factor_up_signs_in_by_it_and_turns_it_off() {
    let (mut site, admin) = open_site().await;
    for (number, (width, dark)) in [(1280, true), (1280, false), (360, true), (360, false)]
        .into_iter()
        .enumerate()
    {
        let (eyes, name) = (Eyes { width, dark }, format!("member{number}"));
        let browser = Browser::open(&site.url(""), eyes).await;
        choose_theme(&browser, eyes).await;
        browser.join("/register", &name, PASSWORD).await;
        browser.go("/settings").await;
        look(&browser, eyes, "settings").await;
        browser.press("a[href='/settings/second-factor']").await;
        browser.find("svg.qr").await;
        look(&browser, eyes, "second-factor").await;
        let shown = "return 'data-secret>' + document.querySelector('[data-secret]').textContent";
        let mut device = Device::scanning(browser.run(shown).await.as_str().unwrap());
        browser.fill("#code", "000000").await;
        browser.fill("#password", PASSWORD).await;
        browser.press("form[data-second-factor] button").await;
        browser.find("[data-error]:not([hidden])").await;
        look(&browser, eyes, "second-factor-wrong").await;
        browser.run(EMPTY).await;
        browser.fill("#code", &device.code().await).await;
        browser.press("form[data-second-factor] button").await;
        browser.find("[data-made]:not([hidden]) li").await;
        look(&browser, eyes, "second-factor-codes").await;
        browser.press("[data-made] a.button").await;
        browser.find(".notice.good").await;
        look(&browser, eyes, "second-factor-on").await;

        signs_in_by_a_code(&site, eyes, &name, &mut device).await;
        browser.go("/settings/second-factor").await;
        browser.fill("#password", PASSWORD).await;
        browser.press("form[data-second-factor] button").await;
        browser.find("svg.qr").await;
        browser.close().await;
    }
    let set = [("second_factor_for_staff", "on")];
    let asked = admin.post_form("/staff/settings/sign-in", &set).await;
    assert_eq!(asked.status(), 303);
    let eyes = Eyes::default();
    let browser = Browser::open(&site.url(""), eyes).await;
    browser.go("/sign-in").await;
    browser.fill("#username", "admin").await;
    browser.fill("#password", PASSWORD).await;
    browser.press("main button[type=submit]").await;
    browser.arrive("/settings/second-factor").await;
    look(&browser, eyes, "second-factor-needed").await;
    browser.close().await;
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}
