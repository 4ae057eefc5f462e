//! What waits for approval, in a real browser: in dark and light, wide and narrow.

use fantoccini::Locator;
use tests::browser::Eyes;
use tests::{Browser, Client, Options, Site, make};

use super::{PASSWORD, choose_theme, look};

/// A site with an uploader and a moderator.
async fn scene() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let alice = site.client();
    for (client, name) in [(&alice, "alice"), (&site.client(), "bertha")] {
        assert_eq!(client.register(name, PASSWORD).await.0, 201);
    }
    let role = [("role", "moderator")];
    let assigned = admin.post_form("/members/bertha/role", &role).await;
    assert_eq!(assigned.status(), 303);
    (site, alice)
}

async fn sees(site: &Site, eyes: Eyes, name: &str) -> Browser {
    let browser = Browser::open(&site.url(""), eyes).await;
    choose_theme(&browser, eyes).await;
    browser.sign_in(name, PASSWORD).await;
    browser
}

#[tokio::test]
async fn an_upload_waits_is_changed_and_rejected_and_its_uploader_reads_why() {
    let (mut site, uploader) = scene().await;
    let mut seed = 0;
    for width in [1280, 360] {
        for dark in [true, false] {
            let eyes = Eyes { width, dark };
            let (alice, staff) = (
                sees(&site, eyes, "alice").await,
                sees(&site, eyes, "bertha").await,
            );
            seed += 2;
            let file = make::torrent(
                "A.First.Film",
                &make::payload(seed, 30_000),
                Some("OpenTracker"),
            );
            let first = uploads(&site, &alice, eyes, &file).await;
            let file = make::torrent(
                "A.Second.Film",
                &make::payload(seed + 1, 30_000),
                Some("OpenTracker"),
            );
            let second = uploader.uploaded(file, "movies", "It stays.").await;
            asks_for_changes(&staff, eyes, &first).await;
            changes(&alice, eyes, &first).await;
            decides(&staff, eyes, &first, &second).await;
            reads(&alice, eyes, &first).await;
            withdraws(&staff, &alice, eyes, &second).await;
            alice.close().await;
            staff.close().await;
        }
    }
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}

/// Uploads a file by the form, and gives the path of the torrent.
async fn uploads(site: &Site, alice: &Browser, eyes: Eyes, file: &[u8]) -> String {
    let place = site.data.join("../queue.torrent");
    std::fs::write(&place, file).unwrap();
    alice.go("/upload").await;
    alice.find("main .notice.info").await;
    look(alice, eyes, "queue-upload").await;
    let place = place.canonicalize().unwrap();
    alice.fill("#torrent", place.to_str().unwrap()).await;
    let category = alice.page.find(Locator::Css("#category")).await.unwrap();
    category.select_by_value("movies").await.unwrap();
    alice.fill("#description", "A first draft.").await;
    alice.press("form[data-upload] button[type=submit]").await;
    alice.find(".torrent-name").await;
    alice.find("main .notice.info").await;
    look(alice, eyes, "queue-waits").await;
    alice.path().await
}

async fn asks_for_changes(staff: &Browser, eyes: Eyes, torrent: &str) {
    let review = format!("{torrent}/review");
    staff.go("/staff/queue").await;
    look(staff, eyes, "queue").await;
    staff.press(&format!("a[href='{review}']")).await;
    staff.press("button[value=changes]").await;
    staff.find("#reason-error").await;
    look(staff, eyes, "review-refused").await;
    staff.fill("#reason", "Name the <source>, please.").await;
    staff.press("button[value=changes]").await;
    staff.arrive("/staff/queue").await;
    staff.find("td.name .badge.warn").await;
    look(staff, eyes, "queue-asked").await;
}

/// The uploader reads what should change, and changes it.
async fn changes(alice: &Browser, eyes: Eyes, torrent: &str) {
    alice.go("/uploads").await;
    look(alice, eyes, "uploads-asked").await;
    alice.press(&format!("td.name a[href='{torrent}']")).await;
    let said = alice.text("main .notice").await;
    assert!(
        said.contains("Reason: Name the <source>, please."),
        "{said}"
    );
    look(alice, eyes, "queue-asked-for-changes").await;
    alice.press(&format!("a[href='{torrent}/edit']")).await;
    alice.find("#description").await.clear().await.unwrap();
    alice.fill("#description", "From the source itself.").await;
    alice.press("main button.primary").await;
    alice.arrive(torrent).await;
    let said = alice.text("main .notice").await;
    assert!(said.contains("waits for approval"), "{said}");
}

/// Rejects the one and approves the other.
async fn decides(staff: &Browser, eyes: Eyes, first: &str, second: &str) {
    staff.go(&format!("{first}/review")).await;
    staff.fill("#reason", "It is a fake.").await;
    look(staff, eyes, "review").await;
    staff.press("button[value=reject]").await;
    staff.arrive("/staff/queue").await;
    let approve = format!("form[action='/torrents/{second}/review'] button[value=approve]");
    staff.press(&approve).await;
    let wait = std::time::Duration::from_secs(10);
    tests::until("the empty queue", wait, || async {
        staff.has("main .empty").await.then_some(())
    })
    .await;
    look(staff, eyes, "queue-empty").await;
}

/// The uploader reads why it was rejected.
async fn reads(alice: &Browser, eyes: Eyes, torrent: &str) {
    alice.go("/uploads").await;
    let list = alice.text("main table").await;
    assert!(
        list.contains("It is a fake.") && list.contains("offered"),
        "{list}"
    );
    look(alice, eyes, "uploads").await;
    alice.press(&format!("td.name a[href='{torrent}']")).await;
    let said = alice.text("main .notice.bad").await;
    assert!(said.contains("Reason: It is a fake."), "{said}");
    look(alice, eyes, "rejected").await;
}

/// The staff takes away what it approved, and the uploader reads why.
async fn withdraws(staff: &Browser, alice: &Browser, eyes: Eyes, torrent: &str) {
    staff.go(&format!("/torrents/{torrent}/withdraw")).await;
    staff.fill("#reason", "Its owner asked for it.").await;
    look(staff, eyes, "withdraw").await;
    staff.press("main button.danger").await;
    staff.find("form[action$='/restore']").await;
    look(staff, eyes, "withdrawn-by-staff").await;
    alice.go("/uploads").await;
    let list = alice.text("main table").await;
    assert!(list.contains("Its owner asked for it."), "{list}");
    look(alice, eyes, "uploads-withdrawn").await;
    alice.go(&format!("/torrents/{torrent}")).await;
    let said = alice.text("main .notice.bad").await;
    assert!(
        said.contains("The staff withdrew") && said.contains("Its owner asked for it."),
        "{said}"
    );
    assert!(!alice.has("form[action$='/restore']").await);
    look(alice, eyes, "withdrawn-of-uploader").await;
}
