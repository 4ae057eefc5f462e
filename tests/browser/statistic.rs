//! Statistics in a real browser: in dark and light, wide and narrow.

use tests::browser::Eyes;
use tests::{Browser, Options, Site, make};

use super::{PASSWORD, choose_theme, look};

#[tokio::test]
async fn charts_and_their_numbers_are_seen_in_every_range() {
    let mut site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let file = make::torrent(
        "A.Film.2026",
        &make::payload(1, 60_000),
        Some("OpenTracker"),
    );
    admin.uploaded(file, "other", "").await;
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
    browser.go("/statistics").await;
    look(&browser, eyes, "statistics").await;
    browser
        .press("nav[aria-label=Range] a[href*='range=hour']")
        .await;
    browser
        .find("nav[aria-label=Range] a[href*='range=hour'][aria-current]")
        .await;
    browser.press("details summary").await;
    browser.find("details[open] table").await;
    look(&browser, eyes, "statistics-table").await;
    browser.go("/staff?range=week").await;
    look(&browser, eyes, "dashboard").await;
    browser.close().await;
}
