//! Erasing a member: nothing of their own is readable any more, anywhere, and everything else holds.

use std::time::Duration;

use api::sign_in::scram::Purpose;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use domain::api_key::Scope;
use domain::metainfo;
use reqwest::StatusCode;
use serde_json::Value;
use tests::{Client, Options, Site, make, until};

use crate::api_key::key;
use crate::panic::{PANIC, activate, restore, say, verified};
use crate::rebuild::{rebuilt_rows_are_the_same, rows};

const PASSWORD: &str = "correct horse battery";
pub(crate) const NAME: &str = "known-leaver";
const WAIT: Duration = Duration::from_secs(10);

/// A member with one of everything, and what opens each.
pub(crate) struct Leaver {
    client: Client,
    torrent: String,
    pub(crate) hash: String,
    pub(crate) announces: String,
    key: String,
    feed: String,
    invite: String,
    pub(crate) totp_secret: String,
    id: String,
}

async fn location(client: &Client, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = client.post_form(path, fields).await;
    assert_eq!(answer.status(), 303, "{path}");
    answer.headers()["location"].to_str().unwrap().to_owned()
}

async fn code(client: &Client) -> String {
    location(client, "/invites", &[]).await;
    let page = client.page("/invites").await;
    let code = page.split("/register?invite=").nth(1).unwrap();
    code.split('<').next().unwrap().to_owned()
}

async fn join(site: &Site, name: &str, code: &str) -> (StatusCode, Client) {
    let client = site.client();
    let mut body = client.registration(name, PASSWORD).await;
    body["inviteCode"] = code.into();
    let (status, _) = client.post_json("/api/auth/register", &body).await;
    client.sign_in(name, PASSWORD).await;
    (status, client)
}

/// Asks for a member's erasure, by a proof of a password for a purpose.
pub(crate) async fn erase(
    client: &Client,
    (by, password, purpose): (&str, &str, Purpose),
    (address, confirm): (&str, &str),
) -> (StatusCode, Value) {
    let mut body = client.answer_for(purpose, by, password).await;
    body.as_object_mut().unwrap().remove("username");
    body["confirm"] = confirm.into();
    client.post_json(address, &body).await
}

const OWN: &str = "/api/auth/erase";

pub(crate) async fn says(url: &str, hash: &str, rest: &str) -> String {
    let url = format!("{url}&info_hash={hash}&peer_id=-TR3000-aaaaaaaaaaaa&port=6881{rest}");
    let answer = reqwest::get(url).await.unwrap();
    String::from_utf8_lossy(&answer.bytes().await.unwrap()).into_owned()
}

async fn status(site: &Site, path: &str, key: Option<&str>) -> u16 {
    let request = reqwest::Client::new().get(site.url(path));
    let request = match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    };
    request.send().await.unwrap().status().as_u16()
}

/// Has a member say and mark something, and gives the torrent with its hash for a query.
async fn gives(client: &Client) -> (String, String) {
    let payload = make::payload(1, 50_000);
    let file = make::torrent("their-torrent", &payload, Some("OpenTracker"));
    let hash = make::encode(&metainfo::read(&file, "OpenTracker").unwrap().info_hash.0);
    let torrent = client.uploaded(file, "other", "their-description").await;
    let of = |what: &str| format!("/torrents/{torrent}/{what}");
    location(client, &of("comments"), &[("text", "their-comment")]).await;
    location(client, &of("bookmark"), &[("act", "set")]).await;
    let topic = [("title", "their-topic"), ("text", "their-post")];
    location(client, "/forum/general/new", &topic).await;
    (torrent, hash)
}

/// Has a member seed, until it stands in the ledger.
async fn seeds(client: &Client, hash: &str) -> String {
    let announces = client.announce_url().await;
    until("admission", WAIT, || async {
        let began = "&uploaded=0&downloaded=0&left=0&event=started";
        (!says(&announces, hash, began).await.contains("failure")).then_some(())
    })
    .await;
    let moved = "&uploaded=70000&downloaded=0&left=0&event=stopped";
    says(&announces, hash, moved).await;
    until("the credit", WAIT, || async {
        let page = client.page("/ledger").await;
        page.contains("their-torrent").then_some(())
    })
    .await;
    announces
}

pub(crate) async fn leaver(site: &Site, admin: &Client) -> Leaver {
    let (joined, client) = join(site, NAME, &code(admin).await).await;
    assert_eq!(joined, StatusCode::CREATED);
    let (torrent, hash) = gives(&client).await;
    let key = key(&client, "known-label", &[Scope::Read]).await;
    client.post_form("/settings/feeds", &[]).await;
    let feeds = client.page("/settings/feeds").await;
    let feed = feeds.split("key=").nth(1).unwrap();
    let is_part = char::is_ascii_alphanumeric;
    let feed = feed.chars().take_while(is_part).collect();
    let granted = format!("/members/{NAME}/invites");
    location(admin, &granted, &[("count", "3")]).await;
    let (guest, _) = join(site, "guest", &code(&client).await).await;
    assert_eq!(guest, StatusCode::CREATED);
    let sanction = [("act", "warn"), ("reason", "known-warning"), ("hours", "0")];
    location(admin, &format!("/members/{NAME}/sanction"), &sanction).await;
    let announces = seeds(&client, &hash).await;
    let id: String = sqlx::query_scalar("select id::text from read.member where name = $1")
        .bind(NAME)
        .fetch_one(&site.database().await)
        .await
        .unwrap();
    let invite = code(&client).await;
    let device = client.enable_second_factor(NAME, PASSWORD).await;
    Leaver {
        totp_secret: device.secret.reveal(),
        client,
        torrent,
        hash,
        announces,
        key,
        feed,
        invite,
        id,
    }
}

async fn site() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    admin.approve_nothing().await;
    location(&admin, "/staff/registration", &[("registration", "invite")]).await;
    (site, admin)
}

/// Everything that opened something for the member is refused.
async fn nothing_opens(site: &Site, gone: &Leaver) {
    assert_eq!(gone.client.get("/settings").await.status(), 303);
    let feed = format!("/rss/latest?key={}", gone.feed);
    until("the refusals", WAIT, || async {
        let answers = [
            status(site, "/api/v1/torrents", Some(&gone.key)).await,
            status(site, &feed, None).await,
        ];
        answers
            .iter()
            .all(|status| matches!(status, 401 | 403 | 404))
            .then_some(())
    })
    .await;
    until("the tracker's refusal", WAIT, || async {
        let answer = says(
            &gone.announces,
            &gone.hash,
            "&uploaded=0&downloaded=0&left=0",
        )
        .await;
        answer.contains("passkey unknown").then_some(())
    })
    .await;
    let (signed_in, _) = gone.client.sign_in(NAME, PASSWORD).await;
    assert_eq!(signed_in, StatusCode::UNAUTHORIZED);
    let (joined, _) = join(site, "late-guest", &gone.invite).await;
    assert_eq!(joined, StatusCode::UNPROCESSABLE_ENTITY);
}

/// What the log says of the member, as auditors read it, is that they were erased.
fn the_log_says_nothing(site: &Site, gone: &Leaver) {
    let output = site.run(&["--json", "audit", "log", "--limit", "100000"]);
    assert!(output.status.success(), "{output:?}");
    let log = String::from_utf8(output.stdout).unwrap();
    let exported = site.run(&["audit", "export"]);
    let export = String::from_utf8(exported.stdout.clone()).unwrap();
    let kept = api::sign_in::scram::credentials(PASSWORD, [7; 32], 100_000);
    for secret in [
        NAME,
        "known-label",
        "known-warning",
        &gone.totp_secret,
        &STANDARD.encode(kept.verifier),
        gone.announces.split("passkey=").nth(1).unwrap(),
    ] {
        let secret = secret.split('&').next().unwrap();
        // Of others with the same password the export has no more than a commitment.
        assert!(!log.contains(secret), "{secret}");
        assert!(!export.contains(secret), "{secret}");
    }
    for text in ["their-comment", "their-description", "[ERASED]"] {
        assert!(log.contains(text), "{text}");
    }
    let stream = format!("user-{}", gone.id);
    let then = site.run_json(&["--json", "audit", "show", &stream]);
    assert_eq!(then["state"]["situation"], "Erased", "{then}");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("export.ndjson");
    std::fs::write(&file, exported.stdout).unwrap();
    let told = site.run_json(&["--json", "audit", "verify", file.to_str().unwrap()]);
    assert_eq!(told["ok"], true, "{told}");
    assert!(told["erased"].as_i64().unwrap() >= 8, "{told}");
}

async fn others_see_what_stays(site: &Site, admin: &Client, gone: &Leaver) {
    let page = admin.page(&format!("/torrents/{}", gone.torrent)).await;
    for text in ["erased member", "their-description", "their-comment"] {
        assert!(page.contains(text), "{text}: {page}");
    }
    assert!(!page.contains(NAME));
    assert!(
        admin
            .page("/members/erased%20member")
            .await
            .contains("left for ever")
    );
    assert_eq!(admin.get(&format!("/members/{NAME}")).await.status(), 404);
    let history = admin.page(&format!("/audit/user-{}", gone.id)).await;
    assert!(
        history.contains("[ERASED]") && !history.contains(NAME),
        "{history}"
    );
    let guest = site.client();
    guest.sign_in("guest", PASSWORD).await;
    assert!(guest.page("/invites").await.contains("erased member"));
}

/// After a panic and a restore the log and the tables are as they were.
async fn a_panic_changes_nothing(site: &Site) {
    let before = (rows(site).await, verified(site, &[]));
    activate(site);
    let closed = verified(site, &[]);
    assert_eq!(closed["erased"], before.1["erased"], "{closed}");
    restore(site);
    let position = before.1["position"].to_string();
    let after = verified(site, &["--to", &position]);
    for told in ["root", "chain", "erased"] {
        assert_eq!(after[told], before.1[told], "{told}");
    }
    until("the site", Duration::from_mins(1), || async {
        let ready = reqwest::get(site.url("/health/ready")).await;
        ready.is_ok_and(|ready| ready.status() == 200).then_some(())
    })
    .await;
    until("the rows", Duration::from_mins(1), || async {
        let now = rows(site).await;
        [
            "member",
            "invite",
            "torrent",
            "ledger_gone",
            "statistic",
            "access_member",
        ]
        .iter()
        .all(|table| now.get(*table) == before.0.get(*table))
        .then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_erases_themself_is_gone_and_what_they_gave_stays() {
    let (site, admin) = site().await;
    assert!(say(&site, &["password"], &[PANIC]).status.success());
    let gone = leaver(&site, &admin).await;
    let phrase = format!("ERASE {NAME}");
    for (proof, confirm) in [
        (
            (NAME, "another password", Purpose::Erasure),
            phrase.as_str(),
        ),
        ((NAME, PASSWORD, Purpose::Password), &phrase),
        ((NAME, PASSWORD, Purpose::Erasure), "ERASE somebody"),
        (("admin", PASSWORD, Purpose::Erasure), &phrase),
    ] {
        let (status, told) = erase(&gone.client, proof, (OWN, confirm)).await;
        assert!(status.is_client_error(), "{told}");
    }
    assert!(gone.client.page("/settings/erase").await.contains(&phrase));
    let proof = (NAME, PASSWORD, Purpose::Erasure);
    let (status, told) = erase(&gone.client, proof, (OWN, &phrase)).await;
    assert_eq!(status, StatusCode::OK, "{told}");
    nothing_opens(&site, &gone).await;
    the_log_says_nothing(&site, &gone);
    others_see_what_stays(&site, &admin, &gone).await;
    rebuilt_rows_are_the_same(&site).await;
    assert_eq!(site.run_json(&["--json", "audit", "ledger"])["ok"], true);

    // Somebody else takes the name, also where it was written in another case.
    let (status, again) = join(&site, "Known-Leaver", &code(&admin).await).await;
    assert_eq!(status, StatusCode::CREATED);
    assert!(!again.page("/bookmarks").await.contains("their-torrent"));
    a_panic_changes_nothing(&site).await;
}

#[tokio::test]
async fn an_administrator_erases_a_member_and_no_administrator_and_others_may_not() {
    let (site, admin) = site().await;
    let (_, bob) = join(&site, "bob", &code(&admin).await).await;
    join(&site, "carol", &code(&admin).await).await;
    let (_, second) = join(&site, "second", &code(&admin).await).await;
    let role = [("role", "administrator")];
    location(&admin, "/members/second/role", &role).await;
    let by = |name| (name, PASSWORD, Purpose::Erasure);
    let carol = ("/api/admin/members/carol/erase", "ERASE carol");
    assert_eq!(erase(&bob, by("bob"), carol).await.0, 403);
    let (status, told) = erase(
        &admin,
        by("admin"),
        ("/api/admin/members/second/erase", "ERASE second"),
    )
    .await;
    assert_eq!(status, 422, "{told}");
    assert_eq!(
        erase(&second, by("second"), (OWN, "ERASE second")).await.0,
        422
    );
    let page = second.page("/settings/erase").await;
    assert!(page.contains("takes the role away first"), "{page}");

    assert!(
        admin
            .page("/members/carol/erase")
            .await
            .contains("ERASE carol")
    );
    let (status, told) = erase(&admin, by("admin"), carol).await;
    assert_eq!(status, 200, "{told}");
    assert_eq!(erase(&admin, by("admin"), carol).await.0, 404);
    assert_eq!(admin.get("/members/carol").await.status(), 404);

    let wrong = site.run(&["member", "erase", "bob", "--confirm", "bo"]);
    assert_eq!(wrong.status.code(), Some(1));
    assert_eq!(bob.get("/settings").await.status(), 200);
    // The command line's own word reaches the running site through the log.
    let done = site.run_json(&["--json", "member", "erase", "bob", "--confirm", "bob"]);
    assert_eq!(done["erased"], true, "{done}");
    until("the session's end", WAIT, || async {
        (bob.get("/settings").await.status() == 303).then_some(())
    })
    .await;
    rebuilt_rows_are_the_same(&site).await;
    assert_eq!(verified(&site, &[])["ok"], true);
}
