//! Backups and panic: what one from before holds, what one from during is, and what comes after.

use super::{PANIC, Scene, refused, tell, told, verified};
use crate::panic::{activate, restore, say_in, vault};

#[tokio::test]
async fn a_backup_from_before_a_panic_opens_by_the_password_or_a_kept_key() {
    let scene = Scene::set().await;
    let key = std::fs::read(scene.key()).unwrap();
    let before = scene.create();
    activate(&scene.site);
    assert!(!std::path::Path::new(&scene.key()).exists());
    let data = scene.empty("by-password");
    let wrong = tell(scene.command(&data, &["restore"]), &["not the password"]);
    refused(&wrong, "this isn't the Panic Password");
    let restored = told(&tell(scene.command(&data, &["restore"]), &[PANIC]));
    assert_eq!(
        (&restored["root"], &restored["state"]),
        (&before["root"], &"open".into())
    );
    // Whoever kept a copy of the key needs no password: keep none where the backups are.
    let kept = scene.place.path().join("kept.key");
    std::fs::write(&kept, key).unwrap();
    let kept = kept.display().to_string();
    let data = scene.empty("by-key");
    let output = tell(scene.command(&data, &["restore", "--key", &kept]), &[]);
    assert_eq!(told(&output)["root"], before["root"]);
}

#[tokio::test]
async fn a_backup_of_a_sealed_site_is_sealed_and_comes_back_by_the_password() {
    let scene = Scene::set().await;
    let before = scene.create();
    activate(&scene.site);
    let sealed = scene.create();
    assert_eq!(
        (&sealed["sealed"], &sealed["began"]),
        (&true.into(), &true.into())
    );
    assert_eq!(scene.root(&sealed["position"]), sealed["root"]);
    let again = scene.create();
    assert_eq!(
        (&again["bytes"], &again["root"]),
        (&0.into(), &sealed["root"])
    );
    assert_eq!(again["series"], sealed["series"]);
    // Its hashes alone are proved, and no key opens it.
    let none = scene.empty("none");
    let proved = told(&tell(scene.command(&none, &["verify"]), &[PANIC]));
    assert_eq!(
        (&proved["contents"], &proved["root"]),
        (&false.into(), &sealed["root"])
    );
    let key = scene.place.path().join("some.key");
    std::fs::write(&key, "77".repeat(32)).unwrap();
    let key = key.display().to_string();
    let output = tell(scene.command(&none, &["verify", "--key", &key]), &[]);
    refused(&output, "the Panic Password alone opens it");
    let upto = before["position"].to_string();
    let output = tell(scene.command(&none, &["restore", "--at", &upto]), &[PANIC]);
    refused(&output, "the backup is sealed");
    let data = scene.empty("elsewhere");
    let restored = told(&tell(scene.command(&data, &["restore"]), &[PANIC]));
    assert_eq!(restored["state"], "sealed");
    assert!(!data.join("keys/master.key").exists());
    let output = say_in(&scene.site, &data, &["restore"], &[PANIC]);
    assert!(output.status.success(), "{output:?}");
    let elsewhere = scene.site.over(&data).await;
    let upto = sealed["position"].to_string();
    assert_eq!(
        verified(&elsewhere, &["--to", &upto])["root"],
        sealed["root"]
    );
    let member = elsewhere.client();
    assert_eq!(
        member.sign_in("known-admin-name", super::PASSWORD).await.0,
        200
    );
    // Back from the panic there are other keys: the next backup begins a series of its own.
    restore(&scene.site);
    assert_eq!(vault(&scene.site)["state"], "open");
    let after = scene.create();
    assert!(after["series"].as_str().unwrap().ends_with("0003"));
    assert_eq!(told(&scene.say(&["verify"]))["root"], after["root"]);
}
