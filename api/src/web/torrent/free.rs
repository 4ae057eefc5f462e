//! Freeleech of one torrent: what members see of it, and how it is set.

use axum::extract::{Path, State};
use axum::response::Redirect;
use domain::id::TorrentId;
use domain::site::Freeleech;
use domain::torrent::Free;
use maud::{Markup, html};
use time::OffsetDateTime;

use super::super::component::{self, instant};
use super::super::form::token;
use super::{Shown, read_id};
use crate::app::App;
use crate::csrf::CheckedForm;
use crate::problem::Problem;

/// Tells whether a torrent is freeleech now, by itself or with the whole site.
pub(super) async fn of(app: &App, torrent: TorrentId) -> Result<Option<Freeleech>, Problem> {
    let now = OffsetDateTime::now_utc().unix_timestamp();
    let own = projections::access::free_until(&app.reads, torrent).await?;
    let own = own.map(|until| Freeleech {
        until: Some(until).filter(|until| *until != i64::MAX),
    });
    let everywhere = app.site.live.get().freeleech;
    let holding = [own, everywhere].into_iter().flatten();
    let holding = holding.filter(|freeleech| freeleech.holds(now));
    Ok(holding.max_by_key(|freeleech| freeleech.until.unwrap_or(i64::MAX)))
}

/// Says that downloads aren't charged, and lets administrators change it.
pub(super) fn notice(shown: &Shown) -> Markup {
    html! {
        @if let Some(freeleech) = shown.free {
            (component::notice("good", &html! {
                strong { "Freeleech" } ": downloading this counts nothing against your ratio"
                @if let Some(until) = freeleech.until { " until " (instant(until)) } "."
            }))
        }
        @if shown.may_free && shown.detail.withdrawn.is_none() {
            form.actions action={ "/torrents/" (shown.detail.id) "/freeleech" } method="post" {
                (token(&shown.token))
                label for="free-hours" { "Freeleech" }
                select id="free-hours" name="hours" {
                    option value="24" { "for a day" } option value="168" { "for a week" }
                    option value="0" { "without an end" }
                }
                button type="submit" name="act" value="set" { "Set" }
                @if shown.free.is_some() { button type="submit" name="act" value="lift" { "Lift" } }
            }
        }
    }
}

/// Sets or lifts it.
pub(super) async fn change(
    State(app): State<App>,
    Path(id): Path<String>,
    form: CheckedForm,
) -> Result<Redirect, Problem> {
    let id = read_id(&id)?;
    let free = if form.field("act") == "lift" {
        Free::Charged
    } else {
        let hours: Option<i64> = form.field("hours").parse().ok();
        let hours = hours.filter(|hours| (0..=87_600).contains(hours));
        let hours = hours.ok_or_else(|| {
            Problem::invalid("Freeleech ends after so many hours; 0 means no end.")
        })?;
        let now = OffsetDateTime::now_utc().unix_timestamp();
        let end = (hours > 0).then_some(now + hours * 3_600);
        Free::Until { end, now }
    };
    let by = form.signed_in.profile.id;
    let done = app.commands.set_freeleech(by, id, free).await?;
    app.reads.wait_for(done.position).await;
    Ok(Redirect::to(&format!("/torrents/{id}")))
}
