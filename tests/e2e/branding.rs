//! What the site says and looks like: the announcement above each page, the logo.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::api_key::Scope;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::multipart::{Form, Part};
use reqwest::{Method, Response, StatusCode};
use tests::{Client, Options, Site};

use crate::rebuild::rebuilt_rows_are_the_same;
use crate::v1::{Script, told};

const PASSWORD: &str = "correct horse battery";
/// One pixel.
const PIXEL: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAIAAACQd1PeAAAADElEQVR4nGMwTpsJAAICATNWh+JUAAAAAElFTkSuQmCC";

async fn site_with_admin() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    (site, admin)
}

#[tokio::test]
async fn an_announcement_stands_above_each_page_until_it_is_put_away_and_the_next_one_shows() {
    let (site, admin) = site_with_admin().await;
    let say = async |text: &str| {
        admin
            .post_form("/staff/announcement", &[("text", text)])
            .await
    };
    say("We **move** on Sunday").await;
    for path in ["/", "/torrents", "/settings"] {
        let page = admin.page(path).await;
        assert!(
            page.contains("We <strong>move</strong> on Sunday"),
            "{path}"
        );
    }
    assert!(!site.client().page("/sign-in").await.contains("on Sunday"));
    let page = admin.page("/torrents").await;
    let name = page
        .split("name=\"announcement\" value=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap();
    let wrong = [("announcement", "x; Domain=elsewhere")];
    admin.post_form("/announcement/dismiss", &wrong).await;
    assert!(admin.page("/torrents").await.contains("on Sunday"));
    let away = admin
        .post_form("/announcement/dismiss", &[("announcement", name)])
        .await;
    assert_eq!(away.status(), StatusCode::SEE_OTHER);
    assert_eq!(away.headers()[LOCATION], "/");
    for path in ["/", "/torrents"] {
        assert!(!admin.page(path).await.contains("on Sunday"), "{path}");
    }
    say("We have moved").await;
    assert!(admin.page("/torrents").await.contains("We have moved"));
    let kind = [("announcement_kind", "error")];
    admin.post_form("/staff/settings/home", &kind).await;
    tests::until("the kind", std::time::Duration::from_secs(5), || async {
        let page = admin.page("/").await;
        page.contains("banner notice bad").then_some(())
    })
    .await;
    say("").await;
    assert!(
        !admin
            .page("/torrents")
            .await
            .contains("aria-label=\"Announcement\"")
    );
}

async fn send(admin: &Client, token: &str, picture: Vec<u8>) -> Response {
    let picture = Part::bytes(picture).file_name("logo");
    let form = Form::new()
        .text("_token", token.to_owned())
        .part("logo", picture);
    admin
        .request(Method::POST, "/staff/logo")
        .multipart(form)
        .send()
        .await
        .unwrap()
}

/// Where the pages say that the logo is.
fn logo(page: &str) -> Option<String> {
    let rest = page.split("<img class=\"logo\" src=\"").nth(1)?;
    Some(rest.split('"').next()?.to_owned())
}

#[tokio::test]
async fn a_subtitle_stands_beside_the_name_for_guests_and_on_the_first_page_for_members() {
    let (site, admin) = site_with_admin().await;
    let set = [("site_subtitle", "Films that are free")];
    let answer = admin.post_form("/staff/settings/branding", &set).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    let says = |page: String| page.contains("Films that are free");
    assert!(says(admin.page("/").await));
    assert!(says(site.client().page("/sign-in").await));
    assert!(
        !says(admin.page("/torrents").await),
        "the list is full enough"
    );
}

#[tokio::test]
async fn a_logo_is_shown_to_everybody_and_its_address_ends_with_it() {
    let (site, admin) = site_with_admin().await;
    let pixel = STANDARD.decode(PIXEL).unwrap();
    let token = admin.token().await;
    let guest = site.client();
    for (token, wrong) in [
        (token.as_str(), b"<svg/>".to_vec()),
        (token.as_str(), vec![]),
        (token.as_str(), vec![0; (2 << 20) + 1]),
        ("another", pixel.clone()),
    ] {
        let refused = send(&admin, token, wrong).await;
        assert!(refused.status().is_client_error(), "{}", refused.status());
        assert_eq!(logo(&guest.page("/sign-in").await), None);
    }
    let set = send(&admin, &token, pixel).await;
    assert_eq!(set.status(), StatusCode::SEE_OTHER);
    let address = logo(&guest.page("/sign-in").await).unwrap();
    let shown = guest.get(&address).await;
    assert_eq!(shown.headers()[CONTENT_TYPE], "image/png");
    assert!(shown.bytes().await.unwrap().starts_with(b"\x89PNG"));
    assert_eq!(
        logo(&admin.page("/torrents").await).as_ref(),
        Some(&address)
    );
    rebuilt_rows_are_the_same(&site).await;
    assert_eq!(guest.get(&address).await.status(), StatusCode::OK);
    admin.post_form("/staff/logo/remove", &[]).await;
    assert_eq!(logo(&admin.page("/torrents").await), None);
    assert_eq!(guest.get(&address).await.status(), StatusCode::NOT_FOUND);
    assert!(guest.page("/robots.txt").await.contains("Disallow: /"));
}

#[tokio::test]
async fn a_script_sets_the_logo_and_is_told_what_cannot_be_shown() {
    let (site, admin) = site_with_admin().await;
    let script = Script::of(&site, &admin, &[Scope::Read, Scope::Administer]).await;
    let send = |picture: Vec<u8>| told(script.request(Method::PUT, "/site/logo").body(picture));
    for wrong in [b"GIF89a".to_vec(), vec![0; (2 << 20) + 2]] {
        let (status, problem) = send(wrong).await;
        let field = &problem["errors"][0]["field"];
        assert_eq!((status, field), (422, &"logo".into()), "{problem}");
    }
    let (status, shown) = send(STANDARD.decode(PIXEL).unwrap()).await;
    assert_eq!(status, 200, "{shown}");
    let address = shown["logo"].as_str().unwrap();
    assert_eq!(admin.get(address).await.status(), StatusCode::OK);
    let (status, shown) = told(script.request(Method::DELETE, "/site/logo")).await;
    assert_eq!((status, &shown["logo"]), (200, &serde_json::Value::Null));
}
