//! Small pieces that pages are made of.

use domain::amount::{Bytes, Ratio, Seconds};
use maud::{Markup, PreEscaped, html};
use projections::tag::Tag;
use time::OffsetDateTime;
use time::macros::format_description;

use super::asset;

/// An icon of the sprite; it says nothing that the text beside it doesn't.
pub(crate) fn icon(name: &str) -> Markup {
    html! { svg.icon aria-hidden="true" focusable="false" { use href={ (asset::url("icons.svg")) "#" (name) } {} } }
}

/// A size in its largest unit, the exact bytes on hover.
pub(crate) fn size(bytes: Bytes) -> Markup {
    html! { span.num title={ (bytes.0) " bytes" } { (bytes) } }
}

/// A ratio with two decimals.
pub(crate) fn ratio(ratio: Ratio) -> Markup {
    let class = match (ratio.uploaded.0, ratio.downloaded.0) {
        (0, 0) => "num",
        (up, down) if up >= down => "num good",
        (up, down) if up.saturating_mul(2) >= down => "num warn",
        _ => "num bad",
    };
    html! { span class=(class) { (ratio) } }
}

/// How long ago, the exact instant on hover.
pub(crate) fn age(at: OffsetDateTime) -> Markup {
    let seconds = (OffsetDateTime::now_utc() - at).whole_seconds().max(0);
    let exact = at
        .format(format_description!(
            "[year]-[month]-[day] [hour]:[minute]:[second] UTC"
        ))
        .unwrap_or_default();
    let machine = at
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default();
    html! { time datetime=(machine) title=(exact) { (ago(seconds)) } }
}

/// A moment that may lie ahead, given in seconds since 1970.
pub(crate) fn instant(at: i64) -> Markup {
    let at = OffsetDateTime::from_unix_timestamp(at).unwrap_or(OffsetDateTime::UNIX_EPOCH);
    let shown = at
        .format(format_description!(
            "[year]-[month]-[day] [hour]:[minute] UTC"
        ))
        .unwrap_or_default();
    let machine = at
        .format(&time::format_description::well_known::Rfc3339)
        .unwrap_or_default();
    html! { time datetime=(machine) { (shown) } }
}

fn ago(seconds: i64) -> String {
    match seconds {
        0..60 => "just now".to_owned(),
        60..3_600 => format!("{} min ago", seconds / 60),
        3_600..86_400 => format!("{} h ago", seconds / 3_600),
        86_400..2_592_000 => format!("{} d ago", seconds / 86_400),
        2_592_000..31_536_000 => format!("{} months ago", seconds / 2_592_000),
        _ => format!("{} years ago", seconds / 31_536_000),
    }
}

/// A span of time in its two largest units.
pub(crate) fn duration(seconds: Seconds) -> String {
    match seconds.0 {
        s @ 0..60 => format!("{s} s"),
        s @ 60..3_600 => format!("{} min", s / 60),
        s @ 3_600..86_400 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        s => format!("{} d {} h", s / 86_400, s % 86_400 / 3_600),
    }
}

/// Says that there is nothing yet, and what to do next.
pub(crate) fn empty(title: &str, next: &Markup) -> Markup {
    html! { div.empty { p.title { (title) } p { (next) } } }
}

/// Something that the visitor should read; `kind` is `info`, `good` or `bad`.
pub(crate) fn notice(kind: &str, text: &Markup) -> Markup {
    html! { div class={ "notice " (kind) } role="status" { (icon(kind)) div { (text) } } }
}

/// Markup of [`super::markdown`], which has sanitised it.
pub(crate) fn sanitised(html: &str) -> Markup {
    html! { div.prose { (PreEscaped(html)) } }
}

/// The tags of a torrent, each leading to all that have it.
pub(crate) fn tags(tags: &[Tag]) -> Markup {
    html! {
        @if !tags.is_empty() {
            span.tags { @for tag in tags { a class={ "tag " (tag.colour.name()) } href={ "/torrents?tag=" (tag.id) } { (tag.name) } } }
        }
    }
}

/// Seeders and leechers, told apart by more than colour.
pub(crate) fn swarm(seeders: u32, leechers: u32) -> Markup {
    html! {
        span.swarm {
            span.num.good title="seeders" { span aria-hidden="true" { "▲" } span.visually-hidden { "seeders " } (seeders) }
            span.num.warn title="leechers" { span aria-hidden="true" { "▼" } span.visually-hidden { "leechers " } (leechers) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_told_in_two_units() {
        let told = [0, 59, 61, 3_700, 90_000].map(|seconds| duration(Seconds(seconds)));
        assert_eq!(told, ["0 s", "59 s", "1 min", "1 h 1 min", "1 d 1 h"]);
        assert_eq!(
            [30, 120, 7_200, 172_800].map(ago),
            ["just now", "2 min ago", "2 h ago", "2 d ago"]
        );
    }
}
