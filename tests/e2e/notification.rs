//! What members are told, what is new to them, and what isn't for their eyes.

use reqwest::header::LOCATION;
use tests::{Client, Options, Site, make};

use crate::rebuild::rebuilt_rows_are_the_same;

const PASSWORD: &str = "correct horse battery";

/// A site with its administrator and two members.
async fn scene() -> (Site, [Client; 3]) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    let open = [("registration", "open")];
    admin.post_form("/staff/registration", &open).await;
    let mut clients = vec![admin];
    for name in ["alice", "bertha"] {
        let member = site.client();
        assert_eq!(member.register(name, PASSWORD).await.0, 201);
        clients.push(member);
    }
    (site, clients.try_into().unwrap())
}

async fn lead(client: &Client, path: &str, fields: &[(&str, &str)]) -> String {
    let answer = client.post_form(path, fields).await;
    assert_eq!(answer.status(), 303, "{path}");
    answer.headers()[LOCATION].to_str().unwrap().to_owned()
}

async fn open(client: &Client, section: &str, title: &str, text: &str) -> String {
    let fields = [("title", title), ("text", text)];
    lead(client, &format!("/forum/{section}/new"), &fields).await
}

/// The number on the bell; 0 where there is none.
fn bell(page: &str) -> u32 {
    let link = page.split("href=\"/notifications\"").nth(1).unwrap();
    let link = link.split("</a>").next().unwrap();
    let number = link.split("badge good\">").nth(1);
    number.map_or(0, |rest| rest.split('<').next().unwrap().parse().unwrap())
}

/// Where each notification leads, the latest first, with its words.
async fn told(client: &Client) -> Vec<(String, String)> {
    let page = client.page("/notifications").await;
    let mut found = vec![];
    for rest in page.split("href=\"/notifications/").skip(1) {
        let (position, rest) = rest.split_once("\">").unwrap();
        let words = rest.split("</a>").next().unwrap().to_owned();
        found.push((format!("/notifications/{position}"), words));
    }
    found
}

#[tokio::test]
async fn answers_mentions_and_comments_are_told_and_lead_to_their_places() {
    let (site, [admin, alice, bertha]) = scene().await;
    let topic = open(&alice, "general", "A topic", "hello @bertha and @nobody").await;
    let reply = format!("{topic}/reply");
    let post = lead(&bertha, &reply, &[("text", "hello @alice")]).await;
    lead(&admin, &reply, &[("text", "hello you two")]).await;
    let words = told(&alice).await;
    let said: Vec<&str> = words.iter().map(|(_, said)| said.as_str()).collect();
    assert_eq!(
        said,
        [
            "admin answered in A topic",
            "bertha mentioned you in A topic"
        ]
    );
    let (last, _) = words.last().unwrap();
    let leads = alice.get(last).await;
    assert_eq!(leads.headers()[LOCATION].to_str().unwrap(), post);
    let words = told(&bertha).await;
    let said: Vec<&str> = words.iter().map(|(_, said)| said.as_str()).collect();
    assert_eq!(
        said,
        [
            "admin answered in A topic",
            "alice mentioned you in A topic"
        ]
    );
    assert!(told(&admin).await.is_empty(), "one's own tell nothing");
    let file = make::torrent("file", &make::payload(1, 9_000), Some("OpenTracker"));
    let torrent = alice.uploaded(file, "other", "").await;
    let review = format!("/torrents/{torrent}/review");
    let ask = [("verdict", "changes"), ("reason", "say more, please")];
    lead(&admin, &review, &ask).await;
    let page = alice.page("/notifications").await;
    assert!(page.contains("asks for changes of file") && page.contains("say more, please"));
    // Bertha doesn't see it yet, so she isn't told of it.
    let comments = format!("/torrents/{torrent}/comments");
    lead(&alice, &comments, &[("text", "soon, @bertha")]).await;
    assert_eq!(told(&bertha).await.len(), 2);
    lead(&admin, &review, &[("verdict", "approve")]).await;
    let comment = lead(&bertha, &comments, &[("text", "thanks, @alice")]).await;
    let welcome = lead(&alice, &comments, &[("text", "welcome, @Bertha")]).await;
    let words = told(&alice).await;
    let said: Vec<&str> = words.iter().map(|(_, said)| said.as_str()).collect();
    assert_eq!(
        said[..2],
        ["bertha mentioned you below file", "The staff approved file"]
    );
    let words = told(&bertha).await;
    assert_eq!(words[0].1, "alice mentioned you below file");
    let leads = bertha.get(&words[0].0).await;
    assert_eq!(leads.headers()[LOCATION].to_str().unwrap(), welcome);
    let leads = alice.get(&told(&alice).await[0].0).await;
    assert_eq!(leads.headers()[LOCATION].to_str().unwrap(), comment);
    let warned = [("act", "warn"), ("reason", "be kind")];
    lead(&admin, "/members/bertha/sanction", &warned).await;
    let page = bertha.page("/notifications").await;
    assert!(page.contains("The staff warned you") && page.contains("be kind"));
    lead(&admin, &format!("/torrents/{torrent}/withdraw"), &[]).await;
    let page = bertha.page("/notifications").await;
    assert!(!page.contains("below file"), "she sees it no more");
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn the_bell_counts_what_is_new_till_it_is_looked_at_or_read() {
    let (_site, [admin, alice, bertha]) = scene().await;
    assert_eq!(bell(&alice.page("/").await), 0);
    let topic = open(&alice, "general", "A topic", "words").await;
    for text in ["one", "two", "three"] {
        lead(&bertha, &format!("{topic}/reply"), &[("text", text)]).await;
    }
    assert_eq!(bell(&alice.page("/").await), 3);
    let words = told(&alice).await;
    for _ in 0..2 {
        assert_eq!(alice.get(&words[1].0).await.status(), 303);
        assert_eq!(bell(&alice.page("/").await), 2);
    }
    for foreign in [&words[0].0, "/notifications/0", "/notifications/x"] {
        assert_eq!(admin.get(foreign).await.status(), 404, "{foreign}");
    }
    lead(&alice, "/notifications/read", &[]).await;
    assert_eq!(bell(&alice.page("/").await), 0);
    assert_eq!(told(&alice).await.len(), 3, "what is read stays");
    lead(&bertha, &format!("{topic}/reply"), &[("text", "four")]).await;
    assert_eq!(bell(&alice.page("/").await), 1);
}

#[tokio::test]
async fn nothing_of_a_section_for_the_staff_is_told_to_others() {
    let (_site, [admin, alice, bertha]) = scene().await;
    let secret = open(&admin, "staff", "A secret plan", "about @alice").await;
    lead(
        &admin,
        &format!("{secret}/reply"),
        &[("text", "and @bertha")],
    )
    .await;
    let topic = open(&alice, "general", "Moved away", "words").await;
    lead(&bertha, &format!("{topic}/reply"), &[("text", "an answer")]).await;
    let words = told(&alice).await;
    assert_eq!((words.len(), bell(&alice.page("/").await)), (1, 1));
    let page = admin.page("/forum").await;
    assert!(page.contains("A secret plan"));
    let sections = admin.page(&topic).await;
    let staff = sections
        .split("<option value=\"")
        .skip(1)
        .find(|one| one.contains(">Staff<"));
    let staff = staff.unwrap().split('"').next().unwrap();
    let fields = [("act", "move"), ("section", staff)];
    lead(&admin, &format!("{topic}/staff"), &fields).await;
    for member in [&alice, &bertha] {
        let page = member.page("/notifications").await;
        assert!(
            !page.contains("secret") && !page.contains("Moved away"),
            "{page}"
        );
        assert_eq!(bell(&page), 0);
    }
    assert_eq!(alice.get(&words[0].0).await.status(), 404);
}
