//! A responder that answers everything with the same bytes: beside it a benchmark shows what pages cost.

use axum::Router;
use axum::http::header::CONTENT_TYPE;
use tokio::net::TcpListener;

/// Serves a page until the task is aborted.
pub async fn serve(listener: TcpListener, page: String) -> std::io::Result<()> {
    let answer = move || {
        let page = page.clone();
        async move { ([(CONTENT_TYPE, "text/html; charset=utf-8")], page) }
    };
    axum::serve(listener, Router::new().fallback(answer)).await
}
