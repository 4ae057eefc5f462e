//! A site that is shown as it once stood is for reading.

use axum::extract::{Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::problem::Problem;
use crate::sign_in::security_key;

/// What may be asked of it besides reading: nothing of it is in the log.
const FREE: [&str; 8] = [
    "/api/auth/login",
    "/api/auth/second-factor",
    security_key::CHALLENGE,
    security_key::BRING,
    "/api/auth/logout",
    "/sign-out",
    "/theme",
    "/csp-report",
];

/// Refuses what would change something.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let reads = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    match app.site.as_of {
        Some(_) if !reads && !FREE.contains(&request.uri().path()) => {
            let told = "This is the site as it once stood. It can be read, and changed where it lives today.";
            Problem::forbidden(told).into_response()
        }
        _ => next.run(request).await,
    }
}
