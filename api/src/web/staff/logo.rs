//! The logo: what is sent is decoded within bounds, made small, and kept as a PNG of ours.

use std::io::Cursor;

use axum::extract::multipart::MultipartError;
use axum::extract::{DefaultBodyLimit, Multipart, Path, State};
use axum::handler::Handler as _;
use axum::http::header;
use axum::response::{IntoResponse, Redirect, Response};
use domain::Permission;
use domain::site::Command;
use image::imageops::FilterType;
use image::{DynamicImage, ImageFormat, ImageReader, Limits};
use maud::{Markup, html};
use projections::site::Settings;

use crate::app::App;
use crate::csrf::{CheckedForm, check_token};
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;
use crate::web::form::token;
use crate::web::upload::kept;

/// Bytes of a picture that is sent, at most.
pub(crate) const LARGEST: usize = 2 << 20;
/// Pixels of a picture's side that is sent, at most.
const LONGEST: u32 = 4_096;
/// Bytes that decoding may take.
const MOST_MEMORY: u64 = 128 << 20;
/// Pixels of what is kept, at most: twice what the masthead shows.
const KEPT: (u32, u32) = (320, 64);

/// Gives the routes.
pub(super) fn routes() -> Routes {
    Routes::new()
        .get("/logo/{name}", Who::Anyone, logo)
        .post(
            "/staff/logo",
            Who::May(Permission::Settings),
            set.layer(DefaultBodyLimit::max(LARGEST + 4_096)),
        )
        .post("/staff/logo/remove", Who::May(Permission::Settings), remove)
}

/// Gives the address of a logo.
pub(crate) fn url(name: &str) -> String {
    format!("/logo/{name}")
}

/// What the staff's page says of it.
pub(super) fn section(settings: &Settings, form_token: &str) -> Markup {
    html! {
        section.card {
            h2 { "Logo" }
            @match &settings.logo {
                Some(name) => p { img.logo src=(url(name)) alt="The logo as it is"; },
                None => p { "The site has its mark." },
            }
            form action="/staff/logo" method="post" enctype="multipart/form-data" {
                (token(form_token))
                div.field {
                    label for="logo" { "A picture in the place of the mark" }
                    input id="logo" type="file" name="logo" accept="image/png,image/jpeg,image/webp" required aria-describedby="logo-hint";
                    p.hint id="logo-hint" { "PNG, JPEG or WebP of at most 2 MiB. It is shown 32 pixels high, and kept without what else the file holds." }
                }
                button.primary type="submit" { "Show it" }
            }
            @if settings.logo.is_some() {
                form action="/staff/logo/remove" method="post" { (token(form_token)) button type="submit" { "Remove it" } }
            }
        }
    }
}

async fn logo(State(app): State<App>, Path(name): Path<String>) -> Result<Response, Problem> {
    let png = projections::site::logo(&app.reads, &name).await?;
    let png = png.ok_or_else(Problem::not_found)?;
    let keep = "public, max-age=31536000, immutable";
    let headers = [
        (header::CONTENT_TYPE, "image/png"),
        (header::CACHE_CONTROL, keep),
    ];
    Ok((headers, png).into_response())
}

async fn set(
    State(app): State<App>,
    signed_in: SignedIn,
    mut form: Multipart,
) -> Result<Redirect, Problem> {
    let unread = |_: MultipartError| Problem::field("logo", "A logo has at most 2 MiB.");
    let (mut sent, mut token) = (vec![], vec![]);
    while let Some(field) = form.next_field().await.map_err(unread)? {
        match field.name() {
            Some("logo") => sent = kept(field, LARGEST + 1).await.map_err(unread)?,
            Some("_token") => token = kept(field, 100).await.map_err(unread)?,
            _ => {}
        }
    }
    check_token(&signed_in, &String::from_utf8_lossy(&token))?;
    let command = Command::SetLogo(shrunk(sent).await?);
    super::change(&app, &signed_in, command).await
}

async fn remove(State(app): State<App>, form: CheckedForm) -> Result<Redirect, Problem> {
    super::change(&app, &form.signed_in, Command::RemoveLogo).await
}

/// Makes a picture small and a PNG, away from the tasks that wait for others.
pub(crate) async fn shrunk(sent: Vec<u8>) -> Result<Vec<u8>, Problem> {
    let shrunk = tokio::task::spawn_blocking(move || shrink(&sent)).await;
    shrunk.ok().flatten().ok_or_else(|| {
        Problem::field(
            "logo",
            "This can't be shown. A logo is a PNG, JPEG or WebP of at most 2 MiB and 4,096 pixels a side.",
        )
    })
}

fn shrink(sent: &[u8]) -> Option<Vec<u8>> {
    if sent.len() > LARGEST {
        return None;
    }
    let mut reader = ImageReader::new(Cursor::new(sent))
        .with_guessed_format()
        .ok()?;
    let mut limits = Limits::default();
    limits.max_image_width = Some(LONGEST);
    limits.max_image_height = Some(LONGEST);
    limits.max_alloc = Some(MOST_MEMORY);
    reader.limits(limits);
    let mut picture = reader.decode().ok()?;
    if picture.width() > KEPT.0 || picture.height() > KEPT.1 {
        picture = picture.resize(KEPT.0, KEPT.1, FilterType::Lanczos3);
    }
    let mut png = Cursor::new(vec![]);
    let pixels = DynamicImage::ImageRgba8(picture.into_rgba8());
    pixels.write_to(&mut png, ImageFormat::Png).ok()?;
    Some(png.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn encoded(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let mut bytes = Cursor::new(vec![]);
        let picture = DynamicImage::new_rgb8(width, height);
        picture.write_to(&mut bytes, format).unwrap();
        bytes.into_inner()
    }

    #[test]
    fn pictures_of_three_formats_become_small_pngs() {
        for format in [ImageFormat::Png, ImageFormat::Jpeg, ImageFormat::WebP] {
            let kept = shrink(&encoded(1_000, 100, format)).unwrap();
            let read = image::load_from_memory_with_format(&kept, ImageFormat::Png).unwrap();
            assert_eq!((read.width(), read.height()), (320, 32));
        }
    }

    #[test]
    fn what_else_a_file_holds_is_left_behind() {
        let mut sent = encoded(10, 10, ImageFormat::Png);
        sent.extend(b"<script>where it was taken</script>");
        let kept = shrink(&sent).unwrap();
        assert!(!String::from_utf8_lossy(&kept).contains("script"));
    }

    #[test]
    fn what_is_no_picture_or_too_large_is_refused() {
        let mut cut = encoded(100, 100, ImageFormat::Png);
        cut.truncate(60);
        // A few bytes that claim a picture of 65,535 pixels a side.
        let mut bomb = encoded(10, 10, ImageFormat::Png);
        bomb[16..24].copy_from_slice(&[0, 0, 0xff, 0xff, 0, 0, 0xff, 0xff]);
        let svg = b"<svg xmlns='http://www.w3.org/2000/svg'/>".to_vec();
        let large = vec![0; LARGEST + 1];
        for sent in [cut, bomb, svg, vec![], large, b"GIF89a".to_vec()] {
            assert_eq!(shrink(&sent), None);
        }
    }
}
