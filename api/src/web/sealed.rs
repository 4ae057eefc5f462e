//! The page of a sealed site: how it stands, and the form that leads back. Everybody sees it.

use domain::vault::State;
use maud::{Markup, html};

use super::component::{icon, notice};
use super::form::{Field, field, submit};
use crate::problem::sentence;
use crate::sealed::ENCRYPTED;
use crate::vault::Standing;

/// Shows how the vault stands, and what was wrong with a password if one was tried.
pub(crate) fn body(standing: &Standing, wrong: Option<&str>) -> Markup {
    html! {
        section.narrow.sealed {
            div data-region="sealed" data-live { (told(standing)) }
            section.card.restore {
                h2 { "Bring it back" }
                p {
                    "The Panic Password restores everything as it was: every torrent, every member, every figure. "
                    "Members then sign in as before, and their clients go on by themselves."
                }
                @if let Some(wrong) = wrong {
                    div.notice.bad role="alert" { (icon("bad")) div { (wrong) } }
                }
                form action="/restore" method="post" autocomplete="off" {
                    (field(&Field {
                        name: "password", label: "Panic Password", kind: "password", autocomplete: "off",
                        hint: "Five wrong ones from one address, and it has to wait five minutes.",
                        ..Field::default()
                    }))
                    (submit("Restore"))
                }
            }
            section {
                h2 { "What is here" }
                dl.facts.even {
                    @for what in ["Site", "Members", "Torrents", "Categories", "Texts", "Figures"] {
                        div { dt { (what) } dd { code { (ENCRYPTED) } } }
                    }
                }
                p.hint {
                    "You are a member? There is nothing for you to do: leave your clients running. Nothing of yours "
                    "is lost, and nothing of it can be read here."
                }
            }
        }
    }
}

/// The region that refreshes itself; its phase tells the style whether a password helps.
fn told(standing: &Standing) -> Markup {
    let moving = matches!(
        standing.state,
        State::Open | State::Sealing | State::Restoring
    );
    let (title, lead) = match standing.state {
        State::Open => (
            "This site isn't ready",
            "Its vault is open, but this machine doesn't serve yet. This page leads on by itself.",
        ),
        State::Sealing | State::Sealed => (
            "This site is sealed",
            "Everything on it was made unreadable, for members, for staff, and for whoever holds this machine.",
        ),
        State::Restoring => (
            "This site is being restored",
            "The Panic Password was right. Everything is on its way back; this page leads on by itself.",
        ),
    };
    html! {
        div data-phase=(standing.state.name()) data-moving[moving] {
            h1 { (title) }
            p.lead { (lead) }
            dl.facts.even {
                div { dt { "State" } dd { (state(standing.state)) } }
                @if !standing.doing.is_empty() { div.wide { dt { "Just now" } dd { (standing.doing) } } }
            }
            @if standing.total > 0 {
                p {
                    progress max=(standing.total) value=(standing.done.clamp(0, standing.total))
                        aria-label=(if standing.doing.is_empty() { "Progress" } else { &standing.doing }) {}
                    span.num { (standing.done) " of " (standing.total) }
                }
            }
            @if let Some(trouble) = &standing.trouble {
                (notice("bad", &html! { strong { "Something is in the way." } " " (sentence(&trouble.trim_end_matches('.'))) }))
            }
        }
    }
}

fn state(state: State) -> Markup {
    match state {
        State::Open => html! { span.badge.good { "open" } },
        State::Sealing => {
            html! { span.badge.bad { "dark" } " and still being encrypted once more" }
        }
        State::Sealed => html! { span.badge.bad { "sealed" } },
        State::Restoring => html! { span.badge { "restoring" } },
    }
}
