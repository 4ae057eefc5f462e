//! Uploading, finding, downloading and withdrawing torrents.

use domain::metainfo;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use tests::{Client, Options, Site, make};

const PASSWORD: &str = "correct horse battery";
const SOURCE: Option<&str> = Some("OpenTracker");

async fn site_with_admin() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    (site, admin)
}

#[tokio::test]
async fn a_torrent_that_is_ours_is_found_and_downloaded_with_the_members_announce() {
    let (site, admin) = site_with_admin().await;
    let file = make::torrent("Grüße.from.Debian.iso", &make::payload(1, 50_000), SOURCE);
    let id = admin
        .uploaded(
            file.clone(),
            "software-linux",
            "the **small** one <script>alert(1)</script>",
        )
        .await;
    let page = admin.page(&format!("/torrents/{id}")).await;
    assert!(
        page.contains("the <strong>small</strong> one") && !page.contains("<script>alert"),
        "{page}"
    );
    assert!(page.contains("48.82 KiB") && page.contains("Linux"));
    for found in [
        "/torrents",
        "/torrents?q=debian",
        "/torrents?q=gr%C3%BC%C3%9Fe",
        "/torrents?q=debain",
        "/torrents?q=deb&category=software",
    ] {
        assert!(admin.page(found).await.contains(&id), "{found}");
    }
    for missed in [
        "/torrents?q=fedora",
        "/torrents?category=movies",
        "/torrents?q=debian&category=tv",
    ] {
        assert!(!admin.page(missed).await.contains(&id), "{missed}");
    }
    let answer = admin.get(&format!("/torrents/{id}/download")).await;
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/x-bittorrent");
    let named = answer.headers()[CONTENT_DISPOSITION]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        named.contains("%5BOpenTracker%5DGr%C3%BC%C3%9Fe%2Efrom%2EDebian%2Eiso%2Etorrent"),
        "{named}"
    );
    let own = answer.bytes().await.unwrap();
    let url = admin.announce_url().await;
    assert!(
        String::from_utf8_lossy(&own).contains(&url)
            && !String::from_utf8_lossy(&own).contains("foreign")
    );
    let source = SOURCE.unwrap();
    assert_eq!(
        metainfo::read(&own, source).unwrap().info_hash,
        metainfo::read(&file, source).unwrap().info_hash
    );
    drop(site);
}

#[tokio::test]
async fn a_torrent_is_found_by_its_info_hash_and_by_no_other() {
    let (_site, admin) = site_with_admin().await;
    let file = make::torrent("debian.iso", &make::payload(1, 50_000), SOURCE);
    let id = admin.uploaded(file, "other", "").await;
    let page = admin.page(&format!("/torrents/{id}")).await;
    let hash = page.split("data-copy>").nth(1).unwrap();
    let hash = hash.get(..40).unwrap();
    let found = async |words: &str| {
        let list = admin.page(&format!("/torrents?q={words}")).await;
        list.contains(&id)
    };
    assert!(found(hash).await && found(&hash.to_uppercase()).await);
    assert!(!found(&"0".repeat(40)).await);
    assert!(!found(&format!("{}{hash}", "0".repeat(24))).await);
}

#[tokio::test]
async fn a_foreign_torrent_gets_a_new_hash_and_its_uploader_is_told() {
    let (_site, admin) = site_with_admin().await;
    let answer = admin
        .upload(
            make::torrent("file", &make::payload(2, 20_000), None),
            "other",
            "",
        )
        .await;
    assert_eq!(answer.status(), StatusCode::OK);
    let page = answer.text().await.unwrap();
    assert!(
        page.contains("new info hash") && page.contains("/download"),
        "{page}"
    );
    let id = page
        .split("/torrents/")
        .nth(1)
        .unwrap()
        .split('/')
        .next()
        .unwrap()
        .to_owned();
    let own = admin.download(&id).await;
    assert_eq!(
        metainfo::read(&own, "OpenTracker").unwrap().info,
        metainfo::Info::Kept
    );
}

#[tokio::test]
async fn one_hash_is_offered_once_even_when_two_upload_it_at_once() {
    let (_site, admin) = site_with_admin().await;
    let file = make::torrent("file", &make::payload(3, 20_000), SOURCE);
    let token = admin.token().await;
    let (one, other) = tokio::join!(
        admin.upload_with(&token, file.clone(), "other", ""),
        admin.upload_with(&token, file.clone(), "other", "")
    );
    let mut answers = [one, other];
    answers.sort_by_key(reqwest::Response::status);
    assert_eq!(
        answers.each_ref().map(reqwest::Response::status),
        [StatusCode::SEE_OTHER, StatusCode::CONFLICT]
    );
    let [won, lost] = answers;
    let location = won.headers()[LOCATION].to_str().unwrap().to_owned();
    assert!(
        lost.text()
            .await
            .unwrap()
            .contains(&format!("href=\"{location}\"")),
        "it links to the one that is there"
    );
}

#[tokio::test]
async fn what_cannot_be_a_torrent_is_told_in_the_form_and_changes_nothing() {
    let (_site, admin) = site_with_admin().await;
    let good = make::torrent("file", &make::payload(4, 20_000), SOURCE);
    let mut wrong_pieces = good.clone();
    let at = wrong_pieces
        .windows(11)
        .position(|part| part == b"lengthi2000")
        .unwrap();
    wrong_pieces[at + 7] = b'9';
    for (file, words) in [
        (good[..good.len() - 9].to_vec(), "valid .torrent file"),
        (b"l".repeat(100_000), ""),
        (
            b"d4:infod6:lengthi-1e4:name1:a12:piece lengthi16384e6:pieces0:ee".to_vec(),
            "",
        ),
        (b"not a torrent".to_vec(), ""),
        (vec![], ""),
        (wrong_pieces, "pieces where its files need"),
    ] {
        let answer = admin.upload(file, "other", "kept text").await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
        let page = answer.text().await.unwrap();
        assert!(
            page.contains("notice bad") && page.contains("kept text") && page.contains(words),
            "{page}"
        );
    }
    let missing = admin.upload(good.clone(), "no-such-category", "").await;
    assert_eq!(missing.status(), StatusCode::UNPROCESSABLE_ENTITY);
    for excess in [1, 3 * 1024 * 1024] {
        let answer = admin
            .upload(vec![b'x'; metainfo::LARGEST + excess], "other", "")
            .await;
        assert_eq!(
            answer.status(),
            StatusCode::PAYLOAD_TOO_LARGE,
            "{excess} bytes more"
        );
        assert!(answer.text().await.unwrap().contains("10 MiB"));
    }
    assert!(
        admin
            .page("/torrents")
            .await
            .contains("No torrent was uploaded yet")
    );
}

#[tokio::test]
async fn guests_can_neither_upload_nor_download() {
    let (site, admin) = site_with_admin().await;
    let file = make::torrent("file", &make::payload(5, 20_000), SOURCE);
    let id = admin.uploaded(file.clone(), "other", "").await;
    let guest = site.client();
    assert_eq!(
        guest.upload_with("", file, "other", "").await.status(),
        StatusCode::UNAUTHORIZED
    );
    let answer = guest.get(&format!("/torrents/{id}/download")).await;
    assert!(
        answer.headers()[LOCATION]
            .to_str()
            .unwrap()
            .starts_with("/sign-in?next=")
    );
}

#[tokio::test]
async fn a_withdrawn_torrent_is_gone_and_may_come_again() {
    let (site, admin) = site_with_admin().await;
    admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    admin.approve_nothing().await;
    let member = site.client();
    assert_eq!(
        member.register("alice", PASSWORD).await.0,
        StatusCode::CREATED
    );
    let file = make::torrent("file", &make::payload(6, 20_000), SOURCE);
    let id = member.uploaded(file.clone(), "other", "").await;
    let other = site.client();
    assert_eq!(
        other.register("bertha", PASSWORD).await.0,
        StatusCode::CREATED
    );
    let path = format!("/torrents/{id}/withdraw");
    assert_eq!(
        other.post_form(&path, &[]).await.status(),
        StatusCode::FORBIDDEN
    );
    assert_eq!(
        member
            .post_form(&path, &[("reason", "wrong file")])
            .await
            .status(),
        StatusCode::SEE_OTHER
    );
    assert!(!other.page("/torrents?q=file").await.contains(&id));
    for (client, status) in [(&other, 404), (&member, 200), (&admin, 200)] {
        assert_eq!(
            client.get(&format!("/torrents/{id}")).await.status(),
            status
        );
    }
    assert_eq!(
        member
            .get(&format!("/torrents/{id}/download"))
            .await
            .status(),
        404
    );
    assert_eq!(
        member.post_form(&path, &[]).await.status(),
        StatusCode::UNPROCESSABLE_ENTITY,
        "twice"
    );
    let again = member.uploaded(file, "other", "").await;
    assert_ne!(again, id);
}

#[tokio::test]
async fn a_withdrawn_torrent_is_restored_unless_the_staff_withdrew_it() {
    let (site, admin) = site_with_admin().await;
    admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    admin.approve_nothing().await;
    let member = site.client();
    assert_eq!(member.register("alice", PASSWORD).await.0, 201);
    let file = make::torrent("file", &make::payload(6, 20_000), SOURCE);
    let id = member.uploaded(file.clone(), "other", "").await;
    let [page, withdraw, restore] =
        ["", "/withdraw", "/restore"].map(|part| format!("/torrents/{id}{part}"));
    assert_eq!(
        member.post_form(&restore, &[]).await.status(),
        422,
        "it is offered"
    );
    assert_eq!(member.post_form(&withdraw, &[]).await.status(), 303);
    assert!(member.page(&page).await.contains("Restore"));
    assert_eq!(member.post_form(&restore, &[]).await.status(), 303);
    assert!(member.page("/torrents?q=file").await.contains(&id));
    assert!(!member.download(&id).await.is_empty());
    assert_eq!(
        admin
            .post_form(&withdraw, &[("reason", "a <fake>")])
            .await
            .status(),
        303
    );
    assert!(member.page("/uploads").await.contains("a &lt;fake&gt;"));
    let told = member.page(&page).await;
    assert!(told.contains("The staff withdrew") && told.contains("a &lt;fake&gt;"));
    assert!(!told.contains("Restore"), "only the staff does");
    assert_eq!(
        member.post_form(&restore, &[]).await.status(),
        422,
        "the staff withdrew it"
    );
    let again = member.uploaded(file, "other", "").await;
    assert_eq!(
        admin.post_form(&restore, &[]).await.status(),
        409,
        "it came again"
    );
    let path = format!("/torrents/{again}/withdraw");
    assert_eq!(member.post_form(&path, &[]).await.status(), 303);
    assert_eq!(admin.post_form(&restore, &[]).await.status(), 303);
    assert!(member.page("/torrents").await.contains(&id));
}

#[tokio::test]
async fn pages_of_the_list_meet_every_torrent_once_in_every_order() {
    let (_site, admin) = site_with_admin().await;
    let mut ids = vec![];
    for number in 0..55_u8 {
        let file = make::torrent(
            &format!("file {number:02}"),
            &make::payload(number, 1_000 + usize::from(number % 7)),
            SOURCE,
        );
        // One of them stands below the other.
        let category = ["movies", "movies-hd"][usize::from(number % 2)];
        ids.push(admin.uploaded(file, category, "").await);
    }
    for sort in [
        "",
        "sort=name&dir=asc",
        "sort=size&dir=desc",
        "sort=seeders&dir=desc",
        "sort=snatches&dir=asc",
        "sort=seeders&dir=asc",
        "sort=leechers&dir=desc",
        "sort=category&dir=asc",
        "sort=category&dir=desc",
        "category=movies",
        "q=file",
        "q=file&sort=category&dir=asc",
        "q=file&category=movies",
        "q=fil&sort=size&dir=desc",
        "q=file&sort=size&dir=asc&category=movies",
        "q=file&sort=added&dir=asc",
    ] {
        let first = admin.page(&format!("/torrents?{sort}")).await;
        let next = first
            .split("rel=\"next\" href=\"")
            .nth(1)
            .expect(sort)
            .split('"')
            .next()
            .unwrap();
        let second = admin.page(&next.replace("&amp;", "&")).await;
        for id in &ids {
            let row = format!("<a href=\"/torrents/{id}\">");
            assert_eq!(
                first.matches(&row).count() + second.matches(&row).count(),
                1,
                "{sort}: {id}"
            );
        }
    }
    // Where nobody seeds, the newest comes first.
    let page = admin.page("/torrents?sort=seeders&dir=desc").await;
    let at = |id: &String| page.find(&format!("<a href=\"/torrents/{id}\">"));
    let order: Vec<_> = ids.iter().rev().filter_map(at).collect();
    assert!(order.is_sorted() && order.len() == 50, "{order:?}");
}

#[tokio::test]
async fn torrents_are_added_at_the_command_line() {
    let (site, admin) = site_with_admin().await;
    let file = site.data.join("../added.torrent");
    std::fs::write(
        &file,
        make::torrent("added", &make::payload(8, 9_000), None),
    )
    .unwrap();
    let arguments = [
        "--json",
        "torrent",
        "add",
        file.to_str().unwrap(),
        "--category",
        "other",
        "--as",
        "admin",
    ];
    let added = site.run_json(&arguments);
    let id = added["torrent"].as_str().unwrap();
    assert_eq!(added["info_hash"].as_str().unwrap().len(), 40);
    tests::until("the page", std::time::Duration::from_secs(5), || async {
        (admin.get(&format!("/torrents/{id}")).await.status() == 200).then_some(())
    })
    .await;
    assert_eq!(site.run(&arguments).status.code(), Some(1));
}
