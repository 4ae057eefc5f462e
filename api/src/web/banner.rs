//! The announcement above every page of a member, until they put it away.
//!
//! What was put away is remembered in a cookie by a hash of its words: another announcement shows again.

use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{AppendHeaders, IntoResponse, Redirect, Response};
use domain::setting::Key;
use maud::{Markup, html};
use sha2::{Digest as _, Sha256};

use super::component::{icon, sanitised};
use super::layout::Viewer;
use super::{home, markdown};
use crate::app::{App, Site};
use crate::csrf::CheckedForm;
use crate::route::{Routes, Who};

/// The cookie that names the announcement that was put away.
pub(crate) const COOKIE: &str = "announcement";

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new().post("/announcement/dismiss", Who::Member, dismiss)
}

/// Gives the announcement, unless there is none or the member has put it away.
pub(super) fn banner(site: &Site, viewer: &Viewer) -> Markup {
    let settings = site.live.get();
    let text = settings.announcement.trim();
    let name = name(text);
    if text.is_empty() || viewer.dismissed.as_deref() == Some(name.as_str()) {
        return html! {};
    }
    let kind = match settings.values.text(Key::AnnouncementKind) {
        "warning" => "warn",
        "error" => "bad",
        _ => "info",
    };
    html! {
        aside.banner.notice.(kind) aria-label="Announcement" {
            (icon(kind))
            div { (sanitised(&markdown::render(text))) }
            form action="/announcement/dismiss" method="post" {
                (super::form::token(&viewer.token))
                input type="hidden" name="announcement" value=(name);
                button.quiet type="submit" { "Put away" }
            }
        }
    }
}

/// Names an announcement by its words.
fn name(text: &str) -> String {
    let hash = Sha256::digest(text);
    hex::encode(hash.get(..8).unwrap_or_default())
}

/// Remembers that the announcement was put away, and goes back to where the member was.
async fn dismiss(State(app): State<App>, headers: HeaderMap, form: CheckedForm) -> Response {
    let name = form.field("announcement");
    let is_name = name.len() == 16 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    let secure = if app.site.is_secure() { "; Secure" } else { "" };
    let cookie =
        format!("{COOKIE}={name}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000{secure}");
    let cookie = HeaderValue::from_str(&cookie).ok().filter(|_| is_name);
    let cookie = AppendHeaders(cookie.map(|cookie| (header::SET_COOKIE, cookie)));
    (cookie, Redirect::to(&home::back(&headers))).into_response()
}
