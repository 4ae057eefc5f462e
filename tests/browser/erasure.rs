//! Leaving for ever, on one's own page and on an administrator's.

use tests::Browser;
use tests::browser::Eyes;

use crate::{PASSWORD, choose_theme, look, open_site};

const BUTTON: &str = "form[data-erasure] button[type=submit]";

#[tokio::test]
async fn a_member_leaves_for_ever_by_a_typed_phrase_and_a_proof() {
    let (mut site, _admin) = open_site().await;
    for (number, (width, dark)) in [(1280, true), (360, false)].into_iter().enumerate() {
        let (eyes, name) = (Eyes { width, dark }, format!("leaver{number}"));
        let browser = Browser::open(&site.url(""), eyes).await;
        choose_theme(&browser, eyes).await;
        browser.join("/register", &name, PASSWORD).await;
        browser.go("/settings/erase").await;
        look(&browser, eyes, "erasure").await;
        for (phrase, password) in [
            ("ERASE somebody".to_owned(), PASSWORD),
            (format!("ERASE {name}"), "another password"),
        ] {
            for (field, text) in [("#confirm", phrase.as_str()), ("#password", password)] {
                browser.find(field).await.clear().await.unwrap();
                browser.fill(field, text).await;
            }
            browser.press(BUTTON).await;
            browser.find("[data-error]:not([hidden])").await;
            look(&browser, eyes, "erasure-refused").await;
        }
        browser.find("#password").await.clear().await.unwrap();
        browser.fill("#password", PASSWORD).await;
        browser.press(BUTTON).await;
        browser.arrive("/sign-in").await;
        browser.go("/settings").await;
        assert!(browser.has("form[data-sign-in]").await);

        let other = format!("other{number}");
        let (status, _) = site.client().register(&other, PASSWORD).await;
        assert_eq!(status, 201);
        browser.sign_in("admin", PASSWORD).await;
        browser.go(&format!("/members/{other}/erase")).await;
        look(&browser, eyes, "another-ones-erasure").await;
        browser.fill("#confirm", &format!("ERASE {other}")).await;
        browser.fill("#password", PASSWORD).await;
        browser.press(BUTTON).await;
        browser.arrive("/staff/members").await;
        browser.go("/members/erased member").await;
        look(&browser, eyes, "erased-member").await;
        browser.close().await;
    }
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}
