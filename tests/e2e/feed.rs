//! Feeds and Torznab, with a key that isn't the passkey; and the list's filters.

use domain::metainfo;
use reqwest::header::CONTENT_TYPE;
use tests::{Client, Options, Site, make};

const PASSWORD: &str = "correct horse battery";

/// A site with its administrator, and a member with a feed key.
async fn scene() -> (Site, Client, Client, String) {
    let site = Site::start(Options::default()).await;
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    let alice = site.client();
    assert_eq!(alice.register("alice", PASSWORD).await.0, 201);
    let key = new_key(&alice).await;
    (site, admin, alice, key)
}

pub(crate) async fn new_key(client: &Client) -> String {
    let made = client.post_form("/settings/feeds", &[]).await;
    assert_eq!(made.status(), 303);
    let page = client.page("/settings/feeds").await;
    let key = page.split("/rss/latest?key=").nth(1).unwrap();
    key.chars().take(32).collect()
}

fn file(name: &str, bytes: usize) -> Vec<u8> {
    make::torrent(name, &make::payload(1, bytes), Some("OpenTracker"))
}

async fn status(client: &Client, path: &str) -> u16 {
    client.get(path).await.status().as_u16()
}

#[tokio::test]
async fn a_feed_gives_what_is_new_and_downloads_it_with_its_key_alone() {
    let (site, admin, alice, key) = scene().await;
    let name = "A & B <]]> \"Film\".2026";
    let id = admin.uploaded(file(name, 9_000), "movies-hd", "").await;
    let tool = site.client();
    let answer = tool.get(&format!("/rss/latest?key={key}")).await;
    assert_eq!(answer.status(), 200);
    let kind = answer.headers()[CONTENT_TYPE].to_str().unwrap();
    assert!(kind.starts_with("application/rss+xml"), "{kind}");
    assert_eq!(answer.headers()["cache-control"], "no-store");
    let feed = answer.text().await.unwrap();
    for part in [
        "A &amp; B &lt;]]&gt; &quot;Film&quot;.2026",
        "<pubDate>",
        "+0000</pubDate>",
        "<size>9000</size>",
        "<category>Movies HD</category>",
        "type=\"application/x-bittorrent\"",
        "name=\"downloadvolumefactor\" value=\"1\"",
    ] {
        assert!(feed.contains(part), "{part}: {feed}");
    }
    let passkey = alice.announce_url().await;
    let passkey = passkey.split("passkey=").nth(1).unwrap();
    assert!(!feed.contains(passkey));
    let url = feed.split("<enclosure url=\"").nth(1).unwrap();
    let url = url.split('"').next().unwrap().replace("&amp;", "&");
    let path = url.trim_start_matches(&site.url("")).to_owned();
    assert!(path.contains(&id));
    let answer = tool.get(&path).await;
    assert_eq!(answer.status(), 200);
    let own = answer.bytes().await.unwrap();
    assert!(String::from_utf8_lossy(&own).contains(passkey));
    assert!(metainfo::read(&own, "OpenTracker").is_ok());
    assert_eq!(status(&tool, &format!("/torrents/{id}")).await, 303);
}

#[tokio::test]
async fn a_key_that_is_unknown_replaced_void_or_a_passkey_opens_nothing() {
    let (site, admin, alice, key) = scene().await;
    let id = admin.uploaded(file("film", 9_000), "movies", "").await;
    let tool = site.client();
    let passkey = alice.announce_url().await;
    let passkey = passkey.split("passkey=").nth(1).unwrap().to_owned();
    let unknown = "0".repeat(32);
    let all = async |key: &str| {
        let mut told = vec![];
        for of in [
            "latest".to_owned(),
            "category/movies".to_owned(),
            "search".to_owned(),
            "bookmarks".to_owned(),
            format!("download/{id}"),
        ] {
            told.push(status(&tool, &format!("/rss/{of}?key={key}")).await);
        }
        let torznab = format!("/api/torznab?t=search&apikey={key}");
        told.push(status(&tool, &torznab).await);
        told
    };
    assert_eq!(all(&key).await, [200; 6]);
    for wrong in ["", "x", &unknown, &passkey] {
        assert_eq!(all(wrong).await, [401; 6], "{wrong}");
    }
    let next = new_key(&alice).await;
    assert_eq!(all(&key).await, [401; 6], "replaced");
    assert_eq!(all(&next).await, [200; 6]);
    let revoked = alice.post_form("/settings/feeds/revoke", &[]).await;
    assert_eq!(revoked.status(), 303);
    assert_eq!(all(&next).await, [401; 6], "void");
    let pool = site.database().await;
    let read: String =
        sqlx::query_scalar("select coalesce(string_agg(t::text, ' '), '') from unique_claim t")
            .fetch_one(&pool)
            .await
            .unwrap();
    assert!(!read.contains(&next) && !site.log().contains(&next));
}

#[tokio::test]
async fn feeds_are_of_a_category_a_search_and_bookmarks_and_refuse_what_cant_be() {
    let (_site, admin, alice, key) = scene().await;
    let film = admin.uploaded(file("film", 9_000), "movies-hd", "").await;
    let song = admin.uploaded(file("song", 8_000), "audio", "").await;
    let waiting = alice
        .uploaded(file("waiting film", 7_000), "movies", "")
        .await;
    let set = [("act", "set")];
    alice
        .post_form(&format!("/torrents/{song}/bookmark"), &set)
        .await;
    let ask = async |of: &str| alice.page(&format!("/rss/{of}key={key}")).await;
    let has = |feed: &str| [&film, &song].map(|id| feed.contains(id.as_str()));
    for (of, expected) in [
        ("latest?", [true, true]),
        ("latest?limit=1&", [false, true]),
        ("category/movies?", [true, false]),
        ("search?q=film&", [true, false]),
        ("search?least=8500&", [true, false]),
        ("search?category=audio&", [false, true]),
        ("bookmarks?", [false, true]),
    ] {
        let feed = ask(of).await;
        assert_eq!(has(&feed), expected, "{of}");
        assert!(!feed.contains(&waiting), "it waits: {of}");
    }
    for (of, expected) in [
        ("latest?limit=0&", 400),
        ("latest?limit=101&", 400),
        ("latest?limit=x&", 400),
        ("category/nowhere?", 404),
        ("search?category=nowhere&", 400),
        ("search?least=much&", 400),
        ("search?uploader=nobody-here&", 400),
        ("download/nonsense?", 404),
    ] {
        let path = format!("/rss/{of}key={key}");
        assert_eq!(status(&alice, &path).await, expected, "{of}");
    }
    let page = alice.page("/settings/feeds?q=film&category=movies").await;
    assert!(page.contains(&format!(
        "/rss/search?q=film&amp;category=movies&amp;key={key}"
    )));
}

#[tokio::test]
async fn torznab_tells_what_it_can_and_finds_by_words_categories_and_episodes() {
    let (site, admin, _, key) = scene().await;
    let one = admin
        .uploaded(file("Llama.S01E02.1080p", 9_000), "tv-hd", "")
        .await;
    let other = admin
        .uploaded(file("Llama.S02E01.1080p", 8_000), "tv-hd", "")
        .await;
    let film = admin
        .uploaded(file("Llama.The.Film.2160p", 7_000), "movies-uhd", "")
        .await;
    let tool = site.client();
    let caps = tool.page("/api/torznab?t=caps").await;
    for part in [
        "<limits max=\"100\" default=\"50\"/>",
        "<tv-search available=\"yes\" supportedParams=\"q,season,ep\"/>",
        "<category id=\"5000\" name=\"TV\">",
        "<subcat id=\"5070\" name=\"Anime\"/>",
    ] {
        assert!(caps.contains(part), "{part}: {caps}");
    }
    let ask = async |query: &str| {
        let path = format!("/api/torznab/api?apikey={key}&{query}");
        tool.page(&path).await
    };
    let has = |feed: &str| [&one, &other, &film].map(|id| feed.contains(id.as_str()));
    for (query, expected) in [
        ("t=search", [true, true, true]),
        ("t=search&q=llama", [true, true, true]),
        ("t=search&cat=5000", [true, true, false]),
        ("t=search&cat=2045", [false, false, true]),
        ("t=search&cat=7000", [false, false, false]),
        ("t=search&limit=1&offset=1", [false, true, false]),
        ("t=tvsearch&q=llama&season=1", [true, false, false]),
        ("t=tvsearch&q=llama&season=2&ep=1", [false, true, false]),
        ("t=tvsearch&tvdbid=7", [false, false, false]),
        ("t=movie&q=llama&cat=2000", [false, false, true]),
    ] {
        assert_eq!(has(&ask(query).await), expected, "{query}");
    }
    let feed = ask("t=search&q=film").await;
    for part in [
        "<newznab:response offset=\"0\" total=\"1\"/>",
        "<torznab:attr name=\"category\" value=\"2045\"/>",
        "<torznab:attr name=\"seeders\" value=\"0\"/>",
        "<torznab:attr name=\"infohash\"",
    ] {
        assert!(feed.contains(part), "{part}: {feed}");
    }
    for (query, expected, code) in [
        ("t=search&apikey=x", 401, "100"),
        ("", 400, "200"),
        ("t=nonsense", 400, "202"),
        (&format!("t=search&apikey={key}&cat=x"), 400, "201"),
        (&format!("t=search&apikey={key}&offset=-1"), 400, "201"),
    ] {
        let answer = tool.get(&format!("/api/torznab?{query}")).await;
        assert_eq!(answer.status(), expected, "{query}");
        let text = answer.text().await.unwrap();
        assert!(text.contains(&format!("<error code=\"{code}\"")), "{text}");
    }
}

#[tokio::test]
async fn freeleech_is_told_to_tools_and_filtered_by() {
    let (_site, admin, alice, key) = scene().await;
    let free = admin.uploaded(file("free", 9_000), "movies", "").await;
    let plain = admin.uploaded(file("plain", 8_000), "movies", "").await;
    let set = [("act", "set"), ("hours", "24")];
    let path = format!("/torrents/{free}/freeleech");
    assert_eq!(admin.post_form(&path, &set).await.status(), 303);
    let list = alice.page("/torrents?free=yes").await;
    assert!(list.contains(&free) && !list.contains(&plain));
    let feed = alice.page(&format!("/rss/search?q=free&key={key}")).await;
    assert!(feed.contains("name=\"downloadvolumefactor\" value=\"0\""));
}

#[tokio::test]
async fn the_list_is_filtered_and_sorted_by_what_its_address_says() {
    let (_site, admin, alice, _) = scene().await;
    admin.approve_nothing().await;
    let small = admin.uploaded(file("b small", 2_000), "audio", "").await;
    let large = alice.uploaded(file("a large", 90_000), "movies", "").await;
    let has = |page: &str| [&small, &large].map(|id| page.contains(id.as_str()));
    for (query, expected) in [
        ("least=10 KiB", [false, true]),
        ("most=10000", [true, false]),
        ("least=1 KiB&most=50 KiB", [true, false]),
        ("uploader=ALICE", [false, true]),
        ("uploader=nobody-here", [false, false]),
        ("age=1", [true, true]),
        ("seeds=no", [true, true]),
        ("seeds=yes", [false, false]),
        ("category=audio&uploader=alice", [false, false]),
        ("tag=nonsense", [false, false]),
    ] {
        let page = alice.page(&format!("/torrents?{query}")).await;
        assert_eq!(has(&page), expected, "{query}");
    }
    let page = alice.page("/torrents?least=much").await;
    assert!(page.contains("much is no size"), "{page}");
    for (query, small_first) in [
        ("sort=category&dir=asc", true),
        ("sort=category&dir=desc", false),
        ("sort=name&dir=asc", false),
        ("sort=size&dir=asc", true),
    ] {
        let page = alice.page(&format!("/torrents?{query}")).await;
        let places = [&small, &large].map(|id| page.find(id.as_str()).unwrap());
        assert_eq!(places[0] < places[1], small_first, "{query}");
        assert!(page.contains("aria-sort"));
    }
}
