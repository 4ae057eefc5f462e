//! Limits of requests, blocks and their end, as clients and the staff meet them.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use domain::api_key::Scope;
use reqwest::header::{ACCEPT, ORIGIN};
use reqwest::{Method, Response, StatusCode};
use serde_json::{Value, json};
use tests::{Client, Options, Redis, Site, cluster, until};

use crate::api_key::key;

mod guess;

const PASSWORD: &str = "correct horse battery";
const SOON: Duration = Duration::from_secs(20);

/// A site with some limits; all others are off.
async fn limited(limits: &[(&str, &str)]) -> Site {
    let name = |key: &str| format!("OPENTRACKER_{key}");
    let extra = limits
        .iter()
        .map(|(key, value)| (name(key), (*value).to_owned()));
    Site::start(Options {
        extra: extra.collect(),
        ..Options::default()
    })
    .await
}

/// Somebody without a session, at an address of their own.
struct Stranger {
    http: reqwest::Client,
    base: String,
}

impl Stranger {
    fn at(site: &Site, address: &str) -> Self {
        let address: IpAddr = address.parse().unwrap();
        let http = reqwest::Client::builder()
            .local_address(address)
            .redirect(reqwest::redirect::Policy::none());
        Self {
            http: http.build().unwrap(),
            base: site.url(""),
        }
    }

    async fn get(&self, path: &str) -> Response {
        let asked = self.http.get(format!("{}{path}", self.base));
        asked.send().await.unwrap()
    }

    async fn forwarded(&self, path: &str, header: &str, value: &str) -> StatusCode {
        let asked = self.http.get(format!("{}{path}", self.base));
        asked.header(header, value).send().await.unwrap().status()
    }

    /// Tries to sign in, by a proof that can't be right.
    async fn guess(&self, name: &str) -> StatusCode {
        let body = json!({ "username": name, "challenge": "00", "proof": "", "clientNonce": "" });
        let asked = self.http.post(format!("{}/api/auth/login", self.base));
        let asked = asked.header(ORIGIN, &self.base).json(&body);
        asked.send().await.unwrap().status()
    }
}

fn header<'a>(answer: &'a Response, name: &str) -> &'a str {
    answer.headers()[name].to_str().unwrap()
}

async fn founded(site: &Site) -> Client {
    let admin = site.client();
    admin.set_up("admin", PASSWORD).await;
    admin
        .post_form("/staff/registration", &[("registration", "open")])
        .await;
    admin
}

async fn measured(site: &Site, name: &str) -> f64 {
    let page = reqwest::get(format!("http://{}/metrics", site.metrics));
    let text = page.await.unwrap().text().await.unwrap();
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix(&format!("{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {text}"))
        .parse()
        .unwrap()
}

#[tokio::test]
async fn limits_are_told_and_kept_and_a_member_at_the_same_address_goes_on() {
    let site = limited(&[("LIMITS__PAGES", "20"), ("LIMITS__MEMBER_PAGES", "500")]).await;
    let admin = founded(&site).await;
    // Whoever is known counts for themselves.
    admin.page("/torrents").await;
    let stranger = Stranger::at(&site, "127.0.0.1");
    let first = until("an answer with what is left", SOON, || async {
        let answer = stranger.get("/sign-in").await;
        answer.headers().contains_key("ratelimit").then_some(answer)
    })
    .await;
    assert_eq!(header(&first, "ratelimit-policy"), "\"pages\";q=20;w=60");
    assert!(header(&first, "ratelimit").starts_with("\"pages\";r="));
    let refused = until("a refusal", SOON, || async {
        let answer = stranger.get("/sign-in").await;
        (answer.status() == 429).then_some(answer)
    })
    .await;
    let wait: u32 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=120).contains(&wait), "{wait}");
    assert!(header(&refused, "ratelimit").starts_with("\"pages\";r=0;t="));
    let problem: Value = refused.json().await.unwrap();
    assert_eq!(problem["type"], "/problems/too-often");
    let page = stranger
        .http
        .get(site.url("/sign-in"))
        .header(ACCEPT, "text/html");
    let page = page.send().await.unwrap();
    assert_eq!(page.status(), 429);
    assert!(page.headers().contains_key("retry-after") && page.headers().contains_key("ratelimit"));
    assert!(page.text().await.unwrap().contains("Too many tries"));
    assert_eq!(stranger.get("/health/live").await.status(), 200);
    assert_ne!(stranger.get("/assets/nothing.css").await.status(), 429);
    for _ in 0..40 {
        admin.page("/torrents").await;
    }
    let elsewhere = Stranger::at(&site, "127.0.0.2");
    assert_eq!(elsewhere.get("/sign-in").await.status(), 200);
    assert!(measured(&site, "opentracker_refusals_total{class=\"pages\"}").await >= 2.0);
}

#[tokio::test]
async fn who_writes_too_much_waits_longer_and_nothing_is_changed() {
    let site = limited(&[("LIMITS__WRITES", "3"), ("LIMITS__STAFF_WRITES", "50")]).await;
    let admin = founded(&site).await;
    let member = site.client();
    assert_eq!(member.register("mia", PASSWORD).await.0, 201);
    let write = async || member.post_form("/settings/feeds", &[]).await;
    let refused = until("a refused write", SOON, || async {
        let answer = write().await;
        (answer.status() == 429).then_some(answer)
    })
    .await;
    let wait: u32 = header(&refused, "retry-after").parse().unwrap();
    assert!((1..=60).contains(&wait), "{wait}");
    assert!(
        refused
            .text()
            .await
            .unwrap()
            .contains("nothing was changed")
    );
    // Reading, and the staff's work, go on.
    member.page("/torrents").await;
    for _ in 0..8 {
        let done = admin
            .post_form("/staff/announcement", &[("text", "hello")])
            .await;
        assert_eq!(done.status(), 303);
    }
}

#[tokio::test]
async fn a_flood_is_blocked_and_the_staff_sees_who_and_lifts_it() {
    let site = limited(&[("LIMITS__FLOOD", "30")]).await;
    let admin = founded(&site).await;
    admin.page("/staff/blocks").await;
    let flooding = Stranger::at(&site, "127.0.0.2");
    let block = || async {
        until("a block", SOON, || async {
            let answer = flooding.get("/sign-in").await;
            (answer.status() == 403).then_some(answer)
        })
        .await
    };
    let blocked = block().await;
    let wait: u32 = header(&blocked, "retry-after").parse().unwrap();
    assert!((290..=300).contains(&wait), "{wait}");
    let asked = Instant::now();
    assert_eq!(flooding.get("/sign-in").await.status(), 403);
    assert!(asked.elapsed() >= Duration::from_millis(250), "it is slow");
    let problem: Value = blocked.json().await.unwrap();
    assert_eq!(problem["type"], "/problems/blocked");
    assert!(measured(&site, "opentracker_blocks").await >= 1.0);
    let page = admin.page("/staff/blocks").await;
    assert!(
        page.contains("too many requests at once") && !page.contains("127.0.0"),
        "{page}"
    );
    let listed = site.run_json(&["--json", "block", "list"]);
    let name = listed["blocks"][0]["name"].as_str().unwrap().to_owned();
    assert!(page.contains(&name) && name.len() == 12, "{listed}");
    assert!(!site.log().contains("127.0.0.2"));
    let lifted = admin
        .post_form("/staff/blocks/lift", &[("name", &name)])
        .await;
    assert_eq!(lifted.status(), 303);
    assert_eq!(flooding.get("/sign-in").await.status(), 200);
    // Again, lifted by a script, and at last by the command line, which tells who there is.
    let key = key(&admin, "blocks", &[Scope::Moderate]).await;
    block().await;
    let http = reqwest::Client::new();
    let listed = http.get(site.url("/api/v1/blocks")).bearer_auth(&key);
    let listed: Value = listed.send().await.unwrap().json().await.unwrap();
    assert_eq!(listed[0]["kind"], "flood", "{listed}");
    let lift = http.delete(site.url(&format!("/api/v1/blocks/{name}")));
    let lifted = lift.bearer_auth(&key).send().await.unwrap();
    assert_eq!(lifted.status(), 200);
    block().await;
    let nobody = site.run(&["block", "lift", "000000000000"]);
    assert!(!nobody.status.success());
    site.run_json(&["--json", "block", "lift", &name]);
    assert_eq!(flooding.get("/sign-in").await.status(), 200);
    let noted = site.run(&["--json", "audit", "log", "--event", "BlockLifted"]);
    let noted = String::from_utf8(noted.stdout).unwrap();
    assert_eq!(
        noted
            .lines()
            .filter(|line| line.contains(&name) && line.contains("too many requests at once"))
            .count(),
        3,
        "{noted}"
    );
}

#[tokio::test]
async fn a_forged_address_is_believed_from_a_trusted_proxy_alone() {
    let trusted = ("SITE__TRUSTED_PROXIES", "[\"127.0.0.9\"]");
    let site = limited(&[("LIMITS__PAGES", "10"), trusted]).await;
    founded(&site).await;
    let liar = Stranger::at(&site, "127.0.0.2");
    let mut refused = 0;
    for number in 0..30 {
        let told = format!("192.0.2.{number}");
        refused += u32::from(liar.forwarded("/sign-in", "x-forwarded-for", &told).await == 429);
        refused += u32::from(
            liar.forwarded("/sign-in", "forwarded", &format!("for={told}"))
                .await
                == 429,
        );
    }
    assert!(refused >= 50, "{refused}");
    let proxy = Stranger::at(&site, "127.0.0.9");
    for number in 0..30 {
        // What the client claims stands before what the proxy adds.
        let told = format!("198.51.100.1, 192.0.2.{number}");
        assert_eq!(
            proxy.forwarded("/sign-in", "x-forwarded-for", &told).await,
            200
        );
    }
    let one = || proxy.forwarded("/sign-in", "x-forwarded-for", "203.0.113.1, 203.0.113.2");
    until("the client behind the proxy is refused", SOON, || async {
        (one().await == 429).then_some(())
    })
    .await;
    assert_eq!(
        proxy
            .forwarded("/sign-in", "x-forwarded-for", "203.0.113.3")
            .await,
        200
    );
}

#[tokio::test]
async fn guesses_from_elsewhere_are_blocked_and_do_not_lock_the_member_out() {
    let site = limited(&[("LIMITS__SIGN_INS", "5")]).await;
    founded(&site).await;
    let mia = site.client();
    assert_eq!(mia.register("mia", PASSWORD).await.0, 201);
    let guesser = Stranger::at(&site, "127.0.0.2");
    let mut answers = vec![];
    for _ in 0..9 {
        answers.push(guesser.guess("mia").await.as_u16());
    }
    assert_eq!(answers, [401, 401, 401, 401, 401, 429, 429, 403, 403]);
    assert_eq!(guesser.get("/sign-in").await.status(), 403);
    let other = Stranger::at(&site, "127.0.0.3");
    assert_eq!(
        other.guess("mia").await,
        429,
        "the name has had its guesses"
    );
    assert_eq!(other.guess("zoe").await, 401);
    // From where she has been before, neither her pages nor her sign-ins notice.
    mia.page("/torrents").await;
    for _ in 0..8 {
        assert_eq!(site.client().sign_in("mia", PASSWORD).await.0, 200);
    }
}

#[tokio::test]
async fn attacks_add_up_to_a_block_and_a_post_about_them_does_not() {
    let site = limited(&[("LIMITS__SCORE", "30")]).await;
    let admin = founded(&site).await;
    let text = "How do I stop ' UNION SELECT username,password FROM users-- and <script>alert(1)</script>?";
    let posted = admin
        .post_form("/staff/announcement", &[("text", text)])
        .await;
    assert_eq!(posted.status(), 303);
    for _ in 0..5 {
        let asked = "/torrents?q=%27+OR+1%3D1--+UNION+SELECT+NULL,NULL--";
        assert_eq!(admin.get(asked).await.status(), 200);
    }
    assert!(
        admin
            .page("/staff/blocks")
            .await
            .contains("Nobody has points")
    );
    let attacker = Stranger::at(&site, "127.0.0.2");
    for path in ["/torrents?page=1'+or+1=1--", "/help?file=../../etc/passwd"] {
        assert_ne!(
            attacker.get(path).await.status(),
            403,
            "none is refused for itself"
        );
    }
    let page = admin.page("/staff/blocks").await;
    assert!(
        page.contains("20 points") && page.contains("traversal"),
        "{page}"
    );
    assert_eq!(
        attacker
            .get("/x?id=<script>alert(1)</script>")
            .await
            .status(),
        403
    );
    assert!(
        admin
            .page("/staff/blocks")
            .await
            .contains("looks like attacks: script injection")
    );
}

#[tokio::test]
async fn what_another_sites_page_makes_a_browser_ask_for_is_refused_and_counted_nowhere() {
    let site = limited(&[
        ("LIMITS__FLOOD", "30"),
        ("LIMITS__SCORE", "30"),
        ("LIMITS__PAGES", "20"),
        ("LIMITS__SIGN_INS", "5"),
    ])
    .await;
    founded(&site).await;
    let visitor = Stranger::at(&site, "127.0.0.2");
    let drawn = async |method: Method, path: &str, mode: &str, dest: &str| {
        let asked = visitor
            .http
            .request(method, format!("{}{path}", visitor.base));
        let asked = asked.header("sec-fetch-site", "cross-site");
        let asked = asked.header("sec-fetch-mode", mode);
        let answer = asked.header("sec-fetch-dest", dest).send().await.unwrap();
        let status = answer.status();
        (status, answer.text().await.unwrap())
    };
    for _ in 0..40 {
        let (status, told) =
            drawn(Method::GET, "/x?id=<script>a</script>", "no-cors", "image").await;
        assert!(
            status == 403 && told.contains("/problems/forbidden"),
            "{told}"
        );
    }
    for (method, path, mode, dest) in [
        (Method::GET, "/api/v1/me", "cors", "empty"),
        (Method::GET, "/sign-in", "navigate", "iframe"),
        (Method::POST, "/api/auth/login", "navigate", "document"),
        (Method::POST, "/csp-report", "no-cors", "empty"),
    ] {
        assert_eq!(drawn(method, path, mode, dest).await.0, 403, "{path}");
    }
    // A link leads here, and where nothing is said of the site nobody is led.
    let link = drawn(Method::GET, "/sign-in", "navigate", "document").await;
    assert_eq!(link.0, 200);
    let answer = visitor.get("/sign-in").await;
    assert_eq!(answer.status(), 200);
    assert!(header(&answer, "ratelimit").starts_with("\"pages\";r=18;"));
    assert_eq!(visitor.guess("admin").await, 401);
}

async fn unanswered_challenges_are_kept_nowhere(redis: &Redis, asker: &Stranger) {
    asker.get("/api/auth/challenge?username=a").await;
    let keys = || redis.ask(&["keys", "*challenge*"]).lines().count();
    let before = keys();
    for number in 0..20 {
        asker
            .get(&format!("/api/auth/challenge?username=name{number}"))
            .await;
    }
    assert_eq!(keys(), before);
}

/// Has a node block somebody of whom the other one knows nothing, and lifts that.
async fn a_block_is_lifted_whichever_node_answers_first(one: &Site, two: &Site, who: &Stranger) {
    let blocked = || {
        until("its own block", SOON, || async {
            (who.get("/sign-in").await.status() == 403).then_some(())
        })
    };
    blocked().await;
    let log = two.log();
    let mut lines = log.lines();
    let line = lines.rfind(|line| line.contains("an address is blocked"));
    let name = line.and_then(|line| line.split('"').nth(1)).unwrap();
    for _ in 0..2 {
        one.run_json(&["--json", "block", "lift", name]);
        assert!(!one.run(&["block", "lift", name]).status.success());
        blocked().await;
    }
}

#[tokio::test]
async fn a_block_holds_on_every_node_and_without_redis_each_limits_for_itself() {
    let mut redis = Redis::start();
    let folder = tempfile::TempDir::new().unwrap();
    let database = cluster::start(folder.path());
    let url = redis.url();
    let extra = [
        ("DATABASE_URL", database.url()),
        ("REDIS_URL", url.as_str()),
        ("OPENTRACKER_LIMITS__FLOOD", "30"),
        ("OPENTRACKER_LIMITS__SIGN_INS", "5"),
    ];
    let options = Options {
        extra: extra
            .map(|(key, value)| (key.to_owned(), value.to_owned()))
            .into(),
        ..Options::default()
    };
    let one = Site::start(options).await;
    let two = one.beside().await;
    founded(&one).await;
    unanswered_challenges_are_kept_nowhere(&redis, &Stranger::at(&one, "127.0.0.3")).await;
    let (here, there) = (
        Stranger::at(&one, "127.0.0.2"),
        Stranger::at(&two, "127.0.0.2"),
    );
    let blocked = async |who: &Stranger| who.get("/sign-in").await.status() == 403;
    until("a block", SOON, || async {
        blocked(&here).await.then_some(())
    })
    .await;
    assert!(blocked(&there).await, "a block holds on every node");
    redis.kill();
    let guesser = Stranger::at(&two, "127.0.0.4");
    until("the node says that it is alone", SOON, || async {
        guesser.get("/sign-in").await;
        (measured(&two, "opentracker_limiter_alone").await > 0.5).then_some(())
    })
    .await;
    assert!(
        blocked(&here).await && blocked(&there).await,
        "what was blocked stays so"
    );
    a_block_is_lifted_whichever_node_answers_first(&one, &two, &guesser).await;
    redis.launch();
    let third = Stranger::at(&two, "127.0.0.5");
    until("nodes count together again", SOON, || async {
        third.get("/sign-in").await;
        (measured(&two, "opentracker_limiter_alone").await < 0.5).then_some(())
    })
    .await;
    let same = Stranger::at(&one, "127.0.0.4");
    until("the block of one node holds on the other", SOON, || async {
        blocked(&same).await.then_some(())
    })
    .await;
}
