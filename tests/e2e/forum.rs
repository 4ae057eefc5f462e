//! The forum over HTTP: what members say, what the staff does, and who sees what.

use std::time::Duration;

use serde_json::Value;
use tests::{Client, Options, Site, until};

use crate::rebuild::rebuilt_rows_are_the_same;

const PASSWORD: &str = "correct horse battery";
const NOWHERE: &str = "00000000-0000-4000-8000-000000000001";

/// A site with its administrator and two members.
async fn scene() -> (Site, Client, Client, Client) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    let (alice, bob) = (site.client(), site.client());
    for (member, name) in [(&alice, "alice"), (&bob, "bob")] {
        assert_eq!(member.register(name, PASSWORD).await.0, 201);
    }
    (site, admin, alice, bob)
}

async fn send(client: &Client, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let answer = client.post_form(path, fields).await;
    let status = answer.status().as_u16();
    let location = answer.headers().get("location").cloned();
    let location = location.map(|to| to.to_str().unwrap().to_owned());
    (status, location.unwrap_or(answer.text().await.unwrap()))
}

/// Opens a topic and gives its address.
async fn open(client: &Client, section: &str, title: &str, text: &str) -> String {
    let fields = [("title", title), ("text", text)];
    let (status, topic) = send(client, &format!("/forum/{section}/new"), &fields).await;
    assert_eq!(status, 303, "{topic}");
    topic
}

/// Answers and gives the post's address.
async fn reply(client: &Client, topic: &str, text: &str) -> String {
    let (status, post) = send(client, &format!("{topic}/reply"), &[("text", text)]).await;
    assert_eq!(status, 303, "{post}");
    post
}

fn first_post(topic: &str) -> String {
    topic.replace("/topics/", "/posts/")
}

/// Where an address leads.
async fn leads(client: &Client, path: &str) -> String {
    let answer = client.get(path).await;
    assert_eq!(answer.status(), 303, "{path}");
    answer.headers()["location"].to_str().unwrap().to_owned()
}

/// Whether the forum's search finds a post, once it does or doesn't as it should.
async fn found(client: &Client, words: &str, post: &str, expected: bool) {
    until(words, Duration::from_secs(5), || async {
        let page = client.page(&format!("/forum/search?q={words}")).await;
        (page.contains(post) == expected).then_some(())
    })
    .await;
}

/// The topic's events, the first first.
fn events(site: &Site, topic: &str) -> Vec<Value> {
    let stream = topic.replace("/forum/topics/", "topic-");
    let told = site.run(&["--json", "audit", "log", "--stream", &stream]);
    let text = String::from_utf8(told.stdout).unwrap();
    let lines = text.lines();
    let mut events: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    events.reverse();
    events
}

fn one_look_is_noted(site: &Site, topic: &str) {
    let noted = site.run(&["--json", "audit", "log", "--event", "HistoryRead"]);
    let noted = String::from_utf8(noted.stdout).unwrap();
    let stream = topic.replace("/forum/topics/", "topic-");
    let looks = noted
        .lines()
        .filter(|line| line.contains("\"member\"") && line.contains(&stream));
    assert_eq!(
        looks.count(),
        1,
        "the staff's look at what another wrote is noted"
    );
}

#[tokio::test]
async fn members_open_answer_quote_and_edit_and_each_wording_stays() {
    let (site, admin, alice, bob) = scene().await;
    let topic = open(
        &alice,
        "general",
        "A <b>title</b>",
        "the *first* words, @bob",
    )
    .await;
    let page = bob.page(&topic).await;
    assert!(page.contains("A &lt;b&gt;title&lt;/b&gt;") && page.contains("<em>first</em>"));
    assert!(page.contains("href=\"/members/bob\""), "{page}");
    let first = first_post(&topic);
    let id = first.rsplit('/').next().unwrap();
    let quote = bob.page(&format!("{topic}/reply?quote={id}")).await;
    let quoted = format!("&gt; **alice** [wrote](/forum/posts/{id}):");
    assert!(
        quote.contains(&quoted) && quote.contains("&gt; the *first* words"),
        "{quote}"
    );
    let text = format!("> **alice** [wrote](/forum/posts/{id}):\n>\n> words @admin\n\nyes, @alice");
    let post = reply(&bob, &topic, &text).await;
    let there = leads(&alice, &post).await;
    let anchor = format!("#post-{}", post.rsplit('/').next().unwrap());
    assert_eq!(there, format!("{topic}{anchor}"));
    assert!(alice.page(&topic).await.contains("<blockquote>"));
    let told = events(&site, &topic);
    let replied = &told[1]["payload"]["TopicReplied"];
    let author = &told[0]["payload"]["TopicOpened"]["author"];
    assert_eq!(&replied["topic_author"], author);
    assert_eq!(replied["quoted"], Value::Array(vec![author.clone()]));
    assert_eq!(replied["mentioned"], Value::Array(vec![author.clone()]));

    let edit = format!("{post}/edit");
    assert_eq!(alice.get(&edit).await.status(), 403);
    assert_eq!(send(&alice, &edit, &[("text", "mine")]).await.0, 403);
    assert!(bob.page(&edit).await.contains("yes, @alice"));
    for text in ["a second wording", "a third wording"] {
        assert_eq!(send(&bob, &edit, &[("text", text)]).await.0, 303);
    }
    assert!(alice.page(&topic).await.contains("a third wording"));
    let history = format!("{post}/history");
    assert_eq!(alice.get(&history).await.status(), 403);
    for client in [&bob, &admin] {
        let history = client.page(&history).await;
        assert!(
            history.contains("Wording 3") && history.contains("<ins>third</ins>"),
            "{history}"
        );
        assert!(history.contains("yes, @alice"));
    }
    one_look_is_noted(&site, &topic);
    found(&alice, "third", &post, true).await;
    found(&alice, "second", &post, false).await;
    found(&alice, "title", &first, true).await;
    assert!(alice.page("/").await.contains(&topic));
    assert!(alice.page("/members/bob").await.contains(&post));
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn the_same_form_sent_twice_makes_one_post_and_a_preview_none() {
    let (site, _, alice, _) = scene().await;
    let fields = [("title", "Once"), ("text", "the words"), ("nonce", "n1")];
    let (one, other) = tokio::join!(
        send(&alice, "/forum/general/new", &fields),
        send(&alice, "/forum/general/new", &fields)
    );
    assert_eq!((one.0, &one.1), (303, &other.1));
    let topic = one.1;
    let answer = |text, act| [("text", text), ("nonce", "n2"), ("act", act)];
    let path = format!("{topic}/reply");
    let (status, page) = send(&alice, &path, &answer("an **answer**", "preview")).await;
    assert!(
        status == 200 && page.contains("<strong>answer</strong>") && page.contains("an **answer**")
    );
    let (first, again) = (
        send(&alice, &path, &answer("an **answer**", "send")).await,
        send(&alice, &path, &answer("an **answer**", "send")).await,
    );
    assert_eq!(first, again);
    // What is worded otherwise is another answer, though the form is the same.
    let other = send(&alice, &path, &answer("another answer", "send")).await;
    assert!(other.0 == 303 && other.1 != first.1);
    assert_eq!(events(&site, &topic).len(), 3);
    let page = alice.page("/forum/general").await;
    assert_eq!(page.matches("<td class=\"name\"").count(), 1);
}

#[tokio::test]
async fn the_staff_pins_locks_moves_removes_and_restores() {
    let (site, admin, alice, bob) = scene().await;
    let topic = open(&alice, "general", "First", "words").await;
    let later = open(&bob, "general", "Later", "words").await;
    let post = reply(&bob, &topic, "an answer").await;
    reply(&bob, &later, "an answer").await;
    let staff = format!("{topic}/staff");
    for act in ["pin", "lock", "move"] {
        assert_eq!(
            send(&alice, &staff, &[("act", act), ("section", NOWHERE)])
                .await
                .0,
            403
        );
    }
    assert_eq!(send(&admin, &staff, &[("act", "pin")]).await.0, 303);
    let list = alice.page("/forum/general").await;
    assert!(list.find(&topic) < list.find(&later) && list.contains("pinned"));
    assert_eq!(send(&admin, &staff, &[("act", "lock")]).await.0, 303);
    for (path, refused) in [
        (format!("{topic}/reply"), &alice),
        (format!("{post}/edit"), &bob),
    ] {
        let (status, page) = send(refused, &path, &[("text", "kept words")]).await;
        assert_eq!(status, 422);
        assert!(page.contains("This topic is locked") && page.contains("kept words"));
    }
    reply(&admin, &topic, "the last word").await;
    assert_eq!(send(&admin, &staff, &[("act", "unlock")]).await.0, 303);
    let forum = admin.page(&topic).await;
    let help = forum
        .split("<option value=\"")
        .skip(1)
        .find(|option| option.contains(">Help<"));
    let help = help.unwrap().split('"').next().unwrap();
    assert_eq!(
        send(&admin, &staff, &[("act", "move"), ("section", help)])
            .await
            .0,
        303
    );
    assert!(alice.page("/forum/help").await.contains(&topic));
    assert!(!alice.page("/forum/general").await.contains(&topic));
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn a_removed_post_leaves_its_place_and_who_removed_it_brings_it_back() {
    let (site, admin, alice, bob) = scene().await;
    let topic = open(&alice, "general", "First", "words").await;
    let post = reply(&bob, &topic, "an answer").await;
    let remove = format!("{post}/remove");
    assert_eq!(alice.get(&remove).await.status(), 403);
    assert!(admin.page(&remove).await.contains("Remove a post"));
    assert_eq!(
        send(&admin, &remove, &[("reason", "off <topic>")]).await.0,
        303
    );
    let page = alice.page(&topic).await;
    assert!(page.contains("off &lt;topic&gt;") && !page.contains("an answer"));
    assert!(bob.page(&topic).await.contains("an answer"));
    found(&alice, "answer", &post, false).await;
    let (status, page) = send(&bob, &format!("{post}/edit"), &[("text", "meanwhile")]).await;
    assert!(status == 422 && page.contains("This post was removed") && page.contains("meanwhile"));
    let restore = format!("{post}/restore");
    assert_eq!(send(&bob, &restore, &[]).await.0, 422);
    assert_eq!(send(&alice, &restore, &[]).await.0, 404);
    assert_eq!(send(&admin, &restore, &[]).await.0, 303);
    assert!(alice.page(&topic).await.contains("an answer"));
    let told = events(&site, &topic);
    let (gone, back) = (&told[told.len() - 2], &told[told.len() - 1]);
    assert_eq!(back["meta"]["causation"], gone["position"]);
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn with_its_first_post_a_topic_goes_and_comes_back() {
    let (site, admin, alice, bob) = scene().await;
    let topic = open(&alice, "general", "Alone", "the words").await;
    let first = first_post(&topic);
    assert_eq!(send(&alice, &format!("{first}/remove"), &[]).await.0, 303);
    for path in [&topic, &first] {
        assert_eq!(bob.get(path).await.status(), 404, "{path}");
    }
    assert_eq!(
        send(&bob, &format!("{topic}/reply"), &[("text", "hello")])
            .await
            .0,
        404
    );
    assert!(!bob.page("/forum/general").await.contains(&topic));
    assert!(!bob.page("/").await.contains(&topic));
    assert!(
        alice
            .page(&topic)
            .await
            .contains("This topic was removed by its author")
    );
    let (status, page) = send(&alice, &format!("{topic}/reply"), &[("text", "hello")]).await;
    assert!(status == 422 && page.contains("This topic was removed"));
    assert_eq!(send(&alice, &format!("{first}/restore"), &[]).await.0, 303);
    reply(&bob, &topic, "an answer").await;
    let (status, page) = send(&alice, &format!("{first}/remove"), &[]).await;
    assert!(
        status == 422 && page.contains("Others have answered"),
        "{page}"
    );
    assert_eq!(send(&admin, &format!("{first}/remove"), &[]).await.0, 303);
    assert_eq!(bob.get(&topic).await.status(), 404);
    assert_eq!(send(&alice, &format!("{first}/restore"), &[]).await.0, 422);
    let forum = bob.page("/forum").await;
    assert!(!forum.contains("Alone"));
    rebuilt_rows_are_the_same(&site).await;
    assert_eq!(send(&admin, &format!("{first}/restore"), &[]).await.0, 303);
    assert!(bob.page(&topic).await.contains("an answer"));
}

#[tokio::test]
async fn a_section_for_the_staff_is_nothing_to_everybody_else() {
    let (site, admin, alice, _) = scene().await;
    let topic = open(&admin, "staff", "Hushed title", "hushed words").await;
    let post = reply(&admin, &topic, "hushed answer").await;
    let id = post.rsplit('/').next().unwrap();
    let open_topic = open(&alice, "general", "Open", "words").await;
    found(&admin, "hushed", &post, true).await;
    for path in [
        "/forum/staff".to_owned(),
        "/forum/staff/new".to_owned(),
        topic.clone(),
        format!("{topic}/unread"),
        format!("{topic}/reply"),
        post.clone(),
        format!("{post}/edit"),
        format!("{post}/history"),
        format!("{post}/remove"),
        format!("{open_topic}/reply?quote={id}"),
    ] {
        assert_eq!(alice.get(&path).await.status(), 404, "{path}");
        let seen = admin.get(&path).await.status().as_u16();
        assert!(seen == 200 || seen == 303, "{path}: {seen}");
    }
    for (path, fields) in [
        (
            "/forum/staff/new".to_owned(),
            [("title", "x"), ("text", "x")],
        ),
        (format!("{topic}/reply"), [("text", "x"), ("title", "")]),
        (format!("{post}/edit"), [("text", "x"), ("title", "")]),
        (format!("{post}/remove"), [("reason", "x"), ("title", "")]),
        (format!("{post}/restore"), [("text", ""), ("title", "")]),
    ] {
        assert_eq!(send(&alice, &path, &fields).await.0, 404, "{path}");
    }
    for path in ["/", "/forum", "/forum/search?q=hushed", "/members/admin"] {
        let page = alice.page(path).await.to_lowercase();
        assert!(
            !page.contains("hushed title") && !page.contains("hushed words"),
            "{path}"
        );
        assert!(!page.contains(&topic) && !page.contains(&post), "{path}");
        let page = admin.page(path).await;
        assert!(page.contains("Hushed title"), "{path}");
    }
    // Moved there, a topic is gone for its author too.
    let page = admin.page(&open_topic).await;
    let staff = page
        .split("<option value=\"")
        .skip(1)
        .find(|option| option.contains(">Staff<"));
    let staff = staff.unwrap().split('"').next().unwrap();
    let fields = [("act", "move"), ("section", staff)];
    assert_eq!(
        send(&admin, &format!("{open_topic}/staff"), &fields)
            .await
            .0,
        303
    );
    assert_eq!(alice.get(&open_topic).await.status(), 404);
    assert_eq!(events(&site, &topic).len(), 2, "nothing was written there");
}

#[tokio::test]
async fn administrators_make_change_order_and_retire_sections() {
    let (site, admin, alice, _) = scene().await;
    let make = |name, order| {
        [
            ("name", name),
            ("description", "for <all>"),
            ("order", order),
        ]
    };
    assert_eq!(alice.get("/staff/sections").await.status(), 403);
    assert_eq!(
        send(&alice, "/staff/sections", &make("Mine", "1")).await.0,
        403
    );
    assert_eq!(
        send(&admin, "/staff/sections", &make("Films & series", "0"))
            .await
            .0,
        303
    );
    let forum = alice.page("/forum").await;
    assert!(
        forum.find("/forum/films-series") < forum.find("/forum/general"),
        "{forum}"
    );
    assert!(forum.contains("for &lt;all&gt;"));
    for (name, order, told) in [
        ("films SERIES", "5", "Another section has this name"),
        ("", "5", "A section needs a name"),
        ("search", "5", "stand in an address"),
        ("Fine", "five", "whole number"),
    ] {
        let (status, page) = send(&admin, "/staff/sections", &make(name, order)).await;
        assert!(status == 422 && page.contains(told), "{name}: {page}");
    }
    let topic = open(&alice, "films-series", "Old", "words").await;
    let page = admin.page("/staff/sections").await;
    let one = page.split("href=\"/staff/sections/").nth(1).unwrap();
    let one = format!("/staff/sections/{}", one.split('"').next().unwrap());
    assert_eq!(send(&admin, &one, &make("Films", "9")).await.0, 303);
    let forum = alice.page("/forum").await;
    assert!(forum.find("/forum/general") < forum.find("/forum/films-series"));
    assert!(
        admin
            .page(&format!("{one}/retire"))
            .await
            .contains("Retire a section")
    );
    assert_eq!(send(&admin, &format!("{one}/retire"), &[]).await.0, 303);
    let fields = [("title", "New"), ("text", "words")];
    let (status, page) = send(&alice, "/forum/films-series/new", &fields).await;
    assert!(status == 422 && page.contains("retired"), "{page}");
    assert!(alice.page("/forum/films-series").await.contains(&topic));
    reply(&alice, &topic, "still here").await;
    assert_eq!(send(&admin, &format!("{one}/reopen"), &[]).await.0, 303);
    open(&alice, "films-series", "New", "words").await;
    rebuilt_rows_are_the_same(&site).await;
}

#[tokio::test]
async fn what_is_new_is_told_until_it_is_read() {
    let (_site, _, alice, bob) = scene().await;
    let topic = open(&alice, "general", "News", "words").await;
    let is_new = |page: &str| page.contains("badge good");
    assert!(is_new(&bob.page("/forum/general").await));
    assert!(is_new(&bob.page("/forum").await));
    bob.page(&topic).await;
    assert!(!is_new(&bob.page("/forum/general").await));
    let mut last = String::new();
    for number in 0..30 {
        last = reply(&alice, &topic, &format!("answer {number}")).await;
    }
    assert!(is_new(&bob.page("/forum/general").await));
    // The first new post is the second of the topic, the last one stands on the second page.
    let next = leads(&bob, &format!("{topic}/unread")).await;
    assert!(next.starts_with(&format!("{topic}#post-")), "{next}");
    let there = leads(&bob, &last).await;
    assert!(
        there.starts_with(&format!("{topic}?page=2#post-")),
        "{there}"
    );
    let page = bob.page(&topic).await;
    assert_eq!(page.matches("<article").count(), 25);
    assert!(page.contains("answer 23") && !page.contains("answer 24"));
    let next = leads(&bob, &format!("{topic}/unread")).await;
    assert!(next.starts_with(&format!("{topic}?page=2#post-")), "{next}");
    assert_eq!(send(&bob, "/forum/read", &[]).await.0, 303);
    assert!(!is_new(&bob.page("/forum").await));
    for page in ["0", "3", "x"] {
        let path = format!("{topic}?page={page}");
        assert_eq!(bob.get(&path).await.status(), 404, "{path}");
    }
}

#[tokio::test]
async fn what_cannot_be_said_is_told_and_nothing_that_runs_is_shown() {
    let (site, _, alice, bob) = scene().await;
    let topic = open(&alice, "general", "Limits", "words").await;
    let path = format!("{topic}/reply");
    for (text, told) in [
        ("x".repeat(50_001), "at most 50,000 characters"),
        (" \n ".to_owned(), "needs words"),
    ] {
        let (status, page) = send(&alice, &path, &[("text", &text)]).await;
        assert!(status == 422 && page.contains(told), "{told}");
        assert!(page.contains(text.trim()));
    }
    let title = "é".repeat(201);
    let fields = [("title", title.as_str()), ("text", "words")];
    let (status, page) = send(&alice, "/forum/general/new", &fields).await;
    assert!(status == 422 && page.contains("1 to 200") && page.contains(&title));
    // The longest text, each letter four bytes that are written as twelve.
    reply(&alice, &topic, &"🦀".repeat(50_000)).await;
    for payload in [
        "<script>alert(1)</script>",
        "<img src=x onerror=alert(1)>",
        "[x](javascript:alert(1))",
        "<svg/onload=alert(1)>",
        "@alice<script>alert(1)</script>",
    ] {
        reply(&alice, &topic, payload).await;
    }
    let page = bob.page(&topic).await;
    for forbidden in ["<script>alert", "<img", "<svg/onload", "href=\"javascript:"] {
        assert!(!page.contains(forbidden), "{forbidden}");
    }
    let bomb = open(&alice, "general", "Bomb", &">".repeat(50_000)).await;
    let before = std::time::Instant::now();
    assert!(bob.page(&bomb).await.matches("<blockquote>").count() <= 16);
    reply(&alice, &bomb, &"[".repeat(50_000)).await;
    reply(&alice, &bomb, &"@bob ".repeat(10_000)).await;
    bob.page(&bomb).await;
    assert!(
        before.elapsed() < Duration::from_secs(20),
        "{:?}",
        before.elapsed()
    );
    for path in [
        format!("/forum/topics/{NOWHERE}"),
        format!("/forum/posts/{NOWHERE}"),
        "/forum/posts/x".into(),
        "/forum/nothing".into(),
    ] {
        assert_eq!(bob.get(&path).await.status(), 404, "{path}");
    }
    rebuilt_rows_are_the_same(&site).await;
}
