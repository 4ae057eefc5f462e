//! What members and strangers write, as a fuzzer makes it up.

use domain::user::Credentials;

use crate::sign_in;
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
