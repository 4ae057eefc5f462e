//! One torrent: facts, description, files, swarm; its download; its withdrawal. Its page is changed by [`edit`],
//! goes back by [`version`], and is approved by [`review`]; what is said below it is [`comment`]'s.

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::handler::Handler as _;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use domain::Permission;
use domain::id::{MemberId, TorrentId};
use domain::metainfo;
use domain::site::Freeleech;
use domain::torrent::{File, Review};
use maud::{Markup, html};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use projections::bookmark;
use projections::swarm::{Count, Peer};
use projections::torrent::withdrawal::Withdrawal;
use projections::torrent::{self, Detail};
use serde::Deserialize;

use super::audit::behind;
use super::component::{age, duration, empty, icon, notice, sanitised, size, swarm, tags};
use super::form::token;
use super::layout::{Page, Theme, document, framed};
use super::markdown;
use super::torrents::bookmarks;
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::{Asks, SignedIn};

pub(crate) mod comment;
pub(crate) mod difference;
pub(crate) mod edit;
mod free;
pub(crate) mod review;
mod tree;
pub(crate) mod version;

/// The largest form of an edit: a description of the longest kind, each letter four bytes, each byte
/// written as three.
const LARGEST_EDIT: usize = 1024 * 1024;
/// The most files that a page lists.
pub(crate) const MOST_FILES: i64 = 2_000;
/// Peers that the page shows.
const MOST_PEERS: usize = 200;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    comments()
        .get("/torrents/{id}", Who::Member, page)
        .get("/torrents/{id}/download", Who::Member, download)
        .get("/torrents/{id}/edit", Who::Member, edit::page)
        .post(
            "/torrents/{id}/edit",
            Who::Member,
            edit::save.layer(DefaultBodyLimit::max(LARGEST_EDIT)),
        )
        .get(
            "/torrents/{id}/review",
            Who::May(Permission::Torrents),
            review::page,
        )
        .post(
            "/torrents/{id}/review",
            Who::May(Permission::Torrents),
            review::review,
        )
        .post("/torrents/{id}/submit", Who::Member, review::submit)
        .get("/torrents/{id}/versions", Who::Member, version::list)
        .get(
            "/torrents/{id}/versions/{number}",
            Who::Member,
            version::one,
        )
        .post(
            "/torrents/{id}/versions/{number}",
            Who::Member,
            version::bring_back,
        )
        .get("/torrents/{id}/withdraw", Who::Member, confirm)
        .post("/torrents/{id}/withdraw", Who::Member, withdraw)
        .post("/torrents/{id}/restore", Who::Member, restore)
        .post(
            "/torrents/{id}/freeleech",
            Who::May(Permission::Settings),
            free::change,
        )
}

/// What the page shows.
pub(super) struct Shown {
    pub(super) detail: Detail,
    pub(super) files: Vec<File>,
    pub(super) swarm: Count,
    /// The swarm's peers with their members' names, at most [`MOST_PEERS`].
    pub(super) peers: Vec<(String, Peer)>,
    /// Whether the member may edit, withdraw and restore it.
    pub(super) may_change: bool,
    /// Whether they may approve it.
    pub(super) may_review: bool,
    pub(super) may_audit: bool,
    /// While downloads aren't charged.
    pub(super) free: Option<Freeleech>,
    pub(super) may_free: bool,
    /// Whether the member bookmarked it.
    pub(super) bookmarked: bool,
    pub(super) comments: comment::Shown,
    pub(super) token: String,
}

fn comments() -> Routes {
    Routes::new()
        .post("/torrents/{id}/comments", Who::Member, comment::write)
        .get("/comments/{id}", Who::Member, comment::permalink)
        .get("/comments/{id}/edit", Who::Member, comment::compose)
        .post("/comments/{id}/edit", Who::Member, comment::save)
        .get("/comments/{id}/history", Who::Member, comment::history)
        .get("/comments/{id}/remove", Who::Member, comment::confirm)
        .post("/comments/{id}/remove", Who::Member, comment::remove)
        .post("/comments/{id}/restore", Who::Member, comment::restore)
}

/// Which comments of a torrent are shown.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct From {
    comments: String,
}

/// Reads an id of an address; anything else is no torrent.
pub(crate) fn read_id(id: &str) -> Result<TorrentId, Problem> {
    id.parse().map_err(|_| Problem::not_found())
}

/// Gives a torrent that the member may see: a withdrawn one, and one that isn't approved, is for its
/// uploader and the staff.
pub(crate) async fn visible(app: &App, asks: &impl Asks, id: TorrentId) -> Result<Detail, Problem> {
    let detail = torrent::detail(&app.reads, id)
        .await?
        .ok_or_else(Problem::not_found)?;
    if is_hidden(&detail) && !may_change(asks, &detail) {
        return Err(Problem::not_found());
    }
    Ok(detail)
}

fn is_rejected(detail: &Detail) -> bool {
    matches!(detail.review, Some(Review::Rejected { .. }))
}

/// Tells whether members don't see it.
fn is_hidden(detail: &Detail) -> bool {
    detail.withdrawn.is_some() || detail.review.is_some()
}

pub(crate) fn may_change(asks: &impl Asks, detail: &Detail) -> bool {
    detail.uploader == asks.profile().id || asks.may(Permission::Torrents)
}

async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
    Query(from): Query<From>,
) -> Result<Markup, Problem> {
    let viewer = signed_in.viewer(&app).await?;
    let detail = visible(&app, &signed_in, read_id(&id)?).await?;
    let comments = comment::read(&app, &signed_in, &detail, &from.comments).await?;
    let peers = app.swarms.peers(detail.id, MOST_PEERS);
    let members = peers.iter().map(|peer| peer.member);
    let names = projections::user::names(&app.reads, members).await?;
    let named = |peer: Peer| (names.get(&peer.member).cloned().unwrap_or_default(), peer);
    let peers = peers.into_iter().map(named).collect();
    let files = torrent::files(&app.reads, detail.id, MOST_FILES).await?;
    let may_change = may_change(&signed_in, &detail);
    let (title, detail_id) = (detail.name.clone(), detail.id);
    let page = Page {
        title: &title,
        site: &app.site,
        viewer: Some(&viewer),
        theme,
        section: "/torrents",
    };
    Ok(document(
        &page,
        &body(&Shown {
            detail,
            swarm: app.swarms.count(detail_id),
            files,
            peers,
            may_change,
            may_review: signed_in.may(Permission::Torrents),
            bookmarked: bookmark::is_set(&app.reads, viewer.profile.id, detail_id).await?,
            comments,
            token: viewer.token.clone(),
            may_audit: signed_in.may(Permission::Audit),
            free: free::of(&app, detail_id).await?,
            may_free: signed_in.may(Permission::Settings),
        }),
    ))
}

pub(super) fn body(shown: &Shown) -> Markup {
    let detail = &shown.detail;
    html! {
        @if let Some(withdrawn) = &detail.withdrawn { (withdrawal(withdrawn)) }
        @else if let Some(review) = &detail.review { (review::state(detail.id, review, shown.may_review, &shown.token)) }
        h1.torrent-name { (detail.name) }
        @if !detail.tags.is_empty() { p { (tags(&detail.tags)) } }
        div.actions {
            @if detail.withdrawn.is_none() && !is_rejected(detail) {
                a.button.primary href={ "/torrents/" (detail.id) "/download" } { (icon("download")) "Download .torrent" }
                (bookmarks::button(detail.id, shown.bookmarked, &shown.token))
            }
            @if detail.withdrawn.as_ref().is_some_and(|it| shown.may_review || shown.may_change && !it.by_staff) {
                form.inline action={ "/torrents/" (detail.id) "/restore" } method="post" {
                    (token(&shown.token))
                    button.primary type="submit" { "Restore" }
                }
            }
            @if shown.may_change {
                a.button href={ "/torrents/" (detail.id) "/edit" } { "Edit" }
                @if detail.withdrawn.is_none() && !is_rejected(detail) { a.button href={ "/torrents/" (detail.id) "/withdraw" } { "Withdraw" } }
            }
            @if detail.withdrawn.is_none() && shown.comments.looks.member != Some(detail.uploader) {
                a.button href={ "/report/torrent/" (detail.id) } { "Report" }
            }
            @if shown.may_change || shown.may_audit { a.button href={ "/torrents/" (detail.id) "/versions" } { "Versions" } }
        }
        @if shown.may_audit { (behind(&format!("torrent-{}", detail.id))) }
        (free::notice(shown))
        (facts(shown))
        section.card {
            h2 { "Description" }
            @if detail.description.trim().is_empty() { p.hint { "The uploader wrote none." } }
            @else { (sanitised(&markdown::render(&detail.description))) }
        }
        section.card {
            h2 { "Files" }
            (tree::tree(&shown.files, detail.files))
        }
        (peers(shown))
        (comment::section(detail.id, &shown.comments, &shown.token))
    }
}

/// Says of a withdrawn torrent who withdrew it, and why.
fn withdrawal(withdrawn: &Withdrawal) -> Markup {
    let said = if withdrawn.by_staff {
        "The staff withdrew this torrent, so only the staff restores it."
    } else {
        "This torrent was withdrawn by its uploader."
    };
    notice(
        "bad",
        &html! {
            p { (said) " Only its uploader and the staff see this page." }
            @if let Some(reason) = &withdrawn.reason { p { strong { "Reason: " } (reason) } }
        },
    )
}

fn facts(shown: &Shown) -> Markup {
    let detail = &shown.detail;
    html! {
        dl.facts {
            div { dt { "Category" } dd { (detail.category_name) } }
            div { dt { "Size" } dd { (size(detail.size)) } }
            div { dt { "Files" } dd.num { (detail.files) } }
            div { dt { "Swarm" } dd { (swarm(shown.swarm.seeders, shown.swarm.leechers)) } }
            div { dt { "Snatches" } dd.num { (detail.snatches) } }
            div { dt { "Uploaded" } dd { (age(detail.uploaded_at)) " by " a href={ "/members/" (detail.uploader_name) } { (detail.uploader_name) } } }
            div { dt { "Pieces" } dd { "of " (size(detail.piece_length)) } }
            div.wide { dt { "Info hash" } dd.copy { code data-copy { (detail.info_hash) } } }
            @if let Some(v2) = &detail.info_hash_v2 { div.wide { dt { "Info hash v2" } dd { code { (v2) } } } }
        }
    }
}

fn peers(shown: &Shown) -> Markup {
    let size_left = |peer: &Peer| {
        let whole = shown.detail.size.0.max(1);
        100 - (u128::from(peer.left.min(whole)) * 100).div_ceil(u128::from(whole))
    };
    html! {
        section.card {
            h2 { "Swarm" }
            @if shown.peers.is_empty() {
                (empty("Nobody is here just now.", &html! { "Open the .torrent in your client: you show here with its first announce." }))
            } @else {
                div.scroller {
                    table.peers {
                        caption.visually-hidden { "Peers of this torrent" }
                        thead { tr {
                            th scope="col" { "Member" } th scope="col" { "Client" } th.num scope="col" { "Done" }
                            th.num scope="col" { "Up" } th.num scope="col" { "Down" } th.num scope="col" { "Heard of" }
                        } }
                        tbody { @for (name, peer) in &shown.peers { tr {
                            td.name { a href={ "/members/" (name) } { (name) } }
                            td data-label="Client" { (peer.client) }
                            td.num data-label="Done" { (size_left(peer)) " %" }
                            td.num data-label="Up" { (domain::amount::Bytes(peer.uploaded)) }
                            td.num data-label="Down" { (domain::amount::Bytes(peer.downloaded)) }
                            td.num data-label="Heard of" { (duration(domain::amount::Seconds(peer.idle))) " ago" }
                        } } }
                    }
                }
                @let all = shown.swarm.seeders + shown.swarm.leechers;
                @if usize::try_from(all).is_ok_and(|all| all > shown.peers.len()) {
                    p.hint { (shown.peers.len()) " of " (all) " are shown." }
                }
            }
        }
    }
}

/// Gives the member's own .torrent file.
async fn download(
    State(app): State<App>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    personal(&app, signed_in.profile.id, read_id(&id)?).await
}

/// Gives a torrent's file with a member's own announce URLs, where they may have it.
pub(crate) async fn personal(
    app: &App,
    member: MemberId,
    id: TorrentId,
) -> Result<Response, Problem> {
    let upload = app.commands.offered(member, id).await?;
    let upload = upload.ok_or_else(Problem::not_found)?;
    let member = app.commands.member(member).await?;
    let member = member.ok_or_else(Problem::not_found)?;
    let announces = app.site.announces(&member.passkey);
    let comment = format!("{}/torrents/{id}", app.site.origin());
    let file = metainfo::personal(&upload.metainfo, &announces, &comment, "OpenTracker")
        .ok_or_else(Problem::not_found)?;
    let name = disposition(&format!("[{}]{}.torrent", app.site.name(), upload.name));
    let kind = HeaderValue::from_static("application/x-bittorrent");
    Ok((
        [
            (header::CONTENT_TYPE, kind),
            (header::CONTENT_DISPOSITION, name),
        ],
        file,
    )
        .into_response())
}

/// Names a download by RFC 6266: plain letters for old clients, all letters for the others.
fn disposition(name: &str) -> HeaderValue {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || " .-_[]()".contains(c) {
            c
        } else {
            '_'
        }
    };
    let ascii: String = name.chars().map(plain).collect();
    let whole = utf8_percent_encode(name, NON_ALPHANUMERIC);
    let text = format!("attachment; filename=\"{ascii}\"; filename*=UTF-8''{whole}");
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("attachment"))
}

async fn confirm(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Markup, Problem> {
    let detail = visible(&app, &signed_in, read_id(&id)?).await?;
    if !may_change(&signed_in, &detail) {
        return Err(Problem::forbidden(
            "Only its uploader and the staff may withdraw a torrent.",
        ));
    }
    framed(
        &app,
        theme,
        &signed_in,
        ("Withdraw", "/torrents"),
        &confirmation(&detail, signed_in.form_token()),
    )
    .await
}

pub(super) fn confirmation(detail: &Detail, form_token: &str) -> Markup {
    html! {
        section.narrow {
            h1 { "Withdraw a torrent" }
            p { strong { (detail.name) } }
            (notice("bad", &html! {
                "It leaves the list and the search, and the tracker refuses its announces within a second. "
                "What members have moved stays credited. It may be restored, or uploaded again."
            }))
            form action={ "/torrents/" (detail.id) "/withdraw" } method="post" {
                (token(form_token))
                div.field {
                    label for="reason" { "Why (optional)" }
                    input id="reason" name="reason" type="text" maxlength="500" autocomplete="off" aria-describedby="reason-hint";
                    p.hint id="reason-hint" { "Its uploader and the staff read it." }
                }
                button.danger type="submit" { "Withdraw it" }
                a.button href={ "/torrents/" (detail.id) } { "Keep it" }
            }
        }
    }
}

async fn withdraw(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let reason: String = form.field("reason").trim().chars().take(500).collect();
    let reason = Some(reason).filter(|reason| !reason.is_empty());
    let done = app
        .commands
        .withdraw(form.signed_in.profile.id, read_id(&id)?, reason)
        .await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/torrents/{}", done.of)))
}

/// Offers a withdrawn torrent again.
async fn restore(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let by = form.signed_in.profile.id;
    let done = app.commands.restore(by, read_id(&id)?).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/torrents/{}", done.of)))
}

#[cfg(test)]
mod tests {
    use super::disposition;

    #[test]
    fn a_download_is_named_whatever_the_name_holds() {
        let named = disposition("[Site]Grüße \"x\"\r\n.torrent");
        let text = named.to_str().unwrap();
        assert!(
            text.starts_with(
                "attachment; filename=\"[Site]Gr__e _x___.torrent\"; filename*=UTF-8''"
            ),
            "{text}"
        );
        assert!(text.contains("Gr%C3%BC%C3%9Fe"), "{text}");
    }
}
