//! Styles, modules and icons, inside the program, under one digest of them all.

use std::sync::LazyLock;

use axum::extract::Path;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use sha2::{Digest as _, Sha256};

use crate::problem::Problem;
use crate::route::{Routes, Who};

#[derive(RustEmbed)]
#[folder = "assets"]
#[exclude = "tests/*"]
struct Assets;

/// The styles in the order of their layers.
const STYLES: [&str; 4] = ["tokens.css", "base.css", "layout.css", "components.css"];

/// Sixteen hex digits of all files: an address holds one version for ever.
static DIGEST: LazyLock<String> = LazyLock::new(|| {
    let mut names: Vec<_> = Assets::iter().collect();
    names.sort_unstable();
    let mut hash = Sha256::new();
    for file in names.iter().filter_map(|name| Assets::get(name)) {
        hash.update(file.metadata.sha256_hash());
    }
    hex::encode(hash.finalize().get(..8).unwrap_or_default())
});

/// Where the files are.
pub(crate) const PATH: &str = "/assets/{digest}/{*name}";

/// Gives the address of a file.
pub(crate) fn url(name: &str) -> String {
    format!("/assets/{}/{name}", *DIGEST)
}

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new().get(PATH, Who::Anyone, asset).get(
        "/robots.txt",
        Who::Anyone,
        async || "User-agent: *\nDisallow: /\n",
    )
}

pub(crate) async fn asset(
    Path((digest, name)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let bytes = match name.as_str() {
        "site.css" => STYLES
            .iter()
            .filter_map(|name| Assets::get(name))
            .flat_map(|file| file.data.into_owned())
            .collect(),
        name => Assets::get(name)
            .ok_or_else(Problem::not_found)?
            .data
            .into_owned(),
    };
    let kind = match name.rsplit('.').next() {
        Some("css") => "text/css; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "application/octet-stream",
    };
    let keep = if digest == *DIGEST {
        "public, max-age=31536000, immutable"
    } else {
        "no-cache"
    };
    Ok((
        [(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, keep)],
        bytes,
    )
        .into_response())
}
