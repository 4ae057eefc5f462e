//! Tags in a real browser: in dark and light, wide and narrow.

use fantoccini::Locator;
use tests::browser::Eyes;
use tests::{Browser, Client, Options, Site, make};

use super::{PASSWORD, choose_theme, look};

/// A site with a member, and with two torrents.
async fn scene() -> (Site, Client, [String; 2]) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    assert_eq!(site.client().register("alice", PASSWORD).await.0, 201);
    let mut torrents = vec![];
    for (seed, name) in [(1, "A.Quiet.Film"), (2, "Another.Film")] {
        let file = make::torrent(name, &make::payload(seed, 30_000), Some("OpenTracker"));
        torrents.push(admin.uploaded(file, "movies", "It *moves*.").await);
    }
    (site, admin, torrents.try_into().unwrap())
}

#[tokio::test]
async fn a_tag_is_made_renamed_and_retired_and_leads_to_what_it_marks() {
    let (mut site, _admin, torrents) = scene().await;
    let mut number = 0;
    for width in [1280, 360] {
        for dark in [true, false] {
            number += 1;
            let eyes = Eyes { width, dark };
            let staff = Browser::open(&site.url(""), eyes).await;
            choose_theme(&staff, eyes).await;
            staff.sign_in("admin", PASSWORD).await;
            let tag = makes(&staff, eyes, number).await;
            marks(&staff, eyes, &tag, &torrents).await;
            follows(&site, eyes, &tag, &torrents).await;
            retires(&staff, eyes, &tag, &torrents).await;
            staff.close().await;
        }
    }
    site.stop();
    assert!(!site.log().contains("csp report"), "{}", site.log());
}

/// Makes a tag and gives it another name; one that is taken is refused. Gives the tag's id.
async fn makes(staff: &Browser, eyes: Eyes, number: u8) -> String {
    staff.go("/staff/tags").await;
    look(staff, eyes, "tags-before").await;
    for refused in [false, true] {
        staff.fill("#name", &format!("Slow burn {number}")).await;
        staff
            .run("document.querySelector('#colour').value = 'violet'")
            .await;
        staff.press("main form button.primary").await;
        let shown = if refused {
            "main .notice.bad"
        } else {
            "main .rows li:last-child .tag.violet"
        };
        staff.find(shown).await;
        look(staff, eyes, if refused { "tag-refused" } else { "tags" }).await;
    }
    staff.go("/staff/tags").await;
    staff.press("main .rows li:last-child a.button").await;
    staff.find("a[href$='/retire']").await;
    look(staff, eyes, "tag").await;
    let path = staff.path().await;
    staff.find("#name").await.clear().await.unwrap();
    staff.fill("#name", &format!("Unhurried {number}")).await;
    staff.press("main form button.primary").await;
    staff.arrive("/staff/tags").await;
    let name = staff.text("main .rows li:last-child .tag").await;
    assert_eq!(name, format!("Unhurried {number}"));
    path.rsplit('/').next().unwrap().to_owned()
}

/// Marks one torrent with a tag.
async fn marks(staff: &Browser, eyes: Eyes, tag: &str, [marked, _]: &[String; 2]) {
    staff.go(&format!("/torrents/{marked}/edit")).await;
    staff.press(&format!("#tag-{tag}")).await;
    look(staff, eyes, "edit-tags").await;
    staff.press("main button.primary").await;
    staff.arrive(&format!("/torrents/{marked}")).await;
}

/// A member finds what is marked by the filter, by a word and by the tag itself, and nothing else.
async fn follows(site: &Site, eyes: Eyes, tag: &str, [marked, other]: &[String; 2]) {
    let member = Browser::open(&site.url(""), eyes).await;
    choose_theme(&member, eyes).await;
    member.sign_in("alice", PASSWORD).await;
    member.go("/torrents").await;
    member.press(".filters summary").await;
    let choice = member.page.find(Locator::Css("#tag")).await.unwrap();
    choice.select_by_value(tag).await.unwrap();
    member.press(".filters button").await;
    let [marked, other] = [marked, other].map(|id| format!("td.name a[href='/torrents/{id}']"));
    alone(&member, &marked, &other).await;
    assert!(member.path().await.contains(&format!("tag={tag}")));
    look(&member, eyes, "torrents-by-tag").await;
    member.go("/torrents").await;
    member.find(&other).await;
    member.fill("#q", "unhur").await;
    member.press(".filters button").await;
    alone(&member, &marked, &other).await;
    look(&member, eyes, "torrents-by-tag-word").await;
    member.press(&marked).await;
    member
        .press(&format!("main a.tag[href='/torrents?tag={tag}']"))
        .await;
    member.arrive(&format!("/torrents?tag={tag}")).await;
    alone(&member, &marked, &other).await;
    member.close().await;
}

/// Waits till a list has one torrent and the other no longer.
async fn alone(browser: &Browser, one: &str, other: &str) {
    let wait = std::time::Duration::from_secs(10);
    tests::until("the list", wait, || async {
        (browser.has(one).await && !browser.has(other).await).then_some(())
    })
    .await;
}

/// Retires a tag: it stays where it is, and nothing more is marked with it.
async fn retires(staff: &Browser, eyes: Eyes, tag: &str, [marked, other]: &[String; 2]) {
    staff.go(&format!("/staff/tags/{tag}/retire")).await;
    look(staff, eyes, "tag-retire").await;
    staff.press("main button.danger").await;
    staff.arrive("/staff/tags").await;
    look(staff, eyes, "tags-retired").await;
    staff.go(&format!("/staff/tags/{tag}")).await;
    staff.find("form[action$='/reopen']").await;
    look(staff, eyes, "tag-retired").await;
    staff.go(&format!("/torrents/{other}/edit")).await;
    assert!(!staff.has(&format!("#tag-{tag}")).await);
    staff.go(&format!("/torrents/{marked}")).await;
    assert!(
        staff
            .has(&format!("main a[href='/torrents?tag={tag}']"))
            .await
    );
}
