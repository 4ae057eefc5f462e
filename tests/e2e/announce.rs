//! Announces through the tracker's socket of a whole site.

use std::time::Duration;

use domain::metainfo;
use tests::{Client, Options, Site, make, until};

const PASSWORD: &str = "correct horse battery";
const SOURCE: Option<&str> = Some("OpenTracker");

/// A site with one member and one torrent; its hash encoded for a query.
async fn site_with_torrent() -> (Site, Client, String, String) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let file = make::torrent("file", &make::payload(1, 50_000), SOURCE);
    let hash = make::encode(&metainfo::read(&file, "OpenTracker").unwrap().info_hash.0);
    let id = admin.uploaded(file, "other", "").await;
    (site, admin, id, hash)
}

async fn says(url: &str, hash: &str, rest: &str) -> String {
    let url = format!("{url}&info_hash={hash}&peer_id=-TR3000-aaaaaaaaaaaa&port=6881{rest}");
    let answer = reqwest::get(url).await.unwrap();
    assert_eq!(answer.status(), 200);
    String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned()
}

/// The announce once the tracker has heard of the torrent.
async fn admitted(url: &str, hash: &str, rest: &str) -> String {
    until("admission", Duration::from_secs(5), || async {
        Some(says(url, hash, rest).await).filter(|answer| !answer.contains("unknown"))
    })
    .await
}

#[tokio::test]
async fn a_torrent_is_announced_within_a_second_and_refused_within_one_of_its_withdrawal() {
    let (_site, admin, id, hash) = site_with_torrent().await;
    let url = admin.announce_url().await;
    let answer = admitted(&url, &hash, "&uploaded=0&downloaded=0&left=0&event=started").await;
    assert!(answer.starts_with("d8:completei1e"), "{answer}");
    assert!(
        admin
            .page(&format!("/torrents/{id}"))
            .await
            .contains("Transmission 3.00")
    );
    admin
        .post_form(&format!("/torrents/{id}/withdraw"), &[])
        .await;
    until("the refusal", Duration::from_secs(2), || async {
        says(&url, &hash, "&uploaded=0&downloaded=0&left=0")
            .await
            .contains("torrent withdrawn")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_refused_announce_changes_nothing() {
    let (site, admin, id, hash) = site_with_torrent().await;
    let url = admin.announce_url().await;
    admitted(&url, &hash, "&uploaded=0&downloaded=0&left=9&numwant=0").await;
    let stranger = format!(
        "http://{}/announce?passkey={}",
        site.announces,
        "0".repeat(32)
    );
    for (url, rest, text) in [
        (
            stranger.as_str(),
            "&uploaded=999&downloaded=0&left=0&event=completed",
            "passkey unknown",
        ),
        (
            &url,
            "&uploaded=999&left=0&event=completed",
            "invalid request: downloaded",
        ),
        (
            &url,
            "&uploaded=999&uploaded=1&downloaded=0&left=0",
            "invalid request: uploaded",
        ),
        (
            &url,
            "&uploaded=x&downloaded=0&left=0",
            "invalid request: uploaded",
        ),
        (
            &url,
            "&uploaded=1&downloaded=0&left=0&event=burst",
            "invalid request: event",
        ),
    ] {
        let answer = says(url, &hash, rest).await;
        assert!(
            answer.contains(&format!("failure reason{}:{text}", text.len())),
            "{answer}"
        );
    }
    let after = says(&url, &hash, "&uploaded=0&downloaded=0&left=9").await;
    assert!(
        after.starts_with("d8:completei0e10:downloadedi0e"),
        "{after}"
    );
    until("the ledger", Duration::from_secs(10), || async {
        admin.page("/ledger").await.contains(&id).then_some(())
    })
    .await;
    assert!(!admin.page("/ledger").await.contains("999 B"));
}

#[tokio::test]
async fn announces_go_on_without_the_database_and_are_credited_when_it_is_back() {
    let (site, admin, _id, hash) = site_with_torrent().await;
    let url = admin.announce_url().await;
    admitted(&url, &hash, "&uploaded=0&downloaded=0&left=0&event=started").await;
    let pid = site.database_pid();
    let signal = |name: &str| {
        assert!(
            std::process::Command::new("kill")
                .args([name, &pid])
                .status()
                .unwrap()
                .success()
        );
    };
    // Stopped rather than killed: it holds every connection and answers none.
    let children = std::process::Command::new("pkill")
        .args(["-STOP", "-P", &pid])
        .status()
        .unwrap();
    signal("-STOP");
    assert!(children.success());
    let before = std::time::Instant::now();
    for uploaded in 1..=50 {
        let answer = says(
            &url,
            &hash,
            &format!("&uploaded={uploaded}000&downloaded=0&left=0"),
        )
        .await;
        assert!(answer.contains("completei1e"), "{answer}");
    }
    assert!(
        before.elapsed() < Duration::from_secs(5),
        "an announce waits for no database"
    );
    let ready = reqwest::get(site.url("/health/ready"));
    let away = tokio::time::timeout(Duration::from_secs(30), ready).await;
    assert!(away.is_err() || away.unwrap().unwrap().status() == 503);
    signal("-CONT");
    assert!(
        std::process::Command::new("pkill")
            .args(["-CONT", "-P", &pid])
            .status()
            .unwrap()
            .success()
    );
    until("the credit", Duration::from_secs(30), || async {
        let answer = admin.get("/ledger").await;
        answer
            .text()
            .await
            .ok()?
            .contains("50000 bytes")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_dead_database_is_brought_up_again_and_pages_say_to_try_again_meanwhile() {
    let (site, admin, _id, _hash) = site_with_torrent().await;
    let pid = site.database_pid();
    assert!(
        std::process::Command::new("kill")
            .args(["-QUIT", &pid])
            .status()
            .unwrap()
            .success()
    );
    let seen = std::sync::atomic::AtomicUsize::new(0);
    until("the database", Duration::from_secs(30), || async {
        let answer = admin.get("/torrents").await;
        let status = answer.status();
        if status == 503 {
            assert!(answer.headers().contains_key("retry-after"));
            let said = answer.text().await.unwrap().to_lowercase();
            for word in ["sqlx", "postgres", "os error", ".sock"] {
                assert!(!said.contains(word), "{word} in {said}");
            }
            seen.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        }
        (status == 200 && site.database_pid() != pid).then_some(())
    })
    .await;
    assert!(seen.into_inner() > 0, "it was away for a while");
}

#[tokio::test]
async fn totals_survive_kill_9_of_the_program() {
    let (mut site, admin, _id, hash) = site_with_torrent().await;
    let url = admin.announce_url().await;
    admitted(&url, &hash, "&uploaded=0&downloaded=0&left=0&event=started").await;
    says(&url, &hash, "&uploaded=1000&downloaded=0&left=0").await;
    until("the first credit", Duration::from_secs(10), || async {
        admin
            .page("/ledger")
            .await
            .contains("1000 bytes")
            .then_some(())
    })
    .await;
    says(&url, &hash, "&uploaded=2000&downloaded=0&left=0").await;
    site.kill();
    site.launch().await;
    let back = admitted(&url, &hash, "&uploaded=3000&downloaded=0&left=0").await;
    assert!(back.contains("completei1e"));
    let again = site.client();
    assert_eq!(again.sign_in("admin", PASSWORD).await.0, 200);
    until("the last credit", Duration::from_secs(10), || async {
        again
            .page("/ledger")
            .await
            .contains("3000 bytes")
            .then_some(())
    })
    .await;
    let lines = again
        .page("/ledger")
        .await
        .matches("data-label=\"Client\"")
        .count();
    assert_eq!(
        lines, 1,
        "the report after the restart belongs to the same run"
    );
}
