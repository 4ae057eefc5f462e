//! Members' markdown as harmless HTML.
//!
//! The parser's events are filtered first: raw HTML becomes text, nesting is capped, links lead
//! to the web alone, images become links. Then ammonia lets through what is on its list. The order
//! matters: deep nesting makes a sanitiser crawl.

use std::collections::{HashMap, HashSet};

use ammonia::Builder;
use domain::mention;
use pulldown_cmark::{
    CowStr, Event, LinkType, Options, Parser, Tag, TagEnd, TextMergeStream, html,
};

/// The deepest nesting that is shown.
const DEEPEST: usize = 16;
/// The most bytes of HTML.
const LARGEST: usize = 256 * 1024;

/// The members whom a text may name: how they write themselves, by their folded names.
pub(crate) type Known = HashMap<String, String>;

/// Renders markdown.
pub(crate) fn render(text: &str) -> String {
    render_naming(text, &Known::new())
}

/// Renders markdown in which `@name` leads to a member.
pub(crate) fn render_naming(text: &str, known: &Known) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_STRIKETHROUGH;
    let mut rendered = String::new();
    let events = flattened(TextMergeStream::new(Parser::new_ext(text, options)));
    html::push_html(&mut rendered, named(events, known).into_iter());
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

/// Gives the words of markdown without its marks, at most so many letters; what it quotes is left out
/// where it says anything else.
pub(crate) fn plain(text: &str, most: usize) -> String {
    let (mut own, mut quoted, mut quotes) = (String::new(), String::new(), 0_usize);
    for event in Parser::new(text) {
        let to = if quotes == 0 { &mut own } else { &mut quoted };
        // What would be cut off isn't gathered; a letter takes at most four bytes.
        if to.len() > 8 * most {
            break;
        }
        match event {
            Event::Start(Tag::BlockQuote(_)) => quotes += 1,
            Event::End(TagEnd::BlockQuote(_)) => quotes = quotes.saturating_sub(1),
            Event::Text(words) | Event::Code(words) => to.push_str(&words),
            Event::End(TagEnd::Paragraph | TagEnd::Item | TagEnd::Heading(_))
            | Event::SoftBreak
            | Event::HardBreak => to.push(' '),
            Event::Start(_)
            | Event::End(_)
            | Event::Html(_)
            | Event::InlineHtml(_)
            | Event::InlineMath(_)
            | Event::DisplayMath(_)
            | Event::FootnoteReference(_)
            | Event::Rule
            | Event::TaskListMarker(_) => {}
        }
    }
    let words = if own.trim().is_empty() { quoted } else { own };
    let words: Vec<&str> = words.split_whitespace().collect();
    let words = words.join(" ");
    let mut begun: String = words.chars().take(most).collect();
    if begun.len() < words.len() {
        begun.push('…');
    }
    begun
}

/// Leaves out what is nested too deep, turns raw HTML into text and images into links.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
fn flattened<'a>(parser: impl Iterator<Item = Event<'a>>) -> Vec<Event<'a>> {
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

/// Makes links of the members that are named, but in code and in links.
#[expect(clippy::wildcard_enum_match_arm, reason = "the rest goes on as it is")]
fn named<'a>(events: Vec<Event<'a>>, known: &Known) -> Vec<Event<'a>> {
    if known.is_empty() {
        return events;
    }
    let mut within: usize = 0;
    let mut out = vec![];
    for event in events {
        match event {
            Event::Start(Tag::Link { .. } | Tag::CodeBlock(_)) => {
                within += 1;
                out.push(event);
            }
            Event::End(TagEnd::Link | TagEnd::CodeBlock) => {
                within = within.saturating_sub(1);
                out.push(event);
            }
            Event::Text(text) if within == 0 => naming(&text, known, &mut out),
            other => out.push(other),
        }
    }
    out
}

fn naming(text: &str, known: &Known, out: &mut Vec<Event<'_>>) {
    let mut at = 0;
    let plain = |from, to, out: &mut Vec<Event<'_>>| {
        let part = text.get(from..to).unwrap_or_default();
        out.push(Event::Text(CowStr::from(part.to_owned())));
    };
    for (range, name) in mention::find(text) {
        let Some(name) = known.get(&name.folded()) else {
            continue;
        };
        plain(at, range.start, out);
        at = range.end;
        out.push(Event::Start(Tag::Link {
            link_type: LinkType::Inline,
            dest_url: CowStr::from(format!("/members/{name}")),
            title: CowStr::Borrowed(""),
            id: CowStr::Borrowed(""),
        }));
        out.push(Event::Text(CowStr::from(format!("@{name}"))));
        out.push(Event::End(TagEnd::Link));
    }
    plain(at, text.len(), out);
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
    fn a_name_leads_to_its_member_where_there_is_one() {
        let known = Known::from([("zoë_42".to_owned(), "Zoë_42".to_owned())]);
        let shown = render_naming(
            "hi @zoë_42, @nobody `@zoë_42` [@zoë_42](https://x.example)",
            &known,
        );
        assert_eq!(shown.matches("href=\"/members/Zo").count(), 1, "{shown}");
        assert!(
            shown.contains(">@Zoë_42</a>, @nobody <code>@zoë_42</code>"),
            "{shown}"
        );
        let shown = render_naming("    @zoë_42", &known);
        assert!(!shown.contains("/members/"), "{shown}");
    }

    #[test]
    fn plain_words_are_what_is_said_and_not_what_is_quoted() {
        let text = "> **bob** wrote\n\n# So\n\nsome *words*,\n- one\n- `two` <b>\n";
        assert_eq!(plain(text, 100), "So some words, one two");
        assert_eq!(plain(text, 4), "So s…");
        assert_eq!(plain("> only **this**", 100), "only this");
        assert_eq!(plain(&"[".repeat(50_000), 3), "[[[…");
    }

    #[test]
    fn a_tower_of_quotes_is_flattened() {
        let shown = render(&">".repeat(50_000));
        assert!(shown.matches("<blockquote>").count() <= DEEPEST);
    }
}
