//! Two clients of libtorrent exchange a file and announce over UDP, with the passkey as BEP 41 carries it.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tests::{Client, Options, Site, make, until};

const PASSWORD: &str = "correct horse battery";
/// The file's bytes.
const LENGTH: usize = 3_000_000;

/// A member's announce URL over UDP.
async fn url(site: &Site, member: &Client) -> String {
    let url = member.announce_url().await;
    let passkey = url.split("passkey=").nth(1).unwrap();
    format!("udp://{}/announce/{passkey}", site.announces)
}

#[tokio::test]
async fn clients_of_libtorrent_exchange_a_file_over_udp_and_every_byte_is_credited() {
    let site = Site::start(Options {
        interval: 2,
        ..Options::default()
    })
    .await;
    let (seeder, leecher) = (site.client(), site.client());
    seeder.set_up("seeder", PASSWORD).await;
    seeder
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    seeder.approve_nothing().await;
    assert_eq!(leecher.register("leecher", PASSWORD).await.0, 201);
    let payload = make::payload(5, LENGTH);
    let file = make::torrent("film.bin", &payload, Some("OpenTracker"));
    let torrent = seeder.uploaded(file, "other", "").await;
    let folder = site.data.join("../clients");
    for name in ["seed", "leech"] {
        std::fs::create_dir_all(folder.join(name)).unwrap();
    }
    std::fs::write(folder.join("seed/film.bin"), &payload).unwrap();
    let path = folder.join("film.torrent");
    std::fs::write(&path, seeder.download(&torrent).await).unwrap();
    let mut clients = Command::new("/usr/bin/python3");
    clients
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/e2e/packets.py"))
        .arg(&path)
        .args([folder.join("seed"), folder.join("leech")])
        .args([url(&site, &seeder).await, url(&site, &leecher).await]);
    let output = clients.stdin(Stdio::null()).output().unwrap();
    let log = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{log}");
    assert!(std::fs::read(folder.join("leech/film.bin")).unwrap() == payload);
    let claims: Value = serde_json::from_slice(&output.stdout).unwrap();
    let whole = u64::try_from(LENGTH).unwrap();
    assert_eq!(claims["leecher"]["downloaded"], whole, "{log}");
    for (member, name) in [(&seeder, "seeder"), (&leecher, "leecher")] {
        let claimed = &claims[name];
        let expected = (
            claimed["uploaded"].as_u64().unwrap(),
            claimed["downloaded"].as_u64().unwrap(),
        );
        until("the ledger", Duration::from_secs(20), || async {
            let sums = super::clients::sums(&member.page("/ledger").await)?;
            (sums == expected).then_some(())
        })
        .await;
    }
    let proved = site.run_json(&["--json", "audit", "ledger"]);
    assert_eq!(
        (&proved["ok"], &proved["members"]),
        (&true.into(), &2.into())
    );
    ledger_that_does_not_add_up(&site).await;
}

/// One byte more in a table is found, and told whose it is.
async fn ledger_that_does_not_add_up(site: &Site) {
    let database = site.database().await;
    sqlx::query("update read.member_total set uploaded = uploaded + 1 where downloaded > 0")
        .execute(&database)
        .await
        .unwrap();
    let output = site.run(&["audit", "ledger"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(
        error.contains("doesn't add up: the total: uploaded says"),
        "{error}"
    );
    let done = site.run(&["projections", "rebuild", "traffic"]);
    assert!(done.status.success(), "{done:?}");
    assert!(site.run(&["audit", "ledger"]).status.success());
}
