//! Whether the program lives and can serve.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::app::App;
use crate::route::{Routes, Who};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/health/live", Who::Anyone, live)
        .get("/health/ready", Who::Anyone, ready)
}

/// Says that the program lives.
pub(crate) async fn live() -> Json<serde_json::Value> {
    Json(json!({ "live": true }))
}

async fn ready(State(app): State<App>) -> Response {
    of(&app).await
}

/// Says whether what this node does can be done.
pub(crate) async fn of(app: &App) -> Response {
    told(&app.health.reasons().await, &app.health.warnings().await)
}

/// Says whether the site can serve and why not, and what should be mended.
pub(crate) fn told(reasons: &[String], warnings: &[String]) -> Response {
    let status = if reasons.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    (
        status,
        Json(json!({ "ready": reasons.is_empty(), "reasons": reasons, "warnings": warnings })),
    )
        .into_response()
}
