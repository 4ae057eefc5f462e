//! What keeps a site in order, in a real browser: settings, rules, invites, members.

use tests::browser::Eyes;
use tests::{Browser, Client, Options, Site};

use super::{PASSWORD, choose_theme, look};

/// Opens the site to the invited, makes an invite and gives the address of its link.
async fn invited(admin: &Client) -> String {
    let by_invite = [("registration", "invite")];
    admin.post_form("/staff/registration", &by_invite).await;
    admin.post_form("/invites", &[]).await;
    let page = admin.page("/invites").await;
    let code = page.split("/register?invite=").nth(1).unwrap();
    format!("/register?invite={}", code.split('<').next().unwrap())
}

#[tokio::test]
async fn an_invited_guest_joins_is_banned_and_let_in_again_and_every_page_of_the_staff_is_sound() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let announcement = [("text", "We **move** on Sunday: read [what to do](/help).")];
    admin.post_form("/staff/announcement", &announcement).await;
    for (number, (width, dark)) in [(1280, true), (1280, false), (360, true), (360, false)]
        .into_iter()
        .enumerate()
    {
        let eyes = Eyes { width, dark };
        let name = format!("guest-{number}");
        joins(&site, &admin, eyes, &name).await;
        keeps_order(&site, eyes, &name).await;
    }
}

/// A guest joins by a link.
async fn joins(site: &Site, admin: &Client, eyes: Eyes, name: &str) {
    let link = invited(admin).await;
    let guest = Browser::open(&site.url(""), eyes).await;
    choose_theme(&guest, eyes).await;
    guest.go(&link).await;
    look(&guest, eyes, "register-by-invite").await;
    guest.join(&link, name, PASSWORD).await;
    for (path, name) in [("/invites", "invites"), ("/hit-and-runs", "hit-and-runs")] {
        guest.go(path).await;
        look(&guest, eyes, name).await;
    }
    guest.close().await;
}

/// An administrator looks at every page, bans the guest and lets them in again.
async fn keeps_order(site: &Site, eyes: Eyes, guest: &str) {
    let staff = Browser::open(&site.url(""), eyes).await;
    choose_theme(&staff, eyes).await;
    staff.sign_in("admin", PASSWORD).await;
    for (path, name) in [
        ("/staff", "staff-overview"),
        ("/staff/settings", "site-settings"),
        ("/staff/freeleech", "freeleech"),
        ("/staff/hit-and-runs", "staff-hit-and-runs"),
        ("/staff/flags", "flags"),
        ("/staff/members", "members"),
        ("/staff/invites", "staff-invites"),
        ("/staff/blocks", "blocks"),
    ] {
        staff.go(path).await;
        look(&staff, eyes, name).await;
    }
    let profile = format!("/members/{guest}");
    for (reason, act, shown) in [
        ("sold an invite", "ban", ".badge.bad"),
        ("a mistake", "lift", ".badge.good"),
    ] {
        staff.go(&profile).await;
        staff.fill("#reason", reason).await;
        staff.press(&format!("button[value={act}]")).await;
        staff.find(shown).await;
        staff.arrive(&profile).await;
    }
    look(&staff, eyes, "sanctions").await;
    staff.close().await;
}

#[tokio::test]
async fn roles_are_made_given_and_retired_and_their_pages_are_sound() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    assert_eq!(site.client().register("alice", PASSWORD).await.0, 201);
    for (width, dark) in [(1280, true), (1280, false), (360, true), (360, false)] {
        makes_roles(&site, Eyes { width, dark }).await;
    }
}

/// An administrator makes a role, gives it, changes it and retires it.
async fn makes_roles(site: &Site, eyes: Eyes) {
    let staff = Browser::open(&site.url(""), eyes).await;
    choose_theme(&staff, eyes).await;
    staff.sign_in("admin", PASSWORD).await;
    staff.go("/staff/roles").await;
    look(&staff, eyes, "no-roles").await;
    for (name, refused) in [("Moderator", true), ("Forum guides", false)] {
        staff.fill("#name", name).await;
        staff
            .run("document.querySelector('#colour').value = 'violet'")
            .await;
        staff.press("#may-forum").await;
        staff.press("#may-reports").await;
        staff.press("main form button.primary").await;
        let shown = if refused {
            "#name-error"
        } else {
            "main .rows .tag.violet"
        };
        staff.find(shown).await;
        look(&staff, eyes, if refused { "role-refused" } else { "roles" }).await;
        if refused {
            staff.go("/staff/roles").await;
        }
    }
    staff.go("/members/alice").await;
    staff.press("button[value=grant]").await;
    staff.find("h1 .tag.violet").await;
    look(&staff, eyes, "profile-with-role").await;
    staff.go("/staff/members").await;
    look(&staff, eyes, "members-with-roles").await;
    staff.go("/staff/roles").await;
    staff.press("main .rows a.button").await;
    staff.find("a[href$='/retire']").await;
    look(&staff, eyes, "role").await;
    staff.press("a[href$='/retire']").await;
    staff.find("button.danger").await;
    look(&staff, eyes, "retire-role").await;
    staff.press("button.danger").await;
    staff.arrive("/staff/roles").await;
    staff.close().await;
}
