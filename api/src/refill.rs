//! Read tables that the database lost, as it does in a crash, are filled anew from the log. Nothing is answered
//! out of them meanwhile: they say who had which rights long ago.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

use crate::app::App;
use crate::limit::Class;
use crate::panic;
use crate::problem::Problem;

/// Refuses what reads them, and what would be decided by who may do it.
pub(crate) async fn guard(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let reads = path == panic::PRESS || Class::of(request.method(), path).is_some();
    match app.reads.refilled().filter(|_| reads) {
        Some((at, of)) => filling(&format!("{at} of {of} events")).into_response(),
        None => next.run(request).await,
    }
}

fn filling(done: &str) -> Problem {
    let detail = format!(
        "The database lost what pages are made of, and it is being made anew from the log: {done}. \
         Nothing else is lost. Try again in a few seconds."
    );
    Problem {
        retry_after: Some(5),
        ..Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "refilled",
            "The site is getting its pages back",
            &detail,
        )
    }
}
