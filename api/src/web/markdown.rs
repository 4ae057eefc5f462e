//! Members' markdown as harmless HTML.
//!
//! The parser's events are filtered first: raw HTML becomes text, nesting is capped, links lead
//! to the web alone, images become links. Then ammonia lets through what is on its list. The order
//! matters: deep nesting makes a sanitiser crawl.

use std::collections::HashSet;

use ammonia::Builder;
use pulldown_cmark::{Event, Options, Parser, Tag, TagEnd, html};

/// The deepest nesting that is shown.
const DEEPEST: usize = 16;
/// The most bytes of HTML.
const LARGEST: usize = 256 * 1024;

/// Renders markdown.
pub(crate) fn render(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut rendered = String::new();
    html::push_html(
        &mut rendered,
        flattened(Parser::new_ext(text, options)).into_iter(),
    );
    let clean = Builder::default()
        .url_schemes(HashSet::from(["http", "https", "magnet"]))
        .link_rel(Some("nofollow noopener noreferrer ugc"))
        .rm_tags(["img"])
        .clean(&rendered)
        .to_string();
    if clean.len() > LARGEST {
        "<p>This text is too large to be shown.</p>".to_owned()
    } else {
        clean
    }
}

/// Leaves out what is nested too deep, turns raw HTML into text and images into links.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
fn flattened(parser: Parser<'_>) -> Vec<Event<'_>> {
    let mut depth: usize = 0;
    let mut events = vec![];
    for event in parser {
        match event {
            Event::Start(tag) => {
                depth += 1;
                if depth <= DEEPEST {
                    events.push(Event::Start(linked(tag)));
                }
            }
            Event::End(end) => {
                if depth <= DEEPEST {
                    events.push(Event::End(if end == TagEnd::Image {
                        TagEnd::Link
                    } else {
                        end
                    }));
                }
                depth = depth.saturating_sub(1);
            }
            Event::Html(raw) | Event::InlineHtml(raw) => events.push(Event::Text(raw)),
            other => events.push(other),
        }
    }
    events
}

#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
fn linked(tag: Tag<'_>) -> Tag<'_> {
    match tag {
        Tag::Image {
            link_type,
            dest_url,
            title,
            id,
        } => Tag::Link {
            link_type,
            dest_url,
            title,
            id,
        },
        Tag::HtmlBlock => Tag::Paragraph,
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_members_write_is_shown() {
        let shown =
            render("# Title\n\n**bold** [site](https://example.org) `code`\n\n| a |\n|---|\n| b |");
        for part in [
            "<h1>Title</h1>",
            "<strong>bold</strong>",
            "nofollow noopener noreferrer ugc",
            "<td>b</td>",
        ] {
            assert!(shown.contains(part), "{part}: {shown}");
        }
    }

    #[test]
    fn nothing_that_runs_or_calls_home_is_left() {
        for payload in [
            "<script>alert(1)</script>",
            "<img src=x onerror=alert(1)>",
            "<svg/onload=alert(1)>",
            "[x](javascript:alert(1))",
            "[x](data:text/html;base64,PHNjcmlwdD4=)",
            "[x](JaVaScRiPt:alert(1))",
            "<a href=\"javascript:alert(1)\">x</a>",
            "<iframe src=https://evil.example></iframe>",
            "![x](https://evil.example/pixel.png)",
            "<div style=\"background:url(https://evil.example)\">x</div>",
            "<math><mi//xlink:href=\"data:x,<script>alert(4)</script>\">",
        ] {
            let shown = render(payload);
            // What looks like markup may stay as text: only what opens a tag counts.
            for tag in shown.split('<').skip(1) {
                let harmless = ["p>", "/p>", "a rel=", "a href=\"https:", "/a>"];
                assert!(
                    harmless.iter().any(|start| tag.starts_with(start)),
                    "{payload}: {shown}"
                );
            }
        }
    }

    #[test]
    fn a_tower_of_quotes_is_flattened() {
        let shown = render(&">".repeat(50_000));
        assert!(shown.matches("<blockquote>").count() <= DEEPEST);
    }
}
