//! The Panic Password, the panic and the way back, as an administrator sees them.

use std::time::Duration;

use tests::browser::{Eyes, PANIC};
use tests::{Browser, Options, Site, make};

use super::{PASSWORD, choose_theme, look};

const WAIT: Duration = Duration::from_mins(1);

fn theme(eyes: Eyes) -> &'static str {
    if eyes.dark { "dark" } else { "light" }
}

/// Waits until an element has some words.
async fn shows(browser: &Browser, css: &str, words: &str) {
    let script = format!("return document.querySelector(`{css}`)?.textContent ?? ''");
    tests::until(words, WAIT, || async {
        let text = browser.run(&script).await;
        let found = text.as_str().unwrap_or_default().contains(words);
        found.then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_first_administrator_sets_the_panic_password_and_prints_the_sheet() {
    let mut site = Site::start(Options::default()).await;
    let founder = Browser::open(&site.url(""), Eyes::default()).await;
    founder.go("/setup").await;
    founder.fill("#username", "admin").await;
    founder.fill("#password", PASSWORD).await;
    founder.fill("#password-again", PASSWORD).await;
    founder.fill("#panic-password", "password1234").await;
    shows(&founder, "[data-strength] [data-words]", "Easy to guess").await;
    look(&founder, Eyes::default(), "setup-weak").await;
    founder.fill("#panic-password-again", "password1234").await;
    founder.press("main button[type=submit]").await;
    shows(
        &founder,
        "[data-error]",
        "This Panic Password is too easy to guess",
    )
    .await;
    founder.join("/setup", "admin", PASSWORD).await;
    for width in [1280, 360] {
        for dark in [true, false] {
            let eyes = Eyes { width, dark };
            let browser = Browser::open(&site.url(""), eyes).await;
            choose_theme(&browser, eyes).await;
            browser.sign_in("admin", PASSWORD).await;
            browser.go("/staff").await;
            browser.press("a[href='/staff/panic']").await;
            browser.find("form[data-panic]").await;
            look(&browser, eyes, "panic-page").await;
            browser.run("scrollTo(0, document.body.scrollHeight)").await;
            browser
                .keep(&format!("panic-press-{}-{width}", theme(eyes)))
                .await;
            browser.go("/staff/panic/sheet").await;
            browser.find("button[data-print]").await;
            look(&browser, eyes, "recovery-sheet").await;
            browser.close().await;
        }
    }
    founder.go("/staff/panic").await;
    founder.fill("#old", "not the right one").await;
    founder.fill("#new", "a tide of forgotten lanterns").await;
    founder.fill("#again", "a tide of forgotten lanterns").await;
    founder.press("form.slim[method=post] button").await;
    shows(&founder, ".notice.bad", "This isn't the Panic Password").await;
    look(&founder, Eyes::default(), "panic-page-wrong").await;
    founder.fill("#old", PANIC).await;
    founder.fill("#new", "a tide of forgotten lanterns").await;
    founder.fill("#again", "a tide of forgotten lanterns").await;
    founder.press("form.slim[method=post] button").await;
    shows(&founder, ".notice.good", "The Panic Password is set").await;
    founder.close().await;
    site.stop();
    let log = site.log();
    assert!(!log.contains("csp report"), "{log}");
    for secret in [PASSWORD, PANIC, "forgotten lanterns"] {
        assert!(!log.contains(secret));
    }
}

/// Presses with slips first: each is told, and changes nothing.
async fn presses(browser: &Browser) {
    browser.go("/staff/panic").await;
    browser.fill("#confirm", "encrypt it all").await;
    browser.fill("#password", PASSWORD).await;
    browser.press("form[data-panic] button").await;
    shows(browser, "[data-error]", "Type ENCRYPT_ALL_DATA exactly").await;
    browser.go("/staff/panic").await;
    browser.fill("#confirm", "ENCRYPT_ALL_DATA").await;
    browser.fill("#password", "not the password").await;
    browser.press("form[data-panic] button").await;
    shows(browser, "[data-error]", "This isn't your own password").await;
    browser.keep("panic-wrong").await;
    browser.go("/staff/panic").await;
    browser.fill("#confirm", "ENCRYPT_ALL_DATA").await;
    browser.fill("#password", PASSWORD).await;
    browser.press("form[data-panic] button").await;
    browser.arrive("/").await;
    shows(browser, "h1", "This site is sealed").await;
}

/// Every route shows the sealed page.
async fn is_sealed(browser: &Browser, torrent: &str) {
    let download = format!("{torrent}/download");
    for path in [
        "/",
        "/torrents",
        torrent,
        &download,
        "/staff/panic",
        "/sign-in",
        "/no/such/page",
    ] {
        browser.go(path).await;
        shows(browser, "h1", "This site is sealed").await;
        let text = browser.text("body").await;
        assert!(
            text.contains("[ENCRYPTED]") && !text.contains("Hidden"),
            "{path}: {text}"
        );
    }
}

/// Keeps the sealed page as guests see it.
async fn looks_sealed(site: &Site) {
    for width in [1280, 360] {
        for dark in [true, false] {
            let eyes = Eyes { width, dark };
            let guest = Browser::open(&site.url(""), eyes).await;
            guest.go("/").await;
            let theme = theme(eyes);
            guest.press(&format!("button[value={theme}]")).await;
            guest.find(&format!("html[data-theme={theme}]")).await;
            look(&guest, eyes, "sealed").await;
            guest.close().await;
        }
    }
}

#[tokio::test]
async fn a_panic_makes_every_page_dark_until_the_right_password() {
    let mut site = Site::start(Options::default()).await;
    let browser = Browser::open(&site.url(""), Eyes::default()).await;
    browser.join("/setup", "admin", PASSWORD).await;
    let admin = site.client();
    assert_eq!(admin.sign_in("admin", PASSWORD).await.0, 200);
    let file = make::torrent(
        "A.Hidden.Film",
        &make::payload(1, 30_000),
        Some("OpenTracker"),
    );
    let id = admin.uploaded(file, "movies", "It *moves*.").await;
    let before = admin.download(&id).await;

    presses(&browser).await;
    let torrent = format!("/torrents/{id}");
    is_sealed(&browser, &torrent).await;
    looks_sealed(&site).await;
    browser.go("/torrents").await;
    browser.fill("#password", "not the right one").await;
    browser.press(".restore button").await;
    shows(
        &browser,
        "[role=alert]",
        "This isn't the Panic Password. Nothing was changed.",
    )
    .await;
    look(&browser, Eyes::default(), "sealed-wrong").await;
    browser.fill("#password", PANIC).await;
    browser.press(".restore button").await;
    browser.keep("restoring").await;
    // The page leads on by itself; the session is gone, so to the sign-in.
    browser.find("form[data-sign-in]").await;
    browser.sign_in("admin", PASSWORD).await;
    browser.go(&torrent).await;
    shows(&browser, ".torrent-name", "A.Hidden.Film").await;
    look(&browser, Eyes::default(), "restored").await;
    browser.close().await;
    assert_eq!(admin.sign_in("admin", PASSWORD).await.0, 200);
    assert_eq!(admin.download(&id).await, before);
    site.stop();
    let log = site.log();
    assert!(!log.contains("csp report"), "{log}");
    assert!(!log.contains(PASSWORD) && !log.contains(PANIC));
}
