//! Back to a point in time: the log up to there, and all that belongs to it as it stood then.

use std::path::Path;

use api::sign_in::scram::Purpose;
use sqlx::PgPool;

use super::{PASSWORD, Scene, file, refused, told};
use crate::erasure::erase;

/// What stands beside the log, as text.
async fn beside(pool: &PgPool) -> Vec<String> {
    let mut all = vec![];
    for table in ["unique_claim", "flush_ledger", "command_log"] {
        let rows = format!("select t::text from {table} t order by 1");
        let rows: Vec<String> = sqlx::query_scalar(&rows).fetch_all(pool).await.unwrap();
        all.extend(rows);
    }
    all
}

/// The site of then is served: what was withdrawn later is there and claimed, what came later isn't.
async fn is_as_it_stood(scene: &Scene, data: &Path, before: &[String]) {
    let then = scene.site.over(data).await;
    let rows = beside(&then.database().await).await;
    // The start itself may have noted something since.
    for row in before {
        assert!(rows.contains(row), "{row}");
    }
    let member = then.client();
    assert_eq!(member.sign_in("known-admin-name", PASSWORD).await.0, 200);
    let page = member.page("/torrents").await;
    assert!(page.contains("known-file-2") && !page.contains("known-file-3"));
    assert_ne!(member.upload(file(2), "other", "text").await.status(), 303);
    assert_eq!(member.upload(file(3), "other", "text").await.status(), 303);
}

/// The last position, and its time.
async fn head(pool: &PgPool) -> (i64, String) {
    let query = "select position, to_char(recorded_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')
                 from event_log order by position desc limit 1";
    sqlx::query_as(query).fetch_one(pool).await.unwrap()
}

#[tokio::test]
async fn a_site_goes_back_to_a_point_in_time_with_its_claims_as_they_were() {
    let scene = Scene::set().await;
    let withdrawn = scene.upload(2).await;
    let pool = scene.site.database().await;
    let (head, time) = head(&pool).await;
    let before = beside(&pool).await;
    // A claim that is let go, is taken by another in a later piece, and one that comes after.
    scene.create();
    let path = format!("/torrents/{withdrawn}/withdraw");
    let answer = scene.admin.post_form(&path, &[("reason", "wrong")]).await;
    assert_eq!(answer.status(), 303);
    let made = scene.create();
    scene.upload(2).await;
    scene.upload(3).await;
    // The note of a backup is in the next one.
    let after = beside(&pool).await;
    scene.create();
    let root = scene.root(&head.into());
    for (name, moment) in [("by-position", head.to_string()), ("by-time", time)] {
        let data = scene.empty(name);
        let restored = told(&scene.restore(&data, &["--at", &moment]));
        assert_eq!(
            (&restored["position"], &restored["root"]),
            (&head.into(), &root)
        );
        is_as_it_stood(&scene, &data, &before).await;
    }
    let whole = scene.empty("whole");
    told(&scene.restore(&whole, &[]));
    let then = scene.site.over(&whole).await;
    let rows = beside(&then.database().await).await;
    for row in &after {
        assert!(rows.contains(row), "{row}");
    }
    let data = scene.empty("none");
    let beyond = (made["position"].as_i64().unwrap() + 1_000).to_string();
    refused(
        &scene.restore(&data, &["--at", &beyond]),
        "the backup has events 1 to",
    );
    refused(
        &scene.restore(&data, &["--at", "1"]),
        "the Panic Password was set",
    );
    refused(
        &scene.restore(&data, &["--at", "2001-02-03T04:05:06Z"]),
        "first event is from after that time",
    );
    refused(
        &scene.restore(&data, &["--at", "tomorrow"]),
        "neither a position nor a time",
    );
}

#[tokio::test]
async fn an_erased_member_comes_back_by_no_later_backup() {
    let scene = Scene::set().await;
    let named = scene.site.run(&["member", "create", "leaver"]);
    assert!(named.status.success());
    let before = scene.create();
    let by = ("known-admin-name", PASSWORD, Purpose::Erasure);
    let whom = ("/api/admin/members/leaver/erase", "ERASE leaver");
    let (status, told_so) = erase(&scene.admin, by, whom).await;
    assert_eq!(status, 200, "{told_so}");
    let after = scene.create();
    let proved = told(&scene.say(&["verify"]));
    assert_eq!(proved["root"], after["root"]);
    // The point before wants a key that is gone, and nothing is restored with a hole in it.
    let data = scene.empty("before");
    let at = before["position"].to_string();
    refused(&scene.restore(&data, &["--at", &at]), "a member was erased");
    assert_eq!(told(&scene.restore(&data, &[]))["root"], after["root"]);
}
