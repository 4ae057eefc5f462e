//! Leaving for ever: what goes and what stays, before the member's key is destroyed.

use axum::extract::{Path, State};
use domain::Permission;
use domain::user::Role;
use maud::{Markup, html};

use super::component::notice;
use super::form::{Field, kept_here, progress};
use super::layout::{Theme, framed};
use crate::app::App;
use crate::problem::Problem;
use crate::route::{Routes, Who};
use crate::session::SignedIn;
use crate::sign_in::erasure::{OWN, named, phrase};

/// Gives the routes.
pub(crate) fn routes() -> Routes {
    Routes::new().get("/settings/erase", Who::Member, own).get(
        "/members/{name}/erase",
        Who::May(Permission::Administer),
        other,
    )
}

/// What the page shows.
pub(super) struct Shown {
    /// Who is erased.
    pub(super) name: String,
    /// Who asks, and proves the login anew.
    pub(super) by: String,
    /// Whether it is an administrator, who can't be erased.
    pub(super) is_administrator: bool,
}

async fn own(State(app): State<App>, theme: Theme, signed_in: SignedIn) -> Result<Markup, Problem> {
    let shown = Shown {
        name: signed_in.profile.name.clone(),
        by: signed_in.profile.name.clone(),
        is_administrator: signed_in.profile.role == Role::Administrator,
    };
    let titled = ("Erase yourself", "/settings");
    framed(&app, theme, &signed_in, titled, &body(&shown)).await
}

async fn other(
    State(app): State<App>,
    theme: Theme,
    signed_in: SignedIn,
    Path(name): Path<String>,
) -> Result<Markup, Problem> {
    let member = named(&app, &name).await?;
    let shown = Shown {
        name: member.name,
        by: signed_in.profile.name.clone(),
        is_administrator: member.role == Role::Administrator,
    };
    let titled = ("Erase a member", "/staff");
    framed(&app, theme, &signed_in, titled, &body(&shown)).await
}

pub(super) fn body(shown: &Shown) -> Markup {
    let own = shown.name == shown.by;
    let address = format!("/api/admin/members/{}/erase", shown.name);
    let (ask, then, back) = if own {
        (OWN, "/sign-in", "/settings".to_owned())
    } else {
        let back = format!("/members/{}", shown.name);
        (address.as_str(), "/staff/members", back)
    };
    html! {
        section.narrow {
            h1 { @if own { "Erase yourself" } @else { "Erase " (shown.name) } }
            p.lead { "Everything personal stands under " (whose(own)) ". It is destroyed, and nobody can undo that: not the staff, and not who runs the site." }
            (outcome(own))
            @if shown.is_administrator {
                (notice("info", &html! { "An administrator isn't erased. Another administrator takes the role away first." }))
            } @else {
                form.slim data-erasure=(shown.by) data-phrase=(phrase(&shown.name)) data-ask=(ask) data-then=(then) autocomplete="off" {
                    (kept_here(&Field {
                        name: "confirm", label: &format!("Type {}", phrase(&shown.name)), kind: "text", autocomplete: "off",
                        ..Field::default()
                    }))
                    (kept_here(&Field {
                        name: "password", label: "Your own password", kind: "password", autocomplete: "current-password",
                        hint: "The one that you sign in with: your browser proves it anew, and never sends it.",
                        ..Field::default()
                    }))
                    (progress())
                    button.danger type="submit" { @if own { "Erase me for ever" } @else { "Erase this member for ever" } }
                }
            }
            p { a href=(back) { "Back, and change nothing" } }
        }
    }
}

fn whose(own: bool) -> &'static str {
    if own {
        "a key of your own"
    } else {
        "a key of the member's own"
    }
}

/// Says plainly what goes and what stays.
fn outcome(own: bool) -> Markup {
    html! {
        div.columns.outcome {
            div {
                h2 { "What goes" }
                ul {
                    li { "The name, which anybody may take then, the password and the recovery codes." }
                    li { "The announce URL, API keys and feeds: refused at once, in every client and tool." }
                    li { "Sessions, bookmarks, notifications, and up to where the forum was read." }
                    li { "Invites that nobody used, warnings and bans." }
                    li { "The ledger, the ratio, and what hit-and-runs are owed: no page has them. In the log they stay, as figures of nobody." }
                }
            }
            div {
                h2 { "What stays" }
                ul {
                    li { "Torrents, comments and posts, under the name “erased member”. " @if own { "Remove first what shall not stay." } }
                    li { "What others wrote, also where they wrote the name." }
                    li { "Sums: how much was moved in all, how often a torrent was completed, how many joined." }
                    li { "In the log, that somebody was here, and when; not who." }
                }
            }
        }
    }
}
