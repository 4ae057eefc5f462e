//! How long requests of pages and scripts took.

use axum::http::{Method, StatusCode};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

use super::Of;
use crate::route::is_api;

/// The upper ends of the times that are told apart, in seconds.
const TIMES: [f64; 9] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.2, 1.0, 5.0];

/// The requests that were answered since the start; cheap to clone.
#[derive(Debug, Clone)]
pub(crate) struct Requests(Family<Of, Histogram, fn() -> Histogram>);

impl Default for Requests {
    fn default() -> Self {
        Self(Family::new_with_constructor(|| Histogram::new(TIMES)))
    }
}

impl Requests {
    /// Says what is asked for; a form's time has in it how long it took to be sent.
    pub(crate) fn kind(method: &Method, path: &str) -> &'static str {
        let begins = |with: &str| path.starts_with(with);
        if is_api(path) {
            "script"
        } else if begins("/rss/") || begins("/api/torznab") {
            "feed"
        } else if begins("/assets/") || begins("/health/") {
            "asset"
        } else if *method != Method::GET && *method != Method::HEAD {
            "form"
        } else {
            "page"
        }
    }

    /// Notes an answer to a request of a kind that began at a moment.
    pub(crate) fn note(&self, kind: &'static str, status: StatusCode, began: Instant) {
        let of = vec![("kind", kind), ("status", class(status))];
        let took = began.elapsed().as_secs_f64();
        self.0.get_or_create(&of).observe(took);
    }

    /// Measures them.
    pub(super) fn measure(&self, registry: &mut Registry) {
        let help = "How long requests took until their answer began";
        registry.register_with_unit("request", help, Unit::Seconds, self.0.clone());
    }
}

fn class(status: StatusCode) -> &'static str {
    if status.is_server_error() {
        "5xx"
    } else if status.is_client_error() {
        "4xx"
    } else if status.is_redirection() {
        "3xx"
    } else {
        "2xx"
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_of_few_kinds() {
        let paths = [
            "/torrents",
            "/api/v1/torrents",
            "/rss/latest",
            "/api/torznab",
            "/assets/0/site.css",
        ];
        assert_eq!(
            paths.map(|path| Requests::kind(&Method::GET, path)),
            ["page", "script", "feed", "feed", "asset"]
        );
        assert_eq!(Requests::kind(&Method::POST, "/upload"), "form");
    }
}
