//! A member's journey in a real browser: in dark and light, wide and narrow, with and without script.
#![expect(clippy::unwrap_used, reason = "tests fail by panicking")]

use fantoccini::Locator;
use tests::browser::Eyes;
use tests::{Browser, Client, Options, Site, make};

mod comment;
mod erasure;
mod forum;
mod panic;
mod password;
mod queue;
mod report;
mod second_factor;
mod security_key;
mod staff;
mod statistic;
mod tag;
mod webtorrent;

const PASSWORD: &str = "correct horse battery";

/// Checks the page that is shown: nothing to scroll sideways, nothing that axe finds.
async fn look(browser: &Browser, eyes: Eyes, name: &str) {
    let theme = if eyes.dark { "dark" } else { "light" };
    browser
        .keep(&format!("{name}-{theme}-{}", eyes.width))
        .await;
    assert!(
        !browser.overflows().await,
        "{name} is wider than {} px",
        eyes.width
    );
    let faults = browser.faults().await;
    assert!(
        faults.is_empty(),
        "{name}, {theme}, {} px:\n{}",
        eyes.width,
        faults.join("\n")
    );
}

/// A site with an administrator that everybody may join.
async fn open_site() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    (site, admin)
}

async fn choose_theme(browser: &Browser, eyes: Eyes) {
    browser.go("/sign-in").await;
    let theme = if eyes.dark { "dark" } else { "light" };
    browser.press(&format!("button[value={theme}]")).await;
    let wait = std::time::Duration::from_secs(10);
    tests::until("the theme", wait, || async {
        let shown = browser
            .run("return document.documentElement.dataset.theme")
            .await;
        (shown == theme).then_some(())
    })
    .await;
}

/// What the browser sent, by its own account: addresses and bodies.
const RECORD: &str = "
    window.sent = [];
    const send = window.fetch;
    window.fetch = (address, options) => { window.sent.push(String(address), String(options?.body ?? '')); return send(address, options); };";

#[tokio::test]
async fn the_first_administrator_and_a_member_go_through_every_page() {
    let mut site = Site::start(Options::default()).await;
    let founder = Browser::open(&site.url(""), Eyes::default()).await;
    founder.go("/").await;
    founder.arrive("/setup").await;
    look(&founder, Eyes::default(), "setup").await;
    founder.join("/setup", "admin", PASSWORD).await;
    founder.go("/staff").await;
    look(&founder, Eyes::default(), "staff").await;
    founder.press("button[value=open]").await;
    founder.find("button[value=closed]").await;
    founder.arrive("/staff").await;
    let admin = site.client();
    assert_eq!(admin.sign_in("admin", PASSWORD).await.0, 200);
    let at_once = [("approve_uploads", "off")];
    admin.post_form("/staff/settings/torrents", &at_once).await;
    let file = site.data.join("../browser.torrent");
    std::fs::write(
        &file,
        make::torrent("A.Browser.Film.2026", &make::payload(1, 60_000), None),
    )
    .unwrap();
    let mut number = 0;
    for width in [1280, 360] {
        for dark in [true, false] {
            number += 1;
            let eyes = Eyes { width, dark };
            journey(&site, eyes, &format!("member{number}"), &file, number).await;
        }
    }
    founder.close().await;
    site.stop();
    assert!(
        !site.log().contains("csp report"),
        "the policy refused something:\n{}",
        site.log()
    );
    assert!(!site.log().contains(PASSWORD));
}

async fn journey(site: &Site, eyes: Eyes, name: &str, file: &std::path::Path, number: u8) {
    let browser = Browser::open(&site.url(""), eyes).await;
    choose_theme(&browser, eyes).await;
    look(&browser, eyes, "sign-in").await;
    browser.go("/register").await;
    look(&browser, eyes, "register").await;
    browser.join("/register", name, PASSWORD).await;
    look(&browser, eyes, "home").await;
    browser.go("/upload").await;
    look(&browser, eyes, "upload").await;
    upload(&browser, file, number, eyes).await;
    for (path, name) in [
        (format!("/members/{name}"), "profile"),
        ("/ledger".to_owned(), "ledger"),
        ("/settings".to_owned(), "settings"),
        ("/settings/passkey/reset".to_owned(), "passkey"),
        ("/torrents".to_owned(), "torrents"),
        ("/torrents?q=nothing+at+all".to_owned(), "nothing"),
        ("/no/such/page".to_owned(), "missing"),
    ] {
        browser.go(&path).await;
        look(&browser, eyes, name).await;
    }
    browser.close().await;
}

/// The first uploads the file, the others are led to it.
async fn upload(browser: &Browser, file: &std::path::Path, number: u8, eyes: Eyes) {
    let path = file.canonicalize().unwrap();
    browser.fill("#torrent", path.to_str().unwrap()).await;
    browser
        .page
        .find(Locator::Css("#category"))
        .await
        .unwrap()
        .select_by_value("movies")
        .await
        .unwrap();
    browser.fill("#description", "It *moves*.").await;
    browser.press("[data-preview-button]").await;
    let wait = std::time::Duration::from_secs(10);
    tests::until("the preview", wait, || async {
        browser.has("[data-preview-region] em").await.then_some(())
    })
    .await;
    browser.press("form[data-upload] button[type=submit]").await;
    if number == 1 {
        browser
            .page
            .wait()
            .for_element(Locator::LinkText("Go to the torrent"))
            .await
            .unwrap();
        look(browser, eyes, "uploaded").await;
        browser.press("main p:last-child a").await;
    } else {
        browser
            .page
            .wait()
            .for_element(Locator::LinkText("see it"))
            .await
            .unwrap();
        look(browser, eyes, "uploaded-before").await;
        browser.press(".notice a").await;
    }
    browser
        .page
        .wait()
        .for_element(Locator::Css(".torrent-name"))
        .await
        .unwrap();
    look(browser, eyes, "torrent").await;
}

#[tokio::test]
async fn an_administrator_looks_at_the_history() {
    let mut site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let file = make::torrent("file", &make::payload(1, 30_000), Some("OpenTracker"));
    let id = admin.uploaded(file, "other", "It *moves*.").await;
    let withdraw = format!("/torrents/{id}/withdraw");
    admin.post_form(&withdraw, &[("reason", "a mistake")]).await;
    site.run_json(&["--json", "member", "create", "alice"]);
    for width in [1280, 360] {
        for dark in [true, false] {
            let eyes = Eyes { width, dark };
            let browser = Browser::open(&site.url(""), eyes).await;
            choose_theme(&browser, eyes).await;
            browser.sign_in("admin", PASSWORD).await;
            for (path, name) in [
                ("/staff".to_owned(), "staff"),
                ("/audit?of=torrent".to_owned(), "audit"),
                ("/audit?event=nothing".to_owned(), "audit-nothing"),
                (format!("/audit/torrent-{id}"), "history"),
                (format!("/torrents/{id}"), "withdrawn"),
                ("/members/alice".to_owned(), "member"),
            ] {
                browser.go(&path).await;
                look(&browser, eyes, name).await;
            }
            browser.go(&format!("/audit/torrent-{id}")).await;
            browser
                .press("tbody tr:first-child td[data-label=Stream] a")
                .await;
            browser.find(".states .changed").await;
            look(&browser, eyes, "history-then").await;
            browser.go("/audit/proof").await;
            browser.press("form[action='/audit/proof'] button").await;
            browser.find("[data-region=proof] progress, .facts").await;
            browser.go("/audit/proof").await;
            browser.find("[data-region=proof] .badge.good").await;
            look(&browser, eyes, "proof").await;
            browser.close().await;
        }
    }
    let head = site.run_json(&["--json", "audit", "verify"])["position"].to_string();
    site.run(&["audit", "replay", "--at", &head, "--into", "then"]);
    let past = site.past("then").await;
    for (width, dark) in [(1280, true), (360, false)] {
        let eyes = Eyes { width, dark };
        let browser = Browser::open(&past.url(""), eyes).await;
        choose_theme(&browser, eyes).await;
        browser.sign_in("admin", PASSWORD).await;
        browser.go("/torrents").await;
        browser.find("p.past").await;
        look(&browser, eyes, "past").await;
        browser.close().await;
    }
    drop(past);
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}

#[tokio::test]
async fn an_uploader_edits_a_torrent_and_goes_back_to_what_the_page_said() {
    let mut site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let file = make::torrent("file", &make::payload(1, 30_000), Some("OpenTracker"));
    let id = admin.uploaded(file, "other", "It *moves*.").await;
    let page = format!("/torrents/{id}");
    let versions = format!("{page}/versions");
    for width in [1280, 360] {
        for dark in [true, false] {
            let eyes = Eyes { width, dark };
            let browser = Browser::open(&site.url(""), eyes).await;
            choose_theme(&browser, eyes).await;
            browser.sign_in("admin", PASSWORD).await;
            browser.go(&format!("{page}/edit")).await;
            let draft = "\n\nIt moves, and it **stays**.\n\nThe last line.";
            browser.fill("#description", draft).await;
            browser.press("[data-preview-button]").await;
            browser.find("[data-preview-region] strong").await;
            look(&browser, eyes, "edit").await;
            browser.press("main button.primary").await;
            browser.arrive(&page).await;
            browser.find(".prose strong").await;
            look(&browser, eyes, "edited").await;
            browser.press(&format!("a[href='{versions}']")).await;
            browser.arrive(&versions).await;
            look(&browser, eyes, "versions").await;
            browser.go(&format!("{versions}/1")).await;
            browser.find("ins").await;
            look(&browser, eyes, "version").await;
            browser.press("main button.primary").await;
            browser.arrive(&versions).await;
            browser.go(&page).await;
            assert!(!browser.has(".prose strong").await);
            browser.close().await;
        }
    }
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}

#[tokio::test]
async fn the_password_never_leaves_the_browser() {
    let site = Site::start(Options::default()).await;
    site.client().set_up("admin", PASSWORD).await;
    let browser = Browser::open(&site.url(""), Eyes::default()).await;
    browser.go("/sign-in").await;
    // The page that follows would forget what was sent, so the wrong password is tried first.
    browser.run(RECORD).await;
    browser.fill("#username", "admin").await;
    browser.fill("#password", "wrong horse battery").await;
    browser.press("main button[type=submit]").await;
    let wait = std::time::Duration::from_secs(20);
    tests::until("the error", wait, || async {
        browser
            .text("[data-error]")
            .await
            .contains("The name or the password is wrong")
            .then_some(())
    })
    .await;
    let sent = browser.run("return window.sent.join('\\n')").await;
    let sent = sent.as_str().unwrap();
    assert!(
        sent.contains("/api/auth/login") && sent.contains("proof"),
        "{sent}"
    );
    assert!(!sent.contains("horse"), "{sent}");
    browser.close().await;
}

#[tokio::test]
async fn browse_search_and_download_work_with_script_off() {
    let site = Site::start(Options::default()).await;
    let member = site.client();
    member.set_up("admin", PASSWORD).await;
    let torrent = make::torrent("Quiet.Film", &make::payload(2, 40_000), Some("OpenTracker"));
    let id = member.uploaded(torrent, "movies", "no script").await;
    let browser = Browser::open(&site.url(""), Eyes::default()).await;
    browser.sign_in("admin", PASSWORD).await;
    browser.switch_script_off().await;
    browser.go("/sign-in").await;
    assert!(browser.text("noscript").await.contains("needs JavaScript"));
    browser.go("/torrents").await;
    assert!(browser.has(&format!("a[href='/torrents/{id}']")).await);
    browser.fill("#q", "quiet").await;
    browser.press(".filters button").await;
    let wait = std::time::Duration::from_secs(10);
    tests::until("the search", wait, || async {
        browser.path().await.contains("q=quiet").then_some(())
    })
    .await;
    browser.press("td.name a").await;
    browser
        .page
        .wait()
        .for_element(Locator::LinkText("Download .torrent"))
        .await
        .unwrap();
    let link = browser
        .page
        .find(Locator::LinkText("Download .torrent"))
        .await
        .unwrap();
    assert_eq!(
        link.attr("href").await.unwrap().unwrap(),
        format!("/torrents/{id}/download")
    );
    link.click().await.unwrap();
    browser.close().await;
}
