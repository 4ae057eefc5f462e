//! Whether the program lives and can serve.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use serde_json::json;

use crate::app::App;

/// Gives the routes.
pub(crate) fn routes() -> Router<App> {
    Router::new()
        .route("/health/live", get(async || Json(json!({ "live": true }))))
        .route("/health/ready", get(ready))
}

async fn ready(State(app): State<App>) -> Response {
    let reasons = app.health.reasons().await;
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "ready": reasons.is_empty(), "reasons": reasons })),
    )
        .into_response()
}
