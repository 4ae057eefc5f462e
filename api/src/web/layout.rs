//! The frame of every page: head, masthead with the member's figures, footer.

use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse as _, Response};
use domain::Permission;
use maud::{DOCTYPE, Markup, html};
use projections::swarm::Count;
use projections::user::Profile;
use projections::viewer::Figures;

use super::asset;
use super::banner::banner;
use super::component::{icon, ratio, size};
use super::staff::logo;
use crate::app::{App, Site};
use crate::problem::Problem;
use crate::session::{SignedIn, cookie_value};

/// What the masthead shows of a signed-in member.
#[derive(Debug, Clone)]
pub(crate) struct Viewer {
    /// Who it is.
    pub(crate) profile: Profile,
    /// What they moved, and how many notifications are new to them.
    pub(crate) figures: Figures,
    /// In how many swarms they are.
    pub(crate) swarm: Count,
    /// Reports that wait for them, as far as they are counted.
    pub(crate) reports: i64,
    /// The token of their forms.
    pub(crate) token: String,
    /// The announcement that they put away.
    pub(crate) dismissed: Option<String>,
}

/// A page's frame.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Page<'a> {
    /// What stands in the browser's title, before the site's name.
    pub(crate) title: &'a str,
    /// The site's facts.
    pub(crate) site: &'a Site,
    /// Who looks, if they are signed in.
    pub(crate) viewer: Option<&'a Viewer>,
    /// The chosen theme.
    pub(crate) theme: Theme,
    /// The path of the section that the page belongs to.
    pub(crate) section: &'a str,
}

/// The section of a page that leads nowhere else.
pub(crate) const SEALED: &str = "sealed";

/// A theme that the visitor chose, or the system's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Theme {
    /// As the system has it.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

impl Theme {
    /// Reads the visitor's choice.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        match cookie_value(headers, "theme") {
            Some("light") => Self::Light,
            Some("dark") => Self::Dark,
            _ => Self::System,
        }
    }

    /// Gives the name that stands in the cookie and the document.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::System => "system",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

impl<S: Sync> FromRequestParts<S> for Theme {
    type Rejection = std::convert::Infallible;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, Self::Rejection> {
        Ok(Self::of(&parts.headers))
    }
}

/// Sets a page into its frame for a member: with its title and the path of its section.
pub(crate) async fn framed(
    app: &App,
    theme: Theme,
    signed_in: &SignedIn,
    (title, section): (&str, &str),
    body: &Markup,
) -> Result<Markup, Problem> {
    let viewer = signed_in.viewer(app).await?;
    let page = Page {
        title,
        site: &app.site,
        viewer: Some(&viewer),
        theme,
        section,
    };
    Ok(document(&page, body))
}

/// Shows a page again with what is wrong in its form.
pub(crate) async fn unfit(
    app: &App,
    theme: Theme,
    signed_in: &SignedIn,
    titles: (&str, &str),
    body: &Markup,
) -> Result<Response, Problem> {
    let page = framed(app, theme, signed_in, titles, body).await?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, page).into_response())
}

/// Sets a page into its frame.
pub(crate) fn document(page: &Page<'_>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=(page.theme.name()) {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="dark light";
                meta name="robots" content="noindex";
                title { (page.title) " · " (page.site.name()) }
                link rel="stylesheet" href=(asset::url("site.css"));
                link rel="icon" type="image/svg+xml" href=(asset::url("mark.svg"));
                @if page.viewer.is_some() {
                    meta name="form-token" content=(page.viewer.map_or("", |viewer| viewer.token.as_str()));
                }
                script type="module" src=(asset::url("modules/app.js")) {}
            }
            body {
                a.skip href="#content" { "Skip to the content" }
                @if let Some(position) = page.site.as_of {
                    p.past role="status" { "This is the site as it stood at position " (position) " of its log. It can only be read." }
                }
                (masthead(page))
                @if let Some(viewer) = page.viewer { (banner(page.site, viewer)) }
                main id="content" tabindex="-1" { (body) }
                (footer(page))
            }
        }
    }
}

fn masthead(page: &Page<'_>) -> Markup {
    html! {
        header {
          div.masthead {
            a.brand href="/" { (mark(page.site)) span { (page.site.name()) } @let subtitle = page.site.subtitle(); @if !subtitle.is_empty() && page.viewer.is_none() { span.hint { (subtitle) } } }
            @if let Some(viewer) = page.viewer {
                nav aria-label="Sections" {
                    (section(page, "/torrents", "Torrents"))
                    (section(page, "/upload", "Upload"))
                    (section(page, "/forum", "Forum"))
                    @if viewer.profile.permissions().has(Permission::Torrents) { (section(page, "/staff/queue", "Queue")) }
                    @if viewer.profile.permissions().has(Permission::Reports) { (reports(page, viewer)) }
                    @if viewer.profile.permissions().has(Permission::Audit) { (section(page, "/audit", "Audit")) }
                    @if viewer.profile.permissions().has(Permission::Administer) {
                        (section(page, "/staff", "Staff"))
                    } @else {
                        // Whoever sees no overview finds the pages of their own work here.
                        @if viewer.profile.permissions().has(Permission::Members) {
                            (section(page, "/staff/members", "Members"))
                            (section(page, "/staff/blocks", "Blocks"))
                        }
                        @if viewer.profile.permissions().has(Permission::Traffic) { (section(page, "/staff/hit-and-runs", "Hit-and-runs")) }
                        @if viewer.profile.permissions().has(Permission::Categories) {
                            (section(page, "/staff/categories", "Categories"))
                            (section(page, "/staff/tags", "Tags"))
                            (section(page, "/staff/sections", "Sections"))
                        }
                        @if viewer.profile.permissions().has(Permission::Invites) { (section(page, "/staff/invites", "Invites")) }
                        @if viewer.profile.permissions().has(Permission::Settings) {
                            (section(page, "/staff/settings", "Settings"))
                            (section(page, "/staff/freeleech", "Freeleech"))
                        }
                        @if viewer.profile.permissions().has(Permission::Roles) { (section(page, "/staff/roles", "Roles")) }
                    }
                }
                form.search role="search" action="/torrents" method="get" {
                    label.visually-hidden for="masthead-search" { "Search torrents" }
                    input id="masthead-search" type="search" name="q" placeholder="Search torrents" autocomplete="off" data-search;
                    kbd aria-hidden="true" { "/" }
                }
                (menu(page, viewer))
            } @else if page.section != SEALED {
                nav aria-label="Sections" {
                    (section(page, "/sign-in", "Sign in"))
                    (section(page, "/register", "Register"))
                }
            }
          }
          @if let Some(viewer) = page.viewer { (figures(viewer)) }
        }
    }
}

/// The site's logo, or its mark.
fn mark(site: &Site) -> Markup {
    match &site.live.get().logo {
        Some(name) => html! { img.logo src=(logo::url(name)) alt=""; },
        None => icon("mark"),
    }
}

fn section(page: &Page<'_>, path: &str, name: &str) -> Markup {
    html! { a href=(path) aria-current=[(page.section == path).then_some("page")] { (name) } }
}

/// The staff's reports, with how many wait.
fn reports(page: &Page<'_>, viewer: &Viewer) -> Markup {
    let path = "/staff/reports";
    html! {
        a href=(path) aria-current=[(page.section == path).then_some("page")] {
            "Reports" @if viewer.reports > 0 { " " span.badge.warn { (counted(viewer.reports, projections::report::MOST_COUNTED)) span.visually-hidden { " waiting" } } }
        }
    }
}

/// The member's notifications, with how many are new.
fn bell(page: &Page<'_>, viewer: &Viewer) -> Markup {
    let path = "/notifications";
    html! {
        a.bell href=(path) title="Notifications" aria-current=[(page.section == path).then_some("page")] {
            (icon("bell")) span.visually-hidden { "Notifications" }
            @if viewer.figures.unread > 0 { " " span.badge.good { (counted(viewer.figures.unread, projections::notification::MOST_COUNTED)) span.visually-hidden { " unread" } } }
        }
    }
}

/// A number that isn't counted further than so far.
pub(crate) fn counted(number: i64, most: i64) -> String {
    if number < most {
        number.to_string()
    } else {
        format!("{}+", most - 1)
    }
}

fn menu(page: &Page<'_>, viewer: &Viewer) -> Markup {
    html! {
        nav.account aria-label="Account" {
            (bell(page, viewer))
            a href={ "/members/" (viewer.profile.name) } aria-current=[(page.section == "/members").then_some("page")] {
                (viewer.profile.name)
            }
            a href="/invites" { "Invites" }
            a href="/bookmarks" aria-current=[(page.section == "/bookmarks").then_some("page")] { "Bookmarks" }
            a href="/settings" aria-current=[(page.section == "/settings").then_some("page")] { "Settings" }
            form action="/sign-out" method="post" {
                (super::form::token(&viewer.token))
                button.quiet type="submit" { "Sign out" }
            }
        }
    }
}

/// The member's figures, on every page.
fn figures(viewer: &Viewer) -> Markup {
    let totals = &viewer.figures.totals;
    let ratio_of = totals.ratio();
    let buffer = ratio_of.uploaded.0.saturating_sub(ratio_of.downloaded.0);
    html! {
        dl.figures aria-label="Your figures" {
            div { dt { "Up" } dd.good { (size(ratio_of.uploaded)) } }
            div { dt { "Down" } dd { (size(ratio_of.downloaded)) } }
            div { dt { "Ratio" } dd { (ratio(ratio_of)) } }
            div { dt { "Buffer" } dd { (size(domain::amount::Bytes(buffer))) } }
            div { dt { "Seeding" } dd { (viewer.swarm.seeders) } }
            div { dt { "Leeching" } dd { (viewer.swarm.leechers) } }
            div { dt { a href="/hit-and-runs" { "Hit-and-runs" } } dd class=[(totals.marks > 0).then_some("bad")] { (totals.marks) } }
        }
    }
}

fn footer(page: &Page<'_>) -> Markup {
    html! {
        footer.foot {
            p {
                "Nothing about you leaves this site: no trackers, no foreign scripts, no e-mail."
                @if page.section != SEALED { " " a href="/help" { "Help" } }
                @if page.viewer.is_some() { " " a href="/statistics" { "Statistics" } }
            }
            form.themes action="/theme" method="post" {
                fieldset {
                    legend.visually-hidden { "Theme" }
                    @for theme in [Theme::System, Theme::Light, Theme::Dark] {
                        button.quiet type="submit" name="theme" value=(theme.name())
                            aria-pressed=(if page.theme == theme { "true" } else { "false" }) { (theme.name()) }
                    }
                }
            }
        }
    }
}

/// Shows what went wrong; it needs no database.
pub(crate) fn problem_page(site: &Site, theme: Theme, problem: &Problem, request: &str) -> Markup {
    let page = Page {
        title: &problem.title,
        site,
        viewer: None,
        theme,
        section: "",
    };
    document(
        &page,
        &html! {
            section.narrow.problem {
                p.code { (problem.status.as_u16()) }
                h1 { (problem.title) }
                p { (problem.detail) }
                p { a.button href="/" { "Go to the first page" } }
                @if !request.is_empty() { p.hint { "If you report this, name request " code { (request) } "." } }
            }
        },
    )
}
