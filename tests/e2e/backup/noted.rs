//! The site knows when it was last backed up, and when a backup was last proved.

use std::time::Duration;

use infra::backup::is_of;
use infra::embedded::Embedded;
use tests::until;
use time::OffsetDateTime;

use super::{Scene, tell, told};
use crate::panic::{PANIC, activate};

/// What the site measures of backups: when one was made, and when one was proved.
async fn measured(scene: &Scene) -> [i64; 2] {
    let page = reqwest::get(format!("http://{}/metrics", scene.site.metrics));
    let text = page.await.unwrap().text().await.unwrap();
    ["made", "verified"].map(|kind| {
        let name = format!("opentracker_backup_{kind}_timestamp_seconds ");
        let value = text.lines().find_map(|line| line.strip_prefix(&name));
        value.unwrap().parse().unwrap()
    })
}

#[tokio::test]
async fn each_success_is_told_to_staff_and_measures_and_what_fails_or_is_elsewhere_isnt() {
    let scene = Scene::set().await;
    assert_eq!(measured(&scene).await, [0, 0]);
    let page = scene.admin.page("/staff").await;
    assert!(page.contains("none yet"));
    let began = OffsetDateTime::now_utc().unix_timestamp();
    let made = scene.create();
    assert_eq!(made["noted"], true);
    until("the measure", Duration::from_secs(10), || async {
        let [at, never] = measured(&scene).await;
        (at >= began && never == 0).then_some(())
    })
    .await;
    let page = scene.admin.page("/staff").await;
    let upto = format!("up to event <span class=\"num\">{}", made["position"]);
    assert!(page.contains(&upto) && !page.contains("none yet"));

    let proved = told(&scene.say(&["verify"]));
    assert_eq!(proved["noted"], true);
    until("the measure", Duration::from_secs(10), || async {
        let [_, at] = measured(&scene).await;
        (at >= began).then_some(())
    })
    .await;
    let before = measured(&scene).await;
    // Elsewhere it is proved as well, and the site hears nothing of it.
    let none = scene.empty("none");
    let proved = told(&tell(scene.command(&none, &["verify"]), &[PANIC]));
    assert_eq!(
        (&proved["ok"], &proved["noted"]),
        (&true.into(), &false.into())
    );
    // Nor of a backup of another log.
    let url = Embedded::running(&scene.site.data).unwrap();
    let (position, chain) = (made["position"].as_i64().unwrap(), made["chain"].as_str());
    let chain = chain.unwrap();
    assert!(is_of(&url, position, chain).await.unwrap());
    assert!(!is_of(&url, position, &"0".repeat(64)).await.unwrap());
    assert!(!is_of(&url, position + 1, chain).await.unwrap());
    // A run that fails changes nothing.
    std::fs::write(scene.place.path().join("file"), "").unwrap();
    let mut command = scene.site.command(&scene.site.data);
    command.args(["backup", "create"]);
    command.arg(scene.place.path().join("file/below"));
    assert!(!command.output().unwrap().status.success());
    assert_eq!(measured(&scene).await, before);
    // Nothing can be noted where nothing can be appended, and the backup is made all the same.
    activate(&scene.site);
    assert_eq!(scene.create()["noted"], false);
}
