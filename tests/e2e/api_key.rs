//! API keys: what each scope reaches, what a role still forbids, and the page on which they are made.

use api::route::{Declared, Who};
use domain::api_key::Scope;
use domain::user::Role;
use reqwest::StatusCode;
use serde_json::Value;
use tests::{Client, Options, Site, make};

use crate::permission::{address, of_every_role};
use crate::rebuild::rebuilt_rows_are_the_same;

const PASSWORD: &str = "correct horse battery";

/// Makes a key on the page, as a member does, and reads what is shown once.
pub(crate) async fn key(client: &Client, label: &str, scopes: &[Scope]) -> String {
    let named: Vec<String> = scopes
        .iter()
        .map(|one| format!("scope-{}", one.name()))
        .collect();
    let mut fields = vec![("label", label)];
    fields.extend(named.iter().map(|name| (name.as_str(), "1")));
    let answer = client.post_form("/settings/keys", &fields).await;
    assert_eq!(answer.status(), 200);
    let page = answer.text().await.unwrap();
    let shown = page.split("data-copy>").nth(1).unwrap();
    shown.split('<').next().unwrap().to_owned()
}

/// Asks without any cookie and without an origin, as a script does.
pub(crate) async fn ask(site: &Site, key: Option<&str>, declared: &Declared) -> (u16, Value) {
    let url = site.url(&address(declared));
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none());
    let request = http.build().unwrap().request(declared.method.clone(), url);
    let request = match key {
        Some(key) => request.bearer_auth(key),
        None => request,
    };
    let answer = request.send().await.unwrap();
    let status = answer.status().as_u16();
    if matches!(status, 401 | 403) {
        assert_eq!(answer.headers()["content-type"], "application/problem+json");
        let told = answer.headers().contains_key("www-authenticate");
        assert!(status == 403 || told || !matches!(declared.who, Who::Key(..)));
    }
    (status, answer.json().await.unwrap_or_default())
}

/// The kind of refusal before any handler, if it was one.
fn refused(answer: &(u16, Value)) -> Option<&str> {
    let kind = answer.1["type"].as_str()?.strip_prefix("/problems/")?;
    [
        "no-key",
        "wrong-key",
        "missing-scope",
        "missing-permission",
        "signed-out",
    ]
    .contains(&kind)
    .then_some(kind)
}

fn expected(who: Who, role: Role, scope: Scope) -> Option<&'static str> {
    match who {
        Who::Key(needed, _) if needed != scope => Some("missing-scope"),
        Who::Key(_, Some(permission)) if !role.permissions().has(permission) => {
            Some("missing-permission")
        }
        Who::Key(_, Some(permission)) if Scope::of(permission) != scope => Some("missing-scope"),
        Who::Key(..) | Who::Anyone => None,
        // A key opens nothing but what is for scripts.
        Who::Member | Who::May(_) => Some("signed-out"),
    }
}

#[tokio::test]
async fn a_key_reaches_what_its_scope_says_and_its_members_role_lets_and_nothing_else() {
    let (site, clients) = of_every_role().await;
    let declared = api::declared();
    let mut wrong = vec![];
    let mut cells = 0;
    for (role, client) in clients
        .iter()
        .filter_map(|(role, client)| Some((role.as_ref()?, client)))
    {
        for scope in Scope::ALL {
            let key = key(client, scope.name(), &[scope]).await;
            // What people send must come from a page of ours, whoever they are.
            let asked = |one: &&Declared| one.path.starts_with("/api/v1/") || one.method == "GET";
            for one in declared.iter().filter(asked) {
                cells += 1;
                let answer = ask(&site, Some(&key), one).await;
                if refused(&answer) != expected(one.who, *role, scope) {
                    wrong.push(format!("{one:?} {role:?} {scope:?}: {answer:?}"));
                }
            }
        }
    }
    eprintln!(
        "{cells} cells: {} routes, 4 roles, 5 scopes",
        declared.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

async fn of(site: &Site, key: Option<&str>, path: &str) -> (StatusCode, Value) {
    let request = reqwest::Client::new().get(site.url(path));
    let request = match key {
        Some(key) => request.header("Authorization", format!("bearer {key}")),
        None => request,
    };
    let answer = request.send().await.unwrap();
    (answer.status(), answer.json().await.unwrap_or_default())
}

#[tokio::test]
async fn a_key_is_shown_once_and_no_cookie_and_no_other_text_opens_what_it_does() {
    let (site, _admin, member, text) = with_a_key(&[Scope::Read, Scope::Administer]).await;
    assert!(text.starts_with("otk_"), "{text}");
    let page = member.page("/settings/keys").await;
    assert!(page.contains("&lt;my script&gt;") && page.contains("not used lately"));
    assert!(!page.contains(&text), "it is shown once");
    let (status, me) = of(&site, Some(&text), "/api/v1/me").await;
    assert_eq!((status.as_u16(), &me["name"]), (200, &"alice".into()));
    assert_eq!(me["scopes"], serde_json::json!(["read", "administer"]));
    assert!(member.page("/settings/keys").await.contains("last used"));
    // A cookie opens nothing here, and no other text does.
    let (status, told) = {
        let answer = member
            .request(reqwest::Method::GET, "/api/v1/me")
            .send()
            .await
            .unwrap();
        (answer.status(), answer.json::<Value>().await.unwrap())
    };
    assert_eq!(
        (status.as_u16(), &told["type"]),
        (401, &"/problems/no-key".into())
    );
    let long = "x".repeat(5_000);
    for other in [
        "otk_00",
        "",
        &long,
        text.trim_end_matches(char::is_alphanumeric),
    ] {
        assert_eq!(of(&site, Some(other), "/api/v1/me").await.0, 401, "{other}");
    }
}

/// A site with an administrator and a member, and a key of the member.
async fn with_a_key(scopes: &[Scope]) -> (Site, Client, Client, String) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    let member = site.client();
    assert_eq!(member.register("alice", PASSWORD).await.0, 201);
    let text = key(&member, "<my script>", scopes).await;
    (site, admin, member, text)
}

#[tokio::test]
async fn a_key_follows_its_members_role_outlives_a_rebuild_and_ends_when_it_is_revoked() {
    let (site, admin, member, text) = with_a_key(&[Scope::Read, Scope::Administer]).await;
    let file = make::torrent("file", &make::payload(6, 20_000), Some("OpenTracker"));
    member.uploaded(file, "other", "").await;
    // What the member may is read anew at each request.
    let settings = "/api/v1/settings";
    assert_eq!(of(&site, Some(&text), settings).await.0, 403);
    let promote = [("role", "administrator")];
    admin.post_form("/members/alice/role", &promote).await;
    assert_eq!(of(&site, Some(&text), settings).await.0, 200);
    admin
        .post_form("/members/alice/role", &[("role", "member")])
        .await;
    assert_eq!(of(&site, Some(&text), settings).await.0, 403);
    rebuilt_rows_are_the_same(&site).await;
    assert_eq!(of(&site, Some(&text), "/api/v1/me").await.0, 200);
    // Another member can't revoke it, its own can, at once.
    let page = member.page("/settings/keys").await;
    let id = page.split("name=\"key\" value=\"").nth(1).unwrap();
    let id = id.split('"').next().unwrap().to_owned();
    let revoke = [("key", id.as_str())];
    assert_eq!(
        admin
            .post_form("/settings/keys/revoke", &revoke)
            .await
            .status(),
        422
    );
    assert_eq!(
        member
            .post_form("/settings/keys/revoke", &revoke)
            .await
            .status(),
        303
    );
    let (status, told) = of(&site, Some(&text), "/api/v1/me").await;
    assert_eq!(
        (status.as_u16(), &told["type"]),
        (401, &"/problems/wrong-key".into())
    );
    rebuilt_rows_are_the_same(&site).await;
    let log = site.run(&["--json", "audit", "log", "--event", "ApiKeyMade"]);
    assert!(!String::from_utf8(log.stdout).unwrap().contains(&text));
    assert!(!site.log().contains(&text));
}

#[tokio::test]
async fn what_is_wrong_with_a_key_is_told_in_the_form_and_twenty_are_enough() {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let long = "x".repeat(61);
    for (label, scope, said) in [
        ("", "scope-read", "Call the key something"),
        (long.as_str(), "scope-read", "Call the key something"),
        ("<typed>", "nothing", "at least one thing"),
    ] {
        let answer = admin
            .post_form("/settings/keys", &[("label", label), (scope, "1")])
            .await;
        assert_eq!(answer.status(), 422);
        let page = answer.text().await.unwrap();
        assert!(page.contains(said) && !page.contains("<typed>"), "{page}");
    }
    let nul = [("label", "a\0b"), ("scope-read", "1")];
    assert_eq!(admin.post_form("/settings/keys", &nul).await.status(), 400);
    for number in 0..20 {
        key(&admin, &format!("key {number}"), &[Scope::Read]).await;
    }
    let fields = [("label", "one more"), ("scope-read", "1")];
    let answer = admin.post_form("/settings/keys", &fields).await;
    assert_eq!(answer.status(), 422);
    assert!(answer.text().await.unwrap().contains("You have 20 keys"));
}
