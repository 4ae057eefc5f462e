//! Requests that change something must come from our own pages.
//!
//! A browser says so by `Sec-Fetch-Site`, or by `Origin` where it is older. A client that says
//! neither sends the session's token in `X-CSRF-Token`. Forms carry the token besides.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Form;
use axum::extract::{FromRequest, FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use subtle::ConstantTimeEq as _;

use crate::app::{App, Site};
use crate::problem::Problem;
use crate::route;
use crate::session::SignedIn;
use crate::vault::Secret;

/// Refuses what another site makes a browser send.
pub(crate) async fn check(State(app): State<App>, request: Request, next: Next) -> Response {
    let safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    // Reports say nothing of where they come from, and change nothing. What scripts ask for is
    // admitted by a key that no browser sends by itself, and by no cookie.
    let path = request.uri().path();
    if safe || path == "/csp-report" || route::is_api(path) {
        return next.run(request).await;
    }
    match origin(&app.site, request.headers()) {
        Origin::Ours => next.run(request).await,
        Origin::Foreign => foreign().into_response(),
        Origin::Unsaid => {
            let (mut parts, body) = request.into_parts();
            let token = parts
                .headers
                .get("x-csrf-token")
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned);
            let signed_in = SignedIn::from_request_parts(&mut parts, &app).await;
            match (signed_in, token) {
                (Ok(signed_in), Some(token)) if is_token(&signed_in, &token) => {
                    next.run(Request::from_parts(parts, body)).await
                }
                _ => foreign().into_response(),
            }
        }
    }
}

/// Refuses what another site makes a browser send, where nobody is signed in: who says nothing of
/// where it comes from is no browser, and carries nothing that could be misused.
pub(crate) async fn check_guest(
    State(site): State<Arc<Site>>,
    request: Request,
    next: Next,
) -> Response {
    let safe = matches!(
        *request.method(),
        Method::GET | Method::HEAD | Method::OPTIONS
    );
    if safe || request.uri().path() == "/csp-report" {
        return next.run(request).await;
    }
    match origin(&site, request.headers()) {
        Origin::Ours | Origin::Unsaid => next.run(request).await,
        Origin::Foreign => foreign().into_response(),
    }
}

enum Origin {
    Ours,
    Foreign,
    Unsaid,
}

fn origin(site: &Site, headers: &HeaderMap) -> Origin {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    match (text("sec-fetch-site"), text(header::ORIGIN.as_str())) {
        (Some("same-origin" | "none"), _) => Origin::Ours,
        (None, Some(origin)) if site.origins.iter().any(|ours| ours == origin) => Origin::Ours,
        (Some(_), _) | (None, Some(_)) => Origin::Foreign,
        (None, None) => Origin::Unsaid,
    }
}

/// Tells whether another site's page makes a browser ask for something that nobody went to: a picture, a
/// frame or a script's request. Who follows a link, types an address or is no browser doesn't.
pub(crate) fn is_drawn_in(method: &Method, headers: &HeaderMap) -> bool {
    let is = |name: &str, what: &str| headers.get(name).is_some_and(|value| value == what);
    let goes_there = is("sec-fetch-mode", "navigate") && is("sec-fetch-dest", "document");
    is("sec-fetch-site", "cross-site") && !(goes_there && *method == Method::GET)
}

/// Says that another site made the browser ask.
pub(crate) fn foreign() -> Problem {
    Problem::forbidden(
        "The request came from another site, so nothing was changed. Use the form on this site.",
    )
}

fn is_token(signed_in: &SignedIn, token: &str) -> bool {
    signed_in
        .form_token()
        .as_bytes()
        .ct_eq(token.as_bytes())
        .into()
}

/// Checks the token of a form.
pub(crate) fn check_token(signed_in: &SignedIn, token: &str) -> Result<(), Problem> {
    if is_token(signed_in, token) {
        Ok(())
    } else {
        Err(Problem::forbidden(
            "The form is too old. Load the page again.",
        ))
    }
}

/// A form of a signed-in member whose token was checked.
pub(crate) struct CheckedForm {
    /// Who sent it.
    pub(crate) signed_in: SignedIn,
    fields: HashMap<String, String>,
}

impl CheckedForm {
    /// Gives a field; empty when it is absent.
    pub(crate) fn field(&self, name: &str) -> &str {
        self.fields.get(name).map_or("", String::as_str)
    }

    /// Gives what stands behind a beginning in the names of fields, in order.
    pub(crate) fn named<'a>(&'a self, beginning: &'a str) -> Vec<&'a str> {
        let names = self.fields.keys();
        let mut found: Vec<&str> = names
            .filter_map(|name| name.strip_prefix(beginning))
            .collect();
        found.sort_unstable();
        found
    }

    /// Takes a password out; empty when it is absent.
    pub(crate) fn secret(&mut self, name: &str) -> Secret {
        Secret::new(self.fields.remove(name).unwrap_or_default())
    }
}

impl FromRequest<App> for CheckedForm {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let (mut parts, body) = request.into_parts();
        let signed_in = SignedIn::from_request_parts(&mut parts, app).await?;
        let form =
            Form::<HashMap<String, String>>::from_request(Request::from_parts(parts, body), app)
                .await;
        let Form(fields) = form.map_err(|_| Problem::invalid("The form can't be read."))?;
        if fields.values().any(|value| value.contains('\0')) {
            return Err(Problem::invalid(
                "A form holds text; this one has a NUL in it.",
            ));
        }
        check_token(&signed_in, fields.get("_token").map_or("", String::as_str))?;
        Ok(Self { signed_in, fields })
    }
}
