//! The site's rules from the page to the announce: ratio, hit-and-run, freeleech, clients, flags.

use std::time::Duration;

use domain::metainfo;
use tests::{Client, Options, Site, make, until};

const PASSWORD: &str = "correct horse battery";
const SOURCE: Option<&str> = Some("OpenTracker");

/// A site with an administrator, a member and two torrents.
struct World {
    site: Site,
    admin: Client,
    alice: Client,
    passkey: String,
    /// The torrents with their info hashes as they stand in queries.
    torrents: Vec<(String, String)>,
}

impl World {
    async fn start() -> Self {
        let site = Site::start(Options::default()).await;
        let admin = site.client();
        admin.set_up("admin", PASSWORD).await;
        admin
            .post_form("/staff/registration", &[("registration", "open")])
            .await;
        let alice = site.client();
        assert_eq!(alice.register("alice", PASSWORD).await.0, 201);
        let mut torrents = vec![];
        for number in 1..=2 {
            let file = make::torrent(
                &format!("file-{number}"),
                &make::payload(number, 50_000),
                SOURCE,
            );
            let hash = metainfo::read(&file, "OpenTracker").unwrap().info_hash.0;
            let id = admin.uploaded(file, "other", "").await;
            torrents.push((id, make::encode(&hash)));
        }
        let url = alice.announce_url().await;
        let passkey = url.split_once('?').unwrap().1.to_owned();
        let world = Self {
            site,
            admin,
            alice,
            passkey,
            torrents,
        };
        until("admission", Duration::from_secs(5), || async {
            let told = world
                .announce(1, "&uploaded=0&downloaded=0&left=0&event=stopped")
                .await;
            (!told.contains("unknown")).then_some(())
        })
        .await;
        world
    }

    /// Sets one section of the settings.
    async fn set(&self, section: &str, fields: &[(&str, &str)]) {
        let path = format!("/staff/settings/{section}");
        let answer = self.admin.post_form(&path, fields).await;
        assert_eq!(answer.status(), 303, "{}", answer.text().await.unwrap());
    }

    /// Announces alice's client on a torrent.
    async fn announce(&self, torrent: usize, rest: &str) -> String {
        let url = format!(
            "http://{}/announce?{}&info_hash={}&peer_id=-TR3000-000000000001&port=7001{rest}",
            self.site.announces, self.passkey, self.torrents[torrent].1
        );
        let answer = reqwest::get(url).await.unwrap().bytes().await.unwrap();
        String::from_utf8_lossy(&answer).into_owned()
    }

    async fn told(&self, torrent: usize, rest: &str, wanted: &str) {
        until(wanted, Duration::from_secs(10), || async {
            let told = self.announce(torrent, rest).await;
            told.contains(wanted).then_some(())
        })
        .await;
    }

    async fn shown(&self, client: &Client, path: &str, wanted: &str) -> String {
        until(wanted, Duration::from_secs(15), || async {
            let page = client.page(path).await;
            page.contains(wanted).then_some(page)
        })
        .await
    }
}

const DOWNLOADS: &str = "&uploaded=0&downloaded=0&left=50000&event=started";
const COMPLETES: &str = "&uploaded=0&downloaded=50000&left=0&event=completed";

#[tokio::test]
async fn a_snatch_that_is_not_seeded_is_marked_stops_downloads_and_is_cleared_by_seeding_on() {
    let world = World::start().await;
    let hit_and_run = |most| {
        [
            ("hit_and_run", "on"),
            ("seed_time", "3 s"),
            ("grace_period", "1 s"),
            ("most_hit_and_runs", most),
        ]
    };
    world.set("hit-and-run", &hit_and_run("1")).await;
    world.announce(0, DOWNLOADS).await;
    world.announce(0, COMPLETES).await;
    world
        .announce(0, "&uploaded=0&downloaded=50000&left=0&event=stopped")
        .await;
    let own = world
        .shown(&world.alice, "/hit-and-runs", "hit-and-run</span>")
        .await;
    assert!(own.contains("file-1") && own.contains("over"), "{own}");
    let staff = world.admin.page("/staff/hit-and-runs").await;
    assert!(
        staff.contains("alice") && staff.contains("file-1"),
        "{staff}"
    );
    assert_eq!(world.alice.get("/staff/hit-and-runs").await.status(), 403);

    // A new download is refused, what was completed isn't.
    world.told(1, DOWNLOADS, "hit-and-run limit").await;
    let again = world.announce(0, DOWNLOADS).await;
    assert!(!again.contains("failure"), "{again}");

    // Seeding on takes the mark away, and downloads go on.
    until("seed time", Duration::from_secs(20), || async {
        world
            .announce(0, "&uploaded=9&downloaded=50000&left=0")
            .await;
        let page = world.alice.page("/hit-and-runs").await;
        page.contains("met</span>").then_some(())
    })
    .await;
    until("downloads", Duration::from_secs(5), || async {
        let told = world.announce(1, DOWNLOADS).await;
        (!told.contains("failure")).then_some(())
    })
    .await;
    let audit = world
        .site
        .run(&["audit", "log", "--stream", "transfer", "--json"]);
    let told = String::from_utf8(audit.stdout).unwrap();
    for event in ["SnatchCompleted", "HitAndRunMarked", "HitAndRunCleared"] {
        assert!(told.contains(event), "{told}");
    }
}

#[tokio::test]
async fn the_staff_clears_and_exempts_and_says_why() {
    let world = World::start().await;
    let set = [
        ("hit_and_run", "on"),
        ("seed_time", "9 h"),
        ("grace_period", "1 s"),
    ];
    world.set("hit-and-run", &set).await;
    for torrent in [0, 1] {
        world.announce(torrent, DOWNLOADS).await;
        world.announce(torrent, COMPLETES).await;
    }
    let page = until("two marks", Duration::from_secs(15), || async {
        let page = world.admin.page("/staff/hit-and-runs").await;
        (page.matches("value=\"clear\"").count() == 2).then_some(page)
    })
    .await;
    let member = page.split("name=\"member\" value=\"").nth(1).unwrap();
    let member = member.split('"').next().unwrap();
    for (torrent, act) in [(0, "clear"), (1, "exempt")] {
        let fields = [
            ("member", member),
            ("torrent", world.torrents[torrent].0.as_str()),
            ("act", act),
            ("reason", "the disk <died>"),
        ];
        let refused = world.alice.post_form("/staff/transfers", &fields).await;
        assert_eq!(refused.status(), 403);
        let done = world.admin.post_form("/staff/transfers", &fields).await;
        assert_eq!(done.status(), 303);
        let again = world.admin.post_form("/staff/transfers", &fields).await;
        assert_eq!(again.status(), 422);
    }
    let exempt = world
        .admin
        .page("/staff/hit-and-runs?standing=exempt")
        .await;
    assert!(exempt.contains("the disk &lt;died&gt;"), "{exempt}");
    let profile = world.admin.page("/members/alice").await;
    assert!(
        profile.contains("<dt>Hit-and-runs</dt><dd class=\"num\">0</dd>"),
        "{profile}"
    );
}

#[tokio::test]
async fn what_comes_while_it_is_free_is_in_the_ledger_and_is_not_charged() {
    let world = World::start().await;
    world.announce(0, DOWNLOADS).await;
    world
        .announce(0, "&uploaded=0&downloaded=10000&left=40000")
        .await;
    let begun = world
        .admin
        .post_form("/staff/freeleech", &[("act", "begin"), ("hours", "24")])
        .await;
    assert_eq!(begun.status(), 303);
    // It holds within a second.
    let page = format!("/torrents/{}", world.torrents[0].0);
    world.shown(&world.alice, &page, "Freeleech").await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world
        .announce(0, "&uploaded=0&downloaded=30000&left=20000")
        .await;
    let ended = world
        .admin
        .post_form("/staff/freeleech", &[("act", "end")])
        .await;
    assert_eq!(ended.status(), 303);
    // Then the torrent alone.
    let path = format!("/torrents/{}/freeleech", world.torrents[0].0);
    let refused = world
        .alice
        .post_form(&path, &[("act", "set"), ("hours", "0")])
        .await;
    assert_eq!(refused.status(), 403);
    let set = world
        .admin
        .post_form(&path, &[("act", "set"), ("hours", "0")])
        .await;
    assert_eq!(set.status(), 303);
    tokio::time::sleep(Duration::from_secs(1)).await;
    world
        .announce(0, "&uploaded=0&downloaded=45000&left=5000")
        .await;
    world.admin.post_form(&path, &[("act", "lift")]).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    world
        .announce(0, "&uploaded=0&downloaded=50000&left=0&event=completed")
        .await;
    let ledger = until("the ledger", Duration::from_secs(10), || async {
        let table = world.alice.page("/ledger.csv").await;
        table.contains(",50000,").then_some(table)
    })
    .await;
    let row: Vec<&str> = ledger.lines().nth(1).unwrap().split(',').collect();
    assert_eq!((row[5], row[6]), ("50000", "15000"), "{ledger}");
    let audited = world.site.run(&["audit", "ledger"]);
    assert!(audited.status.success(), "{audited:?}");
}

#[tokio::test]
async fn a_low_ratio_and_a_foreign_client_are_refused_within_a_second_and_changes_are_shown() {
    let world = World::start().await;
    world.announce(0, DOWNLOADS).await;
    world
        .announce(0, "&uploaded=0&downloaded=40000&left=10000")
        .await;
    world.set("ratio", &[("least_ratio", "0.5")]).await;
    world
        .told(1, DOWNLOADS, "ratio too low: 0.00, and 0.50 is the least")
        .await;
    world.set("ratio", &[("least_ratio", "")]).await;
    world.set("tracker", &[("clients", "-qB 4.5")]).await;
    world.told(0, DOWNLOADS, "client not allowed").await;
    world
        .set(
            "tracker",
            &[("clients", "-TR"), ("announce_interval", "10 min")],
        )
        .await;
    world.told(1, DOWNLOADS, "min interval").await;
    let page = world.admin.page("/staff/settings").await;
    assert!(
        page.contains("back to the default") && page.contains("-qB 4.5"),
        "{page}"
    );
    assert_eq!(world.alice.get("/staff/settings").await.status(), 403);

    // What can't be is told beside the field, and nothing of the form is lost or set.
    let wrong = [
        ("announce_interval", "1 s"),
        ("clients", "-TR\n-qB four"),
        ("peers_given", "7"),
    ];
    let answer = world
        .admin
        .post_form("/staff/settings/tracker", &wrong)
        .await;
    assert_eq!(answer.status(), 422);
    let page = answer.text().await.unwrap();
    assert!(page.contains("This lies between 1 min and 2 h."), "{page}");
    assert!(
        page.contains("Line 2 isn&#39;t") || page.contains("Line 2 isn't"),
        "{page}"
    );
    assert!(page.contains("value=\"7\""), "{page}");
    assert!(
        !world
            .admin
            .page("/staff/settings")
            .await
            .contains("value=\"7\"")
    );
}

#[tokio::test]
async fn totals_that_shrink_are_flagged_to_the_staff_with_the_facts() {
    let world = World::start().await;
    world.announce(0, DOWNLOADS).await;
    world
        .announce(0, "&uploaded=9000&downloaded=9000&left=1")
        .await;
    world
        .announce(0, "&uploaded=8000&downloaded=9000&left=1")
        .await;
    let page = world
        .shown(&world.admin, "/staff/flags", "Totals shrank")
        .await;
    assert!(
        page.contains("alice") && page.contains("9000 bytes") && page.contains("8000 bytes"),
        "{page}"
    );
    let member = page.split("name=\"member\" value=\"").nth(1).unwrap();
    let fields = [
        ("member", member.split('"').next().unwrap()),
        ("torrent", world.torrents[0].0.as_str()),
        ("act", "dismiss"),
        ("kind", "shrunk"),
    ];
    let done = world.admin.post_form("/staff/transfers", &fields).await;
    assert_eq!(done.status(), 303);
    assert!(
        world
            .admin
            .page("/staff/flags")
            .await
            .contains("Nothing is flagged.")
    );
    // Nothing was taken from the member.
    let ledger = world.alice.page("/ledger.csv").await;
    assert!(ledger.contains(",9000,9000,9000,"), "{ledger}");
}
