//! The web edge: pages, the sign-in API, health.
//!
//! [`front`] tells whether the living site answers or the [`sealed`] one. A request to the living one
//! passes [`headers`], [`limit`], [`refill`], [`past`], [`csrf`], [`position`] and the guard of a site that isn't set up, then
//! a handler, if [`route`] finds that who asks may. Handlers of pages are in [`web`]; who asks is [`session`]'s; what went wrong is a
//! [`problem::Problem`], shown as problem+json or as a page.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::{from_fn, from_fn_with_state};

pub mod app;
#[doc(hidden)]
pub mod bare;
pub mod front;
#[doc(hidden)]
pub mod fuzz;
pub mod headers;
pub mod limit;
pub mod metrics;
pub mod problem;
pub mod proof_of_work;
pub mod route;
pub mod session;
pub mod sign_in;
pub mod vault;

mod caller;
mod csrf;
mod etag;
mod health;
mod network;
mod openapi;
mod panic;
mod past;
mod position;
mod refill;
mod sealed;
mod signed;
mod v1;
mod web;

use app::App;
pub use front::{Closed, Front, serve};
use route::{Declared, Routes};

/// The largest body of a request that isn't an upload.
const LARGEST_BODY: usize = 64 * 1024;

/// Gives every route of the open site, and who may ask for it.
fn routes() -> Routes {
    Routes::new()
        .merge(sign_in::routes())
        .merge(health::routes())
        .merge(headers::routes())
        .merge(panic::routes())
        .merge(openapi::routes())
        .merge(v1::routes())
        .merge(web::routes())
}

/// Tells every route of the open site, and who may ask for it.
pub fn declared() -> Vec<Declared> {
    routes().declared()
}

/// Gives every route with its layers.
pub fn router(app: App) -> Router {
    routes()
        .router()
        .fallback(async || problem::Problem::not_found())
        .method_not_allowed_fallback(async || problem::Problem::method())
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(from_fn_with_state(app.clone(), position::follow))
        .layer(from_fn_with_state(app.clone(), csrf::check))
        .layer(from_fn_with_state(app.clone(), past::guard))
        .layer(from_fn_with_state(app.clone(), web::setup::guard))
        .layer(from_fn_with_state(app.clone(), refill::guard))
        .layer(from_fn_with_state(app.clone(), limit::guard))
        .layer(from_fn(problem::in_time))
        .layer(from_fn_with_state(Arc::clone(&app.site), problem::show))
        .layer(from_fn_with_state(Arc::clone(&app.site), headers::set))
        .layer(from_fn(problem::name_request))
        .with_state(app)
}
