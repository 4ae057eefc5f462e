//! A demo with very many torrents: what it holds is as if members had made it, and it grows.

use sqlx::PgPool;
use tests::{Options, Site};

use crate::rebuild::rebuilt_rows_are_the_same;

async fn count(database: &PgPool, of: &str) -> i64 {
    let query = format!("select count(*) from {of}");
    sqlx::query_scalar(&query)
        .fetch_one(database)
        .await
        .unwrap()
}

fn proves(site: &Site) {
    let proof = site.run(&["audit", "verify"]);
    assert!(proof.status.success(), "{proof:?}");
}

#[tokio::test]
async fn a_scaled_demo_proves_rebuilds_to_the_same_rows_and_grows() {
    let options = Options {
        arguments: ["--demo", "--scale", "1000"].map(str::to_owned).to_vec(),
        ..Options::default()
    };
    let mut site = Site::start(options).await;
    let database = site.database().await;
    let laid = "read.torrent where name like '%.0000%'";
    assert_eq!(count(&database, laid).await, 1_000);
    let said = count(&database, "read.comment").await + count(&database, "read.post").await;
    // Of the samples there are a few.
    assert!((5_000..5_100).contains(&said), "{said}");
    proves(&site);
    rebuilt_rows_are_the_same(&site).await;
    database.close().await;
    site.stop();
    site.say(&["--demo", "--scale", "1500"]);
    site.launch().await;
    let database = site.database().await;
    assert_eq!(
        count(&database, "read.torrent where name ~ '\\.000[01][0-9]{3}$'").await,
        1_500
    );
    let grown = count(&database, "read.comment").await + count(&database, "read.post").await;
    assert_eq!(grown, said + 2_500);
    proves(&site);
}

#[tokio::test]
async fn what_is_no_demo_is_not_filled() {
    let mut site = Site::start(Options::default()).await;
    site.client().set_up("admin", "correct horse battery").await;
    let database = site.database().await;
    let before = count(&database, "event_log").await;
    database.close().await;
    site.stop();
    for (wrong, says) in [
        (["serve", "--scale", "5"].as_slice(), "--demo"),
        (&["serve", "--demo", "--scale", "0"], "1..=10000000"),
        (&["serve", "--demo", "--scale", "many"], "--scale"),
        (
            &[
                "serve",
                "--listen",
                "127.0.0.1:0",
                "--tracker",
                "127.0.0.1:0",
                "--demo",
                "--scale",
                "5",
            ],
            "isn't a demo",
        ),
    ] {
        let refused = site.run(wrong);
        let told = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(
            !refused.status.success() && told.contains(says),
            "{wrong:?}: {told}"
        );
    }
    site.launch().await;
    let database = site.database().await;
    // A start and an end may set a checkpoint; nothing else is new.
    assert!(count(&database, "event_log").await <= before + 3);
    assert_eq!(count(&database, "read.torrent").await, 0);
}
