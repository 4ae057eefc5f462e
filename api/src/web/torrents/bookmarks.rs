//! What a member marked to find again.

use axum::extract::{Path, Query, State};
use axum::response::Redirect;
use domain::id::TorrentId;
use maud::{Markup, html};
use projections::torrent::list::{self, Wanted};

use super::{Asked, ROWS, Shown, eyes, pager, table};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::session::SignedIn;
use crate::web::component::empty;
use crate::web::form::token;
use crate::web::layout::{Theme, framed};

pub(super) async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Query(asked): Query<Asked>,
) -> Result<Markup, Problem> {
    let asked = Asked {
        bookmarks: true,
        ..asked
    };
    let read = asked.read(&app, &[]).await?;
    let wanted = Wanted {
        bookmarked_by: Some(signed_in.profile.id),
        eyes: eyes(&signed_in),
        limit: ROWS,
        sort: read.wanted.sort,
        from: read.wanted.from,
        ..Wanted::default()
    };
    let rows = list::list(&app.reads, &wanted, app.swarms.as_ref()).await?;
    let shown = Shown {
        asked,
        rows,
        ..Shown::default()
    };
    framed(
        &app,
        theme,
        &signed_in,
        ("Bookmarks", "/bookmarks"),
        &body(&shown),
    )
    .await
}

pub(in crate::web) fn body(shown: &Shown) -> Markup {
    html! {
        h1 { "Bookmarks" }
        @if shown.rows.rows.is_empty() && shown.asked.from.is_empty() {
            (empty("You bookmarked nothing yet.", &html! { "Press “Bookmark” on a torrent from " a href="/torrents" { "the list" } " to find it here again." }))
        } @else {
            (table(&shown.rows.rows, "Your bookmarks", Some(&shown.asked)))
            (pager(&shown.asked, &shown.rows))
            p.more { a href="/settings/feeds" { "Follow your bookmarks in a feed reader" } }
        }
    }
}

/// The button that sets or clears a torrent's bookmark.
pub(crate) fn button(torrent: TorrentId, is_set: bool, form_token: &str) -> Markup {
    html! {
        form.inline action={ "/torrents/" (torrent) "/bookmark" } method="post" {
            (token(form_token))
            @if is_set { button type="submit" name="act" value="clear" { "Clear the bookmark" } }
            @else { button type="submit" name="act" value="set" { "Bookmark" } }
        }
    }
}

pub(super) async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let id: TorrentId = id.parse().map_err(|_| Problem::not_found())?;
    let by = form.signed_in.profile.id;
    let done = match form.field("act") {
        "set" => app.commands.set_bookmark(by, id).await?,
        "clear" => app.commands.clear_bookmark(by, id).await?,
        _ => return Err(Problem::invalid("A bookmark is set or cleared.")),
    };
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/torrents/{id}")))
}
