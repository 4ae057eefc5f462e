//! What went wrong: RFC 9457 problem+json, or the same as a page for who reads HTML.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use commands::Refusal;
use serde_json::json;
use uuid::Uuid;

use crate::app::Site;
use crate::limit;
use crate::route;
use crate::web::layout;

/// What went wrong, in words for the person and the program that asked.
#[derive(Debug, Clone)]
pub struct Problem {
    /// The status.
    pub status: StatusCode,
    /// What it is called, such as `name-taken`.
    pub kind: &'static str,
    /// What happened.
    pub title: String,
    /// What to do next.
    pub detail: String,
    /// Seconds after which trying again makes sense.
    pub retry_after: Option<u32>,
    /// What was wrong with which field, where that is known.
    pub fields: Vec<FieldError>,
    /// What who asks must bring, for the header `WWW-Authenticate`.
    pub challenge: Option<&'static str>,
}

/// What is wrong with a field.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct FieldError {
    /// The field's name, as it was sent.
    pub field: String,
    /// What is wrong with it, and what may be sent.
    pub detail: String,
}

/// The name of a request, in its answer and in the log.
#[derive(Debug, Clone)]
struct RequestId(String);

impl Problem {
    /// Says what happened and what to do next.
    pub fn new(status: StatusCode, kind: &'static str, title: &str, detail: &str) -> Self {
        Self {
            status,
            kind,
            title: title.to_owned(),
            detail: detail.to_owned(),
            retry_after: None,
            fields: vec![],
            challenge: None,
        }
    }

    /// Something is wrong with one field.
    pub fn field(field: &str, detail: &str) -> Self {
        Self::fields(vec![FieldError {
            field: field.to_owned(),
            detail: detail.to_owned(),
        }])
    }

    /// Something is wrong with fields.
    pub fn fields(fields: Vec<FieldError>) -> Self {
        let detail = fields.iter().map(|wrong| wrong.detail.as_str());
        let detail = detail.collect::<Vec<_>>().join(" ");
        let status = StatusCode::UNPROCESSABLE_ENTITY;
        Self {
            fields,
            ..Self::new(status, "rejected", "This can't be done", &detail)
        }
    }

    /// Nothing is there.
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not-found",
            "There is nothing here",
            "It may have been withdrawn, or the address is mistyped. Look for it in the torrents.",
        )
    }

    /// The method isn't offered here.
    pub fn method() -> Self {
        Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "method-not-allowed",
            "This can't be asked here",
            "The address exists, but not for this method.",
        )
    }

    /// Who asks may not.
    pub fn forbidden(detail: &str) -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "forbidden",
            "You may not do this",
            detail,
        )
    }

    /// Nobody is signed in.
    pub fn signed_out(detail: &str) -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "signed-out",
            "Sign in first",
            detail,
        )
    }

    /// What was sent can't be used.
    pub fn invalid(detail: &str) -> Self {
        Self::new(
            StatusCode::BAD_REQUEST,
            "invalid",
            "This can't be used",
            detail,
        )
    }

    /// It collides with something that is there.
    pub fn conflict(kind: &'static str, title: &str, detail: &str) -> Self {
        Self::new(StatusCode::CONFLICT, kind, title, detail)
    }

    /// It was tried too often.
    pub fn too_often(detail: &str, seconds: u32) -> Self {
        let often = Self::new(
            StatusCode::TOO_MANY_REQUESTS,
            "too-often",
            "Too many tries",
            detail,
        );
        Self {
            retry_after: Some(seconds),
            ..often
        }
    }

    /// Something outside is away; trying again is right.
    pub fn unavailable() -> Self {
        let detail = "The database doesn't answer just now. Nothing was changed. Try again in a few seconds.";
        let away = Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "unavailable",
            "The site is catching its breath",
            detail,
        );
        Self {
            retry_after: Some(5),
            ..away
        }
    }
}

impl From<commands::ports::Unavailable> for Problem {
    fn from(error: commands::ports::Unavailable) -> Self {
        tracing::warn!(what = error.what, reason = %error.source, "unavailable");
        Self::unavailable()
    }
}

impl From<projections::Unavailable> for Problem {
    fn from(error: projections::Unavailable) -> Self {
        tracing::warn!(what = "the read tables", reason = %error.0, "unavailable");
        Self::unavailable()
    }
}

impl<R: std::error::Error> From<Refusal<R>> for Problem {
    fn from(refusal: Refusal<R>) -> Self {
        match refusal {
            Refusal::Rejected(rejection) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "rejected",
                "This can't be done",
                &sentence(&rejection),
            ),
            Refusal::Forbidden => Self::forbidden("This needs another role."),
            Refusal::NotFound => Self::not_found(),
            Refusal::Taken { scope, .. } => Self::conflict(
                "taken",
                "Somebody was faster",
                &format!("The {scope} belongs to somebody else."),
            ),
            Refusal::Conflict => {
                let detail = "Somebody else changed the same thing at the same moment. Look at it and try again.";
                Self::conflict("conflict", "Changed meanwhile", detail)
            }
            Refusal::Unavailable(unavailable) => unavailable.into(),
        }
    }
}

/// Makes a sentence of an error's text.
pub(crate) fn sentence(error: &impl std::fmt::Display) -> String {
    let text = error.to_string();
    let mut letters = text.chars();
    let first = letters
        .next()
        .map(|letter| letter.to_uppercase().to_string())
        .unwrap_or_default();
    format!("{first}{}.", letters.as_str())
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut body = json!({
            "type": format!("/problems/{}", self.kind), "title": self.title, "status": self.status.as_u16(),
            "detail": self.detail,
        });
        if let (false, Some(body)) = (self.fields.is_empty(), body.as_object_mut()) {
            body.insert("errors".to_owned(), json!(self.fields));
        }
        let mut response = (self.status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        if let Some(challenge) = self.challenge {
            let challenge = HeaderValue::from_static(challenge);
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Names each request, for the log and for who reports a problem.
pub(crate) async fn name_request(mut request: Request, next: Next) -> Response {
    let name = Uuid::new_v4().simple().to_string();
    let route = request
        .extensions()
        .get::<axum::extract::MatchedPath>()
        .map(|path| path.as_str().to_owned());
    request.extensions_mut().insert(RequestId(name.clone()));
    let method = request.method().clone();
    let mut response = next.run(request).await;
    if let Ok(value) = HeaderValue::from_str(&name) {
        response.headers_mut().insert("x-request-id", value);
    }
    // The route's template is logged, never the address itself.
    tracing::debug!(request = name, %method, route, status = response.status().as_u16(), "answered");
    response
}

/// Answers that the site is busy when a request takes too long; an upload may take its time.
pub(crate) async fn in_time(request: Request, next: Next) -> Response {
    let uploads = matches!(request.uri().path(), "/upload" | "/api/v1/torrents")
        && request.method() == axum::http::Method::POST;
    let patience = if uploads { 180 } else { 15 };
    let answered = tokio::time::timeout(Duration::from_secs(patience), next.run(request)).await;
    answered.unwrap_or_else(|_| Problem::unavailable().into_response())
}

/// Tells whether who asks reads pages.
pub(crate) fn reads_html(headers: &HeaderMap) -> bool {
    let accepts = headers
        .get(header::ACCEPT)
        .and_then(|value| value.to_str().ok());
    accepts.is_some_and(|accepts| accepts.contains("text/html"))
}

/// Shows a problem as a page to who reads HTML.
pub(crate) async fn show(State(site): State<Arc<Site>>, request: Request, next: Next) -> Response {
    let html = reads_html(request.headers()) && !route::is_api(request.uri().path());
    let name = request
        .extensions()
        .get::<RequestId>()
        .map(|name| name.0.clone())
        .unwrap_or_default();
    let theme = layout::Theme::of(request.headers());
    let response = next.run(request).await;
    match response.extensions().get::<Problem>() {
        Some(problem) if html => {
            let page = layout::problem_page(&site, theme, problem, &name);
            let mut shown = (problem.status, page).into_response();
            for kept in [
                header::RETRY_AFTER,
                header::SET_COOKIE,
                header::CACHE_CONTROL,
                HeaderName::from_static(limit::POLICY),
                HeaderName::from_static(limit::LEFT),
            ] {
                if let Some(value) = response.headers().get(&kept) {
                    shown.headers_mut().insert(kept, value.clone());
                }
            }
            shown
        }
        _ => response,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use commands::ports::Unavailable;

    #[test]
    fn where_too_many_commands_wait_the_client_is_told_when_to_come_again() {
        let full = Unavailable::new("the event store", "too many commands wait");
        let refusal = Refusal::<std::fmt::Error>::Unavailable(full);
        let response = Problem::from(refusal).into_response();
        assert_eq!(response.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert_eq!(response.headers()[header::RETRY_AFTER], "5");
    }
}
