//! What members and strangers write, as a fuzzer makes it up.

use std::sync::OnceLock;

use domain::user::{Credentials, SecurityKey};

use crate::sign_in;
use crate::sign_in::security_key::reads::{self, Asking};
use crate::web::markdown;

/// Renders markdown: nothing is left in it that runs, calls home or has a style.
pub fn markdown(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let shown = markdown::render(&text).to_ascii_lowercase();
    for tag in shown.split('<').skip(1) {
        let tag = tag.split('>').next().unwrap_or_default();
        let name = tag.trim_start_matches('/').split([' ', '/']).next();
        let runs = [
            "script", "style", "img", "iframe", "object", "embed", "svg", "math", "form", "input",
            "base", "meta", "link",
        ];
        assert!(!name.is_some_and(|name| runs.contains(&name)), "{shown}");
        // What an attribute holds is quoted, and has no quote in it.
        let outside: String = tag.split('"').step_by(2).collect();
        for word in [" on", " style=", " srcset=", " src="] {
            assert!(!outside.contains(word), "{shown}");
        }
        for start in ["href=\"javascript:", "href=\"data:", "href=\"vbscript:"] {
            assert!(!tag.contains(start), "{shown}");
        }
    }
}

/// Reads what is sent to join and to sign in: no proof is right that wasn't made with the password.
pub fn sign_in(body: &[u8]) {
    let nobody = Credentials {
        salt: [1; 32],
        iterations: 100_000,
        verifier: [2; 32],
        server_key: [3; 32],
    };
    let _whether = sign_in::reads_registration(body);
    assert!(sign_in::reads_login(body, &nobody).is_none());
}

/// Reads what a browser sends about security keys: nobody signs by a key that they don't have, and a new one is kept
/// as it is.
pub fn security_key(body: &[u8]) {
    static ASKING: OnceLock<Option<Asking>> = OnceLock::new();
    let asking = ASKING.get_or_init(Asking::begin).as_ref();
    assert!(asking.is_some(), "the site can ask");
    let _whether = reads::asks(body);
    if let Some(asking) = asking {
        assert!(!asking.believes(body));
        if let Some(key) = asking.takes(body) {
            let kept = serde_json::to_string(&key).unwrap_or_default();
            assert_eq!(serde_json::from_str::<SecurityKey>(&kept).ok(), Some(key));
        }
    }
}

/// Tells whether a body would have added a key where one is asked for by the challenge that is always the same.
pub fn adds_a_key(body: &[u8]) -> bool {
    Asking::begin().is_some_and(|asking| asking.takes(body).is_some())
}
