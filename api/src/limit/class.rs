//! What a request counts as.

use axum::http::Method;

use crate::headers;
use crate::{panic, sign_in};

/// Where somebody becomes a member.
pub(super) const REGISTER: &str = "/api/auth/register";

/// What a request counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Reading.
    Pages,
    /// Writing.
    Writes,
    /// Proving who one is.
    SignIn,
}

impl Class {
    /// Tells what a request counts as; nothing where it doesn't count.
    pub fn of(method: &Method, path: &str) -> Option<Self> {
        let free = path.starts_with("/assets/") || path.starts_with("/health/");
        // What ends a session or seals the site is refused to nobody because they were busy.
        if free || path == panic::PRESS || path == "/api/auth/logout" {
            return None;
        }
        let proves = [
            "/api/auth/login",
            REGISTER,
            "/api/auth/setup",
            "/api/auth/recover",
            "/api/auth/password",
            "/api/auth/recovery-codes",
            sign_in::login::BRING,
            sign_in::second_factor::ENABLE,
            sign_in::second_factor::DISABLE,
            sign_in::security_key::BRING,
            sign_in::security_key::BEGIN,
            sign_in::security_key::REMOVE,
            sign_in::erasure::OWN,
        ];
        Some(match *method {
            Method::POST if proves.contains(&path) => Self::SignIn,
            Method::GET | Method::HEAD | Method::OPTIONS => Self::Pages,
            // A browser sends these by itself, or for who only looks.
            _ if path == headers::REPORTS || path == "/theme" => Self::Pages,
            _ => Self::Writes,
        })
    }

    /// Gives its name, in headers and measures.
    pub fn name(self) -> &'static str {
        match self {
            Self::Pages => "pages",
            Self::Writes => "writes",
            Self::SignIn => "sign-in",
        }
    }

    /// Gives its place among all.
    pub(super) fn place(self) -> u8 {
        match self {
            Self::Pages => 0,
            Self::Writes => 1,
            Self::SignIn => 2,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assets_and_health_do_not_count_and_the_panic_waits_for_nobody() {
        let of = |method, path| Class::of(&method, path);
        assert_eq!(of(Method::GET, "/assets/site.css"), None);
        assert_eq!(of(Method::GET, "/health/ready"), None);
        assert_eq!(of(Method::POST, panic::PRESS), None);
        assert_eq!(of(Method::GET, "/torrents"), Some(Class::Pages));
        assert_eq!(of(Method::POST, "/upload"), Some(Class::Writes));
        assert_eq!(of(Method::DELETE, "/api/v1/x"), Some(Class::Writes));
        assert_eq!(of(Method::POST, "/api/auth/login"), Some(Class::SignIn));
        assert_eq!(of(Method::GET, "/api/auth/login"), Some(Class::Pages));
    }

    #[test]
    fn every_declared_route_that_proves_who_one_is_counts_as_a_sign_in() {
        let proves = |one: &&crate::route::Declared| {
            Class::of(&one.method, &one.path) == Some(Class::SignIn)
        };
        let declared = crate::declared();
        assert_eq!(declared.iter().filter(proves).count(), 13);
    }
}
