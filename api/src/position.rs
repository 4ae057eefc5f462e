//! Reading one's own writes, and writing once.
//!
//! The answer to a write bears `X-Position`, the place of its last event in the log. A read with
//! `?after=` waits until what it shows has come so far, at most two seconds; where it hasn't, the
//! answer bears `X-Stale: true`. A write with an `Idempotency-Key` happens once: whoever repeats it
//! gets the first answer.

use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderValue, Method};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use commands::request::{self, Key};
use domain::Position;

use crate::app::App;
use crate::caller::Caller;
use crate::problem::Problem;
use crate::route;
use crate::session::SignedIn;

/// The most characters of a key.
const LONGEST_KEY: usize = 200;

/// Waits before a read, and tells the position after a write.
pub(crate) async fn follow(State(app): State<App>, request: Request, next: Next) -> Response {
    if matches!(*request.method(), Method::GET | Method::HEAD) {
        let after = request.uri().query().and_then(after);
        let fresh = match after {
            Some(position) => app.reads.wait_for(position).await,
            None => true,
        };
        let mut response = next.run(request).await;
        if !fresh {
            let stale = HeaderValue::from_static("true");
            response.headers_mut().insert("x-stale", stale);
        }
        return response;
    }
    let (request, key) = match keyed(&app, request).await {
        Ok(keyed) => keyed,
        Err(problem) => return problem.into_response(),
    };
    let (mut response, position) = request::request(key, next.run(request)).await;
    if position > Position(0) {
        let headers = response.headers_mut();
        headers.insert("x-position", HeaderValue::from(position.0));
    }
    response
}

fn after(query: &str) -> Option<Position> {
    let value = query
        .split('&')
        .find_map(|field| field.strip_prefix("after="))?;
    value.parse().ok().map(Position)
}

/// Reads the key of a write; a member's keys are their own.
async fn keyed(app: &App, request: Request) -> Result<(Request, Option<Key>), Problem> {
    let Some(words) = request.headers().get("idempotency-key") else {
        return Ok((request, None));
    };
    let words = words.to_str().unwrap_or_default().to_owned();
    if words.is_empty() || words.len() > LONGEST_KEY {
        return Err(Problem::invalid(
            "An Idempotency-Key has 1 to 200 letters, digits or signs of ASCII.",
        ));
    }
    let (mut parts, body) = request.into_parts();
    let member = if route::is_api(parts.uri.path()) {
        let caller = Caller::from_request_parts(&mut parts, app).await;
        caller.ok().map(|caller| caller.profile.id)
    } else {
        let signed_in = SignedIn::from_request_parts(&mut parts, app).await;
        signed_in.ok().map(|signed_in| signed_in.profile.id)
    };
    let key = member.map(|member| {
        let what = format!("{} {}", parts.method, parts.uri.path());
        Key::new(member, &what, &words)
    });
    Ok((Request::from_parts(parts, body), key))
}
