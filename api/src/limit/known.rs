//! Which sessions and keys were good a moment ago, so that a request counts as its member's before
//! anybody is looked up.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::http::{HeaderMap, Uri};
use commands::limit::Subject;
use projections::user::Profile;
use sha2::{Digest as _, Sha256};

use crate::caller::bearer;
use crate::session::cookie_value;

/// How long a session or key counts as good without being looked up.
const GOOD: Duration = Duration::from_hours(1);
/// The most that are remembered.
const MOST: usize = 50_000;

/// A hash of what somebody shows: a session, an API key or a feed key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Credential([u8; 32]);

impl Credential {
    /// Finds what a request shows.
    pub(crate) fn of(uri: &Uri, headers: &HeaderMap) -> Option<Self> {
        let path = uri.path();
        let key = match path {
            _ if path.starts_with("/rss/") => Some("key="),
            _ if path.starts_with("/api/torznab") => Some("apikey="),
            _ => None,
        };
        if let Some(key) = key {
            let mut pairs = uri.query()?.split('&');
            return pairs
                .find_map(|pair| pair.strip_prefix(key))
                .map(Self::shown);
        }
        if let Some(bearer) = bearer(headers) {
            return Some(Self::shown(bearer));
        }
        let session = cookie_value(headers, "__Host-ot_session");
        session
            .or_else(|| cookie_value(headers, "ot_session"))
            .map(Self::shown)
    }

    /// Hashes a session or a key.
    pub(crate) fn shown(text: &str) -> Self {
        Self(Sha256::digest(text).into())
    }
}

/// A member as the limits know them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    pub(super) id: Subject,
    pub(super) staff: bool,
}

impl Member {
    pub(super) fn of(profile: &Profile) -> Self {
        Self {
            id: *profile.id.0.as_bytes(),
            staff: profile.permissions().are_of_the_staff(),
        }
    }
}

/// What was good a moment ago.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<HashMap<Credential, (Instant, Member)>>);

impl Known {
    pub(super) fn note(&self, shown: Credential, member: Member) {
        let now = Instant::now();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MOST {
            known.retain(|_, (seen, _)| now.duration_since(*seen) < GOOD);
            if known.len() >= MOST {
                known.clear();
            }
        }
        known.insert(shown, (now, member));
    }

    pub(super) fn whose(&self, shown: &Credential) -> Option<Member> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let (seen, member) = known.get(shown)?;
        (seen.elapsed() < GOOD).then_some(*member)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_a_key_and_a_feed_key_are_found_and_a_stranger_is_not() {
        let of = |path: &str, headers: &[(&str, &str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                let name: axum::http::HeaderName = name.parse().unwrap();
                map.insert(name, value.parse().unwrap());
            }
            Credential::of(&path.parse().unwrap(), &map)
        };
        let shown = Some(Credential::shown("abc"));
        assert_eq!(of("/rss/latest?limit=5&key=abc", &[]), shown);
        assert_eq!(of("/api/torznab?t=search&apikey=abc", &[]), shown);
        assert_eq!(of("/", &[("cookie", "theme=dark; ot_session=abc")]), shown);
        let key = [("authorization", "bearer  abc ")];
        assert_eq!(
            of("/api/v1/me", &key),
            shown,
            "as it is read to recognise it"
        );
        let front = [
            ("authorization", "Basic YTpi"),
            ("cookie", "ot_session=abc"),
        ];
        assert_eq!(
            of("/", &front),
            shown,
            "what a front asks for is no key of ours"
        );
        assert_eq!(of("/torrents?key=abc", &[("cookie", "theme=dark")]), None);
    }
}
