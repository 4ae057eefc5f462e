//! No page costs more because there is more: PostgreSQL itself tells what each statement went through.
//!
//! Every `GET` route is asked, so that no statement is forgotten. What is run is what `auto_explain`
//! writes down, with the rows that each step really touched. A small table is walked whatever its
//! indexes, so everything is asked once more where that is the last resort.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufReader, Read as _, Seek as _, SeekFrom};
use std::sync::atomic::{AtomicUsize, Ordering};

use api::route::{Declared, Who};
use domain::api_key::Scope;
use reqwest::{Method, StatusCode};
use sqlx::PgPool;
use tests::{Client, Options, Site};

use crate::api_key::key;
use crate::feed::new_key;

mod plan;

use plan::Plan;

/// Torrents where time is short, and where it isn't; with them three times as many comments and twice as
/// many posts.
const TORRENTS: (usize, usize) = (1_500, 3_000);
/// The most rows that a step of a plan may touch: a page of each category, and much less than there are.
const MOST: f64 = 1_100.0;
/// How often a page is asked for: a statement's sixth plan may be another one.
const TIMES: usize = 7;

/// Tables that stay small however a site grows.
const SMALL: [&str; 16] = [
    "access_role",
    "backup_run",
    "category",
    "checkpoint",
    "invites_left",
    "own_role",
    "pg_class",
    "pg_namespace",
    "section",
    "section_total",
    "setting",
    "site",
    "statistic",
    "tag",
    "traffic_sum",
    "vault",
];

/// What stands in addresses.
struct Ids {
    torrent: String,
    comment: String,
    topic: String,
    post: String,
    category: String,
    section: String,
    tag: String,
}

impl Ids {
    async fn of(database: &PgPool) -> Self {
        let one = async |query: &str| {
            let found: sqlx::types::Uuid =
                sqlx::query_scalar(query).fetch_one(database).await.unwrap();
            found.to_string()
        };
        Self {
            torrent: one(
                "select torrent from read.comment group by 1 order by count(*) desc limit 1",
            )
            .await,
            comment: one("select id from read.comment order by position limit 1").await,
            topic: one("select id from read.topic order by posts desc limit 1").await,
            post: one("select id from read.post order by number desc limit 1").await,
            category: one("select id from read.category where slug = 'movies-hd'").await,
            section: one("select id from read.section where slug = 'general'").await,
            tag: one("select tag from read.torrent_tag group by 1 order by count(*) desc limit 1")
                .await,
        }
    }

    /// Fills in what varies in a route's path.
    fn fill(&self, path: &str) -> String {
        let id = match path {
            _ if path.contains("comments/") => &self.comment,
            _ if path.contains("posts/") => &self.post,
            _ if path.contains("topics/") => &self.topic,
            _ if path.contains("categories/") => &self.category,
            _ if path.contains("sections/") => &self.section,
            _ if path.contains("tags/") => &self.tag,
            _ => &self.torrent,
        };
        let slug = if path.contains("forum/") {
            "general"
        } else {
            "movies-hd"
        };
        let name = if path.contains("help/") {
            "invites"
        } else {
            "alice"
        };
        path.replace("{id}", id)
            .replace("{slug}", slug)
            .replace("{name}", name)
            .replace("{kind}", "torrent")
            .replace("{number}", "1")
            .replace("{stream}", &format!("topic-{}", self.topic))
            .replace("{stream_type}", "topic")
    }

    /// Gives the lists by each order and each filter. Two filters at once may walk further, and another
    /// order of what words find than the best fit's goes through all of it: ten thousand at most.
    fn lists(&self) -> Vec<String> {
        let mut lists = vec![];
        for path in ["/torrents", "/bookmarks"] {
            for sort in [
                "category", "name", "size", "added", "seeders", "leechers", "snatches",
            ] {
                for dir in ["asc", "desc"] {
                    lists.push(format!("{path}?sort={sort}&dir={dir}"));
                }
            }
        }
        for filter in [
            "category=movies",
            "category=movies-hd",
            &format!("tag={}", self.tag),
            "uploader=demo-1",
            "uploader=alice",
            "age=1",
            "age=365",
            "free=yes",
            "seeds=yes",
            "seeds=no",
            "least=100+MiB&most=110+MiB",
            "q=linux",
            "q=linux+debian",
            "q=0001499",
            "category=movies&sort=category",
        ] {
            lists.push(format!("/torrents?{filter}"));
        }
        for path in [
            "/members/demo-1",
            "/members/admin",
            "/forum/search?q=linux",
            "/staff/members?q=demo",
            "/forum/help",
        ] {
            lists.push(path.to_owned());
        }
        lists
    }
}

/// A site with very many torrents, whose database writes every plan down.
async fn scene() -> (Site, PgPool) {
    let long = std::env::var_os("LONG_TESTS").is_some();
    let torrents = if long { TORRENTS.1 } else { TORRENTS.0 };
    let options = Options {
        arguments: [
            "--demo".to_owned(),
            "--scale".to_owned(),
            torrents.to_string(),
        ]
        .to_vec(),
        ..Options::default()
    };
    let mut site = Site::start(options).await;
    let database = site.database().await;
    let laid: i64 = sqlx::query_scalar("select count(*) from event_log")
        .fetch_one(&database)
        .await
        .unwrap();
    for setting in [
        "session_preload_libraries = 'auto_explain'",
        "auto_explain.log_min_duration = 0",
        "auto_explain.log_analyze = on",
        "auto_explain.log_timing = off",
        "auto_explain.log_format = 'json'",
        // A row is priced like thirty, so that small tables are read as large ones would be.
        "cpu_tuple_cost = 0.3",
        // At such prices everything would be compiled.
        "jit = off",
    ] {
        run(&database, &format!("alter role opentracker set {setting}")).await;
    }
    run(&database, "vacuum analyze").await;
    database.close().await;
    site.stop();
    site.launch().await;
    let database = site.database().await;
    // What was laid isn't laid again: the start adds a checkpoint at most.
    let now: i64 = sqlx::query_scalar("select count(*) from event_log")
        .fetch_one(&database)
        .await
        .unwrap();
    let least = i64::try_from(6 * torrents).unwrap();
    assert!(laid > least && now < laid + 50, "{laid}, then {now}");
    (site, database)
}

async fn run(database: &PgPool, statement: &str) {
    sqlx::raw_sql(statement).execute(database).await.unwrap();
}

async fn signed_in(site: &Site, name: &str) -> Client {
    let client = site.client();
    let password = format!("demo {name} password");
    assert_eq!(client.sign_in(name, &password).await.0, StatusCode::OK);
    client
}

/// Gives every address of the site's that is asked by `GET`, with the key that it takes.
fn addresses(ids: &Ids, feed: &str, script: &str) -> Vec<(String, Option<String>)> {
    let asked = |one: &Declared| {
        let ends = one.path.ends_with("/reset") || one.path.contains("/panic");
        (one.method == Method::GET && !ends).then(|| {
            let path = ids.fill(&one.path);
            let key = matches!(one.who, Who::Key(..)).then(|| script.to_owned());
            match path.as_str() {
                path if path.starts_with("/rss/search") => {
                    (format!("{path}?key={feed}&q=0001499"), key)
                }
                path if path.starts_with("/rss/") => (format!("{path}?key={feed}"), key),
                path if path.starts_with("/api/torznab") => {
                    (format!("{path}?apikey={feed}&t=search"), key)
                }
                _ => (path, key),
            }
        })
    };
    let mut addresses: Vec<_> = api::declared().iter().filter_map(asked).collect();
    addresses.extend(ids.lists().into_iter().map(|list| (list, None)));
    addresses
}

/// Asks for a page, and for the one behind it; gives how it was answered.
async fn ask(client: &Client, address: &str, key: Option<&str>) -> StatusCode {
    let mut request = client.request(Method::GET, address);
    if let Some(key) = key {
        request = request.bearer_auth(key);
    }
    let answer = request.send().await.unwrap();
    let status = answer.status();
    let page = answer.text().await.unwrap();
    let next = page
        .split("rel=\"next\" href=\"")
        .nth(1)
        .and_then(|rest| rest.split('"').next());
    if let Some(next) = next {
        let next = next.replace("&amp;", "&");
        assert_eq!(client.get(&next).await.status(), 200, "{next}");
    }
    status
}

/// Gives the plans that the database wrote down while something was done.
async fn plans_of(site: &Site, work: impl Future<Output = ()>) -> Vec<Plan> {
    let log = site.data.join("postgres.log");
    let before = log.metadata().unwrap().len();
    work.await;
    let mut log = BufReader::new(File::open(log).unwrap());
    log.seek(SeekFrom::Start(before)).unwrap();
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    plan::read(&text)
}

/// What is wrong about plans, by statement.
type Wrong = BTreeMap<String, String>;

/// Does something, and gives what is wrong about its plans. What the site does by itself now and then
/// falls into it, too, so that which is wrong must be wrong again.
async fn wrong_of(
    site: &Site,
    seen: &mut usize,
    fault: impl Fn(&Plan) -> Option<String>,
    work: impl AsyncFn(),
) -> Wrong {
    let mut once = async || {
        let plans = plans_of(site, work()).await;
        *seen += plans.len();
        let wrong = plans.into_iter();
        wrong
            .filter_map(|plan| Some((fault(&plan)?, plan.query)))
            .map(|(fault, query)| (query, fault))
            .collect::<Wrong>()
    };
    let mut wrong = once().await;
    if !wrong.is_empty() {
        let again = once().await;
        wrong.retain(|query, _| again.contains_key(query));
    }
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_costs_more_because_there_is_more() {
    let (mut site, database) = scene().await;
    let ids = Ids::of(&database).await;
    let admin = signed_in(&site, "admin").await;
    let feed = new_key(&admin).await;
    let script = key(&admin, "a script", &Scope::ALL).await;
    let addresses = addresses(&ids, &feed, &script);
    let (mut wrong, mut seen) = (vec![], 0);
    let answered = AtomicUsize::new(0);
    let mut note = |address: &str, found: Wrong| {
        let told = found.into_iter();
        wrong.extend(told.map(|(query, fault)| format!("{address}\n  {fault}\n  {query}")));
    };
    for (address, key) in &addresses {
        let work = async || {
            for _ in 0..TIMES {
                let status = ask(&admin, address, key.as_deref()).await;
                assert!(!status.is_server_error(), "{address}: {status}");
                answered.fetch_add(usize::from(status == StatusCode::OK), Ordering::Relaxed);
            }
        };
        let fault = |plan: &Plan| plan.step_beyond(MOST);
        note(address, wrong_of(&site, &mut seen, fault, work).await);
    }
    let answered = answered.into_inner();
    assert!(
        seen > 2_000 && answered > addresses.len() * TIMES * 2 / 3,
        "{seen} plans, {answered} answers"
    );
    run(&database, "alter role opentracker set enable_seqscan = off").await;
    site.stop();
    site.launch().await;
    let alice = signed_in(&site, "alice").await;
    let admin = signed_in(&site, "admin").await;
    for (address, key) in &addresses {
        for client in [&alice, &admin] {
            let work = async || {
                let _answer = ask(client, address, key.as_deref()).await;
            };
            let fault = |plan: &Plan| Some(format!("all of {}", plan.walks_whole(&SMALL)?));
            note(address, wrong_of(&site, &mut seen, fault, work).await);
        }
    }
    wrong.sort();
    wrong.dedup();
    assert!(
        wrong.is_empty(),
        "{} of:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    eprintln!("{} addresses, {seen} plans", addresses.len());
}
