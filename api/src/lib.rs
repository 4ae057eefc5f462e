//! The web edge: pages, the sign-in API, health.
//!
//! A request passes [`headers`], [`past`], [`csrf`], [`position`] and the guard of a site that isn't set up, then a handler.
//! Handlers of pages are in [`web`]; who asks is [`session`]'s; what went wrong is a
//! [`problem::Problem`], shown as problem+json or as a page.

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};
use tokio::net::TcpListener;
use tokio::sync::watch;

pub mod app;
pub mod headers;
pub mod metrics;
pub mod problem;
pub mod proof_of_work;
pub mod session;
pub mod sign_in;
pub mod vault;

mod csrf;
mod health;
mod past;
mod position;
mod web;

use app::App;

/// The largest body of a request that isn't an upload.
const LARGEST_BODY: usize = 64 * 1024;

/// Serves the site until `stop` turns true, then lets open requests finish.
pub async fn serve(
    listener: TcpListener,
    app: App,
    mut stop: watch::Receiver<bool>,
) -> std::io::Result<()> {
    axum::serve(listener, router(app))
        .with_graceful_shutdown(async move {
            let _closed = stop.wait_for(|stop| *stop).await;
        })
        .await
}

/// Gives every route with its layers.
pub fn router(app: App) -> Router {
    Router::new()
        .merge(sign_in::routes())
        .merge(health::routes())
        .merge(headers::routes())
        .merge(web::routes())
        .fallback(async || problem::Problem::not_found())
        .method_not_allowed_fallback(async || problem::Problem::method())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(app.clone(), position::follow))
        .layer(from_fn_with_state(app.clone(), csrf::check))
        .layer(from_fn_with_state(app.clone(), past::guard))
        .layer(from_fn_with_state(app.clone(), web::setup::guard))
        .layer(from_fn(problem::in_time))
        .layer(from_fn_with_state(app.clone(), problem::show))
        .layer(from_fn_with_state(app.clone(), headers::set))
        .layer(from_fn(problem::name_request))
        .with_state(app)
}
