//! The guides, inside the program: the pages of `docs/` that are for readers of the site.

use axum::extract::{Path, State};
use maud::{Markup, html};
use rust_embed::RustEmbed;

use super::component::sanitised;
use super::layout::{Page, Theme, document};
use super::markdown;
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::Visitor;

#[derive(RustEmbed)]
#[folder = "../docs"]
#[include = "*.md"]
#[exclude = "features.md"]
struct Guides;

/// The threat model, which stands beside the others.
const SECURITY: &str = include_str!("../../../SECURITY.md");

/// Every guide by its address, in the order of the list, with what it tells.
const GUIDES: [(&str, &str); 8] = [
    (
        "member",
        "For members: joining, sharing, writing, and what the figures mean.",
    ),
    (
        "auditor",
        "For auditors: proving the log, and seeing what was when.",
    ),
    (
        "operator",
        "For who runs the site: from the first hour to disaster recovery.",
    ),
    (
        "configuration",
        "Every key of the configuration and every command.",
    ),
    ("runbooks", "What each alert means, and what to do."),
    ("panic", "The panic and the way back."),
    ("api", "Asking by scripts."),
    (
        "security",
        "What is promised, what isn't, and who may have what.",
    ),
];

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new()
        .get("/help", Who::Anyone, list)
        .get("/help/{name}", Who::Anyone, guide)
}

async fn list(State(app): State<App>, visitor: Visitor, theme: Theme) -> Markup {
    framed((&app, &visitor), theme, "Help", &index())
}

async fn guide(
    State(app): State<App>,
    visitor: Visitor,
    theme: Theme,
    Path(name): Path<String>,
) -> Result<Markup, Problem> {
    let text = text(&name).ok_or_else(Problem::not_found)?;
    Ok(framed((&app, &visitor), theme, title(&text), &body(&text)))
}

fn framed((app, visitor): (&App, &Visitor), theme: Theme, title: &str, body: &Markup) -> Markup {
    let page = Page {
        title,
        site: &app.site,
        viewer: visitor.0.as_ref(),
        theme,
        section: "",
    };
    document(&page, body)
}

/// Gives a guide, its links leading to where the site has the others.
pub(super) fn text(name: &str) -> Option<String> {
    GUIDES.iter().find(|(known, _)| *known == name)?;
    let written = if name == "security" {
        SECURITY.to_owned()
    } else {
        let file = Guides::get(&format!("{name}.md"))?;
        String::from_utf8_lossy(&file.data).into_owned()
    };
    let here = written
        .replace("](../SECURITY.md", "](security")
        .replace("](docs/", "](")
        .replace(".md)", ")")
        .replace(".md#", "#");
    Some(here)
}

fn title(text: &str) -> &str {
    let first = text.lines().next().unwrap_or_default();
    first.trim_start_matches("# ")
}

pub(super) fn index() -> Markup {
    html! {
        h1 { "Help" }
        section.card {
            ul { @for (name, about) in GUIDES {
                @if let Some(text) = text(name) {
                    li { a href={ "/help/" (name) } { (title(&text)) } ": " (about) }
                }
            } }
            p { "What scripts can ask for is listed under " a href="/api/docs" { "API" } "." }
        }
    }
}

pub(super) fn body(text: &str) -> Markup {
    let (_, rest) = text.split_once('\n').unwrap_or((text, ""));
    let mut parts = rest.split("\n## ");
    let lead = parts.next().unwrap_or_default();
    let sections: Vec<(&str, &str)> = parts
        .map(|part| part.split_once('\n').unwrap_or((part, "")))
        .collect();
    html! {
        h1 { (title(text)) }
        (rendered(title(text), lead))
        @if sections.len() > 3 {
            nav aria-label="On this page" { ul { @for (name, _) in &sections {
                li { a href={ "#" (anchor(name)) } { (name) } }
            } } }
        }
        @for (name, told) in sections {
            section id=(anchor(name)) { h2 { (name) } (rendered(name, told)) }
        }
    }
}

/// Renders a section; a table bears the section's name for who can't see it.
fn rendered(name: &str, text: &str) -> Markup {
    let caption = html! { caption.visually-hidden { (name) } }.into_string();
    let html = markdown::render(text)
        .replace(
            "<table>",
            &format!("<div class=\"scroller\"><table>{caption}"),
        )
        .replace("</table>", "</table></div>")
        .replace("<pre>", "<pre tabindex=\"0\">");
    sanitised(&html)
}

/// Gives the address of a section on its page, as the usual viewers of markdown make it.
fn anchor(name: &str) -> String {
    let kept = name
        .chars()
        .filter(|letter| letter.is_alphanumeric() || [' ', '-'].contains(letter));
    kept.collect::<String>().to_lowercase().replace(' ', "-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_guide_is_there_and_its_links_lead_somewhere() {
        let sections = |name: &str| -> Vec<String> {
            let text = text(name).unwrap_or_default();
            let heads = text.lines().filter_map(|line| line.strip_prefix("## "));
            heads.map(anchor).collect()
        };
        for (name, _) in GUIDES {
            let written = text(name).unwrap();
            assert!(written.starts_with("# "), "{name} has no title");
            for link in written.split("](").skip(1) {
                let link = link.split(')').next().unwrap();
                if link.starts_with("http") {
                    continue;
                }
                let (to, part) = link.split_once('#').unwrap_or((link, ""));
                let to = if to.is_empty() { name } else { to };
                let known = GUIDES.iter().any(|(guide, _)| *guide == to);
                assert!(known, "{name} leads to {link}");
                let is_there = part.is_empty() || sections(to).iter().any(|one| one == part);
                assert!(is_there, "{name} leads to {link}");
            }
        }
        assert!(text("features").is_none());
    }

    #[test]
    fn a_section_has_an_address_and_its_table_a_caption() {
        let page =
            body("# Title\n\nLead.\n\n## It's a part, no?\n\n| a |\n|---|\n| b |\n").into_string();
        assert!(
            page.contains("<section id=\"its-a-part-no\"><h2>It's a part, no?</h2>"),
            "{page}"
        );
        assert!(
            page.contains("<caption class=\"visually-hidden\">It's a part, no?</caption>"),
            "{page}"
        );
    }
}
