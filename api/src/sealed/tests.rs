//! The sealed site by its router, over a vault that is in memory.

use std::net::SocketAddr;
use std::sync::Mutex;

use async_trait::async_trait;
use axum::body::{Body, to_bytes};
use axum::extract::ConnectInfo;
use axum::http::Request;
use commands::ports::Random;
use domain::Position;
use domain::id::MemberId;
use tokio::sync::watch;
use tower::ServiceExt as _;

use super::*;
use crate::vault::Sheet;

const RIGHT: &str = "rivers run to the sea";
const OURS: &str = "http://localhost:3000";

/// A vault whose password is known.
#[derive(Debug)]
struct InMemory {
    standing: watch::Sender<Standing>,
    tried: Mutex<u32>,
}

impl InMemory {
    fn sealed() -> Arc<Self> {
        let standing = Standing {
            state: Stands::Sealed,
            ..Standing::default()
        };
        Arc::new(Self {
            standing: watch::Sender::new(standing),
            tried: Mutex::default(),
        })
    }
}

#[async_trait]
impl Vault for InMemory {
    fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.subscribe()
    }

    async fn sheet(&self) -> Result<Option<Sheet>, NotDone> {
        Err(NotDone::Away)
    }

    async fn set_password(
        &self,
        _by: MemberId,
        _old: Option<Secret>,
        _new: Secret,
    ) -> Result<Position, NotDone> {
        Err(NotDone::Refused("the vault is sealed".to_owned()))
    }

    async fn seal(&self, _by: MemberId) -> Result<(), NotDone> {
        Ok(())
    }

    async fn restore(&self, password: Secret) -> Result<(), NotDone> {
        *self.tried.lock().unwrap() += 1;
        match password.as_str() {
            RIGHT => {
                self.standing
                    .send_modify(|standing| standing.state = Stands::Restoring);
                Ok(())
            }
            "busy" => Err(NotDone::Busy),
            _ => Err(NotDone::Wrong),
        }
    }
}

#[derive(Debug)]
struct Zeros;

impl Random for Zeros {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(0);
    }
}

fn site(vault: &Arc<InMemory>) -> Router {
    router(closed_with(Arc::<InMemory>::clone(vault)))
}

fn closed_with(vault: Arc<dyn Vault>) -> Closed {
    let facts = Site {
        name: "Secret Harbour".into(),
        source: "SH".into(),
        origins: vec![OURS.into()],
        announce: "http://localhost:8080/announce".into(),
        announce_also: vec![],
        work_bits: 20,
        trusted_proxies: vec![],
        asks_code: false,
        as_of: None,
        live: crate::app::Live::default(),
        iterations: 600_000,
    };
    Closed {
        vault,
        site: Arc::new(facts),
        random: Arc::new(Zeros),
    }
}

/// What a sealed site needs.
pub(crate) fn closed() -> Closed {
    closed_with(InMemory::sealed())
}

/// What came back: status, headers, text.
struct Came(StatusCode, HeaderMap, String);

async fn ask(site: &Router, request: Request<Body>) -> Came {
    let answer = site.clone().oneshot(request).await.unwrap();
    let (parts, body) = answer.into_parts();
    let bytes = to_bytes(body, 1 << 20).await.unwrap();
    let text = String::from_utf8_lossy(&bytes).into_owned();
    Came(parts.status, parts.headers, text)
}

fn get(path: &str, accept: &str) -> Request<Body> {
    let request = Request::get(path).header(header::ACCEPT, accept);
    request.body(Body::empty()).unwrap()
}

fn form(password: &str) -> Request<Body> {
    sent_from(
        "192.0.2.1",
        OURS,
        "/restore",
        format!("password={password}"),
    )
}

fn sent_from(address: &str, origin: &str, path: &str, body: String) -> Request<Body> {
    let kind = if body.starts_with('{') {
        "application/json"
    } else {
        "application/x-www-form-urlencoded"
    };
    let peer = SocketAddr::new(address.parse().unwrap(), 4_711);
    let request = Request::post(path)
        .header(header::ACCEPT, "text/html")
        .header(header::CONTENT_TYPE, kind)
        .extension(ConnectInfo(peer));
    let request = if origin.is_empty() {
        request
    } else {
        request.header(header::ORIGIN, origin)
    };
    request.body(Body::from(body)).unwrap()
}

#[tokio::test]
async fn every_address_says_that_the_site_is_sealed() {
    let site = site(&InMemory::sealed());
    for path in [
        "/",
        "/setup",
        "/sign-in",
        "/register",
        "/torrents?q=a",
        "/torrents/5",
        "/torrents/5/download",
        "/upload",
        "/members/alice",
        "/ledger",
        "/settings",
        "/staff",
        "/staff/panic",
        "/staff/panic/sheet",
        "/audit",
        "/restore",
        "/api/auth/challenge?username=alice",
        "/api/admin/panic/encrypt",
        "/no/such/page",
    ] {
        for method in ["GET", "POST", "PUT", "DELETE"] {
            if method == "POST" && path == "/restore" {
                continue;
            }
            let mut page = get(path, "text/html,*/*");
            *page.method_mut() = method.parse().unwrap();
            let Came(status, headers, text) = ask(&site, page).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{method} {path}");
            assert!(headers.contains_key(header::RETRY_AFTER), "{path}");
            assert!(headers.contains_key(header::CONTENT_SECURITY_POLICY));
            assert!(headers.contains_key("x-request-id"));
            assert!(text.contains("This site is sealed") && text.contains("[ENCRYPTED]"));
            assert!(!text.contains("Secret Harbour"), "{path} tells the name");
            let mut data = get(path, "application/json");
            *data.method_mut() = method.parse().unwrap();
            let Came(status, headers, text) = ask(&site, data).await;
            assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE, "{method} {path}");
            assert_eq!(headers[header::CONTENT_TYPE], "application/problem+json");
            assert!(headers.contains_key(header::RETRY_AFTER), "{path}");
            assert!(text.contains("\"/problems/sealed\""), "{text}");
        }
    }
}

#[tokio::test]
async fn what_the_page_needs_is_answered_as_always() {
    let vault = InMemory::sealed();
    let site = site(&vault);
    let Came(status, headers, _) = ask(&site, get(&asset::url("site.css"), "*/*")).await;
    assert_eq!(
        (status, &headers[header::CONTENT_TYPE]),
        (
            StatusCode::OK,
            &HeaderValue::from_static("text/css; charset=utf-8")
        )
    );
    assert_eq!(
        ask(&site, get("/health/live", "*/*")).await.0,
        StatusCode::OK
    );
    let Came(status, _, text) = ask(&site, get("/health/ready", "*/*")).await;
    assert_eq!(status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(
        text,
        r#"{"ready":false,"reasons":["the vault is sealed"],"warnings":[]}"#
    );
    vault.standing.send_replace(Standing {
        state: Stands::Restoring,
        doing: "events".into(),
        done: 3,
        total: 9,
        trouble: Some("the disk is full".into()),
    });
    let Came(status, _, text) = ask(&site, get("/api/v1/panic", "*/*")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(
        text,
        r#"{"doing":"events","done":3,"state":"restoring","total":9,"trouble":"the disk is full"}"#
    );
    let Came(_, headers, text) = ask(&site, get("/", "text/html")).await;
    assert_eq!(headers[header::RETRY_AFTER], "5");
    assert!(
        text.contains("<progress max=\"9\" value=\"3\" aria-label=\"events\">"),
        "{text}"
    );
    assert!(text.contains("The disk is full."));
    let chosen = sent_from("192.0.2.1", OURS, "/theme", "theme=light".to_owned());
    assert_eq!(ask(&site, chosen).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_wrong_password_is_told_and_the_right_one_leads_back() {
    let vault = InMemory::sealed();
    let site = site(&vault);
    let Came(status, _, text) = ask(&site, form("wrong")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(
        text.contains("This isn't the Panic Password. Nothing was changed."),
        "{text}"
    );
    assert!(!text.contains("value=\"wrong\""));
    assert_eq!(vault.standing.borrow().state, Stands::Sealed);
    assert_eq!(ask(&site, form("")).await.0, StatusCode::BAD_REQUEST);
    let Came(status, headers, text) = ask(&site, form("busy")).await;
    assert_eq!(
        (status, &headers[header::RETRY_AFTER]),
        (
            StatusCode::TOO_MANY_REQUESTS,
            &HeaderValue::from_static("2")
        )
    );
    assert!(text.contains("Somebody else is trying"));
    let Came(status, headers, _) = ask(&site, form(RIGHT)).await;
    assert_eq!(
        (status, &headers[header::LOCATION]),
        (StatusCode::SEE_OTHER, &HeaderValue::from_static("/"))
    );
    assert_eq!(vault.standing.borrow().state, Stands::Restoring);
}

#[tokio::test]
async fn programs_restore_by_json() {
    let site = site(&InMemory::sealed());
    let send = |password: &str| {
        let body = format!(r#"{{"panicPassword":"{password}"}}"#);
        let mut request = sent_from("192.0.2.1", "", panic::RESTORE, body);
        request.headers_mut().remove(header::ACCEPT);
        request
    };
    let Came(status, _, text) = ask(&site, send("wrong")).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    assert!(text.contains("\"/problems/wrong-password\""), "{text}");
    let Came(status, _, text) = ask(&site, send(RIGHT)).await;
    assert_eq!(status, StatusCode::ACCEPTED);
    assert!(text.contains(r#""state":"restoring""#), "{text}");
    let large = "x".repeat(LARGEST_BODY);
    let Came(status, ..) = ask(&site, send(&large)).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn an_address_that_guesses_has_to_wait_and_no_other() {
    let vault = InMemory::sealed();
    let site = site(&vault);
    for _ in 0..5 {
        assert_eq!(ask(&site, form("wrong")).await.0, StatusCode::UNAUTHORIZED);
    }
    let Came(status, headers, text) = ask(&site, form(RIGHT)).await;
    assert_eq!(status, StatusCode::TOO_MANY_REQUESTS);
    let wait: u32 = headers[header::RETRY_AFTER]
        .to_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!((290..=300).contains(&wait), "{wait}");
    assert!(text.contains("Try again in 5 minutes."), "{text}");
    assert_eq!(
        *vault.tried.lock().unwrap(),
        5,
        "the sixth isn't even tried"
    );
    let mut forwarded = form(RIGHT);
    let other = HeaderValue::from_static("192.0.2.9");
    forwarded.headers_mut().insert("x-forwarded-for", other);
    assert_eq!(ask(&site, forwarded).await.0, StatusCode::TOO_MANY_REQUESTS);
    let elsewhere = sent_from("192.0.2.2", OURS, "/restore", format!("password={RIGHT}"));
    assert_eq!(ask(&site, elsewhere).await.0, StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn another_site_cannot_make_a_browser_try_passwords() {
    let vault = InMemory::sealed();
    let site = site(&vault);
    for path in ["/restore", panic::RESTORE] {
        let foreign = sent_from(
            "192.0.2.1",
            "https://evil.example",
            path,
            format!("password={RIGHT}"),
        );
        assert_eq!(ask(&site, foreign).await.0, StatusCode::FORBIDDEN);
        let mut foreign = form(RIGHT);
        let cross = HeaderValue::from_static("cross-site");
        foreign.headers_mut().insert("sec-fetch-site", cross);
        assert_eq!(ask(&site, foreign).await.0, StatusCode::FORBIDDEN);
    }
    assert_eq!(*vault.tried.lock().unwrap(), 0);
}
