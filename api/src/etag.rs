//! Answers that a script has already: an `ETag` on what is read, and 304 for who has the same.

use axum::body::{Body, to_bytes};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;

/// The largest answer that is tagged; the largest of ours is a .torrent file.
const LARGEST: usize = 16 * 1024 * 1024;

/// Gives what a request says that its script has.
pub(crate) fn asked(headers: &HeaderMap) -> Option<String> {
    let all = headers.get_all(header::IF_NONE_MATCH).iter();
    let said: Vec<&str> = all.filter_map(|value| value.to_str().ok()).collect();
    (!said.is_empty()).then(|| said.join(","))
}

/// Tags an answer, or says that it is the same as before.
pub(crate) async fn tagged(response: Response, has: Option<&str>) -> Response {
    if response.status() != StatusCode::OK {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let Ok(bytes) = to_bytes(body, LARGEST).await else {
        return Problem::unavailable().into_response();
    };
    let hash = Sha256::digest(&bytes);
    let tag = format!("\"{}\"", hex::encode(hash.get(..16).unwrap_or_default()));
    let same = has.is_some_and(|has| {
        has.split(',')
            .map(|one| one.trim().trim_start_matches("W/"))
            .any(|one| one == tag || one == "*")
    });
    let headers = &mut parts.headers;
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    let ours = HeaderValue::from_static("private, no-cache");
    headers.insert(header::CACHE_CONTROL, ours);
    let by = HeaderValue::from_static("authorization");
    headers.insert(header::VARY, by);
    if same {
        parts.status = StatusCode::NOT_MODIFIED;
        parts.headers.remove(header::CONTENT_TYPE);
        parts.headers.remove(header::CONTENT_LENGTH);
        return Response::from_parts(parts, Body::empty());
    }
    Response::from_parts(parts, Body::from(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn answer(has: Option<&str>) -> Response {
        tagged("the same".into_response(), has).await
    }

    #[tokio::test]
    async fn who_has_it_is_told_so_and_who_has_another_one_gets_it() {
        let first = answer(None).await;
        let tag = first.headers()[header::ETAG].to_str().unwrap().to_owned();
        let listed = format!("\"other\", W/{tag}");
        for has in [tag.as_str(), &listed, "*"] {
            let again = answer(Some(has)).await;
            assert_eq!(again.status(), StatusCode::NOT_MODIFIED, "{has}");
            assert_eq!(again.headers()[header::ETAG], tag.as_str());
            assert!(to_bytes(again.into_body(), 9).await.unwrap().is_empty());
        }
        assert_eq!(answer(Some("\"other\"")).await.status(), StatusCode::OK);
        let refused = tagged(Problem::not_found().into_response(), Some("*")).await;
        assert_eq!(refused.status(), StatusCode::NOT_FOUND);
    }
}
