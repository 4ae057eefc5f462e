//! Who may ask for what: every declared route, asked by every role.

use api::route::{Declared, Who};
use domain::user::Role;
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

fn expected(who: Who, role: Option<Role>) -> Met {
    match (who, role) {
        // A session opens nothing that is for scripts.
        (Who::Key(..), _) => Met::NoKey,
        (Who::Anyone, _) | (Who::Member, Some(_)) => Met::Admitted,
        (_, None) => Met::SignIn,
        (Who::May(permission), Some(role)) if role.permissions().has(permission) => Met::Admitted,
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
            let (met, expected) = (ask(client, one).await, expected(one.who, *role));
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
