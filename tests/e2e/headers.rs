//! The headers of every answer, whoever asks and whatever is answered.

use reqwest::header::HeaderMap;
use tests::{Options, Site};

/// Each header with something that it says.
const SAID: [(&str, &str); 8] = [
    (
        "content-security-policy",
        "default-src 'none'; script-src 'self'",
    ),
    ("x-content-type-options", "nosniff"),
    ("referrer-policy", "same-origin"),
    ("x-robots-tag", "noindex"),
    ("cross-origin-opener-policy", "same-origin"),
    ("cross-origin-resource-policy", "same-origin"),
    ("permissions-policy", "geolocation=()"),
    ("cache-control", "no-store"),
];

fn missing(headers: &HeaderMap) -> Vec<&'static str> {
    let says = |name: &str, words: &str| {
        let said = headers.get(name).and_then(|said| said.to_str().ok());
        said.is_some_and(|said| said.contains(words))
    };
    let missing = SAID.into_iter().filter(|(name, words)| !says(name, words));
    missing.map(|(name, _)| name).collect()
}

#[tokio::test]
async fn every_answer_says_what_browsers_may_do_with_it() {
    let site = Site::start(Options::default()).await;
    let (admin, guest) = (site.client(), site.client());
    admin.set_up("admin", "correct horse battery").await;
    for path in [
        "/",
        "/sign-in",
        "/torrents",
        "/settings",
        "/no/such/page",
        "/staff/settings",
        "/api/v1/me",
        "/api/v1/openapi.json",
        "/api/auth/pow",
        "/rss/latest",
        "/torrents?from=%00",
    ] {
        for (who, client) in [("a member", &admin), ("a guest", &guest)] {
            let answer = client.get(path).await;
            let missing = missing(answer.headers());
            assert!(missing.is_empty(), "{path} for {who}: {missing:?}");
        }
    }
}
