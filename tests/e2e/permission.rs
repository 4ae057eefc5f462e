//! Who may ask for what: every declared route, asked by every role.

use api::route::{Declared, Who};
use domain::user::Role;
use domain::{Permission, Permissions};
use reqwest::{Method, Response};
use tests::{Client, Options, Site};

const PASSWORD: &str = "correct horse battery";

/// How a request was met, before any handler saw it.
#[derive(Debug, PartialEq, Eq)]
enum Met {
    /// Nobody is signed in.
    SignIn,
    /// No key was sent.
    NoKey,
    /// The role doesn't let its members.
    Missing,
    /// It reached the handler, whatever that made of it.
    Admitted,
}

fn expected(who: Who, may: Option<Permissions>) -> Met {
    match (who, may) {
        // A session opens nothing that is for scripts.
        (Who::Key(..), _) => Met::NoKey,
        (Who::Anyone, _) | (Who::Member, Some(_)) => Met::Admitted,
        (_, None) => Met::SignIn,
        (Who::May(permission), Some(may)) if may.has(permission) => Met::Admitted,
        (Who::May(_), Some(_)) => Met::Missing,
    }
}

/// An address of a route: what varies is filled with what is nowhere.
pub(crate) fn address(declared: &Declared) -> String {
    let nowhere = "00000000-0000-4000-8000-000000000000";
    let filled = |part| {
        if str::starts_with(part, '{') {
            nowhere
        } else {
            part
        }
    };
    let parts: Vec<&str> = declared.path.split('/').map(filled).collect();
    parts.join("/")
}

async fn met(answer: Response) -> Met {
    let status = answer.status().as_u16();
    let text = answer.text().await.unwrap();
    let says = |kind: &str| text.contains(&format!("/problems/{kind}\""));
    match status {
        401 if says("signed-out") => Met::SignIn,
        401 if says("no-key") => Met::NoKey,
        403 if says("missing-permission") => Met::Missing,
        _ => Met::Admitted,
    }
}

/// Asks as a page of ours does, without a form's token, so that nothing is changed.
async fn ask(client: &Client, declared: &Declared) -> Met {
    let request = client.request(declared.method.clone(), &address(declared));
    met(request.send().await.unwrap()).await
}

/// A site, and a client for the guest and for each role.
pub(crate) async fn of_every_role() -> (Site, Vec<(Option<Role>, Client)>) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let mut clients = vec![(None, site.client())];
    for role in [Role::Member, Role::Moderator, Role::Auditor] {
        let client = site.client();
        let name = format!("the-{}", role.name());
        assert_eq!(client.register(&name, PASSWORD).await.0, 201);
        let to = format!("/members/{name}/role");
        let given = admin.post_form(&to, &[("role", role.name())]).await;
        assert_eq!(given.status(), 303, "{name}");
        clients.push((Some(role), client));
    }
    clients.push((Some(Role::Administrator), admin));
    (site, clients)
}

#[tokio::test]
async fn every_route_is_refused_to_every_role_exactly_as_it_is_declared() {
    let (_site, clients) = of_every_role().await;
    let mut declared = api::declared();
    assert!(declared.len() > 40, "{declared:?}");
    // What ends a session comes last.
    declared.sort_by_key(|one| one.path == "/api/auth/logout");
    let mut wrong = vec![];
    let mut cells = 0;
    for one in &declared {
        for (role, client) in &clients {
            cells += 1;
            let may = role.map(Role::permissions);
            let (met, expected) = (ask(client, one).await, expected(one.who, may));
            if met != expected {
                let (method, path) = (&one.method, &one.path);
                wrong.push(format!(
                    "{method} {path} {role:?}: {met:?}, not {expected:?}"
                ));
            }
        }
    }
    eprintln!(
        "{cells} cells: {} routes, {} roles",
        declared.len(),
        clients.len()
    );
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_role_of_the_sites_own_opens_the_routes_of_its_permission_and_no_other() {
    let (_site, clients) = of_every_role().await;
    let of = |wanted| clients.iter().find(|(role, _)| *role == Some(wanted));
    let (admin, member) = (
        &of(Role::Administrator).unwrap().1,
        &of(Role::Member).unwrap().1,
    );
    let guarded = |one: &Declared| matches!(one.who, Who::May(_));
    let declared: Vec<Declared> = api::declared().into_iter().filter(guarded).collect();
    let (mut wrong, mut cells) = (vec![], 0);
    for permission in Permission::ALL {
        if permission == Permission::Administer {
            continue;
        }
        let ticked = format!("may-{}", permission.name());
        let name = permission.name().replace('_', " ") + " alone";
        let fields = [("name", name.as_str()), ("colour", "red"), (&ticked, "1")];
        let made = admin.post_form("/staff/roles", &fields).await;
        assert_eq!(made.status(), 303, "{name}");
        let page = admin.page("/members/the-member").await;
        let offered = page.split("id=\"own-role\"").nth(1).unwrap();
        let role = offered.split("value=\"").nth(1).unwrap();
        let role = role.split('"').next().unwrap();
        for act in ["grant", "withdraw"] {
            let fields = [("act", act), ("role", role)];
            let handed = admin.post_form("/members/the-member/roles", &fields).await;
            assert_eq!(handed.status(), 303, "{name}");
            let may: Permissions = [permission]
                .into_iter()
                .filter(|_| act == "grant")
                .collect();
            for one in &declared {
                cells += 1;
                let (met, expected) = (ask(member, one).await, expected(one.who, Some(may)));
                if met != expected {
                    let (method, path) = (&one.method, &one.path);
                    wrong.push(format!("{method} {path} {name}, {act}: {met:?}"));
                }
            }
        }
        let retire = format!("/staff/roles/{role}/retire");
        assert_eq!(admin.post_form(&retire, &[]).await.status(), 303, "{name}");
    }
    eprintln!("{cells} cells: {} routes, 11 roles", declared.len());
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn a_guest_is_led_to_the_sign_in_by_every_page_that_is_for_members() {
    let site = Site::start(Options::default()).await;
    site.client().set_up("admin", PASSWORD).await;
    let guest = site.client();
    for one in api::declared() {
        if one.method != Method::GET || one.path.starts_with("/api/") {
            continue;
        }
        let answer = guest.get(&address(&one)).await;
        let location = answer.headers().get("location");
        let led = location.is_some_and(|to| to.to_str().unwrap().starts_with("/sign-in?next="));
        assert_eq!(led, one.who != Who::Anyone, "{}", one.path);
    }
}
