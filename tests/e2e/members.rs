//! Who joins, who is shut out: invites, starter credit, warnings and bans.

use std::time::Duration;

use serde_json::Value;
use tests::{Client, Options, Site, until};

mod address;

const PASSWORD: &str = "correct horse battery";

async fn start() -> (Site, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    (site, admin)
}

async fn open(admin: &Client, registration: &str) {
    let set = [("registration", registration)];
    let answer = admin.post_form("/staff/registration", &set).await;
    assert_eq!(answer.status(), 303);
}

/// Makes an invite and gives the code of its link.
async fn invited(admin: &Client) -> String {
    assert_eq!(admin.post_form("/invites", &[]).await.status(), 303);
    let page = admin.page("/invites").await;
    let code = page.split("/register?invite=").nth(1).unwrap();
    code.split('<').next().unwrap().to_owned()
}

/// Joins by a code.
async fn join(site: &Site, name: &str, code: &str) -> (u16, Value) {
    let stranger = site.client();
    let mut body = stranger.registration(name, PASSWORD).await;
    body["inviteCode"] = code.into();
    let (status, answer) = stranger.post_json("/api/auth/register", &body).await;
    (status.as_u16(), answer)
}

#[tokio::test]
async fn an_invite_lets_one_person_join_also_when_two_try_at_once() {
    let (site, admin) = start().await;
    open(&admin, "invite").await;
    let (status, told) = join(&site, "alice", "").await;
    assert_eq!(status, 403, "{told}");
    assert!(
        told["detail"].as_str().unwrap().contains("invite"),
        "{told}"
    );
    let code = invited(&admin).await;
    let page = site
        .client()
        .page(&format!("/register?invite={code}"))
        .await;
    assert!(page.contains(&format!("value=\"{code}\"")), "{page}");

    let names = ["alice", "bob", "carol", "dave"];
    let tries = names.map(|name| join(&site, name, &code));
    let answers = futures::future::join_all(tries).await;
    let joined: Vec<u16> = answers.iter().map(|(status, _)| *status).collect();
    assert_eq!(
        joined.iter().filter(|status| **status == 201).count(),
        1,
        "{answers:?}"
    );
    let used = "This invite was used already; it is good for one.";
    let told = answers
        .iter()
        .filter(|(status, told)| *status == 422 && told["detail"] == used);
    assert_eq!(told.count(), 3, "{answers:?}");

    let page = admin.page("/invites").await;
    let guest = names[joined.iter().position(|status| *status == 201).unwrap()];
    assert!(page.contains(&format!("/members/{guest}")), "{page}");
    assert!(page.contains("invite <strong>9</strong> more"), "{page}");
    assert!(!page.contains(&code), "a used code is shown no more");
    assert!(admin.page("/staff/invites").await.contains(guest));
    // Who isn't asked for everybody's sees none of them.
    let member = site.client();
    assert_eq!(member.sign_in(guest, PASSWORD).await.0, 200);
    assert_eq!(member.get("/staff/invites").await.status(), 403);
    assert!(
        member
            .page("/invites")
            .await
            .contains("You joined by an invite of")
    );
}

#[tokio::test]
async fn an_unused_invite_comes_back_when_it_is_revoked_or_its_time_is_over() {
    let (site, admin) = start().await;
    open(&admin, "invite").await;
    let code = invited(&admin).await;
    let page = admin.page("/invites").await;
    let id = page.split("action=\"/invites/").nth(1).unwrap();
    let path = format!("/invites/{}/revoke", id.split('/').next().unwrap());
    assert_eq!(admin.post_form(&path, &[]).await.status(), 303);
    assert_eq!(admin.post_form(&path, &[]).await.status(), 404);
    let (status, told) = join(&site, "alice", &code).await;
    assert_eq!(status, 422, "{told}");
    let page = admin.page("/invites").await;
    assert!(
        page.contains("revoked") && page.contains("<strong>10</strong>"),
        "{page}"
    );

    let set = admin
        .post_form("/staff/settings/joining", &[("invite_time", "1 s")])
        .await;
    assert_eq!(set.status(), 303);
    let code = invited(&admin).await;
    until("the end", Duration::from_secs(30), || async {
        let page = admin.page("/invites").await;
        (page.contains("expired") && page.contains("<strong>10</strong>")).then_some(())
    })
    .await;
    let (status, told) = join(&site, "alice", &code).await;
    assert_eq!(status, 422, "{told}");
    let (status, told) = join(&site, "alice", "not a code").await;
    assert_eq!(status, 400, "{told}");
}

#[tokio::test]
async fn who_joins_gets_the_starter_credit_and_the_invites_of_that_day() {
    let (site, admin) = start().await;
    open(&admin, "open").await;
    let set = [("starter_upload", "1 GiB"), ("default_invites", "1")];
    let answer = admin.post_form("/staff/settings/joining", &set).await;
    assert_eq!(answer.status(), 303);
    let alice = site.client();
    assert_eq!(alice.register("alice", PASSWORD).await.0, 201);
    let page = alice.page("/members/alice").await;
    assert!(page.contains("1.00 GiB"), "{page}");
    assert_eq!(alice.post_form("/invites", &[]).await.status(), 303);
    assert_eq!(alice.post_form("/invites", &[]).await.status(), 422);
    let granted = admin
        .post_form("/members/alice/invites", &[("count", "2")])
        .await;
    assert_eq!(granted.status(), 303);
    assert_eq!(alice.post_form("/invites", &[]).await.status(), 303);
    let refused = alice
        .post_form("/members/alice/invites", &[("count", "2")])
        .await;
    assert_eq!(refused.status(), 403);
}

/// Waits until announces are told that the member is banned.
async fn refused_to_announce(url: &str) {
    let hash = "a".repeat(20);
    let announce = format!(
        "{url}&info_hash={hash}&peer_id=-TR3000-000000000001&port=1&uploaded=0&downloaded=0&left=0"
    );
    until("the refusal", Duration::from_secs(5), || async {
        let answer = reqwest::get(&announce)
            .await
            .unwrap()
            .bytes()
            .await
            .unwrap();
        let told = String::from_utf8_lossy(&answer);
        told.contains("you are banned").then_some(())
    })
    .await;
}

/// Sends the form of a sanction and gives the status.
async fn sanctioned(by: &Client, member: &str, act: &str, reason: &str) -> u16 {
    let fields = [("act", act), ("reason", reason), ("hours", "24")];
    let path = format!("/members/{member}/sanction");
    by.post_form(&path, &fields).await.status().as_u16()
}

#[tokio::test]
async fn a_banned_member_is_out_at_the_next_request_and_reads_why_after_a_right_proof() {
    let (site, admin) = start().await;
    open(&admin, "open").await;
    let alice = site.client();
    assert_eq!(alice.register("alice", PASSWORD).await.0, 201);
    let url = alice.announce_url().await;
    assert_eq!(sanctioned(&alice, "admin", "ban", "x").await, 403);
    assert_eq!(sanctioned(&admin, "admin", "ban", "x").await, 403);
    assert_eq!(sanctioned(&admin, "alice", "ban", " ").await, 422);
    assert_eq!(sanctioned(&admin, "alice", "warn", "be kind").await, 303);
    let own = alice.page("/members/alice").await;
    assert!(own.contains("be kind"), "{own}");

    assert_eq!(
        sanctioned(&admin, "alice", "ban", "sold <i>invites</i>").await,
        303
    );
    assert_eq!(
        alice.get("/torrents").await.status(),
        303,
        "the session is over"
    );
    let (status, told) = alice.sign_in("alice", PASSWORD).await;
    assert_eq!(status, 403, "{told}");
    let detail = told["detail"].as_str().unwrap();
    assert!(
        detail.contains("sold <i>invites</i>") && detail.contains("ends at"),
        "{told}"
    );
    let (status, told) = alice.sign_in("alice", "wrong horse battery").await;
    assert_eq!(status, 401, "{told}");
    assert!(!told.to_string().contains("banned"), "{told}");
    refused_to_announce(&url).await;
    let list = admin.page("/staff/members?q=AL").await;
    assert!(
        list.contains("alice")
            && list.contains("banned")
            && !list.contains("/members/admin\">admin</a> <span"),
        "{list}"
    );

    assert_eq!(sanctioned(&admin, "alice", "lift", "a mistake").await, 303);
    assert_eq!(alice.sign_in("alice", PASSWORD).await.0, 200);
    let page = admin.page("/members/alice").await;
    assert!(
        page.contains("sold &lt;i&gt;invites&lt;/i&gt;") && page.contains("let in again"),
        "{page}"
    );
}

#[tokio::test]
async fn moderators_keep_order_among_members_and_not_among_themselves() {
    let (site, admin) = start().await;
    open(&admin, "open").await;
    let (one, other, alice) = (site.client(), site.client(), site.client());
    for (client, name) in [(&one, "first"), (&other, "second"), (&alice, "alice")] {
        assert_eq!(client.register(name, PASSWORD).await.0, 201);
    }
    for name in ["first", "second"] {
        let role = [("role", "moderator")];
        let answer = admin
            .post_form(&format!("/members/{name}/role"), &role)
            .await;
        assert_eq!(answer.status(), 303);
    }
    assert!(
        !one.page("/members/second")
            .await
            .contains("/members/second/sanction")
    );
    for (of, status) in [
        ("second", 403),
        ("admin", 403),
        ("first", 403),
        ("alice", 303),
    ] {
        assert_eq!(
            sanctioned(&one, of, "warn", "be kind").await,
            status,
            "{of}"
        );
    }
    assert_eq!(sanctioned(&admin, "first", "ban", "enough").await, 303);
}

#[tokio::test]
async fn when_somebody_was_here_last_is_told_to_them_and_the_staff_by_the_day() {
    let (site, admin) = start().await;
    open(&admin, "open").await;
    let [alice, bertha] = [site.client(), site.client()];
    for (client, name) in [(&alice, "alice"), (&bertha, "bertha")] {
        assert_eq!(client.register(name, PASSWORD).await.0, 201);
    }
    for client in [&alice, &admin] {
        let page = client.page("/members/alice").await;
        let told = page.split("<dt>Last here</dt><dd><time datetime=\"").nth(1);
        let day = told.unwrap().split('"').next().unwrap();
        assert_eq!(day.len(), "2026-01-01".len(), "{day}: no hour is told");
    }
    let page = bertha.page("/members/alice").await;
    assert!(!page.contains("Last here"), "{page}");
    assert_eq!(alice.post_form("/sign-out", &[]).await.status(), 303);
    let page = admin.page("/members/alice").await;
    assert!(
        page.contains("<dt>Last here</dt><dd>signed in nowhere</dd>"),
        "{page}"
    );
}
