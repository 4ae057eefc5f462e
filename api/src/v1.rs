//! The JSON API for scripts, one file for each feature, as [`crate::web`] is for pages.
//!
//! To add to it, in the file of the feature's name:
//!
//! 1. The shapes that scripts see, with `Serialize`/`Deserialize` and `ToSchema`. They are promises, so
//!    they are types of their own and not a projection's rows. Ids are [`uuid::Uuid`], bytes and seconds
//!    integers, times RFC 3339, closed sets their words.
//! 2. A handler under `#[utoipa::path]`, with method, path, tag, parameters, body and its own answers;
//!    the first line of its doc is the summary. What all have in common, [`crate::openapi`] adds.
//!    It reads by [`Asked`], [`Named`] and [`Body`], so that what can't be read is a problem too, and asks
//!    the same projections and commands as the page. After a write it waits for the position.
//! 3. A line in its `routes()`: who may ask ([`Who::Key`] with the scope, and a permission where it
//!    takes one), the handler, and what is described above it. What depends on the thing itself is asked
//!    of [`crate::caller::Caller`] by [`crate::session::Asks`], which knows the key's scopes too.
//! 4. What is wrong with a field is [`Problem::field`]; the rest of refusals turn into problems by `?`.
//!
//! Tests walk every declared route with every role and every scope, and compare with the document.

use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{FromRequestParts, Path, Query};
use axum::http::Uri;
use domain::amount::Ratio;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use projections::page::{Cursor, Page};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::problem::Problem;
use crate::route::Routes;
pub(crate) use crate::sign_in::Body;

mod audit;
mod block;
mod category;
mod comment;
mod forum;
mod invite;
mod member;
mod notification;
mod projection;
mod report;
mod review;
mod role;
mod sanction;
mod setting;
mod site;
mod statistic;
mod tag;
mod torrent;
mod version;

/// Gives the routes of all features.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .merge(audit::routes())
        .merge(block::routes())
        .merge(category::routes())
        .merge(comment::routes())
        .merge(forum::routes())
        .merge(invite::routes())
        .merge(member::routes())
        .merge(notification::routes())
        .merge(projection::routes())
        .merge(report::routes())
        .merge(review::routes())
        .merge(role::routes())
        .merge(sanction::routes())
        .merge(setting::routes())
        .merge(site::routes())
        .merge(statistic::routes())
        .merge(tag::routes())
        .merge(torrent::routes())
        .merge(version::routes())
}

/// A query; what is wrong with it is told as a problem.
#[derive(FromRequestParts)]
#[from_request(via(Query), rejection(Problem))]
pub(crate) struct Asked<T>(pub(crate) T);

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::invalid(&rejection.body_text())
    }
}

/// What varies in a path; what can't be read names nothing.
#[derive(FromRequestParts)]
#[from_request(via(Path), rejection(Problem))]
pub(crate) struct Named<T>(pub(crate) T);

impl From<PathRejection> for Problem {
    fn from(_: PathRejection) -> Self {
        Self::not_found()
    }
}

/// Which page of a list.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(default)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paged {
    /// Where the page begins, as `next` said.
    #[param(required = false)]
    from: String,
    /// The most rows: 1 to 100, or 50.
    #[param(minimum = 1, maximum = 100)]
    limit: Option<i64>,
}

impl Paged {
    fn cursor(&self) -> Option<Cursor> {
        Some(Cursor(self.from.clone())).filter(|cursor| !cursor.0.is_empty())
    }

    fn limit(&self) -> Result<i64, Problem> {
        limited(self.limit)
    }
}

/// Reads how many rows are wanted.
fn limited(limit: Option<i64>) -> Result<i64, Problem> {
    let limit = limit.unwrap_or(50);
    let fits = (1..=100).contains(&limit).then_some(limit);
    fits.ok_or_else(|| Problem::invalid("`limit` is 1 to 100."))
}

/// A page of a list.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Listed<T> {
    /// The rows.
    rows: Vec<T>,
    /// The path of the next page; nothing on the last.
    next: Option<String>,
}

impl<T> Listed<T> {
    fn of<R>(uri: &Uri, page: Page<R>, row: impl Fn(R) -> T) -> Self {
        let next = page.next.map(|cursor| turned(uri, "from", &cursor.0));
        let rows = page.rows.into_iter().map(row).collect();
        Self { rows, next }
    }
}

/// Gives the path of the same question from elsewhere on.
fn turned(uri: &Uri, name: &str, value: &str) -> String {
    let kept = uri.query().unwrap_or_default().split('&').filter(|pair| {
        let asked = pair.split('=').next().unwrap_or_default();
        !asked.is_empty() && asked != name && asked != "after"
    });
    let mut query: Vec<String> = kept.map(str::to_owned).collect();
    query.push(format!(
        "{name}={}",
        utf8_percent_encode(value, NON_ALPHANUMERIC)
    ));
    format!("{}?{}", uri.path(), query.join("&"))
}

/// Writes a ratio with two decimals; nothing where it has none.
fn ratio(ratio: Ratio) -> Option<String> {
    (ratio.downloaded.0 > 0).then(|| ratio.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_page_asks_the_same_from_elsewhere_on() {
        let uri = Uri::from_static("/api/v1/torrents?q=a%20b&from=00&after=7&dir=asc");
        assert_eq!(
            turned(&uri, "from", "7b"),
            "/api/v1/torrents?q=a%20b&dir=asc&from=7b"
        );
        let bare = Uri::from_static("/api/v1/ledger");
        assert_eq!(turned(&bare, "from", "7b"), "/api/v1/ledger?from=7b");
    }
}
