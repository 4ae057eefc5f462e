//! Uploading a torrent: a file, a category, a description.

use axum::extract::multipart::{Field, MultipartError};
use axum::extract::{DefaultBodyLimit, Form, Multipart, State};
use axum::handler::Handler as _;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use commands::Refusal;
use domain::id::{MemberId, TagId, TorrentId};
use domain::metainfo::{self, Checked, Info, ParseError};
use domain::torrent::{MOST_TAGS, Rejection, Upload};
use maud::{Markup, html};
use serde::Deserialize;
use uuid::Uuid;

use super::component::{icon, notice, sanitised};
use super::form::token;
use super::layout::{Page, Theme, Viewer, document};
use super::markdown;
use crate::app::App;
use crate::csrf::check_token;
use crate::problem::{Problem, sentence};
use crate::route::{Routes, Who};
use crate::session::SignedIn;

pub(crate) mod draft;

pub(super) use draft::Draft;

/// What is read of a body, so that who sends too much hears it: a connection that is closed in the
/// middle only breaks.
pub(crate) const LARGEST_BODY: usize = 64 * 1024 * 1024;
/// What is kept of a field of text; no text that is accepted is longer.
const LARGEST_TEXT: usize = 1024 * 1024;

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/upload", Who::Member, page)
        .post(
            "/upload",
            Who::Member,
            upload.layer(DefaultBodyLimit::max(LARGEST_BODY)),
        )
        .post("/upload/preview", Who::Member, preview)
}

/// What the form holds when it is shown, at first or again.
#[derive(Default)]
pub(super) struct Shown {
    pub(super) draft: Draft,
    pub(super) token: String,
    /// Whether it will wait for the staff.
    pub(super) waits: bool,
    pub(super) error: Option<Markup>,
}

async fn page(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
) -> Result<Markup, Problem> {
    let viewer = signed_in.viewer(&app).await?;
    let shown = Shown {
        draft: Draft::new(&app).await?,
        token: viewer.token.clone(),
        waits: app.commands.must_wait(signed_in.profile.id).await?,
        ..Shown::default()
    };
    Ok(framed(&app, theme, &viewer, &body(&shown)))
}

fn framed(app: &App, theme: Theme, viewer: &Viewer, body: &Markup) -> Markup {
    let page = Page {
        title: "Upload",
        site: &app.site,
        viewer: Some(viewer),
        theme,
        section: "/upload",
    };
    document(&page, body)
}

pub(super) fn body(shown: &Shown) -> Markup {
    html! {
        section.narrow {
            h1 { "Upload a torrent" }
            @if let Some(error) = &shown.error { (notice("bad", error)) }
            @else if shown.waits {
                (notice("info", &html! {
                    "What you upload waits for the staff's approval. Till then you alone can seed it, and you find it among "
                    a href="/uploads" { "your uploads" } "."
                }))
            }
            form action="/upload" method="post" enctype="multipart/form-data" data-upload {
                (token(&shown.token))
                div.field.drop data-drop {
                    label for="torrent" { "The .torrent file" }
                    input id="torrent" name="torrent" type="file" accept=".torrent,application/x-bittorrent" required aria-describedby="torrent-hint";
                    p.hint id="torrent-hint" data-file-hint {
                        "At most 10 MiB. Any announce URL in it is replaced by each member's own."
                    }
                }
                (draft::fields(&shown.draft))
                (draft::buttons("Upload"))
            }
        }
    }
}

/// What the form sends.
#[derive(Default)]
pub(crate) struct Sent {
    file: Vec<u8>,
    category: String,
    description: String,
    tags: Vec<TagId>,
    token: String,
    /// Whether it is only to be shown how it will look.
    preview: bool,
}

/// Reads what a form sends.
pub(crate) async fn read(mut form: Multipart) -> Result<Sent, Problem> {
    let mut sent = Sent::default();
    let unread = |error: MultipartError| match error.status() {
        StatusCode::PAYLOAD_TOO_LARGE => too_large(),
        _ => Problem::invalid("The upload didn't arrive whole. Send it again."),
    };
    while let Some(field) = form.next_field().await.map_err(unread)? {
        let name = field.name().unwrap_or_default().to_owned();
        match name.as_str() {
            "torrent" => sent.file = kept(field, metainfo::LARGEST + 1).await.map_err(unread)?,
            name => {
                let said = kept(field, LARGEST_TEXT).await.map_err(unread)?;
                let said = String::from_utf8_lossy(&said).into_owned();
                if said.contains('\0') {
                    return Err(Problem::invalid(
                        "A form holds text; this one has a NUL in it.",
                    ));
                }
                match name {
                    "category" => sent.category = said,
                    // Browsers send line ends as CR LF.
                    "description" => sent.description = said.replace("\r\n", "\n"),
                    "_token" => sent.token = said,
                    "preview" => sent.preview = true,
                    // Scripts name them all at once.
                    "tags" => {
                        let tags = said.split(',').map(str::trim).filter(|tag| !tag.is_empty());
                        let tags = tags.map(|tag| tag.parse().unwrap_or(TagId(Uuid::nil())));
                        sent.tags.extend(tags.take(MOST_TAGS + 1));
                    }
                    // One more than a torrent may have is enough to be refused.
                    name if sent.tags.len() <= MOST_TAGS => {
                        let tag = name.strip_prefix(draft::TAG);
                        sent.tags
                            .extend(tag.and_then(|tag| tag.parse::<TagId>().ok()));
                    }
                    _ => {}
                }
            }
        }
    }
    Ok(sent)
}

/// Reads a field to its end and keeps the beginning.
pub(crate) async fn kept(mut field: Field<'_>, most: usize) -> Result<Vec<u8>, MultipartError> {
    let mut kept = vec![];
    while let Some(chunk) = field.chunk().await? {
        let room = most.saturating_sub(kept.len());
        kept.extend(chunk.iter().take(room));
    }
    Ok(kept)
}

fn too_large() -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        "too-large",
        "The file is too large",
        "A .torrent file has at most 10 MiB. Make the torrent with larger pieces.",
    )
}

async fn upload(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    form: Multipart,
) -> Result<Response, Problem> {
    let sent = read(form).await?;
    check_token(&signed_in, &sent.token)?;
    let viewer = signed_in.viewer(&app).await?;
    if sent.preview {
        let error = None;
        let page = again(&app, theme, &viewer, sent, error).await?;
        return Ok(page.into_response());
    }
    match offer(&app, signed_in.profile.id, &sent).await {
        Ok((torrent, Info::Kept)) => {
            Ok(Redirect::to(&format!("/torrents/{torrent}")).into_response())
        }
        Ok((torrent, Info::Changed)) => {
            Ok(framed(&app, theme, &viewer, &changed(torrent)).into_response())
        }
        Err(Refused::Problem(problem)) => Err(problem),
        Err(refused) => {
            let (status, error) = told(refused);
            let page = again(&app, theme, &viewer, sent, Some(error)).await?;
            Ok((status, page).into_response())
        }
    }
}

/// Shows the form with what was sent; the file itself has to be chosen again.
async fn again(
    app: &App,
    theme: Theme,
    viewer: &Viewer,
    sent: Sent,
    error: Option<Markup>,
) -> Result<Markup, Problem> {
    let shown = Shown {
        draft: Draft {
            category: sent.category,
            description: sent.description,
            chosen: sent.tags,
            preview: sent.preview,
            ..Draft::new(app).await?
        },
        token: viewer.token.clone(),
        waits: false,
        error,
    };
    Ok(framed(app, theme, viewer, &body(&shown)))
}

/// Why an upload is refused.
pub(crate) enum Refused {
    /// The file can't be a torrent here.
    File(ParseError),
    /// There is no such category.
    NoCategory,
    /// The torrent is here already, and which one it is, where the member may have it.
    Taken(Option<TorrentId>),
    /// What its page would say can't be.
    Rejected(Rejection),
    /// Something else is in the way.
    Problem(Problem),
}

/// Says in the form why an upload is refused.
fn told(refused: Refused) -> (StatusCode, Markup) {
    let unfit = StatusCode::UNPROCESSABLE_ENTITY;
    match refused {
        Refused::File(error) => (unfit, html! { (sentence(&error)) }),
        Refused::NoCategory => (unfit, html! { "Choose a category." }),
        Refused::Taken(holder) => (StatusCode::CONFLICT, taken(holder)),
        Refused::Rejected(rejection) => (unfit, html! { (sentence(&rejection)) }),
        Refused::Problem(problem) => (problem.status, html! { (problem.detail) }),
    }
}

impl From<ParseError> for Refused {
    fn from(error: ParseError) -> Self {
        Self::File(error)
    }
}

impl<E: Into<Problem>> From<E> for Refused {
    fn from(error: E) -> Self {
        Self::Problem(error.into())
    }
}

/// Offers what was sent.
pub(crate) async fn offer(
    app: &App,
    uploader: MemberId,
    sent: &Sent,
) -> Result<(TorrentId, Info), Refused> {
    if sent.file.len() > metainfo::LARGEST {
        return Err(too_large().into());
    }
    let checked = metainfo::read(&sent.file, &app.site.source)?;
    let tree = projections::category::tree(&app.reads).await?;
    let chosen = tree.iter().find(|one| one.slug == sent.category);
    let Some(category) = chosen.map(|one| one.id) else {
        return Err(Refused::NoCategory);
    };
    let Checked {
        name,
        files,
        size,
        piece_length,
        info_hash,
        info_hash_v2,
        metainfo,
        info,
    } = checked;
    let description = sent.description.clone();
    let upload = Upload {
        uploader,
        name,
        category,
        description,
        info_hash,
        info_hash_v2,
        size,
        piece_length,
        files,
        metainfo,
        tags: sent.tags.clone(),
        pending: false,
    };
    match app.commands.upload(upload).await {
        Ok(done) => {
            app.reads.wait_for(done.position).await;
            Ok((done.of, info))
        }
        Err(Refusal::Taken {
            scope: "info_hash",
            holder,
        }) => {
            // Who may not have it isn't told where it is.
            let holder = match holder.map(TorrentId) {
                Some(id) => app.commands.offered(uploader, id).await?.map(|_| id),
                None => None,
            };
            Err(Refused::Taken(holder))
        }
        Err(Refusal::Rejected(rejection)) => Err(Refused::Rejected(rejection)),
        Err(refusal) => Err(refusal.into()),
    }
}

fn taken(holder: Option<TorrentId>) -> Markup {
    html! {
        "This torrent is here already"
        @if let Some(holder) = holder { ": " a href={ "/torrents/" (holder) } { "see it" } }
        "."
    }
}

/// Says that the uploader must seed another file than the one they made.
pub(super) fn changed(torrent: TorrentId) -> Markup {
    html! {
        section.narrow {
            h1 { "Uploaded, with a new info hash" }
            (notice("info", &html! {
                "Your file wasn't marked as private or as this site's, so both were added. That changes its info hash: "
                strong { "seed the new file, not the one that you made." }
            }))
            p { a.button.primary href={ "/torrents/" (torrent) "/download" } { (icon("download")) "Download the new .torrent" } }
            p { "Open it in your client with the data in place: it checks them and seeds at once." }
            p { a href={ "/torrents/" (torrent) } { "Go to the torrent" } }
        }
    }
}

#[derive(Deserialize)]
struct Previewed {
    text: String,
}

/// Shows how a description will look.
async fn preview(_: SignedIn, Form(previewed): Form<Previewed>) -> Markup {
    sanitised(&markdown::render(&previewed.text))
}
